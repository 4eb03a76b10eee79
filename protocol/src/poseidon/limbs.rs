//! Sums of products modulo the scalar field's prime with one reduction for each sum, on numbers
//! that may exceed the prime a little. Everything here is plain integer arithmetic in Montgomery
//! form with R = 2^256, as arkworks stores its elements.
//!
//! R is more than five times the prime r, and that slack saves the comparisons behind every
//! operation: a product of two numbers below 2r leaves a reduction below 1.77·r. What enters a sum
//! is below 2^254, 1.32·r, so that both its halves have 127 bits and their sum 128: a product is
//! then three products of halves instead of four (Karatsuba), and the halves' products are added up
//! over the whole sum before they are put together. The sum of the halves is computed once for each
//! number, which takes part in many sums.

use ark_bn254::{Fr, FrConfig};
use ark_ff::{BigInt, MontConfig};

/// A number, least limb first; in Montgomery form, so it stands for itself times 2^-256.
pub(super) type Limbs = [u64; 4];

const R: Limbs = FrConfig::MODULUS.0;
/// −r^-1 modulo 2^64.
const INVERSE: u64 = FrConfig::INV;
/// 2^16 over the prime's highest byte with what follows it, rounded down: r is 48.39·2^248.
const RECIPROCAL: u64 = 1354;
/// (r·[`INVERSE`] + 1) / 2^64, below r. The multiple of r in it ends in a limb of ones, so it clears
/// a limb without the multiplication that finds the factor.
const SHIFTED: Limbs = {
    let mut limbs = [0; 4];
    let mut carry = (R[0] as u128 * INVERSE as u128 + 1) >> 64;
    let mut i = 1;
    while i < 4 {
        carry += R[i] as u128 * INVERSE as u128;
        limbs[i - 1] = carry as u64;
        carry >>= 64;
        i += 1;
    }
    limbs[3] = carry as u64;
    limbs
};

/// A number below 2^254 as a factor of sums: its lower 127 bits, the others, and both added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    low: [u64; 2],
    high: [u64; 2],
    both: [u64; 2],
}

impl Factor {
    pub(super) const ZERO: Self = Self { low: [0; 2], high: [0; 2], both: [0; 2] };

    /// Splits a number below 2^254.
    #[inline(always)]
    pub(super) fn new([a, b, c, d]: Limbs) -> Self {
        let low = [a, b & (u64::MAX >> 1)];
        let high = [(b >> 63) | (c << 1), (c >> 63) | (d << 1)];
        let (first, carry) = low[0].carrying_add(high[0], false);
        let (second, _) = low[1].carrying_add(high[1], carry);
        Self { low, high, both: [first, second] }
    }
}

/// The limbs of an element; below r.
#[inline(always)]
pub(super) fn limbs(x: &Fr) -> Limbs {
    x.0.0
}

/// The element that a number below 2r stands for.
#[inline(always)]
pub(super) fn element(x: &Limbs) -> Fr {
    let mut less = [0; 4];
    let mut borrow = false;
    for i in 0..4 {
        (less[i], borrow) = x[i].borrowing_sub(R[i], borrow);
    }
    // A mask instead of a branch: the processor would guess it wrong half of the time.
    let keep = 0u64.wrapping_sub(u64::from(borrow));
    Fr::new_unchecked(BigInt(std::array::from_fn(|i| (x[i] & keep) | (less[i] & !keep))))
}

/// `sum + a·b + carry`: the lower limb, and the upper one as the next carry.
#[inline(always)]
fn multiply_add(sum: u64, a: u64, b: u64, carry: &mut u64) -> u64 {
    let sum = u128::from(sum) + u128::from(a) * u128::from(b) + u128::from(*carry);
    *carry = (sum >> 64) as u64;
    sum as u64
}

/// Divides by R modulo r. The result is below x/R + 1.01·r, and the argument so small that a fifth
/// limb holds what exceeds R.
#[inline(always)]
fn reduce(mut x: [u64; 9]) -> [u64; 5] {
    let mut over = false;
    // A multiple of r·2^64 is added that cancels the lowest limb. In the first two steps it may be
    // large: the later ones shift it out.
    for i in 0..2 {
        let (factor, mut carry) = (x[i], 0);
        for j in 0..4 {
            x[i + 1 + j] = multiply_add(x[i + 1 + j], factor, SHIFTED[j], &mut carry);
        }
        (x[i + 5], over) = x[i + 5].carrying_add(carry, over);
    }
    (x[7], over) = x[7].carrying_add(0, over);
    x[8] += u64::from(std::mem::take(&mut over));
    for i in 2..4 {
        let (factor, mut carry) = (x[i].wrapping_mul(INVERSE), 0);
        for j in 0..4 {
            x[i + j] = multiply_add(x[i + j], factor, R[j], &mut carry);
        }
        (x[i + 4], over) = x[i + 4].carrying_add(carry, over);
    }
    x[8] += u64::from(over);
    [x[4], x[5], x[6], x[7], x[8]]
}

