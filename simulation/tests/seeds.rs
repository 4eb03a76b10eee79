//! Runs by seed: the two hundred of every change, a campaign of any size, and a look at one.

use std::collections::BTreeMap;

use placet_simulation::plan::Vice;
use placet_simulation::{Plan, Report, execute, simulate};

/// Runs of every change.
const SEEDS: u64 = 200;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Err(_) => default,
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    }
}

/// Panics with every broken seed, so that one failure does not hide the others; and if the runs did
/// not do what they are for.
fn all_hold(seeds: impl Iterator<Item = u64>) {
    let mut lies: BTreeMap<Vice, u64> = BTreeMap::new();
    let (mut evidence, mut convictions) = (0, 0);
    let (mut runs, mut blocks, mut executed) = (0, 0, 0u64);
    let mut failures = String::new();
    for seed in seeds {
        let report = simulate(seed);
        runs += 1;
        blocks += report.height;
        executed += report.transactions.1 as u64;
        evidence += report.evidence;
        convictions += u64::from(report.convicted);
        for (vice, times) in &report.lies {
            *lies.entry(*vice).or_default() += times;
        }
        if !report.violations.is_empty() {
            let shown: Vec<_> = report.violations.iter().take(3).collect();
            let line = format!("seed {seed}: {shown:#?}\n{}", Plan::new(seed));
            println!("{line}");
            failures.push_str(&line);
        }
    }
    println!(
        "{runs} runs, {blocks} blocks, {executed} transactions, {evidence} pieces of evidence, \
         {convictions} convictions; lies: {lies:?}"
    );
    assert!(
        failures.is_empty(),
        "broken invariants; replay with SEED=n, see docs/testing.md:\n{failures}"
    );
    assert!(blocks > 10 * runs && executed > 10 * runs, "the runs did not do anything");
    if runs >= 100 {
        for vice in Vice::ALL {
            assert!(lies.contains_key(&vice), "{vice:?} was never done");
        }
        assert!(evidence > 0 && convictions > 0, "no liar was found out");
    }
}

#[test]
fn invariants_hold_for_even_seeds() {
    all_hold((0..SEEDS).step_by(2));
}

#[test]
fn invariants_hold_for_odd_seeds() {
    all_hold((1..SEEDS).step_by(2));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 11] {
        let (first, second): (Report, Report) = (simulate(seed), simulate(seed));
        assert_eq!(first, second);
        assert_ne!(first.digest, simulate(seed + 1).digest);
    }
}

/// As many as you like: `SEEDS=5000 FROM=200 cargo test -p placet-simulation --test seeds
/// campaign -- --ignored --nocapture`.
#[test]
#[ignore = "a long search"]
fn campaign() {
    let (from, seeds) = (number("FROM", SEEDS), number("SEEDS", 300));
    all_hold(from..from + seeds);
}

/// One seed, told in full: `SEED=7 cargo test -p placet-simulation --test seeds one_seed --
/// --ignored --nocapture`.
#[test]
#[ignore = "for a look at one run"]
fn one_seed() {
    let plan = Plan::new(number("SEED", 0));
    println!("{plan}");
    let report = execute(plan, None, true);
    report.lines.iter().for_each(|line| println!("{line}"));
    let (sent, executed) = report.transactions;
    println!(
        "{} blocks, {executed} transactions of {sent} sent, {} pieces of evidence\n{}",
        report.height, report.evidence, report.digest
    );
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
}
