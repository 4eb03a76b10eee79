//! What somebody could do to a ceremony, each refused for its own reason: by the full check, by
//! `finalize`, and where the chain of contributions shows it, by the light check of transcripts.

#[path = "ceremony/support.rs"]
mod support;

use std::io::Cursor;

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One};
use placet_params::transcript::sampling::{Sampler, hash_to_g2};
use placet_params::transcript::{ChainError, Contribution, ContributionKind, TranscriptError};
use placet_params::{Origin, VerifyingKey};
use placet_setup::ceremony::{
    Closing, Finished, Section, VerifyError, finalize, unwatched, verify,
};
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::{Zkey, ZkeyError};
use support::square_chain::SquareChain;
use support::*;

/// One thing to do to a closed ceremony of three participants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    PhaseTwoSkipped,
    DeltaIs42Gamma,
    DroppedFirst,
    DroppedMiddle,
    DroppedBeacon,
    Reordered,
    ReplacedByAnother,
    ReplacedByOneOfAnotherCeremony,
    ReplayedAtOnce,
    ReplayedLater,
    DeltaAtInfinity,
    DeltaUnchanged,
    FactorOne,
    DeltaOffCurve,
    OutsideOfSubgroup,
    OffTwist,
    ProofOfAnotherSecret,
    StepByAnotherFactor,
    BeaconValue,
    BeaconIterations,
    BeaconTooSlow,
    BeaconNotLast,
    BeaconMissing,
    BeaconAlone,
    CircuitHash,
    GammaMoved,
    DeltaMovedAtTheEnd,
    DeltaMovedInG2,
    Alpha,
    BetaInG1,
    BetaInG2,
    PublicInput,
    Coefficient,
    CoefficientsReordered,
    QueryA,
    QueryB1,
    QueryB2,
    QueryC,
    QueryCSwapped,
    QueryCAtInfinity,
    QueryH,
    QueryHNotDivided,
}

use Sabotage::*;

const ALL: [Sabotage; 42] = [
    PhaseTwoSkipped,
    DeltaIs42Gamma,
    DroppedFirst,
    DroppedMiddle,
    DroppedBeacon,
    Reordered,
    ReplacedByAnother,
    ReplacedByOneOfAnotherCeremony,
    ReplayedAtOnce,
    ReplayedLater,
    DeltaAtInfinity,
    DeltaUnchanged,
    FactorOne,
    DeltaOffCurve,
    OutsideOfSubgroup,
    OffTwist,
    ProofOfAnotherSecret,
    StepByAnotherFactor,
    BeaconValue,
    BeaconIterations,
    BeaconTooSlow,
    BeaconNotLast,
    BeaconMissing,
    BeaconAlone,
    CircuitHash,
    GammaMoved,
    DeltaMovedAtTheEnd,
    DeltaMovedInG2,
    Alpha,
    BetaInG1,
    BetaInG2,
    PublicInput,
    Coefficient,
    CoefficientsReordered,
    QueryA,
    QueryB1,
    QueryB2,
    QueryC,
    QueryCSwapped,
    QueryCAtInfinity,
    QueryH,
    QueryHNotDivided,
];

fn moved(point: &mut G1Affine) {
    *point = (*point + G1Affine::generator()).into_affine();
}

fn moved_g2(point: &mut G2Affine) {
    *point = (*point + G2Affine::generator()).into_affine();
}

fn scaled(points: &mut [G1Affine], factor: Fr) {
    points.iter_mut().for_each(|point| *point = (*point * factor).into_affine());
}

