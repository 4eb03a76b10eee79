//! Fq and Fq2 on four 64-bit limbs: sums without branches, and products that are reduced once for each
//! coefficient instead of once for each product. The library's operators give the same results;
//! with them a pairing takes almost half as long again.
//!
//! Elements are the library's: Montgomery form with R = 2^256, always below the modulus q. As
//! q < 2^254, the sum of two elements fits, and so does the product of two such sums.

use std::hint::select_unpredictable;

use ark_bn254::{Fq, Fq2};
use ark_ff::{BigInt, PrimeField};

/// An integer below 2^256, the lowest limb first.
type Limbs = [u64; 4];
/// An integer below 2^512.
type Wide = [u64; 8];

const Q: Limbs = Fq::MODULUS.0;
/// −1/q modulo 2^64.
const MINUS_INVERSE: u64 = Fq::INV;

/// An element from its Montgomery form, which is below q.
#[inline(always)]
fn element(limbs: Limbs) -> Fq {
    Fq::new_unchecked(BigInt(limbs))
}

#[inline(always)]
fn limbs(a: &Fq) -> &Limbs {
    &a.0.0
}

/// `a + b`, for sums below 2^256.
#[inline(always)]
fn plus(a: &Limbs, b: &Limbs) -> Limbs {
    let (r0, carry) = a[0].carrying_add(b[0], false);
    let (r1, carry) = a[1].carrying_add(b[1], carry);
    let (r2, carry) = a[2].carrying_add(b[2], carry);
    let (r3, _) = a[3].carrying_add(b[3], carry);
    [r0, r1, r2, r3]
}

/// One limb of a difference; `borrow` is 0 or −1. Compilers make a chain of subtractions of this.
#[inline(always)]
fn minus_limb(a: u64, b: u64, borrow: i128) -> (u64, i128) {
    let difference = i128::from(a) - i128::from(b) + borrow;
    (difference as u64, difference >> 64)
}

/// `a − b`, and whether that is negative; then 2^256 is added.
#[inline(always)]
fn minus(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let (r0, borrow) = minus_limb(a[0], b[0], 0);
    let (r1, borrow) = minus_limb(a[1], b[1], borrow);
    let (r2, borrow) = minus_limb(a[2], b[2], borrow);
    let (r3, borrow) = minus_limb(a[3], b[3], borrow);
    ([r0, r1, r2, r3], borrow != 0)
}

/// One of two, without a branch.
#[inline(always)]
fn choose(first: bool, a: &Limbs, b: &Limbs) -> Limbs {
    [
        select_unpredictable(first, a[0], b[0]),
        select_unpredictable(first, a[1], b[1]),
        select_unpredictable(first, a[2], b[2]),
        select_unpredictable(first, a[3], b[3]),
    ]
}

/// Below q from below 2q.
#[inline(always)]
fn reduce_once(a: Limbs) -> Limbs {
    let (less, negative) = minus(&a, &Q);
    choose(negative, &a, &less)
}

/// A sum in Fq.
#[inline(always)]
pub fn add(a: &Fq, b: &Fq) -> Fq {
    element(reduce_once(plus(limbs(a), limbs(b))))
}

/// A difference in Fq.
#[inline(always)]
pub fn sub(a: &Fq, b: &Fq) -> Fq {
    let (difference, negative) = minus(limbs(a), limbs(b));
    element(plus(&difference, &choose(negative, &Q, &[0; 4])))
}

/// `9a + b` modulo q, for b up to q.
#[inline(always)]
fn nine_times_plus(a: &Fq, b: &Limbs) -> Limbs {
    let (mut sum, mut carry) = ([0; 4], 0);
    for i in 0..4 {
        (sum[i], carry) = limbs(a)[i].carrying_mul_add(9, b[i], carry);
    }
    // sum/q is at most 10, and at most one more than the quotient of the bits from 2^244 on, as
    // the divisor is rounded up: q has ten bits there.
    let quotient = ((carry << 12 | sum[3] >> 52) * RECIPROCAL) >> 32;
    let (mut multiple, mut high) = ([0; 4], 0);
    for i in 0..4 {
        (multiple[i], high) = Q[i].carrying_mul(quotient, high);
    }
    reduce_once(minus(&sum, &multiple).0)
}

/// `2^32 / (q/2^244 rounded up)`.
const RECIPROCAL: u64 = (1 << 32) / ((Q[3] >> 52) + 1);

