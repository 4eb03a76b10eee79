//! The authorities' second keys, on secp256k1, and what the adapter asks of a bundle of their
//! signatures. Decision 22 says why they are needed besides Ed25519.

use k256::ecdsa::{RecoveryId, VerifyingKey};
use zeroize::Zeroizing;

use crate::address::Address;
use crate::typed::Digest;
use crate::word::{Word, keccak256};

/// Bytes of a secret key.
pub const SECRET_BYTES: usize = 32;
/// Bytes of a signature as text: r, s, v.
pub const SIGNATURE_BYTES: usize = 65;
/// Most signers of an adapter.
pub const MAX_SIGNERS: usize = 64;

/// Why bytes are no signature, or no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 65 bytes in hexadecimal.
    #[error("a signature is 0x and 130 hexadecimal digits: r, s, v")]
    Form,
    /// v is neither 27 nor 28, s is in the upper half, or r and s are out of range: forms that the
    /// adapter refuses.
    #[error("not the one accepted form of a signature: v is 27 or 28, s in the lower half")]
    NotCanonical,
    /// No key made this signature.
    #[error("no key can be recovered from the signature; sign again")]
    Unrecoverable,
    /// Zero, or not below the order of the group.
    #[error("not a secret key of secp256k1; make a new one")]
    Secret,
}

/// Why signatures are no quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// One of them is no signature.
    #[error("signature {index}: {error}")]
    Signature {
        /// Which, from 0.
        index: usize,
        /// Why.
        error: SignatureError,
    },
    /// Somebody else signed, or something else was signed.
    #[error(
        "{found} is no signer of the adapter; ask for a signature over exactly these values, or leave this one out"
    )]
    NotASigner {
        /// Whose signature it is.
        found: Address,
    },
    /// One signer twice.
    #[error("two signatures are by {0}; leave one out")]
    Twice(Address),
    /// Not more than two thirds.
    #[error("{found} of {needed} signatures; ask more authorities")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// None, more than 64, not ascending, or with the zero address.
    #[error("the signers of an adapter are 1 to 64 distinct addresses, without the zero address")]
    Signers,
}

/// A secret key. Wiped when dropped; prints nothing.
pub struct SigningKey(k256::ecdsa::SigningKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.address())
    }
}

impl SigningKey {
    /// From 32 bytes, big-endian; from the operating system's randomness for a new key. Fails with
    /// negligible probability on random bytes.
    ///
    /// # Errors
    /// [`SignatureError::Secret`].
    pub fn from_bytes(bytes: &[u8; SECRET_BYTES]) -> Result<Self, SignatureError> {
        k256::ecdsa::SigningKey::from_slice(bytes).map(Self).map_err(|_| SignatureError::Secret)
    }

    /// The secret, for its file.
    pub fn expose(&self) -> Zeroizing<[u8; SECRET_BYTES]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// The address by which contracts know the key.
    pub fn address(&self) -> Address {
        address_of(self.0.verifying_key())
    }

    /// Signs, by RFC 6979 and so without randomness; s is in the lower half.
    pub fn sign(&self, digest: &Digest) -> Signature {
        let (signature, recovery) = self.0.sign_prehash_recoverable(&digest.0);
        // s is made low by the library for this curve; r above the order cannot be written for
        // contracts, and nobody ever finds one.
        assert!(!recovery.is_x_reduced(), "r is below the order but for a chance of 2^-127");
        let (r, s) = signature.split_bytes();
        Signature { r: r.into(), s: s.into(), v: 27 + u8::from(recovery.is_y_odd()) }
    }
}

fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    let hash = keccak256(&[&point.as_bytes()[1..]]);
    Address(hash[12..].try_into().expect("32 - 12 = 20"))
}

/// A signature in the form that contracts take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Big-endian.
    pub r: [u8; 32],
    /// Big-endian.
    pub s: [u8; 32],
    /// 27 or 28.
    pub v: u8,
}

impl Signature {
    /// Who signed this digest, by the rules of the adapter.
    ///
    /// # Errors
    /// [`SignatureError`], if it is not in the one accepted form or no key made it.
    pub fn signer(&self, digest: &Digest) -> Result<Address, SignatureError> {
        let odd = match self.v {
            27 => false,
            28 => true,
            _ => return Err(SignatureError::NotCanonical),
        };
        let signature = k256::ecdsa::Signature::from_scalars(self.r, self.s)
            .map_err(|_| SignatureError::NotCanonical)?;
        if signature.normalize_s() != signature {
            return Err(SignatureError::NotCanonical);
        }
        VerifyingKey::recover_from_prehash(&digest.0, &signature, RecoveryId::new(odd, false))
            .map(|key| address_of(&key))
            .map_err(|_| SignatureError::Unrecoverable)
    }

    /// r, s, v as the words of the contract's `Signature`.
    pub fn words(&self) -> [Word; 3] {
        [Word(self.r), Word(self.s), Word::from(u64::from(self.v))]
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{}{}{:02x}", hex::encode(self.r), hex::encode(self.s), self.v)
    }
}

impl std::str::FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let digits = text.strip_prefix("0x").ok_or(SignatureError::Form)?;
        let mut bytes = [0u8; SIGNATURE_BYTES];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| SignatureError::Form)?;
        let (r, rest) = bytes.split_at(32);
        let (s, v) = rest.split_at(32);
        Ok(Self {
            r: r.try_into().expect("split at 32"),
            s: s.try_into().expect("split at 32"),
            v: v[0],
        })
    }
}

/// How many of so many signers it takes: more than two thirds.
pub fn quorum(signers: usize) -> usize {
    2 * signers / 3 + 1
}

