//! Which verifying keys a network takes. Spec §12.

#[path = "../../params/tests/support/ceremony.rs"]
mod ceremony;
mod common;

use ceremony::{ceremony, plain_points};
use placet_ledger::{Groth16Check, KeyMismatch};
use placet_params::transcript::Transcript;
use placet_params::{CircuitDigest, Origin, PinMismatch, TranscriptHash, VerifyingKey};
use placet_protocol::genesis::{Genesis, GenesisError, NetworkKind, PinnedCircuit, Sha256Digest};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;

/// A key with points that are formally good; `n` tells circuits apart.
fn key(n: u8, origin: Origin) -> VerifyingKey<Transfer> {
    VerifyingKey::from_parts(plain_points::<Transfer>(), CircuitDigest([n; 32]), origin).unwrap()
}

/// A network that pins a key, with a transcript's hash where it is not for development.
fn genesis(
    kind: NetworkKind,
    key: &VerifyingKey<Transfer>,
    transcript: Option<TranscriptHash>,
) -> Genesis {
    let pin = PinnedCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: transcript.map(|hash| Sha256Digest(hash.0)),
    };
    Genesis { circuits: vec![pin], ..common::genesis(kind) }
}

fn refused(
    genesis: &Genesis,
    key: &VerifyingKey<Transfer>,
    transcript: Option<&Transcript>,
) -> Option<PinMismatch> {
    match Groth16Check::new(genesis, key, transcript) {
        Ok(_) => None,
        Err(KeyMismatch::Pin(mismatch)) => Some(mismatch),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_development_key_is_for_development_networks_only() {
    let made_here = key(1, Origin::Dev);
    let (made, transcript) = ceremony(plain_points::<Transfer>(), CircuitDigest([1; 32]), 1);
    let dev = genesis(NetworkKind::Dev, &made_here, None);
    assert_eq!(refused(&dev, &made_here, None), None);
    let other = genesis(NetworkKind::Other, &made, Some(transcript.hash()));
    assert_eq!(refused(&other, &made, Some(&transcript)), None);
    // The key of a development network, whatever stands beside it.
    assert_eq!(refused(&other, &made_here, Some(&transcript)), Some(PinMismatch::Development));
    // Its file relabelled: the pinned hash decides.
    let relabelled = key(1, Origin::Ceremony { transcript: transcript.hash() });
    let error = refused(&other, &relabelled, Some(&transcript));
    assert!(matches!(error, Some(PinMismatch::Key { .. })));
    // And the genesis with it: the transcript is of another key.
    let lying = genesis(NetworkKind::Other, &relabelled, Some(transcript.hash()));
    let error = refused(&lying, &relabelled, Some(&transcript));
    assert!(matches!(error, Some(PinMismatch::Transcript(_))));
}

#[test]
fn outside_of_development_a_key_needs_its_own_ceremonys_transcript() {
    let circuit = CircuitDigest([1; 32]);
    let (made, transcript) = ceremony(plain_points::<Transfer>(), circuit, 1);
    let (_, others) = ceremony::<Transfer>(plain_points::<Transfer>(), circuit, 2);
    let honest = genesis(NetworkKind::Other, &made, Some(transcript.hash()));
    assert_eq!(refused(&honest, &made, None), Some(PinMismatch::TranscriptMissing));
    let error = refused(&honest, &made, Some(&others));
    assert!(matches!(error, Some(PinMismatch::OtherTranscript { .. })));
    // A genesis with the hash of another key's transcript.
    let crossed = genesis(NetworkKind::Other, &made, Some(others.hash()));
    let error = refused(&crossed, &made, Some(&others));
    assert!(matches!(error, Some(PinMismatch::OtherTranscript { .. })));
    // A genesis without one is no genesis, and one built in memory does not help either.
    let bare = genesis(NetworkKind::Other, &made, None);
    assert_eq!(bare.validate(), Err(GenesisError::TranscriptMissing));
    assert_eq!(refused(&bare, &made, Some(&transcript)), Some(PinMismatch::Unvouched));
    // A development network claims no ceremony, so that nobody takes it for another.
    let claimed = genesis(NetworkKind::Dev, &made, Some(transcript.hash()));
    assert_eq!(claimed.validate(), Err(GenesisError::TranscriptOnDev));
    // Relabelled `dev`, the network is another one: its chain id says so.
    let dev = genesis(NetworkKind::Dev, &made, None);
    assert_ne!(dev.chain_id(), honest.chain_id());
}

#[test]
fn a_key_that_is_not_pinned_is_refused() {
    let pinned = genesis(NetworkKind::Dev, &key(1, Origin::Dev), None);
    let error = refused(&pinned, &key(2, Origin::Dev), None);
    assert!(matches!(error, Some(PinMismatch::Circuit { .. })));
    let none = Genesis { circuits: Vec::new(), ..common::genesis(NetworkKind::Dev) };
    let error = Groth16Check::new(&none, &key(1, Origin::Dev), None).err();
    assert_eq!(error, Some(KeyMismatch::NotPinned));
}

#[test]
fn a_genesis_pins_a_key_for_one_statement_only() {
    let one = genesis(NetworkKind::Dev, &key(1, Origin::Dev), None);
    let other = |hash| PinnedCircuit {
        statement: "ballot".into(),
        verifying_key: hash,
        ..one.circuits[0].clone()
    };
    let with = |pin| Genesis { circuits: vec![one.circuits[0].clone(), pin], ..one.clone() };
    assert_eq!(with(other(Sha256Digest([5; 32]))).validate(), Ok(()));
    let same = with(other(one.circuits[0].verifying_key));
    assert_eq!(same.validate(), Err(GenesisError::Circuits));
}
