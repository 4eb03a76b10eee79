//! What the statements of Placet cost on this machine, in words that need no cryptography: what
//! `placet bench` shows.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ark_bn254::Fr;
use placet_protocol::merkle::REGISTRY_DEPTH;
use placet_protocol::poseidon;
use placet_registry::tree::Tree;
use placet_verifier::{OsCoefficients, verify_batch};
use redb::Database;

use crate::prover::measure::Spread;
use crate::{batch, example, prover, timed_proof};

/// Proofs that are verified at once.
const BATCH: usize = 256;
/// Hashes in one sample: one alone is shorter than the clock can tell.
const HASHES: u32 = 1000;
/// Credentials that are in the measured registry before the first sample.
const REGISTERED: u64 = 10_000;

/// One thing that was measured.
#[derive(Clone, Debug)]
pub struct Figure {
    /// A stable name for scripts.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// Milliseconds on the wall, several times.
    pub ms: Spread,
}

fn figure(name: &'static str, what: &'static str, times: &[Duration]) -> Option<Figure> {
    let ms: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    Spread::of(&ms).map(|ms| Figure { name, what, ms })
}

/// Measures everything so many times, at least once; `progress` hears what is going on.
///
/// # Panics
/// If there are no development keys or no scratch directory: nothing can be measured then.
pub fn measure(rounds: usize, progress: &dyn Fn(&str)) -> Vec<Figure> {
    let rounds = rounds.max(1);
    progress("loading the proving key");
    let prover = prover();
    let example = example();
    let mut phases = Vec::with_capacity(rounds);
    // The first proof warms up.
    for round in 0..=rounds {
        progress(&format!("proving: {round} of {rounds}"));
        let (_, times) = timed_proof(&prover, &example);
        if round > 0 {
            phases.push(times);
        }
    }
    progress("verifying");
    let proofs = batch(&prover, BATCH);
    let key = prover.verifier();
    let single = repeat(rounds, || {
        let (public, proof) = black_box(&proofs[0]);
        assert!(key.verify(public, proof).is_ok(), "a good proof verifies");
    });
    let items: Vec<_> = proofs.iter().map(|(public, proof)| (public, *proof)).collect();
    let many = repeat(rounds, || {
        let verdict = verify_batch(key, black_box(&items), &mut OsCoefficients);
        assert!(verdict.is_ok(), "good proofs verify");
    });
    progress("hashing");
    let hashes = repeat(rounds, || {
        let mut value = Fr::from(1u8);
        for _ in 0..HASHES {
            value = poseidon::cells(Fr::from(0u8), black_box(&[value, value]))[0];
        }
        black_box(value);
    });
    let hash: Vec<Duration> = hashes.iter().map(|time| *time / HASHES).collect();
    progress("registering credentials");
    let registered = register(rounds);

    let phase = |of: fn(&crate::PhaseTimes) -> Duration| phases.iter().map(of).collect::<Vec<_>>();
    [
        figure(
            "check",
            "check that the transfer is allowed, before any cryptography",
            &phase(|p| p.check),
        ),
        figure("witness", "compute every value that the proof speaks of", &phase(|p| p.synthesize)),
        figure("prove", "make the proof", &phase(|p| p.prove)),
        figure(
            "self_verify",
            "verify the own proof before it leaves the wallet",
            &phase(|p| p.self_verify),
        ),
        figure(
            "transfer",
            "one transfer in all, from the press of the key to the proof",
            &phase(|p| p.total()),
        ),
        figure("verify", "verify somebody else's transfer, with one equation", &single),
        figure("verify_256", "verify 256 transfers at once", &many),
        figure("hash", "hash two numbers (Poseidon)", &hash),
        figure(
            "credential",
            "append a credential to the registry and commit it to disk",
            &registered,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn repeat(rounds: usize, mut work: impl FnMut()) -> Vec<Duration> {
    work();
    (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect()
}

/// Appends credentials one by one, the way a block with one of them does.
fn register(rounds: usize) -> Vec<Duration> {
    const TREE: Tree<REGISTRY_DEPTH> = Tree::new("bench");
    let directory = tempfile::tempdir().expect("a scratch directory");
    let database = Database::create(directory.path().join("registry.redb")).expect("a database");
    let append = |leaves: &[Fr]| {
        let txn = database.begin_write().expect("a transaction");
        TREE.append_batch(&txn, leaves).expect("free slots");
        txn.commit().expect("a commit");
    };
    append(&(1..=REGISTERED).map(Fr::from).collect::<Vec<_>>());
    repeat(rounds, || append(&[Fr::from(7u8)]))
}
