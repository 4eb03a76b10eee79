//! `placet ceremony`: phase 2, one key for each statement.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use placet_params::transcript::{CeremonyRecord, Contribution, ContributionKind, Transcript};
use placet_setup::ceremony::{
    BuiltIn, Closing, FinalizeError, STATEMENTS, VerifyError, close, contribute, domain_power,
    entries, initial_key, memory, verify,
};
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::Zkey;
use serde_json::{Value, json};

use super::files::{
    self, BeaconOptions, EntropyOptions, PtauOptions, Show, does_not_hold, length, open_key,
    open_r1cs, refused, save_key, size,
};
use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::output::{Report, fields};

/// Commands of phase 2.
#[derive(Subcommand)]
pub enum Command {
    /// Start: derive the initial keys from powers of tau and circuits
    New {
        #[command(flatten)]
        ptau: PtauOptions,
        /// Only this statement; all if it is not given
        #[arg(long, value_name = "NAME", conflicts_with = "r1cs")]
        statement: Vec<String>,
        /// For the circuit in this file instead of the built-in ones
        #[arg(long, value_name = "FILE")]
        r1cs: Option<PathBuf>,
        /// Directory for STATEMENT_0000.zkey; with --r1cs the file to write
        out: PathBuf,
    },
    /// Add your own secret number; nobody sees it, and it is forgotten
    ///
    /// Works offline: one file in, one file out.
    Contribute {
        /// The file of the contributor before you
        input: PathBuf,
        /// The file to write and hand on
        out: PathBuf,
        /// What others know you by, at most 64 bytes
        #[arg(long)]
        name: String,
        #[command(flatten)]
        entropy: EntropyOptions,
    },
    /// Check a key against its circuit and powers of tau, and all contributions to it
    Verify {
        /// The key
        key: PathBuf,
        #[command(flatten)]
        ptau: PtauOptions,
        #[command(flatten)]
        circuit: CircuitOptions,
        /// Refuse a ceremony that no beacon has closed yet
        #[arg(long, conflicts_with = "initial")]
        closed: bool,
        /// Accept a key that nobody has contributed to yet; anyone can forge proofs with it
        #[arg(long)]
        initial: bool,
    },
    /// Close with a public random value that was announced before the last contribution
    Beacon {
        /// The file of the last contributor
        input: PathBuf,
        /// The file to write
        out: PathBuf,
        #[command(flatten)]
        beacon: BeaconOptions,
    },
    /// Verify a closed ceremony and write the keys and the transcript that networks load
    Finalize {
        /// The closed key
        key: PathBuf,
        #[command(flatten)]
        ptau: PtauOptions,
        /// The statement it is for; needed if there are several
        #[arg(long, value_name = "NAME")]
        statement: Option<String>,
        /// Directory for DIGEST.pk, DIGEST.vk and DIGEST.transcript
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Replace files of the same names
        #[arg(long)]
        force: bool,
    },
    /// Show the contributions of a key or a transcript; checks their chain, not the key
    Show {
        /// A .zkey or .transcript file
        file: PathBuf,
    },
}

/// Which circuit.
#[derive(Args)]
pub struct CircuitOptions {
    /// The statement the key is for; needed if there are several
    #[arg(long, value_name = "NAME", conflicts_with = "r1cs")]
    statement: Option<String>,
    /// The circuit is in this file instead
    #[arg(long, value_name = "FILE")]
    r1cs: Option<PathBuf>,
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    let show = Show::new(app);
    match command {
        Command::New { ptau, statement, r1cs, out } => match r1cs {
            Some(r1cs) => new_from_file(ptau, r1cs, out, &show),
            None => new(app, ptau, statement, out, &show),
        },
        Command::Contribute { input, out, name, entropy } => step(
            input,
            out,
            &show,
            "Publish the contribution's hash, and hand the file on.",
            |key| Ok(contribute(key, name, entropy.gather()?, &|step| show.step(step))),
        ),
        Command::Beacon { input, out, beacon } => {
            let value = beacon.beacon()?;
            let next = "Closed. Anyone can `placet ceremony verify` it now, then `finalize`.";
            step(input, out, &show, next, |key| {
                Ok(close(key, &beacon.name, &value, &|step| show.step(step)))
            })
        }
        Command::Verify { key, ptau, circuit, closed, initial } => {
            let closing = if *closed { Closing::Required } else { Closing::Open };
            check(key, ptau, circuit, closing, *initial, &show)
        }
        Command::Finalize { key, ptau, statement, out, force } => {
            finalize(key, ptau, statement.as_deref(), out, *force, &show)
        }
        Command::Show { file } => list(file),
    }
}

