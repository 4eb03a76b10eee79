//! The product of pairings that decides about proofs: one Miller loop over any number of pairs.
//! The optimal ate pairing on BN254 (Vercauteren 2008/096), as the library computes it.
//!
//! Membership in G2 costs nothing here. The loop walks from a point Q to
//! `W = [6x+2]Q + ψ(Q) − ψ²(Q)`, with ψ the Frobenius of the untwisted curve, and Q is in G2 iff
//! `W = −ψ³(Q)`:
//!
//! - On G2, ψ multiplies by q, and `6x + 2 + q − q² + q³` is a multiple of r: the pairing rests on it.
//! - On all of the twist ψ² − tψ + q = 0, so `a = 6x + 2 + ψ − ψ² + ψ³` reduces to `m + nψ` with
//!   integers, and if a kills Q, so does its norm `m² + mnt + n²q`. The order of Q divides that
//!   norm and the order hr of the twist, whose greatest common divisor is r. (El Housni, Guillevic
//!   and Piellard, 2022/352, give this way of reasoning.)

use ark_bn254::{Config, Fq, Fq2, Fq12, G1Affine, G2Affine, g2};
use ark_ec::AffineRepr;
use ark_ec::bn::BnConfig;
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ff::{Field, One, Zero, serial_batch_inversion_and_mul};

use crate::limbs::{add2, double2, mul2, scale2, square2, sub2};
use crate::tower::{mul_by_line, mul_by_monic_line, mul12, square12};

/// A line through points of the twist: `y·c0 + (x·c3 + c4 v) w` at the point (x, y) of G1.
struct Line {
    c0: Fq2,
    c3: Fq2,
    c4: Fq2,
}

/// The steps of the loop from the second-highest digit of 6x + 2 on: a doubling, and then perhaps
/// an addition or subtraction.
fn digits() -> impl Iterator<Item = i8> {
    Config::ATE_LOOP_COUNT.iter().rev().skip(1).copied()
}

/// ψ: the Frobenius of the untwisted curve, brought back to the twist.
fn frobenius(point: &G2Affine) -> G2Affine {
    let mut out = *point;
    out.x.conjugate_in_place();
    out.y.conjugate_in_place();
    out.x = mul2(&out.x, &Config::TWIST_MUL_BY_Q_X);
    out.y = mul2(&out.y, &Config::TWIST_MUL_BY_Q_Y);
    out
}

fn triple(a: &Fq2) -> Fq2 {
    add2(&double2(a), a)
}

/// The walk of one point Q through the loop, in homogeneous coordinates.
///
/// Neither formula covers every case: an addition of ± the same point gives z = 0. That is
/// harmless. From z = 0 both formulas lead to z = 0 again, where [`Self::in_subgroup`] says no; and
/// with z ≠ 0 at the end no such case came up. It never does in G2: the walk's multiples of Q are
/// not ±Q, nor ±ψ(Q) or ±ψ²(Q) where these are added.
struct Walk {
    start: G2Affine,
    x: Fq2,
    y: Fq2,
    z: Fq2,
}

impl Walk {
    fn new(start: G2Affine) -> Self {
        Self { start, x: start.x, y: start.y, z: Fq2::ONE }
    }

    /// Doubles, and gives the tangent.
    fn double(&mut self) -> Line {
        let yy = square2(&self.y);
        let zz = square2(&self.z);
        // b' = 3/(9 + u) of the curve's equation; e = 3b'z².
        let e = mul2(&triple(&zz), &g2::Config::COEFF_B);
        let f = triple(&e);
        let h = sub2(&sub2(&square2(&add2(&self.y, &self.z)), &yy), &zz);
        let xx = square2(&self.x);
        let ee = triple(&square2(&double2(&e)));
        // Four times the point of the usual formulas, which halve.
        self.x = mul2(&double2(&mul2(&self.x, &self.y)), &sub2(&yy, &f));
        self.y = sub2(&square2(&add2(&yy, &f)), &ee);
        self.z = double2(&double2(&mul2(&yy, &h)));
        Line { c0: -h, c3: triple(&xx), c4: sub2(&e, &yy) }
    }

