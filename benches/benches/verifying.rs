//! Verification of `transfer`: one proof, and batches with one equation.
#![allow(missing_docs)] // the macros of criterion

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use placet_benches::{batch, prover};
use placet_verifier::{OsCoefficients, verify_batch};

fn verifying(criterion: &mut Criterion) {
    let prover = prover();
    let key = prover.verifier();
    let proofs = batch(&prover, 256);
    let mut group = criterion.benchmark_group("transfer/verify");
    group.sample_size(10);
    group.bench_function("single", |bencher| {
        bencher.iter(|| key.verify(&proofs[0].0, &proofs[0].1).expect("a good proof"));
    });
    for size in [1, 16, 64, 256] {
        let items: Vec<_> = proofs[..size].iter().map(|(public, proof)| (public, *proof)).collect();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::new("batch", size), &items, |bencher, items| {
            bencher.iter(|| verify_batch(key, items, &mut OsCoefficients).expect("good proofs"));
        });
    }
    group.finish();
}

criterion_group!(benches, verifying);
criterion_main!(benches);
