//! A network of four real processes, used through the command line with real proofs, while one of
//! them is killed; then everything is checked again without trusting any of them.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{BINARY, Scene, refusal};

const ASSET: &str = "Example Growth Fund, Class A";
/// Nothing is measured here: whoever waits longer than this waits for nothing.
const FOREVER: Duration = Duration::from_secs(240);

/// `placet devnet start`, running.
struct Devnet {
    child: Child,
    ready: Value,
}

impl Devnet {
    fn start(scene: &Scene, dir: &Path) -> Self {
        let mut child = Command::new(BINARY)
            .args(["devnet", "start", "--json", "--epoch-length", "16", "--dir"])
            .arg(dir)
            .current_dir(scene.path())
            .env_remove("PLACET_DATA")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let _ = send.send(line);
        });
        let line = receive.recv_timeout(FOREVER).expect("the network starts");
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the network did not start:\n{line}\n{}", logs(dir))
        });
        Self { child, ready }
    }

    fn processes(&self) -> Vec<u64> {
        let nodes = self.ready["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["process"].as_u64().unwrap()).collect()
    }

    fn ended(mut self) {
        wait("the command ends", || self.child.try_wait().unwrap().is_some());
        for process in self.processes() {
            wait("no node stays behind", || !runs(process));
        }
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // The nodes end with the command that started them.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn logs(dir: &Path) -> String {
    let log = |i: usize| {
        let text = std::fs::read_to_string(dir.join(format!("authority-{i}/node.log")));
        let text = text.unwrap_or_default();
        let tail: Vec<_> = text.lines().rev().take(15).collect();
        format!("--- {i}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
    };
    (0..4).map(log).collect::<Vec<_>>().join("\n")
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < FOREVER, "{what}: not after {FOREVER:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn kill(process: u64) {
    let done = Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(done.success());
}

/// Whether a process exists that is more than an entry for its parent to read.
fn runs(process: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = status.rsplit(')').next().unwrap_or_default().trim();
    !state.is_empty() && !state.starts_with('Z')
}

fn balance(scene: &Scene, wallet: &str) -> String {
    let balance = scene.json(&["wallet", "balance", "--wallet", wallet]);
    balance["assets"][0]["balance"].as_str().unwrap().to_owned()
}

/// Attestor, holders, an asset; 5000 units for alice.
fn prepare(scene: &Scene) {
    let made = scene.json(&["attestor", "new", "--attestor", "beta", "--title", "Beta Identity"]);
    assert!(made["height"].is_u64());
    scene.json(&["attestor", "new", "--attestor", "alpha", "--title", "Alpha KYC"]);
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
    scene.json(&["wallet", "accept", "--wallet", "alice"]);
    assert_eq!(balance(scene, "alice"), "5000");
}

#[test]
fn the_main_job_over_a_network_of_processes_one_of_which_is_killed() {
    let scene = Scene::new();
    let net = scene.path().join("net");
    let genesis = net.join("genesis.json").display().to_string();
    let devnet = Devnet::start(&scene, &net);
    let net_text = net.display().to_string();
    let joined = scene.json(&["network", "join", "--devnet", &net_text]);
    assert_eq!(joined["nodes"].as_array().unwrap().len(), 4);
    let status = scene.json(&["network", "status"]);
    assert!(status["sanctions_entries"].as_u64().unwrap() > 3000);
    assert_eq!(status["nodes"].as_array().unwrap().len(), 4);
    prepare(&scene);

    // A rule of the ledger is answered by the nodes with the same code as ever.
    scene.json(&["wallet", "new", "--wallet", "second"]);
    let person = "docs/examples/alice.toml";
    let again = ["attestor", "issue", "--attestor", "alpha", "--to", "second", "--person", person];
    assert_eq!(scene.refused(&again, 5), "second-key");

    // One of four dies without warning; three are enough.
    kill(devnet.processes()[0]);
    let send = ["wallet", "send", "--wallet", "alice", "--asset", ASSET, "--to", "bob", "1200"];
    let sent = scene.json(&send);
    let id = sent["transaction"].as_str().unwrap();
    scene.json(&["wallet", "accept", "--wallet", "bob"]);
    assert_eq!(scene.json(&["wallet", "sync", "--wallet", "alice"])["settled"], 1);
    assert_eq!((balance(&scene, "alice"), balance(&scene, "bob")), ("3800".into(), "1200".into()));
    let register = scene.json(&["agent", "register"]);
    assert_eq!(register[0]["exact"], true);

    receipts_are_checked_offline(&scene, id, &genesis);
    let status = scene.json(&["network", "status"]);
    let height = status["height"].as_u64().unwrap();
    assert_eq!(scene.json(&["devnet", "stop", "--dir", &net_text])["stopped"], true);
    let key = devnet.ready["verifying_key"].as_str().unwrap().to_owned();
    devnet.ended();
    assert_eq!(scene.json(&["devnet", "stop", "--dir", &net_text])["stopped"], false);
    assert_eq!(scene.refused(&["wallet", "sync", "--wallet", "bob"], 8), "no-node");

    chains_are_checked_offline(&scene, &net, &key, height);

    // The chain goes on where it stood, and the one that was killed follows.
    let devnet = Devnet::start(&scene, &net);
    wait("the killed node catches up", || {
        let standing = scene.json(&["devnet", "status", "--dir", &net_text]);
        let nodes = standing["nodes"].as_array().unwrap();
        nodes.iter().all(|node| node["height"].as_u64().is_some_and(|at| at >= height))
    });
    scene.json(&["network", "join", "--devnet", &net_text]);
    let before = scene.json(&["network", "status"])["time"].as_u64().unwrap();
    let moved = scene.json(&["network", "advance", "1h"]);
    assert!(moved["time"].as_u64().unwrap() >= before + 3600);
    scene.json(&["wallet", "send", "--wallet", "bob", "--asset", ASSET, "--to", "alice", "200"]);

    // Whoever runs the nodes dies: none of them stays.
    kill(u64::from(devnet.child.id()));
    devnet.ended();
}

fn receipts_are_checked_offline(scene: &Scene, id: &str, genesis: &str) {
    scene.json(&["wallet", "receipt", id, "--out", "receipt"]);
    let verify = |receipt: &'static str| {
        let arguments = ["verify", "--receipt", receipt, "--genesis", genesis, "--json"];
        // No data directory, no node.
        Command::new(BINARY)
            .args(arguments)
            .current_dir(scene.path())
            .env("PLACET_DATA", "/nonexistent")
            .output()
            .unwrap()
    };
    let good = verify("receipt");
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let shown: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(shown["transaction"], id);
    assert!(shown["signatures"].as_u64().unwrap() >= 3);
    let bytes = std::fs::read(scene.path().join("receipt")).unwrap();
    for place in [10, bytes.len() / 2, bytes.len() - 1] {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        std::fs::write(scene.path().join("altered"), altered).unwrap();
        assert_eq!(refusal(&verify("altered"), 9, "an altered receipt"), "receipt");
    }
}

fn chains_are_checked_offline(scene: &Scene, net: &Path, key: &str, height: u64) {
    let config = net.join("authority-1/node.toml").display().to_string();
    let genesis = net.join("genesis.json").display().to_string();
    scene.text(&["node", "export", "--config", &config, "blocks"]);
    let audit = ["audit", "--genesis", &genesis, "--key", key, "blocks"];
    let found = scene.json(&audit);
    assert!(found["blocks"].as_u64().unwrap() >= height);
    assert!(found["transfers"].as_u64().unwrap() >= 4);
    assert!(found["assertions"].as_u64().unwrap() > 0);

    let bytes = std::fs::read(scene.path().join("blocks")).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(scene.path().join("wrong"), bytes).unwrap();
        let audit = ["audit", "--genesis", &genesis, "--key", key, "wrong"];
        scene.refused(&audit, 9)
    };
    assert_eq!(refused(&bytes[..bytes.len() - 7]), "truncated");
    // Frames: length and block; a length of zero ends them.
    let mut frames = Vec::new();
    let mut at = 56;
    while let length @ 1.. = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize {
        frames.push(&bytes[at..at + 4 + length]);
        at += 4 + length;
    }
    let file = |frames: &[&[u8]]| {
        let count = (frames.len() as u64).to_le_bytes();
        [&bytes[..56], &frames.concat(), &[0; 4], &count].concat()
    };
    assert_eq!(file(&frames), bytes);
    let mut swapped = frames.clone();
    swapped.swap(1, 2);
    assert_eq!(refused(&file(&swapped)), "reordered");
    let mut missing = frames.clone();
    missing.remove(2);
    assert_eq!(refused(&file(&missing)), "reordered");
    // The time in the header of block 3: nobody signed that.
    let mut altered = frames[2].to_vec();
    altered[4 + 8 + 32] ^= 1;
    let mut changed = frames.clone();
    changed[2] = &altered;
    assert_eq!(refused(&file(&changed)), "not-final");
    let short = ["audit", "--genesis", &genesis, "--key", key, "--height", "1000000", "blocks"];
    assert_eq!(scene.refused(&short, 9), "incomplete");
}
