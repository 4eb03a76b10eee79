//! Proofs from outside: what holds is accepted, alone and in batches; everything else is refused
//! and named.

#[path = "../../params/tests/support/square_chain.rs"]
mod square_chain;

use std::sync::OnceLock;

use ark_bn254::{Fq2, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_serialize::Compress;
use placet_params::VerifyingKey;
use placet_params::point::{PointDefect, decode, encode};
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_prover::{ProofSeed, Prover};
use placet_setup::{SetupSeed, generate};
use placet_verifier::{
    BatchError, OsCoefficients, PreparedVerifyingKey, Proof, ProofError, ProofPart, RandomSource,
    VerifyError, all_good, verify, verify_batch,
};
use square_chain::{ChainPublic, SquareChain, chain};

struct Fixture {
    key: VerifyingKey<SquareChain>,
    prepared: PreparedVerifyingKey<SquareChain>,
    proofs: Vec<(ChainPublic, ProofBytes)>,
}

/// A key and sixteen good proofs.
fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let key = generate::<SquareChain>(SetupSeed::from_bytes([1; 32])).unwrap();
        let prover = Prover::new(key.clone()).unwrap();
        let proofs = (0..16u8)
            .map(|i| {
                let (public, witness) = chain(3 + u64::from(i), 100 + u64::from(i));
                let seed = ProofSeed::from_bytes([i; 32]);
                let proof = prover.prove(&public, &witness, seed).unwrap().to_bytes();
                (public, proof)
            })
            .collect();
        let key = key.verifying_key().clone();
        Fixture { prepared: PreparedVerifyingKey::from(&key), key, proofs }
    })
}

fn parts(proof: &ProofBytes) -> (G1Affine, G2Affine, G1Affine) {
    let bytes = &proof.0;
    (
        decode(&bytes[..32], Compress::Yes).unwrap(),
        decode(&bytes[32..96], Compress::Yes).unwrap(),
        decode(&bytes[96..], Compress::Yes).unwrap(),
    )
}

fn assemble(a: G1Affine, b: G2Affine, c: G1Affine) -> ProofBytes {
    let mut out = Vec::new();
    encode(&a, Compress::Yes, &mut out);
    encode(&b, Compress::Yes, &mut out);
    encode(&c, Compress::Yes, &mut out);
    ProofBytes(out.try_into().unwrap())
}

/// A well-formed proof that proves nothing.
fn bad(proof: &ProofBytes) -> ProofBytes {
    let (a, b, c) = parts(proof);
    assemble(a, b, (c + G1Affine::generator()).into_affine())
}

type Items<'a> = Vec<(&'a ChainPublic, ProofBytes)>;

fn items(count: usize) -> Items<'static> {
    fixture().proofs[..count].iter().map(|(public, proof)| (public, *proof)).collect()
}

fn batch(items: &Items<'_>) -> Result<(), BatchError> {
    verify_batch(&fixture().prepared, items, &mut OsCoefficients)
}

#[test]
fn good_proofs_verify_alone_and_for_their_inputs_only() {
    let Fixture { key, prepared, proofs } = fixture();
    for (public, proof) in proofs {
        assert_eq!(prepared.verify(public, proof), Ok(()));
    }
    let (public, proof) = &proofs[0];
    assert_eq!(verify(key, public, proof), Ok(()));
    assert_eq!(verify(key, &proofs[1].0, proof), Err(VerifyError::Invalid));
    let other_tag = ChainPublic { tag: public.tag + public.tag, ..public.clone() };
    assert_eq!(verify(key, &other_tag, proof), Err(VerifyError::Invalid));
}

#[test]
fn another_key_refuses() {
    let other = generate::<SquareChain>(SetupSeed::from_bytes([2; 32])).unwrap();
    let (public, proof) = &fixture().proofs[0];
    assert_eq!(verify(other.verifying_key(), public, proof), Err(VerifyError::Invalid));
}

#[test]
fn a_wrong_number_of_inputs_is_refused_alone_and_in_batches() {
    for found in [0, 1, 3, 20] {
        let (public, proof) = &fixture().proofs[0];
        let public = ChainPublic { inputs: found, ..public.clone() };
        let error = VerifyError::InputCount { expected: 2, found };
        assert_eq!(fixture().prepared.verify(&public, proof), Err(error));
        let mut items = items(3);
        items[1].0 = &public;
        assert_eq!(batch(&items), Err(BatchError::Refused(vec![(1, error)])));
    }
}

