//! A million credentials, as a campaign: `cargo test -p placet-registry --test million -- --ignored
//! --nocapture`. Spec §4.
//!
//! It has a process of its own, because it looks at the most memory that the process ever had.

mod support;

use std::time::Instant;

use ark_bn254::Fr;
use placet_protocol::credential::{attestor_id, leaf};
use placet_protocol::field::CredentialInner;
use placet_protocol::merkle::{REGISTRY_DEPTH, SparseTree};
use placet_registry::credentials::{self, Issuance};
use placet_registry::tree::Tree;
use support::Store;

const MILLION: u64 = 1_000_000;
const TREE: Tree<REGISTRY_DEPTH> = Tree::new("million");

/// A line of `/proc/self/status` in MiB; `None` where there is no such file.
fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|entry| entry.strip_prefix(line))?;
    Some(value.trim_start_matches(':').trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)
}

/// Seconds of processor time so far over all threads; 0 where there is no such file.
fn cpu() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    // Behind the name in brackets, the 12th and 13th field: ticks, of which Linux has 100 a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[test]
#[ignore = "a million credentials take about ten seconds"]
fn a_million_credentials_are_appended_in_bounded_memory() {
    let attestor = attestor_id(&[1; 32]);
    let inner = |i: u64| CredentialInner::new(Fr::from(i));
    let issuances: Vec<Issuance<'_>> = (1..=MILLION)
        .map(|i| Issuance { attestor, sequence: i, inner: inner(i), tags: None })
        .collect();
    let before = memory("VmRSS");

    let store = Store::new();
    let (begin, start) = (Instant::now(), cpu());
    store.commit(|txn| credentials::issue_all(txn, &issuances, 1_800_000_000)).unwrap();
    let (issued, issuing) = (begin.elapsed(), cpu() - start);
    let after_issuing = memory("VmHWM");

    let leaves = credentials::leaves(&store.read(), 0..MILLION).unwrap();
    let other = Store::new();
    let (begin, start) = (Instant::now(), cpu());
    other.commit(|txn| TREE.append_batch(txn, &leaves)).unwrap();
    let (appended, appending) = (begin.elapsed(), cpu() - start);
    println!(
        "a million credentials wrapped, recorded and appended, with the commit: {issued:.1?}, \
         processor time {issuing:.1} s; their leaves alone appended to another tree: \
         {appended:.1?}, processor time {appending:.1} s"
    );
    if let (Some(before), Some(most)) = (before, after_issuing) {
        let own = most.saturating_sub(before);
        println!("memory: {before} MiB with the list, {own} MiB more at most while issuing");
        // The store's cache of a gibibyte is most of it.
        assert!(own < 1536, "{own} MiB are more than a cache and a few pieces of the tree");
    }

    // Every five hundredth path, and the root by another way.
    let model = SparseTree::<REGISTRY_DEPTH>::from_leaves(leaves.iter().copied());
    let txn = store.read();
    assert_eq!(credentials::root(&txn).unwrap().get(), model.root());
    assert_eq!(TREE.root(&other.read()).unwrap(), model.root());
    for index in (0..MILLION).step_by(500) {
        let path = credentials::path(&txn, index).unwrap();
        assert_eq!(path.root(leaf(attestor, inner(index + 1))), model.root());
    }
}
