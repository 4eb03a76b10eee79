//! Field elements and curve points as snarkjs stores them. Spec §12.5.
//!
//! Field elements are 32 bytes, little-endian: plain in `.r1cs` and `.wtns`, in Montgomery form
//! (multiplied by `R = 2^256`) where a file holds points. A point is its affine coordinates, one
//! behind the other; the point at infinity is all zeros. Whatever is read was checked: coordinates
//! below the modulus, on the curve, in the subgroup of prime order.

use ark_bn254::{Fq, Fq2, Fr};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use placet_params::point::PointDefect;
use placet_params::subgroup;
use rayon::prelude::*;

/// Bytes of a field element.
pub const FIELD_BYTES: usize = 32;
/// Bytes of a point in G1.
pub const G1_BYTES: usize = 2 * FIELD_BYTES;
/// Bytes of a point in G2.
pub const G2_BYTES: usize = 4 * FIELD_BYTES;

/// The modulus of the scalar field as 32 little-endian bytes: how files name their curve.
pub fn scalar_modulus() -> [u8; FIELD_BYTES] {
    from_limbs(Fr::MODULUS)
}

/// The modulus of the coordinates as 32 little-endian bytes.
pub fn base_modulus() -> [u8; FIELD_BYTES] {
    from_limbs(Fq::MODULUS)
}

/// One point of a list is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {defect}")]
pub struct PointError {
    /// Which one.
    pub index: usize,
    /// What is wrong with it.
    #[source]
    pub defect: PointDefect,
}

/// A coordinate in Montgomery form.
pub trait Coordinate: Copy + Send + Sync {
    /// Bytes of it.
    const BYTES: usize;
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads exactly [`Self::BYTES`] bytes; `None` at or above the modulus.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Coordinate for Fq {
    const BYTES: usize = FIELD_BYTES;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&from_limbs(self.0));
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let limbs = to_limbs(bytes);
        (limbs < Fq::MODULUS).then(|| Fq::new_unchecked(limbs))
    }
}

impl Coordinate for Fq2 {
    const BYTES: usize = 2 * FIELD_BYTES;

    fn write(&self, out: &mut Vec<u8>) {
        self.c0.write(out);
        self.c1.write(out);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (c0, c1) = bytes.split_at(FIELD_BYTES);
        Some(Fq2::new(Fq::read(c0)?, Fq::read(c1)?))
    }
}

/// Bytes of a point of this curve.
pub const fn point_bytes<C: SWCurveConfig>() -> usize
where
    C::BaseField: Coordinate,
{
    2 * C::BaseField::BYTES
}

/// Appends points.
pub fn encode_points<C: SWCurveConfig>(points: &[Affine<C>], out: &mut Vec<u8>)
where
    C::BaseField: Coordinate,
{
    out.reserve(points.len() * point_bytes::<C>());
    for point in points {
        if point.is_zero() {
            out.resize(out.len() + point_bytes::<C>(), 0);
        } else {
            point.x.write(out);
            point.y.write(out);
        }
    }
}

/// Reads as many points as the bytes hold, in parallel; infinity is accepted.
///
/// # Errors
/// The first point that is not canonical, off the curve, or outside of the subgroup. Bytes left
/// over count as a point that is not canonical.
pub fn decode_points<C: SWCurveConfig>(bytes: &[u8]) -> Result<Vec<Affine<C>>, PointError>
where
    C::BaseField: Coordinate,
{
    let size = point_bytes::<C>();
    let points: Vec<Affine<C>> = bytes
        .par_chunks(size)
        .enumerate()
        .map(|(index, chunk)| decode_on_curve(chunk).map_err(|defect| PointError { index, defect }))
        .collect::<Result<_, _>>()?;
    match subgroup::first_outside(&points) {
        None => Ok(points),
        Some(index) => Err(PointError { index, defect: PointDefect::OffSubgroup }),
    }
}

/// As [`decode_points`], and none at infinity.
pub fn decode_finite_points<C: SWCurveConfig>(bytes: &[u8]) -> Result<Vec<Affine<C>>, PointError>
where
    C::BaseField: Coordinate,
{
    let points = decode_points::<C>(bytes)?;
    match points.iter().position(AffineRepr::is_zero) {
        None => Ok(points),
        Some(index) => Err(PointError { index, defect: PointDefect::Infinity }),
    }
}

fn decode_on_curve<C: SWCurveConfig>(bytes: &[u8]) -> Result<Affine<C>, PointDefect>
where
    C::BaseField: Coordinate,
{
    if bytes.len() != point_bytes::<C>() {
        return Err(PointDefect::NotCanonical);
    }
    let (x, y) = bytes.split_at(C::BaseField::BYTES);
    let x = <C::BaseField as Coordinate>::read(x).ok_or(PointDefect::NotCanonical)?;
    let y = <C::BaseField as Coordinate>::read(y).ok_or(PointDefect::NotCanonical)?;
    checked_point(x, y)
}

