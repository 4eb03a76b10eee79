//! `placet circuits`: which proofs the network takes, and how its authorities change that: another
//! circuit with the transcript of its ceremony, or the end of one. Spec §12.8.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use placet_params::transcript::{self, ContributionKind, Transcript};
use placet_params::{CircuitDigest, KeyPolicy, Origin, VerifyingKey};
use placet_protocol::circuit::{CircuitEntry, CircuitId, Standing};
use placet_protocol::genesis::{NetworkKind, Sha256Digest};
use placet_protocol::request::Request;
use placet_protocol::statement::Statement;
use placet_protocol::transaction::circuits::{
    MAX_BEACON_EXPONENT, MAX_TRANSCRIPT_BYTES, NewCircuit,
};
use placet_protocol::transaction::{
    ChangeCircuits, CircuitChange, NumberedCircuitChange, Transaction,
};
use placet_protocol::transfer::Transfer;
use placet_wallet::view::{self, Circuits};
use serde_json::{Value, json};

use crate::app::App;
use crate::authorities::{approvals, read_request, write_request};
use crate::chain::Chain;
use crate::fail::{Exit, Failure, Result};
use crate::genesis::{Origins, vouch};
use crate::inspect::describe::{circuit_change, merge, render};
use crate::lookup;
use crate::output::{Report, Table, fields};

/// Commands on the circuits that the network knows.
#[derive(Subcommand)]
pub enum Command {
    /// Every circuit, and between which heights the network takes its proofs
    List,
    /// One circuit
    Show {
        /// Its id, or the beginning of its id
        circuit: String,
    },
    /// Ask the authorities to add a circuit, or submit what they approved
    ///
    /// With --request this writes a request to a file; sitting authorities check it, approve it
    /// with `placet node keys approve`, and anybody submits it with --approval for each. On a
    /// development network of this machine the stored keys approve at once.
    Add(Add),
    /// Stop taking the proofs of a circuit: the kill switch
    ///
    /// It binds at a height, at the earliest in the block after the one that holds the change, and
    /// nobody can undo it.
    Deactivate {
        /// Its id, or the beginning of its id
        circuit: String,
        /// First height whose block does not take its proofs any more [default: as soon as can be]
        #[arg(long, value_name = "HEIGHT")]
        height: Option<u64>,
        /// Write the request that sitting authorities approve to this file, and submit nothing
        #[arg(long, value_name = "FILE")]
        request: Option<PathBuf>,
    },
    /// Check a request before it is approved: from powers of tau and circuit to the key's hash
    Check {
        /// The request
        request: PathBuf,
        /// The ceremony's files; a development network has none
        #[command(flatten)]
        origins: Origins,
    },
    /// Submit a request with the approvals of the authorities
    Submit {
        /// The request
        request: PathBuf,
        /// An approval; repeat it for each
        #[arg(long = "approval", value_name = "FILE")]
        approvals: Vec<PathBuf>,
    },
}

/// A circuit to add.
#[derive(Args)]
pub struct Add {
    /// The verifying key, a `.vk` file; outside of development networks with the `.transcript` of
    /// its ceremony beside it
    key: PathBuf,
    /// First height whose block takes its proofs
    #[arg(long, value_name = "HEIGHT")]
    activation: u64,
    /// The ceremony's files, which are verified in full; a development network has none
    #[command(flatten)]
    origins: Origins,
    /// Write the request that sitting authorities approve to this file, and submit nothing
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::List => list(app),
        Command::Show { circuit } => show(app, circuit),
        Command::Add(arguments) => add(app, arguments),
        Command::Deactivate { circuit, height, request } => {
            deactivate(app, circuit, *height, request.as_deref())
        }
        Command::Check { request, origins } => check(app, request, origins),
        Command::Submit { request, approvals } => {
            let chain = app.chain()?;
            let request = read_request(&chain, request)?;
            submit(&chain, &request, approvals)
        }
    }
}

/// The circuits behind the newest block, and its height.
fn known(app: &App, chain: &Chain) -> Result<(Circuits, u64)> {
    let public = chain.public(app)?;
    let height = public.tip()?.height;
    Ok((view::circuits(&public.read()?)?, height))
}

