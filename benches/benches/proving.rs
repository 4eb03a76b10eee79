//! One proof of `transfer`, by phase: native check, synthesis, Groth16, self-verification.
#![allow(missing_docs)] // the macros of criterion

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use placet_benches::{example, prover, timed_proof};
use placet_prover::Phase;

fn proving(criterion: &mut Criterion) {
    let prover = prover();
    let example = example();
    let mut group = criterion.benchmark_group("transfer/prove");
    group.sample_size(10);
    for (name, phase) in [
        ("1 native check", Phase::Check),
        ("2 synthesis", Phase::Synthesize),
        ("3 groth16", Phase::Prove),
        ("4 self-verify", Phase::SelfVerify),
    ] {
        // Each sample is one phase of whole proofs, so that caches are as cold as in real use.
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| timed_proof(&prover, &example).1.of(phase))
                    .sum::<Duration>()
            });
        });
    }
    group.bench_function("whole", |bencher| bencher.iter(|| timed_proof(&prover, &example)));
    group.finish();
}

criterion_group! {
    name = benches;
    // A phase of a microsecond would otherwise ask for millions of whole proofs.
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(1));
    targets = proving
}
criterion_main!(benches);
