//! Jacobian coordinates, one point at a time or eight: multiples of points without an inversion,
//! for what is done once per key.
//!
//! A point is (X/Z², Y/Z³). The formulas do not hold for equal or opposite points; there they give
//! Z = 0, and every later formula keeps that. So who gets Z = 0 in the end falls back on complete
//! formulas. Curves have the form y² = x³ + b, whose b no formula uses: a table of multiples with a
//! common Z is a table of affine points on another such curve.
//!
//! Sources: Bernstein and Lange, Explicit-Formulas Database, "dbl-2009-l" and "madd-2007-bl"; Gallant,
//! Lambert and Vanstone, 2001, for the endomorphism.

use ark_bn254::{Fq, Fq2, Fr, g1};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ff::{AdditiveGroup, Field, PrimeField};

use crate::engine::{Arithmetic, Kind};
#[cfg(target_arch = "x86_64")]
use crate::lanes::fp8::Fp8;

/// A point.
#[derive(Clone, Copy, Debug)]
pub struct Jacobian<F> {
    /// X
    pub x: F,
    /// Y
    pub y: F,
    /// Z; zero where a formula did not hold.
    pub z: F,
}

/// Coordinates of `WIDTH` points side by side. Values are loosely reduced: numbers in the
/// descriptions are multiples of the modulus.
trait Parallel: Copy {
    const WIDTH: usize;
    type Element: Field;
    /// Of `WIDTH` elements; at most 3.
    fn load(elements: &[Self::Element]) -> Self;
    fn store(self, elements: &mut [Self::Element]);
    /// Takes at most 12, gives at most 3; of 3 and 3, or of 1.2 and 8, at most 1.12.
    fn mul(self, other: Self) -> Self;
    /// As `mul`.
    fn square(self) -> Self;
    fn add(self, other: Self) -> Self;
    /// Adds K to the result; `other` is at most K.
    fn sub<const K: u64>(self, other: Self) -> Self;
    /// Gives at most 3.
    fn reduce(self) -> Self;
    /// `other` in the lanes of `mask`.
    fn select(self, mask: u8, other: Self) -> Self;
}

/// One at a time.
#[derive(Clone, Copy)]
struct One<F>(F);

