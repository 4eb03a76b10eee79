//! A ceremony on a small circuit with genuine powers of tau: it ends in keys that prove, and files
//! are those that snarkjs makes.

#[path = "ceremony/support.rs"]
mod support;

use std::io::Cursor;

use ark_bn254::Fr;
use placet_params::transcript::Transcript;
use placet_params::{KeyPolicy, Origin, ProvingKey, VerifyingKey};
use placet_setup::ceremony::phase1::{self, CheckError, MakeError};
use placet_setup::ceremony::{
    Beacon, Closing, ContributeError, Entropy, VerifyError, close, contribute, finalize,
    initial_key, phase1::make::Source, unwatched, verify,
};
use placet_snarkjs::ptau::{Ptau, PtauError, published_hash, published_name};
use placet_snarkjs::zkey::Zkey;
use support::square_chain::{SquareChain, chain};
use support::*;

#[test]
fn the_genuine_file_is_the_published_one() {
    assert_eq!(published_hash(8), Some(ptau_hash()));
    assert_eq!(
        published_name(&ptau_hash()).unwrap().to_string(),
        "powersOfTau28_hez_final_08.ptau"
    );
    let mut altered = PTAU.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let hash = placet_snarkjs::ptau::hash(altered.as_slice(), &mut |_| {}).unwrap();
    assert_eq!(published_name(&hash), None);
}

#[test]
fn a_ceremony_verifies_after_every_step() {
    for (at, key) in stages().iter().enumerate() {
        verify(key, circuit(), &mut open(), Closing::Open, &unwatched).unwrap();
        let closed = verify(key, circuit(), &mut open(), Closing::Required, &unwatched);
        assert_eq!(closed.is_ok(), at == 4, "after {at} steps");
    }
}

#[test]
fn files_between_steps_carry_everything() {
    let mut key = initial();
    for (name, seed) in [("one", 1), ("two", 2), ("three", 3)] {
        let file = key.write(Vec::new()).unwrap();
        key = Zkey::read(Cursor::new(file)).unwrap();
        add(&mut key, name, seed);
    }
    assert_eq!(key, stages()[3]);
}

#[test]
fn a_finished_ceremony_gives_keys_that_prove_and_load_only_with_their_transcript() {
    let finished =
        finalize::<SquareChain, _>(&finished(), &mut open(), ptau_hash(), &unwatched).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let written = finished.save(directory.path(), &unwatched).unwrap();
    let [transcript, verifying, proving] = written.files.as_slice() else { panic!("three files") };

    let transcript = Transcript::load(transcript).unwrap();
    assert_eq!(transcript, finished.transcript);
    assert_eq!(transcript.hash(), written.transcript);
    assert_eq!(transcript.ptau, ptau_hash());
    let circuit = written.circuit;
    let verifying = VerifyingKey::<SquareChain>::load(verifying, &circuit, KeyPolicy::Dev).unwrap();
    let proving = ProvingKey::<SquareChain>::load(proving, &circuit, KeyPolicy::Dev).unwrap();
    assert_eq!(proving.verifying_key(), &verifying);
    assert_eq!(verifying.hash(), written.key);
    assert_eq!(verifying.origin(), Origin::Ceremony { transcript: written.transcript });
    transcript.verify(&verifying).unwrap();

    let prover = placet_prover::Prover::new(proving).unwrap();
    let (public, witness) = chain(3, 4);
    let proof =
        prover.prove(&public, &witness, placet_prover::ProofSeed::from_bytes([1; 32])).unwrap();
    assert_eq!(prover.verifier().verify(&public, &proof.to_bytes()), Ok(()));
    let mut other = public.clone();
    other.tag += Fr::from(1u8);
    assert!(prover.verifier().verify(&other, &proof.to_bytes()).is_err());
}

#[test]
fn the_same_contributions_by_other_people_give_another_key() {
    let mut key = initial();
    contribute(&mut key, "", Entropy::mix(&[1; 64], b"text"), &unwatched).unwrap();
    let mut other = initial();
    contribute(&mut other, "", Entropy::mix(&[1; 64], b"other"), &unwatched).unwrap();
    assert_ne!(key.delta_g1, other.delta_g1);
    let mut third = initial();
    contribute(&mut third, "", Entropy::mix(&[2; 64], b"text"), &unwatched).unwrap();
    assert_ne!(key.delta_g1, third.delta_g1);
}

