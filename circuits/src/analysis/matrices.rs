//! The constraint matrices of a synthesised circuit, apart from the constraint system.
//!
//! A constraint system caches the values of linear combinations as they are made, so editing its
//! witness afterwards proves nothing. Tests that tamper with an assignment ask these matrices.

use ark_bn254::Fr;
use ark_relations::gr1cs::{
    ConstraintSystemRef, Matrix, R1CS_PREDICATE_LABEL, SynthesisError, Variable,
};

/// Why the matrices of a constraint system could not be extracted.
#[derive(Debug, thiserror::Error)]
pub enum MatricesError {
    /// The system was synthesised without matrices or without an assignment.
    #[error("synthesise with matrices and an assignment before extracting them: {0}")]
    Synthesis(#[from] SynthesisError),
    /// The system holds constraints that are not rank-1.
    #[error("only rank-1 constraints can be analysed; remove the other predicates")]
    NotRankOne,
}

/// One row of a sparse matrix: columns with their values.
pub(super) type Row = Vec<(usize, Fr)>;

/// `A`, `B`, `C` of a rank-1 system with the assignment it was synthesised with. Column 0 is the
/// constant one, public inputs follow in order, then the witness in order of allocation.
#[derive(Clone, Debug)]
pub struct Matrices {
    a: Matrix<Fr>,
    b: Matrix<Fr>,
    c: Matrix<Fr>,
    public: usize,
    assignment: Vec<Fr>,
}

impl Matrices {
    /// Finalises the system (inlining linear combinations) and copies matrices and assignment.
    pub fn extract(cs: &ConstraintSystemRef<Fr>) -> Result<Self, MatricesError> {
        cs.finalize();
        let mut predicates = cs.to_matrices()?;
        let rank_one = predicates.remove(R1CS_PREDICATE_LABEL).ok_or(MatricesError::NotRankOne)?;
        let [a, b, c]: [Matrix<Fr>; 3] =
            rank_one.try_into().map_err(|_| MatricesError::NotRankOne)?;
        if predicates.values().flatten().any(|matrix| !matrix.is_empty()) {
            return Err(MatricesError::NotRankOne);
        }
        let mut assignment = cs.instance_assignment()?;
        let public = assignment.len();
        assignment.extend(cs.witness_assignment()?);
        Ok(Self { a, b, c, public, assignment })
    }

    /// Number of constraints.
    pub fn rows(&self) -> usize {
        self.a.len()
    }

    /// Number of columns: the constant, public inputs, witness.
    pub fn columns(&self) -> usize {
        self.assignment.len()
    }

    /// The columns of the public inputs, without the constant.
    pub fn public_columns(&self) -> std::ops::Range<usize> {
        1..self.public
    }

    /// The columns of the witness.
    pub fn witness_columns(&self) -> std::ops::Range<usize> {
        self.public..self.columns()
    }

    /// The column of a variable; `None` for zero and for symbolic linear combinations.
    pub fn column(&self, variable: Variable) -> Option<usize> {
        variable.get_variable_index(self.public)
    }

    /// The assignment of the synthesis, to start tampering from.
    pub fn assignment(&self) -> &[Fr] {
        &self.assignment
    }

    /// Whether `assignment`, one value a column, satisfies every constraint and keeps the
    /// constant at one.
    pub fn is_satisfied(&self, assignment: &[Fr]) -> bool {
        assignment.len() == self.columns()
            && assignment[0] == Fr::from(1u8)
            && self.first_violation(assignment).is_none()
    }

    /// The first constraint that `assignment` violates.
    ///
    /// # Panics
    /// If `assignment` has fewer values than there are columns.
    pub fn first_violation(&self, assignment: &[Fr]) -> Option<usize> {
        self.violations(assignment).next()
    }

    /// All constraints that `assignment` violates, in order.
    ///
    /// # Panics
    /// If `assignment` has fewer values than there are columns.
    pub fn violations<'a>(&'a self, assignment: &'a [Fr]) -> impl Iterator<Item = usize> + 'a {
        (0..self.rows()).filter(|&row| {
            let [a, b, c] = [&self.a, &self.b, &self.c].map(|m| dot(&m[row], assignment));
            a * b != c
        })
    }

    /// The same system with one constraint deleted: a mutant that a good check must notice.
    pub fn without_row(&self, row: usize) -> Self {
        let mut mutant = self.clone();
        for matrix in [&mut mutant.a, &mut mutant.b, &mut mutant.c] {
            matrix.remove(row);
        }
        mutant
    }

    /// The same system in which one constraint speaks of a fresh, unconstrained witness wire
    /// instead of `column`; the wire is assigned the same value. So looks a copy that was never
    /// tied to its original.
    pub fn with_loose_copy(&self, column: usize, row: usize) -> Self {
        let mut mutant = self.clone();
        let copy = self.columns();
        mutant.assignment.push(self.assignment[column]);
        for matrix in [&mut mutant.a, &mut mutant.b, &mut mutant.c] {
            for (_, place) in matrix[row].iter_mut().filter(|(_, place)| *place == column) {
                *place = copy;
            }
        }
        mutant
    }

    /// The public inputs that no constraint mentions.
    pub fn unused_public(&self) -> Vec<usize> {
        let mut used = vec![false; self.columns()];
        for (value, column) in [&self.a, &self.b, &self.c].into_iter().flatten().flatten() {
            used[*column] |= *value != Fr::from(0u8);
        }
        self.public_columns().filter(|&column| !used[column]).collect()
    }

    /// The columns that one constraint mentions, the constant left out, ascending.
    pub fn columns_of(&self, row: usize) -> Vec<usize> {
        let terms = [&self.a, &self.b, &self.c].into_iter().flat_map(|matrix| &matrix[row]);
        let mut columns: Vec<usize> = terms.map(|(_, column)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.retain(|column| *column != 0);
        columns
    }

    /// The rows of `J = diag(Bz)·A + diag(Az)·B − C` at `z = assignment`: without zeros, the
    /// constant's column left out, columns ascending.
    pub(super) fn jacobian(&self, assignment: &[Fr]) -> Vec<Row> {
        (0..self.rows())
            .map(|row| {
                let (a, b) = (dot(&self.a[row], assignment), dot(&self.b[row], assignment));
                let mut terms = Row::new();
                for (matrix, factor) in [(&self.a, b), (&self.b, a), (&self.c, -Fr::from(1u8))] {
                    terms.extend(matrix[row].iter().map(|(value, j)| (*j, factor * value)));
                }
                terms.sort_unstable_by_key(|(column, _)| *column);
                terms.dedup_by(|later, kept| {
                    let same = later.0 == kept.0;
                    if same {
                        kept.1 += later.1;
                    }
                    same
                });
                terms.retain(|(column, value)| *column != 0 && *value != Fr::from(0u8));
                terms
            })
            .collect()
    }
}

fn dot(row: &[(Fr, usize)], assignment: &[Fr]) -> Fr {
    row.iter().map(|(value, column)| *value * assignment[*column]).sum()
}
