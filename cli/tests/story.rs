//! The main job from the command line, with real proofs: attestors issue, an issuer mints, one
//! investor sends to another, the register is exact; and what is refused is refused where it should
//! be.

mod support;

use std::path::Path;

use support::{BINARY, PASSPHRASE, Scene, refusal};

const ASSET: &str = "Example Growth Fund, Class A";

fn balance(scene: &Scene, wallet: &str) -> (String, String) {
    let balance = scene.json(&["wallet", "balance", "--wallet", wallet]);
    let [asset] = balance["assets"].as_array().unwrap().as_slice() else { panic!("one asset") };
    let text = |key: &str| asset[key].as_str().unwrap().to_owned();
    (text("balance"), text("in_flight"))
}

fn prepare(scene: &Scene) {
    let made = scene.json(&["network", "init", "--block-time", "2027-01-04T09:00:00Z"]);
    assert!(made["sanctions_entries"].as_u64().unwrap() > 3000);
    assert_eq!(scene.refused(&["network", "init"], 3), "exists");
    scene.json(&["attestor", "new", "--attestor", "alpha", "--title", "Alpha KYC"]);
    scene.json(&["attestor", "new", "--attestor", "beta", "--title", "Beta Identity"]);
    for wallet in ["alice", "bob"] {
        scene.json(&["wallet", "new", "--wallet", wallet]);
        let person = format!("docs/examples/{wallet}.toml");
        let issue =
            ["attestor", "issue", "--attestor", "beta", "--to", wallet, "--person", &person];
        let issued = scene.json(&issue);
        assert_eq!(issued.as_array().unwrap().len(), 2);
        assert!(issued[1]["index"].is_u64());
    }
    scene.json(&["issuer", "new"]);
    scene.json(&["agent", "new"]);
    scene.json(&["asset", "create", "--policy", "docs/examples/policy.toml"]);
}

#[test]
fn the_main_job_from_the_command_line() {
    let scene = Scene::new();
    prepare(&scene);

    // One person, one key: the ledger knows the tag, not the person.
    scene.json(&["wallet", "new", "--wallet", "second"]);
    let person = "docs/examples/alice.toml";
    let again = ["attestor", "issue", "--attestor", "alpha", "--to", "second", "--person", person];
    assert_eq!(scene.refused(&again, 5), "second-key");

    let minted = scene.json(&["asset", "mint", ASSET, "--to", "alice", "5000"]);
    assert_eq!(minted["amount"], "5000");
    scene.json(&["wallet", "accept", "--wallet", "alice"]);
    assert_eq!(balance(&scene, "alice"), ("5000".into(), "0".into()));

    // Refused by the native check, before anything is proven.
    let send = |amount: &'static str| {
        ["wallet", "send", "--wallet", "alice", "--asset", ASSET, "--to", "bob", amount]
    };
    assert_eq!(scene.refused(&send("5001"), 4), "value-conserved");
    assert_eq!(scene.refused(&send("1.5"), 3), "amount");
    assert_eq!(scene.refused(&send("0"), 3), "amount");

    let sent = scene.json(&send("1200"));
    assert_eq!(sent["delivery"].as_str().unwrap().len(), 64);
    assert_eq!(balance(&scene, "alice"), ("3800".into(), "1200".into()));
    scene.json(&["wallet", "accept", "--wallet", "bob"]);
    assert_eq!(balance(&scene, "bob"), ("1200".into(), "0".into()));
    assert_eq!(scene.json(&["wallet", "sync", "--wallet", "alice"])["settled"], 1);
    assert_eq!(balance(&scene, "alice"), ("3800".into(), "0".into()));

    everybody_sees_that_and_not_what(&scene, sent["transaction"].as_str().unwrap());
    scene.json(&["wallet", "redeem", "--wallet", "bob", "--asset", ASSET, "200"]);

    let registers = scene.json(&["agent", "register"]);
    let register = &registers[0];
    assert_eq!(register["exact"], true);
    assert_eq!(register["supply"], "4800");
    let mut holders: Vec<_> = register["holders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["known_as"].as_str().unwrap(), entry["balance"].as_str().unwrap()))
        .collect();
    holders.sort();
    assert_eq!(holders, [("alice", "3800"), ("bob", "1000")]);

    a_wallet_comes_back_from_its_phrase(&scene);

    // The agent's freeze, the attestor's revocation, the issuer's pause.
    let freeze = |verb: &'static str| ["agent", verb, "--asset", ASSET, "--holder", "alice"];
    scene.json(&freeze("freeze"));
    assert_eq!(scene.refused(&send("1"), 4), "frozen");
    scene.json(&freeze("release"));
    assert_eq!(scene.refused(&freeze("release"), 3), "not-frozen");
    scene.json(&["asset", "pause", ASSET]);
    assert_eq!(scene.refused(&send("1"), 4), "asset-paused");
    scene.json(&["asset", "resume", ASSET]);
    scene.json(&["attestor", "revoke", "--attestor", "beta", "0", "--urgent"]);
    assert_eq!(scene.refused(&send("1"), 4), "identity-member");

    // A wrong passphrase, and time that runs backwards.
    std::fs::write(scene.path().join("wrong"), "not the passphrase").unwrap();
    let wrong = scene
        .program_with(BINARY, "wrong")
        .args(["wallet", "balance", "--wallet", "alice", "--json"])
        .output()
        .unwrap();
    assert_eq!(refusal(&wrong, 6, "a wrong passphrase"), "wrong-passphrase");
    let earlier = ["network", "status", "--block-time", "2027-01-01"];
    assert_eq!(scene.refused(&earlier, 3), "block-time");
    let status = scene.json(&["network", "status", "--block-time", "2028-01-01"]);
    assert_eq!(status["time"], 1_830_297_600);

    nothing_secret_is_on_disk(&scene);
}

