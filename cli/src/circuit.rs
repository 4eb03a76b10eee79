//! `placet circuit`: what the circuits are made of.

use ark_relations::gr1cs::{ConstraintSystem, OptimizationGoal, SynthesisError, SynthesisMode};
use clap::Subcommand;
use placet_circuits::circuit::{Circuit, Shape, matrices};
use placet_circuits::density::Density;
use placet_circuits::transfer::synthesize_traced;
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use serde_json::json;

use crate::app::App;
use crate::fail::{Failure, Result};
use crate::output::{Report, Table};

/// Commands on circuits.
#[derive(Subcommand)]
pub enum Command {
    /// Rows per clause of every statement, and the digest of its constraint matrices
    ///
    /// Rows are constraints plus instance variables: what the evaluation domain must hold. Then,
    /// what a proof costs: points of the proving key's queries, one term of a multi-scalar
    /// multiplication each, and non-zero entries of the matrices.
    Stats,
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    match command {
        Command::Stats => stats(app),
    }
}

/// A statement's size, in all and per clause.
struct Stats {
    shape: Shape,
    density: Density,
    clauses: Vec<(&'static str, usize)>,
}

fn measure() -> std::result::Result<Stats, SynthesisError> {
    // As `placet_circuits::circuit::synthesize` does, with the trace kept.
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(SynthesisMode::Prove { construct_matrices: true, generate_lc_assignments: false });
    let (public, witness) = Transfer::blank();
    let clauses = synthesize_traced(cs.clone(), &public, &witness)?.clauses();
    cs.finalize();
    let (instance, witnesses) = (cs.num_instance_variables(), cs.num_witness_variables());
    let density = Density::of(&matrices(&cs)?, instance, witnesses);
    Ok(Stats { shape: Shape::of(&cs)?, density, clauses })
}

fn stats(app: &App) -> Result<Report> {
    let working = app.progress.spinner("building the circuit");
    let Stats { shape, density, clauses } = measure().map_err(|error| Failure::internal(&error))?;
    drop(working);
    let digest = hex::encode(shape.digest);
    let mut table = Table::new(&["clause", "rows"], &[1]);
    for (name, rows) in &clauses {
        table.row(vec![(*name).to_owned(), rows.to_string()]);
    }
    table.row(vec!["(instance variables)".into(), (shape.public_inputs + 1).to_string()]);
    table.row(vec!["all".into(), shape.rows.to_string()]);
    let Density { entries: [in_a, in_b, in_c], a, b, l, h } = density;
    let mut costs = Table::new(&["query", "points in G1", "points in G2"], &[1, 2]);
    for (query, g1, g2) in [("A", a, 0), ("B", b, b), ("L", l, 0), ("H", h, 0)] {
        costs.row(vec![query.into(), g1.to_string(), g2.to_string()]);
    }
    costs.row(vec!["all".into(), (a + b + l + h).to_string(), b.to_string()]);
    let domain = shape.rows.next_power_of_two();
    let text = format!(
        "statement {}: {} rows of {domain}, {} public inputs, {} witness variables\ndigest {digest}\n\n{table}\n{costs}\nnon-zero entries: {in_a} in A, {in_b} in B, {in_c} in C",
        Transfer::NAME,
        shape.rows,
        shape.public_inputs,
        shape.witnesses,
    );
    let clauses: Vec<_> =
        clauses.iter().map(|(name, rows)| json!({ "name": name, "rows": rows })).collect();
    let json = json!([{
        "statement": Transfer::NAME,
        "rows": shape.rows,
        "public_inputs": shape.public_inputs,
        "witnesses": shape.witnesses,
        "digest": digest,
        "clauses": clauses,
        "entries": { "a": in_a, "b": in_b, "c": in_c },
        "points": { "a_g1": a, "b_g1": b, "b_g2": b, "l_g1": l, "h_g1": h },
    }]);
    Ok(Report::new(text, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_and_instance_variables_add_up_to_all_rows() {
        let Stats { shape, density, clauses } = measure().unwrap();
        let sum: usize = clauses.iter().map(|(_, rows)| rows).sum();
        assert_eq!(sum + shape.public_inputs + 1, shape.rows);
        assert_eq!(shape, placet_circuits::circuit::blank_shape::<Transfer>().unwrap());
        // No witness variable is idle.
        assert_eq!(density.l, shape.witnesses);
    }
}
