//! What the commands of both phases share: opening and writing files, the powers of tau and
//! whether they are known, entropy, progress.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Args;
use placet_params::transcript::PtauHash;
use placet_setup::ceremony::finalize::PtauFile;
use placet_setup::ceremony::phase1::CheckError;
use placet_setup::ceremony::{Beacon, Entropy, Stage, Step, phase1};
use placet_snarkjs::ptau::{self, Ptau, published_name};
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::Zkey;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::progress::{Progress, Task};

/// Longest entropy file, in bytes.
const MAX_ENTROPY: u64 = 1 << 20;

/// The powers of tau of a command.
#[derive(Args)]
pub struct PtauOptions {
    /// The .ptau file, prepared for phase 2
    #[arg(long, value_name = "FILE")]
    pub ptau: PathBuf,
    /// Take a file that is not one of the public ceremony's; it is checked in full, and whether
    /// somebody knows its tau is yours to judge
    #[arg(long)]
    pub accept_unknown_ptau: bool,
}

/// What a participant adds to the machine's randomness.
#[derive(Args)]
pub struct EntropyOptions {
    /// Add the bytes of this file to the machine's randomness instead of asking for a text
    #[arg(long, value_name = "FILE")]
    pub entropy_file: Option<PathBuf>,
}

/// A public random value.
#[derive(Args)]
pub struct BeaconOptions {
    /// The beacon's value in hexadecimal, 1 to 255 bytes: announced before, known to nobody then
    #[arg(long, value_name = "HEX")]
    pub value: String,
    /// The value is hashed 2^N times, 10 to 24
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub iterations_exp: u8,
    /// A label, for instance where the value comes from
    #[arg(long, default_value = "beacon")]
    pub name: String,
}

impl EntropyOptions {
    /// Reads the file or asks, and mixes with the operating system's randomness.
    pub fn gather(&self) -> Result<Entropy> {
        let added = match &self.entropy_file {
            Some(path) => {
                let mut bytes = Zeroizing::new(Vec::new());
                let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
                file.take(MAX_ENTROPY + 1)
                    .read_to_end(&mut bytes)
                    .map_err(|error| Failure::file(path, &error))?;
                if bytes.is_empty() || bytes.len() as u64 > MAX_ENTROPY {
                    return Err(Failure::input(
                        "entropy",
                        format!("{} is empty or larger than 1 MiB", path.display()),
                        "put some dice rolls, a photo or a text there",
                    ));
                }
                bytes
            }
            None => {
                let typed = rpassword::prompt_password("Type some random text (not shown): ")
                    .map(Zeroizing::new)
                    .map_err(|error| {
                        Failure::input(
                            "no-terminal",
                            format!("no terminal to ask for random text: {error}"),
                            "pass it in a file: --entropy-file FILE",
                        )
                    })?;
                if typed.is_empty() {
                    return Err(Failure::input(
                        "entropy",
                        "no text was typed",
                        "run the command again and hit some keys",
                    ));
                }
                Zeroizing::new(typed.as_bytes().to_vec())
            }
        };
        Ok(Entropy::from_os(&added)?)
    }
}

impl BeaconOptions {
    /// The beacon.
    pub fn beacon(&self) -> Result<Beacon> {
        let value = hex::decode(&self.value).map_err(|error| {
            Failure::new(
                Exit::Usage,
                "usage",
                format!("the beacon's value is not hexadecimal: {error}"),
                "write two digits for each byte, without 0x",
            )
        })?;
        Beacon::new(value, self.iterations_exp).map_err(|error| refused(&error))
    }
}

/// Powers of tau that were judged.
pub struct KnownPtau {
    /// The open file.
    pub file: PtauFile,
    /// Its hash.
    pub hash: PtauHash,
    path: PathBuf,
    /// The same open file, to hash it again.
    handle: File,
    length: u64,
    published: Option<String>,
}

impl KnownPtau {
    /// Hashes the same open file again behind the work that was done with it: what was read is
    /// what was judged.
    pub fn is_unchanged(&mut self, show: &Show) -> Result<()> {
        let failed = |error: std::io::Error| Failure::file(&self.path, &error);
        self.handle.rewind().map_err(failed)?;
        let hash = ptau::hash(&self.handle, &mut |done| {
            show.step(Step { stage: Stage::HashPtau, done, of: self.length });
        })
        .map_err(failed)?;
        if hash == self.hash {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Evidence,
            "ptau-changed",
            format!("{} changed while it was being used", self.path.display()),
            "keep the file where nobody else writes, and run the command again",
        ))
    }

    /// One line for people.
    pub fn text(&self) -> String {
        match &self.published {
            Some(name) => format!("2^{}, the public {name}", self.file.power()),
            None => format!("2^{}, not a published file; checked in full", self.file.power()),
        }
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        json!({
            "power": self.file.power(),
            "blake2b": self.hash.to_string(),
            "published": self.published,
        })
    }
}

