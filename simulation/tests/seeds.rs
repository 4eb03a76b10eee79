//! Seeds, each a run of its own.

use placet_simulation::{Plan, Report, execute, simulate};

/// One seed, told in full: `SEED=7 cargo test -p placet-simulation one_seed -- --ignored --nocapture`.
#[test]
#[ignore = "for a look at one run"]
fn one_seed() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let plan = Plan::new(seed);
    println!("{plan}");
    let began = std::time::Instant::now();
    let report = execute(plan, None, true);
    for line in &report.lines {
        println!("{line}");
    }
    println!("{} blocks, {:?}, evidence {}, {:?}", report.height, report.transactions, report.evidence, began.elapsed());
    println!("{}", report.digest);
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
}
