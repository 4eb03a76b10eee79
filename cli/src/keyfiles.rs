//! The keys of the proof system as files: in the directories of networks, and in the user's cache.

use std::path::{Path, PathBuf};

use placet_params::file::{Kind, file_name};
use placet_params::policy::{Vouched, accept};
use placet_params::transcript::{self, Transcript};
use placet_params::{
    CircuitDigest, KeyPolicy, LoadError, Origin, PinMismatch, ProvingKey, VerifyingKey,
};
use placet_protocol::genesis::{Genesis, NetworkKind, PinnedCircuit};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use placet_prover::kernel::Tables;
use placet_prover::kernel::file::{self, Stage};
use placet_setup::{Stage as Making, default_cache_dir, development_keys};

use crate::fail::{Exit, Failure, Result};
use crate::progress::Progress;

/// The development keys, with progress.
pub fn development(progress: Progress) -> Result<(ProvingKey<Transfer>, VerifyingKey<Transfer>)> {
    let failed = |error: placet_setup::CacheError| Failure::from_error(Exit::Input, "keys", &error);
    let working = progress.spinner("loading the proving key");
    let mut show = |stage: Making<'_>| {
        working.says(&match stage {
            Making::Waiting => "waiting for another process that makes the keys".to_owned(),
            Making::Loading => "checking the proving key".to_owned(),
            Making::Damaged { file, cause } => format!("the {file} key is made again: {cause}"),
            Making::Generating { rows } => {
                format!("making development keys for {rows} rows: once, under a minute")
            }
            Making::Saving => "saving the keys".to_owned(),
            Making::Ready => "ready".to_owned(),
        });
    };
    development_keys::<Transfer>(&default_cache_dir().map_err(failed)?, &mut show).map_err(failed)
}

/// Saves both keys under their names in a directory.
pub fn save(
    dir: &Path,
    proving: &ProvingKey<Transfer>,
    verifying: &VerifyingKey<Transfer>,
) -> Result<()> {
    let digest = verifying.circuit();
    let path = dir.join(file_name(&digest, Kind::Proving));
    proving.save(&path).map_err(|error| Failure::file(&path, &error))?;
    let path = dir.join(file_name(&digest, Kind::Verifying));
    verifying.save(&path).map_err(|error| Failure::file(&path, &error))
}

/// Where the verifying key of a network is in its directory.
pub fn verifying_path(dir: &Path, genesis: &Genesis) -> Result<PathBuf> {
    Ok(dir.join(file_name(&digest(genesis)?, Kind::Verifying)))
}

fn pin(genesis: &Genesis) -> Result<&PinnedCircuit> {
    genesis.circuit(Transfer::NAME).ok_or_else(|| {
        Failure::input(
            "genesis",
            "the network pins no verifying key for `transfer`",
            "use the genesis of another network",
        )
    })
}

fn digest(genesis: &Genesis) -> Result<CircuitDigest> {
    Ok(CircuitDigest(pin(genesis)?.circuit_digest.0))
}

/// The verifying key of a ceremony's directory with its transcript, before a network pins them.
pub fn unpinned(
    dir: &Path,
    circuit: CircuitDigest,
) -> Result<(VerifyingKey<Transfer>, Transcript)> {
    let path = dir.join(file_name(&circuit, Kind::Verifying));
    let key = VerifyingKey::load(&path, &circuit, KeyPolicy::Dev)
        .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))?;
    if key.origin() == Origin::Dev {
        let error = LoadError::from(PinMismatch::Development);
        return Err(Failure::from_error(Exit::Input, "verifying-key", &error));
    }
    let transcript = Transcript::load(&path.with_extension(transcript::EXTENSION))
        .map_err(|error| Failure::from_error(Exit::Input, "transcript", &error))?;
    Ok((key, transcript))
}

/// The verifying key of a network from a file, with the transcript that vouches for it.
pub fn verifying_file(path: &Path, genesis: &Genesis) -> Result<Vouched<VerifyingKey<Transfer>>> {
    VerifyingKey::load_pinned(path, genesis.kind, pin(genesis)?)
        .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))
}