#[test]
fn nothing_is_added_to_a_closed_a_broken_or_an_empty_ceremony() {
    let entropy = || Entropy::mix(&[9; 64], b"");
    let mut closed = finished();
    let error = contribute(&mut closed, "late", entropy(), &unwatched).unwrap_err();
    assert_eq!(error, ContributeError::Closed);
    let error = close(&mut closed, "", &beacon(), &unwatched).unwrap_err();
    assert_eq!(error, ContributeError::Closed);
    assert_eq!(closed, finished(), "nothing was changed");

    let mut broken = stages()[3].clone();
    broken.ceremony.contributions.remove(1);
    let error = contribute(&mut broken, "", entropy(), &unwatched).unwrap_err();
    assert!(matches!(error, ContributeError::Chain(_)));

    let mut moved = initial();
    moved.delta_g1 = stages()[1].delta_g1;
    let error = contribute(&mut moved, "", entropy(), &unwatched).unwrap_err();
    assert_eq!(error, ContributeError::Delta);

    let error = close(&mut initial(), "", &beacon(), &unwatched).unwrap_err();
    assert!(matches!(error, ContributeError::Chain(_)));
}

#[test]
fn names_and_beacons_have_bounds() {
    let entropy = || Entropy::mix(&[9; 64], b"");
    for name in ["a\nb", "\u{1b}[31m", &"x".repeat(65)] {
        let error = contribute(&mut initial(), name, entropy(), &unwatched).unwrap_err();
        assert_eq!(error, ContributeError::Name);
    }
    assert!(Beacon::new(vec![], 10).is_err());
    assert!(Beacon::new(vec![0; 256], 10).is_err());
    assert!(Beacon::new(vec![0; 255], 9).is_err());
    assert!(Beacon::new(vec![0; 255], 25).is_err());
    assert!(Beacon::new(vec![0; 255], 24).is_ok());
}

/// A local phase 1 for 2^power rows.
fn local(power: u8) -> Vec<u8> {
    let mut file = phase1::fresh(power, Vec::new()).unwrap();
    for (name, seed) in [("one", 1), ("two", 2)] {
        let mut input = Ptau::open(Cursor::new(file)).unwrap();
        let source = Source::Participant(Entropy::mix(&[seed; 64], b"text"));
        file = phase1::contribute(&mut input, Vec::new(), name, &source, &unwatched).unwrap().0;
    }
    let mut input = Ptau::open(Cursor::new(file)).unwrap();
    let source = Source::Beacon(beacon());
    phase1::contribute(&mut input, Vec::new(), "beacon", &source, &unwatched).unwrap().0
}

fn prepared(power: u8) -> Vec<u8> {
    let mut input = Ptau::open(Cursor::new(local(power))).unwrap();
    phase1::prepare(&mut input, Vec::new(), &unwatched).unwrap()
}

#[test]
fn local_powers_of_tau_verify_and_serve_a_ceremony() {
    let file = prepared(6);
    let mut ptau = Ptau::open(Cursor::new(file)).unwrap();
    phase1::check(&mut ptau, &unwatched).unwrap();
    assert_eq!(circuit().rows(), 65);
    let error = initial_key(circuit(), &mut ptau, &unwatched).unwrap_err();
    assert!(error.to_string().contains("power 6"), "{error}");

    let mut ptau = Ptau::open(Cursor::new(prepared(7))).unwrap();
    let mut key = initial_key(circuit(), &mut ptau, &unwatched).unwrap();
    add(&mut key, "one", 1);
    close(&mut key, "", &beacon(), &unwatched).unwrap();
    verify(&key, circuit(), &mut ptau, Closing::Required, &unwatched).unwrap();
    // The genuine file is another tau.
    let error = verify(&key, circuit(), &mut open(), Closing::Required, &unwatched).unwrap_err();
    assert!(matches!(error, VerifyError::OtherPtau));
}

