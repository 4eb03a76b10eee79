//! The encrypted file that holds one role's keys.
//!
//! Layout, all little-endian: magic 8, version 1, role 1, Argon2id memory (KiB) 4, passes 4,
//! lanes 4, salt 16, nonce 24, ciphertext, SHA-256 of everything before it. The header is
//! authenticated with the ciphertext. The checksum is not a protection: it tells a damaged file
//! from a wrong passphrase, so that nobody hunts for a passphrase that was right.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use placet_protocol::tags::FederationKey;
use placet_protocol::wire::{DecodeError, Reader, Writer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::files::{Existing, write_atomically};
use crate::seed::{ENTROPY_BYTES, Phrase};

const MAGIC: &[u8; 8] = b"PLACETKS";
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 32;
const HEADER_BYTES: usize = 8 + 1 + 1 + 3 * 4 + SALT_BYTES + NONCE_BYTES;
/// No keystore is longer; a larger file is refused unread.
const MAX_FILE_BYTES: u64 = 4096;

/// Bytes of randomness that writing a keystore takes: salt and nonce.
pub const RANDOM_BYTES: usize = SALT_BYTES + NONCE_BYTES;

/// Why a keystore was not opened or written.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The file system refused.
    #[error("the keystore file cannot be read or written")]
    File(#[from] std::io::Error),
    /// There is a keystore already.
    #[error(
        "there is a keystore in this place already: choose another name, or move it away first"
    )]
    Exists,
    /// Some other file.
    #[error("this is not a keystore file")]
    NotAKeystore,
    /// Written by a later version.
    #[error("this keystore has format version {0}, this program reads version 1: update it")]
    Version(u8),
    /// Bytes were lost or changed.
    #[error("the keystore file is damaged: restore it from a copy, or from the seed phrase")]
    Damaged,
    /// Opening it would take more memory or time than any keystore that this program writes.
    #[error(
        "the keystore asks for an unreasonable amount of memory or time: it was not written \
             by this program, do not open it"
    )]
    CostOutOfBounds,
    /// The passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The keys of another role.
    #[error("this keystore belongs to a different role: it holds keys of {0}")]
    WrongRole(Role),
}

/// Whose keys a keystore holds. Readable without the passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// An investor.
    Holder = 1,
    /// A provider of credentials.
    Attestor = 2,
    /// An issuer of assets.
    Issuer = 3,
    /// A transfer agent.
    Agent = 4,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Holder => "a holder",
            Self::Attestor => "an attestor",
            Self::Issuer => "an issuer",
            Self::Agent => "a transfer agent",
        })
    }
}

/// What a keystore protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleKeys {
    /// Whose they are.
    pub role: Role,
    /// The phrase that all keys of the role follow from.
    pub phrase: Phrase,
    /// For an attestor, what it shares with the others.
    pub federation: Option<FederationKey>,
}

/// The work that trying one passphrase takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// The second recommended option of RFC 9106 §4: Argon2id, 64 MiB, 3 passes, 4 lanes,
    /// 128-bit salt, 256-bit tag.
    pub const RECOMMENDED: Self = Self { memory_kib: 1 << 16, passes: 3, lanes: 4 };
    /// The least that Argon2 allows, for tests: it protects nothing.
    pub const LEAST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
    /// Nothing above is opened: a hostile file cannot demand gigabytes or hours.
    const MOST: Self = Self { memory_kib: 1 << 18, passes: 16, lanes: 16 };

    fn params(self) -> Result<Params, KeystoreError> {
        let most = Self::MOST;
        if self.memory_kib > most.memory_kib || self.passes > most.passes || self.lanes > most.lanes
        {
            return Err(KeystoreError::CostOutOfBounds);
        }
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| KeystoreError::CostOutOfBounds)
    }

    fn key(
        self,
        passphrase: &str,
        salt: &[u8; SALT_BYTES],
    ) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let mut key = Zeroizing::new([0u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params()?)
            .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
            .map_err(|_| KeystoreError::CostOutOfBounds)?;
        Ok(key)
    }
}

