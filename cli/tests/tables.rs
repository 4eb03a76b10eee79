//! Tables of the development key: built, listed, damaged, built again, removed.

mod support;

use std::path::PathBuf;

use placet_setup::{default_cache_dir, key_dir};
use serde_json::Value;
use support::{BINARY, Scene};

/// A scene with a cache of its own, which has the keys of the user's cache.
struct Cached {
    scene: Scene,
    cache: PathBuf,
}

impl Cached {
    fn new() -> Self {
        let scene = Scene::new();
        let cache = scene.path().join("cache");
        // Makes the keys if nobody has.
        scene.text(&["export", "verification-key", "--out", "key.json"]);
        let keys = key_dir(&cache);
        std::fs::create_dir_all(&keys).unwrap();
        for entry in std::fs::read_dir(key_dir(&default_cache_dir().unwrap())).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), keys.join(entry.file_name())).unwrap();
        }
        Self { scene, cache }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut command = self.scene.program(BINARY);
        command.env("PLACET_CACHE_DIR", &self.cache).args(arguments).arg("--json");
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "placet {arguments:?} failed:\n{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn files(&self) -> Vec<Value> {
        self.json(&["tables", "list"])["files"].as_array().unwrap().clone()
    }
}

#[test]
fn tables_are_built_listed_replaced_and_removed() {
    let cached = Cached::new();
    assert!(cached.files().is_empty());
    assert_eq!(cached.json(&["tables", "remove"])["bytes"], 0);

    let built = cached.json(&["tables", "build", "--tables", "none"]);
    let path = PathBuf::from(built["file"].as_str().unwrap());
    let good = std::fs::read(&path).unwrap();
    assert_eq!(built["bytes"], good.len());
    assert_eq!(built["tables"], "none");
    let [listed] = &cached.files()[..] else { panic!("one file") };
    assert_eq!(listed["circuit"], built["circuit"]);
    assert_eq!((&listed["tables"], &listed["bytes"]), (&built["tables"], &built["bytes"]));
    assert_eq!(listed["trouble"], Value::Null);

    let mut bad = good.clone();
    bad[40] ^= 1;
    std::fs::write(&path, bad).unwrap();
    assert!(cached.files()[0]["trouble"].as_str().unwrap().contains("again"));
    cached.json(&["tables", "build", "--tables", "none"]);
    assert_eq!(std::fs::read(&path).unwrap(), good, "built again");

    assert_eq!(cached.json(&["tables", "remove", "full"])["bytes"], 0, "there are none");
    assert_eq!(cached.json(&["tables", "remove", "none"])["bytes"], good.len());
    assert!(cached.files().is_empty());
    assert!(!path.exists());
}

#[test]
fn another_kind_of_tables_is_a_usage_error() {
    let scene = Scene::new();
    assert_eq!(scene.refused(&["tables", "build", "--tables", "huge"], 2), "usage");
    assert_eq!(scene.refused(&["tables", "remove", "huge"], 2), "usage");
}
