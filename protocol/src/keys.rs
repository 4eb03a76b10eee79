//! Keys on Baby Jubjub in iden3's form, and the secret that a holder shares with an asset's
//! transfer agent. Spec §3. Twin: `circuits/src/keys.rs`.

use ark_bn254::Fr;
use ark_ec::twisted_edwards::TECurveConfig;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField, Zero};
use taceo_ark_babyjubjub::{EdwardsAffine, EdwardsConfig};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::field::{AssetId, HolderId};
use crate::poseidon::hash;
use crate::tag::Tag;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The scalar field of Baby Jubjub's prime-order subgroup, order ℓ (251 bits).
pub type Scalar = taceo_ark_babyjubjub::Fr;
/// A point of Baby Jubjub in affine coordinates.
pub type Point = EdwardsAffine;

/// Free bits of the in-circuit representation of a secret key; bit 251 is the constant 1.
pub const KEY_BITS: usize = 251;

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The coordinates do not satisfy the curve equation, or no point has this x.
    #[error("not a point of Baby Jubjub")]
    NotOnCurve,
    /// The point has a component of small order.
    #[error("not in the prime-order subgroup of Baby Jubjub")]
    NotInSubgroup,
    /// The identity, or a scalar congruent to 0, 1, -1 or -2, which the statement cannot prove.
    #[error("a degenerate key: draw another")]
    Degenerate,
    /// The bytes are not a canonical scalar.
    #[error("not a canonical scalar of Baby Jubjub")]
    NotCanonical,
}

/// A secret scalar of a holder or a transfer agent. Prints nothing and is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Scalar);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// Reduces 64 uniformly random bytes; the bias is below 2^-260.
    ///
    /// # Errors
    /// [`KeyError::Degenerate`] for the four scalars that the statement cannot prove.
    pub fn from_uniform_bytes(bytes: &[u8; 64]) -> Result<Self, KeyError> {
        // Random bytes carry no encoding, so reduction aliases nothing.
        #[allow(clippy::disallowed_methods)]
        Self::from_scalar(Scalar::from_le_bytes_mod_order(bytes))
    }

    /// Strict parse of 32 little-endian bytes, as [`SecretKey::to_bytes`] writes them.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let mut limbs = [0u64; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(chunk.try_into().expect("chunks are eight bytes"));
        }
        let scalar = Scalar::from_bigint(ark_ff::BigInt::new(limbs));
        limbs.zeroize();
        Self::from_scalar(scalar.ok_or(KeyError::NotCanonical)?)
    }

    /// Wraps a scalar. The in-circuit multiplication has no satisfying witness for four scalars
    /// (spec §7, HolderKey); nobody draws them by chance.
    pub fn from_scalar(scalar: Scalar) -> Result<Self, KeyError> {
        let degenerate = [Scalar::zero(), Scalar::ONE, -Scalar::ONE, -Scalar::from(2u8)];
        if degenerate.contains(&scalar) { Err(KeyError::Degenerate) } else { Ok(Self(scalar)) }
    }

    /// 32 little-endian bytes, for an encrypted keystore only.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        let mut out = zeroize::Zeroizing::new([0u8; 32]);
        for (chunk, limb) in out.chunks_exact_mut(8).zip(self.0.into_bigint().0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        out
    }

    /// The scalar, for proofs of possession.
    pub(crate) fn scalar(&self) -> &Scalar {
        &self.0
    }

    /// The public key `sk·G`.
    pub fn public(&self) -> PublicKey {
        PublicKey((EdwardsAffine::generator() * self.0).into_affine())
    }

    /// The low 251 bits, lowest first, of the one `t ≡ sk (mod ℓ)` with
    /// `2^251 ≤ t < 2^251 + ℓ`: what the circuit takes as witness. Bit 251 of `t` is 1.
    pub fn representative_bits(&self) -> [bool; KEY_BITS] {
        let mut floor = Scalar::MODULUS; // any value of the right type; set to 2^251 below
        floor.0 = [0, 0, 0, 1 << (251 - 192)];
        let mut t = self.0.into_bigint();
        while t < floor {
            t.add_with_carry(&Scalar::MODULUS);
        }
        let bits = std::array::from_fn(|i| t.get_bit(i));
        t.zeroize();
        bits
    }

    /// The secret shared with the owner of `other`: `S.x` of `S = sk·other`.
    pub fn agree(&self, other: &PublicKey) -> SharedSecret {
        SharedSecret((other.0 * self.0).into_affine().x)
    }
}

/// A public key: on the curve, in the prime-order subgroup, not the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(Point);

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.holder())
    }
}

impl PublicKey {
    /// Checks coordinates from outside.
    pub fn from_coordinates(x: Fr, y: Fr) -> Result<Self, KeyError> {
        // Checked on the next lines.
        #[allow(clippy::disallowed_methods)]
        let point = EdwardsAffine::new_unchecked(x, y);
        if !point.is_on_curve() {
            return Err(KeyError::NotOnCurve);
        }
        if !point.is_in_correct_subgroup_assuming_on_curve() {
            return Err(KeyError::NotInSubgroup);
        }
        if point.is_zero() { Err(KeyError::Degenerate) } else { Ok(Self(point)) }
    }

