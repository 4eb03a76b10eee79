//! One proof against one key. The only place that calls the Groth16 library's verify.

use std::marker::PhantomData;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use placet_params::VerifyingKey;
use placet_params::key::VerifyingPoints;
use placet_protocol::statement::{ProofBytes, Statement};

use crate::proof::{Proof, ProofError};

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are not three acceptable points.
    #[error(transparent)]
    Malformed(#[from] ProofError),
    /// The statement hands out another number of inputs than the key has points for. The library
    /// would take missing inputs as zero and ignore extra ones.
    #[error("{found} public inputs where the key has {expected}; use the key of this statement")]
    InputCount {
        /// What the key has points for.
        expected: usize,
        /// What the statement handed out.
        found: usize,
    },
    /// The pairing equation does not hold.
    #[error("the proof does not verify for these public inputs; make a new proof")]
    Invalid,
}

/// A verifying key with the constant pairings computed once. About 60 kB.
pub struct PreparedVerifyingKey<S> {
    pub(crate) key: ark_groth16::PreparedVerifyingKey<Bn254>,
    statement: PhantomData<fn() -> S>,
}

impl<S: Statement> From<&VerifyingKey<S>> for PreparedVerifyingKey<S> {
    fn from(key: &VerifyingKey<S>) -> Self {
        Self { key: prepare(key.points()), statement: PhantomData }
    }
}

impl<S: Statement> std::fmt::Debug for PreparedVerifyingKey<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PreparedVerifyingKey({})", S::NAME)
    }
}

impl<S: Statement> PreparedVerifyingKey<S> {
    /// Verifies one proof from its bytes.
    pub fn verify(&self, public: &S::Public, proof: &ProofBytes) -> Result<(), VerifyError> {
        self.verify_decoded(public, &Proof::from_bytes(proof)?)
    }

    /// Verifies one proof whose points are already checked.
    pub fn verify_decoded(&self, public: &S::Public, proof: &Proof<S>) -> Result<(), VerifyError> {
        self.verify_inputs(&self.inputs(public)?, proof)
    }

    /// Verifies one proof against public inputs that come as field elements in the statement's
    /// order: from files of other software, or from an assignment of all wires.
    pub fn verify_elements(&self, inputs: &[Fr], proof: &Proof<S>) -> Result<(), VerifyError> {
        let expected = self.key.vk.gamma_abc_g1.len() - 1;
        match inputs.len() == expected {
            true => self.verify_inputs(inputs, proof),
            false => Err(VerifyError::InputCount { expected, found: inputs.len() }),
        }
    }

    /// The public inputs, as many as the key has points for. Each is a field element by type, so
    /// an input cannot be written in two ways here.
    pub(crate) fn inputs(&self, public: &S::Public) -> Result<Vec<Fr>, VerifyError> {
        let inputs = S::inputs(public);
        let expected = self.key.vk.gamma_abc_g1.len() - 1;
        if inputs.len() == expected {
            Ok(inputs)
        } else {
            Err(VerifyError::InputCount { expected, found: inputs.len() })
        }
    }

    /// `inputs` comes from [`Self::inputs`].
    pub(crate) fn verify_inputs(&self, inputs: &[Fr], proof: &Proof<S>) -> Result<(), VerifyError> {
        if holds(&self.key, inputs, proof.points()) { Ok(()) } else { Err(VerifyError::Invalid) }
    }
}

// Not generic, so that they are compiled here with this crate's optimisation.

fn prepare(key: &VerifyingPoints) -> ark_groth16::PreparedVerifyingKey<Bn254> {
    ark_groth16::prepare_verifying_key(key)
}

#[allow(clippy::disallowed_methods)] // the one allowed call: the number of inputs is checked
fn holds(
    key: &ark_groth16::PreparedVerifyingKey<Bn254>,
    inputs: &[Fr],
    proof: &ark_groth16::Proof<Bn254>,
) -> bool {
    Groth16::<Bn254>::verify_proof(key, proof, inputs).unwrap_or(false)
}

/// Verifies one proof; who verifies many prepares the key once.
pub fn verify<S: Statement>(
    key: &VerifyingKey<S>,
    public: &S::Public,
    proof: &ProofBytes,
) -> Result<(), VerifyError> {
    PreparedVerifyingKey::from(key).verify(public, proof)
}
