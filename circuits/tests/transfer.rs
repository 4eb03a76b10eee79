//! The circuit of `transfer` accepts every branch, has one shape, and agrees with the native check.

use ark_relations::gr1cs::ConstraintSystem;
use placet_circuits::circuit::{Record, Shape, blank_shape, matrices, synthesize};
use placet_circuits::density::Density;
use placet_circuits::transfer::synthesize_traced;
use placet_protocol::example::{Branches, Example};
use placet_protocol::transfer::Transfer;

fn satisfied(example: &Example) -> bool {
    synthesize::<Transfer>(&example.public, &example.witness, Record::Constraints)
        .unwrap()
        .is_satisfied()
        .unwrap()
}

/// Rows that the evaluation domain of 2^15 leaves.
const MAX_ROWS: usize = 1 << 15;

#[test]
fn every_branch_combination_is_accepted_and_has_the_same_shape() {
    let blank = blank_shape::<Transfer>().unwrap();
    assert!(blank.rows <= MAX_ROWS, "{} rows", blank.rows);
    for (i, branches) in Branches::all().enumerate() {
        let example = Example::new(branches);
        let cs =
            synthesize::<Transfer>(&example.public, &example.witness, Record::Constraints).unwrap();
        let which = cs.which_is_unsatisfied().unwrap();
        assert_eq!(which, None, "{branches:?}");
        // The digest is the slow part: a few combinations stand for all.
        if i % 13 == 0 {
            assert_eq!(Shape::of(&cs).unwrap(), blank, "{branches:?}");
        }
    }
}

#[test]
fn clauses_cover_all_rows() {
    let example = Example::new(Branches::all().next().unwrap());
    let cs = ConstraintSystem::new_ref();
    let trace = synthesize_traced(cs.clone(), &example.public, &example.witness).unwrap();
    for (name, rows) in trace.clauses() {
        println!("{name:<26}{rows:>7}");
    }
    println!("{:<26}{:>7}", "instance", cs.num_instance_variables());
    println!("{:<26}{:>7}", "total", cs.num_constraints() + cs.num_instance_variables());
    assert_eq!(trace.clauses().iter().map(|(_, rows)| rows).sum::<usize>(), cs.num_constraints());
    assert!(satisfied(&example));
}

fn density() -> Density {
    let (public, witness) = <Transfer as placet_circuits::Circuit>::blank();
    let cs = synthesize::<Transfer>(&public, &witness, Record::Constraints).unwrap();
    let (instance, witnesses) = (cs.num_instance_variables(), cs.num_witness_variables());
    Density::of(&matrices(&cs).unwrap(), instance, witnesses)
}

/// Counts per clause, what the queries of a key hold and the digest of the matrices, as pinned in
/// `circuits/transfer.shape.txt`.
/// Keys belong to a digest: whoever changes the circuit on purpose copies what this test prints,
/// and knows that every key, parameter file and running network is left behind.
#[test]
fn the_shape_is_the_pinned_one() {
    use std::fmt::Write;
    let (public, witness) = <Transfer as placet_circuits::Circuit>::blank();
    let cs = ConstraintSystem::new_ref();
    let trace = synthesize_traced(cs, &public, &witness).unwrap();
    let shape = blank_shape::<Transfer>().unwrap();
    let mut text = String::new();
    for (name, rows) in trace.clauses() {
        writeln!(text, "{name:<26}{rows:>6}").unwrap();
    }
    writeln!(text, "{:<26}{:>6}", "instance variables", shape.public_inputs + 1).unwrap();
    writeln!(text, "{:<26}{:>6}", "rows", shape.rows).unwrap();
    writeln!(text, "{:<26}{:>6}", "witness variables", shape.witnesses).unwrap();
    let points = density();
    let [in_a, in_b, in_c] = points.entries;
    for (name, count) in [
        ("non-zero entries of A", in_a),
        ("non-zero entries of B", in_b),
        ("non-zero entries of C", in_c),
        ("points of A in G1", points.a),
        ("points of B in G1", points.b),
        ("points of B in G2", points.b),
        ("points of L in G1", points.l),
        ("points of H in G1", points.h),
    ] {
        writeln!(text, "{name:<26}{count:>6}").unwrap();
    }
    let digest: String = shape.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(text, "digest {digest}").unwrap();
    let pinned = include_str!("../transfer.shape.txt");
    assert!(text == pinned, "the shape of `transfer` changed; it is now:\n{text}");
}
