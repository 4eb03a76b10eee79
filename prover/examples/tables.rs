//! What tables cost and bring: time to build, to write and to map them, and of proofs with them, for
//! `transfer` with the development key. `cargo run -p placet-prover --example tables`

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use placet_protocol::example::{Branches, Example};
use placet_protocol::transfer::{Mode, Transfer};
use placet_prover::kernel::file::{file_name, open, save};
use placet_prover::kernel::{Arithmetic, Kernel, Tables};
use placet_prover::{ProofSeed, Prover};
use placet_setup::{default_cache_dir, development_keys};

/// Wall time in milliseconds.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("  {what}: {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    result
}

fn main() {
    let cache = default_cache_dir().expect("a cache directory");
    let (key, _) = development_keys::<Transfer>(&cache, &mut |_| {}).expect("development keys");
    let example = |mode, genesis| {
        Example::new(Branches {
            genesis,
            mode,
            selective: true,
            capital_rule: true,
            count_holders: true,
            lockup: true,
        })
    };
    let (truth, guess) = (example(Mode::Accept, false), example(Mode::Absent, false));
    let directory = tempfile::tempdir().expect("a temporary directory");
    println!("best arithmetic here: {:?}", Arithmetic::best());
    for tables in Tables::ALL {
        println!("{tables}");
        let prover = Prover::new(key.clone()).expect("the key is for this circuit");
        let (points, matrices) = (prover.key().points(), prover.constraints().clone());
        let begun = Instant::now();
        let transformed = AtomicU64::new(0);
        let kernel = Kernel::new(points, matrices.clone(), tables, &|done, _| {
            // Two points a place of the domain.
            if done >= 2 << 15 {
                let now = begun.elapsed().as_millis() as u64;
                let _ = transformed.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
            }
        })
        .expect("the key is for this circuit");
        println!(
            "  transformed after {} ms, built after {:.0} ms, {:.1} MB",
            transformed.into_inner(),
            begun.elapsed().as_secs_f64() * 1e3,
            kernel.memory() as f64 / 1e6
        );
        let path = directory.path().join(file_name("example", tables));
        timed("written", || save(&kernel, &path)).expect("the directory can be written");
        for _ in 0..3 {
            timed("mapped and checked", || open(&path, points, &matrices, tables)).expect("whole");
        }
        let mapped = open(&path, points, &matrices, tables).expect("whole");
        let seed = || ProofSeed::from_os().expect("randomness");
        for (name, kernel) in [("in memory", kernel), ("mapped", mapped)] {
            let prover = Prover::new(key.clone()).expect("the key is for this circuit");
            let prover = prover.with_kernel(kernel).expect("the kernel is of this key");
            for _ in 0..3 {
                timed(&format!("proof, {name}"), || {
                    prover.prove(&truth.public, &truth.witness, seed())
                })
                .expect("the statement holds");
            }
            let prepared = prover.prepare(&guess.public, &guess.witness).expect("a guess");
            for _ in 0..3 {
                timed(&format!("prepared proof, {name}"), || {
                    prover.prove_prepared(&prepared, &truth.public, &truth.witness, seed())
                })
                .expect("the statement holds");
            }
        }
    }
}