/// Encrypts a role's keys and writes them to `path` with permissions 0600.
///
/// `random` must be fresh from the operating system.
///
/// # Errors
/// [`KeystoreError::Exists`] if `existing` forbids replacing a file that is there.
pub fn write(
    path: &Path,
    keys: &RoleKeys,
    passphrase: &str,
    cost: Cost,
    random: &[u8; RANDOM_BYTES],
    existing: Existing,
) -> Result<(), KeystoreError> {
    let bytes = seal(keys, passphrase, cost, random)?;
    write_atomically(path, &bytes, existing).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => KeystoreError::Exists,
        _ => KeystoreError::File(error),
    })
}

/// Reads and decrypts the keystore at `path`.
pub fn read(path: &Path, passphrase: &str) -> Result<RoleKeys, KeystoreError> {
    open(&load(path)?, passphrase)
}

/// The role whose keys the file holds, without the passphrase.
pub fn role_of(path: &Path) -> Result<Role, KeystoreError> {
    Ok(Header::read(&load(path)?)?.0.role)
}

fn load(path: &Path) -> Result<Vec<u8>, KeystoreError> {
    if std::fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(KeystoreError::NotAKeystore);
    }
    Ok(std::fs::read(path)?)
}

struct Header {
    role: Role,
    cost: Cost,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
}

impl Header {
    fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(MAGIC);
        out.u8(VERSION);
        out.u8(self.role as u8);
        out.u32(self.cost.memory_kib);
        out.u32(self.cost.passes);
        out.u32(self.cost.lanes);
        out.bytes(&self.salt);
        out.bytes(&self.nonce);
        out.into_bytes()
    }

    /// The header, its bytes, and the ciphertext.
    fn read(file: &[u8]) -> Result<(Self, &[u8], &[u8]), KeystoreError> {
        if !file.starts_with(MAGIC) {
            return Err(KeystoreError::NotAKeystore);
        }
        let version = *file.get(MAGIC.len()).ok_or(KeystoreError::Damaged)?;
        if version != VERSION {
            return Err(KeystoreError::Version(version));
        }
        let (body, checksum) =
            file.split_last_chunk::<CHECKSUM_BYTES>().ok_or(KeystoreError::Damaged)?;
        if Sha256::digest(body).as_slice() != checksum {
            return Err(KeystoreError::Damaged);
        }
        let (bytes, sealed) = body.split_at_checked(HEADER_BYTES).ok_or(KeystoreError::Damaged)?;
        let header = Self::parse(bytes).map_err(|_| KeystoreError::Damaged)?;
        Ok((header, bytes, sealed))
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(&bytes[MAGIC.len() + 1..]);
        let header = Self {
            role: match input.u8()? {
                1 => Role::Holder,
                2 => Role::Attestor,
                3 => Role::Issuer,
                4 => Role::Agent,
                _ => return Err(DecodeError::UnknownTag),
            },
            cost: Cost { memory_kib: input.u32()?, passes: input.u32()?, lanes: input.u32()? },
            salt: input.array()?,
            nonce: input.array()?,
        };
        input.end()?;
        Ok(header)
    }
}

fn seal(
    keys: &RoleKeys,
    passphrase: &str,
    cost: Cost,
    random: &[u8; RANDOM_BYTES],
) -> Result<Vec<u8>, KeystoreError> {
    let (salt, nonce) = random.split_at(SALT_BYTES);
    let header = Header {
        role: keys.role,
        cost,
        salt: salt.try_into().expect("split at the salt's length"),
        nonce: nonce.try_into().expect("what follows the salt is the nonce"),
    };
    let bytes = header.write();
    let key = cost.key(passphrase, &header.salt)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(ENTROPY_BYTES + 32));
    plain.extend_from_slice(keys.phrase.entropy());
    if let Some(federation) = &keys.federation {
        plain.extend_from_slice(federation.expose());
    }
    let sealed = XChaCha20Poly1305::new((&*key).into())
        .encrypt(&XNonce::from(header.nonce), Payload { msg: plain.as_slice(), aad: &bytes })
        .expect("a keystore is far below the cipher's limit");
    let mut file = [bytes, sealed].concat();
    let checksum = Sha256::digest(&file);
    file.extend_from_slice(&checksum);
    Ok(file)
}

