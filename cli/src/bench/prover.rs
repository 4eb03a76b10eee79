//! `placet bench prover`: our prover beside those of others, and the process of each of them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use placet_benches::prover::measure::{Spread, threads};
use placet_benches::prover::run::Results;
use placet_benches::prover::{
    BenchError, Circuit, Plan, Role, Worker, case, csv, external::External, html, report, run,
};
use placet_wallet::files::{Existing, write_atomically};

use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::output::{Report, Table};
use crate::time;

/// Rows of the synthetic circuit if nothing else is asked for, as a power of two.
const SIZE: u32 = 14;

/// Arguments of `placet bench prover`.
#[derive(Args)]
pub struct Prover {
    /// Which circuit: the one of a transfer, or a synthetic one of any size, a Merkle path as circom
    /// would make it [default: both]
    #[arg(long, value_enum)]
    circuit: Option<Kind>,
    /// Rows of the synthetic circuit as a power of two, from 8 to 18: 14, or 12..18, or 12,14,16
    #[arg(long, value_name = "K", default_value_t = Sizes(vec![SIZE]))]
    size: Sizes,
    /// Threads of every prover; several, as 1,2, are measured one after the other
    /// [default: all that the machine gives]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    threads: Vec<usize>,
    /// Proofs of every prover that count; one before them does not
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Compare with snarkjs too: the directory in which npm installed it
    #[arg(long, value_name = "DIR")]
    snarkjs: Option<PathBuf>,
    /// Compare with another program, once for each: 'rapidsnark=prover {zkey} {wtns} {proof} {public}'
    ///
    /// The words in braces are replaced by paths: of the key, of the values of all wires, of where
    /// to leave proof.json and public.json; {r1cs} is the circuit. The program is started anew for
    /// each proof.
    #[arg(long, value_name = "COMMAND", value_parser = External::from_str)]
    external: Vec<External>,
    /// Also count the instructions of one proof of each prover that is built in; needs valgrind
    #[arg(long)]
    callgrind: bool,
    /// Write the figures in the columns of zk-Harness
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a page with plots that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Leave keys, circuits and profiles in this directory, and use keys again that are in it
    /// [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

/// A circuit's name.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Transfer,
    Merkle,
}

/// Powers of two.
#[derive(Clone)]
struct Sizes(Vec<u32>);

impl std::fmt::Display for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&all.join(","))
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| {
            let size =
                text.parse().map_err(|_| format!("{text} is no number; use 14 or 12..18"))?;
            match case::SIZES.contains(&size) {
                true => Ok(size),
                false => Err(BenchError::Size { found: size }.to_string()),
            }
        };
        let sizes: Vec<u32> = match text.split_once("..") {
            Some((first, last)) => (number(first)?..=number(last)?).collect(),
            None => text.split(',').map(number).collect::<std::result::Result<_, _>>()?,
        };
        if sizes.is_empty() {
            Err("the range is empty; use 12..18".to_owned())
        } else {
            Ok(Self(sizes))
        }
    }
}

/// Arguments of a prover's process.
#[derive(Args)]
pub struct Process {
    #[arg(long)]
    role: Role,
    #[arg(long)]
    circuit: Circuit,
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    counted: bool,
}

/// Is a prover's process: answers on standard output what is asked on standard input.
pub fn work(app: &App, arguments: &Process) -> Report {
    let Process { role, circuit, key, counted } = arguments;
    let worker = Worker {
        role: *role,
        circuit: *circuit,
        key: key.clone(),
        tables: app.tables,
        counted: *counted,
    };
    worker.run(std::io::stdin().lock(), std::io::stdout().lock());
    Report::silent()
}

fn failed(error: &BenchError) -> Failure {
    let (exit, code) = match error {
        BenchError::Snarkjs(_) => (Exit::Input, "snarkjs"),
        BenchError::Start { .. } => (Exit::Input, "program"),
        BenchError::Threads { .. } => (Exit::Usage, "usage"),
        BenchError::File { .. } => (Exit::Input, "file"),
        BenchError::Keys(_) | BenchError::Key { .. } => (Exit::Input, "keys"),
        BenchError::Worker { .. } => (Exit::Internal, "prover"),
        BenchError::Proof { .. } => (Exit::Evidence, "proof-invalid"),
        _ => (Exit::Internal, "bench"),
    };
    Failure::from_error(exit, code, error)
}

