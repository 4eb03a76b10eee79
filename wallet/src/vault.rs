//! Encryption at rest for what a role remembers: credentials, openings, records of issuance.
//!
//! XChaCha20-Poly1305 under a key derived from the role's seed. The nonce is a keyed hash of the
//! label and the plaintext (a synthetic nonce), so that sealing needs no randomness and never
//! repeats a nonce for two plaintexts; equal plaintexts under one label give equal bytes, which
//! tells an onlooker only that nothing changed.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::seed::Seed;

const NONCE_BYTES: usize = 24;

/// A record that this vault did not seal under this label, or that was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stored record does not open with this key: the file is damaged or belongs to another \
         key; restore it from the seed phrase"
)]
pub struct VaultError;

/// Seals and opens a role's records.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Vault {
    key: [u8; 32],
    nonce_key: [u8; 32],
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    /// The vault of a seed.
    pub fn new(seed: &Seed) -> Self {
        let keys: Zeroizing<[u8; 64]> = seed.derive("vault");
        let mut vault = Self { key: [0; 32], nonce_key: [0; 32] };
        vault.key.copy_from_slice(&keys[..32]);
        vault.nonce_key.copy_from_slice(&keys[32..]);
        vault
    }

    /// Nonce and ciphertext; opens only under the same label.
    pub fn seal(&self, label: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce = self.nonce(label, plaintext);
        let cipher = XChaCha20Poly1305::new((&self.key).into());
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: label })
            .expect("records are far below the cipher's limit of 256 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// The plaintext of a record.
    pub fn open(&self, label: &[u8], record: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, sealed) = record.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError)?;
        XChaCha20Poly1305::new((&self.key).into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: label })
            .map(Zeroizing::new)
            .map_err(|_| VaultError)
    }

    fn nonce(&self, label: &[u8], plaintext: &[u8]) -> [u8; NONCE_BYTES] {
        let length = (label.len() as u64).to_le_bytes();
        let message = Zeroizing::new([length.as_slice(), label, plaintext].concat());
        let mut nonce = [0u8; NONCE_BYTES];
        // HKDF's extract step is HMAC, a keyed pseudo-random function of the message.
        Hkdf::<Sha256>::new(Some(&self.nonce_key), &message)
            .expand(b"placet.vault.nonce.v1", &mut nonce)
            .expect("24 bytes are below HKDF's limit");
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Phrase;

    #[test]
    fn records_open_only_under_their_label_and_key() {
        let vault = Vault::new(&Phrase::from_entropy([1; 32]).seed());
        let other = Vault::new(&Phrase::from_entropy([2; 32]).seed());
        let record = vault.seal(b"state", b"balance 7");
        assert_eq!(vault.open(b"state", &record).unwrap().as_slice(), b"balance 7");
        assert_eq!(vault.open(b"log", &record), Err(VaultError));
        assert_eq!(other.open(b"state", &record), Err(VaultError));
        for position in 0..record.len() {
            let mut altered = record.clone();
            altered[position] ^= 1;
            assert_eq!(vault.open(b"state", &altered), Err(VaultError));
        }
        assert_eq!(vault.open(b"state", &record[..10]), Err(VaultError));
    }

    #[test]
    fn different_plaintexts_get_different_nonces() {
        let vault = Vault::new(&Phrase::from_entropy([1; 32]).seed());
        let (one, two) = (vault.seal(b"a", b"1"), vault.seal(b"a", b"2"));
        assert_ne!(one[..NONCE_BYTES], two[..NONCE_BYTES]);
        assert_ne!(vault.seal(b"ab", b"c")[..NONCE_BYTES], vault.seal(b"a", b"bc")[..NONCE_BYTES]);
    }
}
