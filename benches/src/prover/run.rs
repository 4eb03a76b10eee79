//! The measuring process: starts the provers, asks them in turn, verifies what they say.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use ark_bn254::Fr;
use placet_snarkjs::convert::zkey_from_key;
use placet_snarkjs::wtns;

use super::case::{Case, Circuit, key_file};
use super::engine::{Prover, Tables};
use super::error::BenchError;
use super::external::External;
use super::measure::{Machine, Sample, threads, version_of};
use super::process::Process;
use super::protocol::{Reply, Request, read_proof, write_proof};
use super::worker::Role;
use super::{callgrind, snarkjs};

/// What is measured, and with whom.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that becomes a prover's process, and the words before the role.
    pub worker: (PathBuf, Vec<OsString>),
    /// The circuits, each for itself.
    pub circuits: Vec<Circuit>,
    /// Numbers of threads, each for itself.
    pub threads: Vec<usize>,
    /// Rounds that count; one before them does not.
    pub rounds: usize,
    /// Memory for our tables.
    pub tables: Tables,
    /// The directory of snarkjs's package, as somebody names it.
    pub snarkjs: Option<PathBuf>,
    /// Provers that only their users have.
    pub externals: Vec<External>,
    /// Whether instructions are counted.
    pub callgrind: bool,
    /// Where keys, `.zkey`, `.wtns`, `.r1cs` and profiles lie; keys that are there are used again.
    pub directory: PathBuf,
}

/// What one prover did.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name; `warm` is ours after preparation.
    pub prover: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// Each round.
    pub rounds: Vec<Sample>,
    /// The part of each round, on the wall, that computed the values of all wires.
    pub witness_ms: Vec<f64>,
    /// Proofs that verified, the uncounted round's included.
    pub verified: usize,
    /// What it did once for the key.
    pub preparation: Option<Sample>,
    /// Bytes of tables.
    pub table_bytes: u64,
    /// Most memory that its process held, in KiB.
    pub peak_kib: Option<u64>,
    /// Instructions of one proof.
    pub instructions: Option<u64>,
}

impl Row {
    fn new(prover: &str, version: Option<String>) -> Self {
        Self {
            prover: prover.to_owned(),
            version,
            rounds: Vec::new(),
            witness_ms: Vec::new(),
            verified: 0,
            preparation: None,
            table_bytes: 0,
            peak_kib: None,
            instructions: None,
        }
    }

    /// Times on the wall in milliseconds.
    pub fn wall(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.wall_ms).collect()
    }

    /// Processor times in milliseconds, as far as they are known.
    pub fn cpu(&self) -> Vec<f64> {
        self.rounds.iter().filter_map(|round| round.cpu_ms).collect()
    }
}

/// Times of verification; a value a round, on one core.
#[derive(Clone, Debug)]
pub struct Verification {
    /// ark-groth16, one proof.
    pub ark_ms: Vec<f64>,
    /// Ours, one proof.
    pub ours_ms: Vec<f64>,
    /// Ours, a batch of 256.
    pub batch_ms: Vec<f64>,
}

/// One circuit with one number of threads.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Which circuit.
    pub circuit: Circuit,
    /// Threads of every prover.
    pub threads: usize,
    /// Constraints.
    pub constraints: usize,
    /// Entries of A, B and C.
    pub entries: [usize; 3],
    /// Public inputs.
    pub public_inputs: usize,
    /// Witness variables.
    pub witnesses: usize,
    /// Rows of the domain, as a power of two.
    pub size: u32,
    /// The provers.
    pub rows: Vec<Row>,
    /// Verification; with the most threads of a circuit only.
    pub verification: Option<Verification>,
}

impl Measurement {
    /// What a prover did.
    pub fn row(&self, prover: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.prover == prover)
    }
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Results {
    /// Where.
    pub machine: Machine,
    /// Rounds that count.
    pub rounds: usize,
    /// Memory for our tables.
    pub tables: Tables,
    /// Circuit by circuit, and within it by threads.
    pub measurements: Vec<Measurement>,
}

/// One who takes part in the rounds.
enum Contender {
    /// A request to the process of this index.
    Process(usize, Request),
    External(External),
}

