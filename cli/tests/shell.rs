//! The shell, driven by lines on its standard input: what was prepared is used, what fails is said,
//! and nothing of it is left on disk.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{BINARY, PASSPHRASE, Scene};

const ASSET: &str = "Example Growth Fund, Class A";
/// An amount that would be recognised.
const AMOUNT: &str = "4711";

fn prepare(scene: &Scene) {
    scene.json(&["network", "init", "--block-time", "2027-01-04T09:00:00Z"]);
    scene.json(&["attestor", "new", "--attestor", "alpha", "--title", "Alpha KYC"]);
    scene.json(&["attestor", "new", "--attestor", "beta", "--title", "Beta Identity"]);
    for wallet in ["alice", "bob"] {
        scene.json(&["wallet", "new", "--wallet", wallet]);
        let person = format!("docs/examples/{wallet}.toml");
        scene.json(&[
            "attestor",
            "issue",
            "--attestor",
            "beta",
            "--to",
            wallet,
            "--person",
            &person,
        ]);
    }
    scene.json(&["issuer", "new"]);
    scene.json(&["agent", "new"]);
    scene.json(&["asset", "create", "--policy", "docs/examples/policy.toml"]);
    scene.json(&["asset", "mint", ASSET, "--to", "alice", "5000"]);
}

/// Starts the shell; the passphrase comes from descriptor 3.
fn start(scene: &Scene, arguments: &str) -> Child {
    let script = format!("exec \"$0\" wallet shell --wallet alice {arguments} 3<passphrase");
    scene
        .program("sh")
        .args(["-c", &script, BINARY])
        .env("PLACET_PASSPHRASE_FD", "3")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the shell with these lines.
fn shell(scene: &Scene, arguments: &str, lines: &str) -> Output {
    let mut child = start(scene, arguments);
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn values(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file of the data directory with its content.
fn files(scene: &Scene) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let (mut open, mut found) = (vec![scene.data()], Vec::new());
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push((path.clone(), std::fs::read(path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_prepared_is_used_and_leaves_nothing_behind() {
    let scene = Scene::new();
    prepare(&scene);
    let names = |scene: &Scene| files(scene).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    scene.json(&["wallet", "sync", "--wallet", "alice"]);
    let before = names(&scene);

    let lines = format!(
        "wait\naccept\nwait\nsend --asset '{ASSET}' --to bob 5001\n\nsend -a '{ASSET}' -t bob {AMOUNT}\n\
         fly\nlock\nstatus\nbalance\nstatus\nquit\nbalance\n"
    );
    let output = shell(&scene, "--json", &lines);
    let said = values(&output.stdout);
    let errors = values(&output.stderr);
    let [waited, accepted, again, sent, locked, opened, balance, status] = said.as_slice() else {
        panic!("{said:?}\n{errors:?}");
    };
    assert_eq!((&waited["prepared"], &waited["wanted"]), (&1.into(), &1.into()));
    assert!(waited["about_ms"].as_u64().unwrap() > 0);
    assert_eq!(accepted["prepared"], true, "the acceptance had been prepared");
    assert_eq!((&again["prepared"], &again["wanted"]), (&1.into(), &1.into()));
    assert_eq!(sent["prepared"], true, "a refused request uses nothing up");
    assert_eq!(sent["delivery"].as_str().unwrap().len(), 64);
    assert_eq!(locked["locked"], true);
    assert_eq!(opened["locked"], false, "the passphrase opens again");
    assert_eq!(balance["assets"][0]["in_flight"], AMOUNT);
    assert_eq!(status["locked"], false);

    let codes: Vec<_> = errors.iter().map(|error| error["code"].as_str().unwrap()).collect();
    // The last one is how the shell ends: with the first line that failed.
    assert_eq!(codes, ["value-conserved", "usage", "value-conserved"]);
    assert_eq!(output.status.code(), Some(4), "that of the first line that failed");

    assert_eq!(names(&scene), before, "the shell made no file");
    let mut searched = 0;
    for (path, bytes) in files(&scene) {
        for secret in [PASSPHRASE, "00EX00001", AMOUNT] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
        searched += 1;
    }
    assert!(searched > 15, "the search saw {searched} files");

    // Another command, cold: the same network takes it.
    let accepted = scene.json(&["wallet", "accept", "--wallet", "bob"]);
    assert_eq!(accepted["prepared"], false);
}

#[test]
fn the_shell_says_what_it_does_not_understand_and_goes_on() {
    let scene = Scene::new();
    prepare(&scene);
    let output = shell(&scene, "", "help\n\nsend\n'open\nbalance\n");
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["positions", "accept", "refund", "quit", ASSET] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("a quote is left open"), "{errors}");
    assert_eq!(output.status.code(), Some(2), "{errors}");
    // Without failures it ends well, whether it was told to or its input ended.
    for lines in ["quit\n", "status\n", ""] {
        assert_eq!(shell(&scene, "", lines).status.code(), Some(0), "{lines}");
    }
}

#[test]
fn after_long_silence_the_passphrase_is_needed_again() {
    let scene = Scene::new();
    prepare(&scene);
    for (idle, locks) in [("1s", true), ("1h", false)] {
        std::fs::write(scene.path().join("passphrase"), PASSPHRASE).unwrap();
        let mut child = start(&scene, &format!("--json --idle {idle}"));
        let mut stdin = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut answer = String::new();
        stdin.write_all(b"status\n").unwrap();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["locked"], false);
        // Only who is locked reads it again.
        std::fs::write(scene.path().join("passphrase"), "another one").unwrap();
        std::thread::sleep(Duration::from_secs(5));
        stdin.write_all(b"balance\n").unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let errors = values(&output.stderr);
        let codes: Vec<_> = errors.iter().map(|error| error["code"].as_str().unwrap()).collect();
        match locks {
            true => assert_eq!(codes, ["wrong-passphrase", "wrong-passphrase"]),
            false => assert!(codes.is_empty(), "{codes:?}"),
        }
        assert_eq!(output.status.code(), Some(if locks { 6 } else { 0 }));
    }
}