/// Seed phrase and ledger alone restore balance and credentials.
fn a_wallet_comes_back_from_its_phrase(scene: &Scene) {
    for script in [
        "exec \"$0\" wallet phrase --wallet bob --phrase-fd 4 4>words",
        "exec \"$0\" wallet restore --wallet again --phrase-fd 4 4<words",
    ] {
        let output = scene.program("sh").args(["-c", script, BINARY]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(balance(scene, "again"), balance(scene, "bob"));
    let credentials = |wallet| scene.json(&["wallet", "credentials", "--wallet", wallet]);
    assert_eq!(credentials("again"), credentials("bob"));
    assert_eq!(credentials("again").as_array().unwrap().len(), 2);
}

/// The block of a transfer shows neither parties nor amount, and is recognised from a file.
fn everybody_sees_that_and_not_what(scene: &Scene, id: &str) {
    let block = scene.json(&["network", "block", id, "--out", "block.bin"]);
    let transfer = &block["transactions"][0];
    assert_eq!(transfer["transaction"], "transfer");
    assert_eq!(transfer["redeemed"], 0);
    assert!(transfer["assertions"].as_u64().unwrap() >= 4);
    for hidden in ["amount", "to", "from", "holder", "subject"] {
        assert!(transfer.get(hidden).is_none(), "{hidden}");
    }
    let inspected = scene.json(&["inspect", "block.bin"]);
    assert_eq!(inspected["kind"], "certified block");
    assert_eq!(inspected["content"]["transactions"], block["transactions"]);
    assert_eq!(block["ids"], serde_json::json!([id]));
    assert_eq!(scene.refused(&["network", "block", "999"], 3), "not-found");
}

/// Searches every file of the data directory for what must only be there encrypted.
fn nothing_secret_is_on_disk(scene: &Scene) {
    let words = std::fs::read_to_string(scene.path().join("words")).unwrap();
    let secrets = [PASSPHRASE, "00EX00001", "C00EX0002", words.trim()];
    let mut searched = 0;
    let mut open = vec![scene.data()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for secret in secrets {
                assert!(!contains(&bytes, secret), "{secret} is in {}", path.display());
            }
            searched += 1;
        }
    }
    assert!(searched > 15, "the search saw {searched} files");
    assert!(contains(&std::fs::read(scene.path().join("passphrase")).unwrap(), PASSPHRASE));
    assert!(Path::new(BINARY).exists());
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