/// What the next block makes of a circuit.
fn state(entry: &CircuitEntry, tip: u64) -> String {
    match (entry.standing(tip + 1), entry.deactivation) {
        (Standing::Pending, _) => format!("active from height {}", entry.activation),
        (Standing::Active, None) => "active".to_owned(),
        (Standing::Active, Some(end)) => format!("active, switched off at height {end}"),
        (Standing::Over, _) => "switched off".to_owned(),
    }
}

fn described(entry: &CircuitEntry, tip: u64) -> Value {
    json!({
        "circuit": entry.id.to_string(), "statement": entry.statement,
        "circuit_digest": entry.circuit_digest.to_string(),
        "transcript": entry.transcript.map(|hash| hash.to_string()),
        "activation": entry.activation, "deactivation": entry.deactivation,
        "state": match entry.standing(tip + 1) {
            Standing::Pending => "pending",
            Standing::Active => "active",
            Standing::Over => "switched-off",
        },
    })
}

fn list(app: &mut App) -> Result<Report> {
    let chain = app.chain()?;
    let (circuits, tip) = known(app, &chain)?;
    let mut table = Table::new(&["circuit", "statement", "state"], &[]);
    for entry in &circuits.known {
        let id = entry.id.to_string();
        table.row(vec![id[..16].to_owned(), entry.statement.clone(), state(entry, tip)]);
    }
    let known: Vec<_> = circuits.known.iter().map(|entry| described(entry, tip)).collect();
    let json = json!({ "height": tip, "changes": circuits.changes, "circuits": known });
    Ok(Report::new(table.to_string(), json))
}

/// A circuit by its id or the beginning of it.
fn find<'a>(circuits: &'a Circuits, text: &str) -> Result<&'a CircuitEntry> {
    let fits = |entry: &&CircuitEntry| lookup::starts_with(&entry.id.to_string(), text);
    let found: Vec<_> = circuits.known.iter().filter(fits).collect();
    lookup::one(&found, text, "circuit", "`placet circuits list` shows all")
}

fn show(app: &mut App, text: &str) -> Result<Report> {
    let chain = app.chain()?;
    let (circuits, tip) = known(app, &chain)?;
    let entry = find(&circuits, text)?;
    let ceremony = entry
        .transcript
        .map_or("none: a development key".to_owned(), |hash| format!("transcript {hash}"));
    let text = fields(&[
        ("circuit", entry.id.to_string()),
        ("statement", entry.statement.clone()),
        ("matrices", entry.circuit_digest.to_string()),
        ("ceremony", ceremony),
        ("state", state(entry, tip)),
    ]);
    Ok(Report::new(text, described(entry, tip)))
}

/// Reads a verifying key and what vouches for it, as a transaction carries them.
fn new_circuit(chain: &Chain, path: &Path, activation: u64) -> Result<(NewCircuit, Parts)> {
    // Looked at without a pin: the pin is what is being made.
    let key = VerifyingKey::<Transfer>::load(path, &this_circuit()?, KeyPolicy::Dev)
        .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))?;
    let transcript = match chain.genesis().kind {
        NetworkKind::Dev => None,
        NetworkKind::Other => {
            let path = path.with_extension(transcript::EXTENSION);
            let transcript = Transcript::load(&path)
                .map_err(|error| Failure::from_error(Exit::Input, "transcript", &error))?;
            transcript
                .verify(&key)
                .map_err(|error| Failure::from_error(Exit::Evidence, "transcript", &error))?;
            Some(transcript)
        }
    };
    let slow = transcript.iter().flat_map(|transcript| &transcript.record.contributions).any(
        |contribution| match contribution.kind {
            ContributionKind::Beacon { iterations_exp, .. } => iterations_exp > MAX_BEACON_EXPONENT,
            ContributionKind::Participant { .. } => false,
        },
    );
    if slow {
        return Err(Failure::input(
            "transcript",
            format!("the ceremony's beacon is hashed more than 2^{MAX_BEACON_EXPONENT} times"),
            "close the ceremony with a smaller --iterations-exp: every replica repeats it",
        ));
    }
    let bytes = transcript.as_ref().map(Transcript::to_bytes);
    if bytes.as_ref().is_some_and(|bytes| bytes.len() > MAX_TRANSCRIPT_BYTES) {
        return Err(Failure::input(
            "transcript",
            format!("the transcript is longer than {MAX_TRANSCRIPT_BYTES} bytes"),
            "hold a ceremony with fewer contributions: about a hundred fit",
        ));
    }
    let new = NewCircuit {
        statement: Transfer::NAME.to_owned(),
        circuit_digest: Sha256Digest(key.circuit().0),
        points: key.to_point_bytes(),
        transcript: bytes,
        activation,
    };
    Ok((new, (key, transcript)))
}

