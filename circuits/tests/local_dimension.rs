//! No wire of `transfer` is free that should not be: the local-dimension checks of
//! `placet_circuits::analysis` on the whole circuit at production size.
//!
//! What the constraints leave open is measured; what they should leave open is counted here from
//! the specification, clause by clause. A normal test run looks at some branch combinations;
//! `cargo test -p placet-circuits --features analysis -- --ignored campaign` at all of them.

use std::collections::{BTreeMap, BTreeSet};

use ark_bn254::Fr;
use ark_ff::Field;
use ark_relations::gr1cs::ConstraintSystem;
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use placet_circuits::analysis::{Declaration, Finding, LocalMap, Matrices, audit};
use placet_circuits::builder::Trace;
use placet_circuits::transfer::synthesize_traced;
use placet_protocol::example::{Branches, Example, NOW, element, secret_key};
use placet_protocol::field::{NoteRoot, to_u64};
use placet_protocol::keys::{KEY_BITS, NullifierKey};
use placet_protocol::merkle::{
    ARITY, ARITY_BITS, NOTE_DEPTH, REGISTRY_DEPTH, RULES_DEPTH, SANCTIONS_DEPTH, SparseTree,
};
use placet_protocol::policy::{RULE_BITS, TRUSTED_PLACES};
use placet_protocol::position::Position;
use placet_protocol::transfer::{Mode, check};

/// Whether an input ranges over the field or over finitely many values that the circuit enforces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Free,
    Ranged,
}
use Kind::{Free, Ranged};

/// The declared inputs of `transfer` in order of allocation: what, kind, how many.
///
/// The integers inside opened commitments (a position's balance, a delivery's amount) are free
/// here: their range was enforced where the commitment was made.
fn declared_inputs() -> Vec<(&'static str, Kind, usize)> {
    let path = |depth| [("place", Ranged, ARITY_BITS * depth), ("children", Free, ARITY * depth)];
    let mut inputs = vec![
        ("policy: asset, agent", Free, 3),
        ("policy: attestors, rules root", Free, 2 * TRUSTED_PLACES + 1),
        ("policy: max_risk", Ranged, 1),
        ("policy: unit_price, capital_bps", Free, 2),
        ("policy: flags", Ranged, 2),
        ("key", Ranged, KEY_BITS),
        ("identity: subject", Free, 1),
        ("identity: jurisdiction, risk, expires_at", Ranged, 3),
        ("identity: salt, attestor", Free, 2),
    ];
    inputs.extend(path(REGISTRY_DEPTH));
    inputs.push(("gap: lo, hi", Free, 2));
    inputs.extend(path(SANCTIONS_DEPTH));
    inputs.extend([
        ("position: balance, in_flight, locked", Free, 3),
        ("position: unlock_at", Ranged, 1),
        ("position: rho", Free, 1),
        ("genesis", Ranged, 1),
    ]);
    inputs.extend(path(NOTE_DEPTH));
    inputs.extend([
        ("mode", Ranged, 3),
        ("delivery: amount", Free, 1),
        ("delivery: unlock_at", Ranged, 1),
        ("delivery: deadline, tags", Free, 3),
        ("delivery: key", Free, 1),
    ]);
    inputs.extend(path(NOTE_DEPTH));
    inputs.extend([
        ("outgoing: amount", Ranged, 1),
        ("rule", Ranged, RULE_BITS),
        ("rule: children", Free, ARITY * RULES_DEPTH),
        ("investor: categories, capital", Ranged, 2),
        ("investor: expires_at, salt, attestor", Free, 3),
    ]);
    inputs.extend(path(REGISTRY_DEPTH));
    inputs.extend([("outgoing: to", Free, 1), ("outgoing: deadline", Ranged, 1)]);
    inputs
}

