//! The permutation as it is computed equals the rounds as they are published, S-box by S-box, at
//! every width and on any state. Spec §2.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use placet_protocol::Fr;
use placet_protocol::poseidon::{
    FULL_ROUNDS, MAX_INPUTS, Parameters, cells, permute, permute_observed,
};
use proptest::prelude::*;

/// The rounds word for word: add constants, S-boxes, matrix. Returns the S-boxes' inputs.
fn textbook(state: &mut Vec<Fr>) -> Vec<Fr> {
    let parameters = Parameters::of_width(state.len());
    let partial = FULL_ROUNDS / 2..FULL_ROUNDS / 2 + parameters.partial_rounds;
    let mut inputs = Vec::new();
    for (round, constants) in parameters.constants.iter().enumerate() {
        for (cell, constant) in state.iter_mut().zip(constants) {
            *cell += constant;
        }
        let boxes = if partial.contains(&round) { 1 } else { state.len() };
        for cell in &mut state[..boxes] {
            inputs.push(*cell);
            *cell = cell.pow([5]);
        }
        *state = parameters
            .matrix
            .iter()
            .map(|row| row.iter().zip(&*state).map(|(factor, cell)| *factor * cell).sum())
            .collect();
    }
    inputs
}

fn compare(state: &[Fr]) {
    let mut expected = state.to_vec();
    let expected_inputs = textbook(&mut expected);

    let mut plain = state.to_vec();
    permute(&mut plain);
    assert_eq!(plain, expected, "width {}", state.len());

    let (mut watched, mut inputs) = (state.to_vec(), Vec::new());
    permute_observed(&mut watched, &mut |x| inputs.push(x));
    assert_eq!(watched, expected, "width {}", state.len());
    assert_eq!(inputs, expected_inputs, "width {}", state.len());
    // Equality of elements compares what is stored; a number above the prime would differ.
    assert!(inputs.iter().chain(&watched).chain(&plain).all(|x| x.0 < Fr::MODULUS));
}

/// Elements whose stored limbs are all ones, all zeros and in between, and the ends of the field.
fn edge() -> impl Strategy<Value = Fr> {
    let stored = prop_oneof![Just(0u64), Just(1), Just(u64::MAX), any::<u64>()];
    let by_limbs = proptest::array::uniform4(stored).prop_map(|mut limbs| {
        limbs[3] %= Fr::MODULUS.0[3] + 1;
        // Only the highest limb can be equal to the prime's.
        if limbs[3] == Fr::MODULUS.0[3] {
            limbs[2] %= Fr::MODULUS.0[2];
        }
        Fr::new_unchecked(ark_ff::BigInt(limbs))
    });
    let by_value = prop_oneof![
        Just(Fr::ZERO),
        Just(Fr::ONE),
        Just(-Fr::ONE),
        any::<u64>().prop_map(Fr::from),
    ];
    prop_oneof![3 => by_limbs, 1 => by_value]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_state_of_any_width_is_permuted_as_published(
        state in (2..=MAX_INPUTS + 1).prop_flat_map(|t| proptest::collection::vec(edge(), t)),
    ) {
        compare(&state);
    }
}

#[test]
fn every_width_is_permuted_as_published() {
    for t in 2..=MAX_INPUTS + 1 {
        compare(&vec![Fr::ZERO; t]);
        compare(&vec![-Fr::ONE; t]);
        // The permutation's own outputs, as states that no one chose.
        let mut state: Vec<Fr> = (0..t as u64).map(Fr::from).collect();
        for _ in 0..8 {
            compare(&state);
            permute(&mut state);
        }
    }
}

#[test]
fn a_hash_is_the_permutation_of_tag_and_inputs() {
    let (tag, inputs) = (Fr::from(9u8), [7u8, 8].map(Fr::from));
    let mut state = vec![tag, inputs[0], inputs[1]];
    textbook(&mut state);
    assert_eq!(cells(tag, &inputs), state);
}

#[test]
#[should_panic(expected = "widths 2 to 17")]
fn a_single_cell_has_no_permutation() {
    permute(&mut [Fr::ZERO]);
}

#[test]
#[should_panic(expected = "widths 2 to 17")]
fn eighteen_cells_have_no_permutation() {
    permute_observed(&mut [Fr::ZERO; 18], &mut |_| {});
}