/// `a · b`.
#[inline(always)]
fn times(a: &Limbs, b: &Limbs) -> Wide {
    let mut out = [0; 8];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..4 {
            (out[i + j], carry) = a[i].carrying_mul_add(b[j], out[i + j], carry);
        }
        out[i + 4] = carry;
    }
    out
}

/// `a + b`, less q·2^256 if that is not below it. Both must be.
#[inline(always)]
fn plus_wide(a: &Wide, b: &Wide) -> Wide {
    let (mut out, mut carry) = ([0; 8], false);
    for i in 0..8 {
        (out[i], carry) = a[i].carrying_add(b[i], carry);
    }
    let high = reduce_once([out[4], out[5], out[6], out[7]]);
    out[4..].copy_from_slice(&high);
    out
}

/// `a − b`; if that is negative, plus q·2^256.
#[inline(always)]
fn minus_wide(a: &Wide, b: &Wide) -> Wide {
    let (mut out, mut borrow) = ([0; 8], 0);
    for i in 0..8 {
        (out[i], borrow) = minus_limb(a[i], b[i], borrow);
    }
    let correction = choose(borrow != 0, &Q, &[0; 4]);
    let high = plus(&[out[4], out[5], out[6], out[7]], &correction);
    out[4..].copy_from_slice(&high);
    out
}

/// Montgomery's reduction: `a / 2^256` modulo q, for a below q·2^256.
#[inline(always)]
fn reduce(mut a: Wide) -> Fq {
    let mut carried = false;
    for i in 0..4 {
        let factor = a[i].wrapping_mul(MINUS_INVERSE);
        let mut carry = 0;
        for j in 0..4 {
            (a[i + j], carry) = factor.carrying_mul_add(Q[j], a[i + j], carry);
        }
        (a[i + 4], carried) = a[i + 4].carrying_add(carry, carried);
    }
    element(reduce_once([a[4], a[5], a[6], a[7]]))
}

/// A sum in Fq2.
#[inline(always)]
pub fn add2(a: &Fq2, b: &Fq2) -> Fq2 {
    Fq2::new(add(&a.c0, &b.c0), add(&a.c1, &b.c1))
}

/// A difference in Fq2.
#[inline(always)]
pub fn sub2(a: &Fq2, b: &Fq2) -> Fq2 {
    Fq2::new(sub(&a.c0, &b.c0), sub(&a.c1, &b.c1))
}

/// Twice an element of Fq2.
#[inline(always)]
pub fn double2(a: &Fq2) -> Fq2 {
    add2(a, a)
}

/// A product by ξ = 9 + u.
#[inline(always)]
pub fn xi(a: &Fq2) -> Fq2 {
    let (opposite, _) = minus(&Q, limbs(&a.c1)); // up to q
    Fq2::new(
        element(nine_times_plus(&a.c0, &opposite)),
        element(nine_times_plus(&a.c1, limbs(&a.c0))),
    )
}

/// A product in Fq2 before its reduction: both coefficients times 2^256, below q·2^256.
#[derive(Clone, Copy)]
pub struct Product2 {
    real: Wide,
    imaginary: Wide,
}

/// A product in Fq2 = Fq(u), u² = −1, after Karatsuba: three products in place of four.
///
/// `cross` is `(a0 + a1)(b0 + b1)`, below 4q², which is below q·2^256; less `a0 b0` and `a1 b1`
/// it is `a0 b1 + a1 b0`, not negative.
#[inline(always)]
pub fn product2(a: &Fq2, b: &Fq2) -> Product2 {
    let (a0, a1, b0, b1) = (limbs(&a.c0), limbs(&a.c1), limbs(&b.c0), limbs(&b.c1));
    let low = times(a0, b0);
    let high = times(a1, b1);
    let cross = times(&plus(a0, a1), &plus(b0, b1));
    let imaginary = minus_wide(&minus_wide(&cross, &low), &high);
    Product2 { real: minus_wide(&low, &high), imaginary }
}

impl Product2 {
    /// A sum.
    #[inline(always)]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            real: plus_wide(&self.real, &other.real),
            imaginary: plus_wide(&self.imaginary, &other.imaginary),
        }
    }

    /// A difference.
    #[inline(always)]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            real: minus_wide(&self.real, &other.real),
            imaginary: minus_wide(&self.imaginary, &other.imaginary),
        }
    }

    /// The element.
    #[inline(always)]
    pub fn reduce(self) -> Fq2 {
        Fq2::new(reduce(self.real), reduce(self.imaginary))
    }
}