/// A point of the twist that is not in the subgroup.
fn stray() -> G2Affine {
    (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap()
}

impl Sabotage {
    /// The sabotaged key, and whether the refusal is the right one.
    fn commit(self) -> (Zkey, fn(&VerifyError) -> bool) {
        use VerifyError as E;
        let mut key = finished();
        let steps = &mut key.ceremony.contributions;
        let right: fn(&VerifyError) -> bool = match self {
            PhaseTwoSkipped => {
                key = initial();
                |error| matches!(error, E::Skipped)
            }
            DeltaIs42Gamma => {
                key = initial();
                let factor = Fr::from(42u8);
                key.delta_g1 = (key.delta_g1 * factor).into_affine();
                key.delta_g2 = (key.delta_g2 * factor).into_affine();
                scaled(&mut key.c, factor.inverse().unwrap());
                scaled(&mut key.h, factor.inverse().unwrap());
                |error| matches!(error, E::Unaccounted)
            }
            DroppedFirst => {
                steps.remove(0);
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 1 }))
            }
            DroppedMiddle => {
                steps.remove(1);
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 2 }))
            }
            DroppedBeacon => {
                steps.pop();
                |error| matches!(error, E::Chain(ChainError::NoBeacon))
            }
            Reordered => {
                steps.swap(0, 1);
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 1 }))
            }
            ReplacedByAnother => {
                let mut other = stages()[1].clone();
                add(&mut other, "somebody else", 77);
                steps[1] = other.ceremony.contributions[1].clone();
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 3 }))
            }
            ReplacedByOneOfAnotherCeremony => {
                let mut other = initial();
                add(&mut other, "one", 71);
                add(&mut other, "two", 72);
                steps[1] = other.ceremony.contributions[1].clone();
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 2 }))
            }
            ReplayedAtOnce => {
                steps.insert(1, steps[0].clone());
                |error| matches!(error, E::Chain(ChainError::Unchanged { number: 2 }))
            }
            ReplayedLater => {
                steps.insert(2, steps[0].clone());
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 3 }))
            }
            DeltaAtInfinity => {
                steps[1].delta_after = G1Affine::identity();
                |error| matches!(error, E::Chain(ChainError::Infinity { number: 2 }))
            }
            DeltaUnchanged => {
                steps[1].delta_after = steps[0].delta_after;
                |error| matches!(error, E::Chain(ChainError::Unchanged { number: 2 }))
            }
            FactorOne => {
                steps[1].g1_sx = steps[1].g1_s;
                |error| matches!(error, E::Chain(ChainError::Unchanged { number: 2 }))
            }
            DeltaOffCurve => {
                steps[1].delta_after.x += Fq::one();
                |error| matches!(error, E::Chain(ChainError::OffGroup { number: 2 }))
            }
            OutsideOfSubgroup => {
                steps[1].g2_spx = (steps[1].g2_spx + stray()).into_affine();
                |error| matches!(error, E::Chain(ChainError::OffGroup { number: 2 }))
            }
            OffTwist => {
                steps[1].g2_spx.x += Fq2::one();
                |error| matches!(error, E::Chain(ChainError::OffGroup { number: 2 }))
            }
            ProofOfAnotherSecret => {
                moved_g2(&mut steps[1].g2_spx);
                |error| matches!(error, E::Chain(ChainError::Knowledge { number: 2 }))
            }
            StepByAnotherFactor => {
                moved(&mut steps[1].delta_after);
                |error| matches!(error, E::Chain(ChainError::Step { number: 2 }))
            }
            BeaconValue => {
                let ContributionKind::Beacon { hash, .. } = &mut steps[3].kind else { panic!() };
                hash[0] ^= 1;
                |error| matches!(error, E::Chain(ChainError::Beacon { number: 4 }))
            }
            BeaconIterations => {
                let ContributionKind::Beacon { iterations_exp, .. } = &mut steps[3].kind else {
                    panic!()
                };
                *iterations_exp += 1;
                |error| matches!(error, E::Chain(ChainError::Beacon { number: 4 }))
            }
            BeaconTooSlow => {
                let ContributionKind::Beacon { iterations_exp, .. } = &mut steps[3].kind else {
                    panic!()
                };
                *iterations_exp = 63;
                |error| matches!(error, E::Chain(ChainError::BeaconTooSlow { exponent: 63 }))
            }
            BeaconNotLast => {
                // Dressed up as a participant's, so that another can follow, and revealed again.
                let kind = steps[3].kind.clone();
                steps[3].kind = ContributionKind::Participant { name: String::new() };
                add(&mut key, "late", 9);
                key.ceremony.contributions[3].kind = kind;
                |error| matches!(error, E::Chain(ChainError::BeaconNotLast { number: 4 }))
            }
            BeaconMissing => {
                key = stages()[3].clone();
                |error| matches!(error, E::Chain(ChainError::NoBeacon))
            }
            BeaconAlone => {
                key = beacon_alone();
                |error| matches!(error, E::Chain(ChainError::NoParticipant))
            }
            CircuitHash => {
                key.ceremony.circuit_hash[0] ^= 1;
                |error| matches!(error, E::Chain(ChainError::OutOfOrder { number: 1 }))
            }
            GammaMoved => {
                moved_g2(&mut key.gamma_g2);
                |error| matches!(error, E::Gamma)
            }
            DeltaMovedAtTheEnd => {
                let factor = Fr::from(42u8);
                key.delta_g1 = (key.delta_g1 * factor).into_affine();
                key.delta_g2 = (key.delta_g2 * factor).into_affine();
                scaled(&mut key.c, factor.inverse().unwrap());
                scaled(&mut key.h, factor.inverse().unwrap());
                |error| matches!(error, E::Delta)
            }
            DeltaMovedInG2 => {
                moved_g2(&mut key.delta_g2);
                |error| matches!(error, E::DeltaInG2)
            }
            Alpha => {
                moved(&mut key.alpha_g1);
                |error| matches!(error, E::OtherPtau)
            }
            BetaInG1 => {
                moved(&mut key.beta_g1);
                |error| matches!(error, E::OtherPtau)
            }
            BetaInG2 => {
                moved_g2(&mut key.beta_g2);
                |error| matches!(error, E::OtherPtau)
            }
            PublicInput => {
                moved(&mut key.ic[1]);
                |error| matches!(error, E::Altered { section: Section::PublicInputs })
            }
            Coefficient => {
                key.coefficients[7].value += Fr::one();
                |error| matches!(error, E::Altered { section: Section::Coefficients })
            }
            CoefficientsReordered => {
                key.coefficients.swap(0, 1);
                |error| matches!(error, E::Altered { section: Section::Coefficients })
            }
            QueryA => {
                moved(&mut key.a[5]);
                |error| matches!(error, E::Altered { section: Section::A })
            }
            QueryB1 => {
                moved(&mut key.b1[5]);
                |error| matches!(error, E::Altered { section: Section::B1 })
            }
            QueryB2 => {
                moved_g2(&mut key.b2[5]);
                |error| matches!(error, E::Altered { section: Section::B2 })
            }
            QueryC => {
                moved(&mut key.c[20]);
                |error| matches!(error, E::Altered { section: Section::C })
            }
            QueryCSwapped => {
                key.c.swap(3, 4);
                |error| matches!(error, E::Altered { section: Section::C })
            }
            QueryCAtInfinity => {
                key.c.fill(G1Affine::identity());
                |error| matches!(error, E::Altered { section: Section::C })
            }
            QueryH => {
                moved(&mut key.h[127]);
                |error| matches!(error, E::Altered { section: Section::H })
            }
            QueryHNotDivided => {
                key.h = initial().h;
                |error| matches!(error, E::Altered { section: Section::H })
            }
        };
        (key, right)
    }

    /// Whether the contributions alone show it.
    fn is_in_the_chain(self) -> bool {
        let (key, right) = self.commit();
        right(&VerifyError::Chain(match key.ceremony.verify_closed() {
            Ok(_) => return false,
            Err(error) => error,
        }))
    }
}

