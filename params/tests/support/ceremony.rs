//! A ceremony in miniature, for tests of who accepts which key: the chain of contributions is
//! real, the rest of the key is whatever the test gives.

#![allow(dead_code)] // every test file uses a part of it

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use placet_params::key::VerifyingPoints;
use placet_params::transcript::chain::{CeremonyRecord, Contribution, ContributionKind};
use placet_params::transcript::sampling::{Sampler, hash_to_g2};
use placet_params::transcript::{PtauHash, Transcript};
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::statement::Statement;

/// Points that are formally good and prove nothing.
pub fn plain_points<S: Statement>() -> VerifyingPoints {
    let (one, two) = (G1Affine::generator(), G2Affine::generator());
    VerifyingPoints {
        alpha_g1: one,
        beta_g2: two,
        gamma_g2: two,
        delta_g2: two,
        gamma_abc_g1: vec![one; S::PUBLIC_INPUTS + 1],
    }
}

fn step(record: &mut CeremonyRecord, factor: Fr, g1_s: G1Affine, kind: ContributionKind) {
    let g1_sx = (g1_s * factor).into_affine();
    let transcript = record.next_transcript(&g1_s, &g1_sx);
    let contribution = Contribution {
        delta_after: (record.delta() * factor).into_affine(),
        g1_s,
        g1_sx,
        g2_spx: (hash_to_g2(&transcript) * factor).into_affine(),
        transcript,
        kind,
    };
    record.contributions.push(contribution);
}

/// The key with these points after a ceremony of one participant and a beacon, both grown from
/// `seed`, and its transcript.
pub fn ceremony<S: Statement>(
    mut points: VerifyingPoints,
    circuit: CircuitDigest,
    seed: u8,
) -> (VerifyingKey<S>, Transcript) {
    let mut record = CeremonyRecord::new([seed; 64]);
    let secret = Fr::from(1000 + u64::from(seed));
    let point = (G1Affine::generator() * Fr::from(7u8)).into_affine();
    step(&mut record, secret, point, ContributionKind::Participant { name: "somebody".into() });
    let hash = vec![seed; 32];
    let mut sampler = Sampler::from_beacon(&hash, 10);
    let (factor, point) = (sampler.scalar(), sampler.g1());
    let kind = ContributionKind::Beacon { name: String::new(), hash, iterations_exp: 10 };
    step(&mut record, factor, point, kind);

    points.gamma_g2 = G2Affine::generator();
    points.delta_g2 = (G2Affine::generator() * (secret * factor)).into_affine();
    let key = VerifyingKey::<S>::from_parts(points.clone(), circuit, Origin::Dev).unwrap().hash();
    let transcript = Transcript {
        statement: S::ID,
        name: S::NAME.into(),
        circuit,
        key,
        ptau: PtauHash([9; 64]),
        ptau_power: 15,
        record,
    };
    let origin = Origin::Ceremony { transcript: transcript.hash() };
    (VerifyingKey::from_parts(points, circuit, origin).unwrap(), transcript)
}
