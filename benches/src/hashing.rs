//! The hash of the protocol beside other implementations of it: one Poseidon permutation at each
//! width, ours, that of ark-crypto-primitives with the same parameters, and light-poseidon. Who
//! begins changes from round to round, and all three have to agree before they are measured.

use std::hint::black_box;
use std::time::Instant;

use ark_bn254::Fr;
use ark_crypto_primitives::sponge::poseidon::{PoseidonConfig, PoseidonSponge};
use ark_crypto_primitives::sponge::{CryptographicSponge, FieldBasedCryptographicSponge};
use placet_protocol::poseidon::{FULL_ROUNDS, MAX_INPUTS, Parameters, permute};
use serde::Serialize;

use crate::prover::measure::Spread;

/// Hashes in one sample, each of the one before it: one alone is shorter than the clock can tell.
const HASHES: u32 = 200;

/// What was measured at one width.
#[derive(Clone, Debug, Serialize)]
pub struct Width {
    /// Inputs of the hash: one less than the width.
    pub inputs: usize,
    /// Microseconds for one of our hashes.
    pub ours_us: Spread,
    /// The same of ark-crypto-primitives.
    pub ark_us: Spread,
    /// The same of light-poseidon; none without the feature `rivals`, nor beyond the 12 inputs that
    /// it has constants for.
    pub light_us: Option<Spread>,
    /// How many times as long the others take, by the medians.
    pub ratio: Ratio,
}

/// Time of others by our time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    /// Of ark-crypto-primitives.
    pub ark: f64,
    /// Of light-poseidon, where it was measured.
    pub light: Option<f64>,
}

/// Someone who hashes.
type Hash<'a> = Box<dyn FnMut(&[Fr]) -> Fr + 'a>;

/// Measures every width in so many rounds, at least one; `progress` hears what is going on.
///
/// # Panics
/// If the implementations disagree: then there is nothing to compare.
pub fn measure(rounds: usize, progress: &dyn Fn(&str)) -> Vec<Width> {
    (1..=MAX_INPUTS)
        .map(|inputs| {
            progress(&format!("hashing {inputs} of at most {MAX_INPUTS} inputs"));
            width(inputs, rounds.max(1))
        })
        .collect()
}

fn width(inputs: usize, rounds: usize) -> Width {
    let mut hashers: Vec<Hash<'_>> = vec![ours(), ark(inputs)];
    hashers.extend(light(inputs));
    let values: Vec<Fr> = (1..=inputs as u64).map(Fr::from).collect();
    let expected = hashers[0](&values);
    for hash in &mut hashers {
        assert_eq!(hash(&values), expected, "all hash alike");
    }

    let mut times = vec![Vec::with_capacity(rounds); hashers.len()];
    for round in 0..rounds {
        for turn in 0..hashers.len() {
            let who = (round + turn) % hashers.len();
            times[who].push(sample(&mut hashers[who], &values));
        }
    }
    let spreads: Vec<Spread> =
        times.iter().map(|times| Spread::of(times).expect("there is a round")).collect();
    let (ours_us, ark_us, light_us) = (spreads[0], spreads[1], spreads.get(2).copied());
    let ratio = Ratio {
        ark: ark_us.median / ours_us.median,
        light: light_us.map(|light| light.median / ours_us.median),
    };
    Width { inputs, ours_us, ark_us, light_us, ratio }
}

/// Microseconds for one hash.
fn sample(hash: &mut Hash<'_>, values: &[Fr]) -> f64 {
    let mut values = values.to_vec();
    let begin = Instant::now();
    for _ in 0..HASHES {
        values[0] = hash(black_box(&values));
    }
    let time = begin.elapsed();
    black_box(values);
    time.as_secs_f64() * 1e6 / f64::from(HASHES)
}

fn ours() -> Hash<'static> {
    Box::new(|values| {
        let mut state = [Fr::from(0u8); MAX_INPUTS + 1];
        state[1..=values.len()].copy_from_slice(values);
        permute(&mut state[..=values.len()]);
        state[0]
    })
}

fn ark(inputs: usize) -> Hash<'static> {
    let parameters = Parameters::of_width(inputs + 1);
    // A sponge as large as the state, of which exactly one permutation is made.
    let fresh = PoseidonSponge::new(&PoseidonConfig::new(
        FULL_ROUNDS,
        parameters.partial_rounds,
        5,
        parameters.matrix.clone(),
        parameters.constants.clone(),
        inputs,
        1,
    ));
    let mut sponge = fresh.clone();
    Box::new(move |values| {
        sponge.state.clone_from(&fresh.state);
        sponge.mode = fresh.mode.clone();
        sponge.absorb(&values);
        let _: Vec<Fr> = sponge.squeeze_native_field_elements(1);
        sponge.state[0]
    })
}

#[cfg(any(feature = "rivals", test))]
fn light(inputs: usize) -> Option<Hash<'static>> {
    use light_poseidon::{Poseidon, PoseidonHasher};

    let mut hasher = Poseidon::<Fr>::new_circom(inputs).ok()?;
    // One state is the capacity.
    (inputs < light_poseidon::MAX_X5_LEN).then(|| -> Hash<'static> {
        Box::new(move |values| {
            hasher.hash(values).expect("the inputs are as many as it was made for")
        })
    })
}

#[cfg(not(any(feature = "rivals", test)))]
fn light(_: usize) -> Option<Hash<'static>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_is_compared_with_all_who_know_it() {
        let widths = measure(1, &|_| {});
        assert!(widths.iter().map(|width| width.inputs).eq(1..=MAX_INPUTS));
        for Width { inputs, ours_us, ark_us, light_us, ratio } in widths {
            assert!(ours_us.median > 0.0 && ark_us.median > 0.0);
            assert_eq!(light_us.is_some(), inputs <= 12);
            assert_eq!(ratio.light.is_some(), inputs <= 12);
            assert!((ratio.ark * ours_us.median / ark_us.median - 1.0).abs() < 1e-9);
        }
    }
}