#[test]
fn powers_that_were_altered_are_refused() {
    use placet_snarkjs::ptau::Part;
    let power = 3;
    let good = prepared(power);
    // The sections follow each other: header of the file, then number and length before each.
    let mut at = 12 + 12 + 44;
    let mut places = Vec::new();
    for part in Part::POWERS {
        places.push((part, at + 12));
        at += 12 + part.bytes(power) as usize;
    }
    let record = u64::from_le_bytes(good[at + 4..at + 12].try_into().unwrap()) as usize;
    let contributions = at + 12;
    at += 12 + record;
    for (part, _) in Part::LAGRANGE {
        places.push((part, at + 12));
        at += 12 + part.bytes(power) as usize;
    }
    assert_eq!(at, good.len());

    let refusal = |bytes: Vec<u8>| match Ptau::open(Cursor::new(bytes)) {
        Ok(mut ptau) => phase1::check(&mut ptau, &unwatched).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    for (part, start) in places {
        let size = if part.in_g2() { 128 } else { 64 };
        for index in (0..part.points(power) as usize).step_by(2) {
            // Another valid point: the opposite one, or where that is none, the generator's.
            let mut bytes = good.clone();
            let place = start + index * size;
            let (y, end) = (place + size / 2, place + size);
            let negated = negate(&bytes[y..end]);
            bytes[y..end].copy_from_slice(&negated);
            if bytes != good {
                refusal(bytes);
            }
            let mut bytes = good.clone();
            bytes[place] ^= 1;
            assert!(!refusal(bytes).is_empty(), "{part} {index}");
        }
    }
    // Two things are proven by nothing: what contributors call themselves, and the state of the hash
    // that all but the last of them published; they are there to be compared with that.
    let unproven = |ptau: &mut Ptau<Cursor<Vec<u8>>>| {
        let mut found = ptau.contributions().unwrap();
        let last = found.pop().map(|mut last| std::mem::take(&mut last.name));
        (last, found.into_iter().map(|one| (one.name, one.partial)).collect::<Vec<_>>())
    };
    let genuine = unproven(&mut Ptau::open(Cursor::new(good.clone())).unwrap());
    let list = Ptau::open(Cursor::new(good.clone())).unwrap().contributions().unwrap();
    // Of the 216 bytes of a hash's state those of the block behind the 96 that wait, which the next
    // ones overwrite, and the last 8 mean nothing.
    assert!(list.iter().all(|one| one.partial.to_bytes()[200..208] == 96u64.to_le_bytes()));
    let unused = |at: usize| {
        (0..list.len()).any(|number| {
            let start = placet_snarkjs::ptau::record::encode(&list[..number]).len();
            let place = (at - contributions).wrapping_sub(start + 9 * 64 + 5 * 128);
            (96..128).contains(&place) || (208..216).contains(&place)
        })
    };
    for at in (contributions..contributions + record).step_by(11).filter(|at| !unused(*at)) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let Ok(mut ptau) = Ptau::open(Cursor::new(bytes)) else { continue };
        if phase1::check(&mut ptau, &unwatched).is_ok() {
            assert_ne!(unproven(&mut ptau), genuine, "byte {}", at - contributions);
        }
    }
}

/// The opposite of a coordinate, each field element of it, in 32 little-endian bytes.
fn negate(bytes: &[u8]) -> Vec<u8> {
    use ark_bn254::Fq;
    use ark_ff::{BigInteger, PrimeField};
    let mut out = Vec::new();
    for element in bytes.chunks_exact(32) {
        let limbs: Vec<u64> = element
            .chunks_exact(8)
            .map(|limb| u64::from_le_bytes(limb.try_into().unwrap()))
            .collect();
        let value = Fq::from_bigint(ark_ff::BigInt(limbs.try_into().unwrap())).unwrap();
        out.extend((-value).into_bigint().to_bytes_le());
    }
    out
}

#[test]
fn untouched_cut_and_closed_powers_are_told_apart() {
    let fresh = phase1::fresh(3, Vec::new()).unwrap();
    let mut ptau = Ptau::open(Cursor::new(fresh)).unwrap();
    assert!(matches!(phase1::check(&mut ptau, &unwatched), Err(CheckError::NoContribution)));
    let error = initial_key(circuit(), &mut ptau, &unwatched).unwrap_err();
    assert!(error.to_string().contains("power 3"), "{error}");

    let source = Source::Participant(Entropy::mix(&[7; 64], b""));
    let mut closed = Ptau::open(Cursor::new(local(3))).unwrap();
    let again = phase1::contribute(&mut closed, Vec::new(), "", &source, &unwatched);
    assert!(matches!(again, Err(MakeError::Closed)));
    let cut = phase1::contribute(&mut open(), Vec::new(), "", &source, &unwatched);
    assert!(matches!(cut, Err(MakeError::Cut { ceremony_power: 28 })));
    assert!(matches!(phase1::fresh(21, Vec::new()), Err(MakeError::Power { power: 21 })));

    let mut unprepared = Ptau::open(Cursor::new(local(7))).unwrap();
    let error = initial_key(circuit(), &mut unprepared, &unwatched).unwrap_err();
    assert!(error.to_string().contains("prepare"), "{error}");
    assert!(matches!(unprepared.lagrange_g2(3), Err(PtauError::NotPrepared)));
}

