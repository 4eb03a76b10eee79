//! The native check and the circuit give the same verdict on random lies: single fields and pairs
//! of fields of valid statements are changed at random, with and without recomputing what follows.

mod support;

use ark_std::rand::seq::SliceRandom;
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use placet_protocol::example::{Branches, Example};
use placet_protocol::transfer::check;
use support::lies::{mutate, mutate_public};
use support::violated_clauses;

/// Runs `rounds` lies from `seed` and returns how many both sides accepted.
fn campaign(seed: u64, rounds: usize) -> usize {
    let all: Vec<_> = Branches::all().collect();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut both_accepted = 0;
    for round in 0..rounds {
        let branches = *all.choose(&mut rng).unwrap();
        let mut example = Example::new(branches);
        for _ in 0..rng.gen_range(1..3) {
            mutate(&mut example, &mut rng);
        }
        example.rederive();
        if rng.gen_bool(0.1) {
            mutate_public(&mut example, &mut rng);
        }
        let native = check(&example.public, &example.witness);
        let circuit = violated_clauses(&example);
        assert_eq!(
            native.is_ok(),
            circuit.is_empty(),
            "seed {seed}, round {round}, {branches:?}: native {native:?}, circuit {circuit:?}"
        );
        both_accepted += usize::from(native.is_ok());
    }
    both_accepted
}

#[test]
fn native_check_and_circuit_agree_on_random_lies() {
    let accepted = campaign(7, 400);
    // Some changes are harmless; if none or all were, the comparison would say nothing.
    assert!((20..380).contains(&accepted), "{accepted} accepted");
}

/// `cargo test -p placet-circuits --test differential -- --ignored campaign`; the environment
/// variable `SEEDS` sets how many runs of 400 lies, 10 by default.
#[test]
#[ignore = "long; run before a release"]
fn campaign_of_many_seeds() {
    let seeds = std::env::var("SEEDS").map_or(10, |text| text.parse().expect("a number"));
    for seed in 100..100 + seeds {
        campaign(seed, 400);
    }
}
