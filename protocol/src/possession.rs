//! Proof that a transfer agent holds the viewing key it registers: a Schnorr proof on Baby Jubjub.
//! Without it a key chosen as a function of another's would read somebody else's pads. Spec §3.
//!
//! `R = r·G`, `e = SHA-512(domain, chain, pk, R, message) mod ℓ`, `s = r + e·sk`;
//! valid when `s·G = R + e·pk`. All of it is in the prime-order subgroup, so no cofactor enters.

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{PrimeField, Zero};
use sha2::{Digest, Sha512};

use crate::genesis::ChainId;
use crate::keys::{Point, PublicKey, Scalar, SecretKey};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The proof does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof of possession does not verify under this viewing key, network and message")]
pub struct BadPossession;

/// A proof of possession of a Baby Jubjub key, bound to a chain and a message; 96 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possession {
    commitment: PublicKey,
    response: Scalar,
}

/// 512 bits reduced modulo ℓ; the bias is below 2^-260.
fn to_scalar(digest: &[u8]) -> Scalar {
    // A digest carries no encoding, so reduction aliases nothing.
    #[allow(clippy::disallowed_methods)]
    Scalar::from_le_bytes_mod_order(digest)
}

fn challenge(
    chain: &ChainId,
    key: &PublicKey,
    commitment: &PublicKey,
    message: &[u8; 32],
) -> Scalar {
    let mut hasher = Sha512::new();
    hasher.update(b"placet.possession.v1.challenge");
    hasher.update(chain.0);
    hasher.update(key.to_wire());
    hasher.update(commitment.to_wire());
    hasher.update(message);
    to_scalar(&hasher.finalize())
}

impl Possession {
    /// Proves possession of `secret`. The nonce is derived from the secret, the whole statement
    /// and `randomness` (32 fresh bytes), so that repeated randomness does not reveal the secret.
    pub fn prove(
        secret: &SecretKey,
        chain: &ChainId,
        message: &[u8; 32],
        randomness: &[u8; 32],
    ) -> Self {
        let key = secret.public();
        for counter in 0u8.. {
            let mut hasher = Sha512::new();
            hasher.update(b"placet.possession.v1.nonce");
            hasher.update(*secret.to_bytes());
            hasher.update(chain.0);
            hasher.update(message);
            hasher.update(randomness);
            hasher.update([counter]);
            let nonce = zeroize::Zeroizing::new(to_scalar(&hasher.finalize()));
            let point = (Point::generator() * *nonce).into_affine();
            // Only a zero nonce gives the identity, which nobody meets.
            let Ok(commitment) = PublicKey::from_coordinates(point.x, point.y) else { continue };
            let response = *nonce + challenge(chain, &key, &commitment, message) * secret.scalar();
            return Self { commitment, response };
        }
        unreachable!("256 nonces in a row are not zero")
    }

    /// Checks that whoever made this knew the secret of `key`.
    ///
    /// # Errors
    /// [`BadPossession`] if not, or if it is for another chain or message.
    pub fn verify(
        &self,
        key: &PublicKey,
        chain: &ChainId,
        message: &[u8; 32],
    ) -> Result<(), BadPossession> {
        let e = challenge(chain, key, &self.commitment, message);
        let difference = Point::generator() * self.response
            - key.point() * e
            - self.commitment.point().into_group();
        if difference.is_zero() { Ok(()) } else { Err(BadPossession) }
    }
}

impl Wire for Possession {
    fn write(&self, out: &mut Writer) {
        self.commitment.write(out);
        for limb in self.response.into_bigint().0 {
            out.u64(limb);
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let commitment = PublicKey::read(input)?;
        let mut limbs = [0u64; 4];
        for limb in &mut limbs {
            *limb = input.u64()?;
        }
        let response =
            Scalar::from_bigint(ark_ff::BigInt::new(limbs)).ok_or(DecodeError::NotCanonical)?;
        Ok(Self { commitment, response })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::Field;

    const CHAIN: ChainId = ChainId([1; 32]);

    fn secret(seed: u8) -> SecretKey {
        SecretKey::from_uniform_bytes(&[seed; 64]).unwrap()
    }

    #[test]
    fn a_proof_holds_for_its_key_chain_and_message_only() {
        let key = secret(4);
        let proof = Possession::prove(&key, &CHAIN, &[5; 32], &[6; 32]);
        assert_eq!(proof.verify(&key.public(), &CHAIN, &[5; 32]), Ok(()));
        assert_eq!(proof.verify(&key.public(), &CHAIN, &[6; 32]), Err(BadPossession));
        assert_eq!(proof.verify(&key.public(), &ChainId([2; 32]), &[5; 32]), Err(BadPossession));
        assert_eq!(proof.verify(&secret(7).public(), &CHAIN, &[5; 32]), Err(BadPossession));
        let altered = Possession { response: proof.response + Scalar::ONE, ..proof };
        assert_eq!(altered.verify(&key.public(), &CHAIN, &[5; 32]), Err(BadPossession));
    }

    #[test]
    fn equal_randomness_for_two_messages_gives_two_nonces() {
        let key = secret(4);
        let first = Possession::prove(&key, &CHAIN, &[5; 32], &[6; 32]);
        let second = Possession::prove(&key, &CHAIN, &[7; 32], &[6; 32]);
        assert_ne!(first.commitment, second.commitment);
    }

    #[test]
    fn an_aliased_response_is_refused() {
        let proof = Possession::prove(&secret(4), &CHAIN, &[5; 32], &[6; 32]);
        let mut bytes = proof.to_wire();
        assert_eq!(Possession::from_wire(&bytes), Ok(proof));
        let mut carry = 0u128;
        for (chunk, limb) in bytes[64..].chunks_exact_mut(8).zip(Scalar::MODULUS.0) {
            let own = u64::from_le_bytes(chunk.try_into().unwrap());
            let sum = u128::from(own) + u128::from(limb) + carry;
            chunk.copy_from_slice(&(sum as u64).to_le_bytes());
            carry = sum >> 64;
        }
        assert_eq!(Possession::from_wire(&bytes), Err(DecodeError::NotCanonical));
    }
}
