//! Provers that only their users have, rapidsnark and gnark for example: commands that read files
//! and leave a proof as `proof.json`. Each round starts the command anew, so that its time contains
//! reading the key; a prover that keeps its key in memory is faster than that.

use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use ark_bn254::Fr;
use placet_snarkjs::json;

use super::error::BenchError;
use super::measure::{Sample, Stopwatch, peak_kib};
use super::process::start_on;

/// The command of such a prover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The name in results.
    pub name: String,
    words: Vec<String>,
}

impl FromStr for External {
    type Err = BenchError;

    /// `name=command {zkey} {wtns} {proof} {public}`: split at blanks; the four names, and
    /// `{r1cs}`, are replaced by paths.
    fn from_str(text: &str) -> Result<Self, BenchError> {
        let unreadable = || BenchError::External(text.to_owned());
        let (name, command) = text.split_once('=').ok_or_else(unreadable)?;
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        let known = ["ours", "ark", "taceo", "snarkjs", "witness", "warm"];
        let good = !name.is_empty()
            && name.chars().all(plain)
            && !known.contains(&name)
            && !words.is_empty()
            && words.iter().any(|word| word.contains("{proof}"));
        if good { Ok(Self { name: name.to_owned(), words }) } else { Err(unreadable()) }
    }
}

/// One proof of such a prover.
pub struct Round {
    /// From start to end of the process.
    pub took: Sample,
    /// Most memory it was seen to hold, in KiB.
    pub peak_kib: Option<u64>,
    /// What it left; `None` if that is no proof, or one of other public inputs.
    pub proof: Option<ark_groth16::Proof<ark_bn254::Bn254>>,
}

impl External {
    /// Starts it in a directory with `circuit.zkey`, `circuit.wtns` and `circuit.r1cs`, and waits
    /// for its end.
    pub fn prove(
        &self,
        directory: &Path,
        inputs: &[Fr],
        threads: usize,
    ) -> Result<Round, BenchError> {
        let file = |name: &str| directory.join(name);
        let [proof, public] =
            ["proof.json", "public.json"].map(|name| file(&format!("{}-{name}", self.name)));
        let places = [
            ("{zkey}", file("circuit.zkey")),
            ("{wtns}", file("circuit.wtns")),
            ("{r1cs}", file("circuit.r1cs")),
            ("{proof}", proof.clone()),
            ("{public}", public.clone()),
        ];
        let mut words = self.words.iter().map(|word| {
            let replace = |word: String, (name, path): &(&str, std::path::PathBuf)| {
                word.replace(name, &path.to_string_lossy())
            };
            places.iter().fold(word.clone(), replace)
        });
        let program = words.next().expect("there is a word");
        let log = file(&format!("{}.log", self.name));
        let gave_up = |reason: String| BenchError::Worker { prover: self.name.clone(), reason };
        // What an earlier round left must not pass for the proof of this one.
        let _ = std::fs::remove_file(&proof);
        let output = std::fs::File::create(&log).map_err(BenchError::at(&log))?;
        let errors = output.try_clone().map_err(BenchError::at(&log))?;
        let mut command = Command::new(&program);
        command.args(words).stdin(Stdio::null()).stdout(output).stderr(errors);
        let (cpu, watch) = (children_cpu_ms(), Stopwatch::start());
        let mut child = start_on(threads, &mut command).map_err(|source| BenchError::Start {
            program,
            source,
            remedy: "check the command of --external",
        })?;
        let mut peak = None;
        let status = loop {
            peak = peak.max(peak_kib(Some(child.id())));
            match child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Ok(Some(status)) => break status,
                Err(error) => return Err(gave_up(error.to_string())),
            }
        };
        let wall_ms = watch.elapsed().wall_ms;
        let cpu_ms = children_cpu_ms().zip(cpu).map(|(after, before)| after - before);
        if !status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().last().unwrap_or("nothing was said").to_owned();
            return Err(gave_up(format!("{status}: {last}")));
        }
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        // Not every prover writes its public inputs; those that do must have the right ones.
        let other = read(&public).is_some_and(|text| {
            json::read_public(&text, inputs.len()).map_or(true, |found| found != inputs)
        });
        let found = read(&proof).and_then(|text| json::read_proof(&text).ok());
        let proof = found.filter(|_| !other);
        Ok(Round { took: Sample { wall_ms, cpu_ms }, peak_kib: peak, proof })
    }
}

/// Processor time of all children that have ended, in milliseconds; counted in ticks of ten. Linux
/// only.
fn children_cpu_ms() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses that may hold anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let user: u64 = fields.nth(13)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    Some((user + system) as f64 * 1e3 / ticks as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_a_prover_and_where_its_proof_goes() {
        let good: External = "rapidsnark=prover {zkey} {wtns} {proof} {public}".parse().unwrap();
        assert_eq!((good.name.as_str(), good.words.len()), ("rapidsnark", 5));
        for bad in
            ["prover {proof}", "=x {proof}", "x=", "x=prover", "a b=x {proof}", "ark=x {proof}"]
        {
            let refusal = bad.parse::<External>().unwrap_err().to_string();
            assert!(refusal.contains("write 'name=command"), "{bad}: {refusal}");
        }
    }

    #[test]
    fn what_leaves_no_proof_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let nothing: External = "x=true {proof}".parse().unwrap();
        let round = nothing.prove(directory.path(), &[], 1).unwrap();
        assert!(round.proof.is_none());
        let fails: External = "x=false {proof}".parse().unwrap();
        assert!(matches!(fails.prove(directory.path(), &[], 1), Err(BenchError::Worker { .. })));
        let missing: External = "x=/no/such/prover {proof}".parse().unwrap();
        let refusal = missing.prove(directory.path(), &[], 1).err().unwrap().to_string();
        assert!(refusal.contains("--external"), "{refusal}");
    }
}
