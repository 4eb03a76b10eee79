//! `placet export` and `placet import`: what goes out comes in again, and what was altered does not.

mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::Scene;

fn text(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn everything_exported_is_imported_again_and_alterations_are_refused() {
    let scene = Scene::new();
    let out = scene.path().join("files");
    let at = |name: &str| out.join(name).display().to_string();
    let exported = scene.json(&["export", "all", "--out", &at("")]);
    assert_eq!(exported["statement"], "transfer");
    assert_eq!(exported["origin"], "dev");
    let circuit = &exported["circuit"];
    let sum =
        circuit["public_inputs"].as_u64().unwrap() + circuit["private_inputs"].as_u64().unwrap();
    assert_eq!(circuit["wires"].as_u64().unwrap(), sum + 1);
    assert_eq!(exported["files"].as_array().unwrap().len(), 6);

    // Nothing is overwritten unless that is asked for.
    assert_eq!(scene.refused(&["export", "all", "--out", &at("")], 3), "exists");
    let again = ["export", "r1cs", "--out", &at("transfer.r1cs")];
    assert_eq!(scene.refused(&again, 3), "exists");
    scene.json(&["export", "r1cs", "--out", &at("transfer.r1cs"), "--force"]);

    // The proving key comes back the same, and so does what it verifies with.
    let keys = scene.path().join("keys").display().to_string();
    let imported = scene.json(&["import", "zkey", &at("transfer.zkey"), "--out", &keys]);
    assert_eq!(imported["id"], exported["id"]);
    let key = ["export", "verification-key", "--keys", &keys, "--out", &at("again.json")];
    scene.json(&key);
    assert_eq!(text(out.join("again.json")), text(out.join("verification_key.json")));
    let vk = scene.path().join("vk").display().to_string();
    let file = at("verification_key.json");
    let imported = scene.json(&["import", "verification-key", &file, "--out", &vk]);
    assert_eq!(imported["id"], exported["id"]);

    // The proof, against key files and against the JSON.
    let (proof, public) = (at("proof.json"), at("public.json"));
    for key in [["--keys", &vk], ["--verification-key", &file]] {
        let found = scene.json(&["import", "proof", &proof, &public, key[0], key[1]]);
        assert_eq!(found["proof"].as_str().unwrap().len(), 256);
    }

    // One public input altered, at the modulus, left out; the key's pairing altered.
    let inputs: Vec<String> = serde_json::from_str(&text(out.join("public.json"))).unwrap();
    let with = |index: usize, value: &str| {
        let mut inputs = inputs.clone();
        inputs[index] = value.to_owned();
        std::fs::write(out.join("altered.json"), serde_json::to_string(&inputs).unwrap()).unwrap();
        let altered = at("altered.json");
        (altered, ["--keys".to_owned(), vk.clone()])
    };
    let modulus = "21888242871839275222246405745257275088548364400416034343698204186575808495617";
    for (value, exit, code) in [("7", 9, "proof-invalid"), (modulus, 3, "json"), ("07", 3, "json")]
    {
        let (altered, keys) = with(5, value);
        let arguments = ["import", "proof", &proof, &altered, &keys[0], &keys[1]];
        assert_eq!(scene.refused(&arguments, exit), code, "{value}");
    }
    let short = serde_json::to_string(&inputs[1..]).unwrap();
    std::fs::write(out.join("altered.json"), short).unwrap();
    let altered = at("altered.json");
    assert_eq!(scene.refused(&["import", "proof", &proof, &altered, "--keys", &vk], 3), "json");

    let mut key: Value = serde_json::from_str(&text(out.join("verification_key.json"))).unwrap();
    key["vk_alphabeta_12"][0][0][0] = "1".into();
    std::fs::write(out.join("altered.json"), key.to_string()).unwrap();
    let elsewhere = scene.path().join("elsewhere").display().to_string();
    let arguments = ["import", "verification-key", &altered, "--out", &elsewhere];
    assert_eq!(scene.refused(&arguments, 3), "json");

    // A key whose matrices are another circuit's: one coefficient of the file altered.
    let mut zkey = std::fs::read(out.join("transfer.zkey")).unwrap();
    let place = first_coefficient(&zkey);
    zkey[place] ^= 1;
    std::fs::write(out.join("altered.zkey"), zkey).unwrap();
    let arguments = ["import", "zkey", &at("altered.zkey"), "--out", &elsewhere];
    assert_eq!(scene.refused(&arguments, 3), "zkey");
    assert!(!scene.path().join("elsewhere").exists(), "what is refused leaves nothing behind");
}

/// Where the value of the first entry of section 4 begins.
fn first_coefficient(zkey: &[u8]) -> usize {
    let mut at = 12;
    loop {
        let id = u32::from_le_bytes(zkey[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(zkey[at + 4..at + 12].try_into().unwrap()) as usize;
        if id == 4 {
            return at + 12 + 4 + 12;
        }
        at += 12 + length;
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let scene = Scene::new();
    let keys = scene.path().display().to_string();
    for (arguments, code) in [
        (&["export", "proof", "nonsense"][..], "not-found"),
        (&["export", "verification-key", "--keys", &keys], "keys"),
        (&["export", "zkey", "--keys", &keys], "keys"),
        (&["import", "zkey", "missing.zkey", "--out", "x"], "zkey"),
        (&["import", "verification-key", "missing.json", "--out", "x"], "file"),
    ] {
        assert_eq!(scene.refused(arguments, 3), code, "{arguments:?}");
    }
    let id = "00".repeat(32);
    assert_eq!(scene.refused(&["export", "proof", &id], 3), "no-network");
    std::fs::write(scene.path().join("no.bin"), b"not a transaction").unwrap();
    assert_eq!(scene.refused(&["export", "proof", "no.bin"], 3), "genesis");
    assert_eq!(scene.refused(&["export", "all"], 2), "usage");
}
