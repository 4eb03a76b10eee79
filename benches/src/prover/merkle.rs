//! A synthetic circuit of any size, as circom would make it: one Merkle path over Poseidon of two
//! inputs, so long that it fills the domain. The root is the only public input.
//!
//! A level has 246 constraints: the bit that says on which side the sibling is, the product that
//! swaps the two, three for each of Poseidon's 81 S-boxes, and one for the output. Linear steps
//! cost nothing and are written out in the S-boxes' rows, as `circom --O2` leaves them; that makes
//! some rows about sixty entries long.

use std::convert::Infallible;

use ark_bn254::Fr;
use ark_ff::Field;
use placet_circuits::Assignment;
use placet_params::CircuitDigest;
use placet_protocol::example::element;
use placet_protocol::field;
use placet_protocol::poseidon::{FULL_ROUNDS, Parameters, permute_observed};
use placet_protocol::statement::Statement;
use placet_snarkjs::r1cs::Rows;
use sha2::{Digest, Sha256};

/// Cells of the permutation: capacity and two inputs.
const WIDTH: usize = 3;
/// S-boxes of one permutation of this width: eight full rounds and 57 partial ones.
const BOXES: usize = FULL_ROUNDS * WIDTH + 57;
/// Constraints of a level.
pub const LEVEL_ROWS: usize = 2 + 3 * BOXES + 1;
/// Wires that a level adds: bit, sibling, product, three for each S-box, output.
const LEVEL_WIRES: usize = 3 + 3 * BOXES + 1;
/// Rows of the two instance variables, one and the root.
pub const INSTANCE: usize = 2;

/// Wires of one level as its rows name them: one and the node below, then the level's own.
mod local {
    pub const ONE: usize = 0;
    pub const NODE: usize = 1;
    pub const BIT: usize = 2;
    pub const SIBLING: usize = 3;
    pub const SWAP: usize = 4;
    pub const BOXES: usize = 5;
}
const LOCAL_WIRES: usize = local::BOXES + 3 * BOXES + 1;

/// The statement "this leaf is below this root", for typed keys. Nobody but the benches has it.
#[derive(Clone, Copy, Debug)]
pub enum Merkle {}

impl Statement for Merkle {
    const NAME: &'static str = "bench-merkle";
    // Far from the numbers of real statements.
    const ID: u32 = u32::MAX;
    const PUBLIC_INPUTS: usize = 1;
    type Public = Fr;
    type Witness = ();
    type Violation = Infallible;

    fn inputs(public: &Fr) -> Vec<Fr> {
        vec![*public]
    }
    /// There is nothing to refuse: the root is computed from the leaf.
    fn check(_: &Fr, (): &()) -> Result<(), Infallible> {
        Ok(())
    }
}

type Row = Vec<(Fr, usize)>;

/// The levels that fit into `2^size` rows.
pub fn levels(size: u32) -> usize {
    ((1usize << size) - INSTANCE) / LEVEL_ROWS
}

/// Witness variables with so many levels: the leaf, and each level's wires; the last output is the
/// root.
pub fn witnesses(levels: usize) -> usize {
    levels * LEVEL_WIRES
}

/// A linear combination over a level's wires.
type Combination = Vec<Fr>;

fn unit(wire: usize) -> Combination {
    let mut all = vec![Fr::from(0u8); LOCAL_WIRES];
    all[wire] = Fr::from(1u8);
    all
}

fn sum(a: &Combination, b: &Combination, factor: Fr) -> Combination {
    a.iter().zip(b).map(|(a, b)| *a + factor * b).collect()
}

fn row(combination: &Combination) -> Row {
    let entries = combination.iter().enumerate().map(|(wire, factor)| (*factor, wire));
    entries.filter(|(factor, _)| *factor != Fr::from(0u8)).collect()
}

/// The rows of one level over its local wires.
struct Template([Vec<Row>; 3]);

impl Template {
    fn new() -> Self {
        let mut rows: [Vec<Row>; 3] = Default::default();
        let mut push = |a: &Combination, b: &Combination, c: &Combination| {
            for (rows, combination) in rows.iter_mut().zip([a, b, c]) {
                rows.push(row(combination));
            }
        };
        let (plus, minus) = (Fr::from(1u8), -Fr::from(1u8));
        let zero = vec![Fr::from(0u8); LOCAL_WIRES];
        let [one, node, bit, sibling, swap] =
            [local::ONE, local::NODE, local::BIT, local::SIBLING, local::SWAP].map(unit);
        push(&bit, &sum(&one, &bit, minus), &zero);
        push(&bit, &sum(&sibling, &node, minus), &swap);
        let mut state = [zero, sum(&node, &swap, plus), sum(&sibling, &swap, minus)];
        let mut next_box = 0;
        for_each_round(|constants, boxes, matrix| {
            for (cell, constant) in state.iter_mut().zip(constants) {
                cell[local::ONE] += constant;
            }
            for cell in &mut state[..boxes] {
                let [square, fourth, fifth] =
                    [0, 1, 2].map(|power| unit(local::BOXES + 3 * next_box + power));
                push(cell, cell, &square);
                push(&square, &square, &fourth);
                push(&fourth, cell, &fifth);
                *cell = fifth;
                next_box += 1;
            }
            let mixed: [Combination; WIDTH] = std::array::from_fn(|i| {
                let first = vec![Fr::from(0u8); LOCAL_WIRES];
                state.iter().zip(&matrix[i]).fold(first, |all, (cell, f)| sum(&all, cell, *f))
            });
            state = mixed;
        });
        push(&state[0], &one, &unit(local::BOXES + 3 * BOXES));
        Self(rows)
    }
}

