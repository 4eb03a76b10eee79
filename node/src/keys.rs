//! An authority's key on disk: PKCS#8, encrypted with a passphrase, in PEM, as other tools read and
//! write it. Development networks also take 64 hexadecimal digits in plain.
//!
//! A key is never used by two processes: each could sign what contradicts the other, and both
//! signatures would be the authority's. The process that uses a key holds a lock beside it.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::spki::{AlgorithmIdentifier, ObjectIdentifier};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use placet_protocol::genesis::NetworkKind;
use placet_protocol::signing::SigningKey;
use zeroize::Zeroizing;

/// Ed25519, RFC 8410.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// What stands before the seed in a key of RFC 8410: an octet string of 32 bytes.
const SEED_HEADER: [u8; 2] = [0x04, 0x20];
/// Label of an encrypted key in PEM.
const LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// Fewest characters of a passphrase.
pub const MIN_PASSPHRASE: usize = 12;
/// Longest key file, in bytes.
const MAX_FILE: usize = 16 * 1024;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading or writing failed.
    #[error("cannot access {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no key.
    #[error("{0} is no encrypted Ed25519 key in PEM; make one with `placet node init`")]
    Format(PathBuf),
    /// A passphrase that does not open it.
    #[error("the passphrase does not open {0}; give the one with which it was made")]
    Passphrase(PathBuf),
    /// A passphrase that protects nothing.
    #[error("the passphrase is shorter than {MIN_PASSPHRASE} characters; choose a longer one")]
    Weak,
    /// A key in plain on a network that matters.
    #[error(
        "{0} holds a key in plain; only a development network takes one, make an encrypted key \
         with `placet node init`"
    )]
    Plain(PathBuf),
    /// Others may read it.
    #[error("other users may read {0}; take that right away (chmod 600)")]
    Exposed(PathBuf),
    /// Another process uses it.
    #[error(
        "the key {0} is in use by another process; two nodes with one key would contradict each \
         other, stop the other first"
    )]
    InUse(PathBuf),
    /// The key could not be encrypted.
    #[error("the key could not be encrypted; try again")]
    Encrypt,
    /// No randomness.
    #[error("no randomness from the operating system; try again")]
    Randomness,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, source }
}

/// A new random key.
///
/// # Errors
/// [`KeyError::Randomness`].
pub fn generate() -> Result<SigningKey, KeyError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyError::Randomness)?;
    Ok(SigningKey::from_seed(&seed))
}

/// The key in encrypted PEM.
fn encrypt(key: &SigningKey, passphrase: &str) -> Result<Zeroizing<String>, KeyError> {
    if passphrase.chars().count() < MIN_PASSPHRASE {
        return Err(KeyError::Weak);
    }
    let seed = key.to_seed();
    let mut private = Zeroizing::new(SEED_HEADER.to_vec());
    private.extend_from_slice(&*seed);
    let algorithm = AlgorithmIdentifier { oid: ED25519, parameters: None };
    let octets = OctetStringRef::new(&private).map_err(|_| KeyError::Encrypt)?;
    let info = PrivateKeyInfoRef::new(algorithm, octets);
    let document = info.encrypt(passphrase).map_err(|_| KeyError::Encrypt)?;
    document.to_pem(LABEL, LineEnding::LF).map_err(|_| KeyError::Encrypt)
}

/// Opens encrypted PEM.
fn decrypt(pem: &str, passphrase: &str, path: &Path) -> Result<SigningKey, KeyError> {
    let format = || KeyError::Format(path.to_owned());
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| format())?;
    if label != LABEL {
        return Err(format());
    }
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| format())?;
    let opened = sealed.decrypt(passphrase).map_err(|_| KeyError::Passphrase(path.to_owned()))?;
    let info = PrivateKeyInfoRef::try_from(opened.as_bytes())
        .map_err(|_| KeyError::Passphrase(path.to_owned()))?;
    let seed = info
        .private_key
        .as_bytes()
        .strip_prefix(&SEED_HEADER)
        .filter(|_| info.algorithm.oid == ED25519);
    let seed: &[u8; 32] = seed.and_then(|seed| seed.try_into().ok()).ok_or_else(format)?;
    Ok(SigningKey::from_seed(seed))
}

/// Writes a key, encrypted, readable by its owner only. A file that is there is kept, unless it is
/// to be replaced.
///
/// # Errors
/// [`KeyError`]; [`KeyError::Io`] with `AlreadyExists` for a file that is there.
pub fn save(
    path: &Path,
    key: &SigningKey,
    passphrase: &str,
    replace: bool,
) -> Result<(), KeyError> {
    write(path, &encrypt(key, passphrase)?, replace)
}

/// Writes a key in plain, for development networks.
///
/// # Errors
/// [`KeyError::Io`].
pub fn save_plain(path: &Path, key: &SigningKey) -> Result<(), KeyError> {
    write(path, &Zeroizing::new(hex::encode(*key.to_seed())), false)
}

