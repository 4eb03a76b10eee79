//! What a provable circuit is, how every caller synthesizes it, and what its shape is: counts and
//! a digest of the constraint matrices. Spec §7, §12.
//!
//! Key generation, proving, statistics and tests all go through [`synthesize`], so that a key, a
//! pinned digest and a proof speak of the same matrices.

use ark_bn254::Fr;
use ark_relations::gr1cs::{
    ConstraintSystem, ConstraintSystemRef, Matrix, OptimizationGoal, R1CS_PREDICATE_LABEL,
    SynthesisError, SynthesisMode,
};
use placet_protocol::field;
use placet_protocol::statement::Statement;
use sha2::{Digest, Sha256};

use crate::builder::{Builder, Interpreter};
use crate::values::{self, Assignment};

/// A statement that also exists as a rank-1 constraint system.
pub trait Circuit: Statement {
    /// Allocates public inputs in the statement's order, then the witness, and enforces every
    /// clause. The constraints must not depend on the values.
    fn build<I: Interpreter>(
        builder: &Builder<I>,
        public: &Self::Public,
        witness: &Self::Witness,
    ) -> Result<(), SynthesisError>;

    /// Builds the rows into `cs`.
    fn synthesize(
        cs: ConstraintSystemRef<Fr>,
        public: &Self::Public,
        witness: &Self::Witness,
    ) -> Result<(), SynthesisError> {
        Self::build(&Builder::new(cs), public, witness)
    }

    /// Computes the values of all wires, and of the rows of A and B. They are those of
    /// [`Self::synthesize`], by plain arithmetic; they satisfy the constraints where the statement
    /// is true.
    fn assign(
        public: &Self::Public,
        witness: &Self::Witness,
    ) -> Result<Assignment, SynthesisError> {
        values::assign(|builder| Self::build(builder, public, witness))
    }

    /// Filler values of the right shape: what key generation synthesizes with. They need not
    /// satisfy the statement.
    fn blank() -> (Self::Public, Self::Witness);
}

/// Whether synthesis records constraints or only computes the assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Constraints and assignment: key generation, statistics, satisfaction checks.
    Constraints,
    /// The assignment alone, by arkworks' own bookkeeping; [`Circuit::assign`] is much faster.
    AssignmentOnly,
}

/// Synthesizes `C`. With [`Record::Constraints`] linear combinations are inlined, the way the
/// Groth16 reference implementation expects them.
pub fn synthesize<C: Circuit>(
    public: &C::Public,
    witness: &C::Witness,
    record: Record,
) -> Result<ConstraintSystemRef<Fr>, SynthesisError> {
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(SynthesisMode::Prove {
        construct_matrices: record == Record::Constraints,
        generate_lc_assignments: false,
    });
    C::synthesize(cs.clone(), public, witness)?;
    cs.finalize();
    Ok(cs)
}

/// The values of all wires of `C`, and of the rows of A and B.
pub fn assign<C: Circuit>(
    public: &C::Public,
    witness: &C::Witness,
) -> Result<Assignment, SynthesisError> {
    C::assign(public, witness)
}

/// The matrices A, B, C of a constraint system synthesized with [`Record::Constraints`].
pub fn matrices(cs: &ConstraintSystemRef<Fr>) -> Result<[Matrix<Fr>; 3], SynthesisError> {
    let mut all = cs.to_matrices()?;
    let r1cs = all.remove(R1CS_PREDICATE_LABEL).ok_or(SynthesisError::PredicateNotFound)?;
    r1cs.try_into().map_err(|_| SynthesisError::ArityMismatch)
}

/// The size of a circuit and the digest of its matrices; does not depend on values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Constraints plus instance variables, the constant one included: what must fit the
    /// evaluation domain.
    pub rows: usize,
    /// Public inputs, the constant one not counted.
    pub public_inputs: usize,
    /// Witness variables.
    pub witnesses: usize,
    /// SHA-256 over the canonical serialisation of the three matrices.
    pub digest: [u8; 32],
}

impl Shape {
    /// The shape of a system synthesized with [`Record::Constraints`].
    pub fn of(cs: &ConstraintSystemRef<Fr>) -> Result<Self, SynthesisError> {
        let instance = cs.num_instance_variables();
        let witnesses = cs.num_witness_variables();
        Ok(Self {
            rows: cs.num_constraints() + instance,
            public_inputs: instance - 1,
            witnesses,
            digest: digest(&matrices(cs)?, instance, witnesses),
        })
    }
}

/// The shape of `C` when synthesized with these values. Any values give the same result; a test
/// of every circuit says so.
pub fn shape<C: Circuit>(
    public: &C::Public,
    witness: &C::Witness,
) -> Result<Shape, SynthesisError> {
    Shape::of(&synthesize::<C>(public, witness, Record::Constraints)?)
}

/// The shape of `C` from its filler values.
pub fn blank_shape<C: Circuit>() -> Result<Shape, SynthesisError> {
    let (public, witness) = C::blank();
    shape::<C>(&public, &witness)
}

/// SHA-256 over: a domain string, the three counts (instance variables, witness variables, rows),
/// then per matrix and row the number of entries and each entry as column and coefficient. Entries
/// are sorted by column, equal columns merged, zeros dropped, so that equal matrices have one
/// serialisation. Integers are little-endian, 8 bytes for counts and 4 for entries and columns.
fn digest(matrices: &[Matrix<Fr>; 3], instance: usize, witnesses: usize) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"placet.r1cs.v1");
    for count in [instance, witnesses, matrices[0].len()] {
        hash.update((count as u64).to_le_bytes());
    }
    let mut entries: Vec<(u32, Fr)> = Vec::new();
    for row in matrices.iter().flatten() {
        entries.clear();
        let narrow = |column| u32::try_from(column).expect("circuits have fewer than 2^32 columns");
        entries.extend(row.iter().map(|(coefficient, column)| (narrow(*column), *coefficient)));
        entries.sort_by_key(|(column, _)| *column);
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        entries.retain(|(_, coefficient)| *coefficient != Fr::from(0u8));
        hash.update((entries.len() as u32).to_le_bytes());
        for (column, coefficient) in &entries {
            hash.update(column.to_le_bytes());
            hash.update(field::to_bytes(coefficient));
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_row(entries: &[(u64, usize)]) -> [Matrix<Fr>; 3] {
        std::array::from_fn(|_| vec![entries.iter().map(|(c, v)| (Fr::from(*c), *v)).collect()])
    }

    #[test]
    fn order_duplicates_and_zeros_do_not_change_the_digest() {
        let plain = digest(&one_row(&[(5, 0), (7, 2)]), 1, 2);
        assert_eq!(plain, digest(&one_row(&[(7, 2), (5, 0)]), 1, 2));
        assert_eq!(plain, digest(&one_row(&[(3, 2), (5, 0), (4, 2), (0, 1)]), 1, 2));
    }

    #[test]
    fn coefficients_columns_and_counts_change_the_digest() {
        let plain = digest(&one_row(&[(5, 0), (7, 2)]), 1, 2);
        assert_ne!(plain, digest(&one_row(&[(5, 0), (8, 2)]), 1, 2));
        assert_ne!(plain, digest(&one_row(&[(5, 0), (7, 1)]), 1, 2));
        assert_ne!(plain, digest(&one_row(&[(5, 0), (7, 2)]), 2, 1));
        assert_ne!(plain, digest(&one_row(&[(5, 0)]), 1, 2));
    }
}
