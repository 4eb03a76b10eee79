//! Instructions of one proof, counted by valgrind's callgrind: a figure that does not depend on
//! what else the machine does. Valgrind does not know every instruction set; a prover that looks
//! for them at run time is counted with what it falls back to.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::BenchError;
use super::process::Process;
use super::protocol::{Reply, Request};

const REMEDY: &str = "install valgrind (Debian: `apt install valgrind`), or leave --callgrind out";

/// Whether valgrind and its control program can be started: asked before anything takes time.
pub fn check() -> Result<(), BenchError> {
    for program in ["valgrind", "callgrind_control"] {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().map_err(|source| BenchError::Start {
            program: program.to_owned(),
            source,
            remedy: REMEDY,
        })?;
    }
    Ok(())
}

/// Counts one proof of a prover's process, started with these words; also returns the proof as it
/// was said. The profile stays in `out` for `callgrind_annotate`. Loading and preparation run
/// uncounted, some ten times slower than usual; the proof itself fifty times.
pub fn count(
    name: &str,
    program: &OsStr,
    arguments: &[std::ffi::OsString],
    out: &Path,
) -> Result<(u64, String), BenchError> {
    let mut command = Command::new("valgrind");
    let mut file = std::ffi::OsString::from("--callgrind-out-file=");
    file.push(out);
    command.args(["--tool=callgrind", "--instr-atstart=no", "-q"]).arg(file);
    command.arg(program).args(arguments);
    let mut process = Process::start(name, 1, &mut command, REMEDY)?;
    process.hear()?;
    let failed = || BenchError::Worker {
        prover: name.to_owned(),
        reason: "callgrind cannot be controlled".to_owned(),
    };
    let switch = |how: &str, id: u32| {
        let status = Command::new("callgrind_control")
            .args([format!("--instr={how}"), id.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err(failed()) }
    };
    let id = process.id();
    switch("on", id)?;
    let reply = process.ask(&Request::Prove)?;
    switch("off", id)?;
    process.end()?;
    let Reply::Proof { proof, .. } = reply else { return Err(failed()) };
    let profile = std::fs::read_to_string(out).map_err(BenchError::at(out))?;
    total(&profile).map(|count| (count, proof)).ok_or_else(failed)
}

/// The sum of all parts of a profile.
fn total(profile: &str) -> Option<u64> {
    let lines = profile.lines().filter_map(|line| line.strip_prefix("totals:"));
    let counts = lines.filter_map(|line| line.trim().parse::<u64>().ok());
    let sum = counts.sum();
    (sum > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_the_profile() {
        assert_eq!(total("events: Ir\nsummary: 0\n\ntotals: 794\n"), Some(794));
        assert_eq!(total("events: Ir\n"), None);
    }
}
