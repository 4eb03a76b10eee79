//! Strict decoding of curve points: exact length, canonical coordinates, on the curve, in the
//! prime-order subgroup, and re-encoding gives the same bytes. Invariant 5 of ARCHITECTURE.md.

use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, Compress, Validate};

/// Why bytes are not an acceptable point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointDefect {
    /// Wrong length, a coordinate at or above the modulus, contradictory flags, or (compressed) an
    /// x coordinate that no point has.
    #[error("not the canonical encoding of a point")]
    NotCanonical,
    /// The coordinates do not satisfy the curve equation.
    #[error("the point is not on the curve")]
    OffCurve,
    /// On the curve, but outside of the subgroup of prime order.
    #[error("the point is outside of the prime-order subgroup")]
    OffSubgroup,
    /// The identity, where it would make equations vanish.
    #[error("the point is the point at infinity")]
    Infinity,
}

/// Bytes of one point.
pub fn encoded_len<C: SWCurveConfig>(compress: Compress) -> usize {
    Affine::<C>::generator().serialized_size(compress)
}

/// Appends the encoding of a point.
pub fn encode<C: SWCurveConfig>(point: &Affine<C>, compress: Compress, out: &mut Vec<u8>) {
    point.serialize_with_mode(out, compress).expect("writing into a vector cannot fail");
}

/// Decodes one point; the identity is accepted.
pub fn decode<C: SWCurveConfig>(
    bytes: &[u8],
    compress: Compress,
) -> Result<Affine<C>, PointDefect> {
    let point = decode_on_curve(bytes, compress)?;
    if !point.is_zero() && !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(PointDefect::OffSubgroup);
    }
    Ok(point)
}

/// As [`decode`], with the question of the subgroup left to the caller, who asks it of many points
/// at once, or answers it on the way to something else.
pub fn decode_on_curve<C: SWCurveConfig>(
    bytes: &[u8],
    compress: Compress,
) -> Result<Affine<C>, PointDefect> {
    if bytes.len() != encoded_len::<C>(compress) {
        return Err(PointDefect::NotCanonical);
    }
    // Validation follows below, one defect at a time.
    let point = Affine::<C>::deserialize_with_mode(bytes, compress, Validate::No)
        .map_err(|_| PointDefect::NotCanonical)?;
    if !point.is_on_curve() {
        return Err(PointDefect::OffCurve);
    }
    let mut again = Vec::with_capacity(bytes.len());
    encode(&point, compress, &mut again);
    if again != bytes {
        return Err(PointDefect::NotCanonical);
    }
    Ok(point)
}

/// Decodes one point that must not be the identity.
pub fn decode_finite<C: SWCurveConfig>(
    bytes: &[u8],
    compress: Compress,
) -> Result<Affine<C>, PointDefect> {
    let point = decode(bytes, compress)?;
    if point.is_zero() { Err(PointDefect::Infinity) } else { Ok(point) }
}