    /// Adds a point, and gives the chord.
    fn add(&mut self, point: &G2Affine) -> Line {
        let rise = sub2(&self.y, &mul2(&point.y, &self.z));
        let run = sub2(&self.x, &mul2(&point.x, &self.z));
        let run2 = square2(&run);
        let run3 = mul2(&run, &run2);
        let g = mul2(&self.x, &run2);
        let h = sub2(&add2(&run3, &mul2(&self.z, &square2(&rise))), &double2(&g));
        self.x = mul2(&run, &h);
        self.y = sub2(&mul2(&rise, &sub2(&g, &h)), &mul2(&run3, &self.y));
        self.z = mul2(&self.z, &run3);
        let c4 = sub2(&mul2(&rise, &point.x), &mul2(&run, &point.y));
        Line { c0: run, c3: -rise, c4 }
    }

    /// The two points that end the walk: ψ(Q) and −ψ²(Q).
    fn ends(&self) -> [G2Affine; 2] {
        let first = frobenius(&self.start);
        [first, -frobenius(&first)]
    }

    /// Adds Q or −Q, as the digit says.
    fn step(&mut self, digit: i8) -> Line {
        let point = if digit > 0 { self.start } else { -self.start };
        self.add(&point)
    }

    /// Whether Q is in G2. Asked at the end of the walk.
    fn in_subgroup(&self) -> bool {
        let end = -frobenius(&frobenius(&frobenius(&self.start)));
        !self.z.is_zero() && self.x == mul2(&end.x, &self.z) && self.y == mul2(&end.y, &self.z)
    }
}

/// Whether a point of the twist is in G2. The identity is.
pub fn in_subgroup(point: &G2Affine) -> bool {
    if point.is_zero() {
        return true;
    }
    let mut walk = Walk::new(*point);
    for digit in digits() {
        walk.double();
        if digit != 0 {
            walk.step(digit);
        }
    }
    for end in walk.ends() {
        walk.add(&end);
    }
    walk.in_subgroup()
}

/// The lines of a point that never changes, each divided by its c0: the pair c3, c4. About 11 kB.
/// What is divided out of a line lies in Fq2 and vanishes in the final exponentiation.
pub struct FixedLines(Vec<(Fq2, Fq2)>);

impl FixedLines {
    /// The point must be in G2 and not the identity, as those of a checked key are.
    ///
    /// # Panics
    /// Otherwise. Nobody looks at these lines again: with those of another point, or with one that
    /// lost its slope to a c0 of zero (the batch inversion leaves zero as it is), every later
    /// equation would be another one than the key's, and false proofs might satisfy it.
    pub fn new(point: &G2Affine) -> Self {
        let mut walk = Walk::new(*point);
        let mut lines = Vec::new();
        for digit in digits() {
            lines.push(walk.double());
            if digit != 0 {
                lines.push(walk.step(digit));
            }
        }
        lines.extend(walk.ends().map(|end| walk.add(&end)));
        assert!(walk.in_subgroup(), "the points of a checked key are in G2 and finite");
        assert!(
            lines.iter().all(|line| !line.c0.is_zero()),
            "no line through multiples of a point of G2 is vertical on the way"
        );
        let mut inverses: Vec<Fq2> = lines.iter().map(|line| line.c0).collect();
        serial_batch_inversion_and_mul(&mut inverses, &Fq2::ONE);
        let monic =
            |(line, inverse): (&Line, &Fq2)| (mul2(&line.c3, inverse), mul2(&line.c4, inverse));
        Self(lines.iter().zip(&inverses).map(monic).collect())
    }
}

/// A pair whose point of G2 is fixed. What remains of the point (x, y) of G1: x/y and 1/y.
struct FixedPair<'a> {
    lines: std::slice::Iter<'a, (Fq2, Fq2)>,
    x_by_y: Fq,
    by_y: Fq,
}

impl FixedPair<'_> {
    fn apply(&mut self, f: &Fq12) -> Fq12 {
        let (c3, c4) = self.lines.next().expect("one line for each step of the loop");
        mul_by_monic_line(f, &scale2(c3, &self.x_by_y), &scale2(c4, &self.by_y))
    }
}

/// A pair whose point of G2 came with a proof.
struct FreePair {
    walk: Walk,
    x: Fq,
    y: Fq,
}

impl FreePair {
    fn apply(&self, f: &Fq12, line: &Line) -> Fq12 {
        if self.y.is_zero() {
            return *f; // the identity, which the library writes (0, 0)
        }
        mul_by_line(f, &scale2(&line.c0, &self.y), &scale2(&line.c3, &self.x), &line.c4)
    }
}

