//! A true statement gives a proof; a false one is refused with its clause; a forged one gives
//! bytes that no verifier accepts.

#[path = "../../params/tests/support/square_chain.rs"]
mod square_chain;

use std::sync::{Arc, Mutex, OnceLock};

use ark_bn254::{Bn254, Fr};
use ark_relations::gr1cs::SynthesisError;
use placet_circuits::Assignment;
use placet_params::key::ProvingPoints;
use placet_params::{CircuitDigest, Origin, ProvingKey};
use placet_prover::backend::{Backend, Constraints};
use placet_prover::kernel::{Kernel, Tables};
use placet_prover::seed::Blinding;
use placet_prover::{
    AssignmentError, KeyMismatch, Phase, ProofSeed, ProveError, Prover, Reference,
};
use placet_setup::{SetupSeed, generate};
use placet_verifier::VerifyError;
use square_chain::{ChainPublic, ChainViolation, SquareChain, chain};

fn key() -> ProvingKey<SquareChain> {
    generate(SetupSeed::from_bytes([1; 32])).unwrap()
}

fn prover() -> &'static Prover<SquareChain> {
    static PROVER: OnceLock<Prover<SquareChain>> = OnceLock::new();
    PROVER.get_or_init(|| Prover::new(key()).unwrap())
}

fn seed(byte: u8) -> ProofSeed {
    ProofSeed::from_bytes([byte; 32])
}

#[test]
fn a_true_statement_is_proven_and_the_phases_come_in_order() {
    let (public, witness) = chain(3, 4);
    let mut phases = Vec::new();
    let proof = prover()
        .prove_observed(&public, &witness, ProofSeed::from_os().unwrap(), &mut |phase| {
            phases.push(phase);
        })
        .unwrap();
    assert_eq!(phases, [Phase::Check, Phase::Synthesize, Phase::Prove, Phase::SelfVerify]);
    assert_eq!(prover().verifier().verify(&public, &proof.to_bytes()), Ok(()));
}

#[test]
fn a_false_statement_is_refused_with_the_violated_clause() {
    let (public, _) = chain(3, 4);
    let error = prover().prove(&public, &Fr::from(4u8), seed(1)).unwrap_err();
    assert!(matches!(error, ProveError::Violated(ChainViolation::Chain)));
    assert!(error.to_string().contains("Chain"));
}

#[test]
fn a_forged_proof_has_the_right_form_and_verifies_nowhere() {
    let (public, _) = chain(3, 4);
    let forged = prover().forge(&public, &Fr::from(4u8), seed(1)).unwrap();
    let verdict = prover().verifier().verify(&public, &forged.to_bytes());
    assert_eq!(verdict, Err(VerifyError::Invalid));
}

#[test]
fn forging_a_true_statement_gives_a_good_proof() {
    let (public, witness) = chain(3, 4);
    let proof = prover().forge(&public, &witness, seed(1)).unwrap();
    assert_eq!(prover().verifier().verify(&public, &proof.to_bytes()), Ok(()));
}

#[test]
fn proofs_are_blinded_by_their_seed_and_reproducible_from_it() {
    let (public, witness) = chain(3, 4);
    let make = |byte| prover().prove(&public, &witness, seed(byte)).unwrap();
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    assert_ne!(
        prover().prove(&public, &witness, ProofSeed::from_os().unwrap()).unwrap(),
        prover().prove(&public, &witness, ProofSeed::from_os().unwrap()).unwrap(),
    );
}

#[test]
fn a_statement_that_hands_out_other_inputs_than_its_circuit_is_caught() {
    let (public, witness) = chain(3, 4);
    for inputs in [0, 1, 3] {
        let public = ChainPublic { inputs, ..public.clone() };
        let error = prover().prove(&public, &witness, seed(1)).unwrap_err();
        assert!(matches!(error, ProveError::Wires));
    }
}