fn open(file: &[u8], passphrase: &str) -> Result<RoleKeys, KeystoreError> {
    let (header, bytes, sealed) = Header::read(file)?;
    let key = header.cost.key(passphrase, &header.salt)?;
    let plain = XChaCha20Poly1305::new((&*key).into())
        .decrypt(&XNonce::from(header.nonce), Payload { msg: sealed, aad: bytes })
        .map(Zeroizing::new)
        .map_err(|_| KeystoreError::WrongPassphrase)?;
    let (entropy, rest) =
        plain.split_first_chunk::<ENTROPY_BYTES>().ok_or(KeystoreError::Damaged)?;
    let federation = match rest.len() {
        0 => None,
        _ => Some(FederationKey::from_bytes(rest.try_into().map_err(|_| KeystoreError::Damaged)?)),
    };
    Ok(RoleKeys { role: header.role, phrase: Phrase::from_entropy(*entropy), federation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(federation: Option<FederationKey>) -> RoleKeys {
        RoleKeys { role: Role::Attestor, phrase: Phrase::from_entropy([9; 32]), federation }
    }

    fn sealed() -> Vec<u8> {
        seal(&keys(None), "open sesame", Cost::LEAST, &[3; RANDOM_BYTES]).unwrap()
    }

    /// As an attacker would: alter, then repair the checksum.
    fn alter(position: usize, value: u8) -> Vec<u8> {
        let mut file = sealed();
        file[position] = value;
        let body = file.len() - CHECKSUM_BYTES;
        let checksum = Sha256::digest(&file[..body]);
        file[body..].copy_from_slice(&checksum);
        file
    }

    #[test]
    fn keys_come_back_from_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        for federation in [None, Some(FederationKey::from_bytes([5; 32]))] {
            let keys = keys(federation);
            let random = &[1; RANDOM_BYTES];
            write(&path, &keys, "pass", Cost::RECOMMENDED, random, Existing::Replace).unwrap();
            assert_eq!(read(&path, "pass").unwrap(), keys);
            assert_eq!(role_of(&path).unwrap(), Role::Attestor);
            let again = write(&path, &keys, "pass", Cost::LEAST, random, Existing::Refuse);
            assert!(matches!(again, Err(KeystoreError::Exists)));
        }
    }

    #[test]
    fn a_wrong_passphrase_is_told_from_damage() {
        assert!(matches!(open(&sealed(), "open sesam"), Err(KeystoreError::WrongPassphrase)));
        let file = sealed();
        for position in MAGIC.len() + 1..file.len() {
            let mut damaged = file.clone();
            damaged[position] ^= 4;
            assert!(matches!(open(&damaged, "open sesame"), Err(KeystoreError::Damaged)));
        }
        for length in MAGIC.len()..file.len() {
            assert!(matches!(open(&file[..length], "open sesame"), Err(KeystoreError::Damaged)));
        }
        assert!(matches!(open(b"something", "x"), Err(KeystoreError::NotAKeystore)));
        assert!(matches!(open(&alter(8, 2), "x"), Err(KeystoreError::Version(2))));
    }

    #[test]
    fn an_altered_header_never_opens() {
        // Another role, another cost: authenticated, so the passphrase no longer fits.
        for (position, value) in [(9, 1), (14, 2), (22, 7), (HEADER_BYTES - 1, 9)] {
            let opened = open(&alter(position, value), "open sesame");
            assert!(matches!(opened, Err(KeystoreError::WrongPassphrase)), "byte {position}");
        }
    }

    #[test]
    fn a_hostile_file_cannot_demand_gigabytes() {
        for (position, value) in [(13, 0x40), (12, 0x10), (17, 1), (21, 1), (10, 0)] {
            let opened = open(&alter(position, value), "open sesame");
            assert!(matches!(opened, Err(KeystoreError::CostOutOfBounds)), "byte {position}");
        }
    }
}
