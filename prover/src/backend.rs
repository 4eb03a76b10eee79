//! The seam between a witness and a proof: a faster kernel implements [`Backend`] and must give
//! the same points for the same assignment and blinding.

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_relations::gr1cs::{Matrix, SynthesisError};
use placet_circuits::Assignment;
use placet_params::key::ProvingPoints;

use crate::seed::Blinding;

/// The constraint matrices and their number of instance variables.
#[derive(Debug)]
pub struct Constraints {
    /// A, B, C.
    pub matrices: [Matrix<Fr>; 3],
    /// Instance variables, the constant one included.
    pub instance: usize,
    /// Witness variables.
    pub witnesses: usize,
}

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
            &constraints.matrices,
            constraints.instance,
            constraints.matrices[0].len(),
            &assignment.wires,
        )
    }
}