fn statement(name: &str) -> Result<&'static BuiltIn> {
    STATEMENTS.iter().find(|one| one.name == name).ok_or_else(|| {
        let names: Vec<_> = STATEMENTS.iter().map(|one| one.name).collect();
        Failure::input(
            "statement",
            format!("there is no statement `{name}`"),
            format!("choose from: {}", names.join(", ")),
        )
    })
}

/// The one that was named, or the only one there is.
fn chosen(name: Option<&str>) -> Result<&'static BuiltIn> {
    match (name, STATEMENTS) {
        (Some(name), _) => statement(name),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::input(
            "statement",
            "there are several statements",
            "say which one with --statement",
        )),
    }
}

fn constraints(of: &BuiltIn) -> Result<R1cs> {
    (of.constraints)().map_err(|error| Failure::internal(&error))
}

fn new(
    app: &App,
    ptau: &PtauOptions,
    names: &[String],
    directory: &Path,
    show: &Show,
) -> Result<Report> {
    let wanted: Vec<_> = match names {
        [] => STATEMENTS.iter().collect(),
        names => names.iter().map(|name| statement(name)).collect::<Result<_>>()?,
    };
    std::fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
    let outs: Vec<_> =
        wanted.iter().map(|one| directory.join(format!("{}_0000.zkey", one.name))).collect();
    outs.iter().try_for_each(|out| files::must_be_free(out))?;
    let mut ptau = ptau.open(show)?;
    let (mut texts, mut list) = (vec![format!("powers of tau: {}", ptau.text())], Vec::new());
    for (one, out) in wanted.into_iter().zip(&outs) {
        let circuit = constraints(one)?;
        if !app.json {
            app.progress.note(&format!("{}: about {} of memory", one.name, size(memory(&circuit))));
        }
        let (text, mut json) = derive(&circuit, &mut ptau, out, show)?;
        json["statement"] = one.name.into();
        texts.push(format!("{}\n{text}", one.name));
        list.push(json);
    }
    texts.push("Hand each file to its first contributor.".to_owned());
    Ok(Report::new(texts.join("\n\n"), json!({ "ptau": ptau.json(), "keys": list })))
}

fn new_from_file(ptau: &PtauOptions, r1cs: &Path, out: &Path, show: &Show) -> Result<Report> {
    files::must_be_free(out)?;
    let circuit = open_r1cs(r1cs)?;
    let mut ptau = ptau.open(show)?;
    let (text, json) = derive(&circuit, &mut ptau, out, show)?;
    let text = format!("powers of tau: {}\n\n{text}", ptau.text());
    Ok(Report::new(text, json!({ "ptau": ptau.json(), "keys": [json] })))
}

fn derive(
    circuit: &R1cs,
    ptau: &mut files::KnownPtau,
    out: &Path,
    show: &Show,
) -> Result<(String, Value)> {
    let key = initial_key(circuit, &mut ptau.file, &|step| show.step(step))
        .map_err(|error| refused(&error))?;
    ptau.is_unchanged(show)?;
    save_key(&key, out)?;
    let hash = hex::encode(key.ceremony.circuit_hash);
    let bytes = length(out)?;
    let domain = domain_power(circuit).map_or(0, |power| 1u64 << power);
    let text = fields(&[
        ("file", format!("{} ({})", out.display(), size(bytes))),
        ("constraints", format!("{} of {domain}", circuit.rows())),
        ("variables", circuit.variables.to_string()),
        ("entries", entries(circuit).to_string()),
        ("circuit hash", hash.clone()),
    ]);
    let json = json!({
        "file": out,
        "bytes": bytes,
        "rows": circuit.rows(),
        "domain": domain,
        "variables": circuit.variables,
        "public_inputs": circuit.public_inputs,
        "entries": entries(circuit),
        "circuit_hash": hash,
    });
    Ok((text, json))
}

