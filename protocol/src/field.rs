//! Field elements that cross a trust border: one newtype per meaning, one strict encoding
//! (32 bytes, little-endian, canonical). Spec §2.

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};

/// Bytes of an encoded field element.
pub const FIELD_BYTES: usize = 32;

/// Why bytes or text are not a field element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The integer is not below the modulus: accepting it would alias another element.
    #[error("not a canonical field element: the value is not below the BN254 scalar modulus")]
    NotCanonical,
    /// The text is not exactly 64 hexadecimal digits.
    #[error("a field element is written as 64 hexadecimal digits")]
    NotHex,
}

/// Decodes 32 little-endian bytes; refuses values at or above the modulus.
pub fn from_bytes(bytes: &[u8; FIELD_BYTES]) -> Result<Fr, FieldError> {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(chunk.try_into().expect("chunks are eight bytes"));
    }
    Fr::from_bigint(ark_ff::BigInt::new(limbs)).ok_or(FieldError::NotCanonical)
}

/// Encodes as 32 little-endian bytes.
pub fn to_bytes(value: &Fr) -> [u8; FIELD_BYTES] {
    let mut out = [0u8; FIELD_BYTES];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(value.into_bigint().0) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    out
}

/// Hexadecimal text of the 32-byte encoding.
pub fn to_hex(value: &Fr) -> String {
    hex::encode(to_bytes(value))
}

/// Parses [`to_hex`] output strictly.
pub fn from_hex(text: &str) -> Result<Fr, FieldError> {
    let bytes: [u8; FIELD_BYTES] =
        hex::decode(text).ok().and_then(|b| b.try_into().ok()).ok_or(FieldError::NotHex)?;
    from_bytes(&bytes)
}

/// `true` when the canonical integer of `value` is below `2^bits`.
pub fn fits(value: &Fr, bits: u32) -> bool {
    value.into_bigint().num_bits() <= bits
}

/// The canonical integer of `value` if it is below `2^64`.
pub fn to_u64(value: &Fr) -> Option<u64> {
    fits(value, 64).then(|| value.into_bigint().0[0])
}

/// A big-endian digest reduced to its low 248 bits, which are always canonical. Used for
/// `subject` and `binding`.
pub fn from_digest_248(digest: &[u8; 32]) -> Fr {
    let mut le = [0u8; FIELD_BYTES];
    for (out, byte) in le.iter_mut().zip(digest[1..].iter().rev()) {
        *out = *byte;
    }
    from_bytes(&le).expect("248 bits are below the 254-bit modulus")
}

/// Defines newtypes over [`Fr`] with strict bytes, hex text and serde through hex.
macro_rules! field_newtypes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Fr);

        impl $name {
            /// Wraps a field element that has this meaning.
            pub const fn new(value: Fr) -> Self { Self(value) }
            /// The inner field element.
            pub const fn get(&self) -> Fr { self.0 }
            /// Strict decoding of 32 little-endian bytes.
            pub fn from_bytes(bytes: &[u8; FIELD_BYTES]) -> Result<Self, FieldError> {
                from_bytes(bytes).map(Self)
            }
            /// 32 little-endian bytes.
            pub fn to_bytes(&self) -> [u8; FIELD_BYTES] { to_bytes(&self.0) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }
        impl std::str::FromStr for $name {
            type Err = FieldError;
            fn from_str(text: &str) -> Result<Self, FieldError> { from_hex(text).map(Self) }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&to_hex(&self.0))
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl crate::wire::Wire for $name {
            fn write(&self, out: &mut crate::wire::Writer) { out.bytes(&self.to_bytes()); }
            fn read(input: &mut crate::wire::Reader<'_>) -> Result<Self, crate::wire::DecodeError> {
                Ok(Self(input.field()?))
            }
        }
    )*};
}

field_newtypes! {
    /// Names an asset; assigned by the ledger from chain id and a counter.
    AssetId;
    /// `H(ATTESTOR; key_hi, key_lo)` of an attestor's Ed25519 key, or [`crate::credential::NOBODY`].
    AttestorId;
    /// What an attestor sends to the ledger: the commitment to a credential, not yet wrapped.
    CredentialInner;
    /// A leaf of the note tree: a position, a delivery or a receipt.
    Commitment;
    /// Spends a position or a delivery once.
    Nullifier;
    /// Root of the registry of credentials.
    RegistryRoot;
    /// Root of a note tree.
    NoteRoot;
    /// Root of the tree of gaps between sanctioned documents.
    SanctionsRoot;
    /// Root of a policy's jurisdiction rules.
    RulesRoot;
    /// `H(POLICY; …)`: the part of a policy that is proven in zero knowledge.
    PolicyHash;
    /// The screened identity document, 248 bits.
    Subject;
    /// The x coordinate of a holder's public key, which identifies the holder.
    HolderId;
    /// `H(OWNER; to.x, k)` of a delivery.
    OwnerTag;
    /// `H(REFUND; nk, k)` of a delivery, or zero where nobody may take it back.
    RefundTag;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modulus_and_beyond_are_refused() {
        let modulus = Fr::MODULUS;
        let mut bytes = [0u8; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(modulus.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        assert_eq!(from_bytes(&bytes), Err(FieldError::NotCanonical));
        assert_eq!(from_bytes(&[0xff; 32]), Err(FieldError::NotCanonical));
        bytes[0] -= 1;
        assert_eq!(from_bytes(&bytes), Ok(-Fr::from(1u8)));
    }

    #[test]
    fn encodings_round_trip() {
        for value in [Fr::from(0u8), Fr::from(1u8), -Fr::from(1u8), Fr::from(u128::MAX)] {
            assert_eq!(from_bytes(&to_bytes(&value)), Ok(value));
            assert_eq!(from_hex(&to_hex(&value)), Ok(value));
        }
    }

    #[test]
    fn digests_keep_their_low_248_bits_big_endian() {
        let mut digest = [0u8; 32];
        digest[0] = 0xff;
        digest[31] = 7;
        assert_eq!(from_digest_248(&digest), Fr::from(7u8));
    }
}