/// The point with these coordinates, both zero standing for infinity. The subgroup is not asked.
pub(crate) fn checked_point<C: SWCurveConfig>(
    x: C::BaseField,
    y: C::BaseField,
) -> Result<Affine<C>, PointDefect> {
    // (0, 0) is on neither curve, so the sentinel shadows no point.
    if x == C::BaseField::ZERO && y == C::BaseField::ZERO {
        return Ok(Affine::identity());
    }
    #[allow(clippy::disallowed_methods)]
    // checked in the next line, and for the subgroup by callers
    let point = Affine::new_unchecked(x, y);
    if point.is_on_curve() { Ok(point) } else { Err(PointDefect::OffCurve) }
}

/// A scalar as `.zkey` stores the coefficients of its matrices: multiplied by `R^2`.
pub(crate) fn encode_coefficient(value: &Fr, out: &mut Vec<u8>) {
    // value.0 is value·R; taken as a plain integer and brought to Montgomery form again.
    let twice = Fr::from_bigint(value.0).expect("Montgomery form is below the modulus");
    out.extend_from_slice(&from_limbs(twice.0));
}

/// The reverse of [`encode_coefficient`]; `None` at or above the modulus.
pub(crate) fn decode_coefficient(bytes: &[u8; FIELD_BYTES]) -> Option<Fr> {
    let limbs = to_limbs(bytes);
    (limbs < Fr::MODULUS).then(|| Fr::new_unchecked(Fr::new_unchecked(limbs).into_bigint()))
}

fn to_limbs(bytes: &[u8]) -> BigInt<4> {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(chunk.try_into().expect("chunks are eight bytes"));
    }
    BigInt::new(limbs)
}

fn from_limbs(limbs: BigInt<4>) -> [u8; FIELD_BYTES] {
    let mut out = [0u8; FIELD_BYTES];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(limbs.0) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{G1Affine, G2Affine, g1, g2};
    use ark_ec::CurveGroup;
    use ark_ff::Field;

    fn some<A: AffineRepr<ScalarField = Fr>>() -> Vec<A> {
        let mut points: Vec<A> =
            (1u64..6).map(|i| (A::generator() * Fr::from(i * i)).into_affine()).collect();
        points[2] = A::zero();
        points
    }

    #[test]
    fn points_keep_their_value() {
        let points = some::<G1Affine>();
        let mut bytes = Vec::new();
        encode_points(&points, &mut bytes);
        assert_eq!(bytes.len(), points.len() * G1_BYTES);
        assert_eq!(decode_points::<g1::Config>(&bytes).unwrap(), points);
        assert_eq!(
            decode_finite_points::<g1::Config>(&bytes),
            Err(PointError { index: 2, defect: PointDefect::Infinity })
        );
        let points = some::<G2Affine>();
        let mut bytes = Vec::new();
        encode_points(&points, &mut bytes);
        assert_eq!(bytes.len(), points.len() * G2_BYTES);
        assert_eq!(decode_points::<g2::Config>(&bytes).unwrap(), points);
    }

    #[test]
    fn coordinates_are_in_montgomery_form() {
        // The generator of G1 is (1, 2): its first coordinate is stored as R mod q.
        let mut bytes = Vec::new();
        encode_points(&[G1Affine::generator()], &mut bytes);
        let r = Fq::from(2u64).pow([256]);
        assert_eq!(bytes[..32], from_limbs(r.into_bigint()));
    }

    #[test]
    fn coordinates_at_or_above_the_modulus_are_refused() {
        let mut bytes = vec![0u8; G1_BYTES];
        bytes[..32].copy_from_slice(&base_modulus());
        let refused = PointError { index: 0, defect: PointDefect::NotCanonical };
        assert_eq!(decode_points::<g1::Config>(&bytes), Err(refused));
        bytes[..32].fill(0xff);
        assert_eq!(decode_points::<g1::Config>(&bytes), Err(refused));
        assert_eq!(decode_points::<g1::Config>(&bytes[..63]), Err(refused));
    }

    #[test]
    fn points_off_the_curve_or_outside_of_the_subgroup_are_named() {
        let mut points = some::<G1Affine>();
        points[3].x += Fq::ONE;
        let mut bytes = Vec::new();
        encode_points(&points, &mut bytes);
        assert_eq!(
            decode_points::<g1::Config>(&bytes),
            Err(PointError { index: 3, defect: PointDefect::OffCurve })
        );
        let mut points = some::<G2Affine>();
        points[4] = (1u64..)
            .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
            .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .unwrap();
        let mut bytes = Vec::new();
        encode_points(&points, &mut bytes);
        assert_eq!(
            decode_points::<g2::Config>(&bytes),
            Err(PointError { index: 4, defect: PointDefect::OffSubgroup })
        );
    }

    #[test]
    fn coefficients_are_multiplied_by_r_squared() {
        let value = Fr::from(123_456_789u64);
        let mut bytes = Vec::new();
        encode_coefficient(&value, &mut bytes);
        let r2 = Fr::from(2u64).pow([512]);
        assert_eq!(bytes, from_limbs((value * r2).into_bigint()));
        assert_eq!(decode_coefficient(&bytes.try_into().unwrap()), Some(value));
        assert_eq!(decode_coefficient(&scalar_modulus()), None);
    }
}
