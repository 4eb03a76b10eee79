//! The light check of transcripts against keys that an honest ceremony did not make.

#[path = "support/ceremony.rs"]
mod support;

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use placet_params::transcript::TranscriptError;
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::transfer::Transfer;

const CIRCUIT: CircuitDigest = CircuitDigest([3; 32]);

#[test]
fn a_key_and_its_transcript_name_each_other() {
    let (key, transcript) =
        support::ceremony::<Transfer>(support::plain_points::<Transfer>(), CIRCUIT, 1);
    transcript.verify(&key).unwrap();
}

/// Input points that are multiples of delta let anybody prove anything, without knowing what delta
/// is made of: C cancels them. All contributions of an honest ceremony lead to this key's delta.
#[test]
fn an_honest_ceremonys_delta_vouches_for_no_other_key() {
    let (honest, transcript) =
        support::ceremony::<Transfer>(support::plain_points::<Transfer>(), CIRCUIT, 1);
    let mut points = honest.points().clone();
    let delta = transcript.record.delta();
    for (point, factor) in points.gamma_abc_g1.iter_mut().zip(2u64..) {
        *point = (delta * Fr::from(factor)).into_affine();
    }
    let origin = Origin::Ceremony { transcript: transcript.hash() };
    let forged = VerifyingKey::<Transfer>::from_parts(points, CIRCUIT, origin).unwrap();
    assert_eq!(
        transcript.verify(&forged),
        Err(TranscriptError::Key { expected: forged.hash(), found: honest.hash() })
    );

    // A transcript that was altered to name it is another transcript, which no honest party pins.
    let mut renamed = transcript.clone();
    renamed.key = forged.hash();
    assert_ne!(renamed.hash(), transcript.hash());
    let wrong = renamed.verify(&forged);
    assert!(matches!(wrong, Err(TranscriptError::OtherTranscript { .. })), "{wrong:?}");
}