/// How many independent equations the specification puts on the free inputs once the public
/// inputs are fixed.
fn equations(example: &Example, branches: Branches) -> usize {
    let mode = branches.mode;
    let (absent, accept) = (mode == Mode::Absent, mode == Mode::Accept);
    let needed = accept && (branches.selective || branches.capital_rule);
    // A node under its parent is one equation a level; that the top is the published root is one.
    let path = |depth: usize, enforced: bool| depth + usize::from(enforced);
    let count = |conditions: &[bool]| conditions.iter().filter(|condition| **condition).count();

    let statement = 1 // PolicyOpening
        + path(REGISTRY_DEPTH, true) // IdentityMember
        + 1 // IdentityAttestorTrusted
        + path(SANCTIONS_DEPTH, true) + 2 // NotSanctioned: distances to lo and hi are integers
        + path(NOTE_DEPTH, !branches.genesis) // PositionMember
        + usize::from(branches.genesis) // its rho is the constant
        + path(NOTE_DEPTH, !absent) // DeliveryMember
        + count(&[!absent, mode == Mode::Refund]) // DeliveryAuthorised: the tag; the deadline is an integer
        + path(RULES_DEPTH, accept) // JurisdictionAllowed
        + path(REGISTRY_DEPTH, needed) // InvestorMember
        + count(&[needed, needed]) // InvestorAttestorTrusted, InvestorNotExpired
        + usize::from(accept && branches.capital_rule) // CapitalSufficient ties price and share
        + amounts(example, branches);
    // What the published hashes pin: the asset, the receiver, the subject, nk; the seed of a
    // position that is not the first; k and the opened delivery where there is one. A hash of
    // nothing but pinned values adds no equation.
    let outputs = 4
        + usize::from(!branches.genesis)
        + match mode {
            Mode::Absent => 0,
            Mode::Accept => 2, // nf_delivery and receipt, both of k and cm
            Mode::Refund | Mode::Settle => 1, // nf_delivery
        };
    statement + outputs
}

/// Equations on old balance, in_flight, locked and the incoming amount: the rank of what genesis
/// sets to zero and of what ValueConserved, LockRespected and HoldersDelta make integers.
fn amounts(example: &Example, branches: Branches) -> usize {
    let flag = |condition: bool| Fr::from(u8::from(condition));
    let old = &example.witness.position.position;
    let mode = branches.mode;
    let taken = flag(matches!(mode, Mode::Accept | Mode::Refund));
    let back = flag(matches!(mode, Mode::Refund | Mode::Settle));
    let active = flag(to_u64(&old.unlock_at).expect("a time") > NOW);
    let locks = flag(mode == Mode::Accept && branches.lockup);
    let genesis = flag(branches.genesis);
    let nothing_held = flag(old.balance + old.in_flight == Fr::from(0u8));
    let zero = Fr::from(0u8);
    let one = Fr::from(1u8);
    let mut rows = [
        [genesis, zero, zero, zero],
        [zero, genesis, zero, zero],
        [zero, zero, genesis, zero],
        [one, zero, zero, taken],
        [zero, one, zero, -back],
        [zero, zero, active, locks],
        [nothing_held, nothing_held, zero, zero],
    ];
    let mut rank = 0;
    for column in 0..4 {
        let Some(pivot) = (rank..rows.len()).find(|&row| rows[row][column] != zero) else {
            continue;
        };
        rows.swap(rank, pivot);
        let pivot = rows[rank];
        let inverse = pivot[column].inverse().expect("not zero");
        for row in &mut rows[rank + 1..] {
            let factor = row[column] * inverse;
            row.iter_mut().zip(pivot).for_each(|(value, p)| *value -= factor * p);
        }
        rank += 1;
    }
    rank
}

/// Public inputs by place, the constant being column 0: spec §7.
const POSITION_ROOT: usize = 1;
const DELIVERY_ROOT: usize = 2;
const CHOSEN: [usize; 3] = [6, 13, 17]; // now, redeemed, binding

struct Subject {
    matrices: Matrices,
    trace: Trace,
    declaration: Declaration,
}

