//! Joining a network, receipts and requests, as far as they need no running node.

mod support;

use support::Scene;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn a_network_is_joined_only_if_one_of_its_nodes_answers() {
    let scene = Scene::new();
    scene.json(&["network", "init"]);
    let genesis = "data/network/genesis.json";
    let join = ["network", "join", "--genesis", genesis, "--data", "other"];
    let with = |more: &[&'static str]| [&join[..], more].concat();
    assert_eq!(scene.refused(&with(&[]), 2), "usage");
    assert_eq!(scene.refused(&with(&["--node", NOBODY]), 8), "no-node");
    let wrong = ["--node", NOBODY, "--chain", "00"];
    assert_eq!(scene.refused(&with(&wrong), 3), "wrong-network");
    assert_eq!(scene.refused(&with(&["--node", "nobody"]), 2), "usage");
    assert!(!scene.path().join("other/remote").exists(), "what was refused leaves nothing behind");
    assert_eq!(scene.refused(&["network", "status", "--data", "other"], 3), "no-network");
    let here = ["network", "join", "--genesis", genesis, "--node", NOBODY];
    assert_eq!(scene.refused(&here, 3), "exists");
    assert_eq!(scene.refused(&["asset", "list", "--node", NOBODY], 3), "embedded");
    assert_eq!(scene.refused(&["devnet", "status", "--dir", "other"], 3), "no-network");
}

#[test]
fn receipts_and_requests_are_files_that_explain_themselves() {
    let scene = Scene::new();
    scene.json(&["network", "init"]);
    let block = scene.json(&["network", "block", "1"]);
    let id = block["ids"][0].as_str().unwrap();
    let genesis = "data/network/genesis.json";
    scene.json(&["wallet", "receipt", id, "--out", "receipt"]);
    let verify = ["verify", "--receipt", "receipt", "--genesis", genesis];
    assert_eq!(scene.json(&verify)["transaction"], id);
    let other = "07".repeat(32);
    let about = [&verify[..], &["--transaction", &other]].concat();
    assert_eq!(scene.refused(&about, 9), "other-transaction");
    assert_eq!(scene.refused(&["wallet", "receipt", &other], 3), "not-found");
    assert_eq!(scene.json(&["inspect", "receipt"])["kind"], "receipt");

    // Of another network.
    scene.json(&["network", "init", "--data", "other"]);
    let elsewhere = ["verify", "--receipt", "receipt", "--genesis", "other/network/genesis.json"];
    assert_eq!(scene.refused(&elsewhere, 9), "receipt");

    scene.json(&["attestor", "new"]);
    scene.json(&["attestor", "request", "--out", "request.json"]);
    assert_eq!(scene.refused(&["attestor", "request", "--out", "request.json"], 3), "file");
    let request = scene.json(&["inspect", "request.json"]);
    assert_eq!(request["kind"], "request to the authorities");
    assert_eq!(request["content"]["name"], "default");
    // Who approves nothing has approved nothing.
    let admit = ["attestor", "admit", "--approval", "request.json"];
    assert_eq!(scene.refused(&admit, 3), "approval");

    let dismiss = ["network", "dismiss", "authority-3", "--request", "dismissal.json"];
    assert_eq!(scene.json(&dismiss)["number"], 1);
    assert_eq!(scene.json(&["network", "dismiss", "authority-3"])["did"], "dismissed");
    let status = scene.json(&["network", "status"]);
    assert_eq!(status["authorities"].as_array().unwrap().len(), 3);
    assert_eq!(scene.refused(&["network", "dismiss", "authority-3"], 3), "not-found");
}