/// A contribution or a beacon: one file in, one file out.
fn step<E: std::error::Error + 'static>(
    input: &Path,
    out: &Path,
    show: &Show,
    next: &str,
    apply: impl FnOnce(&mut Zkey) -> Result<std::result::Result<[u8; 64], E>>,
) -> Result<Report> {
    files::must_be_free(out)?;
    let mut key = open_key(input)?;
    let hash = apply(&mut key)?.map_err(|error| refused(&error))?;
    show.step(placet_setup::ceremony::Step {
        stage: placet_setup::ceremony::Stage::Write,
        done: 0,
        of: 1,
    });
    save_key(&key, out)?;
    let (hash, number) = (hex::encode(hash), key.ceremony.contributions.len());
    let circuit = hex::encode(key.ceremony.circuit_hash);
    let text = fields(&[
        ("file", format!("{} ({})", out.display(), size(length(out)?))),
        ("circuit hash", circuit.clone()),
        ("number", number.to_string()),
        ("contribution", hash.clone()),
    ]);
    let json = json!({
        "file": out,
        "circuit_hash": circuit,
        "number": number,
        "contribution_hash": hash,
    });
    Ok(Report::new(format!("{text}\n\n{next}"), json))
}

fn check(
    path: &Path,
    ptau: &PtauOptions,
    circuit: &CircuitOptions,
    closing: Closing,
    initial: bool,
    show: &Show,
) -> Result<Report> {
    let key = open_key(path)?;
    if !initial && closing == Closing::Open && key.ceremony.contributions.is_empty() {
        return Err(Failure::new(
            Exit::Evidence,
            "ceremony",
            "nobody has contributed to this key: anyone can forge proofs with it",
            "run `placet ceremony contribute`, or say --initial to check what the first contributor gets",
        ));
    }
    let circuit = match &circuit.r1cs {
        Some(path) => open_r1cs(path)?,
        None => constraints(chosen(circuit.statement.as_deref())?)?,
    };
    let mut ptau = ptau.open(show)?;
    verify(&key, &circuit, &mut ptau.file, closing, &|step| show.step(step))
        .map_err(|error| broken(&error))?;
    ptau.is_unchanged(show)?;
    let (text, list) = contributions(&key.ceremony);
    let state = match key.ceremony.contributions.last() {
        None => "nobody has contributed yet",
        Some(Contribution { kind: ContributionKind::Beacon { .. }, .. }) => "closed by a beacon",
        Some(_) => "open",
    };
    let text = format!(
        "{}: follows from circuit and powers of tau; {state}\npowers of tau: {}\n{text}",
        path.display(),
        ptau.text(),
    );
    let json = json!({
        "file": path,
        "ptau": ptau.json(),
        "state": state,
        "circuit_hash": hex::encode(key.ceremony.circuit_hash),
        "contributions": list,
    });
    Ok(Report::new(text, json))
}

/// Powers of tau that do not serve are a wrong argument; everything else is a broken ceremony.
fn broken(error: &VerifyError) -> Failure {
    match error {
        VerifyError::Initial(inner) => refused(inner),
        other => does_not_hold(other),
    }
}

