//! The arrows between the crates, as `ARCHITECTURE.md` draws them, checked against what cargo
//! resolves. A new arrow is a decision record and a line here.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Direct arrows. `protocol` is below everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("circuits", &["protocol"]),
    ("params", &["protocol"]),
    ("registry", &["protocol"]),
    ("verifier", &["params"]),
    ("evm", &["params"]),
    ("kernel", &[]),
    ("prover", &["circuits", "params", "verifier", "kernel"]),
    ("snarkjs", &["params"]),
    ("setup", &["circuits", "prover", "params", "snarkjs"]),
    ("ledger", &["verifier", "registry"]),
    ("consensus", &["protocol"]),
    ("engine", &["consensus"]),
    ("node", &["ledger", "engine"]),
    ("simulation", &["node"]),
    ("wallet", &["prover", "registry"]),
];

/// What a validator runs must not contain (invariant 1).
const NEVER_IN_A_VALIDATOR: &[&str] = &["placet-circuits", "placet-prover", "ark-r1cs-std"];

fn cargo_tree(arguments: &[&str]) -> String {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["tree", "--offline", "--locked", "--prefix", "none"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree {arguments:?} failed:\n{errors}");
    String::from_utf8(output.stdout).expect("package names are UTF-8")
}

/// Names of the packages in a tree, the root included.
fn packages(arguments: &[&str]) -> BTreeSet<String> {
    cargo_tree(arguments)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Everything that can be reached over arrows.
fn reachable(from: &str) -> BTreeSet<String> {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for next in arrows[name] {
            if seen.insert(format!("placet-{next}")) {
                open.push(next);
            }
        }
    }
    seen
}

#[test]
fn every_dependency_between_crates_follows_an_arrow() {
    for (name, _) in ARROWS {
        let package = format!("placet-{name}");
        let own = packages(&["-e", "normal", "-p", &package]);
        assert!(own.contains(&package), "cargo knows {package}");
        let found: BTreeSet<String> = own
            .into_iter()
            .filter(|found| found.starts_with("placet-") && *found != package)
            .collect();
        let allowed = reachable(name);
        let forbidden: Vec<&String> = found.difference(&allowed).collect();
        assert!(forbidden.is_empty(), "{package} depends on {forbidden:?}: no arrow leads there");
    }
}

#[test]
fn every_crate_of_the_workspace_has_its_arrows_here() {
    let known: BTreeSet<String> = ARROWS
        .iter()
        .map(|(name, _)| format!("placet-{name}"))
        .chain(["placet-cli".to_owned(), "placet-benches".to_owned()])
        .collect();
    let found: BTreeSet<String> = packages(&["-e", "normal", "--workspace", "--depth", "0"]);
    assert_eq!(found, known);
}

#[test]
fn validators_contain_no_circuits_and_no_prover() {
    for validator in ["placet-verifier", "placet-ledger", "placet-node"] {
        let found = packages(&["-e", "normal", "-p", validator]);
        for forbidden in NEVER_IN_A_VALIDATOR {
            assert!(!found.contains(*forbidden), "{validator} depends on {forbidden}");
        }
    }
    // The names are right: whoever proves has all of them.
    let prover = packages(&["-e", "normal", "-p", "placet-prover"]);
    for forbidden in NEVER_IN_A_VALIDATOR {
        assert!(prover.contains(*forbidden), "{forbidden} is not a package any more");
    }
}

/// Whoever holds securities needs no part of what authorities run.
#[test]
fn a_wallet_contains_no_node_and_no_engine() {
    let wallet = packages(&["-e", "normal", "-p", "placet-wallet"]);
    let foreign = |name: &&String| {
        name.starts_with("commonware")
            || ["placet-consensus", "placet-engine", "placet-node", "placet-ledger", "tokio"]
                .contains(&name.as_str())
    };
    let found: Vec<_> = wallet.iter().filter(foreign).collect();
    assert!(found.is_empty(), "the wallet depends on {found:?}");
    // The names are right: an authority has all of them.
    let node = packages(&["-e", "normal", "-p", "placet-node"]);
    assert!(node.iter().filter(foreign).count() > 5, "what a node depends on has other names now");
}

#[test]
fn a_wallet_cannot_forge() {
    let forge = "placet-prover feature \"forge\"";
    let features = cargo_tree(&["-e", "normal,features", "-p", "placet-wallet"]);
    assert!(features.contains("placet-prover"), "the wallet proves");
    assert!(!features.contains(forge), "the wallet enables the prover's feature `forge`");
}

#[test]
fn one_version_of_arkworks() {
    let versions: BTreeSet<String> = cargo_tree(&["-e", "normal", "--workspace"])
        .lines()
        .filter(|line| line.starts_with("ark-ff v") || line.starts_with("ark-ec v"))
        .map(|line| line.split_whitespace().nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(versions.len(), 1, "versions of arkworks: {versions:?}");
}