impl Subject {
    fn new(example: &Example, branches: Branches) -> Self {
        assert_eq!(check(&example.public, &example.witness), Ok(()), "{branches:?}");
        let cs = ConstraintSystem::new_ref();
        let trace = synthesize_traced(cs.clone(), &example.public, &example.witness).unwrap();
        let matrices = Matrices::extract(&cs).unwrap();
        let table = declared_inputs();
        let kinds: Vec<Kind> =
            table.iter().flat_map(|(_, kind, n)| std::iter::repeat_n(*kind, *n)).collect();
        assert_eq!(trace.inputs.len(), kinds.len(), "the table lists what the circuit declares");
        let of_kind = |wanted: Kind| -> Vec<usize> {
            let inputs = trace.inputs.iter().zip(&kinds).filter(|(_, kind)| **kind == wanted);
            inputs.map(|(variable, _)| matrices.column(*variable).unwrap()).collect()
        };
        let mut public = CHOSEN.to_vec();
        public.extend(branches.genesis.then_some(POSITION_ROOT));
        public.extend((branches.mode == Mode::Absent).then_some(DELIVERY_ROOT));
        let declaration = Declaration {
            free: of_kind(Free),
            ranged: of_kind(Ranged),
            hints: vec![],
            public,
            equations: equations(example, branches),
        };
        Self { matrices, trace, declaration }
    }

    fn audit(&self) -> Vec<Finding> {
        audit(&self.matrices, self.matrices.assignment(), &self.declaration)
            .expect("a valid statement satisfies the circuit")
    }
}

fn assert_nothing_is_free(example: &Example, branches: Branches) {
    assert_eq!(Subject::new(example, branches).audit(), [], "{branches:?}");
}

/// One branch combination per mode and opening, with the other switches mixed.
fn few() -> impl Iterator<Item = Branches> {
    Branches::all().step_by(17)
}

#[test]
fn nothing_is_free_on_some_branches() {
    let seen: BTreeSet<String> =
        few().map(|branches| format!("{:?} {}", branches.mode, branches.genesis)).collect();
    assert_eq!(seen.len(), 8, "every mode, with and without a position before: {seen:?}");
    for branches in few() {
        assert_nothing_is_free(&Example::new(branches), branches);
    }
}

#[test]
#[ignore = "a campaign of minutes: all branches, several witnesses each"]
fn campaign_all_branches() {
    let mut rng = StdRng::seed_from_u64(2);
    for branches in Branches::all() {
        assert_nothing_is_free(&Example::new(branches), branches);
        for _ in 0..2 {
            assert_nothing_is_free(&varied(branches, &mut rng), branches);
        }
    }
}

/// An example with other amounts and times, edges included, and a position of its own.
fn varied(branches: Branches, rng: &mut StdRng) -> Example {
    let mut example = Example::new(branches);
    // What an acquirer may hold is limited by rule (50,000) and, without either limit in the
    // way, by 64 bits.
    let most = if branches.mode == Mode::Accept { 40_000 } else { u64::MAX - 1_000 };
    let amounts = [1_000u64, 5_000, most];
    if !branches.genesis {
        let holder = secret_key("example holder");
        let nk = NullifierKey::derive(
            &holder.agree(&example.witness.policy.agent),
            example.witness.policy.asset,
        );
        let mut pick = |choices: &[u64]| choices[rng.gen_range(0..choices.len())];
        let position = Position {
            balance: Fr::from(pick(&amounts)),
            in_flight: Fr::from(pick(&[250, 251, 400])),
            locked: Fr::from(pick(&[0, 1, 100])),
            unlock_at: Fr::from(pick(&[0, NOW - 1, NOW, NOW + 1, NOW + 500, (1 << 40) - 1])),
            rho: element("another rho", pick(&[0, 1, 2, 3])),
        };
        let holder = holder.public().holder();
        let mut notes = SparseTree::<NOTE_DEPTH>::from_leaves((0..9).map(|i| element("n", i)));
        let place = pick(&[0, 1, 8, 9, 4_000_000]);
        notes.set(place, position.commit(example.witness.policy.asset, holder, &nk).get());
        example.witness.position.position = position;
        example.witness.position.path = notes.path(place);
        example.context.position_root = NoteRoot::new(notes.root());
    }
    let out = if branches.genesis { vec![0] } else { vec![0, 1, 150] };
    let amount = out[rng.gen_range(0..out.len())];
    example.witness.outgoing.amount = Fr::from(amount);
    let deadlines = [0, 1, 86_400, (1 << 22) - 1];
    let deadline = NOW + deadlines[rng.gen_range(0..deadlines.len())];
    example.witness.outgoing.deadline = Fr::from(deadline);
    example.rederive();
    example
}