fn finalize(
    path: &Path,
    ptau: &PtauOptions,
    name: Option<&str>,
    directory: &Path,
    force: bool,
    show: &Show,
) -> Result<Report> {
    let chosen = chosen(name)?;
    let key = open_key(path)?;
    let mut ptau = ptau.open(show)?;
    let hash = ptau.hash;
    let at_out = |error: std::io::Error| Failure::file(directory, &error);
    // Written beside their place, and moved there when nothing can refuse them any more.
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let beside = tempfile::tempdir_in(parent.unwrap_or(Path::new("."))).map_err(at_out)?;
    let mut written =
        (chosen.finalize)(&key, &mut ptau.file, hash, beside.path(), &|step| show.step(step))
            .map_err(|error| match &error {
                FinalizeError::Verify(inner) => broken(inner),
                FinalizeError::Io { .. } => Failure::from_error(Exit::Input, "file", &error),
                other => does_not_hold(other),
            })?;
    ptau.is_unchanged(show)?;
    let places: Vec<_> =
        written.files.iter().filter_map(|file| Some(directory.join(file.file_name()?))).collect();
    if !force {
        places.iter().try_for_each(|place| files::must_be_free(place))?;
    }
    std::fs::create_dir_all(directory).map_err(at_out)?;
    for (file, place) in written.files.iter().zip(&places) {
        std::fs::rename(file, place).map_err(|error| Failure::file(place, &error))?;
    }
    written.files = places;
    let (contributors, list) = contributions(&key.ceremony);
    let mut lines = vec![
        ("statement", written.statement.to_owned()),
        ("powers of tau", ptau.text()),
        ("circuit", written.circuit.to_string()),
        ("verifying key", written.key.to_string()),
        ("transcript", written.transcript.to_string()),
    ];
    for file in &written.files {
        lines.push(("file", format!("{} ({})", file.display(), size(length(file)?))));
    }
    let text = format!("{}\n{contributors}", fields(&lines));
    let json = json!({
        "statement": written.statement,
        "ptau": ptau.json(),
        "circuit": written.circuit,
        "verifying_key": written.key,
        "transcript": written.transcript,
        "files": written.files,
        "contributions": list,
    });
    Ok(Report::new(text, json))
}

fn list(path: &Path) -> Result<Report> {
    // A transcript is small and says what it is; everything else is read as a key.
    let is_transcript = path.extension().is_some_and(|extension| extension == "transcript");
    let (record, mut json) = if is_transcript {
        let transcript = Transcript::load(path).map_err(|error| files::at(path, &error))?;
        let json = json!({
            "statement": transcript.name,
            "circuit": transcript.circuit,
            "ptau": { "blake2b": transcript.ptau.to_string(), "power": transcript.ptau_power },
            "transcript": transcript.hash(),
        });
        (transcript.record, json)
    } else {
        let key = open_key(path)?;
        let json = json!({
            "variables": key.variables,
            "public_inputs": key.public_inputs,
            "domain": key.domain_size,
        });
        (key.ceremony, json)
    };
    let _delta = record.verify_open().map_err(|error| does_not_hold(&error))?;
    let (text, list) = contributions(&record);
    let hash = hex::encode(record.circuit_hash);
    let text = format!("circuit hash {hash}\n{text}");
    json["circuit_hash"] = hash.into();
    json["contributions"] = list.into();
    Ok(Report::new(text, json))
}

/// The contributions, for people and for scripts.
fn contributions(record: &CeremonyRecord) -> (String, Vec<Value>) {
    let (mut text, mut list) = (String::new(), Vec::new());
    for (number, one) in (1..).zip(&record.contributions) {
        let hash = hex::encode(one.hash());
        let name = one.kind.name();
        let mut json = json!({ "name": name, "hash": hash });
        let kind = match &one.kind {
            ContributionKind::Participant { .. } => String::new(),
            ContributionKind::Beacon { hash, iterations_exp, .. } => {
                json["beacon"] =
                    json!({ "value": hex::encode(hash), "iterations_exp": iterations_exp });
                format!(" (beacon {}, hashed 2^{iterations_exp} times)", hex::encode(hash))
            }
        };
        // Names come from files of others: nothing in them may reach the terminal as a command.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        text += &format!("{number}. {name}{kind}\n   {hash}\n");
        list.push(json);
    }
    (text.trim_end().to_owned(), list)
}
