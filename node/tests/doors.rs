//! Every door through which a development key could get onto a network that is not for
//! development, tried from the outside: configuration, files, headers, genesis. Spec §12.4.

#[path = "../../params/tests/support/ceremony.rs"]
mod ceremony;

use std::path::Path;

use ceremony::{ceremony, plain_points};
use placet_node::config::Config;
use placet_node::dev_network;
use placet_node::service::{ServiceError, open_ledger};
use placet_params::transcript::Transcript;
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::genesis::{Genesis, NetworkKind, NetworkParams, PinnedCircuit, Sha256Digest};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;

type Key = VerifyingKey<Transfer>;

const CIRCUIT: CircuitDigest = CircuitDigest([1; 32]);

/// A key that one machine made, under a label of one's choice.
fn made_here(origin: Origin) -> Key {
    VerifyingKey::from_parts(plain_points::<Transfer>(), CIRCUIT, origin).unwrap()
}

/// A key from a ceremony, with its transcript.
fn honest(seed: u8) -> (Key, Transcript) {
    ceremony(plain_points::<Transfer>(), CIRCUIT, seed)
}

fn pin(key: &Key, transcript: Option<&Transcript>) -> PinnedCircuit {
    PinnedCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: transcript.map(|transcript| Sha256Digest(transcript.hash().0)),
    }
}

fn genesis(kind: NetworkKind, pin: PinnedCircuit) -> Genesis {
    let params = NetworkParams::default();
    let (genesis, _) = dev_network("x", 1_800_000_000, params, Vec::new(), &[1; 32]).unwrap();
    Genesis { kind, circuits: vec![pin], ..genesis }
}

/// A node's directory.
struct Node(tempfile::TempDir);

impl Node {
    fn new(genesis: &Genesis, key: &[u8], transcript: Option<&[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes);
        write("genesis.json", &serde_json::to_vec(genesis).unwrap()).unwrap();
        write("transfer.vk", key).unwrap();
        if let Some(transcript) = transcript {
            write("transfer.transcript", transcript).unwrap();
        }
        Self(dir)
    }

    fn config(&self, more: &str) -> String {
        let text = format!(
            "genesis = \"genesis.json\"\nverifying-key = \"transfer.vk\"\ndata = \"data\"\n\
             key = \"authority.key\"\n{more}"
        );
        let path = self.0.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// What opening comes to: nothing, or a message.
    fn open(&self) -> Result<(), String> {
        let config = Config::read(Path::new(&self.config(""))).unwrap();
        let opened = open_ledger(&config).map(drop).map_err(|error| match error {
            ServiceError::VerifyingKey { problem, .. } => problem,
            other => other.to_string(),
        });
        // What is refused leaves no store behind.
        assert_eq!(opened.is_ok(), self.0.path().join("data/ledger.redb").exists());
        opened
    }

    fn refused(&self, because: &str) {
        let message = self.open().unwrap_err();
        assert!(message.contains(because), "{because}: {message}");
    }
}

#[test]
fn a_ceremonys_key_opens_with_its_transcript_and_a_development_key_on_its_own_network() {
    let (key, transcript) = honest(1);
    let other = genesis(NetworkKind::Other, pin(&key, Some(&transcript)));
    let (key, bytes) = (key.to_file_bytes(), transcript.to_bytes());
    Node::new(&other, &key, Some(&bytes)).open().unwrap();
    let dev_key = made_here(Origin::Dev);
    let dev = genesis(NetworkKind::Dev, pin(&dev_key, None));
    Node::new(&dev, &dev_key.to_file_bytes(), None).open().unwrap();
}

#[test]
fn no_file_gets_a_development_key_onto_another_network() {
    let (key, transcript) = honest(1);
    let other = genesis(NetworkKind::Other, pin(&key, Some(&transcript)));
    let good = transcript.to_bytes();
    let dev_key = made_here(Origin::Dev);
    Node::new(&other, &dev_key.to_file_bytes(), Some(&good)).refused("development key");
    Node::new(&other, &dev_key.to_file_bytes(), None).refused("transcript");
    // Relabelled as the ceremony's, with checksums that are right again: the pinned hash decides.
    let label = Origin::Ceremony { transcript: transcript.hash() };
    let relabelled = made_here(label).to_file_bytes();
    Node::new(&other, &relabelled, Some(&good)).refused("the network pins");
    // The good key without its transcript, with another one, with one that was altered.
    let file = key.to_file_bytes();
    Node::new(&other, &file, None).refused("transcript");
    let (_, foreign) = honest(2);
    Node::new(&other, &file, Some(&foreign.to_bytes())).refused("the network pins");
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let message = Node::new(&other, &file, Some(&altered)).open().unwrap_err();
    assert!(message.contains("transcript"), "{message}");
    Node::new(&other, &file, Some(&good[..good.len() - 1])).refused("transcript");
}

#[test]
fn no_genesis_gets_a_development_key_onto_another_network() {
    let (key, transcript) = honest(1);
    let good = transcript.to_bytes();
    let dev_key = made_here(Origin::Dev);
    let dev_file = dev_key.to_file_bytes();
    // Without a transcript it is no genesis.
    let bare = genesis(NetworkKind::Other, pin(&dev_key, None));
    Node::new(&bare, &dev_file, None).refused("transcript");
    // With the hash of another key's transcript: the label says what it is, and relabelled, the
    // transcript is of another key.
    let lying = genesis(NetworkKind::Other, pin(&dev_key, Some(&transcript)));
    Node::new(&lying, &dev_file, Some(&good)).refused("development key");
    let label = Origin::Ceremony { transcript: transcript.hash() };
    let relabelled = made_here(label).to_file_bytes();
    Node::new(&lying, &relabelled, Some(&good)).refused("did not come out of that ceremony");
    // The genesis of a development network relabelled, and the other way round.
    let dev = genesis(NetworkKind::Dev, pin(&dev_key, None));
    let mut grown = dev.clone();
    grown.kind = NetworkKind::Other;
    Node::new(&grown, &dev_file, None).refused("transcript");
    let other = genesis(NetworkKind::Other, pin(&key, Some(&transcript)));
    let mut shrunk = other.clone();
    shrunk.kind = NetworkKind::Dev;
    Node::new(&shrunk, &dev_file, Some(&good)).refused("development");
    shrunk.circuits = dev.circuits.clone();
    assert_ne!(shrunk.chain_id(), other.chain_id(), "it is another network, by its chain id");
    // Without any pin there is nothing to verify with.
    let empty = Genesis { circuits: Vec::new(), ..other };
    Node::new(&empty, &dev_file, Some(&good)).refused("pins no key");
}

#[test]
fn no_line_of_the_configuration_lets_a_development_key_in() {
    let (key, transcript) = honest(1);
    let other = genesis(NetworkKind::Other, pin(&key, Some(&transcript)));
    let dev_file = made_here(Origin::Dev).to_file_bytes();
    let node = Node::new(&other, &dev_file, Some(&transcript.to_bytes()));
    for line in ["manifest = \"manifest.json\"", "dev-keys = true", "kind = \"dev\""] {
        assert!(Config::read(Path::new(&node.config(line))).is_err(), "{line}");
    }
    let config = Config::read(Path::new(&node.config("dev-clock = true"))).unwrap();
    assert!(open_ledger(&config).is_err());
    node.refused("development key");
}
