//! The seam between a witness and a proof: a faster kernel implements [`Backend`] and must give
//! the same points for the same assignment and blinding.

use ark_bn254::Bn254;
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_relations::gr1cs::SynthesisError;
use placet_circuits::Assignment;
pub use placet_kernel::Matrices as Constraints;
use placet_kernel::{Kernel, OtherKernel, Prepared};
use placet_params::key::ProvingPoints;

use crate::seed::Blinding;

/// Computes the three points of a proof.
pub trait Backend: Send + Sync {
    /// `assignment` holds all wires (one, the public inputs, then the witness) and the values of
    /// the rows of A and B. It need not satisfy the constraints; then the points prove nothing.
    fn prove(
        &self,
        key: &ProvingPoints,
        constraints: &Constraints,
        assignment: &Assignment,
        blinding: Blinding,
    ) -> Result<ark_groth16::Proof<Bn254>, SynthesisError>;

    /// What can be computed before the last values of an assignment are known, from a guess of
    /// it; nothing, if the backend cannot.
    fn prepare(&self, guess: &Assignment) -> Option<Prepared> {
        let _ = guess;
        None
    }

    /// As [`Self::prove`], with what [`Self::prepare`] gave. The points are the same.
    fn prove_prepared(
        &self,
        prepared: &Prepared,
        key: &ProvingPoints,
        constraints: &Constraints,
        assignment: &Assignment,
        blinding: Blinding,
    ) -> Result<ark_groth16::Proof<Bn254>, SynthesisError> {
        let _ = prepared;
        self.prove(key, constraints, assignment, blinding)
    }
}

/// ark-groth16 as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn prove(
        &self,
        key: &ProvingPoints,
        constraints: &Constraints,
        assignment: &Assignment,
        blinding: Blinding,
    ) -> Result<ark_groth16::Proof<Bn254>, SynthesisError> {
        Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
            key,
            blinding.r,
            blinding.s,
            &constraints.rows,
            constraints.instance,
            constraints.rows[0].len(),
            &assignment.wires,
        )
    }
}

/// Ours. It has key and constraints in it: whoever makes it a backend has compared them.
impl Backend for Kernel {
    fn prove(
        &self,
        _: &ProvingPoints,
        _: &Constraints,
        assignment: &Assignment,
        blinding: Blinding,
    ) -> Result<ark_groth16::Proof<Bn254>, SynthesisError> {
        let Assignment { wires, left, right } = assignment;
        Ok(self.prove_rows(wires, left, right, blinding.r, blinding.s))
    }

    fn prepare(&self, guess: &Assignment) -> Option<Prepared> {
        Some(Self::prepare(self, &guess.wires))
    }

    fn prove_prepared(
        &self,
        prepared: &Prepared,
        key: &ProvingPoints,
        constraints: &Constraints,
        assignment: &Assignment,
        blinding: Blinding,
    ) -> Result<ark_groth16::Proof<Bn254>, SynthesisError> {
        let Assignment { wires, left, right } = assignment;
        let (r, s) = (blinding.r, blinding.s);
        match Self::prove_prepared(self, prepared, wires, left, right, r, s) {
            Ok(proof) => Ok(proof),
            // Another kernel's sums are worth nothing here.
            Err(OtherKernel) => Backend::prove(self, key, constraints, assignment, blinding),
        }
    }
}
