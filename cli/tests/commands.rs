//! Every command is there and explains itself; exit codes and JSON are as documented.

mod support;

use std::process::Stdio;

use support::{BINARY, Scene, refusal, workspace};

/// Nouns with their verbs.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "network",
        &[
            "init",
            "genesis",
            "join",
            "status",
            "block",
            "sanctions",
            "advance",
            "appoint",
            "dismiss",
        ],
    ),
    ("devnet", &["start", "stop", "status", "advance"]),
    ("node", &["init", "run", "status", "export", "keys"]),
    ("bench", &["prover", "hashing", "network"]),
    ("verify", &[]),
    ("audit", &[]),
    (
        "wallet",
        &[
            "new",
            "restore",
            "phrase",
            "list",
            "address",
            "sync",
            "balance",
            "deliveries",
            "credentials",
            "answer",
            "receipt",
            "import-credential",
            "send",
            "accept",
            "refund",
            "redeem",
            "shell",
        ],
    ),
    ("attestor", &["new", "request", "admit", "challenge", "issue", "revoke", "list", "export"]),
    ("issuer", &["new", "list"]),
    ("asset", &["create", "policy", "mint", "pause", "resume", "show", "list"]),
    ("agent", &["new", "list", "register", "freeze", "release"]),
    ("circuit", &["stats"]),
    ("ceremony", &["phase1", "new", "contribute", "verify", "beacon", "finalize", "show"]),
    ("tables", &["list", "build", "remove"]),
    ("circuits", &["list", "show", "add", "deactivate", "check", "submit"]),
    ("export", &["verification-key", "proof", "r1cs", "zkey", "witness", "all"]),
    ("import", &["zkey", "proof", "verification-key"]),
    ("evm", &["verifier", "keygen", "sign-roots", "sign-signers", "roots", "prove", "calldata"]),
    ("inspect", &[]),
    ("completions", &[]),
    ("demo", &[]),
];

#[test]
fn every_command_explains_itself() {
    let scene = Scene::new();
    let top = scene.text(&["--help"]);
    assert!(top.contains("Exit codes:"), "{top}");
    for (noun, verbs) in COMMANDS {
        assert!(top.contains(noun), "{noun} is not in the help");
        let help = scene.text(&[noun, "--help"]);
        assert!(help.contains("Usage: placet"), "{noun}: {help}");
        for verb in *verbs {
            assert!(help.contains(verb), "{noun} {verb} is not in the help");
            let help = scene.text(&[noun, verb, "--help"]);
            assert!(help.contains(&format!("Usage: placet {noun} {verb}")), "{help}");
            assert!(help.contains("--json"), "{noun} {verb}");
        }
    }
    assert!(!scene.data().exists(), "asking for help leaves nothing behind");
}

#[test]
fn there_are_no_other_commands() {
    let scene = Scene::new();
    let words = |help: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
        lines
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| *word != "help")
            .map(str::to_owned)
            .collect()
    };
    let mut nouns = words(&scene.text(&["--help"]));
    nouns.sort();
    let mut known: Vec<_> = COMMANDS.iter().map(|(noun, _)| (*noun).to_owned()).collect();
    known.sort();
    assert_eq!(nouns, known);
    for (noun, verbs) in COMMANDS.iter().filter(|(_, verbs)| !verbs.is_empty()) {
        assert_eq!(words(&scene.text(&[noun, "--help"])), *verbs, "{noun}");
    }
}

#[test]
fn the_reference_has_every_command_and_exit_code() {
    let reference = std::fs::read_to_string(workspace().join("docs/commands.md")).unwrap();
    for (noun, verbs) in COMMANDS {
        let names = verbs.iter().map(|verb| format!("`{noun} {verb}`"));
        let alone = verbs.is_empty().then(|| format!("`{noun}`"));
        for name in names.chain(alone) {
            assert!(reference.contains(&name), "{name} is not in docs/commands.md");
        }
    }
    let help = Scene::new().text(&["--help"]);
    for code in 0..=9 {
        assert!(reference.contains(&format!("| {code} | ")), "{code}");
        assert!(help.contains(&format!("  {code}  ")), "{code}");
    }
}

