//! Proofs and public inputs as the verifier contract takes them.

use ark_bn254::{G1Affine, G2Affine};
use ark_ff::Field;
use placet_params::point::{self, PointDefect};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transfer::{PublicInputs, Transfer};

use crate::word::{Word, coordinate};

/// Words of a proof: A (2), B (4), C (2).
pub const PROOF_WORDS: usize = 8;
/// Words of the public inputs of `transfer`.
pub const INPUT_WORDS: usize = 17;
const _: () = assert!(INPUT_WORDS == Transfer::PUBLIC_INPUTS);

/// The proof's points, uncompressed: x and y of A; of B the imaginary and the real part of x, then
/// of y, which is the order of EIP-197; x and y of C.
///
/// # Errors
/// The defect of a point that the native verifier would refuse, too.
pub fn proof_words(proof: &ProofBytes) -> Result<[Word; PROOF_WORDS], PointDefect> {
    use ark_serialize::Compress::Yes;
    let (a, rest) = proof.0.split_at(32);
    let (b, c) = rest.split_at(64);
    let [ax, ay] = g1(&point::decode_finite(a, Yes)?);
    let [bx1, bx0, by1, by0] = g2(&point::decode_finite(b, Yes)?);
    let [cx, cy] = g1(&point::decode_finite(c, Yes)?);
    Ok([ax, ay, bx1, bx0, by1, by0, cx, cy])
}

/// The public inputs in the order of spec §7.1.
pub fn inputs(public: &PublicInputs) -> [Word; INPUT_WORDS] {
    let words: Vec<Word> = Transfer::inputs(public).iter().map(Word::from).collect();
    words.try_into().expect("the statement has this many inputs")
}

/// x and y.
pub(crate) fn g1(point: &G1Affine) -> [Word; 2] {
    [coordinate(&point.x), coordinate(&point.y)]
}

/// Imaginary and real part of x, imaginary and real part of y.
pub(crate) fn g2(point: &G2Affine) -> [Word; 4] {
    let parts = |value: &ark_bn254::Fq2| {
        let mut parts = value.to_base_prime_field_elements();
        let real = parts.next().expect("two parts");
        [coordinate(&parts.next().expect("two parts")), coordinate(&real)]
    };
    let ([x1, x0], [y1, y0]) = (parts(&point.x), parts(&point.y));
    [x1, x0, y1, y0]
}
