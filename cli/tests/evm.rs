//! `placet evm` from the command line: sources for a key, keys of authorities, signed roots until
//! they are a call, and a holder's proof for a token transfer.

mod support;

use placet_evm::calls::{AUTHORISE, CHANGE_SIGNERS, POST_ROOTS, VERIFY, selector};
use placet_evm::message::{Content, Message};
use support::{Scene, refusal};

const ASSET: &str = "Example Growth Fund, Class A";
const ADAPTER: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const TOKEN: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const FROM: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";
const TO: &str = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb";

fn starts_with(json: &serde_json::Value, function: &str) -> Vec<u8> {
    let text = json["calldata"].as_str().unwrap();
    let bytes = hex::decode(text.strip_prefix("0x").unwrap()).unwrap();
    assert_eq!(bytes[..4], selector(function), "{function}");
    bytes
}

fn prepare(scene: &Scene) {
    scene.json(&["network", "init", "--block-time", "2027-01-04T09:00:00Z"]);
    scene.json(&["attestor", "new", "--attestor", "beta", "--title", "Beta Identity"]);
    scene.json(&["wallet", "new", "--wallet", "alice"]);
    let person = "docs/examples/alice.toml";
    scene.json(&["attestor", "issue", "--attestor", "beta", "--to", "alice", "--person", person]);
    scene.json(&["issuer", "new"]);
    scene.json(&["agent", "new"]);
    scene.json(&["attestor", "new", "--attestor", "alpha", "--title", "Alpha KYC"]);
    scene.json(&["asset", "create", "--policy", "docs/examples/policy.toml"]);
}

#[test]
fn roots_are_signed_and_a_transfer_is_proven_for_a_token() {
    let scene = Scene::new();
    prepare(&scene);
    let members: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            let made = scene.json(&["evm", "keygen", "--out", &format!("{name}.pem")]);
            made["address"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(scene.refused(&["evm", "keygen", "--out", "a.pem"], 3), "file", "keys are kept");
    let pem = std::fs::read_to_string(scene.path().join("a.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{pem}");

    // All sign the same block, although the chain goes on meanwhile.
    let height = scene.json(&["network", "status"])["height"].as_u64().unwrap();
    let at = height.to_string();
    let sign = |scene: &Scene, name: &str, height: &str| {
        let (key, out) = (format!("{name}.pem"), format!("{name}.json"));
        scene.run(&[
            "evm",
            "sign-roots",
            "--key",
            &key,
            "--out",
            &out,
            "--evm-chain",
            "1",
            "--adapter",
            ADAPTER,
            "--asset",
            ASSET,
            "--height",
            height,
            "--json",
        ])
    };
    for name in ["a", "b", "c"] {
        let output = sign(&scene, name, &at);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        scene.json(&["network", "advance", "1m"]);
    }
    let read = |name: &str| {
        let bytes = std::fs::read(scene.path().join(format!("{name}.json"))).unwrap();
        Message::from_json(&bytes).unwrap()
    };
    for (name, address) in ["a", "b", "c"].iter().zip(&members) {
        let message = read(name);
        assert_eq!(message.signer().unwrap().to_string(), *address);
        assert_eq!(message.content, read("a").content, "the same roots, seen later");
        let Content::Roots(roots) = message.content else { panic!("roots") };
        assert_eq!(roots.height, height);
    }
    let far = sign(&scene, "never", &(height + 1_000).to_string());
    assert_eq!(refusal(&far, 3, "a key that is not there"), "file");

    let mut collect = vec!["evm", "roots", "a.json", "b.json", "c.json"];
    for member in &members {
        collect.extend(["--member", member.as_str()]);
    }
    let call = scene.json(&collect);
    assert_eq!(call["to"], ADAPTER);
    // Selector, seven values, where the list begins, its length, three signatures.
    assert_eq!(starts_with(&call, POST_ROOTS).len(), 4 + 32 * (7 + 1 + 1 + 9));
    collect.retain(|argument| *argument != "c.json");
    assert_eq!(scene.refused(&collect, 9), "quorum", "two of three are no more than two thirds");

    let number = ["--number", "1", "--member", FROM, "--member", TO];
    let mut change = vec![
        "evm",
        "sign-signers",
        "--key",
        "a.pem",
        "--out",
        "change.json",
        "--evm-chain",
        "1",
        "--adapter",
        ADAPTER,
        "--asset",
        ASSET,
    ];
    change.extend(number);
    scene.json(&change);
    let call = scene.json(&["evm", "roots", "change.json", "--member", &members[0]]);
    starts_with(&call, CHANGE_SIGNERS);

    let prove = |amount: &'static str| {
        [
            "evm",
            "prove",
            "--wallet",
            "alice",
            "--evm-chain",
            "1",
            "--adapter",
            ADAPTER,
            "--asset",
            ASSET,
            "--token",
            TOKEN,
            "--from",
            FROM,
            "--to",
            TO,
            "--amount",
            amount,
        ]
    };
    let proven = scene.json(&prove("100"));
    let call = starts_with(&proven, AUTHORISE);
    assert_eq!(call.len(), 4 + 32 * (8 + 17 + 4));
    assert_eq!(proven["deadline"].as_u64().unwrap(), proven["now"].as_u64().unwrap() + 600);
    assert_eq!(scene.refused(&prove("1.5"), 2), "usage");

    // Nothing was spent or sent: the wallet accepts as if nothing had been.
    let minted = scene.json(&["asset", "mint", ASSET, "--to", "alice", "5000"]);
    let accepted = scene.json(&["wallet", "accept", "--wallet", "alice"]);
    let id = accepted["transaction"].as_str().unwrap();
    let call = scene.json(&["evm", "calldata", id]);
    assert_eq!(starts_with(&call, VERIFY).len(), 4 + 32 * (8 + 17));
    let mint = minted["transaction"].as_str().unwrap();
    assert_eq!(scene.refused(&["evm", "calldata", mint], 3), "not-found", "a mint has no proof");

    // What the wallet's own check refuses is not proven.
    scene.json(&["attestor", "revoke", "--attestor", "beta", "0", "--urgent"]);
    assert_eq!(scene.refused(&prove("100"), 4), "identity-member");
}

#[test]
fn sources_are_written_for_a_key() {
    let scene = Scene::new();
    scene.json(&["network", "init"]);
    let key = std::fs::read_dir(scene.data().join("network"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "vk"))
        .unwrap();
    let key = key.to_str().unwrap();
    let written = scene.json(&["evm", "verifier", "--key", key, "--out", "contracts"]);
    assert_eq!(written["origin"], "development");
    let source =
        std::fs::read_to_string(scene.path().join("contracts/PlacetVerifier.sol")).unwrap();
    assert!(
        source.contains(written["circuit"].as_str().unwrap()),
        "the contract names its circuit"
    );
    for name in ["PlacetCompliance.sol", "ICompliance.sol"] {
        assert!(scene.path().join("contracts").join(name).exists(), "{name}");
    }
    let again = ["evm", "verifier", "--key", key, "--out", "contracts"];
    assert_eq!(scene.refused(&again, 3), "file", "a directory that is there is left alone");
    assert_eq!(scene.refused(&["evm", "verifier", "--out", "other"], 2), "usage");
    std::fs::write(scene.path().join("no.vk"), "no key").unwrap();
    let wrong = ["evm", "verifier", "--key", "no.vk", "--out", "other"];
    assert_eq!(scene.refused(&wrong, 3), "verifying-key");
    assert!(!scene.path().join("other").exists());
}
