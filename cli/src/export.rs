//! `placet export`: keys, proofs and the circuit as files that snarkjs reads, so that nobody needs
//! this program to check what it proves. Spec §12.5.

use std::path::{Path, PathBuf};

use ark_bn254::Fr;
use ark_relations::gr1cs::SynthesisError;
use clap::{Args, Subcommand};
use placet_circuits::circuit::{Record, blank_shape, matrices, synthesize};
use placet_node::files::read_genesis;
use placet_params::file::{Kind, file_name};
use placet_params::{CircuitDigest, KeyPolicy, Origin, ProvingKey, VerifyingKey};
use placet_protocol::circuit::CircuitId;
use placet_protocol::example::{Branches, Example};
use placet_protocol::genesis::{ChainId, Genesis, NetworkKind};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transaction::{Transaction, TransferTransaction, TxId};
use placet_protocol::transfer::{Mode, PublicInputs, Transfer, Witness};
use placet_protocol::wire::Wire;
use placet_prover::{ProofSeed, Prover};
use placet_setup::ceremony::constraints_of;
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::{convert, json as text, wtns};
use placet_verifier::PreparedVerifyingKey;
use placet_wallet::files::{Existing, write_atomically};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::output::{Report, fields};
use crate::{keyfiles, nodes};

/// Largest file with a transaction that is read, in bytes; also as hexadecimal text.
const MAX_TRANSACTION: u64 = 64 << 10;