/// Measures all of it. `progress` hears what is going on.
pub fn run(plan: &Plan, progress: &dyn Fn(&str)) -> Result<Results, BenchError> {
    let most = threads();
    if let Some(found) = plan.threads.iter().find(|found| !(1..=most).contains(*found)) {
        return Err(BenchError::Threads { found: *found, most });
    }
    let package = plan.snarkjs.as_deref().map(snarkjs::package).transpose()?;
    if plan.callgrind {
        callgrind::check()?;
    }
    let mut measurements = Vec::new();
    for circuit in &plan.circuits {
        progress(&format!("{circuit}: circuit and key"));
        let stage = Stage::set_up(plan, package.as_deref(), *circuit)?;
        let widest = plan.threads.iter().max();
        for threads in &plan.threads {
            let (mut measured, proofs) = stage.measure(*threads, progress)?;
            if Some(threads) == widest {
                measured.verification = Some(stage.verify(&proofs, progress)?);
                if plan.callgrind {
                    stage.count(&mut measured.rows, progress)?;
                }
            }
            measurements.push(measured);
        }
    }
    Ok(Results { machine: Machine::here(), rounds: plan.rounds, tables: plan.tables, measurements })
}

/// One circuit, ready for its provers.
struct Stage<'a> {
    plan: &'a Plan,
    case: Case,
    wires: Vec<Fr>,
    key: PathBuf,
    package: Option<&'a Path>,
}

impl<'a> Stage<'a> {
    fn set_up(
        plan: &'a Plan,
        package: Option<&'a Path>,
        circuit: Circuit,
    ) -> Result<Self, BenchError> {
        let key = key_file(circuit, &plan.directory)?;
        let case = Case::load(circuit, &key)?;
        let wires = case.values(&case.statement(), 1)?.wires.clone();
        if package.is_some() || !plan.externals.is_empty() {
            let r1cs = case.r1cs();
            let file = |name: &str| plan.directory.join(name);
            let zkey = zkey_from_key(case.points(), &r1cs)?;
            zkey.save(&file("circuit.zkey")).map_err(BenchError::at(&file("circuit.zkey")))?;
            wtns::save(&file("circuit.wtns"), &wires)
                .map_err(BenchError::at(&file("circuit.wtns")))?;
            if !plan.externals.is_empty() {
                r1cs.save(&file("circuit.r1cs")).map_err(BenchError::at(&file("circuit.r1cs")))?;
            }
        }
        Ok(Self { plan, case, wires, key, package })
    }

    /// The words that make the program a process of this role.
    fn words(&self, role: Role) -> Vec<OsString> {
        let mut words = self.plan.worker.1.clone();
        words.extend(["--role".into(), role.name().into()]);
        words.extend(["--circuit".into(), self.case.circuit.to_string().into()]);
        words.extend(["--key".into(), self.key.clone().into_os_string()]);
        words.extend(["--tables".into(), self.plan.tables.name().into()]);
        words
    }

    fn process(&self, role: Role, threads: usize) -> Result<Process, BenchError> {
        let mut command = Command::new(&self.plan.worker.0);
        command.args(self.words(role));
        Process::start(role.name(), threads, &mut command, "check that the program is still there")
    }