/// From as many pairs on, one inversion for all of them at each step pays.
const MANY: usize = 4;

/// The product of the Miller loops of all pairs, up to factors that the final exponentiation takes
/// to one. Points of `free` in G2 are on their curve and not the identity, and are checked here
/// for membership in G2: `None` if one is not. A pair with the identity in G1 counts as one.
pub fn miller_loop(
    free: &[(G1Affine, G2Affine)],
    fixed: &[(G1Affine, &FixedLines)],
) -> Option<Fq12> {
    if free.len() < MANY {
        return loop_of_few(free, fixed);
    }
    let product = loop_of_many(free)?;
    match fixed {
        [] => Some(product),
        _ => Some(mul12(&product, &loop_of_few(&[], fixed)?)),
    }
}

fn loop_of_few(free: &[(G1Affine, G2Affine)], fixed: &[(G1Affine, &FixedLines)]) -> Option<Fq12> {
    let mut free: Vec<FreePair> =
        free.iter().map(|(p, q)| FreePair { walk: Walk::new(*q), x: p.x, y: p.y }).collect();
    let mut fixed: Vec<FixedPair<'_>> = fixed
        .iter()
        .filter(|(p, _)| !p.is_zero())
        .map(|(p, lines)| {
            let by_y = p.y.inverse().expect("the order of G1 is odd: no point has y = 0");
            FixedPair { lines: lines.0.iter(), x_by_y: p.x * by_y, by_y }
        })
        .collect();

    let mut f = Fq12::one();
    for digit in digits() {
        f = square12(&f);
        for pair in &mut free {
            let line = pair.walk.double();
            f = pair.apply(&f, &line);
        }
        for pair in &mut fixed {
            f = pair.apply(&f);
        }
        if digit != 0 {
            for pair in &mut free {
                let line = pair.walk.step(digit);
                f = pair.apply(&f, &line);
            }
            for pair in &mut fixed {
                f = pair.apply(&f);
            }
        }
    }
    for pair in &mut free {
        for end in pair.walk.ends() {
            let line = pair.walk.add(&end);
            f = pair.apply(&f, &line);
        }
    }
    for pair in &mut fixed {
        f = pair.apply(&f);
        f = pair.apply(&f);
    }
    free.iter().all(|pair| pair.walk.in_subgroup()).then_some(f)
}

/// The walk of one point among many, in affine coordinates: a line then has the slope and a height,
/// `1 + (slope · −x/y + height · 1/y v) w` at the point (x, y) of G1. For the identity, whose x/y and 1/y
/// are set to zero, that is one.
struct AffineWalk {
    start: G2Affine,
    x: Fq2,
    y: Fq2,
    minus_x_by_y: Fq,
    by_y: Fq,
    /// A line would have been vertical: it never is for a point of G2.
    lost: bool,
}

impl AffineWalk {
    fn all(pairs: &[(G1Affine, G2Affine)]) -> Vec<Self> {
        // What is zero stays zero.
        let mut inverses: Vec<Fq> = pairs.iter().map(|(p, _)| p.y).collect();
        serial_batch_inversion_and_mul(&mut inverses, &Fq::ONE);
        let walk = |((p, q), by_y): (&(G1Affine, G2Affine), Fq)| Self {
            start: *q,
            x: q.x,
            y: q.y,
            minus_x_by_y: -p.x * by_y,
            by_y,
            lost: false,
        };
        pairs.iter().zip(inverses).map(walk).collect()
    }

    fn in_subgroup(&self) -> bool {
        let end = -frobenius(&frobenius(&frobenius(&self.start)));
        !self.lost && (self.x, self.y) == (end.x, end.y)
    }
}