impl<F: Field> Parallel for One<F> {
    const WIDTH: usize = 1;
    type Element = F;
    #[inline(always)]
    fn load(elements: &[F]) -> Self {
        Self(elements[0])
    }
    #[inline(always)]
    fn store(self, elements: &mut [F]) {
        elements[0] = self.0;
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
    #[inline(always)]
    fn square(self) -> Self {
        Self(self.0.square())
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
    #[inline(always)]
    fn sub<const K: u64>(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
    #[inline(always)]
    fn reduce(self) -> Self {
        self
    }
    #[inline(always)]
    fn select(self, mask: u8, other: Self) -> Self {
        if mask & 1 == 1 { other } else { self }
    }
}

#[cfg(target_arch = "x86_64")]
impl Parallel for Fp8<Fq> {
    const WIDTH: usize = 8;
    type Element = Fq;
    #[inline(always)]
    fn load(elements: &[Fq]) -> Self {
        Self::from_elements(elements.try_into().expect("eight lanes")).reduce()
    }
    #[inline(always)]
    fn store(self, elements: &mut [Fq]) {
        elements.copy_from_slice(&self.elements());
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.mul(other)
    }
    #[inline(always)]
    fn square(self) -> Self {
        self.square()
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.add(other)
    }
    #[inline(always)]
    fn sub<const K: u64>(self, other: Self) -> Self {
        self.sub::<K>(other)
    }
    #[inline(always)]
    fn reduce(self) -> Self {
        self.reduce()
    }
    #[inline(always)]
    fn select(self, mask: u8, other: Self) -> Self {
        self.select(mask, other)
    }
}

/// Eight elements of the quadratic extension, `c0 + c1·i` with `i² = -1`.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Pair {
    c0: Fp8<Fq>,
    c1: Fp8<Fq>,
}

/// Products reduce what they take.
#[cfg(target_arch = "x86_64")]
impl Parallel for Pair {
    const WIDTH: usize = 8;
    type Element = Fq2;
    #[inline(always)]
    fn load(elements: &[Fq2]) -> Self {
        let mut halves = [[Fq::ZERO; 8]; 2];
        for (lane, element) in elements.iter().enumerate() {
            (halves[0][lane], halves[1][lane]) = (element.c0, element.c1);
        }
        let [c0, c1] = halves;
        Self { c0: Fp8::from_elements(c0), c1: Fp8::from_elements(c1) }.reduce()
    }
    #[inline(always)]
    fn store(self, elements: &mut [Fq2]) {
        let (c0, c1) = (self.c0.elements(), self.c1.elements());
        for (lane, element) in elements.iter_mut().enumerate() {
            *element = Fq2::new(c0[lane], c1[lane]);
        }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (x, y) = (self.reduce(), other.reduce());
        let (a, b) = (x.c0.wide_mul(y.c0), x.c1.wide_mul(y.c1));
        let cross = x.c0.add(x.c1).wide_mul(y.c0.add(y.c1));
        // a - b is above -9 p², so one p is enough; 2.1 at most.
        Self { c0: a.sub(b).montgomery_above::<1>(), c1: cross.sub(a).sub(b).montgomery() }
    }
    #[inline(always)]
    fn square(self) -> Self {
        let Self { c0, c1 } = self.reduce();
        Self { c0: c0.add(c1).mul(c0.sub::<3>(c1)), c1: c0.add(c0).mul(c1) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { c0: self.c0.add(other.c0), c1: self.c1.add(other.c1) }
    }
    #[inline(always)]
    fn sub<const K: u64>(self, other: Self) -> Self {
        Self { c0: self.c0.sub::<K>(other.c0), c1: self.c1.sub::<K>(other.c1) }
    }
    #[inline(always)]
    fn reduce(self) -> Self {
        Self { c0: self.c0.reduce(), c1: self.c1.reduce() }
    }
    #[inline(always)]
    fn select(self, mask: u8, other: Self) -> Self {
        Self { c0: self.c0.select(mask, other.c0), c1: self.c1.select(mask, other.c1) }
    }
}

/// Most lanes.
const LANES: usize = 8;

/// Lanes of points; all coordinates at most 3.
type Points<L> = Jacobian<L>;

#[inline(always)]
fn load<L: Parallel>(points: &[Jacobian<L::Element>]) -> Points<L> {
    let mut coordinates = [[L::Element::ZERO; LANES]; 3];
    for lane in 0..L::WIDTH {
        // The last one fills up.
        let point = &points[lane.min(points.len() - 1)];
        coordinates[0][lane] = point.x;
        coordinates[1][lane] = point.y;
        coordinates[2][lane] = point.z;
    }
    Jacobian {
        x: L::load(&coordinates[0][..L::WIDTH]),
        y: L::load(&coordinates[1][..L::WIDTH]),
        z: L::load(&coordinates[2][..L::WIDTH]),
    }
}

#[inline(always)]
fn store<L: Parallel>(points: Points<L>, out: &mut [Jacobian<L::Element>]) {
    let mut coordinates = [[L::Element::ZERO; LANES]; 3];
    points.x.store(&mut coordinates[0][..L::WIDTH]);
    points.y.store(&mut coordinates[1][..L::WIDTH]);
    points.z.store(&mut coordinates[2][..L::WIDTH]);
    for (lane, point) in out.iter_mut().enumerate() {
        *point =
            Jacobian { x: coordinates[0][lane], y: coordinates[1][lane], z: coordinates[2][lane] };
    }
}

/// Seven products.
#[inline(always)]
fn double<L: Parallel>(p: Points<L>) -> Points<L> {
    let a = p.x.square();
    let b = p.y.square();
    let c = b.square();
    let xb = p.x.mul(b);
    let xb = xb.add(xb);
    // At most 8.5, as half of 8 c.
    let d = xb.add(xb);
    let e = a.add(a).add(a);
    let x = e.square().sub::<17>(d.add(d)).reduce();
    let c = c.add(c);
    let c = c.add(c);
    let y = e.mul(d.sub::<3>(x)).sub::<17>(c.add(c)).reduce();
    let z = p.y.mul(p.z);
    Jacobian { x, y, z: z.add(z) }
}

/// The sum with a point whose Z is one, and the factor by which Z grew. Eleven products.
#[inline(always)]
fn add_affine<L: Parallel>(p: Points<L>, x2: L, y2: L) -> (Points<L>, L) {
    let zz = p.z.square();
    let h = x2.mul(zz).sub::<3>(p.x);
    let r = y2.mul(p.z).mul(zz).sub::<3>(p.y);
    let hh = h.square();
    let hhh = h.mul(hh);
    let v = p.x.mul(hh);
    let x = r.square().sub::<4>(hhh.add(v).add(v)).reduce();
    let y = r.mul(v.sub::<3>(x)).sub::<2>(p.y.mul(hhh)).reduce();
    (Jacobian { x, y, z: p.z.mul(h) }, h)
}

/// Sum and difference. Nineteen products.
#[inline(always)]
fn combine<L: Parallel>(p: Points<L>, q: Points<L>) -> (Points<L>, Points<L>) {
    let (zz1, zz2) = (p.z.square(), q.z.square());
    let (u1, u2) = (p.x.mul(zz2), q.x.mul(zz1));
    let s1 = p.y.mul(q.z).mul(zz2);
    let s2 = q.y.mul(p.z).mul(zz1);
    let h = u2.sub::<2>(u1);
    let hh = h.square();
    let hhh = h.mul(hh);
    let v = u1.mul(hh);
    let z = p.z.mul(q.z).mul(h);
    let twice = hhh.add(v).add(v);
    let shifted = s1.mul(hhh);

    let r = s2.sub::<2>(s1);
    let x = r.square().sub::<4>(twice).reduce();
    let y = r.mul(v.sub::<3>(x)).sub::<2>(shifted).reduce();
    let sum = Jacobian { x, y, z };

    // With -q: -s2 - s1, the sign turned twice.
    let r = s2.add(s1);
    let x = r.square().sub::<4>(twice).reduce();
    let y = r.mul(x.sub::<2>(v)).sub::<2>(shifted).reduce();
    (sum, Jacobian { x, y, z })
}

/// Bits of a digit of a multiplier.
const WIDTH: usize = 4;
/// Digits of half a multiplier, which has at most 128 bits.
const DIGITS: usize = 33;
/// Multiples in a table.
const MULTIPLES: usize = 1 << (WIDTH - 1);

/// A scalar in signed digits of two halves, `k1 + k2·λ`.
#[derive(Clone, Copy, Debug)]
pub struct Multiplier([[i8; DIGITS]; 2]);

impl Multiplier {
    /// Splits a scalar. `None` if a half is too long, which only another curve could make it.
    pub fn new(scalar: Fr) -> Option<Self> {
        let (first, second) = <g1::Config as GLVConfig>::scalar_decomposition(scalar);
        let mut halves = [[0; DIGITS]; 2];
        for (half, (positive, part)) in halves.iter_mut().zip([first, second]) {
            let words = part.into_bigint().0;
            if words[2] != 0 || words[3] != 0 {
                return None;
            }
            let mut rest = u128::from(words[0]) | u128::from(words[1]) << 64;
            let mut carry = 0;
            for digit in half.iter_mut() {
                let mut value = (rest & ((1 << WIDTH) - 1)) as i8 + carry;
                rest >>= WIDTH;
                carry = 0;
                if value > MULTIPLES as i8 {
                    value -= 1 << WIDTH;
                    carry = 1;
                }
                *digit = if positive { value } else { -value };
            }
        }
        Some(Self(halves))
    }
}

/// Multiples 1 to 8 with a common Z: x, y, and x of the images under the endomorphism.
struct Multiples<L> {
    x: [L; MULTIPLES],
    y: [L; MULTIPLES],
    image: [L; MULTIPLES],
    z: L,
}

#[inline(always)]
fn multiples<L: Parallel<Element = Fq>>(x: L, y: L) -> Multiples<L> {
    let one = L::load(&[Fq::ONE; LANES][..L::WIDTH]);
    let mut points = [Jacobian { x, y, z: one }; MULTIPLES];
    // Z of a multiple is that of the one before times this.
    let mut growth = [one; MULTIPLES];
    points[1] = double(points[0]);
    growth[1] = points[1].z;
    for i in 2..MULTIPLES {
        (points[i], growth[i]) = add_affine(points[i - 1], x, y);
    }
    let beta = L::load(&[<g1::Config as GLVConfig>::ENDO_COEFFS[0]; LANES][..L::WIDTH]);
    let z = points[MULTIPLES - 1].z;
    let mut multiples =
        Multiples { x: [one; MULTIPLES], y: [one; MULTIPLES], image: [one; MULTIPLES], z };
    let mut factor = one;
    for i in (0..MULTIPLES).rev() {
        let square = factor.square();
        multiples.x[i] = points[i].x.mul(square);
        multiples.y[i] = points[i].y.mul(square.mul(factor));
        multiples.image[i] = multiples.x[i].mul(beta);
        factor = factor.mul(growth[i]);
    }
    multiples
}

/// Each point times its multiplier.
#[inline(always)]
fn times<L: Parallel<Element = Fq>>(p: Points<L>, by: &[&Multiplier]) -> Points<L> {
    let table = multiples(p.x, p.y);
    let one = L::load(&[Fq::ONE; LANES][..L::WIDTH]);
    let zero = L::load(&[Fq::ZERO; LANES][..L::WIDTH]);
    let mut sum = Jacobian { x: p.x, y: p.y, z: one };
    // Lanes whose sum is not infinite any more.
    let mut begun = 0u8;
    for place in (0..DIGITS).rev() {
        if begun != 0 {
            for _ in 0..WIDTH {
                sum = double(sum);
            }
        }
        for half in 0..2 {
            let mut negative = 0u8;
            let mut of = [0u8; MULTIPLES + 1];
            for lane in 0..L::WIDTH {
                let digit = by[lane.min(by.len() - 1)].0[half][place];
                negative |= u8::from(digit < 0) << lane;
                of[usize::from(digit.unsigned_abs())] |= 1 << lane;
            }
            let (mut x, mut y, mut some) = (table.x[0], table.y[0], 0u8);
            let xs = if half == 0 { &table.x } else { &table.image };
            for i in 0..MULTIPLES {
                let mask = of[i + 1];
                if mask != 0 {
                    x = x.select(mask, xs[i]);
                    y = y.select(mask, table.y[i]);
                    some |= mask;
                }
            }
            if some == 0 {
                continue;
            }
            y = y.select(negative, zero.sub::<3>(y));
            let (next, _) = add_affine(sum, x, y);
            let (first, more) = (some & !begun, some & begun);
            sum = Jacobian {
                x: sum.x.select(more, next.x).select(first, x),
                y: sum.y.select(more, next.y).select(first, y),
                z: sum.z.select(more, next.z).select(first, one),
            };
            begun |= some;
        }
    }
    // Zero times a point is the one at infinity; a lane that never began is one.
    let z = sum.z.mul(table.z).mul(p.z);
    Jacobian { z: zero.select(begun, z), ..sum }
}

#[inline(always)]
fn times_all<L: Parallel<Element = Fq>>(points: &mut [Jacobian<Fq>], by: &[&Multiplier]) {
    for (points, by) in points.chunks_mut(L::WIDTH).zip(by.chunks(L::WIDTH)) {
        store(times::<L>(load(points), by), points);
    }
}

#[inline(always)]
fn combine_all<L: Parallel>(left: &mut [Jacobian<L::Element>], right: &mut [Jacobian<L::Element>]) {
    for (left, right) in left.chunks_mut(L::WIDTH).zip(right.chunks_mut(L::WIDTH)) {
        let (sum, difference) = combine::<L>(load(left), load(right));
        store(sum, left);
        store(difference, right);
    }
}

#[inline(always)]
fn double_all<L: Parallel>(points: &mut [Jacobian<L::Element>], times: usize) {
    for points in points.chunks_mut(L::WIDTH) {
        let mut p = load::<L>(points);
        for _ in 0..times {
            p = double(p);
        }
        store(p, points);
    }
}

/// The functions above for one kind of arithmetic.
macro_rules! compiled {
    ($module:ident, $lanes:ty, $quadratic:ty $(, $($feature:literal),+)?) => {
        mod $module {
            use super::*;

            $(#[target_feature($(enable = $feature),+)])?
            pub(super) fn times(points: &mut [Jacobian<Fq>], by: &[&Multiplier]) {
                times_all::<$lanes>(points, by);
            }
            $(#[target_feature($(enable = $feature),+)])?
            pub(super) fn combine(left: &mut [Jacobian<Fq>], right: &mut [Jacobian<Fq>]) {
                combine_all::<$lanes>(left, right);
            }
            $(#[target_feature($(enable = $feature),+)])?
            pub(super) fn double(points: &mut [Jacobian<Fq>], times: usize) {
                double_all::<$lanes>(points, times);
            }
            $(#[target_feature($(enable = $feature),+)])?
            pub(super) fn double_quadratic(points: &mut [Jacobian<Fq2>], times: usize) {
                double_all::<$quadratic>(points, times);
            }
        }
    };
}

compiled!(portable, One<Fq>, One<Fq2>);
#[cfg(target_arch = "x86_64")]
compiled!(ifma, Fp8<Fq>, Pair, "avx512f", "avx512dq", "avx512ifma", "bmi2", "adx");

/// Calls one of two functions.
macro_rules! by {
    ($arithmetic:expr, $function:ident($($argument:expr),*)) => {
        match $arithmetic.kind() {
            // SAFETY: there is such an `Arithmetic` only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Kind::Ifma => unsafe { ifma::$function($($argument),*) },
            Kind::Portable => portable::$function($($argument),*),
        }
    };
}

/// Multiplies each point with its own scalar.
///
/// # Panics
/// If there are fewer scalars than points.
pub fn multiply(arithmetic: Arithmetic, points: &mut [Jacobian<Fq>], by: &[&Multiplier]) {
    assert!(points.len() <= by.len(), "one multiplier each point");
    by!(arithmetic, times(points, by));
}

/// Replaces pairs of points by their sum and difference.
///
/// # Panics
/// If there are more on one side.
pub fn sums_and_differences(
    arithmetic: Arithmetic,
    left: &mut [Jacobian<Fq>],
    right: &mut [Jacobian<Fq>],
) {
    assert_eq!(left.len(), right.len(), "pairs");
    by!(arithmetic, combine(left, right));
}

/// Doubles each point so many times.
pub fn double_g1(arithmetic: Arithmetic, points: &mut [Jacobian<Fq>], times: usize) {
    by!(arithmetic, double(points, times));
}

/// As [`double_g1`].
pub fn double_g2(arithmetic: Arithmetic, points: &mut [Jacobian<Fq2>], times: usize) {
    by!(arithmetic, double_quadratic(points, times));
}

#[cfg(test)]
mod tests {
    use ark_bn254::{G1Affine, G1Projective, G2Projective};
    use ark_ec::CurveGroup;
    use ark_ec::short_weierstrass::{Projective, SWCurveConfig};
    use ark_ff::{One as _, Zero};
    use ark_std::UniformRand;
    use ark_std::rand::SeedableRng;
    use ark_std::rand::rngs::StdRng;

    use super::*;

    fn affine<C: SWCurveConfig>(
        points: &[Jacobian<C::BaseField>],
    ) -> Vec<ark_ec::short_weierstrass::Affine<C>> {
        let points = points.iter().map(|&Jacobian { x, y, z }| Projective::<C> { x, y, z });
        Projective::normalize_batch(&points.collect::<Vec<_>>())
    }
    fn jacobian<C: SWCurveConfig>(points: &[Projective<C>]) -> Vec<Jacobian<C::BaseField>> {
        points.iter().map(|p| Jacobian { x: p.x, y: p.y, z: p.z }).collect()
    }

    #[test]
    fn multiples_sums_and_doubles_equal_the_library_s() {
        let rng = &mut StdRng::seed_from_u64(1);
        for arithmetic in Arithmetic::available() {
            // Lengths that fill no vector; Z that is not one.
            for count in [1, 7, 8, 21] {
                let left: Vec<_> = (0..count).map(|_| G1Projective::rand(rng).double()).collect();
                let right: Vec<_> = (0..count).map(|_| G1Projective::rand(rng)).collect();
                let pairs = || left.iter().zip(&right);
                let sums: Vec<_> = pairs().map(|(p, q)| *p + q).collect();
                let differences: Vec<_> = pairs().map(|(p, q)| *p - q).collect();
                let (mut p, mut q) = (jacobian(&left), jacobian(&right));
                sums_and_differences(arithmetic, &mut p, &mut q);
                assert_eq!(affine::<g1::Config>(&p), G1Projective::normalize_batch(&sums));
                assert_eq!(affine::<g1::Config>(&q), G1Projective::normalize_batch(&differences));

                let mut p = jacobian(&left);
                double_g1(arithmetic, &mut p, 75);
                let by = Fr::from(2u8).pow([75]);
                let expected: Vec<_> = left.iter().map(|p| (*p * by).into_affine()).collect();
                assert_eq!(affine::<g1::Config>(&p), expected);

                let left: Vec<_> = (0..count).map(|_| G2Projective::rand(rng)).collect();
                let mut p = jacobian(&left);
                double_g2(arithmetic, &mut p, 75);
                let expected: Vec<_> = left.iter().map(|p| (*p * by).into_affine()).collect();
                assert_eq!(affine::<ark_bn254::g2::Config>(&p), expected);
            }
        }
    }

    #[test]
    fn every_kind_of_scalar_multiplies() {
        let rng = &mut StdRng::seed_from_u64(2);
        let lambda = <g1::Config as GLVConfig>::LAMBDA;
        let one = Fr::one();
        let mut scalars = vec![Fr::zero(), one, -one, lambda, -lambda, lambda + one, -lambda - one];
        scalars.extend((0..70u64).map(Fr::from));
        scalars.extend((0..254).map(|bit| Fr::from(2u8).pow([bit])));
        scalars.extend((0..100).map(|_| Fr::rand(rng)));
        let by: Vec<_> = scalars.iter().map(|scalar| Multiplier::new(*scalar).unwrap()).collect();
        let by: Vec<_> = by.iter().collect();
        let points: Vec<_> = scalars.iter().map(|_| G1Projective::rand(rng)).collect();
        let expected: Vec<G1Affine> =
            points.iter().zip(&scalars).map(|(p, s)| (*p * s).into_affine()).collect();
        for arithmetic in Arithmetic::available() {
            let mut found = jacobian(&points);
            multiply(arithmetic, &mut found, &by);
            assert_eq!(affine::<g1::Config>(&found), expected, "{arithmetic:?}");
        }
    }
}