#[test]
fn a_key_for_another_circuit_is_refused() {
    let other = CircuitDigest([5; 32]);
    let relabelled = ProvingKey::from_parts(key().points().clone(), other, Origin::Dev).unwrap();
    let error = Prover::<SquareChain>::new(relabelled).unwrap_err();
    assert!(matches!(error, KeyMismatch::Circuit { key, .. } if key == other));
}

#[test]
fn a_key_of_another_size_is_refused() {
    let mut points = key().points().clone();
    points.h_query.truncate(points.h_query.len() / 2);
    let shrunk = ProvingKey::from_parts(points, key().circuit(), Origin::Dev).unwrap();
    assert_eq!(Prover::<SquareChain>::new(shrunk).unwrap_err(), KeyMismatch::Size);
}

#[test]
fn a_key_with_other_points_fails_in_self_verification() {
    let mut points = key().points().clone();
    points.l_query.swap(0, 1);
    let bad = ProvingKey::from_parts(points, key().circuit(), Origin::Dev).unwrap();
    let bad = Prover::<SquareChain>::new(bad).unwrap();
    let (public, witness) = chain(3, 4);
    let error = bad.prove(&public, &witness, seed(1)).unwrap_err();
    assert!(matches!(error, ProveError::SelfVerify(VerifyError::Invalid)));
}

#[test]
fn the_values_of_all_wires_are_proven_like_the_statement_they_come_from() {
    let (public, witness) = chain(3, 4);
    let assignment = prover().assign(&public, &witness).unwrap();
    let proof = prover().prove_assignment(&assignment, seed(5)).unwrap();
    assert_eq!(prover().verifier().verify(&public, &proof.to_bytes()), Ok(()));
    let elements = &assignment[1..prover().constraints().instance];
    assert_eq!(prover().verifier().verify_elements(elements, &proof), Ok(()));
    assert!(matches!(
        prover().verifier().verify_elements(&assignment[1..2], &proof),
        Err(VerifyError::InputCount { found: 1, .. })
    ));
}

/// The reference backend, with an eye on what it is given.
struct Watched(Arc<Mutex<Vec<Assignment>>>);

impl Backend for Watched {
    fn prove(
        &self,
        key: &ProvingPoints,
        constraints: &Constraints,
        assignment: &Assignment,
        blinding: Blinding,
    ) -> Result<ark_groth16::Proof<Bn254>, SynthesisError> {
        self.0.lock().unwrap().push(assignment.clone());
        Reference.prove(key, constraints, assignment, blinding)
    }
}

#[test]
fn a_backend_is_given_all_wires_and_the_rows_that_belong_to_them() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let prover = Prover::with_backend(key(), Box::new(Watched(seen.clone()))).unwrap();
    let (public, witness) = chain(3, 4);
    prover.prove(&public, &witness, seed(7)).unwrap();
    let wires = prover.assign(&public, &witness).unwrap();
    prover.prove_assignment(&wires, seed(7)).unwrap();

    let seen = seen.lock().unwrap();
    let [of_statement, of_wires] = &seen[..] else { panic!("two proofs") };
    assert!(of_statement == of_wires);
    assert_eq!(of_wires.wires, *wires);
    let times = |matrix: usize| -> Vec<Fr> {
        let rows = prover.constraints().rows[matrix].iter();
        rows.map(|row| row.iter().map(|(factor, wire)| *factor * wires[*wire]).sum()).collect()
    };
    assert_eq!((&of_wires.left, &of_wires.right), (&times(0), &times(1)));
}

fn with_kernel(tables: Tables) -> Prover<SquareChain> {
    let prover = Prover::new(key()).unwrap();
    let points = prover.key().points();
    let kernel = Kernel::new(points, prover.constraints().clone(), tables, &|_, _| {}).unwrap();
    prover.with_kernel(kernel).unwrap()
}