/// Takes every walk one step further and multiplies `f` by the lines: adds the point that `other`
/// names, or doubles.
fn step_all(
    f: &mut Fq12,
    walks: &mut [AffineWalk],
    other: impl Fn(&AffineWalk) -> Option<G2Affine>,
) {
    let mut inverses: Vec<Fq2> = walks
        .iter_mut()
        .map(|walk| {
            let run = match other(walk) {
                None => double2(&walk.y),
                Some(point) => sub2(&point.x, &walk.x),
            };
            walk.lost |= run.is_zero();
            if run.is_zero() { Fq2::ONE } else { run }
        })
        .collect();
    invert_all(&mut inverses);
    for (walk, inverse) in walks.iter_mut().zip(&inverses) {
        let (rise, other_x) = match other(walk) {
            None => (triple(&square2(&walk.x)), walk.x),
            Some(point) => (sub2(&point.y, &walk.y), point.x),
        };
        let slope = mul2(&rise, inverse);
        let height = sub2(&mul2(&slope, &walk.x), &walk.y);
        walk.x = sub2(&sub2(&square2(&slope), &walk.x), &other_x);
        walk.y = sub2(&height, &mul2(&slope, &walk.x));
        let c3 = scale2(&slope, &walk.minus_x_by_y);
        *f = mul_by_monic_line(f, &c3, &scale2(&height, &walk.by_y));
    }
}

/// Inverts all of `values`, none of which is zero, with one inversion.
fn invert_all(values: &mut [Fq2]) {
    let mut product = Fq2::ONE;
    let before: Vec<Fq2> = values
        .iter()
        .map(|value| {
            let next = mul2(&product, value);
            std::mem::replace(&mut product, next)
        })
        .collect();
    let mut rest = product.inverse().expect("a product of values that are not zero");
    for (value, before) in values.iter_mut().zip(before).rev() {
        let inverse = mul2(&rest, &before);
        rest = mul2(&rest, value);
        *value = inverse;
    }
}