/// Signers as an adapter takes them: ascending.
///
/// # Errors
/// [`QuorumError::Signers`] and [`QuorumError::Twice`].
pub fn ascending(mut signers: Vec<Address>) -> Result<Vec<Address>, QuorumError> {
    signers.sort();
    if let Some(pair) = signers.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(QuorumError::Twice(pair[0]));
    }
    match signers.first() {
        Some(first) if *first != Address::ZERO && signers.len() <= MAX_SIGNERS => Ok(signers),
        _ => Err(QuorumError::Signers),
    }
}

/// Signatures in the order in which the adapter takes them, if they are a quorum of its signers.
///
/// # Errors
/// [`QuorumError`]; the adapter would refuse the same.
pub fn assemble(
    digest: &Digest,
    signatures: &[Signature],
    signers: &[Address],
) -> Result<Vec<Signature>, QuorumError> {
    let signers = ascending(signers.to_vec())?;
    let mut signed = Vec::with_capacity(signatures.len());
    for (index, signature) in signatures.iter().enumerate() {
        let found =
            signature.signer(digest).map_err(|error| QuorumError::Signature { index, error })?;
        if signers.binary_search(&found).is_err() {
            return Err(QuorumError::NotASigner { found });
        }
        signed.push((found, *signature));
    }
    signed.sort_by_key(|(signer, _)| *signer);
    if let Some(pair) = signed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(QuorumError::Twice(pair[0].0));
    }
    let (found, needed) = (signed.len(), quorum(signers.len()));
    if found < needed {
        return Err(QuorumError::TooFew { found, needed });
    }
    Ok(signed.into_iter().map(|(_, signature)| signature).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_signatures_are_those_of_eip_712s_example() {
        // Secret key, address and signature of the example in EIP-712's test suite.
        let key = SigningKey::from_bytes(&keccak256(&[b"cow"])).unwrap();
        assert_eq!(key.address().to_string(), "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
        let digest: [u8; 32] =
            hex::decode("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
                .unwrap()
                .try_into()
                .unwrap();
        let signature = key.sign(&Digest(digest));
        let expected = "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d\
                        07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c";
        assert_eq!(signature.to_string(), expected);
        assert_eq!(signature.signer(&Digest(digest)).unwrap(), key.address());
        assert_eq!(expected.parse::<Signature>().unwrap(), signature);
        assert_ne!(signature.signer(&Digest([7; 32])).ok(), Some(key.address()));
    }

    #[test]
    fn other_forms_of_a_signature_are_refused() {
        let key = SigningKey::from_bytes(&[7; 32]).unwrap();
        let digest = Digest([9; 32]);
        let good = key.sign(&digest);
        let order = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order: Word = order.parse().unwrap();
        let mut high = good;
        let mut borrow = 0i32;
        for i in (0..32).rev() {
            let value = i32::from(order.0[i]) - i32::from(good.s[i]) - borrow;
            high.s[i] = u8::try_from(value.rem_euclid(256)).unwrap();
            borrow = i32::from(value < 0);
        }
        high.v = 55 - good.v;
        for bad in [
            high,
            Signature { v: good.v - 27, ..good },
            Signature { v: 29, ..good },
            Signature { s: [0; 32], ..good },
            Signature { r: [0; 32], ..good },
            Signature { r: order.0, ..good },
        ] {
            assert_eq!(bad.signer(&digest), Err(SignatureError::NotCanonical), "{bad}");
        }
        assert_eq!("0x00".parse::<Signature>(), Err(SignatureError::Form));
        assert_eq!(format!("{good}00").parse::<Signature>(), Err(SignatureError::Form));
    }

    #[test]
    fn secrets_are_in_range_and_not_shown() {
        assert_eq!(SigningKey::from_bytes(&[0; 32]).unwrap_err(), SignatureError::Secret);
        assert_eq!(SigningKey::from_bytes(&[255; 32]).unwrap_err(), SignatureError::Secret);
        let key = SigningKey::from_bytes(&[7; 32]).unwrap();
        assert!(!format!("{key:?}").contains("0707"));
        assert_eq!(*key.expose(), [7; 32]);
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds_each_once() {
        let keys: Vec<SigningKey> =
            (1..=4).map(|i| SigningKey::from_bytes(&[i; 32]).unwrap()).collect();
        let signers: Vec<Address> = keys.iter().map(SigningKey::address).collect();
        let digest = Digest([9; 32]);
        let all: Vec<Signature> = keys.iter().map(|key| key.sign(&digest)).collect();
        let three = assemble(&digest, &all[..3], &signers).unwrap();
        let by: Vec<Address> = three.iter().map(|s| s.signer(&digest).unwrap()).collect();
        assert!(by.is_sorted());
        assert_eq!(
            assemble(&digest, &all[..2], &signers),
            Err(QuorumError::TooFew { found: 2, needed: 3 })
        );
        let twice = [all[0], all[1], all[2], all[1]];
        assert_eq!(assemble(&digest, &twice, &signers), Err(QuorumError::Twice(signers[1])));
        let stranger = SigningKey::from_bytes(&[9; 32]).unwrap();
        let foreign = [all[0], all[1], stranger.sign(&digest)];
        let refused = Err(QuorumError::NotASigner { found: stranger.address() });
        assert_eq!(assemble(&digest, &foreign, &signers), refused);
        assert_eq!(ascending(vec![]), Err(QuorumError::Signers));
        assert_eq!(ascending(vec![Address::ZERO]), Err(QuorumError::Signers));
        assert_eq!((1..=7).map(quorum).collect::<Vec<_>>(), [1, 2, 3, 3, 4, 5, 5]);
    }
}
