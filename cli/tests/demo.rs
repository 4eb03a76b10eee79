//! The main job, end to end: one run of `placet demo --json`, and everything that scripts rely on.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Case, the wallet's code, the ledger's code.
const REFUSED: [(&str, &str, &str); 13] = [
    ("sanctioned-document", "not-sanctioned", "proof-invalid"),
    ("expired-credential", "identity-not-expired", "proof-invalid"),
    ("revoked-credential", "identity-member", "registry-root-unknown"),
    ("barred-jurisdiction", "jurisdiction-allowed", "proof-invalid"),
    ("wrong-category", "investor-eligible", "proof-invalid"),
    ("too-little-capital", "capital-sufficient", "proof-invalid"),
    ("holding-limit", "holding-within-limit", "proof-invalid"),
    ("parking-in-flight", "holding-within-limit", "proof-invalid"),
    ("lock-up", "lock-respected", "proof-invalid"),
    ("too-many-holders", "too-many-holders", "too-many-holders"),
    ("double-spend", "delivery-closed", "nullifier-spent"),
    ("frozen-position", "frozen", "nullifier-frozen"),
    ("someone-elses-credential", "identity-member", "proof-invalid"),
];

/// In this order.
const ACCEPTED: [&str; 24] = [
    "mint",
    "accept",
    "mint-to-carol",
    "accept-when-eligible",
    "transfer-over-the-limit",
    "mint-second-tranche",
    "mint-to-daichi",
    "mint-to-evelyn",
    "refund",
    "transfer",
    "accept-transfer",
    "settlement",
    "accept-second-tranche",
    "set-policy",
    "raise-cap",
    "accept-under-raised-cap",
    "freeze",
    "release",
    "partial-onward-transfer",
    "accept-onward-transfer",
    "renew",
    "redemption",
    "transfer-after-lock-up",
    "revoke",
];

#[test]
fn everything_is_accepted_or_refused_as_it_must_be_and_the_register_is_exact() {
    let directory = tempfile::tempdir().unwrap();
    let (kept, left) = (directory.path().join("kept"), directory.path().join("left"));
    let output = Command::new(env!("CARGO_BIN_EXE_placet"))
        .args(["demo", "--json", "--keep"])
        .arg(&kept)
        .arg("--export")
        .arg(&left)
        .env_remove("PLACET_DATA")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let object = report.as_object().unwrap();

    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "accepted",
        "authorities",
        "exported",
        "prove_ms",
        "refused",
        "register_exact",
        "rows",
        "sanctions_entries",
        "verify_ms",
    ];
    assert_eq!(names, expected);

    let accepted = object["accepted"].as_array().unwrap();
    let steps: Vec<_> = accepted.iter().map(|done| done["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ACCEPTED);
    for done in accepted {
        assert_eq!(done.as_object().unwrap().len(), 2, "{done}");
        assert!(done["seconds"].as_f64().unwrap() > 0.0, "{done}");
    }

    let refused = object["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 2 * REFUSED.len());
    for (case, wallet, ledger) in REFUSED {
        for (layer, code) in [("wallet", wallet), ("ledger", ledger)] {
            let of_case = |one: &&Value| one["case"] == case && one["layer"] == layer;
            let found: Vec<_> = refused.iter().filter(of_case).collect();
            let [one] = found[..] else { panic!("{case} at the {layer}: {found:?}") };
            assert_eq!(one["code"], code, "{case} at the {layer}");
            assert_eq!(one.as_object().unwrap().len(), 4, "{one}");
            // A sentence for people, which says what to do.
            let message = one["message"].as_str().unwrap();
            assert!(message.contains([';', ':']) && message.len() > 40, "{message}");
        }
    }

    assert_eq!(object["register_exact"], true);
    assert_eq!(object["authorities"], 4);
    assert_eq!(object["sanctions_entries"], 3626);
    let rows = object["rows"].as_u64().unwrap();
    assert!((10_000..=1 << 15).contains(&rows), "{rows}");
    let median = |name: &str| object[name].as_f64().unwrap();
    assert!(0.0 < median("verify_ms") && median("verify_ms") < median("prove_ms"));
    the_exported_transfer_is_the_one_on_the_chain(&object["exported"], &kept, &left);
}

/// By its id from the network and by its bytes from the file, the same proof comes out.
fn the_exported_transfer_is_the_one_on_the_chain(exported: &Value, kept: &Path, left: &Path) {
    let names: Vec<_> = exported["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| Path::new(file["file"].as_str().unwrap()).file_name().unwrap().to_owned())
        .collect();
    let expected = [
        "verification_key.json",
        "proof.json",
        "public.json",
        "transfer.r1cs",
        "transfer.wtns",
        "transfer.bin",
        "genesis.json",
    ];
    assert_eq!(names, expected);
    let read = |path: PathBuf| std::fs::read(path).unwrap();
    let export = |transfer: &std::ffi::OsStr, out: &Path, more: &[&std::ffi::OsStr]| {
        let output = Command::new(env!("CARGO_BIN_EXE_placet"))
            .args(["export", "proof"])
            .arg(transfer)
            .arg("--out")
            .arg(out)
            .args(more)
            .env_remove("PLACET_DATA")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{errors}");
        for name in ["proof.json", "public.json"] {
            assert_eq!(read(out.join(name)), read(left.join(name)), "{name}");
        }
    };
    let id = exported["transaction"].as_str().unwrap();
    export(id.as_ref(), &left.join("by-id"), &["--data".as_ref(), kept.as_os_str()]);
    let genesis = left.join("genesis.json");
    export(
        left.join("transfer.bin").as_os_str(),
        &left.join("by-bytes"),
        &["--genesis".as_ref(), genesis.as_os_str()],
    );
}
