//! The persistent tree of credentials: append one, 1024 or 100,000, issue a list, read a path. A
//! million at once are a campaign of the crate `registry`.
#![allow(missing_docs)] // the macros of criterion

use ark_bn254::Fr;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use placet_protocol::credential::attestor_id;
use placet_protocol::field::CredentialInner;
use placet_protocol::merkle::REGISTRY_DEPTH;
use placet_registry::credentials::{self, Issuance};
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
    for count in [1, 1024, 100_000] {
        let batch = leaves(count);
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("append {count} and commit"), |bencher| {
            bencher.iter(|| append(&database, &batch));
        });
    }
    let attestor = attestor_id(&[1; 32]);
    let mut issued = 0;
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("issue 10,000 credentials and commit", |bencher| {
        bencher.iter(|| {
            let list: Vec<Issuance<'_>> = (issued + 1..=issued + 10_000)
                .map(|sequence| Issuance {
                    attestor,
                    sequence,
                    inner: CredentialInner::new(Fr::from(sequence)),
                    tags: None,
                })
                .collect();
            issued += 10_000;
            let txn = database.begin_write().expect("a transaction");
            credentials::issue_all(&txn, &list, 0).expect("new credentials");
            txn.commit().expect("a commit");
        });
    });
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
