//! The seam to proof verification: what the ledger asks, and the answer by Groth16.

use placet_params::{Origin, VerifyingKey};
use placet_protocol::genesis::{Genesis, NetworkKind};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transfer::{PublicInputs, Transfer};
use placet_verifier::{BatchError, OsCoefficients, PreparedVerifyingKey, verify_batch};

/// Verification could not take place; says nothing about any proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness from the operating system for batch verification; try again")]
pub struct Undecided;

/// Verifies transfers' proofs. The answer depends on nothing but the arguments.
pub trait ProofCheck: Send + Sync {
    /// The indices of the bad ones, ascending.
    ///
    /// # Errors
    /// [`Undecided`] if nothing could be found out.
    fn bad(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<Vec<usize>, Undecided>;
}

/// The key is not the one that the genesis pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// No pin for the statement.
    #[error("the genesis pins no verifying key for `transfer`; use a complete genesis")]
    NotPinned,
    /// Another circuit.
    #[error(
        "the verifying key is for another circuit than the genesis pins; use the network's key file"
    )]
    Circuit,
    /// Another key.
    #[error("the verifying key is not the one that the genesis pins; use the network's key file")]
    Key,
    /// Made by one machine that may know the trapdoor.
    #[error(
        "the verifying key is a development key, whose maker can forge proofs; only a development \
         network takes one, use a key from a ceremony"
    )]
    Development,
}

/// Groth16 against the key that the genesis pins.
#[derive(Debug)]
pub struct Groth16Check(PreparedVerifyingKey<Transfer>);

impl Groth16Check {
    /// Compares circuit and key with the genesis, and the key's origin with the kind of network.
    ///
    /// # Errors
    /// [`KeyMismatch`] if the genesis pins another, or it is a development key elsewhere.
    pub fn new(genesis: &Genesis, key: &VerifyingKey<Transfer>) -> Result<Self, KeyMismatch> {
        let pin = genesis.circuit(Transfer::NAME).ok_or(KeyMismatch::NotPinned)?;
        if pin.circuit_digest.0 != key.circuit().0 {
            return Err(KeyMismatch::Circuit);
        }
        if pin.verifying_key.0 != key.hash().0 {
            return Err(KeyMismatch::Key);
        }
        if genesis.kind != NetworkKind::Dev && key.origin() == Origin::Dev {
            return Err(KeyMismatch::Development);
        }
        Ok(Self(PreparedVerifyingKey::from(key)))
    }
}

impl ProofCheck for Groth16Check {
    fn bad(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<Vec<usize>, Undecided> {
        let batch: Vec<_> = items.iter().map(|(public, proof)| (public, *proof)).collect();
        match verify_batch(&self.0, &batch, &mut OsCoefficients) {
            Ok(()) => Ok(Vec::new()),
            Err(BatchError::Refused(bad)) => Ok(bad.into_iter().map(|(index, _)| index).collect()),
            Err(BatchError::Randomness(_)) => Err(Undecided),
        }
    }
}
