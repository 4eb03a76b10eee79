//! The committed bytecode belongs to the sources that are here, and these to the circuit.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{artifact, key};
use placet_evm::calls;
use placet_evm::solidity::{SOLC_VERSION, SOURCES, verifier_source};
use sha2::{Digest, Sha256};

const NAMES: [&str; 4] = ["PlacetVerifier", "PlacetCompliance", "TestToken", "ReenteringReceiver"];

fn source(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_committed_verifier_is_the_generated_one() {
    let generated = verifier_source(key().verifying_key());
    let committed = String::from_utf8(source("test/PlacetVerifier.sol")).unwrap();
    assert!(
        generated == committed,
        "the circuit or the template has changed, so evm/contracts/test/PlacetVerifier.sol is \
         stale: write it anew with `cargo run -p placet-evm --example test_verifier`, then run \
         `.ci/clients/solc PLACET --update`"
    );
}

#[test]
fn the_bytecode_was_compiled_from_the_sources_that_are_here() {
    for name in NAMES {
        let artifact = artifact(name);
        assert_eq!(artifact["solc"], SOLC_VERSION, "{name}");
        let sources = artifact["sources"].as_object().unwrap();
        assert!(!sources.is_empty());
        for (file, expected) in sources {
            let found = hex::encode(Sha256::digest(source(file)));
            assert_eq!(
                expected.as_str(),
                Some(found.as_str()),
                "evm/artifacts/{name}.json was compiled from another {file}: run \
                 `.ci/clients/solc PLACET --update`"
            );
        }
    }
    // Nothing that is compiled is left out above.
    let all: BTreeSet<String> = NAMES
        .iter()
        .flat_map(|name| artifact(name)["sources"].as_object().unwrap().clone())
        .map(|(file, _)| file)
        .collect();
    let expected = [
        "ICompliance.sol",
        "PlacetCompliance.sol",
        "test/PlacetVerifier.sol",
        "test/TestToken.sol",
    ];
    assert_eq!(all, expected.map(str::to_owned).into());
    for (file, text) in SOURCES {
        assert_eq!(source(file), text.as_bytes(), "{file}");
    }
}

/// The type of a parameter as selectors have it.
fn canonical(parameter: &serde_json::Value) -> String {
    let kind = parameter["type"].as_str().unwrap();
    match kind.strip_prefix("tuple") {
        Some(rest) => {
            let parts: Vec<_> =
                parameter["components"].as_array().unwrap().iter().map(canonical).collect();
            format!("({}){rest}", parts.join(","))
        }
        None => kind.to_owned(),
    }
}

fn functions(name: &str) -> BTreeSet<String> {
    let artifact = artifact(name);
    let entries = artifact["abi"].as_array().unwrap().clone();
    entries
        .iter()
        .filter(|entry| entry["type"] == "function")
        .map(|entry| {
            let inputs: Vec<_> =
                entry["inputs"].as_array().unwrap().iter().map(canonical).collect();
            format!("{}({})", entry["name"].as_str().unwrap(), inputs.join(","))
        })
        .collect()
}

#[test]
fn calls_name_functions_of_the_contracts() {
    assert!(functions("PlacetVerifier").contains(calls::VERIFY));
    let adapter = functions("PlacetCompliance");
    for call in [calls::AUTHORISE, calls::POST_ROOTS, calls::CHANGE_SIGNERS] {
        assert!(adapter.contains(call), "{call} is not in {adapter:?}");
    }
}

/// ERC-3643's `ICompliance`, as the standard's text has it.
#[test]
fn the_adapter_has_what_erc_3643_asks_for() {
    let adapter = functions("PlacetCompliance");
    for call in [
        "bindToken(address)",
        "unbindToken(address)",
        "isTokenBound(address)",
        "getTokenBound()",
        "canTransfer(address,address,uint256)",
        "transferred(address,address,uint256)",
        "created(address,uint256)",
        "destroyed(address,uint256)",
    ] {
        assert!(adapter.contains(call), "{call}");
    }
}
