//! What an embedded network keeps on disk beside its ledgers: the genesis, and on a development
//! network the authorities' keys in plain.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use placet_params::{Origin, VerifyingKey};
use placet_protocol::genesis::{
    Authority, Checkpoint, Genesis, GenesisError, NetworkKind, NetworkParams, PinnedCircuit,
    Sha256Digest,
};
use placet_protocol::signing::SigningKey;
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Authorities of an embedded network.
pub const AUTHORITIES: usize = 4;

/// Why a network's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading or writing failed.
    #[error("cannot access {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No network there.
    #[error("no network in {0}; create one first")]
    NoNetwork(PathBuf),
    /// A network is there already.
    #[error("{0} holds a network already; choose another directory")]
    Exists(PathBuf),
    /// A genesis that is not JSON of the right shape.
    #[error("{path} is not a genesis: {source}")]
    Genesis {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A genesis that breaks a rule.
    #[error(transparent)]
    Rule(#[from] GenesisError),
    /// A key file that is not 64 hexadecimal digits.
    #[error("{0} is not a signing key: it must hold 64 hexadecimal digits")]
    Key(PathBuf),
    /// No key for an authority of the genesis.
    #[error("no signing key for authority `{0}`; give every authority's key")]
    KeyMissing(String),
    /// Plain keys on a network that is not for development.
    #[error("only a development network keeps keys in plain; give the keys instead")]
    PlainKeys,
}

/// Where the authorities' keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// Plain files beside the ledgers; development networks only.
    Stored,
    /// Given by the caller, in any order.
    Given(Vec<SigningKey>),
}

/// The secrets of a development network.
#[derive(Debug)]
pub struct DevKeys {
    /// In the order of the genesis.
    pub authorities: Vec<SigningKey>,
    /// Signs sanctions lists.
    pub publisher: SigningKey,
}

/// The pin of a verifying key, for a genesis.
pub fn pin(key: &VerifyingKey<Transfer>) -> PinnedCircuit {
    PinnedCircuit {
        statement: Transfer::NAME.to_owned(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: match key.origin() {
            Origin::Dev => None,
            Origin::Ceremony { transcript } => Some(Sha256Digest(transcript.0)),
        },
    }
}

/// A development network of four authorities, every mandate held by at least two of them. All keys
/// grow from `seed`: 32 random bytes.
pub fn dev_network(
    name: &str,
    time: u64,
    params: NetworkParams,
    circuits: Vec<PinnedCircuit>,
    seed: &[u8; 32],
) -> Result<(Genesis, DevKeys), GenesisError> {
    use Checkpoint as C;
    let derive = |label: &str| {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.dev-key.v1");
        hasher.update(seed);
        hasher.update(label);
        SigningKey::from_seed(&hasher.finalize().into())
    };
    let mandates: [&[C]; AUTHORITIES] = [
        &[C::Identity, C::Sanctions, C::Ownership],
        &[C::Identity, C::Jurisdiction, C::Accreditation, C::Ownership],
        &[C::Sanctions, C::Capital, C::Risk, C::Ownership],
        &[C::Jurisdiction, C::Accreditation, C::Capital, C::Risk],
    ];
    let keys: Vec<_> = (0..AUTHORITIES).map(|i| derive(&format!("authority-{i}"))).collect();
    let publisher = derive("sanctions-publisher");
    let authorities = keys
        .iter()
        .zip(mandates)
        .enumerate()
        .map(|(i, (key, mandates))| Authority {
            name: format!("authority-{i}"),
            lei: None,
            key: key.public(),
            mandates: mandates.iter().copied().collect(),
        })
        .collect();
    let genesis = Genesis {
        name: name.to_owned(),
        kind: NetworkKind::Dev,
        time,
        authorities,
        sanctions_publisher: publisher.public(),
        params,
        circuits,
    };
    genesis.validate()?;
    Ok((genesis, DevKeys { authorities: keys, publisher }))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { path, source }
}

fn genesis_path(dir: &Path) -> PathBuf {
    dir.join("genesis.json")
}

/// Directory of one authority.
pub(crate) fn authority_dir(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("authority-{index}"))
}

fn key_path(dir: &Path, index: usize) -> PathBuf {
    authority_dir(dir, index).join("signing.key")
}

fn publisher_path(dir: &Path) -> PathBuf {
    dir.join("sanctions-publisher.key")
}

