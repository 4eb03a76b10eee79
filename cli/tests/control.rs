//! No credential without control of the key (spec §4.2): what an attestor certifies is the key of
//! whoever answered its own challenge.

mod support;

use serde_json::Value;
use support::{BINARY, PASSPHRASE, Scene, refusal};

const PERSON: &str = "docs/examples/alice.toml";

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
}

/// A network with two attestors and the wallets of two people.
fn prepare(scene: &Scene) {
    scene.json(&["network", "init"]);
    for (name, title) in [("alpha", "Alpha KYC"), ("beta", "Beta Identity")] {
        scene.json(&["attestor", "new", "--attestor", name, "--title", title]);
    }
    for wallet in ["alice", "mallory"] {
        scene.json(&["wallet", "new", "--wallet", wallet]);
    }
}

/// The attestor's id and a challenge of it.
fn challenge(scene: &Scene, attestor: &str) -> (String, String) {
    let made = scene.json(&["attestor", "challenge", "--attestor", attestor]);
    assert_eq!(text(&made, "challenge").len(), 64);
    (text(&made, "id"), text(&made, "challenge"))
}

fn answer(scene: &Scene, wallet: &str, id: &str, challenge: &str) -> String {
    let line =
        ["wallet", "answer", "--wallet", wallet, "--attestor-id", id, "--challenge", challenge];
    let made = scene.json(&line);
    assert_eq!(text(&made, "challenge"), challenge);
    assert!(text(&made, "id").starts_with(id));
    text(&made, "answer")
}

#[test]
fn an_address_is_certified_only_with_its_holders_answer_to_this_attestor() {
    let scene = Scene::new();
    prepare(&scene);
    let address = text(&scene.json(&["wallet", "address", "--wallet", "alice"]), "address");
    let to_alice =
        ["attestor", "issue", "--attestor", "beta", "--to", &address, "--person", PERSON];
    let with = |challenge: &str, answer: &str| -> Vec<String> {
        let session = ["--challenge", challenge, "--answer", answer];
        to_alice.iter().chain(&session).map(|word| (*word).to_owned()).collect()
    };
    let refused = |line: Vec<String>, exit| {
        scene.refused(&line.iter().map(String::as_str).collect::<Vec<_>>(), exit)
    };
    assert_eq!(scene.refused(&to_alice, 3), "control-not-shown");

    let (beta, first) = challenge(&scene, "beta");
    let good = answer(&scene, "alice", &beta, &first);
    // Somebody else's key, another challenge of the same attestor, another attestor's challenge.
    let mallorys = answer(&scene, "mallory", &beta, &first);
    assert_eq!(refused(with(&first, &mallorys), 3), "control-refused");
    let (_, second) = challenge(&scene, "beta");
    assert_ne!(first, second);
    assert_eq!(refused(with(&second, &good), 3), "control-refused");
    let (alpha, passed_on) = challenge(&scene, "alpha");
    let for_alpha = answer(&scene, "alice", &alpha, &passed_on);
    assert_eq!(refused(with(&passed_on, &for_alpha), 3), "control-refused");
    // Not an answer at all, and half of a session.
    assert_eq!(refused(with(&first, &"00".repeat(96)), 2), "usage");
    assert_eq!(refused(with(&first, &good[2..]), 2), "usage");
    let mut half = with(&first, &good);
    half.truncate(half.len() - 2);
    assert_eq!(refused(half, 2), "usage");
    // A wallet does not answer for an attestor whom the network does not know.
    let nobody = "0".repeat(64);
    let unknown = ["wallet", "answer", "--wallet", "alice", "--attestor-id", &nobody];
    let unknown = [&unknown[..], &["--challenge", &first]].concat();
    assert_eq!(scene.refused(&unknown, 3), "not-found");
    assert_eq!(scene.json(&["attestor", "list", "--attestor", "beta"]), serde_json::json!([]));

    let right = with(&first, &good);
    let issued = scene.json(&right.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(issued.as_array().unwrap().len(), 2);
}

#[test]
fn a_wallet_of_the_same_directory_answers_with_its_own_passphrase() {
    let scene = Scene::new();
    prepare(&scene);
    let issue = |passphrases: &str| {
        std::fs::write(scene.path().join("lines"), passphrases).unwrap();
        scene
            .program_with(BINARY, "lines")
            .args(["attestor", "issue", "--attestor", "beta", "--to", "alice"])
            .args(["--person", PERSON, "--json"])
            .output()
            .unwrap()
    };
    let without = issue(&format!("{PASSPHRASE}\nnot the passphrase of alice\n"));
    assert_eq!(refusal(&without, 6, "without the wallet's passphrase"), "wrong-passphrase");
    assert_eq!(scene.json(&["attestor", "list", "--attestor", "beta"]), serde_json::json!([]));
    let with = issue(&format!("{PASSPHRASE}\n{PASSPHRASE}\n"));
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
}
