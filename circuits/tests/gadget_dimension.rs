//! Each gadget alone, with its arguments as inputs: what it allocates is a function of what it is
//! given. A whole-circuit check can hide a copy that is not tied to its original, where something
//! else happens to pin the copy; this one cannot.

use ark_bn254::Fr;
use ark_relations::gr1cs::{ConstraintSystem, SynthesisError};
use placet_circuits::analysis::{LocalMap, Matrices};
use placet_circuits::builder::{Builder, Var, as_field};
use placet_circuits::credential::{IdentityVar, InvestorVar, enforce_trusted};
use placet_circuits::delivery::DeliveryVar;
use placet_circuits::keys::KeyVar;
use placet_circuits::merkle::{index_bits, root};
use placet_circuits::policy::{PolicyVar, RuleVar};
use placet_circuits::position::PositionVar;
use placet_protocol::example::{Branches, Example, element, secret_key};
use placet_protocol::tag::Tag;
use placet_protocol::transfer::Mode;

type Result = std::result::Result<(), SynthesisError>;

/// Synthesizes a gadget whose arguments are declared inputs, and asserts that nothing else moves
/// while they stand still.
fn assert_function_of_inputs(name: &str, gadget: impl FnOnce(&Builder) -> Result) {
    let cs = ConstraintSystem::new_ref();
    let builder = Builder::new(cs.clone());
    gadget(&builder).unwrap();
    let trace = builder.into_trace();
    let matrices = Matrices::extract(&cs).unwrap();
    let inputs: Vec<usize> =
        trace.inputs.iter().map(|variable| matrices.column(*variable).unwrap()).collect();
    assert!(matrices.rows() > 0 && !inputs.is_empty(), "{name} is not empty");
    let map = LocalMap::at(&matrices, matrices.assignment())
        .unwrap_or_else(|| panic!("{name} is satisfied"));
    assert_eq!(map.undetermined(&inputs), [0; 0], "{name}");
    let idle: Vec<usize> = map.idle().into_iter().filter(|wire| !inputs.contains(wire)).collect();
    assert_eq!(idle, [0; 0], "{name}");
}

fn inputs<const N: usize>(b: &Builder, values: [u64; N]) -> [Var; N] {
    values.map(|value| b.input(Fr::from(value)).unwrap())
}

fn example() -> Example {
    Example::new(Branches {
        genesis: false,
        mode: Mode::Accept,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: true,
    })
}

#[test]
fn arithmetic_is_a_function_of_its_arguments_at_edges_too() {
    for x in [0u64, 1, 2, 255, 256] {
        assert_function_of_inputs("is_zero", |b| b.is_zero(&inputs(b, [x])[0]).map(drop));
        assert_function_of_inputs("quotient", |b| {
            let [n, d] = inputs(b, [x, 3]);
            b.quotient(&n, &d).map(drop)
        });
        assert_function_of_inputs("range", |b| b.range(&inputs(b, [x])[0], 9));
        for y in [0u64, 1, 255, 256] {
            assert_function_of_inputs("less_than", |b| {
                let [x, y] = inputs(b, [x, y]);
                b.less_than(&x, &y, 9).map(drop)
            });
            for condition in [false, true] {
                assert_function_of_inputs("choose", |b| {
                    let condition = as_field(&b.input_bit(condition)?);
                    let [x, y] = inputs(b, [x, y]);
                    let _ = b.choose(&condition, &x, &y);
                    Ok(())
                });
            }
        }
    }
}

/// The one case the caller must exclude is found where it is not excluded.
#[test]
fn zero_divided_by_zero_is_the_callers_affair() {
    let cs = ConstraintSystem::new_ref();
    let builder = Builder::new(cs.clone());
    let [n, d] = inputs(&builder, [0, 0]);
    let _ = builder.quotient(&n, &d).unwrap();
    let matrices = Matrices::extract(&cs).unwrap();
    let map = LocalMap::at(&matrices, matrices.assignment()).unwrap();
    let fixed: Vec<usize> = matrices.witness_columns().take(2).collect();
    assert_eq!(map.undetermined(&fixed), [fixed[1] + 1], "the quotient is free");
}

#[test]
fn hashes_are_functions_of_their_arguments() {
    for n in 1..=16usize {
        assert_function_of_inputs("hash", |b| {
            let args: Vec<_> = (0..n as u64)
                .map(|i| b.input(element("x", i)))
                .collect::<std::result::Result<_, _>>()?;
            let args: Vec<_> = args.iter().collect();
            let _ = placet_circuits::poseidon::hash(b, Tag::Node, &args)?;
            placet_circuits::poseidon::hash_tagged(b, args[0], &args).map(drop)
        });
    }
}

#[test]
fn keys_are_functions_of_their_bits_and_the_agent() {
    let agent = secret_key("agent").public();
    for label in ["a", "b", "c"] {
        let key = secret_key(label);
        assert_function_of_inputs("key", |b| {
            let var = KeyVar::new(b, &key.representative_bits())?;
            let _ = var.public_x(b)?;
            let (x, y) = (b.input(agent.x())?, b.input(agent.y())?);
            var.agree_x(b, &x, &y).map(drop)
        });
    }
}

#[test]
fn openings_and_paths_are_functions_of_their_fields() {
    let example = example();
    let witness = &example.witness;
    assert_function_of_inputs("policy", |b| PolicyVar::new(b, &witness.policy)?.hash(b).map(drop));
    assert_function_of_inputs("position", |b| {
        let [asset, holder, nk] = inputs(b, [5, 6, 7]);
        let position = PositionVar::new(b, &witness.position.position)?;
        let _ = position.commit(b, &asset, &holder, &nk)?;
        position.nullifier(b, &nk).map(drop)
    });
    assert_function_of_inputs("delivery", |b| {
        let [asset] = inputs(b, [5]);
        DeliveryVar::new(b, &witness.incoming.delivery)?.commit(b, &asset).map(drop)
    });
    assert_function_of_inputs("credentials", |b| {
        let [holder, attestor] = inputs(b, [5, 6]);
        let _ = IdentityVar::new(b, &witness.identity.credential)?.leaf(b, &holder, &attestor)?;
        let _ = InvestorVar::new(b, &witness.investor.credential)?.leaf(b, &holder, &attestor)?;
        let places = inputs(b, [1, 2, 6, 0, 0, 0, 0, 0]);
        enforce_trusted(&Var::one(), &attestor, &places)
    });
    assert_function_of_inputs("rule and path", |b| {
        let rule = RuleVar::new(b, &witness.rule)?;
        let path = &witness.rule_path;
        root(b, &rule.leaf(), path, &index_bits(b, path)?).map(drop)
    });
}