#[test]
fn a_command_that_cannot_be_read_is_a_usage_error() {
    let scene = Scene::new();
    for arguments in [
        &["wallet", "fly"][..],
        &["wallet", "send", "--asset", "x"],
        &["nonsense"],
        &["network", "advance", "tomorrow"],
        &["network", "status", "--block-time", "yesterday"],
        &["wallet", "new", "--wallet", "../escape"],
        &["agent", "freeze", "--asset", "x"],
        &["demo", "--data", "somewhere"],
        &["wallet", "answer", "--attestor-id", "x", "--challenge", "07"],
        &["attestor", "issue", "--to", "x", "--person", "x", "--challenge", &"07".repeat(32)],
    ] {
        assert_eq!(scene.refused(arguments, 2), "usage", "{arguments:?}");
        let plain = scene.run(arguments);
        assert_eq!(plain.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&plain.stderr).starts_with("error:"), "{arguments:?}");
    }
}

#[test]
fn what_is_missing_is_an_input_error_that_says_what_to_do() {
    let scene = Scene::new();
    for (arguments, code) in [
        (&["network", "status"][..], "no-network"),
        (&["asset", "list"], "no-network"),
        (&["wallet", "balance"], "not-found"),
        (&["wallet", "address", "--wallet", "nobody"], "not-found"),
        (&["attestor", "issue", "--to", "nobody", "--person", "x"], "not-found"),
        (&["attestor", "challenge"], "not-found"),
        (&["asset", "create", "--policy", "missing.toml"], "not-found"),
        (&["inspect", "missing.file"], "unknown-format"),
        (&["inspect", "placet1qqqq"], "address"),
        (&["network", "init", "--sanctions", "missing.csv"], "file"),
    ] {
        assert_eq!(scene.refused(arguments, 3), code, "{arguments:?}");
    }
    let plain = scene.run(&["network", "status"]);
    let errors = String::from_utf8(plain.stderr).unwrap();
    let mut lines = errors.lines();
    assert!(lines.next().unwrap().starts_with("error: there is no network"), "{errors}");
    assert!(lines.next().unwrap().starts_with(" help: `placet network init`"), "{errors}");
    assert_eq!(lines.next(), Some(" code: no-network"));
}

#[test]
fn keys_are_made_once_and_open_with_their_passphrase_only() {
    let scene = Scene::new();
    let made = scene.json(&["wallet", "new", "--wallet", "alice"]);
    let address = made["address"].as_str().unwrap();
    assert!(address.starts_with("placet1"));
    // Needs no passphrase.
    let shown = scene
        .program(BINARY)
        .args(["wallet", "address", "--wallet", "alice"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shown.stdout).unwrap().trim_end(), address);
    assert_eq!(scene.refused(&["wallet", "new", "--wallet", "alice"], 3), "exists");
    assert_eq!(scene.json(&["wallet", "list"]), serde_json::json!([made]));

    std::fs::write(scene.path().join("wrong"), "another passphrase").unwrap();
    let phrase = |passphrases: &str, file: &str| {
        let words = scene.path().join(file);
        let script = "exec \"$0\" wallet phrase --wallet alice --phrase-fd 4 --json 4>\"$1\"";
        let mut shell = scene.program_with("sh", passphrases);
        (shell.args(["-c", script, BINARY]).arg(&words).output().unwrap(), words)
    };
    let (wrong, _) = phrase("wrong", "no-words");
    assert_eq!(refusal(&wrong, 6, "a wrong passphrase"), "wrong-passphrase");
    let (right, words) = phrase("passphrase", "words");
    assert!(right.status.success());
    let words = std::fs::read_to_string(words).unwrap();
    assert_eq!(words.split_whitespace().count(), 24);
    assert!(!String::from_utf8_lossy(&right.stdout).contains(words.trim()));

    let script = "exec \"$0\" wallet restore --wallet again --phrase-fd 4 --json 4<words";
    let restored = scene.program("sh").args(["-c", script, BINARY]).output().unwrap();
    let restored: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(restored["address"], made["address"]);

    std::fs::write(scene.path().join("short"), "secret").unwrap();
    let short = scene
        .program_with(BINARY, "short")
        .args(["wallet", "new", "--wallet", "bob", "--json"])
        .output()
        .unwrap();
    assert_eq!(refusal(&short, 3, "a short passphrase"), "passphrase-short");
    let none = scene
        .program(BINARY)
        .args(["wallet", "new", "--wallet", "bob", "--json", "--passphrase-fd", "9"])
        .output()
        .unwrap();
    assert_eq!(refusal(&none, 3, "a closed descriptor"), "descriptor");
    assert_eq!(scene.refused(&["wallet", "address", "--wallet", "bob"], 3), "not-found");
}

