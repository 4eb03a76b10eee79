//! `placet import`: keys and proofs that snarkjs made. Nothing is believed: points, sizes and
//! matrices are checked, keys must prove, proofs must verify. Spec §12.5.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_params::file::{Kind, file_name};
use placet_params::{Origin, ProvingKey, VerifyingKey};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use placet_prover::{ProofSeed, Prover};
use placet_snarkjs::zkey::Zkey;
use placet_snarkjs::{convert, json as text};
use placet_verifier::{PreparedVerifyingKey, Proof};
use serde_json::json;

use crate::app::App;
use crate::export::{
    Force, Keys, Sample, about, about_text, circuit, lines, make_directory, read, working,
};
use crate::fail::{Exit, Failure, Result};
use crate::output::Report;

/// Commands that read files of snarkjs.
#[derive(Subcommand)]
pub enum Command {
    /// A proving key: .zkey to DIGEST.pk and DIGEST.vk
    ///
    /// Its matrices must be those of this program's circuit, and it must make a proof of a sample
    /// transfer that verifies. Who could forge with it nobody can see in a key: it is marked as a
    /// development key. Keys for a real network come from `placet ceremony`.
    Zkey {
        /// The .zkey file
        zkey: PathBuf,
        /// Directory in which to write both key files; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
    /// A proof: proof.json and public.json to its 128 bytes, verified
    Proof {
        /// The proof.json file
        proof: PathBuf,
        /// The public.json file
        public: PathBuf,
        /// Verify against this verification_key.json instead of key files
        #[arg(long, value_name = "FILE", conflicts_with = "keys")]
        verification_key: Option<PathBuf>,
        #[command(flatten)]
        keys: Keys,
        /// Write the 128 bytes to this file too
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        force: Force,
    },
    /// A verifying key: verification_key.json to DIGEST.vk
    ///
    /// The file does not say which circuit it is for: it is taken to be for this program's. It is
    /// marked as a development key.
    VerificationKey {
        /// The verification_key.json file
        key: PathBuf,
        /// Directory in which to write the key file; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        force: Force,
    },
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    match command {
        Command::Zkey { zkey, out, force } => import_zkey(app, zkey, out, force),
        Command::Proof { proof, public, verification_key, keys, out, force } => {
            let key = match verification_key {
                Some(path) => read_verification_key(path)?,
                None => keys.verifying(app)?,
            };
            import_proof(&key, (proof, public), out.as_deref(), force)
        }
        Command::VerificationKey { key, out, force } => import_verification_key(key, out, force),
    }
}

fn import_zkey(app: &App, path: &Path, out: &Path, force: &Force) -> Result<Report> {
    let digest = circuit()?;
    let targets = [Kind::Proving, Kind::Verifying].map(|kind| out.join(file_name(&digest, kind)));
    force.allows(&[&targets[0], &targets[1]])?;
    let refused =
        |error: &(dyn std::error::Error + 'static)| Failure::from_error(Exit::Input, "zkey", error);
    let zkey = working(app, "checking every point of the .zkey file", || {
        Zkey::load(path).map_err(|error| refused(&error))
    })?;
    let sample = working(app, "computing a sample transfer", Sample::new)?;
    convert::check_circuit(&zkey, &sample.circuit).map_err(|error| refused(&error))?;
    let key = working(app, "converting the key: under a minute", || {
        let points = convert::key_from_zkey(&zkey);
        ProvingKey::<Transfer>::from_parts(points, digest, Origin::Dev)
            .map_err(|error| refused(&error))
    })?;
    // The matrix C and the relations between points show in a proof only.
    working(app, "proving a sample transfer with it", || {
        let prover = Prover::new(key.clone()).map_err(|error| refused(&error))?;
        let proved = prover.prove_assignment(&sample.assignment, ProofSeed::from_os()?);
        proved.map(drop).map_err(|error| refused(&error))
    })?;
    make_directory(out)?;
    let verifying = key.verifying_key();
    let written = [
        force.write(&targets[0], &key.to_file_bytes())?,
        force.write(&targets[1], &verifying.to_file_bytes())?,
    ];
    let contributions = zkey.ceremony.contributions.len();
    let mut json = about(verifying);
    json["contributions"] = json!(contributions);
    json["files"] = written.iter().map(crate::export::Written::json).collect();
    let text = format!(
        "{}\ncontributions in the file (not checked): {contributions}\n{}",
        about_text(verifying),
        lines(&written)
    );
    Ok(Report::new(text, json))
}

fn import_proof(
    key: &VerifyingKey<Transfer>,
    (proof, public): (&Path, &Path),
    out: Option<&Path>,
    force: &Force,
) -> Result<Report> {
    if let Some(out) = out {
        force.allows(&[out])?;
    }
    let points =
        text::read_proof(&read_json(proof)?).map_err(|error| json_failure(proof, &error))?;
    let inputs = text::read_public(&read_json(public)?, Transfer::PUBLIC_INPUTS)
        .map_err(|error| json_failure(public, &error))?;
    let bytes = text::proof_bytes(&points);
    let invalid = |error: &(dyn std::error::Error + 'static)| {
        Failure::from_error(Exit::Evidence, "proof-invalid", error)
    };
    let proof = Proof::<Transfer>::from_bytes(&bytes).map_err(|error| invalid(&error))?;
    PreparedVerifyingKey::from(key)
        .verify_elements(&inputs, &proof)
        .map_err(|error| invalid(&error))?;
    let written = out.map(|out| force.write(out, &bytes.0)).transpose()?;
    let written: Vec<_> = written.into_iter().collect();
    let mut json = about(key);
    json["proof"] = json!(hex::encode(bytes.0));
    json["files"] = written.iter().map(crate::export::Written::json).collect();
    let mut text = format!("the proof verifies\n{}", hex::encode(bytes.0));
    if !written.is_empty() {
        text = format!("{text}\n{}", lines(&written));
    }
    Ok(Report::new(text, json))
}

fn import_verification_key(path: &Path, out: &Path, force: &Force) -> Result<Report> {
    let target = out.join(file_name(&circuit()?, Kind::Verifying));
    force.allows(&[&target])?;
    let key = read_verification_key(path)?;
    make_directory(out)?;
    let written = force.write(&target, &key.to_file_bytes())?;
    let mut json = about(&key);
    json["files"] = json!([written.json()]);
    Ok(Report::new(format!("{}\n{}", about_text(&key), written.line()), json))
}

fn read_verification_key(path: &Path) -> Result<VerifyingKey<Transfer>> {
    let points = text::read_verification_key(&read_json(path)?)
        .map_err(|error| json_failure(path, &error))?;
    VerifyingKey::from_parts(points, circuit()?, Origin::Dev)
        .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))
}

fn read_json(path: &Path) -> Result<String> {
    String::from_utf8(read(path, text::MAX_BYTES)?).map_err(|_| {
        Failure::input(
            "json",
            format!("{} is no text", path.display()),
            "give the JSON file that snarkjs wrote",
        )
    })
}

fn json_failure(path: &Path, error: &text::JsonError) -> Failure {
    Failure::from_error(Exit::Input, "json", error).with(&format!("in {}", path.display()))
}
