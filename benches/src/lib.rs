//! Measurements that `placet bench` makes, and what the criterion benches share: a prover with
//! development keys and statements to prove.
//!
//! `cargo bench -p placet-benches -- --quick` runs all of them briefly. Compare numbers of one
//! run only.

pub mod flood;
pub mod hashing;
pub mod load;
pub mod network;
pub mod prover;
pub mod statements;

use std::time::{Duration, Instant};

use placet_kernel::{Kernel, Tables};
use placet_protocol::example::{Branches, Example};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transfer::{Mode, PublicInputs, Transfer};
use placet_prover::{Phase, ProofSeed, Prover};
use placet_setup::{default_cache_dir, development_keys};

/// A prover with the user's cached development keys, generated the first time, and full tables.
///
/// # Panics
/// If there is no usable cache directory: nothing can be measured then.
pub fn prover() -> Prover<Transfer> {
    let cache = default_cache_dir().expect("a cache directory");
    let (key, _) = development_keys(&cache, &mut |_| {}).expect("development keys");
    let prover = Prover::<Transfer>::new(key).expect("the keys are for this circuit");
    let points = prover.key().points();
    let kernel = Kernel::new(points, prover.constraints().clone(), Tables::Full, &|_, _| {});
    prover.with_kernel(kernel.expect("the key fits its circuit")).expect("made from its key")
}

/// A transfer that accepts a delivery under a policy with every rule: the most work natively.
pub fn example() -> Example {
    Example::new(Branches {
        genesis: false,
        mode: Mode::Accept,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: true,
    })
}

/// How long each phase of one proof took.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhaseTimes {
    /// The native check.
    pub check: Duration,
    /// Computing all wires.
    pub synthesize: Duration,
    /// The Groth16 computation.
    pub prove: Duration,
    /// Verifying the own proof.
    pub self_verify: Duration,
}

impl PhaseTimes {
    /// The time of one phase.
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Check => self.check,
            Phase::Synthesize => self.synthesize,
            Phase::Prove => self.prove,
            Phase::SelfVerify => self.self_verify,
        }
    }

    /// All four.
    pub fn total(&self) -> Duration {
        self.check + self.synthesize + self.prove + self.self_verify
    }
}

/// Makes one proof and says how long each phase took.
///
/// # Panics
/// If the example cannot be proven: nothing can be measured then.
pub fn timed_proof(prover: &Prover<Transfer>, example: &Example) -> (ProofBytes, PhaseTimes) {
    let mut begins: Vec<Instant> = Vec::with_capacity(5);
    let seed = ProofSeed::from_os().expect("randomness");
    let proof = prover
        .prove_observed(&example.public, &example.witness, seed, &mut |_| {
            begins.push(Instant::now());
        })
        .expect("the example holds");
    begins.push(Instant::now());
    let [check, synthesize, prove, self_verify] =
        std::array::from_fn(|phase| begins[phase + 1] - begins[phase]);
    (proof.to_bytes(), PhaseTimes { check, synthesize, prove, self_verify })
}

/// Public inputs and proofs of a batch; four distinct proofs, repeated.
pub fn batch(prover: &Prover<Transfer>, size: usize) -> Vec<(PublicInputs, ProofBytes)> {
    let distinct: Vec<(PublicInputs, ProofBytes)> =
        [Mode::Absent, Mode::Accept, Mode::Refund, Mode::Settle]
            .into_iter()
            .take(size)
            .map(|mode| {
                let example = Example::new(Branches { mode, ..WITHOUT_RULES });
                (example.public.clone(), timed_proof(prover, &example).0)
            })
            .collect();
    distinct.into_iter().cycle().take(size).collect()
}

/// The smallest policy.
const WITHOUT_RULES: Branches = Branches {
    genesis: false,
    mode: Mode::Absent,
    selective: false,
    capital_rule: false,
    count_holders: false,
    lockup: false,
};

#[cfg(test)]
mod tests {
    use placet_verifier::{OsCoefficients, verify_batch};

    use super::*;

    #[test]
    fn what_is_measured_verifies() {
        let prover = prover();
        let proofs = batch(&prover, 2);
        let items: Vec<_> = proofs.iter().map(|(public, proof)| (public, *proof)).collect();
        assert_eq!(verify_batch(prover.verifier(), &items, &mut OsCoefficients), Ok(()));
        let (proof, times) = timed_proof(&prover, &example());
        assert_eq!(prover.verifier().verify(&example().public, &proof), Ok(()));
        assert!(times.prove > times.check, "{times:?}");
        assert_eq!(times.total(), times.check + times.synthesize + times.prove + times.self_verify);
    }
}