/// Writes a file in one step, readable by its owner only, and makes that durable. A file that is
/// there is replaced only on demand.
fn write_atomically(path: &Path, content: &[u8], replace: bool) -> Result<(), FileError> {
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io(path))?;
    file.write_all(content).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    let written = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    written.map_err(|error| io(path)(error.error))?;
    // The rename is durable only once the directory is.
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))
}

/// Writes a new network. The genesis comes last: a directory without one holds no network.
///
/// # Errors
/// [`FileError::Exists`] if a network is there already; [`FileError::PlainKeys`] if plain keys are
/// given for a network that is not for development.
pub fn write_network(
    dir: &Path,
    genesis: &Genesis,
    keys: Option<&DevKeys>,
) -> Result<(), FileError> {
    genesis.validate()?;
    if genesis_path(dir).exists() {
        return Err(FileError::Exists(dir.to_owned()));
    }
    if keys.is_some() && genesis.kind != NetworkKind::Dev {
        return Err(FileError::PlainKeys);
    }
    for index in 0..genesis.authorities.len() {
        let own = authority_dir(dir, index);
        std::fs::create_dir_all(&own).map_err(io(&own))?;
    }
    if let Some(keys) = keys {
        let write = |path: &Path, key: &SigningKey| {
            let text = Zeroizing::new(hex::encode(*key.to_seed()));
            write_atomically(path, text.as_bytes(), true)
        };
        for (index, key) in keys.authorities.iter().enumerate() {
            write(&key_path(dir, index), key)?;
        }
        write(&publisher_path(dir), &keys.publisher)?;
    }
    let json = serde_json::to_vec_pretty(genesis)
        .map_err(|source| FileError::Genesis { path: genesis_path(dir), source })?;
    // Somebody else may have created a network here meanwhile.
    write_atomically(&genesis_path(dir), &json, false).map_err(|error| match error {
        FileError::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            FileError::Exists(dir.to_owned())
        }
        error => error,
    })
}

/// Reads and checks a network's genesis.
///
/// # Errors
/// [`FileError::NoNetwork`] if there is none.
pub fn read_genesis(dir: &Path) -> Result<Genesis, FileError> {
    let path = genesis_path(dir);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(FileError::NoNetwork(dir.to_owned()));
        }
        Err(error) => return Err(io(&path)(error)),
    };
    let genesis: Genesis =
        serde_json::from_slice(&text).map_err(|source| FileError::Genesis { path, source })?;
    genesis.validate()?;
    Ok(genesis)
}

fn read_key(path: &Path) -> Result<SigningKey, FileError> {
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io(path))?);
    let mut seed = Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut())
        .map_err(|_| FileError::Key(path.to_owned()))?;
    Ok(SigningKey::from_seed(&seed))
}

/// The key that signs sanctions lists on a development network.
///
/// # Errors
/// [`FileError::PlainKeys`] on another network, [`FileError::Io`] if it is not stored here.
pub fn read_publisher(dir: &Path, genesis: &Genesis) -> Result<SigningKey, FileError> {
    if genesis.kind != NetworkKind::Dev {
        return Err(FileError::PlainKeys);
    }
    read_key(&publisher_path(dir))
}

/// The keys of a development network's authorities, in the order of the genesis.
///
/// # Errors
/// [`FileError::PlainKeys`] on another network, [`FileError::Io`] if one is not stored here.
pub fn stored_keys(dir: &Path, genesis: &Genesis) -> Result<Vec<SigningKey>, FileError> {
    authority_keys(dir, genesis, KeySource::Stored)
}

/// The authorities' keys in the order of the genesis.
pub(crate) fn authority_keys(
    dir: &Path,
    genesis: &Genesis,
    source: KeySource,
) -> Result<Vec<SigningKey>, FileError> {
    let keys = match source {
        KeySource::Given(keys) => keys,
        KeySource::Stored if genesis.kind != NetworkKind::Dev => return Err(FileError::PlainKeys),
        KeySource::Stored => (0..genesis.authorities.len())
            .map(|index| read_key(&key_path(dir, index)))
            .collect::<Result<_, _>>()?,
    };
    let of = |authority: &Authority| {
        let key = keys.iter().find(|key| key.public() == authority.key).cloned();
        key.ok_or_else(|| FileError::KeyMissing(authority.name.clone()))
    };
    genesis.authorities.iter().map(of).collect()
}
