//! The verifier contract, run on the committed bytecode: it accepts what the native verifier
//! accepts and refuses everything else.

mod common;

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField};
use common::{Machine, Outcome, Proven, account, bytecode, error, example, key, no, prove, yes};
use placet_evm::calls;
use placet_evm::word::Word;
use placet_protocol::transfer::Mode;
use std::sync::OnceLock;

fn proven() -> &'static Proven {
    static PROVEN: OnceLock<Proven> = OnceLock::new();
    PROVEN.get_or_init(|| prove(&example(Mode::Accept, false)))
}

struct Verifier {
    machine: Machine,
    address: placet_evm::Address,
}

impl Verifier {
    fn new() -> Self {
        let mut machine = Machine::new();
        let address = machine.deploy(account(1), bytecode("PlacetVerifier"));
        Self { machine, address }
    }

    fn call(&mut self, data: Vec<u8>) -> Outcome {
        self.machine.call(account(2), self.address, data)
    }

    fn judge(&mut self, proof: &[Word; 8], inputs: &[Word; 17]) -> Outcome {
        self.call(calls::verify(proof, inputs))
    }
}

/// a + b below 2^256.
fn sum(a: Word, b: Word) -> Word {
    let mut out = Word::default();
    let mut carry = 0u16;
    for i in (0..32).rev() {
        carry += u16::from(a.0[i]) + u16::from(b.0[i]);
        out.0[i] = carry.to_be_bytes()[1];
        carry >>= 8;
    }
    assert_eq!(carry, 0, "the test's numbers are below 2^256");
    out
}

fn word(number: impl BigInteger) -> Word {
    Word(number.to_bytes_be().try_into().unwrap())
}

fn coordinate(value: &Fq) -> Word {
    word(value.into_bigint())
}

fn fq(word: Word) -> Fq {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(word.0.chunks_exact(8)) {
        *limb = u64::from_be_bytes(chunk.try_into().unwrap());
    }
    Fq::from_bigint(ark_ff::BigInt::new(limbs)).unwrap()
}

#[allow(clippy::disallowed_methods)] // points off their curve are what some tests are about
fn point<C: SWCurveConfig>(x: C::BaseField, y: C::BaseField) -> Affine<C> {
    Affine::new_unchecked(x, y)
}

fn points(proof: &[Word; 8]) -> (G1Affine, G2Affine, G1Affine) {
    let f = proof.map(fq);
    (
        point(f[0], f[1]),
        point(ark_bn254::Fq2::new(f[3], f[2]), ark_bn254::Fq2::new(f[5], f[4])),
        point(f[6], f[7]),
    )
}

fn words(a: G1Affine, b: G2Affine, c: G1Affine) -> [Word; 8] {
    [a.x, a.y, b.x.c1, b.x.c0, b.y.c1, b.y.c0, c.x, c.y].map(|value| coordinate(&value))
}

#[test]
fn proofs_of_every_mode_are_accepted() {
    let mut verifier = Verifier::new();
    assert_eq!(verifier.judge(&proven().proof, &proven().inputs), yes());
    println!("gas of verify, as a transaction: {}", verifier.machine.gas);
    for mode in [Mode::Absent, Mode::Refund, Mode::Settle] {
        let proven = prove(&example(mode, false));
        assert_eq!(verifier.judge(&proven.proof, &proven.inputs), yes(), "{mode:?}");
    }
}

#[test]
fn the_contract_names_its_circuit() {
    let mut verifier = Verifier::new();
    let expected = key().verifying_key().hash().0.to_vec();
    assert_eq!(verifier.call(calls::call("CIRCUIT()", &[])), Outcome::Returned(expected));
}

#[test]
fn every_altered_input_is_refused() {
    let mut verifier = Verifier::new();
    for i in 0..17 {
        let mut inputs = proven().inputs;
        inputs[i] = match inputs[i] {
            zero if zero == Word::default() => Word::from(1),
            word => {
                let mut word = word;
                word.0[31] ^= 1;
                word
            }
        };
        assert_eq!(verifier.judge(&proven().proof, &inputs), no(), "input {i}");
    }
    let mut swapped = proven().inputs;
    swapped.swap(6, 7);
    assert_eq!(verifier.judge(&proven().proof, &swapped), no());
}

#[test]
fn inputs_at_or_above_the_order_are_refused() {
    let mut verifier = Verifier::new();
    let order = word(Fr::MODULUS);
    for i in 0..17 {
        // The same element in another form: without the check the equation would hold.
        let mut inputs = proven().inputs;
        inputs[i] = sum(inputs[i], order);
        assert_eq!(verifier.judge(&proven().proof, &inputs), no(), "input {i} + r");
        for value in [order, sum(order, Word::from(1)), Word([0xff; 32])] {
            inputs[i] = value;
            assert_eq!(verifier.judge(&proven().proof, &inputs), no(), "input {i}");
        }
    }
}

