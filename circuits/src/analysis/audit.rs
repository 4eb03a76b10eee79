//! The checks made with the Jacobian, and what they find.

use std::fmt;

use ark_bn254::Fr;
use ark_std::rand::{SeedableRng, rngs::StdRng};

use super::elimination::Elimination;
use super::matrices::{Matrices, Row};

/// What a circuit says of its own wires, by column of [`Matrices`]. The expectation comes from
/// reading the specification, not from the constraints: that is what makes [`audit`] a check.
#[derive(Clone, Debug, Default)]
pub struct Declaration {
    /// Inputs the prover chooses among all field elements: siblings, salts, tags.
    pub free: Vec<usize>,
    /// Inputs the prover chooses in a finite set that the circuit enforces by bits: amounts,
    /// times, flags. They cannot move continuously.
    pub ranged: Vec<usize>,
    /// Hints of which nothing depends where they are idle: see [`LocalMap::idle`].
    pub hints: Vec<usize>,
    /// Public inputs that no witness determines: the time, a binding, a root that this branch does
    /// not use.
    pub public: Vec<usize>,
    /// How many independent equations tie the `free` inputs together when the public inputs are
    /// fixed: one for each hash or root that must come out as published.
    pub equations: usize,
}

/// Something the constraints leave open that the declaration says they close, or the reverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// With all declared inputs fixed, these wires can still move (check A).
    Undetermined(Vec<usize>),
    /// With the public inputs fixed, the witness has more or fewer degrees of freedom than
    /// `free − equations` (check B).
    Freedom {
        /// Degrees of freedom by the declaration.
        declared: usize,
        /// Degrees of freedom the constraints leave.
        found: usize,
    },
    /// These inputs are declared ranged and can move (check C).
    NotRanged(Vec<usize>),
    /// These public inputs take part in no constraint.
    UnusedPublic(Vec<usize>),
}

/// The constraints to first order around one satisfying assignment.
pub struct LocalMap {
    jacobian: Vec<Row>,
    public: std::ops::Range<usize>,
    witness: std::ops::Range<usize>,
    idle: Vec<bool>,
}

impl fmt::Debug for LocalMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalMap({} rows, {} columns)", self.jacobian.len(), self.witness.end)
    }
}

impl LocalMap {
    /// Linearises at `assignment`; `None` if it does not satisfy the constraints.
    pub fn at(matrices: &Matrices, assignment: &[Fr]) -> Option<Self> {
        if !matrices.is_satisfied(assignment) {
            return None;
        }
        let jacobian = matrices.jacobian(assignment);
        let mut idle = vec![true; matrices.columns()];
        for (column, _) in jacobian.iter().flatten() {
            idle[*column] = false;
        }
        let (public, witness) = (matrices.public_columns(), matrices.witness_columns());
        Some(Self { jacobian, public, witness, idle })
    }

    /// Witness columns that no constraint feels here. Moving one moves nothing else, not even to
    /// second order unless it is multiplied with itself, so it is harmless *at this witness*: a
    /// zero test's inverse hint, at zero. One that is idle at every witness is connected to
    /// nothing, which is how a forgotten output looks.
    pub fn idle(&self) -> Vec<usize> {
        self.witness.clone().filter(|&column| self.idle[column]).collect()
    }

    /// Check A: the wires that can move while the columns in `fixed` stand still, all other
    /// witness wires and public inputs being unknown.
    pub fn undetermined(&self, fixed: &[usize]) -> Vec<usize> {
        self.moving(&self.unknowns(fixed))
    }

    /// Check B: in how many directions the assignment can move while the columns in `fixed`
    /// stand still.
    pub fn freedom(&self, fixed: &[usize]) -> usize {
        self.eliminate(&self.unknowns(fixed)).nullity()
    }

    /// Check C: those of `ranged` that can move while only the columns in `fixed` stand still.
    pub fn not_ranged(&self, ranged: &[usize], fixed: &[usize]) -> Vec<usize> {
        let wanted = self.marked(ranged);
        self.moving(&self.unknowns(fixed)).into_iter().filter(|&column| wanted[column]).collect()
    }