/// Commands that write files for snarkjs.
#[derive(Subcommand)]
pub enum Command {
    /// The verifying key as verification_key.json: what `snarkjs groth16 verify` needs first
    VerificationKey {
        #[command(flatten)]
        keys: Keys,
        /// Where to write it
        #[arg(long, value_name = "FILE", default_value = "verification_key.json")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
    /// The proof of one transfer as proof.json, with its public inputs as public.json
    ///
    /// The transfer is a file with its bytes, or the id of a final transaction of the network that
    /// the data directory uses. The proof is verified before anything is written.
    Proof {
        /// File with a transfer's bytes (or their hexadecimal text), or a transaction's id
        transfer: String,
        /// Genesis of the transfer's network [default: that of the data directory's network]
        #[arg(long, value_name = "FILE")]
        genesis: Option<PathBuf>,
        #[command(flatten)]
        keys: Keys,
        /// Directory in which to write both files
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
    /// The circuit's constraints as .r1cs
    R1cs {
        /// Where to write it
        #[arg(long, value_name = "FILE", default_value = "transfer.r1cs")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
    /// The proving key as .zkey
    ///
    /// The file proves, but carries no record of a ceremony: `snarkjs zkey verify` refuses it. The
    /// file that passes it is the one that the ceremony itself left.
    Zkey {
        #[command(flatten)]
        keys: Keys,
        /// Where to write it
        #[arg(long, value_name = "FILE", default_value = "transfer.zkey")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
    /// The witness of a sample transfer as .wtns
    ///
    /// The sample is invented, and everybody knows it. A wallet's own witness holds its secret key
    /// and amounts; no command writes it to a file.
    Witness {
        /// Where to write it
        #[arg(long, value_name = "FILE", default_value = "transfer.wtns")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
    /// All of it for the sample transfer: key, proof, public inputs, .r1cs, .wtns and .zkey
    All {
        #[command(flatten)]
        keys: Keys,
        /// Directory in which to write them; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
}

/// Where keys come from.
#[derive(Args)]
pub struct Keys {
    /// Directory with the key files (DIGEST.vk and DIGEST.pk) [default: those of the data
    /// directory's network; without a network the development keys of this machine]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
}

/// Whether files that are there may be replaced.
#[derive(Args)]
pub struct Force {
    /// Replace files that are there already
    #[arg(long)]
    pub force: bool,
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::VerificationKey { keys, out, force } => verification_key(app, keys, out, force),
        Command::Proof { transfer, genesis, keys, out, force } => {
            proof(app, (transfer, genesis.as_deref()), keys, out, force)
        }
        Command::R1cs { out, force } => {
            force.allows(&[out])?;
            let circuit = working(app, "building the circuit", constraints)?;
            let written = force.write(out, &r1cs_bytes(&circuit))?;
            Ok(Report::new(
                written.line(),
                json!({ "circuit": counts(&circuit), "files": [written.json()] }),
            ))
        }
        Command::Zkey { keys, out, force } => zkey(app, keys, out, force),
        Command::Witness { out, force } => {
            force.allows(&[out])?;
            let sample = working(app, "computing the sample's wires", Sample::new)?;
            let written = force.write(out, &wtns_bytes(&sample.assignment))?;
            let json = json!({ "values": sample.assignment.len(), "files": [written.json()] });
            Ok(Report::new(written.line(), json))
        }
        Command::All { keys, out, force } => all(app, keys, out, force),
    }
}

fn verification_key(app: &App, keys: &Keys, out: &Path, force: &Force) -> Result<Report> {
    force.allows(&[out])?;
    let key = keys.verifying(app)?;
    let written = force.write(out, text::write_verification_key(key.points()).as_bytes())?;
    let mut json = about(&key);
    json["files"] = json!([written.json()]);
    let text = format!("{}\n{}", about_text(&key), written.line());
    Ok(Report::new(text, json))
}

fn zkey(app: &App, keys: &Keys, out: &Path, force: &Force) -> Result<Report> {
    force.allows(&[out])?;
    let key = keys.proving(app)?;
    let circuit = working(app, "building the circuit", constraints)?;
    let bytes = working(app, "converting the key: under a minute", || zkey_bytes(&key, &circuit))?;
    let written = force.write(out, &bytes)?;
    let mut json = about(key.verifying_key());
    json["files"] = json!([written.json()]);
    let text = format!("{}\n{}", about_text(key.verifying_key()), written.line());
    Ok(Report::new(text, json))
}

fn proof(
    app: &mut App,
    (transfer, genesis): (&str, Option<&Path>),
    keys: &Keys,
    out: &Path,
    force: &Force,
) -> Result<Report> {
    let targets = [out.join("proof.json"), out.join("public.json")];
    force.allows(&[&targets[0], &targets[1]])?;
    let (transaction, chain) = find_transfer(app, transfer, genesis)?;
    let key = keys.verifying(app)?;
    let id = Transaction::Transfer(transaction.clone()).id(&chain);
    let named = transaction.body.circuit;
    if named.0 != key.hash().0 {
        return Err(Failure::input(
            "verifying-key",
            format!("the transfer was proven under key {named}, this one is {}", key.hash()),
            "name the directory with the key files of the transfer's network: --keys DIR",
        ));
    }
    let public = transaction.body.public_inputs(&chain);
    let failed = |error| {
        let error: placet_verifier::VerifyError = error;
        Failure::from_error(Exit::Evidence, "proof-invalid", &error)
    };
    PreparedVerifyingKey::from(&key).verify(&public, &transaction.proof).map_err(failed)?;
    make_directory(out)?;
    let written = [
        force.write(&targets[0], proof_json(&transaction.proof)?.as_bytes())?,
        force.write(&targets[1], text::write_public(&Transfer::inputs(&public)).as_bytes())?,
    ];
    let mut json = about(&key);
    json["transaction"] = json!(id.to_string());
    json["files"] = written.iter().map(Written::json).collect();
    let text = format!("the proof of transaction {id} verifies\n{}", lines(&written));
    Ok(Report::new(text, json))
}

fn all(app: &App, keys: &Keys, out: &Path, force: &Force) -> Result<Report> {
    let set = Set::in_directory(out);
    set.allowed(force, true)?;
    let key = keys.proving(app)?;
    let sample = working(app, "computing the sample's wires", Sample::new)?;
    let bytes =
        working(app, "converting the key: under a minute", || zkey_bytes(&key, &sample.circuit))?;
    let verifying = key.verifying_key().clone();
    let (proof, public) = {
        let _working = app.progress.spinner("proving the sample transfer");
        let prover = Prover::new(key)
            .map_err(|error| Failure::from_error(Exit::Input, "proving-key", &error))?;
        let seed = ProofSeed::from_os()?;
        let proof = prover
            .prove_assignment(&sample.assignment, seed)
            .map_err(|error| Failure::from_error(Exit::Input, "proving-key", &error))?;
        (proof.to_bytes(), sample.public)
    };
    let written = set.write(
        &verifying,
        &proof,
        &public,
        (&sample.circuit, &sample.assignment),
        Some(&bytes),
        force,
    )?;
    let mut json = about(&verifying);
    json["circuit"] = counts(&sample.circuit);
    json["files"] = written.iter().map(Written::json).collect();
    let text = format!("{}\n{}", about_text(&verifying), lines(&written));
    Ok(Report::new(text, json))
}

/// A transfer and its network: from a file, or by its id from the data directory's network.
fn find_transfer(
    app: &mut App,
    what: &str,
    genesis: Option<&Path>,
) -> Result<(TransferTransaction, ChainId)> {
    let path = Path::new(what);
    if path.is_file() {
        let genesis = match genesis {
            Some(path) => nodes::genesis_file(path)?,
            None => network(app).map(|(genesis, _)| genesis).ok_or_else(|| {
                Failure::input(
                    "genesis",
                    "a proof is bound to its network, and the data directory has none",
                    "name the network's genesis: --genesis FILE",
                )
            })?,
        };
        return Ok((read_transfer(path)?, genesis.chain_id()));
    }
    let id: TxId = what.parse().map_err(|_| {
        Failure::input(
            "not-found",
            format!("{what} is neither a file nor a transaction's id"),
            "give a file with a transfer's bytes, or the 64 digits of an id",
        )
    })?;
    let chain = app.chain()?;
    let missing = || {
        Failure::input(
            "not-found",
            format!("transaction {id} is not final"),
            "check the id; a transaction that waits cannot be exported",
        )
    };
    let receipt = chain.receipt(id)?.ok_or_else(missing)?;
    let public = chain.public(app)?;
    let block = chain.block(&public, receipt.header.height)?.ok_or_else(missing)?;
    let entries = block.block.entries;
    match entries.into_iter().nth(receipt.index as usize).map(|entry| entry.transaction) {
        Some(transaction) if transaction.id(&chain.id()) != id => Err(missing()),
        Some(Transaction::Transfer(transfer)) => Ok((transfer, chain.id())),
        Some(other) => Err(no_transfer(other.kind())),
        None => Err(missing()),
    }
}

fn read_transfer(path: &Path) -> Result<TransferTransaction> {
    let bytes = read(path, MAX_TRANSACTION)?;
    let as_text = std::str::from_utf8(&bytes).ok();
    let decoded = as_text.and_then(|text| {
        let text = text.trim();
        hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()
    });
    match Transaction::from_wire(decoded.as_deref().unwrap_or(&bytes)) {
        Ok(Transaction::Transfer(transfer)) => Ok(transfer),
        Ok(other) => Err(no_transfer(other.kind())),
        Err(error) => Err(Failure::input(
            "transaction",
            format!("{} holds no transaction: {error}", path.display()),
            "give a file with the exact bytes of one transfer, or their hexadecimal text",
        )),
    }
}

fn no_transfer(kind: impl std::fmt::Display) -> Failure {
    Failure::input(
        "no-proof",
        format!("this transaction is no transfer ({kind}), so it carries no proof"),
        "give a transfer",
    )
}

/// A whole file, if it is not larger than this.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > most {
        return Err(Failure::input(
            "too-large",
            format!("{} is larger than {most} bytes", path.display()),
            "check that this is the right file",
        ));
    }
    std::fs::read(path).map_err(failed)
}

/// The genesis of the data directory's network, and where its keys are.
fn network(app: &App) -> Option<(Genesis, Vec<PathBuf>)> {
    [app.data.network(), app.data.remote()].into_iter().find_map(|dir| {
        let genesis = read_genesis(&dir).ok()?;
        Some((genesis, vec![dir]))
    })
}

impl Keys {
    /// The verifying key.
    pub fn verifying(&self, app: &App) -> Result<VerifyingKey<Transfer>> {
        let failed = |error| {
            let error: placet_params::LoadError = error;
            Failure::from_error(Exit::Input, "verifying-key", &error)
        };
        if let Some(dir) = &self.keys {
            let path = named(dir, Kind::Verifying)?;
            return VerifyingKey::load(&path, &circuit()?, KeyPolicy::Dev).map_err(failed);
        }
        match self.of_network(app, Kind::Verifying)? {
            Some((path, genesis)) => Ok(keyfiles::verifying_file(&path, &genesis)?.0),
            None => Ok(keyfiles::development(app.progress)?.1),
        }
    }

    /// The proving key.
    pub fn proving(&self, app: &App) -> Result<ProvingKey<Transfer>> {
        let failed = |error| {
            let error: placet_params::LoadError = error;
            Failure::from_error(Exit::Input, "proving-key", &error)
        };
        if let Some(dir) = &self.keys {
            let path = named(dir, Kind::Proving)?;
            let _working = app.progress.spinner("checking the proving key");
            return ProvingKey::load(&path, &circuit()?, KeyPolicy::Dev).map_err(failed);
        }
        match self.of_network(app, Kind::Proving)? {
            Some((path, genesis)) => {
                let pin = genesis.circuit(Transfer::NAME).ok_or_else(no_circuit)?;
                let _working = app.progress.spinner("checking the proving key");
                Ok(ProvingKey::load_pinned(&path, genesis.kind, pin).map_err(failed)?.0)
            }
            None => Ok(keyfiles::development(app.progress)?.0),
        }
    }

    /// The key file of the data directory's network; `None` where the development keys serve.
    fn of_network(&self, app: &App, kind: Kind) -> Result<Option<(PathBuf, Genesis)>> {
        let Some((genesis, places)) = network(app) else { return Ok(None) };
        let name = file_name(&circuit()?, kind);
        let path = places.iter().map(|dir| dir.join(&name)).find(|path| path.exists());
        match path {
            Some(path) => Ok(Some((path, genesis))),
            None if genesis.kind == NetworkKind::Dev => Ok(None),
            None => Err(Failure::input(
                "keys",
                "the key files of the data directory's network are not in it",
                "name their directory: --keys DIR",
            )),
        }
    }
}

fn no_circuit() -> Failure {
    Failure::input(
        "genesis",
        "the network pins no verifying key for `transfer`",
        "use another network, or name the key files: --keys DIR",
    )
}

/// The digest of this program's circuit.
pub fn circuit() -> Result<CircuitDigest> {
    let shape = blank_shape::<Transfer>().map_err(|error| Failure::internal(&error))?;
    Ok(CircuitDigest(shape.digest))
}

fn named(dir: &Path, kind: Kind) -> Result<PathBuf> {
    let path = dir.join(file_name(&circuit()?, kind));
    match path.exists() {
        true => Ok(path),
        false => Err(Failure::input(
            "keys",
            format!("{} is not there", path.display()),
            "give the directory with the key files of this program's circuit",
        )),
    }
}

/// Says what is going on while something lasts.
pub fn working<T>(app: &App, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _working = app.progress.spinner(what);
    work()
}

/// A transfer that everybody knows: an invented holder accepts a delivery and sends a part on.
pub struct Sample {
    /// The circuit.
    pub circuit: R1cs,
    /// The values of all wires.
    pub assignment: Zeroizing<Vec<Fr>>,
    /// The public inputs.
    pub public: PublicInputs,
}

impl Sample {
    /// Computes it.
    pub fn new() -> Result<Self> {
        let branches = Branches {
            genesis: false,
            mode: Mode::Accept,
            selective: true,
            capital_rule: true,
            count_holders: true,
            lockup: true,
        };
        let Example { public, witness, .. } = Example::new(branches);
        let (circuit, assignment) = of_statement(&public, &witness)?;
        Ok(Self { circuit, assignment, public })
    }
}

/// The circuit alone.
fn constraints() -> Result<R1cs> {
    constraints_of::<Transfer>().map_err(|error| Failure::internal(&error))
}

/// The circuit, and the values of all its wires for a statement that was checked.
pub fn of_statement(
    public: &PublicInputs,
    witness: &Witness,
) -> Result<(R1cs, Zeroizing<Vec<Fr>>)> {
    Transfer::check(public, witness)
        .map_err(|error| Failure::from_error(Exit::Internal, "sample", &error))?;
    let failed = |error: SynthesisError| Failure::internal(&error);
    let cs = synthesize::<Transfer>(public, witness, Record::Constraints).map_err(failed)?;
    let matrices = matrices(&cs).map_err(failed)?;
    let (instance, witnesses) = (cs.num_instance_variables(), cs.num_witness_variables());
    let circuit = R1cs::from_matrices(&matrices, instance, witnesses);
    let cs = cs.borrow().ok_or_else(|| failed(SynthesisError::MissingCS))?;
    let mut all = Zeroizing::new(Vec::with_capacity(instance + witnesses));
    all.extend_from_slice(&cs.assignments.instance_assignment);
    all.extend_from_slice(&cs.assignments.witness_assignment);
    Ok((circuit, all))
}

/// The files of one transfer, under their usual names in one directory.
pub struct Set {
    directory: PathBuf,
}

impl Set {
    /// In this directory.
    pub fn in_directory(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Refuses early if a file is there that may not be replaced.
    pub fn allowed(&self, force: &Force, with_zkey: bool) -> Result<()> {
        let names = ["verification_key.json", "proof.json", "public.json", "transfer.r1cs"];
        let more = ["transfer.wtns", "transfer.zkey"];
        let more = if with_zkey { &more[..] } else { &more[..1] };
        let paths: Vec<_> = names.iter().chain(more).map(|name| self.path(name)).collect();
        force.allows(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>())
    }

    /// Writes them; the proving key only if it is given.
    pub fn write(
        &self,
        key: &VerifyingKey<Transfer>,
        proof: &ProofBytes,
        public: &PublicInputs,
        (circuit, assignment): (&R1cs, &[Fr]),
        zkey: Option<&[u8]>,
        force: &Force,
    ) -> Result<Vec<Written>> {
        make_directory(&self.directory)?;
        let key = text::write_verification_key(key.points());
        let public = text::write_public(&Transfer::inputs(public));
        let mut written = vec![
            force.write(&self.path("verification_key.json"), key.as_bytes())?,
            force.write(&self.path("proof.json"), proof_json(proof)?.as_bytes())?,
            force.write(&self.path("public.json"), public.as_bytes())?,
            force.write(&self.path("transfer.r1cs"), &r1cs_bytes(circuit))?,
            force.write(&self.path("transfer.wtns"), &wtns_bytes(assignment))?,
        ];
        if let Some(bytes) = zkey {
            written.push(force.write(&self.path("transfer.zkey"), bytes)?);
        }
        Ok(written)
    }
}

/// A file that was written.
pub struct Written {
    path: PathBuf,
    bytes: u64,
}

impl Written {
    /// For people.
    pub fn line(&self) -> String {
        format!("wrote {} ({} bytes)", self.path.display(), self.bytes)
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        json!({ "file": self.path, "bytes": self.bytes })
    }
}

/// One line a file.
pub fn lines(written: &[Written]) -> String {
    written.iter().map(Written::line).collect::<Vec<_>>().join("\n")
}

impl Force {
    /// Refuses early if one of these files is there and may not be replaced.
    pub fn allows(&self, paths: &[&Path]) -> Result<()> {
        match paths.iter().find(|path| !self.force && path.exists()) {
            None => Ok(()),
            Some(path) => Err(taken(path)),
        }
    }

    /// Writes a file in one step.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<Written> {
        let existing = if self.force { Existing::Replace } else { Existing::Refuse };
        write_atomically(path, bytes, existing).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(path),
            _ => Failure::file(path, &error),
        })?;
        Ok(Written { path: path.to_owned(), bytes: bytes.len() as u64 })
    }
}

fn taken(path: &Path) -> Failure {
    Failure::input(
        "exists",
        format!("{} is there already", path.display()),
        "choose another place with --out, or replace it with --force",
    )
}

/// Makes a directory that is not there yet.
pub fn make_directory(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Failure::file(path, &error))
}