    /// The one key with this x coordinate: of the two points that share it, at most one is in the
    /// subgroup of odd order.
    pub fn from_holder(holder: HolderId) -> Result<Self, KeyError> {
        let x2 = holder.get().square();
        let denominator =
            (Fr::ONE - EdwardsConfig::COEFF_D * x2).inverse().ok_or(KeyError::NotOnCurve)?;
        let y2 = (Fr::ONE - EdwardsConfig::COEFF_A * x2) * denominator;
        let y = y2.sqrt().ok_or(KeyError::NotOnCurve)?;
        Self::from_coordinates(holder.get(), y).or_else(|error| match error {
            KeyError::NotInSubgroup => Self::from_coordinates(holder.get(), -y),
            other => Err(other),
        })
    }

    /// The x coordinate, which identifies the holder.
    pub fn holder(&self) -> HolderId {
        HolderId::new(self.0.x)
    }
    /// The x coordinate.
    pub fn x(&self) -> Fr {
        self.0.x
    }
    /// The y coordinate.
    pub fn y(&self) -> Fr {
        self.0.y
    }
    /// The point.
    pub fn point(&self) -> Point {
        self.0
    }
}

/// Two canonical coordinates, 64 bytes; checked for curve, subgroup and identity.
impl Wire for PublicKey {
    fn write(&self, out: &mut Writer) {
        out.field(&self.0.x);
        out.field(&self.0.y);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (x, y) = (input.field()?, input.field()?);
        Self::from_coordinates(x, y).map_err(|_| DecodeError::InvalidPoint)
    }
}

/// `S.x`, known to a holder and one asset's transfer agent. Prints nothing, wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret(Fr);

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

impl SharedSecret {
    /// Wraps the x coordinate of `S`.
    pub fn from_x(x: Fr) -> Self {
        Self(x)
    }
}

/// `nk`: keys a holder's nullifiers and disclosure pads for one asset.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct NullifierKey(Fr);

impl std::fmt::Debug for NullifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NullifierKey(..)")
    }
}

impl NullifierKey {
    /// `nk = H(NK; S.x, asset_id)`.
    pub fn derive(secret: &SharedSecret, asset: AssetId) -> Self {
        Self(hash(Tag::NullifierKey, [secret.0, asset.get()]))
    }
    /// Wraps a value that decryption or a test produced.
    pub fn from_parts(value: Fr) -> Self {
        Self(value)
    }
    /// The field element; as secret as the key.
    pub fn expose(&self) -> Fr {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(seed: u8) -> SecretKey {
        SecretKey::from_uniform_bytes(&[seed; 64]).unwrap()
    }

    #[test]
    fn both_sides_agree_on_the_shared_secret() {
        let (holder, agent) = (secret(1), secret(2));
        assert_eq!(holder.agree(&agent.public()).0, agent.agree(&holder.public()).0);
    }

    #[test]
    fn the_x_coordinate_leads_back_to_the_key() {
        for seed in 1..20 {
            let public = secret(seed).public();
            assert_eq!(PublicKey::from_holder(public.holder()), Ok(public));
        }
    }

    #[test]
    fn points_outside_of_the_subgroup_are_refused() {
        let public = secret(3).public();
        // (0, -1) has order two; adding it leaves the subgroup and keeps x up to sign.
        assert_eq!(
            PublicKey::from_coordinates(-public.x(), -public.y()),
            Err(KeyError::NotInSubgroup)
        );
        assert_eq!(PublicKey::from_coordinates(Fr::zero(), -Fr::ONE), Err(KeyError::NotInSubgroup));
        assert_eq!(PublicKey::from_coordinates(Fr::zero(), Fr::ONE), Err(KeyError::Degenerate));
        assert_eq!(
            PublicKey::from_coordinates(public.x(), public.y() + Fr::ONE),
            Err(KeyError::NotOnCurve)
        );
        assert_eq!(PublicKey::from_holder(HolderId::new(Fr::zero())), Err(KeyError::Degenerate));
    }

    #[test]
    fn degenerate_scalars_are_refused() {
        for scalar in [Scalar::zero(), Scalar::ONE, -Scalar::ONE, -Scalar::from(2u8)] {
            assert_eq!(SecretKey::from_scalar(scalar), Err(KeyError::Degenerate));
        }
        for small in [2u8, 3, 4, 5] {
            assert!(SecretKey::from_scalar(Scalar::from(small)).is_ok());
            assert!(SecretKey::from_scalar(-Scalar::from(small + 1)).is_ok());
        }
    }

    #[test]
    fn representatives_are_congruent_and_have_the_top_bit() {
        for seed in 1..10 {
            let key = secret(seed);
            let bits = key.representative_bits();
            let two = Scalar::from(2u8);
            let sum = bits
                .iter()
                .rev()
                .fold(Scalar::ONE, |acc, bit| acc * two + Scalar::from(u8::from(*bit)));
            assert_eq!(sum, key.0);
        }
    }

    #[test]
    fn non_canonical_scalars_are_refused() {
        let mut bytes = [0u8; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(Scalar::MODULUS.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes[0] += 2; // ℓ + 2: would alias the secret 2
        assert_eq!(SecretKey::from_bytes(&bytes), Err(KeyError::NotCanonical));
    }
}