    /// The constraints whose deletion would give no wire more freedom while the columns in
    /// `fixed` stand still; every other one bears load. A constraint that bears none with the
    /// inputs fixed (A) nor with the public inputs fixed (B) need not be useless: it may exclude
    /// one of finitely many solutions, or bear load at other witnesses.
    pub fn redundant_rows(&self, fixed: &[usize]) -> Vec<usize> {
        let unknown = self.unknowns(fixed);
        let dependency = self.eliminate(&unknown).random_dependency(&mut fixed_rng());
        (0..dependency.len()).filter(|&row| dependency[row] != Fr::from(0u8)).collect()
    }

    /// Whether deleting one constraint gives more freedom: the slow and direct form of
    /// [`Self::redundant_rows`], for samples.
    pub fn is_load_bearing(&self, row: usize, fixed: &[usize]) -> bool {
        let unknown = self.unknowns(fixed);
        let mut fewer = self.jacobian.clone();
        fewer[row].clear();
        Elimination::new(&fewer, self.witness.end, &unknown).nullity()
            != self.eliminate(&unknown).nullity()
    }

    /// All columns but those in `fixed`, the public ones last.
    fn unknowns(&self, fixed: &[usize]) -> Vec<usize> {
        let held = self.marked(fixed);
        self.witness.clone().chain(self.public.clone()).filter(|&column| !held[column]).collect()
    }

    fn moving(&self, unknown: &[usize]) -> Vec<usize> {
        let kernel = self.eliminate(unknown).random_kernel_vector(&mut fixed_rng());
        unknown.iter().copied().filter(|&column| kernel[column] != Fr::from(0u8)).collect()
    }

    fn eliminate(&self, unknown: &[usize]) -> Elimination<'_> {
        Elimination::new(&self.jacobian, self.witness.end, unknown)
    }

    fn marked(&self, columns: &[usize]) -> Vec<bool> {
        let mut marks = vec![false; self.witness.end];
        columns.iter().for_each(|&column| marks[column] = true);
        marks
    }
}

/// A fixed seed keeps reports reproducible; the matrices do not know it, so a wrong answer has
/// the same negligible chance as with fresh randomness.
fn fixed_rng() -> StdRng {
    StdRng::seed_from_u64(0x706c_6163_6574)
}

/// Compares a circuit at one satisfying assignment with its declaration.
///
/// - **A.** With `free`, `ranged` and `public` columns fixed, no other witness wire or public
///   input can move: every wire is locally a function of the declared inputs. Finds wires
///   assigned and never constrained, copies not anchored to their original, hints with slack,
///   divisions 0/0, roots computed and never compared.
/// - **B.** With all public inputs fixed, the witness has exactly `free − equations` degrees of
///   freedom. A missing range check gives one too many, a missing equation gives one too many,
///   and a gate that is always closed gives too few.
/// - **C.** No `ranged` input can move even with only the `public` columns fixed. B finds the same
///   omissions but only their number; C names the wire, and cannot be fooled by two errors that
///   cancel.
/// - Every public input takes part in a constraint.
///
/// Returns `None` if the assignment does not satisfy the constraints; an empty list means that
/// nothing was found.
pub fn audit(
    matrices: &Matrices,
    assignment: &[Fr],
    declaration: &Declaration,
) -> Option<Vec<Finding>> {
    let map = LocalMap::at(matrices, assignment)?;
    let Declaration { free, ranged, hints, public, equations } = declaration;
    let excused: Vec<usize> = hints.iter().copied().filter(|&column| map.idle[column]).collect();
    let mut findings = Vec::new();

    let unused = matrices.unused_public();
    if !unused.is_empty() {
        findings.push(Finding::UnusedPublic(unused));
    }
    let undetermined = map.undetermined(&[free.as_slice(), ranged, &excused, public].concat());
    if !undetermined.is_empty() {
        findings.push(Finding::Undetermined(undetermined));
    }
    let not_ranged = map.not_ranged(ranged, public);
    if !not_ranged.is_empty() {
        findings.push(Finding::NotRanged(not_ranged));
    }
    let declared = free.len().saturating_sub(*equations);
    let all_public: Vec<usize> = map.public.clone().collect();
    let found = map.freedom(&[all_public, excused].concat());
    if found != declared {
        findings.push(Finding::Freedom { declared, found });
    }
    Some(findings)
}
