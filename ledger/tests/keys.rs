//! Which verifying keys a network takes. Spec §12.

mod common;

use ark_bn254::{G1Affine, G2Affine, g1, g2};
use placet_ledger::{Groth16Check, KeyMismatch};
use placet_params::key::VerifyingPoints;
use placet_params::{CircuitDigest, Origin, TranscriptHash, VerifyingKey};
use placet_protocol::genesis::{Genesis, NetworkKind, PinnedCircuit, Sha256Digest};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;

/// A key with points that are formally good; `n` tells circuits apart.
fn key(n: u8, origin: Origin) -> VerifyingKey<Transfer> {
    let one = G1Affine::new(g1::G1_GENERATOR_X, g1::G1_GENERATOR_Y);
    let two = G2Affine::new(g2::G2_GENERATOR_X, g2::G2_GENERATOR_Y);
    let points = VerifyingPoints {
        alpha_g1: one,
        beta_g2: two,
        gamma_g2: two,
        delta_g2: two,
        gamma_abc_g1: vec![one; Transfer::PUBLIC_INPUTS + 1],
    };
    VerifyingKey::from_parts(points, CircuitDigest([n; 32]), origin).unwrap()
}

fn genesis(kind: NetworkKind, key: &VerifyingKey<Transfer>) -> Genesis {
    let pin = PinnedCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: (kind == NetworkKind::Other).then_some(Sha256Digest([1; 32])),
    };
    Genesis { circuits: vec![pin], ..common::genesis(kind) }
}

#[test]
fn a_development_key_is_for_development_networks_only() {
    let transcript = TranscriptHash([1; 32]);
    let (made_here, ceremony) = (key(1, Origin::Dev), key(1, Origin::Ceremony { transcript }));
    // The pin does not tell them apart: a hash covers no origin.
    assert_eq!(made_here.hash(), ceremony.hash());
    let (dev, other) =
        (genesis(NetworkKind::Dev, &ceremony), genesis(NetworkKind::Other, &ceremony));
    assert_eq!(Groth16Check::new(&other, &made_here).err(), Some(KeyMismatch::Development));
    assert!(Groth16Check::new(&other, &ceremony).is_ok());
    assert!(Groth16Check::new(&dev, &made_here).is_ok());
    assert!(Groth16Check::new(&dev, &ceremony).is_ok());
}

#[test]
fn a_key_that_is_not_pinned_is_refused() {
    let pinned = genesis(NetworkKind::Dev, &key(1, Origin::Dev));
    let error = Groth16Check::new(&pinned, &key(2, Origin::Dev)).err();
    assert_eq!(error, Some(KeyMismatch::Circuit));
    let none = common::genesis(NetworkKind::Dev);
    assert_eq!(Groth16Check::new(&none, &key(1, Origin::Dev)).err(), Some(KeyMismatch::NotPinned));
}
