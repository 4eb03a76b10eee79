//! Runs the binary that cargo built, in a data directory of its own.
#![allow(dead_code)] // each test file uses a part of it

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The passphrase of every keystore in these tests.
pub const PASSPHRASE: &str = "a passphrase for tests only";

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_placet");

/// The workspace's directory.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("cli is a member").to_owned()
}

/// A fresh directory with a passphrase file, a data directory, and a copy of `docs/examples` in the
/// place where it stands in the repository.
pub struct Scene {
    directory: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("passphrase"), PASSPHRASE).expect("writable");
        let examples = directory.path().join("docs/examples");
        std::fs::create_dir_all(&examples).expect("writable");
        for entry in std::fs::read_dir(workspace().join("docs/examples")).expect("examples") {
            let entry = entry.expect("readable");
            if entry.path().is_dir() {
                continue;
            }
            std::fs::copy(entry.path(), examples.join(entry.file_name())).expect("copied");
        }
        Self { directory }
    }

    /// Where commands run.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Any program with the scene's environment; passphrases come from standard input.
    pub fn program(&self, program: &str) -> Command {
        self.program_with(program, "passphrase")
    }

    /// As [`Self::program`], with another file of passphrases.
    pub fn program_with(&self, program: &str, passphrases: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env("PLACET_DATA", self.data())
            .env("PLACET_PASSPHRASE_FD", "0")
            .env_remove("PLACET_WALLET")
            .stdin(File::open(self.path().join(passphrases)).expect("a passphrase file"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `placet`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program(BINARY).args(arguments).output().expect("placet runs")
    }

    /// Runs `placet`, which must succeed; returns what it printed.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "placet {arguments:?} failed:\n{errors}");
        String::from_utf8(output.stdout).expect("text is UTF-8")
    }

    /// Runs `placet … --json`, which must succeed and print one JSON value and nothing else.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let text = self.text(&arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    /// Runs `placet … --json`, which must fail with this exit code and say why in one JSON object
    /// on standard error; returns the code in it.
    pub fn refused(&self, arguments: &[&str], exit: i32) -> String {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        refusal(&self.run(&arguments), exit, &format!("{arguments:?}"))
    }
}

/// The stable code of a failed command.
pub fn refusal(output: &Output, exit: i32, what: &str) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{what}:\n{errors}");
    assert!(output.stdout.is_empty(), "{what} printed a result although it failed");
    let error: Value =
        serde_json::from_str(&errors).unwrap_or_else(|error| panic!("{what}: {error}\n{errors}"));
    let object = error.as_object().expect("errors are objects");
    let keys: Vec<_> = object.keys().map(String::as_str).collect();
    assert_eq!(keys, ["code", "help", "message"], "{what}");
    for key in ["code", "message", "help"] {
        assert!(!error[key].as_str().expect("texts").is_empty(), "{what}: {key} is empty");
    }
    error["code"].as_str().expect("a text").to_owned()
}