/// The product of two numbers below 2r.
#[inline(always)]
fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
    let mut product = [0; 9];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..4 {
            product[i + j] = multiply_add(product[i + j], a[i], b[j], &mut carry);
        }
        product[i + 4] = carry;
    }
    let [a, b, c, d, _] = reduce(product);
    [a, b, c, d]
}

/// The square of a number below 2r.
#[inline(always)]
fn square(a: &Limbs) -> Limbs {
    // Products of different limbs come twice.
    let mut x = [0; 9];
    for i in 0..3 {
        let mut carry = 0;
        for j in i + 1..4 {
            x[i + j] = multiply_add(x[i + j], a[i], a[j], &mut carry);
        }
        x[i + 4] = carry;
    }
    for i in (2..8).rev() {
        x[i] = (x[i] << 1) | (x[i - 1] >> 63);
    }
    x[1] <<= 1;
    let mut over = false;
    for i in 0..4 {
        let product = u128::from(a[i]) * u128::from(a[i]);
        (x[2 * i], over) = x[2 * i].carrying_add(product as u64, over);
        (x[2 * i + 1], over) = x[2 * i + 1].carrying_add((product >> 64) as u64, over);
    }
    let [a, b, c, d, _] = reduce(x);
    [a, b, c, d]
}

/// The S-box x^5 of a number below 1.03·r; below 1.3·r, which is below 2^254.
#[inline(never)]
pub(super) fn fifth_power(x: &Limbs) -> Factor {
    Factor::new(multiply(&square(&square(x)), x))
}

/// Sums of products of halves.
type Half = [u64; 5];

/// `sum + a·b` for halves; 33 products fill the fifth limb by far not.
#[inline(always)]
fn accumulate(sum: &mut Half, a: &[u64; 2], b: &[u64; 2]) {
    let wide = |a: u64, b: u64| u128::from(a) * u128::from(b);
    let low = wide(a[0], b[0]);
    let first = wide(a[0], b[1]) + (low >> 64);
    let second = wide(a[1], b[0]) + u128::from(first as u64);
    let high = wide(a[1], b[1]) + (first >> 64) + (second >> 64);
    let mut carry = false;
    (sum[0], carry) = sum[0].carrying_add(low as u64, carry);
    (sum[1], carry) = sum[1].carrying_add(second as u64, carry);
    (sum[2], carry) = sum[2].carrying_add(high as u64, carry);
    (sum[3], carry) = sum[3].carrying_add((high >> 64) as u64, carry);
    (sum[4], _) = sum[4].carrying_add(0, carry);
}

/// `constant + Σ a_i·b_i`, below 1.03·r, for at most 33 pairs with each `a_i` below 1.3·r and each
/// `b_i` and the constant below r.
#[inline(never)]
pub(super) fn sum_of_products(constant: &Limbs, a: &[Factor], b: &[Factor]) -> Limbs {
    let (mut low, mut high, mut both) = ([0; 5], [0; 5], [0; 5]);
    for (a, b) in a.iter().zip(b) {
        accumulate(&mut low, &a.low, &b.low);
        accumulate(&mut high, &a.high, &b.high);
        accumulate(&mut both, &a.both, &b.both);
    }
    let mut sum = reduce(put_together(&low, &both, &high));
    let mut carry = false;
    for (limb, constant) in sum.iter_mut().zip(constant.iter().chain(&[0])) {
        (*limb, carry) = limb.carrying_add(*constant, carry);
    }
    near(sum)
}

/// `low + (both − low − high)·2^127 + high·2^254`.
#[inline(always)]
fn put_together(low: &Half, both: &Half, high: &Half) -> [u64; 9] {
    let mut middle = *both;
    for half in [low, high] {
        let mut borrow = false;
        for (limb, half) in middle.iter_mut().zip(half) {
            (*limb, borrow) = limb.borrowing_sub(*half, borrow);
        }
    }
    let mut x = [low[0], low[1], low[2], low[3], low[4], 0, 0, 0, 0];
    // 127 is a limb and 63 bits, 254 is three limbs and 62 bits.
    for (half, limbs, bits) in [(&middle, 1, 63), (high, 3, 62)] {
        let shifted = |i: usize| {
            let above = if i < 5 { half[i] << bits } else { 0 };
            let below = if i > 0 { half[i - 1] >> (64 - bits) } else { 0 };
            above | below
        };
        let mut carry = false;
        for i in 0..6 {
            (x[limbs + i], carry) = x[limbs + i].carrying_add(shifted(i), carry);
        }
        for limb in x.iter_mut().skip(limbs + 6) {
            (*limb, carry) = limb.carrying_add(0, carry);
        }
    }
    x
}

/// A number below 11·r brought below 1.03·r: its highest bits tell how often r is in it, or one
/// time less.
#[inline(always)]
fn near(x: [u64; 5]) -> Limbs {
    let highest = (x[4] << 8) | (x[3] >> 56);
    let times = highest.wrapping_mul(RECIPROCAL) >> 16;
    let (mut out, mut carry, mut borrow) = ([0; 4], 0, false);
    for i in 0..4 {
        let product = multiply_add(0, times, R[i], &mut carry);
        (out[i], borrow) = x[i].borrowing_sub(product, borrow);
    }
    out
}
