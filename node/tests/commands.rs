//! The operator's commands, through the binary.

use std::path::Path;
use std::process::{Command, Output};

use placet_node::{dev_network, keys};
use placet_protocol::genesis::{Genesis, NetworkParams};
use placet_protocol::request::{ApprovalFile, Request};
use serde_json::Value;

const PASSPHRASE: &str = "a passphrase for a test";

fn node(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_placet-node")).args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = node(&[arguments, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Code and message of a command that has to fail.
fn failure(arguments: &[&str]) -> (String, String) {
    let output = node(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    let lines = String::from_utf8(output.stderr).unwrap();
    let error: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let text = |key: &str| error[key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

struct Made {
    dir: tempfile::TempDir,
    config: String,
    key: String,
}

impl Made {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

/// A node made by `init`, with its passphrase in a file.
fn made() -> Made {
    let dir = tempfile::tempdir().unwrap();
    let passphrase = dir.path().join("passphrase");
    private(&passphrase, &format!("{PASSPHRASE}\nsomething else\n"));
    let node_dir = dir.path().join("node").display().to_string();
    let passphrase = passphrase.display().to_string();
    let init = ["init", &node_dir, "--passphrase-file", &passphrase];
    let key = json(&init)["key"].as_str().unwrap().to_owned();
    // A second time it touches nothing.
    assert_eq!(failure(&init).0, "exists");
    Made { config: format!("{node_dir}/node.toml"), dir, key }
}

fn genesis(of: &Made) -> Genesis {
    let params = NetworkParams::default();
    let (mut genesis, _) = dev_network("x", 1_800_000_000, params, Vec::new(), &[1; 32]).unwrap();
    genesis.authorities[2].key = serde_json::from_value(of.key.clone().into()).unwrap();
    let text = serde_json::to_vec(&genesis).unwrap();
    std::fs::write(of.path("node/genesis.json"), text).unwrap();
    genesis
}

#[test]
fn a_key_is_made_shown_and_given_another_passphrase() {
    let made = made();
    let config = made.config.as_str();
    assert_eq!(failure(&["keys", "show", "--config", config]).0, "config", "no genesis yet");
    genesis(&made);
    assert_eq!(json(&["keys", "show", "--config", config])["key"], made.key.as_str());
    let sits = json(&["keys", "check", "--config", config]);
    assert_eq!(sits["name"], "authority-2");
    let new = made.path("new-passphrase");
    private(Path::new(&new), "quite another passphrase\n");
    let change = ["keys", "change-passphrase", "--config", config, "--new-passphrase-file", &new];
    json(&change);
    assert_eq!(failure(&["keys", "show", "--config", config]).0, "passphrase");
    private(Path::new(&made.path("passphrase")), "quite another passphrase");
    assert_eq!(json(&["keys", "show", "--config", config])["key"], made.key.as_str());
}

#[test]
fn requests_and_approvals_are_files() {
    let made = made();
    let genesis = genesis(&made);
    let config = made.config.as_str();
    let (request, approval) = (made.path("request.json"), made.path("approval.json"));
    let ask = |name: &str, out: &str| {
        let arguments =
            ["keys", "request", "--config", config, "--name", name, "--mandate", "risk"];
        [&arguments[..], &["--number", "3", "--out", out]].concat().join("\u{1f}")
    };
    let asked = ask("Bank E", &request);
    json(&asked.split('\u{1f}').collect::<Vec<_>>());
    let read = Request::from_json(&std::fs::read(&request).unwrap()).unwrap();
    assert_eq!(read.chain(), genesis.chain_id());
    json(&["keys", "approve", "--config", config, &request, "--out", &approval]);
    let file = ApprovalFile::from_json(&std::fs::read(&approval).unwrap()).unwrap();
    assert_eq!(file.authority.to_string(), made.key);
    // Another network's request is not approved, and files are not overwritten.
    let mut other: Value = serde_json::from_slice(&std::fs::read(&request).unwrap()).unwrap();
    other["number"] = 4.into();
    let altered = made.path("altered.json");
    std::fs::write(&altered, other.to_string()).unwrap();
    let out = made.path("never.json");
    let approve = ["keys", "approve", "--config", config, &altered, "--out", &out];
    assert_eq!(failure(&approve).0, "request", "its possession signature is for number 3");
    assert_eq!(
        failure(&["keys", "approve", "--config", config, &request, "--out", &approval]).0,
        "file"
    );
}

#[test]
fn a_node_that_cannot_run_says_why_and_fails() {
    let made = made();
    let config = made.config.as_str();
    let run = ["run", "--config", config];
    assert_eq!(failure(&["run", "--config", "/nowhere/node.toml"]).0, "config");
    let (code, message) = failure(&run);
    assert_eq!(code, "config");
    assert!(message.contains("genesis"), "{message}");
    genesis(&made);
    // The genesis pins no key, so there is no proof that this node could verify.
    let (code, message) = failure(&run);
    assert_eq!(code, "node");
    assert!(message.contains("verifying-key"), "{message}");
    let lock = keys::KeyLock::take(Path::new(&made.path("node/authority.key"))).unwrap();
    assert_eq!(failure(&run).0, "busy");
    drop(lock);
    let text = std::fs::read_to_string(config).unwrap();
    std::fs::write(config, text.replace("threads = 2", "threads = 0")).unwrap();
    let (code, message) = failure(&run);
    assert_eq!(code, "config");
    assert!(message.contains("consensus.threads"), "{message}");
}

#[test]
fn nobody_answers_where_no_node_runs() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, message) = failure(&["status", "--api", &format!("http://{address}")]);
    assert_eq!(code, "no-answer");
    assert!(message.contains(&address.to_string()), "{message}");
}
