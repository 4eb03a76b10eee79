//! Development keys are made once per circuit and user, then read from a cache.
//!
//! `<cache>/placet/keys/<circuit digest>.{pk,vk,lock}`. The lock makes processes that start
//! together wait for one of them. Files are replaced in one step; a damaged one is reported and
//! made again. This module is a named exception to the rule that nothing below the programs
//! touches files and environment.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use placet_circuits::circuit::{Circuit, blank_shape};
use placet_params::file::{Kind, file_name};
use placet_params::{CircuitDigest, KeyPolicy, LoadError, ProvingKey, VerifyingKey};

use crate::generate::{SetupError, SetupSeed, generate};

/// Environment variable that replaces the user's cache directory.
pub const CACHE_VARIABLE: &str = "PLACET_CACHE_DIR";

/// What is going on; for a progress display.
#[derive(Debug)]
pub enum Stage<'a> {
    /// Another process holds the lock, probably because it generates the same keys.
    Waiting,
    /// Cached keys are read and checked.
    Loading,
    /// A cached file cannot be used and will be made again.
    Damaged {
        /// Which one.
        file: Kind,
        /// Why.
        cause: &'a LoadError,
    },
    /// New keys are made; takes seconds to a minute.
    Generating {
        /// Rows of the circuit.
        rows: usize,
    },
    /// New keys are written.
    Saving,
    /// The keys are ready.
    Ready,
}

/// Why there are no development keys.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No home directory, so no cache directory.
    #[error("no cache directory: the user has no home directory; set {CACHE_VARIABLE}")]
    NoHome,
    /// The cache cannot be read or written.
    #[error(
        "the key cache {path} cannot be used: {source}; check its permissions and free space, or set {CACHE_VARIABLE}"
    )]
    Io {
        /// Directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No randomness.
    #[error("no randomness from the operating system: {0}; try again")]
    Randomness(#[from] getrandom::Error),
    /// The keys could not be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// The directory from `PLACET_CACHE_DIR`, or else the user's cache directory.
pub fn default_cache_dir() -> Result<PathBuf, CacheError> {
    if let Some(path) = std::env::var_os(CACHE_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|_| CacheError::NoHome)?;
    Ok(strategy.cache_dir())
}

/// Where keys lie below a cache directory.
pub fn key_dir(cache_dir: &Path) -> PathBuf {
    cache_dir.join("placet").join("keys")
}

/// The development keys of `C`: from the cache, or made now and cached.
pub fn development_keys<C: Circuit>(
    cache_dir: &Path,
    progress: &mut dyn FnMut(Stage<'_>),
) -> Result<(ProvingKey<C>, VerifyingKey<C>), CacheError> {
    let shape = blank_shape::<C>().map_err(SetupError::from)?;
    let circuit = CircuitDigest(shape.digest);
    let dir = key_dir(cache_dir);
    std::fs::create_dir_all(&dir).map_err(at(&dir))?;
    let _lock = lock(&dir.join(format!("{circuit}.lock")), progress)?;

    let proving_path = dir.join(file_name(&circuit, Kind::Proving));
    let verifying_path = dir.join(file_name(&circuit, Kind::Verifying));
    progress(Stage::Loading);
    let cached = usable(ProvingKey::<C>::load(&proving_path, &circuit, KeyPolicy::Dev), |cause| {
        progress(Stage::Damaged { file: Kind::Proving, cause });
    })
    .map_err(at(&proving_path))?;
    let proving = match cached {
        Some(key) => key,
        None => {
            progress(Stage::Generating { rows: shape.rows });
            let key = generate::<C>(SetupSeed::from_os()?)?;
            progress(Stage::Saving);
            key.save(&proving_path).map_err(at(&proving_path))?;
            key
        }
    };
    // The proving key is the truth: after a crash between the two files, or damage to the small
    // one, that is written again from it.
    let cached =
        usable(VerifyingKey::<C>::load(&verifying_path, &circuit, KeyPolicy::Dev), |cause| {
            progress(Stage::Damaged { file: Kind::Verifying, cause });
        })
        .map_err(at(&verifying_path))?;
    let verifying = proving.verifying_key().clone();
    if cached.as_ref() != Some(&verifying) {
        verifying.save(&verifying_path).map_err(at(&verifying_path))?;
    }
    progress(Stage::Ready);
    Ok((proving, verifying))
}

/// A loaded key; `None` if there is none or it is damaged. Only the system's own errors remain:
/// an unreadable directory is not repaired by generating keys.
fn usable<K>(
    loaded: Result<K, LoadError>,
    report: impl FnOnce(&LoadError),
) -> Result<Option<K>, std::io::Error> {
    match loaded {
        Ok(key) => Ok(Some(key)),
        Err(LoadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(LoadError::Io(error)) => Err(error),
        Err(cause) => {
            report(&cause);
            Ok(None)
        }
    }
}

/// Held until dropped; the system releases it if the process dies.
fn lock(path: &Path, progress: &mut dyn FnMut(Stage<'_>)) -> Result<std::fs::File, CacheError> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            progress(Stage::Waiting);
            file.lock().map_err(at(path))?;
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(at(path)(error)),
    }
    Ok(file)
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CacheError + use<> {
    let path = path.to_owned();
    move |source| CacheError::Io { path, source }
}
