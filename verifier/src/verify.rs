//! One proof against one key: `e(A, B) = e(alpha, beta) · e(X, gamma) · e(C, delta)`, where X
//! combines the key's public-input points. Spec §11.1.

use std::marker::PhantomData;

use ark_bn254::{Bn254, Fq12, Fr, G1Affine};
use ark_ec::pairing::Pairing;
use placet_params::VerifyingKey;
use placet_params::key::VerifyingPoints;
use placet_protocol::statement::{ProofBytes, Statement};

use crate::inputs::InputTables;
use crate::pairing::{FixedLines, miller_loop};
use crate::proof::{OUTSIDE, Points, Proof, ProofError, decode};
use crate::tower::final_exponentiation;

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are not three acceptable points.
    #[error(transparent)]
    Malformed(#[from] ProofError),
    /// The statement hands out another number of inputs than the key has points for. Missing inputs
    /// must not count as zero, nor extra ones be ignored.
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

/// A verifying key with all that does not depend on a proof computed once: about 256 kB for each
/// public input, and about 20 milliseconds to make for the inputs of `transfer`.
pub struct PreparedVerifyingKey<S> {
    pub(crate) equation: Equation,
    /// The key's hash, for the coefficients of batches.
    pub(crate) hash: [u8; 32],
    statement: PhantomData<fn() -> S>,
}

impl<S: Statement> From<&VerifyingKey<S>> for PreparedVerifyingKey<S> {
    fn from(key: &VerifyingKey<S>) -> Self {
        Self { equation: Equation::new(key.points()), hash: key.hash().0, statement: PhantomData }
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
        let (inputs, points) = self.read(public, proof)?;
        self.equation.check(&inputs, &points)
    }

    /// Verifies one proof whose points are already checked.
    pub fn verify_decoded(&self, public: &S::Public, proof: &Proof<S>) -> Result<(), VerifyError> {
        self.equation.check(&self.inputs(public)?, proof.points())
    }

    /// Verifies one proof against public inputs that come as field elements in the statement's
    /// order: from files of other software, or from an assignment of all wires.
    pub fn verify_elements(&self, inputs: &[Fr], proof: &Proof<S>) -> Result<(), VerifyError> {
        self.equation.check(inputs, proof.points())
    }

    /// Public inputs and points, for a proof alone and for one in a batch: the number of inputs is
    /// looked at first and the bytes then, so that both name the same error when both are wrong.
    pub(crate) fn read(
        &self,
        public: &S::Public,
        proof: &ProofBytes,
    ) -> Result<(Vec<Fr>, Points), VerifyError> {
        Ok((self.inputs(public)?, decode(proof)?))
    }

    /// The public inputs, as many as the key has points for. Each is a field element by type, so
    /// an input cannot be written in two ways here.
    fn inputs(&self, public: &S::Public) -> Result<Vec<Fr>, VerifyError> {
        let inputs = S::inputs(public);
        self.equation.expect(inputs.len())?;
        Ok(inputs)
    }
}

/// What is constant in the equation. Not generic, so that it is compiled here with this crate's
/// optimisation.
pub(crate) struct Equation {
    pub(crate) inputs: InputTables,
    pub(crate) alpha: G1Affine,
    pub(crate) beta: FixedLines,
    pub(crate) minus_gamma: FixedLines,
    pub(crate) minus_delta: FixedLines,
    alpha_beta: Fq12,
}

impl Equation {
    /// The points were checked when the key was made: in their groups, none at infinity, and at
    /// least the one of the constant.
    fn new(key: &VerifyingPoints) -> Self {
        let (constant, points) =
            key.gamma_abc_g1.split_first().expect("a key has a point for the constant one");
        Self {
            inputs: InputTables::new(*constant, points),
            alpha: key.alpha_g1,
            beta: FixedLines::new(&key.beta_g2),
            minus_gamma: FixedLines::new(&-key.gamma_g2),
            minus_delta: FixedLines::new(&-key.delta_g2),
            alpha_beta: Bn254::pairing(key.alpha_g1, key.beta_g2).0,
        }
    }

    fn expect(&self, found: usize) -> Result<(), VerifyError> {
        let expected = self.inputs.len();
        if found == expected { Ok(()) } else { Err(VerifyError::InputCount { expected, found }) }
    }

    /// The one place that says of a single proof that it holds: checks the number of inputs, that B
    /// is in its subgroup, and the equation. A, B and C are on their curves and finite.
    pub(crate) fn check(&self, inputs: &[Fr], proof: &Points) -> Result<(), VerifyError> {
        self.expect(inputs.len())?;
        let fixed = [(self.inputs.sum(inputs), &self.minus_gamma), (proof.c, &self.minus_delta)];
        let product = miller_loop(&[(proof.a, proof.b)], &fixed).ok_or(OUTSIDE)?;
        match final_exponentiation(&product) == Some(self.alpha_beta) {
            true => Ok(()),
            false => Err(VerifyError::Invalid),
        }
    }
}

/// Verifies one proof; who verifies many prepares the key once.
pub fn verify<S: Statement>(
    key: &VerifyingKey<S>,
    public: &S::Public,
    proof: &ProofBytes,
) -> Result<(), VerifyError> {
    PreparedVerifyingKey::from(key).verify(public, proof)
}