#[test]
fn missing_inputs_that_are_zero_anyway_are_refused_too() {
    // The library alone would accept: it takes missing inputs as zero.
    let key = generate::<SquareChain>(SetupSeed::from_bytes([1; 32])).unwrap();
    let prover = Prover::new(key).unwrap();
    let (public, witness) = chain(5, 0);
    let proof = prover.prove(&public, &witness, ProofSeed::from_bytes([9; 32])).unwrap();
    let short = ChainPublic { inputs: 1, ..public.clone() };
    let error = VerifyError::InputCount { expected: 2, found: 1 };
    assert_eq!(fixture().prepared.verify(&public, &proof.to_bytes()), Ok(()));
    assert_eq!(fixture().prepared.verify(&short, &proof.to_bytes()), Err(error));
    let long = ChainPublic { inputs: 3, ..public };
    let error = VerifyError::InputCount { expected: 2, found: 3 };
    assert_eq!(fixture().prepared.verify(&long, &proof.to_bytes()), Err(error));
}

#[test]
fn other_lengths_are_refused() {
    let (_, proof) = &fixture().proofs[0];
    for len in [0, 1, 127, 129, 192, 256] {
        let mut bytes = proof.0.to_vec();
        bytes.resize(len, 0);
        let error = Proof::<SquareChain>::from_slice(&bytes).unwrap_err();
        assert_eq!(error, ProofError::Length { found: len });
    }
    assert_eq!(Proof::<SquareChain>::from_slice(&proof.0).unwrap().to_bytes(), *proof);
}

#[test]
fn the_identity_is_refused_in_every_position() {
    let (public, proof) = &fixture().proofs[0];
    let (a, b, c) = parts(proof);
    let cases = [
        (ProofPart::A, assemble(G1Affine::zero(), b, c)),
        (ProofPart::B, assemble(a, G2Affine::zero(), c)),
        (ProofPart::C, assemble(a, b, G1Affine::zero())),
    ];
    for (part, proof) in cases {
        let error =
            VerifyError::Malformed(ProofError::Point { part, defect: PointDefect::Infinity });
        assert_eq!(fixture().prepared.verify(public, &proof), Err(error));
    }
}

#[test]
fn a_point_of_the_twist_outside_of_the_subgroup_is_refused() {
    let (public, proof) = &fixture().proofs[0];
    let (a, b, c) = parts(proof);
    let outside = (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::new(x.into(), 0u64.into()), true))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    // Alone, and added to the honest point: on the curve both times.
    for b in [outside, (b + outside).into_affine()] {
        assert!(b.is_on_curve());
        let defect = PointDefect::OffSubgroup;
        let error = VerifyError::Malformed(ProofError::Point { part: ProofPart::B, defect });
        assert_eq!(fixture().prepared.verify(public, &assemble(a, b, c)), Err(error));
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    let (public, proof) = &fixture().proofs[0];
    for position in 0..PROOF_BYTES * 8 {
        let mut altered = *proof;
        altered.0[position / 8] ^= 1 << (position % 8);
        assert!(fixture().prepared.verify(public, &altered).is_err(), "bit {position}");
    }
}

#[test]
fn coordinates_at_or_above_the_modulus_and_stray_flags_are_refused() {
    let (public, proof) = &fixture().proofs[0];
    let refused = |proof: ProofBytes, part| {
        let defect = PointDefect::NotCanonical;
        let error = VerifyError::Malformed(ProofError::Point { part, defect });
        assert_eq!(fixture().prepared.verify(public, &proof), Err(error));
    };
    let mut aliased = *proof;
    aliased.0[..32].fill(0xff);
    aliased.0[31] = 0x3f;
    refused(aliased, ProofPart::A);
    let mut flags = *proof;
    flags.0[127] |= 0xc0;
    refused(flags, ProofPart::C);
    // Infinity with a coordinate is a second spelling of infinity.
    let mut infinity = *proof;
    infinity.0[95] = (infinity.0[95] & 0x3f) | 0x40;
    refused(infinity, ProofPart::B);
}

#[test]
fn random_bytes_never_panic() {
    let (public, _) = &fixture().proofs[0];
    let mut state = 1u64;
    for _ in 0..500 {
        let mut bytes = [0u8; PROOF_BYTES];
        for byte in &mut bytes {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (state >> 33) as u8;
        }
        assert!(fixture().prepared.verify(public, &ProofBytes(bytes)).is_err());
    }
}

#[test]
fn batches_of_good_proofs_hold() {
    for count in [0, 1, 2, 5, 16] {
        assert_eq!(batch(&items(count)), Ok(()), "{count} proofs");
    }
}