/// A ceremony of nobody but a beacon, which `close` refuses to make.
fn beacon_alone() -> Zkey {
    let mut key = initial();
    let beacon = beacon();
    let mut sampler = Sampler::from_beacon(beacon.value(), beacon.exponent());
    let factor = sampler.scalar();
    let g1_s = sampler.g1();
    let g1_sx = (g1_s * factor).into_affine();
    let transcript = key.ceremony.next_transcript(&g1_s, &g1_sx);
    key.delta_g1 = (key.delta_g1 * factor).into_affine();
    key.delta_g2 = (key.delta_g2 * factor).into_affine();
    scaled(&mut key.c, factor.inverse().unwrap());
    scaled(&mut key.h, factor.inverse().unwrap());
    key.ceremony.contributions.push(Contribution {
        delta_after: key.delta_g1,
        g1_s,
        g1_sx,
        g2_spx: (hash_to_g2(&transcript) * factor).into_affine(),
        transcript,
        kind: ContributionKind::Beacon {
            name: String::new(),
            hash: beacon.value().to_vec(),
            iterations_exp: beacon.exponent(),
        },
    });
    key
}

fn honest() -> Finished<SquareChain> {
    finalize(&finished(), &mut open(), ptau_hash(), &unwatched).unwrap()
}

#[test]
fn every_sabotage_is_refused_for_its_own_reason() {
    for sabotage in ALL {
        let (key, right) = sabotage.commit();
        let error =
            verify(&key, circuit(), &mut open(), Closing::Required, &unwatched).unwrap_err();
        assert!(right(&error), "{sabotage:?}: {error}");
        assert!(error.to_string().contains("; "), "{sabotage:?} says what to do: {error}");
        let Err(refused) = finalize::<SquareChain, _>(&key, &mut open(), ptau_hash(), &unwatched)
        else {
            panic!("{sabotage:?} was finalized");
        };
        assert_eq!(refused.to_string(), error.to_string(), "{sabotage:?}");
    }
}

