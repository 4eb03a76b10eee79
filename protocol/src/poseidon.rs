//! `H(tag; x1..xn)`: one Poseidon permutation with circomlib's parameters. Spec §2.
//!
//! Width t = n + 1, S-box x^5, 8 full rounds; state `[tag, x1..xn]`, output cell 0. With tag 0 it
//! is circomlib's Poseidon. Fixed arity only: nothing of variable length is ever hashed with it.
//! Twin: `circuits/src/poseidon.rs`. How it is computed fast stands in `poseidon/schedule.rs`; the
//! values are those of the rounds as published, S-box by S-box.

mod limbs;
mod schedule;

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_crypto_primitives::sponge::poseidon::find_poseidon_ark_and_mds;

use self::schedule::{Nobody, Observer, Schedule};
use crate::tag::Tag;

/// Full rounds at every width; half before and half behind the partial ones.
pub const FULL_ROUNDS: usize = 8;
/// Partial rounds for widths 2 to 17, circomlib's table.
pub const PARTIAL_ROUNDS: [usize; 16] =
    [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];
/// Most inputs one permutation takes.
pub const MAX_INPUTS: usize = 16;

/// Round constants and matrix for one width.
#[derive(Debug)]
pub struct Parameters {
    /// `constants[round][cell]`, added before the S-boxes.
    pub constants: Vec<Vec<Fr>>,
    /// The MDS matrix, `matrix[row][column]`.
    pub matrix: Vec<Vec<Fr>>,
    /// Partial rounds at this width.
    pub partial_rounds: usize,
}

impl Parameters {
    /// Parameters of state width `t`, 2 to 17; generated once per width and process.
    ///
    /// # Panics
    /// If `t` is not in 2..=17; every caller hashes a fixed arity.
    pub fn of_width(t: usize) -> &'static Self {
        static TABLE: [OnceLock<Parameters>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
        assert!((2..=MAX_INPUTS + 1).contains(&t), "Poseidon is defined for widths 2 to 17");
        TABLE[t - 2].get_or_init(|| {
            let partial_rounds = PARTIAL_ROUNDS[t - 2];
            let (constants, matrix) = find_poseidon_ark_and_mds::<Fr>(
                254,
                t - 1,
                FULL_ROUNDS as u64,
                partial_rounds as u64,
                0,
            );
            Self { constants, matrix, partial_rounds }
        })
    }
}

/// Not generic over the width, so that it is compiled here, with this crate's optimisation,
/// whichever crate hashes.
fn permute_with(state: &mut [Fr], observer: impl Observer) {
    macro_rules! by_width {
        ($($t:literal)*) => { match state.len() {
            $($t => {
                const VALUES: usize = 2 * ($t + PARTIAL_ROUNDS[$t - 2]);
                let state = state.try_into().expect("the length was matched");
                schedule($t).permute::<$t, VALUES>(state, observer)
            })*
            _ => panic!("Poseidon is defined for widths 2 to 17"),
        }};
    }
    by_width!(2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17)
}

/// Derived once per width and process.
fn schedule(t: usize) -> &'static Schedule {
    static TABLE: [OnceLock<Schedule>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
    TABLE[t - 2].get_or_init(|| Schedule::new(Parameters::of_width(t)))
}

/// Applies the permutation of width `state.len()` in place.
///
/// # Panics
/// If the width is not in 2..=17; every caller hashes a fixed arity.
pub fn permute(state: &mut [Fr]) {
    permute_with(state, Nobody);
}

/// [`permute`], and `observe` learns the input of every S-box in the order of the rounds: all cells
/// in each full round, cell 0 in each partial one.
///
/// # Panics
/// If the width is not in 2..=17.
pub fn permute_observed(state: &mut [Fr], observe: &mut impl FnMut(Fr)) {
    permute_watched(state, observe);
}

/// Not generic, as `permute`.
fn permute_watched(state: &mut [Fr], observe: &mut dyn FnMut(Fr)) {
    permute_with(state, observe);
}

/// The whole output state of `H(tag; inputs)`; cell 0 is the hash, the others are its `H_i`.
///
/// # Panics
/// If `N` is not in 1..=16.
pub fn cells<const N: usize>(tag: Fr, inputs: &[Fr; N]) -> Vec<Fr> {
    let mut state = Vec::with_capacity(N + 1);
    state.push(tag);
    state.extend_from_slice(inputs);
    permute(&mut state);
    state
}

/// `H(tag; inputs)`.
pub fn hash<const N: usize>(tag: Tag, inputs: [Fr; N]) -> Fr {
    let mut state = [tag.field(); MAX_INPUTS + 1];
    state[1..=N].copy_from_slice(&inputs);
    permute(&mut state[..=N]);
    state[0]
}