#[test]
fn the_kernel_makes_the_reference_s_proofs() {
    let (public, witness) = chain(3, 4);
    let expected = prover().prove(&public, &witness, seed(9)).unwrap();
    for tables in Tables::ALL {
        let ours = with_kernel(tables);
        assert_eq!(ours.prove(&public, &witness, seed(9)).unwrap(), expected, "{tables:?}");
        let wires = ours.assign(&public, &witness).unwrap();
        assert_eq!(ours.prove_assignment(&wires, seed(9)).unwrap(), expected, "{tables:?}");
    }
}

#[test]
fn a_prepared_proof_equals_a_cold_one_whatever_was_guessed() {
    let (public, witness) = chain(3, 4);
    let (guess, _) = chain(7, 4);
    for prover in [prover(), &with_kernel(Tables::Small)] {
        let cold = prover.prove(&public, &witness, seed(9)).unwrap();
        for (guess, wrong) in [(&public, witness), (&guess, Fr::from(5u8))] {
            let prepared = prover.prepare(guess, &wrong).unwrap();
            let warm = prover.prove_prepared(&prepared, &public, &witness, seed(9)).unwrap();
            assert_eq!(warm, cold);
            let fresh = prover.prove_prepared(&prepared, &public, &witness, seed(10)).unwrap();
            assert_ne!(fresh, cold);
            assert_eq!(prover.verifier().verify(&public, &fresh.to_bytes()), Ok(()));
        }
    }
}

#[test]
fn a_false_statement_is_refused_with_and_without_preparation() {
    let prover = with_kernel(Tables::None);
    let (public, witness) = chain(3, 4);
    let prepared = prover.prepare(&public, &witness).unwrap();
    let error = prover.prove_prepared(&prepared, &public, &Fr::from(4u8), seed(1)).unwrap_err();
    assert!(matches!(error, ProveError::Violated(ChainViolation::Chain)));
}

#[test]
fn what_another_prover_prepared_is_refused_and_shows_nothing() {
    let (public, witness) = chain(3, 4);
    let (one, other) = (with_kernel(Tables::None), with_kernel(Tables::None));
    for prepared in
        [other.prepare(&public, &witness).unwrap(), prover().prepare(&public, &witness).unwrap()]
    {
        let error = one.prove_prepared(&prepared, &public, &witness, seed(1)).unwrap_err();
        assert!(matches!(error, ProveError::Prepared));
        assert_eq!(format!("{prepared:?}"), "Prepared(test-square-chain)");
    }
}

#[test]
fn tables_of_another_key_are_refused() {
    let other: ProvingKey<SquareChain> = generate(SetupSeed::from_bytes([2; 32])).unwrap();
    let prover = Prover::new(key()).unwrap();
    let constraints = prover.constraints().clone();
    let kernel = Kernel::new(other.points(), constraints, Tables::None, &|_, _| {}).unwrap();
    assert_eq!(prover.with_kernel(kernel).unwrap_err(), KeyMismatch::Tables);
}

#[test]
fn values_that_violate_a_constraint_are_refused_before_proving() {
    let (public, witness) = chain(3, 4);
    assert!(matches!(
        prover().assign(&public, &Fr::from(4u8)),
        Err(ProveError::Violated(ChainViolation::Chain))
    ));
    let good = prover().assign(&public, &witness).unwrap();
    let refused = |assignment: &[Fr]| prover().prove_assignment(assignment, seed(6)).unwrap_err();
    for wire in 1..good.len() {
        let mut bad = good.to_vec();
        bad[wire] += Fr::from(1u8);
        assert!(matches!(refused(&bad), AssignmentError::Violated { .. }), "wire {wire}");
    }
    let mut bad = good.to_vec();
    bad[0] = Fr::from(2u8);
    assert!(matches!(refused(&bad), AssignmentError::One));
    assert!(matches!(refused(&good[1..]), AssignmentError::Length { .. }));
    assert!(matches!(refused(&[]), AssignmentError::Length { found: 0, .. }));
}
