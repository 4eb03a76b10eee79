//! `placet bench prover` through the binary: real processes, one round at the smallest size.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use support::Scene;

/// The smallest circuit, once.
const SMALL: [&str; 8] = ["bench", "prover", "--circuit", "merkle", "--size", "8", "--rounds", "1"];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn json_csv_and_page_come_from_one_run_and_every_proof_verified() {
    let scene = Scene::new();
    let mut arguments = SMALL.to_vec();
    arguments.extend(["--threads", "1", "--csv", "a.csv", "--html", "a.html", "--files", "files"]);
    let result = scene.json(&arguments);
    assert_eq!(keys(&result), ["cold", "detail", "peak_mb", "ratio", "verify", "warm_ms"]);
    assert_eq!(keys(&result["cold"]), ["ark_ms", "ours_ms", "taceo_ms"]);
    assert_eq!(keys(&result["ratio"]), ["ark", "taceo", "warm_ark"]);
    assert_eq!(keys(&result["verify"]), ["batch256_ratio_one_core", "single_ratio"]);
    for figure in ["/cold/ours_ms", "/cold/ark_ms", "/warm_ms", "/ratio/ark", "/ratio/warm_ark"] {
        assert!(result.pointer(figure).and_then(Value::as_f64).unwrap() > 0.0, "{figure}");
    }
    for figure in ["/verify/single_ratio", "/verify/batch256_ratio_one_core"] {
        assert!(result.pointer(figure).and_then(Value::as_f64).unwrap() > 0.0, "{figure}");
    }
    // The rival is not in this build, and says so by its absence.
    assert_eq!(result["ratio"]["taceo"], Value::Null);
    let [circuit] = result["detail"]["circuits"].as_array().unwrap().as_slice() else {
        panic!("one circuit was asked for")
    };
    assert_eq!((&circuit["circuit"], &circuit["size"]), (&"merkle".into(), &8.into()));
    let provers = circuit["detail"]["provers"].as_array().unwrap();
    let names: Vec<_> = provers.iter().map(|row| row["prover"].as_str().unwrap()).collect();
    assert_eq!(names, ["ours", "warm", "ark"]);
    for row in provers {
        // One that counts, and the one before it.
        assert_eq!(row["proofs_verified"], 2, "{row}");
        assert_eq!(row["rounds_wall_ms"].as_array().unwrap().len(), 1, "{row}");
    }

    let csv = std::fs::read_to_string(scene.path().join("a.csv")).unwrap();
    let mut lines = csv.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let harness = "framework,category,backend,curve,circuit,input,operation,nbConstraints,nbSecret,\
                   nbPublic,ram,time,proofSize,nbPhysicalCores,nbLogicalCores,machine";
    assert_eq!(header[..16].join(","), harness);
    let proved: BTreeSet<_> = lines
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|cells| cells[6] == "prove")
        .map(|cells| cells[0])
        .collect();
    assert_eq!(Vec::from_iter(proved), ["arkworks", "placet", "placet-warm"]);
    let page = std::fs::read_to_string(scene.path().join("a.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script"));
    assert!(scene.path().join("files/merkle-8.pk").is_file());

    // Again with the key that is there, and in words.
    let text = scene.text(&[&SMALL[..], &["--files", "files", "--tables", "none"]].concat());
    for words in ["ark-groth16 0.6", "ours, prepared before", "--features rivals", "--snarkjs"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_is_no_proof_does_not_count() {
    let scene = Scene::new();
    let with = |command: &str, exit: i32| {
        scene.refused(&[&SMALL[..], &["--external", command]].concat(), exit)
    };
    assert_eq!(with("cheat=cp {wtns} {proof}", 9), "proof-invalid");
    assert_eq!(with("gone=/no/such/prover {proof}", 3), "program");
    assert_eq!(with("broken=false {proof}", 1), "prover");
}

#[test]
fn refusals_say_what_to_do() {
    let scene = Scene::new();
    for (arguments, words) in [
        (&["--circuit", "sha256"][..], "possible values: transfer, merkle"),
        (&["--size", "19"], "use 8 to 18"),
        (&["--size", "7..9"], "use 8 to 18"),
        (&["--size", "big"], "use 14 or 12..18"),
        (&["--size", "12..10"], "use 12..18"),
        (&["--rounds", "0"], "1..=1000"),
        (&["--threads", "0"], "use --threads 1 to"),
        (&["--threads", "100000"], "use --threads 1 to"),
        (&["--tables", "huge"], "none, small or full"),
        (&["--external", "no command"], "write 'name=command"),
    ] {
        let arguments = [&["bench", "prover"], arguments].concat();
        assert_eq!(scene.refused(&arguments, 2), "usage", "{arguments:?}");
        let plain = scene.run(&arguments);
        let errors = String::from_utf8(plain.stderr).unwrap();
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
    let arguments = [&SMALL[..], &["--snarkjs", "nowhere"]].concat();
    assert_eq!(scene.refused(&arguments, 3), "snarkjs");
    let plain = scene.run(&arguments);
    let errors = String::from_utf8(plain.stderr).unwrap();
    assert!(errors.contains("npm install snarkjs"), "{errors}");
}

/// Rival provers are for those who measure.
#[test]
fn a_users_wallet_is_built_without_rivals() {
    let packages = |features: &[&str]| -> BTreeSet<String> {
        let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
            .args(["tree", "--offline", "--locked", "--prefix", "none", "-e", "normal"])
            .args(["-p", "placet-cli"])
            .args(features)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo tree failed:\n{errors}");
        let text = String::from_utf8(output.stdout).expect("names are UTF-8");
        text.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    };
    let usual = packages(&[]);
    assert!(usual.contains("placet-prover"));
    assert!(!usual.contains("taceo-groth16"), "the default build contains a rival prover");
    // The name is right.
    assert!(packages(&["--features", "rivals"]).contains("taceo-groth16"));
}