/// A product in Fq2: three products, two reductions.
#[inline]
pub fn mul2(a: &Fq2, b: &Fq2) -> Fq2 {
    product2(a, b).reduce()
}

/// A square in Fq2: `(a0 + a1)(a0 − a1)` and `2 a0 a1`.
#[inline]
pub fn square2(a: &Fq2) -> Fq2 {
    let (sum, difference) = (add(&a.c0, &a.c1), sub(&a.c0, &a.c1));
    Fq2::new(sum * difference, add(&a.c0, &a.c0) * a.c1)
}

/// A product by an element of Fq.
#[inline]
pub fn scale2(a: &Fq2, by: &Fq) -> Fq2 {
    Fq2::new(a.c0 * by, a.c1 * by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, Field, UniformRand};
    use ark_std::test_rng;

    /// Random elements; Montgomery forms at the ends, at the borders of limbs, and with every limb
    /// all zeros or all ones where that is below q.
    fn samples() -> Vec<Fq> {
        let mut rng = test_rng();
        let mut out: Vec<Fq> = (0..12).map(|_| Fq::rand(&mut rng)).collect();
        let mut forms = vec![[0; 4], [1, 0, 0, 0], minus(&Q, &[1, 0, 0, 0]).0];
        forms.push(minus(&Q, &[2, 0, 0, 0]).0);
        forms.push([0, 0, 0, Q[3]]);
        forms.push([u64::MAX, u64::MAX, u64::MAX, Q[3] - 1]);
        // Half of q, and its ninth and tenth parts with their neighbours, where quotients change.
        for divisor in [2u64, 9, 10] {
            let mut rest = 0u128;
            let mut part = [0; 4];
            for i in (0..4).rev() {
                rest = rest << 64 | u128::from(Q[i]);
                part[i] = (rest / u128::from(divisor)) as u64;
                rest %= u128::from(divisor);
            }
            for k in 1..divisor {
                let multiple = (0..k).fold([0; 4], |sum, _| plus(&sum, &part));
                forms.push(multiple);
                forms.push(plus(&multiple, &[1, 0, 0, 0]));
                forms.push(plus(&multiple, &[10, 0, 0, 0]));
            }
        }
        for mask in 0..8u64 {
            let limb = |bit: u64| (mask >> bit & 1).wrapping_neg();
            forms.push([limb(0), limb(1), limb(2), 0]);
        }
        out.extend(forms.into_iter().map(element));
        out
    }

    #[test]
    fn results_are_the_librarys() {
        let samples = samples();
        for (i, a) in samples.iter().enumerate() {
            for b in &samples {
                assert_eq!((add(a, b), sub(a, b)), (*a + b, *a - b));
                assert_eq!(element(nine_times_plus(a, limbs(b))), Fq::from(9) * a + b);
                assert_eq!(reduce(times(limbs(a), limbs(b))), *a * b);
                let x = Fq2::new(*a, *b);
                assert_eq!((square2(&x), double2(&x)), (x.square(), x.double()));
                assert_eq!(xi(&x), x * Fq2::new(Fq::from(9), Fq::ONE));
                assert_eq!(scale2(&x, &samples[i]), x * Fq2::new(samples[i], Fq::ZERO));
                for j in 0..samples.len() {
                    let y = Fq2::new(samples[(i + j) % samples.len()], samples[j]);
                    assert_eq!(mul2(&x, &y), x * y);
                    let (product, square) = (product2(&x, &y), product2(&y, &y));
                    assert_eq!(product.plus(&square).reduce(), x * y + y * y);
                    assert_eq!(product.minus(&square).reduce(), x * y - y * y);
                    assert_eq!((add2(&x, &y), sub2(&x, &y)), (x + y, x - y));
                }
            }
            assert_eq!(element(nine_times_plus(a, &Q)), Fq::from(9) * a);
        }
    }

    /// The quotient in [`nine_times_plus`] is exact or one too small for every value of its bits.
    #[test]
    fn the_estimated_quotient_is_at_most_one_too_small() {
        let top = Q[3] >> 52;
        assert!((512..1024).contains(&top), "ten bits");
        for bits in 0..=10 * (top + 1) {
            let estimate = (bits * RECIPROCAL) >> 32;
            // The number is at least bits·2^244 and below (bits + 1)·2^244; q lies between top and
            // top + 1 times 2^244.
            assert!(estimate <= bits / (top + 1));
            let highest = (bits + 1).div_ceil(top); // quotients are below this
            assert!(highest <= estimate + 2, "{bits}");
        }
    }
}