fn write(path: &Path, text: &str, replace: bool) -> Result<(), KeyError> {
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Such files are made with mode 600.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io(path))?;
    file.write_all(text.as_bytes()).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    let written = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    written.map_err(|error| io(path)(error.error))?;
    // The rename is durable only once the directory is.
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))
}

/// Loads a key. `passphrase` is asked only for an encrypted one.
///
/// # Errors
/// [`KeyError`], or what `passphrase` returns.
pub fn load<E: From<KeyError>>(
    path: &Path,
    kind: NetworkKind,
    passphrase: impl FnOnce() -> Result<Zeroizing<String>, E>,
) -> Result<SigningKey, E> {
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io(path))?);
    if text.len() > MAX_FILE {
        return Err(KeyError::Format(path.to_owned()).into());
    }
    exposed(path)?;
    let mut seed = Zeroizing::new([0u8; 32]);
    if hex::decode_to_slice(text.trim(), seed.as_mut_slice()).is_ok() {
        if kind != NetworkKind::Dev {
            return Err(KeyError::Plain(path.to_owned()).into());
        }
        return Ok(SigningKey::from_seed(&seed));
    }
    if !text.contains(LABEL) {
        return Err(KeyError::Format(path.to_owned()).into());
    }
    let passphrase = passphrase()?;
    Ok(decrypt(&text, &passphrase, path)?)
}

/// Refuses a file that others may read.
pub(crate) fn exposed(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_err(io(path))?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed(path.to_owned())) }
}

/// Holds a key for this process alone until it is dropped.
#[derive(Debug)]
pub struct KeyLock(#[allow(dead_code)] File);

impl KeyLock {
    /// Takes the lock beside the key.
    ///
    /// # Errors
    /// [`KeyError::InUse`] if another process holds it.
    pub fn take(key: &Path) -> Result<Self, KeyError> {
        let mut path = key.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(KeyError::InUse(key.to_owned())),
            Err(TryLockError::Error(error)) => Err(io(&path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "correct horse battery";

    fn open(path: &Path, kind: NetworkKind, passphrase: &str) -> Result<SigningKey, KeyError> {
        load(path, kind, || Ok(Zeroizing::new(passphrase.to_owned())))
    }

    #[test]
    fn a_key_comes_back_with_its_passphrase_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("authority.key");
        let key = generate().unwrap();
        save(&path, &key, PASSPHRASE, false).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        assert!(!text.contains(&hex::encode(*key.to_seed())));
        for kind in [NetworkKind::Dev, NetworkKind::Other] {
            assert_eq!(open(&path, kind, PASSPHRASE).unwrap().public(), key.public());
        }
        let error = open(&path, NetworkKind::Other, "correct horse batterz").unwrap_err();
        assert!(matches!(error, KeyError::Passphrase(_)), "{error}");
        // A key is never overwritten by accident.
        assert!(save(&path, &generate().unwrap(), PASSPHRASE, false).is_err());
        save(&path, &key, "another long passphrase", true).unwrap();
        assert!(open(&path, NetworkKind::Other, PASSPHRASE).is_err());
        assert!(matches!(save(&path, &key, "short", true), Err(KeyError::Weak)));
    }

    #[test]
    fn plain_keys_open_on_development_networks_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("authority.key");
        let key = generate().unwrap();
        save_plain(&path, &key).unwrap();
        assert_eq!(open(&path, NetworkKind::Dev, "").unwrap().public(), key.public());
        let error = open(&path, NetworkKind::Other, "").unwrap_err();
        assert!(matches!(error, KeyError::Plain(_)), "{error}");
    }

    #[test]
    fn files_that_are_no_keys_or_open_to_others_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("authority.key");
        save(&path, &generate().unwrap(), PASSPHRASE, false).unwrap();
        let pem = std::fs::read_to_string(&path).unwrap();
        let readable = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, readable).unwrap();
        let error = open(&path, NetworkKind::Other, PASSPHRASE).unwrap_err();
        assert!(matches!(error, KeyError::Exposed(_)), "{error}");
        let short = pem.lines().take(3).collect::<Vec<_>>().join("\n");
        for text in ["", "zz", "not a key", &short, &"a".repeat(64)[..63]] {
            write(&path, text, true).unwrap();
            let error = open(&path, NetworkKind::Other, PASSPHRASE).unwrap_err();
            assert!(matches!(error, KeyError::Format(_)), "{error}");
        }
    }

    #[test]
    fn a_key_is_used_by_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("authority.key");
        let lock = KeyLock::take(&path).unwrap();
        assert!(matches!(KeyLock::take(&path), Err(KeyError::InUse(_))));
        drop(lock);
        KeyLock::take(&path).unwrap();
    }
}