#[test]
fn altered_and_off_curve_points_are_refused() {
    let mut verifier = Verifier::new();
    for i in 0..8 {
        let mut proof = proven().proof;
        proof[i] = coordinate(&(fq(proof[i]) + Fq::from(1u8)));
        assert_eq!(verifier.judge(&proof, &proven().inputs), no(), "word {i}");
    }
    // On the curve, and wrong.
    let (a, b, c) = points(&proven().proof);
    let g1 = G1Affine::generator();
    let g2 = G2Affine::generator();
    for (name, proof) in [
        ("A + G", words((a + g1).into_affine(), b, c)),
        ("B + H", words(a, (b + g2).into_affine(), c)),
        ("C + G", words(a, b, (c + g1).into_affine())),
        ("-A", words(-a, b, c)),
        ("-B", words(a, -b, c)),
        ("-C", words(a, b, -c)),
        ("A and C exchanged", words(c, b, a)),
        ("generators", words(g1, g2, g1)),
    ] {
        assert_eq!(verifier.judge(&proof, &proven().inputs), no(), "{name}");
    }
    let mut real_first = proven().proof;
    real_first.swap(2, 3);
    real_first.swap(4, 5);
    assert_eq!(verifier.judge(&real_first, &proven().inputs), no(), "B with its parts exchanged");
}

#[test]
fn points_at_infinity_are_refused() {
    let mut verifier = Verifier::new();
    for (name, range) in [("A", 0..2), ("B", 2..6), ("C", 6..8), ("A and C", 0..2), ("all", 0..8)] {
        let mut proof = proven().proof;
        proof[range].fill(Word::default());
        if name == "A and C" {
            proof[6..].fill(Word::default());
        }
        assert_eq!(verifier.judge(&proof, &proven().inputs), no(), "{name}");
    }
}

/// With zeros for A and B the first pairing vanishes. The refusal comes from the contract's own
/// check and not from the equation alone: C can be chosen so that the equation would hold for
/// whoever knows the key's secrets, and a verifier must not depend on that nobody does.
#[test]
fn infinity_is_refused_before_any_pairing_is_computed() {
    let mut verifier = Verifier::new();
    assert_eq!(verifier.judge(&proven().proof, &proven().inputs), yes());
    let whole = verifier.machine.gas;
    for range in [0..2, 2..6, 6..8] {
        let mut proof = proven().proof;
        proof[range].fill(Word::default());
        assert_eq!(verifier.judge(&proof, &proven().inputs), no());
        assert!(verifier.machine.gas < whole / 2, "{} of {whole}", verifier.machine.gas);
    }
}

#[test]
fn coordinates_at_or_above_the_modulus_are_refused() {
    let mut verifier = Verifier::new();
    let modulus = word(Fq::MODULUS);
    for i in 0..8 {
        let mut proof = proven().proof;
        proof[i] = sum(proof[i], modulus);
        assert_eq!(verifier.judge(&proof, &proven().inputs), no(), "word {i} + q");
        proof[i] = Word([0xff; 32]);
        assert_eq!(verifier.judge(&proof, &proven().inputs), no(), "word {i}");
    }
}

#[test]
fn points_of_the_twist_outside_of_the_subgroup_are_refused() {
    let mut verifier = Verifier::new();
    let (a, b, c) = points(&proven().proof);
    let outside = (1u64..)
        .filter_map(|x| {
            let x = ark_bn254::Fq2::new(x.into(), 0u64.into());
            G2Affine::get_point_from_x_unchecked(x, true)
        })
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    for b in [outside, (b + outside).into_affine()] {
        assert_eq!(verifier.judge(&words(a, b, c), &proven().inputs), no());
    }
}

/// Groth16 proofs can be re-randomised by anybody, so nothing may be keyed on their bytes.
#[test]
fn a_re_randomised_proof_is_accepted() {
    let (a, b, c) = points(&proven().proof);
    let s = Fr::from(7u8);
    let again = words((a * s).into(), (b * s.inverse().unwrap()).into(), c);
    assert_ne!(again, proven().proof);
    assert_eq!(Verifier::new().judge(&again, &proven().inputs), yes());
}

#[test]
fn calls_of_another_length_revert() {
    let mut verifier = Verifier::new();
    let call = calls::verify(&proven().proof, &proven().inputs);
    for length in [0, 3, 4, 36, call.len() - 32, call.len() - 1] {
        let outcome = verifier.call(call[..length].to_vec());
        assert_eq!(outcome, Outcome::Reverted(vec![]), "{length} bytes");
    }
    for extra in [1, 31, 32, 64] {
        let longer = [call.clone(), vec![0; extra]].concat();
        assert_eq!(verifier.call(longer), error("CalldataLength"), "{extra} bytes more");
    }
    assert_eq!(verifier.call(call), yes());
}

/// On a chain without the contracts of EIP-196 and 197 calls of them succeed and return nothing.
#[test]
fn a_chain_without_pairings_accepts_nothing() {
    let mut verifier = Verifier::new();
    verifier.machine.without_pairing = true;
    assert_eq!(verifier.judge(&proven().proof, &proven().inputs), no());
}