/// A key with the transcript of its ceremony.
type Parts = (VerifyingKey<Transfer>, Option<Transcript>);

/// The circuit of this program.
fn this_circuit() -> Result<CircuitDigest> {
    let shape = placet_circuits::circuit::blank_shape::<Transfer>()
        .map_err(|error| Failure::internal(&error))?;
    Ok(CircuitDigest(shape.digest))
}

fn add(app: &mut App, arguments: &Add) -> Result<Report> {
    let chain = app.chain()?;
    let (circuits, tip) = known(app, &chain)?;
    let (new, (key, transcript)) = new_circuit(&chain, &arguments.key, arguments.activation)?;
    if new.activation <= tip + 1 {
        return Err(Failure::input(
            "circuit-height",
            format!("height {} is not in the future: the newest block is {tip}", new.activation),
            "take a height that leaves the authorities time to approve",
        ));
    }
    if let Some(transcript) = &transcript {
        vouch(app, &key, transcript, &arguments.origins)?;
    }
    let change = CircuitChange::Add(new);
    propose(&chain, circuits.changes + 1, change, arguments.request.as_deref())
}

fn deactivate(
    app: &mut App,
    text: &str,
    height: Option<u64>,
    out: Option<&Path>,
) -> Result<Report> {
    let chain = app.chain()?;
    let (circuits, tip) = known(app, &chain)?;
    let circuit = find(&circuits, text)?.id;
    // The next block may hold the change, and the one after it obeys. A height that has passed when
    // the approvals are there means as soon as can be.
    let height = height.unwrap_or(tip + 2);
    let change = CircuitChange::Deactivate { circuit, height };
    propose(&chain, NumberedCircuitChange::UNORDERED, change, out)
}

/// Writes the request, or submits it with the keys that a development network stores.
fn propose(
    chain: &Chain,
    number: u64,
    change: CircuitChange,
    out: Option<&Path>,
) -> Result<Report> {
    let change = NumberedCircuitChange { number, change };
    let request = Request::circuits(&chain.id(), change).ok_or_else(|| {
        Failure::input("request", "a circuit of an unknown statement", "update this program")
    })?;
    let Some(path) = out else { return submit(chain, &request, &[]) };
    write_request(path, &request)?;
    let text = format!(
        "request {}\npass it on to the authorities: `placet circuits check`, then `placet node \
         keys approve`",
        path.display()
    );
    Ok(Report::new(text, json!({ "request": path.display().to_string(), "number": number })))
}

fn wrong_request() -> Failure {
    Failure::input(
        "request",
        "this is no request about circuits",
        "`placet network appoint` and `placet attestor admit` submit the others",
    )
}

fn submit(chain: &Chain, request: &Request, files: &[PathBuf]) -> Result<Report> {
    let change = request.as_circuits().ok_or_else(wrong_request)?;
    let approvals = approvals(chain, request, files)?;
    let number = change.number;
    let deactivated = match &change.change {
        CircuitChange::Deactivate { circuit, height } => Some((*circuit, *height)),
        CircuitChange::Add(_) => None,
    };
    let (text, mut json) = match &change.change {
        CircuitChange::Add(new) => {
            let id = new.id().map(|id| id.to_string()).unwrap_or_default();
            (
                format!("added circuit {id}; its proofs are taken from height {}", new.activation),
                json!({ "did": "added", "circuit": id, "activation": new.activation }),
            )
        }
        CircuitChange::Deactivate { circuit, .. } => {
            (String::new(), json!({ "did": "deactivated", "circuit": circuit.to_string() }))
        }
    };
    let transaction = Transaction::ChangeCircuits(ChangeCircuits::new(change, approvals));
    let done = chain.execute(&transaction)?;
    // A height that had passed means the block after this one.
    let text = match &deactivated {
        Some((circuit, height)) => {
            let end = (*height).max(done.height + 1);
            merge(&mut json, json!({ "deactivation": end }));
            format!("circuit {circuit} is switched off from height {end}")
        }
        None => text,
    };
    merge(
        &mut json,
        json!({ "number": number, "transaction": done.id.to_string(), "height": done.height }),
    );
    Ok(Report::new(format!("{text}\nin block {}", done.height), json))
}

