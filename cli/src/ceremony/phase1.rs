//! `placet ceremony phase1`: powers of tau in snarkjs's format.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_setup::ceremony::phase1::{self, MakeError, make::Source};
use placet_snarkjs::ptau::record::Phase1Kind;
use serde_json::json;

use super::files::{
    BeaconOptions, EntropyOptions, Show, check_ptau, length, open_ptau, refused, size, write_new,
};
use crate::app::App;
use crate::fail::Result;
use crate::output::{Report, fields};

/// Commands of phase 1.
#[derive(Subcommand)]
pub enum Command {
    /// Start: powers of one, which the first contributor makes powers of something else
    New {
        /// For circuits of up to 2^N rows; the transfer needs 16
        #[arg(long, value_name = "N")]
        power: u8,
        /// The file to write
        out: PathBuf,
    },
    /// Add your own secret numbers; nobody sees them, and they are forgotten
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
    /// Close with a public random value
    Beacon {
        /// The file of the last contributor
        input: PathBuf,
        /// The file to write
        out: PathBuf,
        #[command(flatten)]
        beacon: BeaconOptions,
    },
    /// Compute the Lagrange values that phase 2 starts from; needs no secret
    Prepare {
        /// A file that somebody contributed to
        input: PathBuf,
        /// The file to write
        out: PathBuf,
    },
    /// Check any .ptau file: powers, contributions and Lagrange values
    Verify {
        /// The file
        file: PathBuf,
    },
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    let show = Show::new(app);
    match command {
        Command::New { power, out } => new(*power, out),
        Command::Contribute { input, out, name, entropy } => {
            contribute(input, out, name, || Ok(Source::Participant(entropy.gather()?)), &show)
        }
        Command::Beacon { input, out, beacon } => {
            contribute(input, out, &beacon.name, || Ok(Source::Beacon(beacon.beacon()?)), &show)
        }
        Command::Prepare { input, out } => prepare(input, out, &show),
        Command::Verify { file } => verify(file, &show),
    }
}

fn failed(error: MakeError) -> crate::fail::Failure {
    refused(&error)
}

fn new(power: u8, out: &Path) -> Result<Report> {
    write_new(out, |file| Ok((phase1::fresh(power, file).map_err(failed)?, ())))?;
    let length = length(out)?;
    let text = format!(
        "{}: powers of one for 2^{power} rows, {}; hand it to the first contributor",
        out.display(),
        size(length)
    );
    Ok(Report::new(text, json!({ "file": out, "power": power, "bytes": length })))
}

fn contribute(
    input: &Path,
    out: &Path,
    name: &str,
    source: impl FnOnce() -> Result<Source>,
    show: &Show,
) -> Result<Report> {
    super::files::must_be_free(out)?;
    let mut ptau = open_ptau(input)?;
    let source = source()?;
    let hash = write_new(out, |file| {
        phase1::contribute(&mut ptau, file, name, &source, &|step| show.step(step)).map_err(failed)
    })?;
    let hash = hex::encode(hash);
    let text = fields(&[
        ("file", format!("{} ({})", out.display(), size(length(out)?))),
        ("contribution", hash.clone()),
    ]);
    let text = format!("{text}\n\nPublish the contribution's hash, and hand the file on.");
    Ok(Report::new(text, json!({ "file": out, "contribution_hash": hash })))
}

fn prepare(input: &Path, out: &Path, show: &Show) -> Result<Report> {
    let mut ptau = open_ptau(input)?;
    write_new(out, |file| {
        Ok((phase1::prepare(&mut ptau, file, &|step| show.step(step)).map_err(failed)?, ()))
    })?;
    let length = length(out)?;
    let text =
        format!("{}: 2^{}, ready for phase 2, {}", out.display(), ptau.power(), size(length));
    Ok(Report::new(text, json!({ "file": out, "power": ptau.power(), "bytes": length })))
}

fn verify(file: &Path, show: &Show) -> Result<Report> {
    let mut ptau = check_ptau(file, show)?;
    let contributions = ptau.contributions().map_err(|error| refused(&error))?;
    let prepared = ptau.is_prepared();
    let mut text = format!(
        "{}: powers of one tau for 2^{} rows, {}",
        file.display(),
        ptau.power(),
        if prepared { "with Lagrange values" } else { "not yet prepared for phase 2" },
    );
    let mut list = Vec::new();
    for (number, one) in (1..).zip(&contributions) {
        let hash = hex::encode(one.response_hash());
        let mut json = json!({ "name": one.name, "hash": hash, "kind": "participant" });
        let mut kind = String::new();
        if let Phase1Kind::Beacon { hash, iterations_exp } = &one.kind {
            let value = hex::encode(hash);
            kind = format!(" (beacon {value}, hashed 2^{iterations_exp} times)");
            json["kind"] = "beacon".into();
            json["beacon"] = json!({ "value": value, "iterations_exp": iterations_exp });
        }
        text += &format!("\n{number}. {}{kind}\n   {hash}", one.name);
        list.push(json);
    }
    let json = json!({
        "file": file,
        "power": ptau.power(),
        "prepared": prepared,
        "contributions": list,
    });
    Ok(Report::new(text, json))
}