/// The verifying key of a network from the first of these directories that has it.
pub fn verifying(places: &[PathBuf], genesis: &Genesis) -> Result<Vouched<VerifyingKey<Transfer>>> {
    let name = file_name(&digest(genesis)?, Kind::Verifying);
    let path = places.iter().map(|dir| dir.join(&name)).find(|path| path.exists());
    match path.or_else(|| places.first().map(|dir| dir.join(&name))) {
        Some(path) => verifying_file(&path, genesis),
        None => Err(missing()),
    }
}

/// The prover of a circuit, if its key is the one of a network of this kind: from the first of
/// these directories that has it, else, on a development network, from the user's cache. A key
/// lies under its circuit's digest or under its id.
pub fn prover(
    places: &[PathBuf],
    kind: NetworkKind,
    circuit: &PinnedCircuit,
    tables: Tables,
    progress: Progress,
) -> Result<Prover<Transfer>> {
    let names = key_names(circuit);
    let paths = places.iter().flat_map(|dir| names.iter().map(|name| dir.join(name)));
    let failed = |error: &LoadError| Failure::from_error(Exit::Input, "proving-key", error);
    let mut refused = None;
    let mut key = None;
    for path in paths.filter(|path| path.exists()) {
        let _working = progress.spinner("loading the proving key");
        match ProvingKey::<Transfer>::load_pinned(&path, kind, circuit) {
            Ok((found, _)) => {
                key = Some(found);
                break;
            }
            // Another key of the same circuit may lie under the other name.
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    let key = match (key, refused) {
        (Some(key), _) => key,
        (None, Some(error)) => return Err(failed(&error)),
        (None, None) if kind == NetworkKind::Dev => {
            let key = development(progress)?.0;
            accept(kind, circuit, key.verifying_key(), None)
                .map_err(|error| failed(&error.into()))?;
            key
        }
        (None, None) => return Err(missing()),
    };
    with_tables(key, tables, progress)
}

/// The prover of a key, with tables from the user's cache. The first time they are built. They are
/// kept by the id of the circuit, so that networks with one key share them.
pub fn with_tables(
    key: ProvingKey<Transfer>,
    tables: Tables,
    progress: Progress,
) -> Result<Prover<Transfer>> {
    let refused = |error: &(dyn std::error::Error + 'static)| {
        Failure::from_error(Exit::Input, "proving-key", error)
    };
    let prover = Prover::new(key).map_err(|error| refused(&error))?;
    let path = tables_path(prover.verifying_key(), tables)?;
    let working = progress.bar("reading the prover's tables");
    let show = |stage: Stage<'_>| match stage {
        Stage::Waiting => working.says("waiting for another process that builds the tables"),
        Stage::Loading => {}
        Stage::Unusable(error) => progress.note(&format!("{}: {error}", path.display())),
        Stage::Building { done, all } => {
            working.says("building the prover's tables, once");
            working.timed(done, all);
        }
        Stage::Saving => working.says("saving the prover's tables"),
        Stage::NotSaved(error) => progress.note(&format!(
            "the prover's tables are used from memory, {} cannot be written: {error}",
            path.display()
        )),
    };
    let kernel = file::ready(&path, prover.key().points(), prover.constraints(), tables, &show)
        .map_err(|error| refused(&error))?;
    prover.with_kernel(kernel).map_err(|error| refused(&error))
}

/// Where the user's tables are.
pub fn tables_dir() -> Result<PathBuf> {
    let cache =
        default_cache_dir().map_err(|error| Failure::from_error(Exit::Input, "tables", &error))?;
    Ok(placet_setup::key_dir(&cache).with_file_name("tables"))
}

/// Where the tables of a key are.
pub fn tables_path(key: &VerifyingKey<Transfer>, tables: Tables) -> Result<PathBuf> {
    Ok(tables_dir()?.join(file::file_name(&key.hash().to_string(), tables)))
}

/// Under which names a circuit's proving key may lie: its digest, as key files are named, and its
/// id, where a network knows two keys of one circuit.
fn key_names(circuit: &PinnedCircuit) -> [String; 2] {
    let digest = CircuitDigest(circuit.circuit_digest.0);
    let by_id = format!("{}.{}", circuit.id(), Kind::Proving.extension());
    [file_name(&digest, Kind::Proving), by_id]
}

fn missing() -> Failure {
    Failure::input(
        "keys",
        "the key files of this network are not here",
        "name their directory: `placet network join --keys DIR`",
    )
}