#[test]
fn bad_proofs_in_a_batch_are_named_in_order() {
    let cases: [(usize, &[usize]); 7] = [
        (1, &[0]),
        (2, &[1]),
        (16, &[0]),
        (16, &[15]),
        (16, &[3, 7, 8]),
        (16, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        (5, &[2, 4]),
    ];
    for (count, broken) in cases {
        let mut items = items(count);
        for index in broken {
            items[*index].1 = bad(&items[*index].1);
        }
        let expected = broken.iter().map(|index| (*index, VerifyError::Invalid)).collect();
        assert_eq!(batch(&items), Err(BatchError::Refused(expected)), "{count}: {broken:?}");
    }
}

#[test]
fn a_batch_is_good_as_a_whole_if_all_are() {
    let good =
        |items: &Items<'_>| all_good(&fixture().prepared, items, &mut OsCoefficients).unwrap();
    for count in [0, 1, 2, 16] {
        assert!(good(&items(count)), "{count} proofs");
        for broken in 0..count {
            let mut items = items(count);
            items[broken].1 = bad(&items[broken].1);
            assert!(!good(&items), "{count}: {broken}");
            items[broken].1 = ProofBytes([0xff; PROOF_BYTES]);
            assert!(!good(&items), "{count}: {broken}, malformed");
        }
    }
    assert!(all_good(&fixture().prepared, &items(2), &mut NoEntropy).is_err());
}

#[test]
fn malformed_proofs_do_not_hide_invalid_ones() {
    let mut items = items(6);
    items[1].1 = ProofBytes([0xff; PROOF_BYTES]);
    let Err(BatchError::Refused(refused)) = batch(&items) else { panic!("must be refused") };
    assert!(matches!(refused[..], [(1, VerifyError::Malformed(_))]));
    items[4].1 = bad(&items[4].1);
    let Err(BatchError::Refused(refused)) = batch(&items) else { panic!("must be refused") };
    assert!(matches!(refused[..], [(1, VerifyError::Malformed(_)), (4, VerifyError::Invalid)]));
}

#[test]
fn proofs_swapped_between_statements_are_refused() {
    let mut items = items(4);
    let swapped = items[1].1;
    items[1].1 = items[2].1;
    items[2].1 = swapped;
    let expected = vec![(1, VerifyError::Invalid), (2, VerifyError::Invalid)];
    assert_eq!(batch(&items), Err(BatchError::Refused(expected)));
}

/// A generator that somebody could foresee.
struct AllOnes;

impl RandomSource for AllOnes {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        bytes.fill(1);
        Ok(())
    }
}

/// With coefficients all one they would pass: see the tests of `batch`.
#[test]
fn errors_that_would_cancel_in_a_plain_sum_are_found_even_without_randomness() {
    // +D in one C and -D in another: the sums of both sides stay equal.
    let mut items = items(16);
    let shift = G1Affine::generator();
    let (a, b, c) = parts(&items[4].1);
    items[4].1 = assemble(a, b, (c + shift).into_affine());
    let (a, b, c) = parts(&items[9].1);
    items[9].1 = assemble(a, b, (c - shift).into_affine());
    let expected = vec![(4, VerifyError::Invalid), (9, VerifyError::Invalid)];
    let verdict = verify_batch(&fixture().prepared, &items, &mut AllOnes);
    assert_eq!(verdict, Err(BatchError::Refused(expected.clone())));
    for _ in 0..20 {
        assert_eq!(batch(&items), Err(BatchError::Refused(expected.clone())));
    }
}

struct NoEntropy;

impl RandomSource for NoEntropy {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), getrandom::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }
}

#[test]
fn without_randomness_nothing_is_accepted() {
    let verdict = verify_batch(&fixture().prepared, &items(2), &mut NoEntropy);
    assert!(matches!(verdict, Err(BatchError::Randomness(_))));
}

#[test]
fn a_single_well_formed_proof_needs_no_randomness() {
    let verdict = |items: &Items<'_>| verify_batch(&fixture().prepared, items, &mut NoEntropy);
    assert_eq!(verdict(&items(0)), Ok(()));
    assert_eq!(verdict(&items(1)), Ok(()));
    let mut two = items(2);
    two[0].1 = ProofBytes([0xff; PROOF_BYTES]);
    let Err(BatchError::Refused(refused)) = verdict(&two) else { panic!("must be refused") };
    assert!(matches!(refused[..], [(0, VerifyError::Malformed(_))]));
    two[1].1 = bad(&two[1].1);
    let Err(BatchError::Refused(refused)) = verdict(&two) else { panic!("must be refused") };
    assert!(matches!(refused[..], [(0, VerifyError::Malformed(_)), (1, VerifyError::Invalid)]));
    two[1].1 = two[0].1;
    assert!(matches!(verdict(&two), Err(BatchError::Refused(refused)) if refused.len() == 2));
}
