//! Keys of the protocol as keys of the engine, and back. An authority has one key: it votes, it is
//! the identity on the network, and it signs assertions.

use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_utils::ordered::Set;
use placet_protocol::signing::{SigningKey, VerifyKey};

/// A key as the engine has it.
pub fn public(key: &VerifyKey) -> PublicKey {
    PublicKey::decode(Copying(&key.to_bytes()[..]))
        .expect("a canonical point that is not of small order is a key to the engine too")
}

/// A key as the protocol has it; `None` for one that the protocol refuses.
pub fn verify_key(key: &PublicKey) -> Option<VerifyKey> {
    let bytes: &[u8; 32] = key.as_ref().try_into().ok()?;
    VerifyKey::from_bytes(bytes).ok()
}

/// The secret half as the engine has it. The engine keeps it in memory that is wiped.
pub fn private(key: &SigningKey) -> PrivateKey {
    let seed = key.to_seed();
    PrivateKey::decode(Copying(&seed[..])).expect("every 32 bytes are the seed of a key")
}

/// A set in the engine's order, which is the protocol's: by encoding.
pub fn set(keys: &[VerifyKey]) -> Set<PublicKey> {
    Set::from_iter_dedup(keys.iter().map(public))
}