    /// All provers in turn, and the proofs they made.
    fn measure(
        &self,
        threads: usize,
        progress: &dyn Fn(&str),
    ) -> Result<(Measurement, Vec<String>), BenchError> {
        let circuit = self.case.circuit;
        let mut processes = Vec::new();
        let mut entrants: Vec<(Row, Contender)> = Vec::new();
        for prover in Prover::compiled() {
            progress(&format!("{circuit}, {threads} threads: {} prepares", prover.name()));
            let mut process = self.process(Role::Prove(prover), threads)?;
            let ready = process.hear()?;
            let mut row = Row::new(prover.name(), Some(version_of(prover.package())));
            introduce(&mut row, ready);
            entrants.push((row, Contender::Process(processes.len(), Request::Prove)));
            if prover == Prover::Ours {
                let row = Row::new("warm", Some(version_of(prover.package())));
                entrants.push((row, Contender::Process(processes.len(), Request::Warm)));
            }
            processes.push(process);
        }
        if let Some(package) = self.package {
            progress(&format!("{circuit}, {threads} threads: snarkjs prepares"));
            let [zkey, wtns] = ["zkey", "wtns"]
                .map(|extension| self.plan.directory.join(format!("circuit.{extension}")));
            let mut process = snarkjs::start(package, threads, (&zkey, &wtns))?;
            let ready = process.hear()?;
            let mut row = Row::new("snarkjs", None);
            introduce(&mut row, ready);
            entrants.push((row, Contender::Process(processes.len(), Request::Prove)));
            processes.push(process);
        }
        for external in &self.plan.externals {
            let row = Row::new(&external.name, None);
            entrants.push((row, Contender::External(external.clone())));
        }

        let mut proofs = Vec::new();
        let count = entrants.len();
        for round in 0..=self.plan.rounds {
            for turn in 0..count {
                let (row, contender) = &mut entrants[(round + turn) % count];
                progress(&format!(
                    "{circuit}, {threads} threads: round {round} of {}: {}",
                    self.plan.rounds, row.prover
                ));
                let (took, witness_ms, points) = match contender {
                    Contender::Process(index, request) => {
                        let process = &mut processes[*index];
                        match process.ask(request)? {
                            Reply::Proof { took, witness_ms, proof } => {
                                (took, witness_ms, read_proof(&proof))
                            }
                            _ => return Err(process.gave_up("it answers with no proof")),
                        }
                    }
                    Contender::External(external) => {
                        let inputs = &self.wires[1..self.case.matrices.instance];
                        let round = external.prove(&self.plan.directory, inputs, threads)?;
                        row.peak_kib = row.peak_kib.max(round.peak_kib);
                        (round.took, None, round.proof)
                    }
                };
                let good = points.filter(|points| self.case.accepts(&self.wires, points));
                let Some(points) = good else {
                    return Err(BenchError::Proof { prover: row.prover.clone() });
                };
                row.verified += 1;
                proofs.push(write_proof(&points));
                if round > 0 {
                    row.rounds.push(took);
                    row.witness_ms.extend(witness_ms);
                }
            }
        }
        let peaks: Vec<Option<u64>> =
            processes.into_iter().map(Process::end).collect::<Result<_, _>>()?;
        let rows = entrants.into_iter().map(|(mut row, contender)| {
            if let Contender::Process(index, _) = contender {
                row.peak_kib = peaks[index];
            }
            row
        });
        let rows = rows.collect();
        let measurement = Measurement {
            circuit,
            threads,
            constraints: self.case.constraints(),
            entries: [0, 1, 2].map(|i| self.case.matrices.rows[i].iter().map(Vec::len).sum()),
            public_inputs: self.case.matrices.instance - 1,
            witnesses: self.case.matrices.witnesses,
            size: (self.case.constraints() + self.case.matrices.instance)
                .next_power_of_two()
                .ilog2(),
            rows,
            verification: None,
        };
        Ok((measurement, proofs))
    }

    /// Verification in a process of its own, on one core.
    fn verify(
        &self,
        proofs: &[String],
        progress: &dyn Fn(&str),
    ) -> Result<Verification, BenchError> {
        progress(&format!("{}: verification", self.case.circuit));
        let mut process = self.process(Role::Verify, 1)?;
        process.hear()?;
        let request = Request::Verify { proofs: proofs.to_vec(), rounds: self.plan.rounds };
        match process.ask(&request)? {
            Reply::Verified { ark_ms, ours_ms, batch_ms } => {
                process.end()?;
                Ok(Verification { ark_ms, ours_ms, batch_ms })
            }
            _ => Err(process.gave_up("it does not say how long verification took")),
        }
    }

    /// Instructions of one proof of each prover that is compiled in.
    fn count(&self, rows: &mut [Row], progress: &dyn Fn(&str)) -> Result<(), BenchError> {
        for prover in Prover::compiled() {
            let name = prover.name();
            progress(&format!("{}: counting the instructions of {name}", self.case.circuit));
            let out = self.plan.directory.join(format!("{}-{name}.callgrind", self.case.circuit));
            let mut words = self.words(Role::Prove(prover));
            words.push("--counted".into());
            let program = self.plan.worker.0.as_os_str();
            let (instructions, proof) = callgrind::count(name, program, &words, &out)?;
            let proof = read_proof(&proof);
            if !proof.is_some_and(|points| self.case.accepts(&self.wires, &points)) {
                return Err(BenchError::Proof { prover: name.to_owned() });
            }
            let row = rows.iter_mut().find(|row| row.prover == name);
            row.into_iter().for_each(|row| row.instructions = Some(instructions));
        }
        Ok(())
    }
}

/// What a process says of itself before the first round.
fn introduce(row: &mut Row, ready: Reply) {
    if let Reply::Ready { preparation, table_bytes, version } = ready {
        row.preparation = Some(preparation);
        row.table_bytes = table_bytes;
        row.version = version.or(row.version.take());
    }
}