#[test]
fn the_light_check_refuses_every_broken_chain() {
    let honest = honest();
    let vk = honest.key.verifying_key();
    honest.transcript.verify(vk).unwrap();
    let mut seen = 0;
    for sabotage in ALL.into_iter().filter(|sabotage| sabotage.is_in_the_chain()) {
        let mut transcript = honest.transcript.clone();
        transcript.record = sabotage.commit().0.ceremony;
        // The best a forger can do: a key that names the forged transcript.
        let origin = Origin::Ceremony { transcript: transcript.hash() };
        let key =
            VerifyingKey::<SquareChain>::from_parts(vk.points().clone(), vk.circuit(), origin)
                .unwrap();
        let error = transcript.verify(&key).unwrap_err();
        assert!(matches!(error, TranscriptError::Chain(_)), "{sabotage:?}: {error}");
        seen += 1;
    }
    assert_eq!(seen, 23);
}

#[test]
fn another_circuit_is_noticed_whether_its_size_differs_or_not() {
    let refuse = |circuit: &R1cs| {
        verify(&finished(), circuit, &mut open(), Closing::Required, &unwatched).unwrap_err()
    };
    for matrix in 0..3 {
        let mut other = circuit().clone();
        let row = other.matrices[matrix].iter().position(|row| !row.is_empty()).unwrap();
        other.matrices[matrix][row][0].0 += Fr::one();
        assert!(matches!(refuse(&other), VerifyError::CircuitHash), "matrix {matrix}");
    }
    let mut other = circuit().clone();
    other.variables += 1;
    assert!(matches!(refuse(&other), VerifyError::Size { .. }));
    let mut other = circuit().clone();
    other.public_inputs += 1;
    assert!(matches!(refuse(&other), VerifyError::Size { .. }));
}

/// Number, first byte of the contents and length of each section.
fn sections(file: &[u8]) -> Vec<(u32, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 12;
    while at < file.len() {
        let id = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(file[at + 4..at + 12].try_into().unwrap()) as usize;
        found.push((id, at + 12, length));
        at += 12 + length;
    }
    assert_eq!(found.len(), 10);
    found
}