impl PtauOptions {
    /// Hashes the file; one that is not published is refused, or checked if that is accepted.
    pub fn open(&self, show: &Show) -> Result<KnownPtau> {
        let path = &self.ptau;
        let mut input = File::open(path).map_err(|error| Failure::file(path, &error))?;
        let length = input.metadata().map_err(|error| Failure::file(path, &error))?.len();
        let hash = ptau::hash(&input, &mut |done| {
            show.step(Step { stage: Stage::HashPtau, done, of: length });
        })
        .map_err(|error| Failure::file(path, &error))?;
        // The file that was hashed, not whatever has its name by now.
        input.rewind().map_err(|error| Failure::file(path, &error))?;
        let handle = input.try_clone().map_err(|error| Failure::file(path, &error))?;
        let mut file = Ptau::open(BufReader::new(input)).map_err(|error| at(path, &error))?;
        let published = published_name(&hash).map(|name| name.to_string());
        if published.is_none() {
            if !self.accept_unknown_ptau {
                return Err(Failure::input(
                    "unknown-ptau",
                    format!(
                        "{} is not a file of the public ceremony (BLAKE2b-512 {hash})",
                        path.display()
                    ),
                    "take the published file of this size, or say --accept-unknown-ptau if you know who made this one",
                ));
            }
            phase1::check(&mut file, &|step| show.step(step)).map_err(|error| at(path, &error))?;
        }
        Ok(KnownPtau { file, hash, path: path.clone(), handle, length, published })
    }
}

/// Opens powers of tau.
pub fn open_ptau(path: &Path) -> Result<PtauFile> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    Ptau::open(BufReader::new(file)).map_err(|error| at(path, &error))
}

/// Checks powers of tau in full.
pub fn check_ptau(path: &Path, show: &Show) -> Result<PtauFile> {
    let mut file = open_ptau(path)?;
    phase1::check(&mut file, &|step| show.step(step)).map_err(|error: CheckError| {
        Failure::from_error(Exit::Evidence, "ptau", &error).with(&path.display().to_string())
    })?;
    Ok(file)
}

/// Reads a key.
pub fn open_key(path: &Path) -> Result<Zkey> {
    Zkey::load(path).map_err(|error| at(path, &error))
}

/// Reads constraints.
pub fn open_r1cs(path: &Path) -> Result<R1cs> {
    R1cs::load(path).map_err(|error| at(path, &error))
}

/// Writes a key where nothing is yet.
pub fn save_key(key: &Zkey, path: &Path) -> Result<()> {
    must_be_free(path)?;
    key.save(path).map_err(|error| Failure::file(path, &error))
}

/// Refuses to overwrite: a file that was handed on must not change.
pub fn must_be_free(path: &Path) -> Result<()> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::input(
            "exists",
            format!("{} is there already", path.display()),
            "choose another name: files of a ceremony are never overwritten",
        )),
        Err(error) => Err(Failure::file(path, &error)),
    }
}

/// Writes a file beside its place and moves it there in one step.
pub fn write_new<T>(
    path: &Path,
    write: impl FnOnce(BufWriter<&File>) -> Result<(BufWriter<&File>, T)>,
) -> Result<T> {
    must_be_free(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let at = |error: std::io::Error| Failure::file(path, &error);
    let file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(at)?;
    let (mut out, value) = write(BufWriter::with_capacity(1 << 20, file.as_file()))?;
    out.flush().map_err(at)?;
    drop(out);
    file.as_file().sync_all().map_err(at)?;
    file.persist_noclobber(path).map_err(|error| at(error.error))?;
    Ok(value)
}

/// A file that cannot be used, with its name.
pub fn at(path: &Path, error: &(dyn Error + 'static)) -> Failure {
    Failure::from_error(Exit::Input, "file", error).with(&path.display().to_string())
}

/// A command that cannot be done with what was given.
pub fn refused(error: &(dyn Error + 'static)) -> Failure {
    Failure::from_error(Exit::Input, "ceremony", error)
}

/// What was to be verified does not hold.
pub fn does_not_hold(error: &(dyn Error + 'static)) -> Failure {
    Failure::from_error(Exit::Evidence, "ceremony", error)
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The length of a file, for reports.
pub fn length(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?.len())
}

/// Progress of a command, stage by stage, with the time that is left.
pub struct Show {
    task: Task,
    stage: Mutex<Option<Stage>>,
}

impl Show {
    /// For one command.
    pub fn new(app: &App) -> Self {
        Self::of(app.progress)
    }

    fn of(progress: Progress) -> Self {
        Self { task: progress.bar(""), stage: Mutex::new(None) }
    }

    /// One step of a library's work, from any thread.
    pub fn step(&self, step: Step) {
        let mut stage = self.stage.lock().expect("nothing panics while it is held");
        if *stage != Some(step.stage) {
            *stage = Some(step.stage);
            self.task.restarts(text(step.stage));
        }
        self.task.timed(step.done, step.of);
    }
}

fn text(stage: Stage) -> &'static str {
    match stage {
        Stage::HashPtau => "hashing the powers of tau",
        Stage::ReadPtau => "reading the powers of tau",
        Stage::Points => "deriving the initial key",
        Stage::HashKey => "hashing the initial key",
        Stage::Apply => "applying the contribution",
        Stage::Chain => "following the contributions",
        Stage::Compare => "comparing",
        Stage::CheckPowers => "checking the powers of tau",
        Stage::Lagrange => "Lagrange values",
        Stage::Write => "writing",
    }
}