/// Round constants, number of S-boxes and matrix of each round, in order.
fn for_each_round(mut round: impl FnMut(&[Fr], usize, &[Vec<Fr>])) {
    let parameters = Parameters::of_width(WIDTH);
    let partial = FULL_ROUNDS / 2..FULL_ROUNDS / 2 + parameters.partial_rounds;
    for (number, constants) in parameters.constants.iter().enumerate() {
        let boxes = if partial.contains(&number) { 1 } else { WIDTH };
        round(constants, boxes, &parameters.matrix);
    }
}

/// The wire of the whole circuit behind a local one. Wire 1 is the root, 2 the leaf.
fn global(local: usize, level: usize, levels: usize) -> usize {
    let first = INSTANCE + 1 + level * LEVEL_WIRES;
    match local {
        local::ONE => 0,
        // The output of the level below, its last wire, or the leaf.
        local::NODE => first - 1,
        _ if local == LOCAL_WIRES - 1 && level + 1 == levels => 1,
        _ => first + local - local::BIT,
    }
}

/// The matrices A, B and C of the circuit that fills `2^size` rows.
pub fn matrices(size: u32) -> [Rows; 3] {
    let levels = levels(size);
    let template = Template::new();
    template.0.map(|rows| {
        let level = |level: usize| {
            rows.iter().map(move |row| {
                row.iter().map(|(factor, wire)| (*factor, global(*wire, level, levels))).collect()
            })
        };
        (0..levels).flat_map(level).collect()
    })
}

/// What a key of this circuit is bound to: one level's rows, and how many there are.
pub fn digest(size: u32) -> CircuitDigest {
    let mut hash = Sha256::new();
    hash.update(b"placet.bench.merkle.v1");
    hash.update((levels(size) as u64).to_le_bytes());
    for row in Template::new().0.iter().flatten() {
        hash.update((row.len() as u32).to_le_bytes());
        for (factor, wire) in row {
            hash.update((*wire as u32).to_le_bytes());
            hash.update(field::to_bytes(factor));
        }
    }
    CircuitDigest(hash.finalize().into())
}

/// The values of all wires and of the rows, computed natively. Siblings from level `known` on
/// depend on `attempt`; those below do not, so that a prover may know them beforehand.
pub fn values(size: u32, known: usize, attempt: u64) -> Assignment {
    let levels = levels(size);
    let mut wires = Vec::with_capacity(INSTANCE + witnesses(levels));
    let mut left = Vec::with_capacity(levels * LEVEL_ROWS);
    let mut right = Vec::with_capacity(levels * LEVEL_ROWS);
    let one = Fr::from(1u8);
    let mut node = element("bench leaf", 0);
    wires.extend([one, Fr::from(0u8), node]);
    for level in 0..levels {
        let attempt = if level < known { 0 } else { attempt };
        let sibling = element("bench sibling", attempt << 32 | level as u64);
        let bit = Fr::from(((level as u64 * 0x9e37_79b9) >> 7) & 1);
        let swap = bit * (sibling - node);
        wires.extend([bit, sibling, swap]);
        left.extend([bit, bit]);
        right.extend([one - bit, sibling - node]);
        let mut state = [Fr::from(0u8), node + swap, sibling - swap];
        permute_observed(&mut state, &mut |input: Fr| {
            let square = input.square();
            let fourth = square.square();
            wires.extend([square, fourth, fourth * input]);
            left.extend([input, square, fourth]);
            right.extend([input, square, input]);
        });
        node = state[0];
        left.push(node);
        right.push(one);
        match level + 1 == levels {
            true => wires[1] = node,
            false => wires.push(node),
        }
    }
    Assignment { wires, left, right }
}

#[cfg(test)]
mod tests {
    use placet_protocol::poseidon;

    use super::*;

    fn evaluate(row: &Row, wires: &[Fr]) -> Fr {
        row.iter().map(|(factor, wire)| *factor * wires[*wire]).sum()
    }

    #[test]
    fn native_values_satisfy_the_matrices_and_name_their_rows() {
        for size in [8, 10] {
            let [a, b, c] = matrices(size);
            let values = values(size, 0, 1);
            assert_eq!(values.wires.len(), INSTANCE + witnesses(levels(size)));
            assert_eq!(a.len(), levels(size) * LEVEL_ROWS);
            for i in 0..a.len() {
                let [left, right, product] =
                    [&a[i], &b[i], &c[i]].map(|row| evaluate(row, &values.wires));
                assert_eq!((left, right), (values.left[i], values.right[i]), "row {i}");
                assert_eq!(left * right, product, "row {i}");
            }
        }
    }

    #[test]
    fn the_root_is_that_of_circomlibs_hash() {
        let values = values(8, 0, 0);
        let [leaf, bit, sibling] = [2, 3, 4].map(|wire| values.wires[wire]);
        assert_eq!(bit, Fr::from(0u8));
        assert_eq!(values.wires[1], poseidon::cells(Fr::from(0u8), &[leaf, sibling])[0]);
    }

    #[test]
    fn the_circuit_fills_its_domain_to_within_a_level() {
        for size in 8..=18 {
            let rows = levels(size) * LEVEL_ROWS + INSTANCE;
            assert!(rows <= 1 << size && rows + LEVEL_ROWS > 1 << size, "{size}: {rows}");
            // Else a smaller domain would do.
            assert!(rows > 1 << (size - 1), "{size}: {rows}");
        }
    }

    #[test]
    fn another_attempt_leaves_what_was_known_as_it_was() {
        let [first, second] = [0, 1].map(|attempt| values(10, 3, attempt));
        let known = INSTANCE + 1 + 3 * LEVEL_WIRES;
        assert_eq!(first.wires[2..known], second.wires[2..known]);
        assert_ne!(first.wires[1], second.wires[1]);
    }
}