#[test]
fn nothing_is_free_at_edges_and_random_witnesses() {
    let mut rng = StdRng::seed_from_u64(1);
    for branches in few() {
        assert_nothing_is_free(&varied(branches, &mut rng), branches);
    }
}

/// Clauses in which some rows never bear load to first order: they compare integers, or exclude
/// one of finitely many combinations of bits. The tests that break one clause at a time are
/// their safeguard.
const FINITE: [&str; 8] = [
    "PositionMember",
    "DeliveryMember",
    "ValueConserved",
    "LockRespected",
    "JurisdictionAllowed",
    "InvestorEligible",
    "HoldingWithinLimit",
    "HoldersDelta",
];

/// Rows that bear no load on any of the branches, by clause. A row is tried with all public
/// inputs fixed, and with only those fixed that no witness determines.
fn never_bearing(
    branches: impl Iterator<Item = Branches>,
) -> (BTreeMap<&'static str, usize>, usize) {
    let mut never: Option<BTreeSet<usize>> = None;
    let mut rows = None;
    for branches in branches {
        let subject = Subject::new(&Example::new(branches), branches);
        let matrices = &subject.matrices;
        let map = LocalMap::at(matrices, matrices.assignment()).unwrap();
        let public: Vec<usize> = matrices.public_columns().collect();
        for fixed in [public.as_slice(), &CHOSEN] {
            let redundant: BTreeSet<usize> = map.redundant_rows(fixed).into_iter().collect();
            never = Some(match never {
                None => redundant,
                Some(never) => never.intersection(&redundant).copied().collect(),
            });
        }
        rows = Some((subject.trace, matrices.rows()));
    }
    let (trace, total) = rows.expect("there are branches");
    let mut by_clause = BTreeMap::new();
    for row in never.expect("there are branches") {
        *by_clause.entry(trace.clause_of(row).expect("every row has a clause")).or_insert(0) += 1;
    }
    (by_clause, total)
}

#[test]
fn nearly_every_row_bears_load() {
    let (never, total) = never_bearing(few());
    let clauses: BTreeSet<_> = never.keys().copied().collect();
    assert!(clauses.is_subset(&BTreeSet::from(FINITE)), "{never:?}");
    let count: usize = never.values().sum();
    assert!(50 * count < total, "{count} of {total} rows: {never:?}");
}

/// Deletes constraints and loosens copies in the production circuit; the audit must notice.
#[test]
fn mutants_of_the_whole_circuit_are_noticed() {
    let mut rng = StdRng::seed_from_u64(3);
    let branches = Branches {
        genesis: false,
        mode: Mode::Accept,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: true,
    };
    let subject = Subject::new(&Example::new(branches), branches);
    let map = LocalMap::at(&subject.matrices, subject.matrices.assignment()).unwrap();
    let public: Vec<usize> = subject.matrices.public_columns().collect();
    let redundant: BTreeSet<usize> = map.redundant_rows(&public).into_iter().collect();
    let declaration = &subject.declaration;
    let freedom = map.freedom(&public);
    assert_eq!(freedom, declaration.free.len() - declaration.equations);
    let mut tried = 0;
    for (name, rows) in &subject.trace.blocks {
        let row = rng.gen_range(rows.clone());
        if redundant.contains(&row) {
            continue;
        }
        let mutant = subject.matrices.without_row(row);
        let found = LocalMap::at(&mutant, mutant.assignment()).unwrap().freedom(&public);
        assert_eq!(found, freedom + 1, "{name}: row {row} deleted");

        let columns = subject.matrices.columns_of(row);
        let column = columns[rng.gen_range(0..columns.len())];
        let mutant = subject.matrices.with_loose_copy(column, row);
        let findings = audit(&mutant, mutant.assignment(), declaration).unwrap();
        assert_ne!(findings, [], "{name}: loose copy of {column} in row {row}");
        tried += 1;
    }
    assert!(tried >= 12, "{tried} mutants of each kind");
}