/// What an authority does before it approves.
fn check(app: &mut App, path: &Path, origins: &Origins) -> Result<Report> {
    let chain = app.chain()?;
    let request = read_request(&chain, path)?;
    let change = request.as_circuits().ok_or_else(wrong_request)?;
    let (circuits, tip) = known(app, &chain)?;
    let mut content = circuit_change(&change);
    let mut checked = vec!["number".to_owned(), "heights".to_owned()];
    let expected = match &change.change {
        CircuitChange::Add(_) => circuits.changes + 1,
        CircuitChange::Deactivate { .. } => NumberedCircuitChange::UNORDERED,
    };
    if change.number != expected {
        return Err(refused(format!(
            "the request has number {}, this change needs number {expected}",
            change.number,
        )));
    }
    match &change.change {
        CircuitChange::Deactivate { circuit, height } => {
            let entry = circuits.get(circuit).ok_or_else(|| unknown(circuit))?;
            // A height that has passed is no fault: it means as soon as can be.
            let end = (*height).max(tip + 2);
            if entry.deactivation.is_some_and(|known| known <= end) {
                return Err(refused(
                    "the end of this circuit is decided, and it is not later".to_owned(),
                ));
            }
        }
        CircuitChange::Add(new) => {
            if new.activation <= tip + 1 {
                return Err(refused(format!("height {} is not in the future", new.activation)));
            }
            let digest = this_circuit()?;
            if new.circuit_digest.0 != digest.0 {
                return Err(refused(format!(
                    "the circuit is {}, this program's is {digest}: nobody could prove with it",
                    new.circuit_digest
                )));
            }
            checked.extend(ceremony_of(app, &chain, new, origins)?);
        }
    }
    let text = format!("the request may be approved: {}", checked.join(", "));
    merge(&mut content, json!({ "checked": checked }));
    Ok(Report::new(format!("{text}\n{}", render(&content, 0)), content))
}

/// Verifies where the key of a request comes from.
fn ceremony_of(
    app: &App,
    chain: &Chain,
    new: &NewCircuit,
    origins: &Origins,
) -> Result<Vec<String>> {
    let evidence = |error: &(dyn std::error::Error + 'static)| {
        Failure::from_error(Exit::Evidence, "transcript", error)
    };
    let transcript = match (&new.transcript, chain.genesis().kind) {
        (None, NetworkKind::Dev) => None,
        (Some(bytes), NetworkKind::Other) => {
            Some(Transcript::from_bytes(bytes).map_err(|error| evidence(&error))?)
        }
        _ => {
            return Err(refused(
                "a ceremony's transcript is needed, and on a development network none".to_owned(),
            ));
        }
    };
    let origin = transcript
        .as_ref()
        .map_or(Origin::Dev, |transcript| Origin::Ceremony { transcript: transcript.hash() });
    let digest = CircuitDigest(new.circuit_digest.0);
    let key = VerifyingKey::<Transfer>::from_point_bytes(&new.points, digest, origin)
        .map_err(|error| evidence(&error))?;
    let mut checked =
        vec!["this program's circuit".to_owned(), "every point of the key".to_owned()];
    if let Some(transcript) = &transcript {
        checked.extend(vouch(app, &key, transcript, origins)?);
    }
    Ok(checked)
}

fn unknown(circuit: &CircuitId) -> Failure {
    refused(format!("the network knows no circuit {circuit}"))
}

fn refused(why: String) -> Failure {
    Failure::new(Exit::Evidence, "request", why, "do not approve it; have it made again")
}
