//! Development keys: made once, shared, repaired.

#[path = "../../params/tests/support/square_chain.rs"]
mod square_chain;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use placet_circuits::circuit::blank_shape;
use placet_params::file::{Kind, file_name};
use placet_params::{CircuitDigest, KeyPolicy, Origin, VerifyingKey};
use placet_setup::{CacheError, SetupSeed, Stage, development_keys, generate, key_dir};
use square_chain::SquareChain;

fn file(cache: &Path, kind: Kind) -> std::path::PathBuf {
    let digest = CircuitDigest(blank_shape::<SquareChain>().unwrap().digest);
    key_dir(cache).join(file_name(&digest, kind))
}

/// Runs once and returns the names of the stages and the hash of the key.
fn run(cache: &Path) -> (Vec<String>, placet_params::VerifyingKeyHash) {
    let mut stages = Vec::new();
    let (proving, verifying) = development_keys::<SquareChain>(cache, &mut |stage| {
        let text = format!("{stage:?}");
        stages.push(text.split([' ', '{']).next().unwrap().to_owned());
    })
    .unwrap();
    assert_eq!(proving.verifying_key(), &verifying);
    assert_eq!(verifying.origin(), Origin::Dev);
    (stages, verifying.hash())
}

#[test]
fn keys_are_generated_once_and_then_loaded() {
    let cache = tempfile::tempdir().unwrap();
    let (first, hash) = run(cache.path());
    assert_eq!(first, ["Loading", "Generating", "Saving", "Ready"]);
    let (second, again) = run(cache.path());
    assert_eq!(second, ["Loading", "Ready"]);
    assert_eq!(hash, again);
}

#[test]
fn callers_that_start_together_generate_once() {
    let cache = tempfile::tempdir().unwrap();
    let generated = AtomicUsize::new(0);
    let hashes: Vec<_> = std::thread::scope(|scope| {
        let start = || {
            scope.spawn(|| {
                let (stages, hash) = run(cache.path());
                let count = stages.iter().filter(|stage| *stage == "Generating").count();
                generated.fetch_add(count, Ordering::SeqCst);
                hash
            })
        };
        let threads: Vec<_> = (0..8).map(|_| start()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(generated.load(Ordering::SeqCst), 1);
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn a_damaged_proving_key_is_reported_and_made_again() {
    let cache = tempfile::tempdir().unwrap();
    let (_, before) = run(cache.path());
    let path = file(cache.path(), Kind::Proving);
    let bytes = std::fs::read(&path).unwrap();
    for damaged in [&bytes[..0], &bytes[..bytes.len() / 2], b"not a key file at all"] {
        std::fs::write(&path, damaged).unwrap();
        let (stages, after) = run(cache.path());
        assert_eq!(stages, ["Loading", "Damaged", "Generating", "Saving", "Ready"]);
        assert_ne!(before, after);
        // Both files agree again.
        assert_eq!(run(cache.path()), (vec!["Loading".to_owned(), "Ready".to_owned()], after));
    }
}

#[test]
fn a_damaged_or_missing_verifying_key_is_written_again_from_the_proving_key() {
    let cache = tempfile::tempdir().unwrap();
    let (_, hash) = run(cache.path());
    let path = file(cache.path(), Kind::Verifying);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(run(cache.path()).0, ["Loading", "Damaged", "Ready"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(run(cache.path()).0, ["Loading", "Ready"]);
    let digest = CircuitDigest(blank_shape::<SquareChain>().unwrap().digest);
    let alone = VerifyingKey::<SquareChain>::load(&path, &digest, KeyPolicy::Dev).unwrap();
    assert_eq!(alone.hash(), hash);
}

#[test]
fn a_foreign_verifying_key_does_not_survive_beside_a_good_proving_key() {
    let cache = tempfile::tempdir().unwrap();
    let (_, hash) = run(cache.path());
    let foreign = generate::<SquareChain>(SetupSeed::from_bytes([7; 32])).unwrap();
    foreign.verifying_key().save(&file(cache.path(), Kind::Verifying)).unwrap();
    assert_eq!(run(cache.path()).1, hash);
    let digest = CircuitDigest(blank_shape::<SquareChain>().unwrap().digest);
    let path = file(cache.path(), Kind::Verifying);
    let alone = VerifyingKey::<SquareChain>::load(&path, &digest, KeyPolicy::Dev).unwrap();
    assert_eq!(alone.hash(), hash);
}

#[test]
fn an_unusable_cache_directory_is_an_error_that_names_it() {
    let cache = tempfile::tempdir().unwrap();
    let blocked = cache.path().join("file");
    std::fs::write(&blocked, b"in the way").unwrap();
    let error = development_keys::<SquareChain>(&blocked, &mut |_: Stage<'_>| {}).unwrap_err();
    assert!(matches!(&error, CacheError::Io { path, .. } if path.starts_with(&blocked)));
    assert!(error.to_string().contains("PLACET_CACHE_DIR"));
}

#[test]
fn the_same_seed_makes_the_same_keys() {
    let hash = |seed| {
        generate::<SquareChain>(SetupSeed::from_bytes([seed; 32])).unwrap().verifying_key().hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
