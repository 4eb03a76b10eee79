//! The keys of the proof system as files: in the directories of networks, and in the user's cache.

use std::path::{Path, PathBuf};

use placet_params::file::{Kind, file_name};
use placet_params::{CircuitDigest, KeyPolicy, Manifest, ProvingKey, VerifyingKey};
use placet_protocol::genesis::{Genesis, NetworkKind, PinnedCircuit};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use placet_setup::{Stage, default_cache_dir, development_keys};

use crate::fail::{Exit, Failure, Result};
use crate::progress::Progress;

/// A ceremony's manifest, beside the keys that it describes.
const MANIFEST: &str = "manifest.json";

/// The development keys, with progress.
pub fn development(progress: Progress) -> Result<(ProvingKey<Transfer>, VerifyingKey<Transfer>)> {
    let failed = |error: placet_setup::CacheError| Failure::from_error(Exit::Input, "keys", &error);
    let working = progress.spinner("loading the proving key");
    let mut show = |stage: Stage<'_>| {
        working.says(&match stage {
            Stage::Waiting => "waiting for another process that makes the keys".to_owned(),
            Stage::Loading => "checking the proving key".to_owned(),
            Stage::Damaged { file, cause } => format!("the {file} key is made again: {cause}"),
            Stage::Generating { rows } => {
                format!("making development keys for {rows} rows: once, under a minute")
            }
            Stage::Saving => "saving the keys".to_owned(),
            Stage::Ready => "ready".to_owned(),
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

/// Refuses a key that is not the one of the genesis.
fn pinned(key: &VerifyingKey<Transfer>, genesis: &Genesis) -> Result<()> {
    match key.hash().0 == pin(genesis)?.verifying_key.0 {
        true => Ok(()),
        false => Err(Failure::input(
            "verifying-key",
            "the key file holds another key than the one that the genesis pins",
            "get the key files from whoever published the genesis",
        )),
    }
}

/// Loads with the policy of the network: a development key only where they are allowed.
fn with_policy<T>(
    dir: &Path,
    genesis: &Genesis,
    load: impl FnOnce(KeyPolicy<'_>) -> Result<T>,
) -> Result<T> {
    if genesis.kind == NetworkKind::Dev {
        return load(KeyPolicy::Dev);
    }
    let path = dir.join(MANIFEST);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
    let failed = |error| Failure::from_error(Exit::Input, "manifest", &error);
    let manifest = Manifest::from_json(&text, placet_params::NetworkKind::Other).map_err(failed)?;
    load(KeyPolicy::Pinned(manifest.entry::<Transfer>().map_err(failed)?))
}

/// The verifying key of a network from a file.
pub fn verifying_file(path: &Path, genesis: &Genesis) -> Result<VerifyingKey<Transfer>> {
    let digest = digest(genesis)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let key = with_policy(dir, genesis, |policy| {
        VerifyingKey::load(path, &digest, policy)
            .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))
    })?;
    pinned(&key, genesis)?;
    Ok(key)
}

/// The verifying key of a network from the first of these directories that has it.
pub fn verifying(places: &[PathBuf], genesis: &Genesis) -> Result<VerifyingKey<Transfer>> {
    let name = file_name(&digest(genesis)?, Kind::Verifying);
    let path = places.iter().map(|dir| dir.join(&name)).find(|path| path.exists());
    match path.or_else(|| places.first().map(|dir| dir.join(&name))) {
        Some(path) => verifying_file(&path, genesis),
        None => Err(missing()),
    }
}

/// The prover of a network: its key from the first of these directories that has it, else, on a
/// development network, from the user's cache.
pub fn prover(
    places: &[PathBuf],
    genesis: &Genesis,
    progress: Progress,
) -> Result<Prover<Transfer>> {
    let digest = digest(genesis)?;
    let name = file_name(&digest, Kind::Proving);
    let key = match places.iter().find(|dir| dir.join(&name).exists()) {
        Some(dir) => {
            let _working = progress.spinner("loading the proving key");
            with_policy(dir, genesis, |policy| {
                ProvingKey::<Transfer>::load(&dir.join(&name), &digest, policy)
                    .map_err(|error| Failure::from_error(Exit::Input, "proving-key", &error))
            })?
        }
        None if genesis.kind == NetworkKind::Dev => development(progress)?.0,
        None => return Err(missing()),
    };
    pinned(key.verifying_key(), genesis)?;
    Prover::new(key).map_err(|error| Failure::from_error(Exit::Input, "proving-key", &error))
}

fn missing() -> Failure {
    Failure::input(
        "keys",
        "the key files of this network are not here",
        "name their directory: `placet network join --keys DIR`",
    )
}