#[test]
fn files_cut_at_any_section_border_are_refused() {
    let file = finished().write(Vec::new()).unwrap();
    for (id, start, length) in sections(&file) {
        for cut in [start - 12, start - 1, start, start + 1, start + length - 1] {
            assert!(Zkey::read(Cursor::new(&file[..cut])).is_err(), "section {id}, {cut} bytes");
        }
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(Zkey::read(Cursor::new(&longer)).is_err());
}

#[test]
fn bytes_flipped_anywhere_are_refused() {
    const SAMPLES: usize = 40;
    let file = finished().write(Vec::new()).unwrap();
    let names: Vec<_> = finished().ceremony.contributions;
    let names = |key: &Zkey| {
        // What contributors call themselves is proven by nothing.
        key.ceremony.contributions.iter().map(|one| one.kind.name().to_owned()).collect::<Vec<_>>()
            != names.iter().map(|one| one.kind.name().to_owned()).collect::<Vec<_>>()
    };
    let (mut unread, mut unverified) = (0, 0);
    for (id, start, length) in sections(&file) {
        // Of every section its header, and places all over its contents.
        let inside = (0..SAMPLES.min(length)).map(|i| start + i * length / SAMPLES.min(length));
        for at in (start - 12..start).chain(inside) {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << (at % 8);
            let key = match Zkey::read(Cursor::new(flipped)) {
                Ok(key) => key,
                Err(_) => {
                    unread += 1;
                    continue;
                }
            };
            let verdict = verify(&key, circuit(), &mut open(), Closing::Required, &unwatched);
            assert!(verdict.is_err() || names(&key), "section {id}, byte {at}");
            unverified += usize::from(verdict.is_err());
        }
    }
    assert!(unread > 100 && unverified > 10, "{unread} not read, {unverified} not verified");
}

#[test]
fn points_outside_of_their_groups_do_not_get_out_of_a_file() {
    let mut key = finished();
    key.b2[4] = stray();
    let file = key.write(Vec::new()).unwrap();
    assert!(matches!(Zkey::read(Cursor::new(file)), Err(ZkeyError::Point { section: 7, .. })));
    let mut key = finished();
    key.delta_g2 = (key.delta_g2 + stray()).into_affine();
    let file = key.write(Vec::new()).unwrap();
    assert!(matches!(Zkey::read(Cursor::new(file)), Err(ZkeyError::Point { section: 2, .. })));
    for sabotage in [DeltaAtInfinity, DeltaOffCurve, OutsideOfSubgroup, OffTwist] {
        let file = sabotage.commit().0.write(Vec::new()).unwrap();
        let read = Zkey::read(Cursor::new(file));
        assert!(matches!(read, Err(ZkeyError::Contribution { index: 2, .. })), "{sabotage:?}");
    }
}

#[test]
fn a_beacon_alone_passes_no_check() {
    let refused = verify(&beacon_alone(), circuit(), &mut open(), Closing::Open, &unwatched);
    assert!(matches!(refused, Err(VerifyError::Chain(ChainError::NoParticipant))), "{refused:?}");
}

/// Two who conspire can make their factors cancel, with proofs that hold.
#[test]
fn contributions_that_lead_back_to_gamma_are_refused() {
    let mut record = initial().ceremony;
    let factor = Fr::from(42u8);
    for factor in [factor, factor.inverse().unwrap()] {
        let g1_s = (G1Affine::generator() * Fr::from(7u8)).into_affine();
        let g1_sx = (g1_s * factor).into_affine();
        let transcript = record.next_transcript(&g1_s, &g1_sx);
        record.contributions.push(Contribution {
            delta_after: (record.delta() * factor).into_affine(),
            g1_s,
            g1_sx,
            g2_spx: (hash_to_g2(&transcript) * factor).into_affine(),
            transcript,
            kind: ContributionKind::Participant { name: String::new() },
        });
    }
    assert_eq!(record.verify_open(), Err(ChainError::Cancelled));
}