/// What a key is, for scripts.
pub fn about(key: &VerifyingKey<Transfer>) -> Value {
    json!({
        "statement": Transfer::NAME,
        "digest": key.circuit().to_string(),
        "id": CircuitId(key.hash().0).to_string(),
        "origin": match key.origin() { Origin::Dev => "dev", Origin::Ceremony { .. } => "ceremony" },
    })
}

/// What a key is, for people.
pub fn about_text(key: &VerifyingKey<Transfer>) -> String {
    let origin = match key.origin() {
        Origin::Dev => "development: whoever made it can forge proofs".to_owned(),
        Origin::Ceremony { transcript } => format!("ceremony {transcript}"),
    };
    fields(&[
        ("statement", Transfer::NAME.to_owned()),
        ("circuit", key.circuit().to_string()),
        ("key", key.hash().to_string()),
        ("origin", origin),
    ])
}

fn counts(circuit: &R1cs) -> Value {
    json!({
        "wires": circuit.variables, "constraints": circuit.constraints(),
        "public_inputs": circuit.public_inputs,
        "private_inputs": circuit.variables - circuit.public_inputs - 1,
    })
}

fn proof_json(proof: &ProofBytes) -> Result<String> {
    let points = text::proof_points(proof)
        .map_err(|error| Failure::from_error(Exit::Evidence, "proof", &error))?;
    Ok(text::write_proof(&points))
}

fn r1cs_bytes(circuit: &R1cs) -> Vec<u8> {
    circuit.write(Vec::new()).expect("writing into a vector cannot fail")
}

fn wtns_bytes(assignment: &[Fr]) -> Zeroizing<Vec<u8>> {
    // Room for everything from the beginning: a vector that grows leaves copies behind.
    let room = Vec::with_capacity(128 + 32 * assignment.len());
    Zeroizing::new(wtns::write(room, assignment).expect("writing into a vector cannot fail"))
}

/// The `.zkey` of a key.
pub fn zkey_bytes(key: &ProvingKey<Transfer>, circuit: &R1cs) -> Result<Vec<u8>> {
    let zkey = convert::zkey_from_key(key.points(), circuit)
        .map_err(|error| Failure::from_error(Exit::Input, "proving-key", &error))?;
    Ok(zkey.write(Vec::new()).expect("writing into a vector cannot fail"))
}