/// Runs it.
pub fn run_all(app: &App, arguments: &Prover) -> Result<Report> {
    let temporary;
    let directory = match &arguments.files {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
            directory.as_path()
        }
        None => {
            temporary = tempfile::Builder::new().prefix("placet-bench-").tempdir()?;
            temporary.path()
        }
    };
    let mut circuits = Vec::new();
    if !matches!(arguments.circuit, Some(Kind::Merkle)) {
        circuits.push(Circuit::Transfer);
    }
    if !matches!(arguments.circuit, Some(Kind::Transfer)) {
        circuits.extend(arguments.size.0.iter().map(|size| Circuit::Merkle { size: *size }));
    }
    let plan = Plan {
        worker: (std::env::current_exe()?, vec!["bench".into(), "worker".into()]),
        circuits,
        threads: match arguments.threads.is_empty() {
            true => vec![threads()],
            false => arguments.threads.clone(),
        },
        rounds: usize::from(arguments.rounds),
        tables: app.tables,
        snarkjs: arguments.snarkjs.clone(),
        externals: arguments.external.clone(),
        callgrind: arguments.callgrind,
        directory: directory.to_owned(),
    };
    let results = {
        let working = app.progress.spinner("preparing");
        run(&plan, &|text| working.says(text)).map_err(|error| failed(&error))?
    };
    let date = time::format(time::now()?);
    let build = if cfg!(debug_assertions) { "development" } else { "release" };
    let json = report::json(&results, &date, build);
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| match path {
        None => Ok(()),
        Some(path) => save(path, &text()),
    };
    write(&arguments.csv, &|| csv::csv(&results))?;
    write(&arguments.html, &|| html::html(&results, &date, build))?;
    Ok(Report::new(text(&results, build), json))
}

fn save(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, text.as_bytes(), Existing::Replace)
        .map_err(|error| Failure::file(path, &error))
}

/// The provers of each circuit in a table, and what the figures mean.
fn text(results: &Results, build: &str) -> String {
    let mut parts = Vec::new();
    for measured in &results.measurements {
        let mut table = Table::new(
            &["prover", "median", "min", "max", "processor", "memory", "against ours"],
            &[1, 2, 3, 4, 5, 6],
        );
        let ours = measured.row("ours").and_then(|row| Spread::of(&row.wall()));
        for row in &measured.rows {
            let Some(wall) = Spread::of(&row.wall()) else { continue };
            let name = match (row.prover.as_str(), &row.version) {
                ("ours", _) => "ours".to_owned(),
                ("warm", _) => "ours, prepared before".to_owned(),
                ("ark", Some(version)) => format!("ark-groth16 {version}"),
                ("taceo", Some(version)) => format!("taceo-groth16 {version}"),
                (name, Some(version)) => format!("{name} {version}"),
                (name, None) => name.to_owned(),
            };
            let cpu = Spread::of(&row.cpu()).map(|cpu| format!("{:.0} ms", cpu.median));
            let memory = row.peak_kib.map(|kib| format!("{:.0} MB", kib as f64 * 1.024e-3));
            let ratio = ours.map(|ours| format!("{:.2}", wall.median / ours.median));
            let unknown = || "-".to_owned();
            table.row(vec![
                name,
                format!("{:.0} ms", wall.median),
                format!("{:.0}", wall.min),
                format!("{:.0}", wall.max),
                cpu.unwrap_or_else(unknown),
                memory.unwrap_or_else(unknown),
                ratio.unwrap_or_else(unknown),
            ]);
        }
        let head = format!(
            "{}: {} constraints in 2^{} rows, {} thread{}",
            measured.circuit,
            measured.constraints,
            measured.size,
            measured.threads,
            if measured.threads == 1 { "" } else { "s" },
        );
        let mut part = format!("{head}\n{table}");
        for row in &measured.rows {
            if let Some(count) = row.instructions {
                let millions = count as f64 / 1e6;
                part += &format!("\n{}: {millions:.0} million instructions a proof", row.prover);
            }
        }
        if let Some(times) = &measured.verification {
            let median = |values: &[f64]| Spread::of(values).map_or(0.0, |spread| spread.median);
            part += &format!(
                "\nverifying on one core: ours {:.2} ms, {:.2} ms a proof in a batch of 256; ark-groth16 {:.2} ms",
                median(&times.ours_ms),
                median(&times.batch_ms) / 256.0,
                median(&times.ark_ms),
            );
        }
        parts.push(part);
    }
    let mut notes = vec![
        "Times from the statement in hand to the proof; rounds in turns, every proof verified."
            .to_owned(),
        "Times on the wall; --json says more, and what each figure means.".to_owned(),
    ];
    if build != "release" {
        notes.push("This is a development build: compare with `cargo run --release`.".to_owned());
    }
    if results.machine.holds_others_back() {
        notes.push(
            "Built without bmi2 and adx, which ark and taceo use only if the compiler may: compare"
                .to_owned(),
        );
        notes.push("with RUSTFLAGS=\"-C target-cpu=native\". Ours asks the processor.".to_owned());
    }
    if !cfg!(feature = "rivals") {
        notes.push(
            "More provers: `cargo run --release --features rivals -- bench prover` for taceo-groth16,"
                .to_owned(),
        );
        notes.push("--snarkjs DIR for snarkjs, --external for programs of yours.".to_owned());
    }
    parts.push(notes.join("\n"));
    parts.join("\n\n")
}