fn loop_of_many(pairs: &[(G1Affine, G2Affine)]) -> Option<Fq12> {
    let mut walks = AffineWalk::all(pairs);
    let mut f = Fq12::one();
    for digit in digits() {
        f = square12(&f);
        step_all(&mut f, &mut walks, |_| None);
        if digit > 0 {
            step_all(&mut f, &mut walks, |walk| Some(walk.start));
        } else if digit < 0 {
            step_all(&mut f, &mut walks, |walk| Some(-walk.start));
        }
    }
    step_all(&mut f, &mut walks, |walk| Some(frobenius(&walk.start)));
    step_all(&mut f, &mut walks, |walk| Some(-frobenius(&frobenius(&walk.start))));
    walks.iter().all(AffineWalk::in_subgroup).then_some(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
    use ark_ec::pairing::Pairing;
    use ark_ec::{CurveConfig, CurveGroup, PrimeGroup};
    use ark_ff::{PrimeField, UniformRand};
    use ark_std::test_rng;

    use crate::tower::final_exponentiation;

    fn points(count: usize) -> (Vec<G1Affine>, Vec<G2Affine>) {
        let mut rng = test_rng();
        (0..count)
            .map(|_| {
                let a = G1Projective::generator() * Fr::rand(&mut rng);
                let b = G2Projective::generator() * Fr::rand(&mut rng);
                (a.into_affine(), b.into_affine())
            })
            .unzip()
    }

    #[test]
    fn products_of_pairings_are_the_librarys() {
        for (free, fixed) in [(0, 0), (1, 0), (0, 1), (1, 2), (3, 1), (9, 4)] {
            let (a, b) = points(free + fixed);
            let lines: Vec<FixedLines> = b[free..].iter().map(FixedLines::new).collect();
            let pairs: Vec<_> = a.iter().copied().zip(b.iter().copied()).take(free).collect();
            let others: Vec<_> = a[free..].iter().copied().zip(&lines).collect();
            let library = Some(Bn254::multi_pairing(&a, &b).0);
            for f in [miller_loop(&pairs, &others), loop_of_few(&pairs, &others)] {
                assert_eq!(final_exponentiation(&f.unwrap()), library);
            }
            let left = final_exponentiation(&loop_of_many(&pairs).unwrap());
            assert_eq!(left, Some(Bn254::multi_pairing(&a[..free], &b[..free]).0));
        }
    }

    #[test]
    fn the_identity_of_g1_counts_as_one() {
        let (a, b) = points(3);
        let lines = FixedLines::new(&b[2]);
        let f = miller_loop(&[(a[0], b[0])], &[(G1Affine::zero(), &lines)]).unwrap();
        assert_eq!(final_exponentiation(&f), Some(Bn254::pairing(a[0], b[0]).0));
        let pairs = [(G1Affine::zero(), b[0]), (a[1], b[1])];
        for f in [loop_of_few(&pairs, &[]), loop_of_many(&pairs)] {
            let value = final_exponentiation(&f.unwrap());
            assert_eq!(value, Some(Bn254::pairing(a[1], b[1]).0));
        }
    }

    /// The cofactor's prime factors but the largest; the product of them fits 128 bits.
    const COFACTOR: [u128; 3] = [10_069, 5_864_401, 1_875_725_156_269];

    /// Points of the twist, all over the curve.
    fn on_the_twist() -> impl Iterator<Item = G2Affine> {
        let mut rng = test_rng();
        std::iter::repeat_with(move || {
            G2Affine::get_point_from_x_unchecked(Fq2::rand(&mut rng), bool::rand(&mut rng))
        })
        .flatten()
    }

    /// `value / divisor`, which must leave no rest.
    fn quotient(value: &[u64], divisor: u128) -> Vec<u64> {
        let (mut out, mut rest) = (vec![0; value.len()], 0u128);
        for (place, word) in value.iter().enumerate().rev() {
            for bit in (0..64).rev() {
                rest = rest << 1 | u128::from(word >> bit & 1);
                if rest >= divisor {
                    rest -= divisor;
                    out[place] |= 1 << bit;
                }
            }
        }
        assert_eq!(rest, 0);
        out
    }

    #[test]
    fn membership_is_the_librarys_verdict() {
        let (_, members) = points(20);
        assert!(members.iter().all(in_subgroup) && in_subgroup(&G2Affine::zero()));
        for point in on_the_twist().take(100) {
            assert_eq!(in_subgroup(&point), point.is_in_correct_subgroup_assuming_on_curve());
            assert!(in_subgroup(&point.clear_cofactor()));
        }
    }

    /// One point of each prime order is a proof for all points: each of these primes divides the
    /// order of the twist once, so a walk that kills none of these points kills none of their multiples.
    #[test]
    fn points_of_every_prime_order_but_r_are_refused_alone_and_on_top_of_a_member() {
        let h = g2::Config::COFACTOR;
        let (a, members) = points(1);
        let member = members[0];
        let small: u128 = COFACTOR.iter().product();
        let mut multiples: Vec<Vec<u64>> = COFACTOR.map(|prime| quotient(h, prime)).into();
        multiples.push(vec![small as u64, (small >> 64) as u64]);
        multiples.push(quotient(&quotient(h, COFACTOR[0]), COFACTOR[1]));
        for multiple in multiples {
            let outside = on_the_twist()
                .map(|point| point.mul_bigint(Fr::MODULUS).mul_bigint(&multiple).into_affine())
                .find(|point| !point.is_zero())
                .unwrap();
            assert!(outside.mul_bigint(h).into_affine().is_zero());
            for k in 1..20u64 {
                let outside = outside.mul_bigint([k]).into_affine();
                for point in [outside, -outside, (outside + member).into_affine()] {
                    assert!(point.is_on_curve() && !in_subgroup(&point));
                    assert!(loop_of_few(&[(a[0], member), (a[0], point)], &[]).is_none());
                    assert!(loop_of_many(&[(a[0], point), (a[0], member)]).is_none());
                }
            }
        }
    }

    /// No point that is at hand meets itself on its way, so the walks are put there.
    #[test]
    fn a_walk_that_meets_the_point_it_adds_is_refused_for_good() {
        let (a, b) = points(2);
        for start in [b[0], -b[0]] {
            let mut few = Walk::new(b[0]);
            few.add(&start);
            assert!(few.z.is_zero());
            let mut many = AffineWalk::all(&[(a[0], b[0]), (a[1], b[1])]);
            let mut f = Fq12::one();
            let other = |walk: &AffineWalk| Some(if walk.start == b[0] { start } else { b[0] });
            step_all(&mut f, &mut many, other);
            assert!(many[0].lost && !many[1].lost);
            // Wherever they go from there.
            for step in 0..4 {
                few.double();
                few.add(&b[1]);
                step_all(&mut f, &mut many, |_| (step % 2 == 0).then_some(b[1]));
                assert!(few.z.is_zero() && !few.in_subgroup());
                assert!(many[0].lost && !many[0].in_subgroup());
            }
        }
        assert!(loop_of_many(&[]).unwrap().is_one());
    }
}
