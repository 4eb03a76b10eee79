//! `placet network genesis`: the genesis of a network that is not for development, made only from
//! keys whose ceremony was verified in full. Spec §12.4, §13.2.

use std::path::{Path, PathBuf};

use clap::Args;
use placet_params::policy::accept;
use placet_params::transcript::Transcript;
use placet_params::{CircuitDigest, VerifyingKey};
use placet_protocol::genesis::{
    Authority, Genesis, NetworkKind, NetworkParams, PinnedCircuit, Sha256Digest,
};
use placet_protocol::signing::VerifyKey;
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use placet_setup::ceremony::finalize;
use placet_wallet::files::{Existing, write_atomically};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::ceremony::files::{PtauOptions, Show, open_key};
use crate::fail::{Exit, Failure, Result};
use crate::output::{Report, fields};
use crate::{keyfiles, time};

/// Longest description that is read, in bytes.
const MAX_DESCRIPTION: u64 = 1 << 20;

/// What a ceremony leaves beside the key files, for the full check.
#[derive(Args, Clone, Debug)]
pub struct Origins {
    /// The ceremony's last file, closed by its beacon
    #[arg(long, value_name = "FILE", requires = "ptau")]
    zkey: Option<PathBuf>,
    /// The powers of tau that the ceremony started from
    #[arg(long, value_name = "FILE", requires = "zkey")]
    ptau: Option<PathBuf>,
    /// Take powers of tau that are not one of the public ceremony's; they are checked in full, and
    /// whether somebody knows their tau is yours to judge
    #[arg(long, requires = "ptau")]
    accept_unknown_ptau: bool,
}

/// What a genesis is made of.
#[derive(Args)]
pub struct Arguments {
    /// Name, authorities, publisher and parameters, as TOML or JSON
    description: PathBuf,
    /// Directory with the ceremony's key files: `.vk` and `.transcript`
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The ceremony's files
    #[command(flatten)]
    origins: Origins,
    /// Where to write the genesis
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    out: PathBuf,
}

/// The part of a genesis that people write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    /// The network's name.
    name: String,
    /// Time of block 0 in seconds since the Unix epoch; now, if left out.
    time: Option<u64>,
    /// The first authorities.
    authorities: Vec<Authority>,
    /// Who signs sanctions lists.
    sanctions_publisher: VerifyKey,
    /// Windows and quotas; all of them, or the defaults.
    #[serde(default)]
    params: NetworkParams,
}

fn describe(path: &Path) -> Result<Description> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_DESCRIPTION {
        let message = format!("{} is too long for the description of a network", path.display());
        return Err(Failure::input("description", message, "check that it is the right file"));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let read = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    };
    read.map_err(|why| {
        let message = format!("{} describes no network: {why}", path.display());
        Failure::input("description", message, "see docs/guides/authority.md for an example")
    })
}

/// Derives a ceremony's key again, from powers of tau and this program's circuit through every
/// contribution, and compares what comes out with a key and its transcript. Returns what was
/// checked, in words.
///
/// # Errors
/// [`Exit::Evidence`] if anything does not follow.
pub fn vouch(
    app: &App,
    key: &VerifyingKey<Transfer>,
    transcript: &Transcript,
    origins: &Origins,
) -> Result<Vec<String>> {
    let (Some(zkey), Some(ptau)) = (&origins.zkey, &origins.ptau) else {
        return Err(Failure::new(
            Exit::Usage,
            "usage",
            "a key is taken for its ceremony only, which is verified from the beginning",
            "add --zkey FILE and --ptau FILE: what the ceremony left and what it started from",
        ));
    };
    let show = Show::new(app);
    let evidence = |error: &(dyn std::error::Error + 'static)| {
        Failure::from_error(Exit::Evidence, "ceremony", error)
    };
    let options =
        PtauOptions { ptau: ptau.clone(), accept_unknown_ptau: origins.accept_unknown_ptau };
    let mut powers = options.open(&show)?;
    let hash = powers.hash;
    let last = open_key(zkey)?;
    let made = finalize::<Transfer, _>(&last, &mut powers.file, hash, &|step| show.step(step))
        .map_err(|error| evidence(&error))?;
    powers.is_unchanged(&show)?;
    drop(show);
    if made.transcript != *transcript || made.key.verifying_key().hash() != key.hash() {
        return Err(Failure::new(
            Exit::Evidence,
            "ceremony",
            "the ceremony holds, but another key came out of it than the one in the key files",
            "use the key files that `placet ceremony finalize` made of this ceremony",
        ));
    }
    let contributions = transcript.record.contributions.len().saturating_sub(1);
    Ok(vec![
        format!("powers of tau {}, BLAKE2b-512 {hash}", powers.text()),
        "the key's points from powers of tau and this program's circuit".to_owned(),
        format!("{contributions} contributions in their order, and the beacon behind them"),
        "key and transcript name each other".to_owned(),
    ])
}

/// Makes the genesis.
pub fn run(app: &App, arguments: &Arguments) -> Result<Report> {
    let described = describe(&arguments.description)?;
    let shape = placet_circuits::circuit::blank_shape::<Transfer>()
        .map_err(|error| Failure::internal(&error))?;
    let (key, transcript) = keyfiles::unpinned(&arguments.keys, CircuitDigest(shape.digest))?;
    let pin = PinnedCircuit {
        statement: Transfer::NAME.to_owned(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: Some(Sha256Digest(transcript.hash().0)),
    };
    // As every node and wallet will judge it; then what they cannot repeat without the files.
    accept(NetworkKind::Other, &pin, &key, Some(&transcript))
        .map_err(|error| Failure::from_error(Exit::Evidence, "verifying-key", &error))?;
    let checked = vouch(app, &key, &transcript, &arguments.origins)?;
    let genesis = Genesis {
        name: described.name,
        kind: NetworkKind::Other,
        time: described.time.map_or_else(time::now, Ok)?,
        authorities: described.authorities,
        sanctions_publisher: described.sanctions_publisher,
        params: described.params,
        circuits: vec![pin],
    };
    genesis.validate().map_err(|error| Failure::from_error(Exit::Input, "genesis", &error))?;
    let text = serde_json::to_vec_pretty(&genesis).map_err(|error| Failure::internal(&error))?;
    let out = &arguments.out;
    write_atomically(out, &text, Existing::Refuse).map_err(|error| Failure::file(out, &error))?;
    let chain = genesis.chain_id().to_string();
    let (circuit, transcript) = (key.hash().to_string(), transcript.hash().to_string());
    let lines = fields(&[
        ("genesis", out.display().to_string()),
        ("chain", chain.clone()),
        ("authorities", genesis.authorities.len().to_string()),
        ("circuit", circuit.clone()),
        ("transcript", transcript.clone()),
    ]);
    let text = format!(
        "{lines}\nchecked: {}\nevery authority repeats this and compares the chain id",
        checked.join("; ")
    );
    let json = json!({
        "genesis": out.display().to_string(), "chain": chain, "network": genesis.name,
        "authorities": genesis.authorities.len(), "circuit": circuit, "transcript": transcript,
        "checked": checked,
    });
    Ok(Report::new(text, json))
}
