//! `placet ceremony` on a small circuit with the genuine powers of tau of 2^8 rows.

use std::path::{Path, PathBuf};
use std::process::Command;

use ark_bn254::Fr;
use placet_snarkjs::r1cs::R1cs;
use serde_json::Value;

fn ptau() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../setup/tests/data/powersOfTau28_hez_final_08.ptau")
}

/// Exit code, and the JSON of standard output or else of standard error.
fn placet(directory: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_placet"))
        .args(["--json", "--quiet", "ceremony"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("placet runs");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    let json = serde_json::from_slice(&text).expect("one JSON value");
    (output.status.code().expect("an exit code"), json)
}

#[test]
fn one_file_in_one_file_out_until_anyone_can_verify() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path();
    // x·x = y with y public.
    let one = Fr::from(1u8);
    let square = [vec![vec![(one, 2)]], vec![vec![(one, 2)]], vec![vec![(one, 1)]]];
    R1cs::from_matrices(&square, 2, 1).save(&directory.join("square.r1cs")).unwrap();
    std::fs::write(directory.join("dice"), "6 1 3 3 5 2").unwrap();
    let genuine = ptau();
    let genuine = genuine.to_str().unwrap();
    let run = |arguments: &[&str]| placet(directory, arguments);

    let (code, made) = run(&["new", "--ptau", genuine, "--r1cs", "square.r1cs", "0.zkey"]);
    assert_eq!((code, &made["ptau"]["published"]), (0, &"powersOfTau28_hez_final_08.ptau".into()));
    let step = ["contribute", "0.zkey", "1.zkey", "--name", "Dora", "--entropy-file", "dice"];
    let (code, step_one) = run(&step);
    assert_eq!((code, &step_one["number"]), (0, &1.into()));
    assert_eq!(step_one["contribution_hash"].as_str().unwrap().len(), 128);
    let (code, refused) = run(&step);
    assert_eq!((code, &refused["code"]), (3, &"exists".into()), "nothing is overwritten");

    let verify =
        |key: &str| run(&["verify", key, "--ptau", genuine, "--r1cs", "square.r1cs", "--closed"]);
    let (code, skipped) = verify("0.zkey");
    assert_eq!(code, 9);
    assert!(skipped["message"].as_str().unwrap().contains("phase 2 was skipped"), "{skipped}");
    assert_eq!(verify("1.zkey").0, 9);
    assert_eq!(run(&["beacon", "1.zkey", "2.zkey", "--value", "0102"]).0, 0);
    let (code, verified) = verify("2.zkey");
    assert_eq!((code, &verified["state"]), (0, &"closed by a beacon".into()));
    let (_, shown) = run(&["show", "2.zkey"]);
    assert_eq!(shown["contributions"], verified["contributions"]);
    assert_eq!(shown["contributions"][0]["hash"], step_one["contribution_hash"]);
    assert_eq!(shown["contributions"][0]["name"], "Dora");

    // The key of another circuit makes no keys of this program's statement.
    let (code, _) = run(&["finalize", "2.zkey", "--ptau", genuine, "--out", "keys"]);
    assert_eq!(code, 9);
    assert!(!directory.join("keys").exists());
}

#[test]
fn unknown_powers_of_tau_are_taken_only_when_that_is_said_and_after_a_full_check() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path();
    std::fs::write(directory.join("dice"), "6 1 3 3 5 2").unwrap();
    let run = |arguments: &[&str]| placet(directory, arguments);
    assert_eq!(run(&["phase1", "new", "--power", "2", "0.ptau"]).0, 0);
    assert_eq!(run(&["phase1", "verify", "0.ptau"]).0, 9, "nobody contributed");
    let step =
        ["phase1", "contribute", "0.ptau", "1.ptau", "--name", "x", "--entropy-file", "dice"];
    assert_eq!(run(&step).0, 0);
    assert_eq!(run(&["phase1", "prepare", "1.ptau", "2.ptau"]).0, 0);
    let (code, verified) = run(&["phase1", "verify", "2.ptau"]);
    assert_eq!((code, &verified["prepared"]), (0, &true.into()));

    let one = Fr::from(1u8);
    let square = [vec![vec![(one, 2)]], vec![vec![(one, 2)]], vec![vec![(one, 1)]]];
    R1cs::from_matrices(&square, 2, 1).save(&directory.join("square.r1cs")).unwrap();
    let new = ["new", "--ptau", "2.ptau", "--r1cs", "square.r1cs", "0.zkey"];
    let (code, refused) = run(&new);
    assert_eq!((code, &refused["code"]), (3, &"unknown-ptau".into()));
    let accepted = [&new[..], &["--accept-unknown-ptau"]].concat();
    assert_eq!(run(&accepted).0, 0);

    let mut altered = std::fs::read(directory.join("2.ptau")).unwrap();
    let last = altered.len() - 64;
    altered.copy_within(last - 64..last, last);
    std::fs::write(directory.join("2.ptau"), altered).unwrap();
    std::fs::remove_file(directory.join("0.zkey")).unwrap();
    assert_eq!(run(&accepted).0, 3);
    assert_eq!(run(&["phase1", "verify", "2.ptau"]).0, 9);
}