#[test]
fn a_data_directory_in_use_is_reported() {
    let scene = Scene::new();
    scene.json(&["wallet", "new"]);
    let lock = std::fs::File::options().write(true).open(scene.data().join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(scene.refused(&["wallet", "new", "--wallet", "bob"], 7), "busy");
    drop(lock);
    scene.json(&["wallet", "new", "--wallet", "bob"]);
}

#[test]
fn circuit_statistics_have_their_stable_shape() {
    let scene = Scene::new();
    let stats = scene.json(&["circuit", "stats"]);
    let [transfer] = stats.as_array().unwrap().as_slice() else { panic!("one statement") };
    let keys: Vec<_> = transfer.as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "clauses",
        "digest",
        "entries",
        "points",
        "public_inputs",
        "rows",
        "statement",
        "witnesses",
    ];
    assert_eq!(keys, known);
    assert_eq!(transfer["points"]["b_g1"], transfer["points"]["b_g2"]);
    assert_eq!(transfer["points"]["l_g1"], transfer["witnesses"]);
    assert_eq!(transfer["statement"], "transfer");
    assert_eq!(transfer["public_inputs"], 17);
    let rows = transfer["rows"].as_u64().unwrap();
    assert!(rows <= 1 << 15);
    assert_eq!(transfer["digest"].as_str().unwrap().len(), 64);
    let clauses = transfer["clauses"].as_array().unwrap();
    let sum: u64 = clauses.iter().map(|clause| clause["rows"].as_u64().unwrap()).sum();
    // What is left are the instance variables: one, and the public inputs.
    assert_eq!(sum + 18, rows);
    let names: Vec<_> = clauses.iter().map(|clause| clause["name"].as_str().unwrap()).collect();
    for name in ["PolicyOpening", "HolderKey", "NotSanctioned", "ValueConserved", "Disclosure"] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn texts_and_files_are_recognised() {
    let scene = Scene::new();
    let made = scene.json(&["wallet", "new"]);
    let address = made["address"].as_str().unwrap();
    let kind = |what: &str| scene.json(&["inspect", what])["kind"].clone();
    assert_eq!(kind(address), "address");
    assert_eq!(kind("docs/examples/policy.toml"), "policy file");
    assert_eq!(kind("data/wallets/default/keystore"), "keystore");
    assert_eq!(kind("data"), "data directory");
    assert_eq!(kind(&"07".repeat(32)), "32 bytes");
    let policy = std::fs::read_to_string(scene.path().join("docs/examples/policy.toml")).unwrap();
    std::fs::write(scene.path().join("bad.toml"), policy.replacen("\"FR\"", "\"XX\"", 1)).unwrap();
    assert_eq!(scene.refused(&["inspect", "bad.toml"], 3), "policy");
    let bad = scene.run(&["inspect", "bad.toml"]);
    let line = policy.lines().position(|line| line.contains("\"FR\"")).unwrap() + 1;
    assert!(String::from_utf8_lossy(&bad.stderr).contains(&format!("line {line}")));
    std::fs::write(scene.path().join("noise"), [0xff; 64]).unwrap();
    assert_eq!(scene.refused(&["inspect", "noise"], 3), "unknown-format");
}

#[test]
fn completions_know_the_commands() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.text(&["completions", shell]);
        assert!(script.contains("deliveries") && script.contains("register"), "{shell}");
    }
}