/// The largest domain's values stand for one power that the file does not hold. A maker who is free
/// to choose it needs no secret to forge: `τ^(n-1) + P` becomes a free P in query H.
#[test]
fn the_highest_power_of_the_double_domain_is_not_free() {
    use ark_bn254::{Fq, G1Affine};
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{BigInteger, Field, PrimeField};
    use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
    use placet_snarkjs::ptau::Part;
    let power = 3;
    let (n, rows) = (1u64 << power, 2usize << power);
    let good = prepared(power);
    let mut ptau = Ptau::open(Cursor::new(good.clone())).unwrap();
    phase1::check(&mut ptau, &unwatched).unwrap();
    let highest = ptau.g1(Part::TauG1, 2 * n - 2, 1).unwrap()[0];
    let middle = ptau.g1(Part::TauG1, n - 1, 1).unwrap()[0];
    let values = ptau.lagrange_g1(Part::LagrangeG1, power + 1).unwrap();
    let montgomery = |value: &Fq| (*value * Fq::from(2u8).pow([256])).into_bigint().to_bytes_le();
    let bytes = |point: &G1Affine| {
        let (x, y) = point.xy().unwrap();
        [montgomery(&x), montgomery(&y)].concat()
    };
    let place = |point: &G1Affine| {
        let wanted = bytes(point);
        let found: Vec<_> =
            (0..good.len() - 63).filter(|at| good[*at..*at + 64] == wanted).collect();
        assert_eq!(found.len(), 1);
        found[0]
    };
    let start = place(&values[0]);
    let domain = Radix2EvaluationDomain::<Fr>::new(rows).unwrap();
    let forged = (middle + G1Affine::generator()).into_affine();
    for extra in [forged, G1Affine::generator(), highest] {
        let mut file = good.clone();
        for (i, value) in values.iter().enumerate() {
            // w^(-i(2n-1)) = w^i.
            let moved = *value + extra * (domain.group_gen().pow([i as u64]) * domain.size_inv());
            file[start + 64 * i..start + 64 * i + 64].copy_from_slice(&bytes(&moved.into_affine()));
        }
        let mut ptau = Ptau::open(Cursor::new(file)).unwrap();
        let refused = phase1::check(&mut ptau, &unwatched);
        assert!(
            matches!(refused, Err(CheckError::Lagrange { part: Part::LagrangeG1, power: 4 })),
            "{refused:?}"
        );
    }
}

/// The public file was cut from 2^28: its double domain stands for `τ^(2n-1)`, its contributions
/// are 54 and a beacon, and 103 GB are not hashed for its first challenge.
#[test]
fn the_genuine_file_passes_the_full_check() {
    phase1::check(&mut open(), &unwatched).unwrap();
}

#[test]
fn phase_1_needs_a_participant_and_no_beacon_before_one() {
    use placet_params::transcript::ChainError;
    use placet_snarkjs::ptau::record::{self, Phase1Kind};
    let mut fresh = Ptau::open(Cursor::new(phase1::fresh(3, Vec::new()).unwrap())).unwrap();
    let made =
        phase1::contribute(&mut fresh, Vec::new(), "", &Source::Beacon(beacon()), &unwatched);
    let refused = made.map(|_| ()).unwrap_err();
    assert!(
        matches!(refused, MakeError::Contribute(ContributeError::Chain(ChainError::NoParticipant))),
        "{refused}"
    );

    // The same list with other kinds, in the same file.
    let good = local(3);
    let list = Ptau::open(Cursor::new(good.clone())).unwrap().contributions().unwrap();
    let check = |change: &dyn Fn(&mut Vec<record::Phase1Contribution>)| {
        let mut changed = list.clone();
        change(&mut changed);
        let old = record::encode(&list);
        let at = good.len() - old.len();
        assert_eq!(good[at..], old);
        let new = record::encode(&changed);
        let mut file = good[..at - 8].to_vec();
        file.extend_from_slice(&(new.len() as u64).to_le_bytes());
        file.extend_from_slice(&new);
        phase1::check(&mut Ptau::open(Cursor::new(file)).unwrap(), &unwatched).unwrap_err()
    };
    let beacon = || Phase1Kind::Beacon { hash: vec![1], iterations_exp: 10 };
    let alone = check(&|list| {
        list.drain(..2);
    });
    assert!(matches!(alone, CheckError::NoParticipant), "{alone}");
    let early = check(&|list| list[1].kind = beacon());
    assert!(matches!(early, CheckError::BeaconNotLast { number: 2 }), "{early}");
}

#[test]
fn a_small_file_does_not_make_its_reader_hash_a_large_ceremony() {
    let mut file = local(3);
    let at = 12 + 12 + 40;
    assert_eq!(file[at..at + 4], 3u32.to_le_bytes());
    file[at..at + 4].copy_from_slice(&27u32.to_le_bytes());
    let refused = phase1::check(&mut Ptau::open(Cursor::new(file)).unwrap(), &unwatched);
    assert!(matches!(refused, Err(CheckError::CutFromTooLarge { ceremony_power: 27 })));
}

#[test]
fn a_name_that_no_transcript_takes_is_refused_at_the_contribution() {
    use placet_params::transcript::ContributionKind;
    use placet_snarkjs::zkey::ZkeyError;
    let mut key = stages()[2].clone();
    key.ceremony.contributions[1].kind = ContributionKind::Participant { name: "a\nb".into() };
    let read = Zkey::read(Cursor::new(key.write(Vec::new()).unwrap()));
    assert!(matches!(read, Err(ZkeyError::ContributorName { index: 2 })));
}
