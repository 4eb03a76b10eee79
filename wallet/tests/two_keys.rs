//! Two keys for one statement, real proofs: each is good under its own circuit's id and under no
//! other, alone and in one batch. Spec §12.8.

use std::path::PathBuf;
use std::sync::Arc;

use placet_ledger::{CachedCheck, CircuitKey, Groth16Check, ProofCheck, ProofItem};
use placet_params::VerifyingKey;
use placet_protocol::circuit::CircuitId;
use placet_protocol::example::{Branches, Example};
use placet_protocol::genesis::{
    Authority, Genesis, NetworkKind, NetworkParams, PinnedCircuit, Sha256Digest,
};
use placet_protocol::signing::SigningKey;
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transfer::{Mode, PublicInputs, Transfer};
use placet_prover::{ProofSeed, Prover};
use placet_setup::{SetupSeed, default_cache_dir, development_keys, generate};

fn cache() -> PathBuf {
    default_cache_dir().unwrap_or_else(|_| std::env::temp_dir())
}

/// A circuit as the ledger hands it to whoever verifies: with its points if it came later.
fn circuit(key: &VerifyingKey<Transfer>, later: bool) -> Arc<CircuitKey> {
    Arc::new(CircuitKey {
        id: CircuitId(key.hash().0),
        circuit: Sha256Digest(key.circuit().0),
        points: later.then(|| key.to_point_bytes()),
    })
}

/// A development network that pins a key.
fn network(key: &VerifyingKey<Transfer>) -> Genesis {
    let public = SigningKey::from_seed(&[1; 32]).public();
    Genesis {
        name: "two".into(),
        kind: NetworkKind::Dev,
        time: 1_800_000_000,
        authorities: vec![Authority {
            name: "one".into(),
            lei: None,
            key: public,
            mandates: Default::default(),
        }],
        sanctions_publisher: public,
        params: NetworkParams::default(),
        circuits: vec![PinnedCircuit {
            statement: Transfer::NAME.into(),
            circuit_digest: Sha256Digest(key.circuit().0),
            verifying_key: Sha256Digest(key.hash().0),
            transcript: None,
        }],
    }
}

#[test]
fn a_proof_is_good_under_its_own_circuits_key_and_no_other() {
    let branches = Branches {
        genesis: false,
        mode: Mode::Accept,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: false,
    };
    let example = Example::new(branches);
    let (first, _) = development_keys::<Transfer>(&cache(), &mut |_| {}).unwrap();
    let second = generate::<Transfer>(SetupSeed::from_bytes([2; 32])).unwrap();
    let keys = [first.verifying_key().clone(), second.verifying_key().clone()];
    assert_eq!(keys[0].circuit(), keys[1].circuit());
    assert_ne!(keys[0].hash(), keys[1].hash());
    let proofs: Vec<ProofBytes> = [first, second]
        .into_iter()
        .map(|key| {
            let prover = Prover::new(key).unwrap();
            let seed = ProofSeed::from_os().unwrap();
            prover.prove(&example.public, &example.witness, seed).unwrap().to_bytes()
        })
        .collect();

    // The genesis pins the first; the second came by a change of the circuits.
    let genesis = network(&keys[0]);
    let check = CachedCheck::new(Groth16Check::new(&genesis, &keys[0], None).unwrap());
    let circuits = [circuit(&keys[0], false), circuit(&keys[1], true)];
    let public: &PublicInputs = &example.public;
    let item = |of: usize, labelled: usize| ProofItem {
        circuit: circuits[labelled].clone(),
        public: public.clone(),
        proof: proofs[of],
    };
    // Twice, so that the second round is answered from memory.
    for _ in 0..2 {
        assert_eq!(check.bad(&[item(0, 0), item(1, 1)]), Ok(vec![]));
        assert_eq!(check.bad(&[item(0, 1)]), Ok(vec![0]));
        assert_eq!(check.bad(&[item(1, 0)]), Ok(vec![0]));
        let mixed = [item(0, 0), item(0, 1), item(1, 1), item(1, 0), item(1, 1)];
        assert_eq!(check.bad(&mixed), Ok(vec![1, 3]));
        assert_eq!(check.all_good(&mixed), Ok(false));
        assert_eq!(check.all_good(&[item(0, 0), item(1, 1)]), Ok(true));
    }
    // A key that hashes to another id is no key, and then nothing is decided.
    let mut forged = (*circuits[1]).clone();
    forged.id = CircuitId([7; 32]);
    let forged = ProofItem { circuit: Arc::new(forged), ..item(1, 1) };
    assert!(check.bad(&[forged]).is_err());
    let mut bare = (*circuits[1]).clone();
    (bare.id, bare.points) = (CircuitId([8; 32]), None);
    assert!(check.bad(&[ProofItem { circuit: Arc::new(bare), ..item(1, 1) }]).is_err());
}
