//! What the circuit makes of an example: the clauses whose rows are violated.

#![allow(dead_code)] // each test file uses its part

pub mod lies;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_relations::gr1cs::{ConstraintSystem, SynthesisMode};
use placet_circuits::analysis::Matrices;
use placet_circuits::builder::Trace;
use placet_circuits::transfer::synthesize_traced;
use placet_protocol::example::{Branches, Example};
use placet_protocol::transfer::Mode;

/// The matrices of `transfer` and the rows of its clauses; the same for every witness.
pub fn circuit() -> &'static (Matrices, Trace) {
    static CIRCUIT: OnceLock<(Matrices, Trace)> = OnceLock::new();
    CIRCUIT.get_or_init(|| {
        let example = Example::new(plain(Mode::Absent));
        let cs = ConstraintSystem::new_ref();
        let trace = synthesize_traced(cs.clone(), &example.public, &example.witness).unwrap();
        (Matrices::extract(&cs).unwrap(), trace)
    })
}

/// The assignment that the circuit's own witness generation gives.
pub fn assign(example: &Example) -> Vec<Fr> {
    let cs = ConstraintSystem::new_ref();
    cs.set_mode(SynthesisMode::Prove { construct_matrices: false, generate_lc_assignments: false });
    synthesize_traced(cs.clone(), &example.public, &example.witness).unwrap();
    let mut assignment = cs.instance_assignment().unwrap();
    assignment.extend(cs.witness_assignment().unwrap());
    assignment
}

/// The clauses with a violated row; empty where the circuit accepts.
pub fn violated_clauses(example: &Example) -> BTreeSet<&'static str> {
    let (matrices, trace) = circuit();
    let assignment = assign(example);
    matrices.violations(&assignment).map(|row| trace.clause_of(row).unwrap()).collect()
}

/// A statement on an ordinary position, with every rule switched on.
pub fn plain(mode: Mode) -> Branches {
    Branches {
        genesis: false,
        mode,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: false,
    }
}
