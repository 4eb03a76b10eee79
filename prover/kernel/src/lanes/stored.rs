//! Points as tables and files hold them.

use ark_bn254::{Fq, Fq2, g1, g2};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, Field};

use crate::engine::Arithmetic;
use crate::jacobian::{self, Jacobian};

/// Coordinates of the points of a curve.
pub type Coordinate<P> = <<P as Stored>::Curve as ark_ec::CurveConfig>::BaseField;

/// A finite point: x then y, each base-field element four words of its Montgomery form with radix
/// 2^256, which is arkworks' own. Aligned to cache lines.
pub trait Stored: Copy + Send + Sync + 'static {
    /// The curve.
    type Curve: SWCurveConfig;

    /// From coordinates.
    fn new(x: Coordinate<Self>, y: Coordinate<Self>) -> Self;
    /// The coordinates.
    fn coordinates(&self) -> (Coordinate<Self>, Coordinate<Self>);

    /// Doubles each point so many times.
    fn double(points: &mut [Jacobian<Coordinate<Self>>], times: usize);

    /// From a point; `None` for the one at infinity.
    fn from_affine(point: &Affine<Self::Curve>) -> Option<Self> {
        let (x, y) = point.xy()?;
        Some(Self::new(x, y))
    }
    /// The point.
    fn to_affine(&self) -> Affine<Self::Curve> {
        let (x, y) = self.coordinates();
        // Table entries are multiples of points that were checked where they entered.
        #[allow(clippy::disallowed_methods)]
        Affine::new_unchecked(x, y)
    }
}

/// A point of G1 in one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct G1Stored(pub [u64; 8]);

/// A point of G2 in two cache lines: x.c0, x.c1, y.c0, y.c1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct G2Stored(pub [u64; 16]);

#[inline(always)]
fn element(words: &[u64]) -> Fq {
    Fq::new_unchecked(BigInt([words[0], words[1], words[2], words[3]]))
}

impl Stored for G1Stored {
    type Curve = g1::Config;

    #[inline(always)]
    fn new(x: Fq, y: Fq) -> Self {
        let mut words = [0; 8];
        words[..4].copy_from_slice(&x.0.0);
        words[4..].copy_from_slice(&y.0.0);
        Self(words)
    }
    #[inline(always)]
    fn coordinates(&self) -> (Fq, Fq) {
        (element(&self.0[..4]), element(&self.0[4..]))
    }
    fn double(points: &mut [Jacobian<Fq>], times: usize) {
        jacobian::double_g1(Arithmetic::best(), points, times);
    }
}

impl Stored for G2Stored {
    type Curve = g2::Config;

    #[inline(always)]
    fn new(x: Fq2, y: Fq2) -> Self {
        let mut words = [0; 16];
        for (four, element) in words.chunks_exact_mut(4).zip([x.c0, x.c1, y.c0, y.c1]) {
            four.copy_from_slice(&element.0.0);
        }
        Self(words)
    }
    #[inline(always)]
    fn coordinates(&self) -> (Fq2, Fq2) {
        let [a, b, c, d] = [0, 4, 8, 12].map(|at| element(&self.0[at..at + 4]));
        (Fq2::new(a, b), Fq2::new(c, d))
    }
    fn double(points: &mut [Jacobian<Fq2>], times: usize) {
        jacobian::double_g2(Arithmetic::best(), points, times);
    }
}

/// `1 / x` of each, or `None` if one is zero: one inversion for all.
pub(super) fn invert_all<F: Field, const N: usize>(elements: [F; N]) -> Option<[F; N]> {
    let mut before = [F::ONE; N];
    let mut product = F::ONE;
    for (before, element) in before.iter_mut().zip(&elements) {
        *before = product;
        product *= element;
    }
    let mut inverse = product.inverse()?;
    let mut out = before;
    for (out, element) in out.iter_mut().zip(&elements).rev() {
        *out *= inverse;
        inverse *= element;
    }
    Some(out)
}
