//! The values computed by plain arithmetic are those of the synthesized constraint system: all
//! wires in their order, and every row of A and B as the matrices give it. For true statements in
//! every branch, for the blank filler, and for lies.

mod support;

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use ark_relations::gr1cs::{ConstraintSystem, Matrix, OptimizationGoal, SynthesisError};
use ark_std::rand::seq::SliceRandom;
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use placet_circuits::builder::{Builder, Interpreter, Var};
use placet_circuits::circuit::{Circuit, Record, assign, matrices, synthesize};
use placet_circuits::{poseidon, values};
use placet_protocol::example::{Branches, Example};
use placet_protocol::keys::{KEY_BITS, Scalar};
use placet_protocol::transfer::{Mode, PublicInputs, Transfer, Witness};
use support::lies::{mutate, mutate_public};
use support::plain;

fn matrix_rows() -> [Matrix<Fr>; 3] {
    let (public, witness) = Transfer::blank();
    matrices(&synthesize::<Transfer>(&public, &witness, Record::Constraints).unwrap()).unwrap()
}

fn times(matrix: &Matrix<Fr>, wires: &[Fr]) -> Vec<Fr> {
    matrix.iter().map(|row| row.iter().map(|(factor, wire)| *factor * wires[*wire]).sum()).collect()
}

fn assert_equal(name: &str, left: &[Fr], right: &[Fr]) {
    assert_eq!(left.len(), right.len(), "{name}: how many");
    let first = left.iter().zip(right).position(|(l, r)| l != r);
    assert_eq!(first, None, "{name}: the first that differs");
}

/// Compares with synthesis, and where matrices are given also with their product.
fn compare(name: &str, public: &PublicInputs, witness: &Witness, matrices: Option<&[Matrix<Fr>]>) {
    let native = assign::<Transfer>(public, witness).unwrap();
    let cs = synthesize::<Transfer>(public, witness, Record::AssignmentOnly).unwrap();
    let mut wires = cs.instance_assignment().unwrap().to_vec();
    wires.extend_from_slice(&cs.witness_assignment().unwrap());
    assert_equal(name, &native.wires, &wires);
    if let Some(matrices) = matrices {
        assert_equal(name, &native.left, &times(&matrices[0], &wires));
        assert_equal(name, &native.right, &times(&matrices[1], &wires));
    }
}

#[test]
fn every_branch_and_the_blank_filler() {
    let matrices = matrix_rows();
    let (public, witness) = Transfer::blank();
    compare("blank", &public, &witness, Some(&matrices));
    for (i, branches) in Branches::all().enumerate() {
        let example = Example::new(branches);
        let name = format!("{branches:?}");
        // The product with dense matrices is the slow part: a few combinations stand for all.
        let matrices = (i % 5 == 0).then_some(&matrices[..]);
        compare(&name, &example.public, &example.witness, matrices);
    }
}

#[test]
fn random_lies() {
    let matrices = matrix_rows();
    let all: Vec<_> = Branches::all().collect();
    let mut rng = StdRng::seed_from_u64(24);
    for round in 0..300 {
        let mut example = Example::new(*all.choose(&mut rng).unwrap());
        for _ in 0..rng.gen_range(1..6) {
            mutate(&mut example, &mut rng);
        }
        if rng.gen_bool(0.5) {
            example.rederive();
        }
        if rng.gen_bool(0.3) {
            mutate_public(&mut example, &mut rng);
        }
        let matrices = (round % 20 == 0).then_some(&matrices[..]);
        compare(&format!("lie {round}"), &example.public, &example.witness, matrices);
    }
}

/// Where a step of the multiplications divides by zero: the scalars that no statement can prove,
/// and their neighbours.
#[test]
fn degenerate_keys() {
    let matrices = matrix_rows();
    let mut example = Example::new(plain(Mode::Accept));
    let order = Scalar::MODULUS;
    let mut twice = order;
    twice.add_with_carry(&order);
    for offset in -4i64..=4 {
        let mut key = twice;
        let by = ark_ff::BigInt::from(offset.unsigned_abs());
        if offset < 0 {
            key.sub_with_borrow(&by)
        } else {
            key.add_with_carry(&by)
        };
        example.witness.key_bits = std::array::from_fn(|i| key.get_bit(i));
        let name = format!("2l + {offset}");
        compare(&name, &example.public, &example.witness, (offset == -1).then_some(&matrices[..]));
    }
    for bit in [false, true] {
        example.witness.key_bits = [bit; KEY_BITS];
        compare("equal bits", &example.public, &example.witness, Some(&matrices));
    }
}

/// A circuit of everything the builder can do, with constants in every place: where arkworks folds
/// them, plain arithmetic does.
fn constants_everywhere<I: Interpreter>(
    b: &Builder<I>,
    values: &[Fr; 3],
) -> Result<(), SynthesisError> {
    let early = b.public(values[0])?;
    let x = b.input(values[1])?;
    // Out of order: public wires stand before all others nevertheless.
    let late = b.public(values[2])?;
    let seven = Var::constant(Fr::from(7u8));
    let numbers = [early, x, late, seven.clone(), Var::zero(), Var::one()];
    let mut sums = vec![];
    for a in &numbers {
        for c in &numbers {
            a.enforce_equal(c)?;
            for product in &numbers {
                a.mul_equals(c, product)?;
            }
            sums.push(a + c * Fr::from(3u8) - a * c + c.clone() * (a.clone() - c) + Fr::from(5u8));
        }
    }
    for (i, sum) in sums.iter().enumerate() {
        let _ = b.is_zero(sum)?;
        let _ = b.quotient(sum, &numbers[i % 6])?;
        let _ = b.quotient_hinted(sum, &numbers[i % 6], Some(Fr::from(9u8)))?;
        let _ = b.less_than(sum, &seven, 9)?;
        sums[(i * 5) % 36].mul_equals(sum, &sums[(i * 11) % 36])?;
    }
    // Hashes with a constant in every place, of constants alone, and of sums.
    for place in 0..4 {
        let mut inputs = [&numbers[0], &sums[3], &numbers[1], &sums[20]];
        inputs[place] = &seven;
        poseidon::hash_tagged(b, inputs[0], &inputs[1..])?.enforce_equal(&sums[7])?;
    }
    let fixed = poseidon::hash_tagged(b, &seven, &[&Var::one()])?;
    let _ = &fixed * &numbers[1];
    Ok(())
}

#[test]
fn constants_in_every_place() {
    for values in [[1u8, 7, 0], [0, 0, 0], [7, 1, 1], [20, 30, 40]] {
        let values = values.map(Fr::from);
        let cs = ConstraintSystem::new_ref();
        cs.set_optimization_goal(OptimizationGoal::Constraints);
        constants_everywhere(&Builder::new(cs.clone()), &values).unwrap();
        cs.finalize();
        let mut wires = cs.instance_assignment().unwrap().to_vec();
        wires.extend_from_slice(&cs.witness_assignment().unwrap());
        let [a, b, _] = matrices(&cs).unwrap();
        let native = values::assign(|b| constants_everywhere(b, &values)).unwrap();
        assert_equal("wires", &native.wires, &wires);
        assert_equal("left", &native.left, &times(&a, &wires));
        assert_equal("right", &native.right, &times(&b, &wires));
    }
}
