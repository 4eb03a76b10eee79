//! Invariants 7 and 8 of `ARCHITECTURE.md`, read off the sources: below the programs nothing
//! reaches for clock, environment, terminal, files or randomness, and nothing is collected in hash
//! order. What is excepted is named here, file by file.

use std::path::{Path, PathBuf};

/// What a source may not mention, and which files may.
struct Ban {
    what: &'static str,
    words: &'static [&'static str],
    excepted: &'static [&'static str],
}

const BANS: &[Ban] = &[
    Ban { what: "the clock", words: &["SystemTime", "Instant::now"], excepted: &[] },
    Ban {
        what: "the environment",
        words: &["std::env", "env::var", "env::args"],
        excepted: &["setup/src/cache.rs"],
    },
    Ban {
        what: "the terminal",
        words: &["print!(", "println!(", "stdin()", "stdout()", "stderr()"],
        excepted: &[],
    },
    Ban {
        what: "files",
        words: &["std::fs", "File::open", "File::create"],
        excepted: &[
            "params/src/file.rs",
            "params/src/transcript.rs",
            "prover/kernel/src/file.rs",
            "prover/kernel/src/mapping.rs",
            "setup/src/cache.rs",
            "setup/src/ceremony/finalize.rs",
            "snarkjs/src/lib.rs",
            "snarkjs/src/r1cs.rs",
            "snarkjs/src/wtns.rs",
            "snarkjs/src/zkey.rs",
            "wallet/src/files.rs",
            "wallet/src/keystore.rs",
        ],
    },
    Ban {
        what: "randomness",
        words: &["getrandom", "thread_rng", "OsRng"],
        excepted: &[
            "setup/src/cache.rs",
            "setup/src/ceremony/combine.rs",
            "setup/src/ceremony/contribute.rs",
            "setup/src/ceremony/phase1/check.rs",
            "setup/src/ceremony/verify.rs",
            "setup/src/generate.rs",
            "prover/src/seed.rs",
            "verifier/src/batch.rs",
        ],
    },
    Ban { what: "hash order", words: &["HashMap", "HashSet"], excepted: &[] },
];

/// Everything below the programs.
const CRATES: &[&str] = &[
    "protocol",
    "circuits",
    "params",
    "snarkjs",
    "setup",
    "prover",
    "prover/kernel",
    "verifier",
    "evm",
    "registry",
    "ledger",
    "wallet",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file: no comments, and nothing of its test module, which comes last.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn libraries_reach_for_nothing_that_is_not_an_argument() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for name in CRATES {
        sources(&root.join(name).join("src"), &mut found);
    }
    assert!(found.len() > 60, "only {} files: the test looks in the wrong place", found.len());
    let mut wrong = Vec::new();
    for path in &found {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let code = code(&std::fs::read_to_string(path).unwrap());
        for ban in BANS.iter().filter(|ban| !ban.excepted.contains(&name.as_str())) {
            for word in ban.words.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{name} reaches for {}: `{word}`", ban.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exception_is_still_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for ban in BANS {
        for name in ban.excepted {
            let code = code(&std::fs::read_to_string(root.join(name)).unwrap());
            let used = ban.words.iter().any(|word| code.contains(word));
            assert!(used, "{name} no longer reaches for {}: remove the exception", ban.what);
        }
    }
}

#[test]
fn comments_and_test_modules_are_not_code() {
    let text = "use a; // std::env\n/// HashMap\nlet x;\n#[cfg(test)]\nmod tests { HashMap }";
    assert_eq!(code(text), "use a; \n\nlet x;");
}
