//! snarkjs, the prover of most browsers: one Node process that keeps key, witness and compiled code
//! in memory and proves as often as it is asked to.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::BenchError;
use super::process::Process;

/// What Node runs.
const SCRIPT: &str = include_str!("snarkjs.mjs");

/// The directory of the package: given itself, as the directory in which npm installed it, or as
/// the program `snarkjs` that npm linked.
pub fn package(path: &Path) -> Result<PathBuf, BenchError> {
    let real = path.canonicalize().map_err(|_| BenchError::Snarkjs(path.to_owned()))?;
    let below = [real.join("node_modules").join("snarkjs"), real.join("snarkjs")];
    let own = real.ancestors().map(Path::to_owned);
    own.take(3)
        .chain(below)
        .find(|directory| is_package(directory))
        .ok_or_else(|| BenchError::Snarkjs(path.to_owned()))
}

fn is_package(directory: &Path) -> bool {
    let text = std::fs::read_to_string(directory.join("package.json")).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    json["name"] == "snarkjs" && directory.join("main.js").is_file()
}

/// Starts it; it answers as our own processes do.
pub fn start(
    package: &Path,
    threads: usize,
    (zkey, wtns): (&Path, &Path),
) -> Result<Process, BenchError> {
    let mut command = Command::new("node");
    command.args(["--input-type=module", "--eval", SCRIPT, "--"]);
    command.arg(package).args([zkey, wtns]).arg(threads.to_string());
    Process::start(
        "snarkjs",
        threads,
        &mut command,
        "install Node 18 or newer, or leave --snarkjs out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_found_from_where_people_look() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        assert!(matches!(package(&root), Err(BenchError::Snarkjs(_))));
        let own = root.join("node_modules/snarkjs");
        std::fs::create_dir_all(own.join("build")).unwrap();
        std::fs::write(own.join("package.json"), r#"{"name":"snarkjs"}"#).unwrap();
        std::fs::write(own.join("main.js"), "").unwrap();
        std::fs::write(own.join("build/cli.cjs"), "").unwrap();
        for path in
            [root.clone(), root.join("node_modules"), own.clone(), own.join("build/cli.cjs")]
        {
            assert_eq!(package(&path).unwrap(), own, "{path:?}");
        }
        assert!(package(&root.join("elsewhere")).is_err());
    }
}
