//! The persistent tree of credentials: append one, append 1024, read a path.
#![allow(missing_docs)] // the macros of criterion

use ark_bn254::Fr;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use placet_protocol::merkle::REGISTRY_DEPTH;
use placet_registry::tree::Tree;
use redb::{Database, ReadableDatabase};

const TREE: Tree<REGISTRY_DEPTH> = Tree::new("bench");

fn leaves(count: u64) -> Vec<Fr> {
    (1..=count).map(Fr::from).collect()
}

/// Appends and commits, the way a block does.
fn append(database: &Database, leaves: &[Fr]) {
    let txn = database.begin_write().expect("a transaction");
    TREE.append_batch(&txn, leaves).expect("free slots");
    txn.commit().expect("a commit");
}

fn registry(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let database = Database::create(directory.path().join("registry.redb")).expect("a database");
    append(&database, &leaves(10_000));
    let mut group = criterion.benchmark_group("registry");
    group.sample_size(10);
    for count in [1, 1024] {
        let batch = leaves(count);
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("append {count} and commit"), |bencher| {
            bencher.iter(|| append(&database, &batch));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("path", |bencher| {
        let txn = database.begin_read().expect("a transaction");
        let mut index = 0;
        bencher.iter(|| {
            index = (index + 7_919) % 10_000;
            TREE.path(&txn, index).expect("a leaf")
        });
    });
    group.finish();
}

criterion_group!(benches, registry);
criterion_main!(benches);
