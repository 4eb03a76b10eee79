//! Sums of products modulo the scalar field's prime with one reduction for each sum, on numbers
//! that may exceed the prime a little. Everything here is plain integer arithmetic in Montgomery
//! form with R = 2^256, as arkworks stores its elements.
//!
//! R is more than five times the prime r, and that slack is what saves the reductions: an operand
//! may be any number below 2r, a product of two such is below 0.76·r·R, and only the value that
//! leaves a sum is brought near r again.

use ark_bn254::{Fr, FrConfig};
use ark_ff::{BigInt, MontConfig};

/// A number below 2r, least limb first; in Montgomery form, so it stands for itself times 2^-256.
pub(super) type Limbs = [u64; 4];

const R: Limbs = FrConfig::MODULUS.0;
/// −r^-1 modulo 2^64.
const INVERSE: u64 = FrConfig::INV;
/// 2^16 over the prime's highest byte with what follows it, rounded down: r is 48.39·2^248.
const RECIPROCAL: u64 = 1354;

/// The limbs of an element; below r.
#[inline(always)]
pub(super) fn limbs(x: &Fr) -> Limbs {
    x.0.0
}

/// The element that a number stands for.
#[inline(always)]
pub(super) fn element(x: Limbs) -> Fr {
    Fr::new_unchecked(BigInt(canonical(x)))
}

/// The same number below r; the argument is below 2r.
#[inline(always)]
pub(super) fn canonical(x: Limbs) -> Limbs {
    let mut less = [0; 4];
    let mut borrow = false;
    for i in 0..4 {
        (less[i], borrow) = subtract(x[i], R[i], borrow);
    }
    // A mask instead of a branch: the processor would guess it wrong half of the time.
    let keep = 0u64.wrapping_sub(u64::from(borrow));
    std::array::from_fn(|i| (x[i] & keep) | (less[i] & !keep))
}

#[inline(always)]
fn subtract(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (x, first) = a.overflowing_sub(b);
    let (x, second) = x.overflowing_sub(u64::from(borrow));
    (x, first | second)
}

/// The sum of one column of limb products and what is carried into it: 192 bits.
#[derive(Clone, Copy)]
struct Column {
    low: u128,
    high: u64,
}

impl Column {
    const ZERO: Self = Self { low: 0, high: 0 };

    #[inline(always)]
    fn add(&mut self, x: u128) {
        let (low, carry) = self.low.overflowing_add(x);
        self.low = low;
        self.high = self.high.wrapping_add(u64::from(carry));
    }

    #[inline(always)]
    fn product(&mut self, a: u64, b: u64) {
        self.add(u128::from(a) * u128::from(b));
    }

    /// Takes the lowest limb out; the rest is the carry into the next column.
    #[inline(always)]
    fn next(&mut self) -> u64 {
        let limb = self.low as u64;
        self.low = (self.low >> 64) | (u128::from(self.high) << 64);
        self.high = 0;
        limb
    }

    /// Adds the multiple of r that makes the lowest limb zero, and drops that limb.
    #[inline(always)]
    fn clear(&mut self) -> u64 {
        let factor = (self.low as u64).wrapping_mul(INVERSE);
        self.product(factor, R[0]);
        self.next();
        factor
    }

    #[inline(always)]
    fn plus(&mut self, other: Self) {
        self.add(other.low);
        self.high = self.high.wrapping_add(other.high);
    }
}

/// Divides a sum, given by its seven columns, by R modulo r. With the columns' sum below n·r·R the
/// result is below (n + 1)·r, hence the fifth limb.
#[inline(always)]
fn reduce(columns: [Column; 7]) -> [u64; 5] {
    let mut sum = columns[0];
    let a = sum.clear();
    sum.product(a, R[1]);
    sum.plus(columns[1]);
    let b = sum.clear();
    sum.product(a, R[2]);
    sum.product(b, R[1]);
    sum.plus(columns[2]);
    let c = sum.clear();
    sum.product(a, R[3]);
    sum.product(b, R[2]);
    sum.product(c, R[1]);
    sum.plus(columns[3]);
    let d = sum.clear();
    sum.product(b, R[3]);
    sum.product(c, R[2]);
    sum.product(d, R[1]);
    sum.plus(columns[4]);
    let w = sum.next();
    sum.product(c, R[3]);
    sum.product(d, R[2]);
    sum.plus(columns[5]);
    let x = sum.next();
    sum.product(d, R[3]);
    sum.plus(columns[6]);
    let y = sum.next();
    let z = sum.next();
    [w, x, y, z, sum.next()]
}

/// The product of two numbers below 1.3·r; below 1.33·r.
#[inline(always)]
fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
    let mut columns = [Column::ZERO; 7];
    for i in 0..4 {
        for j in 0..4 {
            columns[i + j].product(a[i], b[j]);
        }
    }
    let [w, x, y, z, _] = reduce(columns);
    [w, x, y, z]
}

/// The square of a number below 1.3·r; below 1.33·r.
#[inline(always)]
fn square(a: &Limbs) -> Limbs {
    let mut columns = [Column::ZERO; 7];
    for i in 0..4 {
        for j in i + 1..4 {
            columns[i + j].product(a[i], a[j]);
        }
    }
    for column in &mut columns[1..6] {
        // At most two products: doubling does not leave the 192 bits.
        column.high = (column.high << 1) | (column.low >> 127) as u64;
        column.low <<= 1;
    }
    for i in 0..4 {
        columns[2 * i].product(a[i], a[i]);
    }
    let [w, x, y, z, _] = reduce(columns);
    [w, x, y, z]
}

/// The S-box x^5 of a number below 1.03·r; below 1.25·r.
#[inline(always)]
pub(super) fn fifth_power(x: &Limbs) -> Limbs {
    multiply(&square(&square(x)), x)
}

/// `constant + Σ a_i·b_i`, below 1.03·r, for at most 33 pairs with each `a_i` below 1.25·r and
/// each `b_i` and the constant below r.
#[inline(always)]
pub(super) fn sum_of_products(constant: &Limbs, a: &[Limbs], b: &[Limbs]) -> Limbs {
    let mut columns = [Column::ZERO; 7];
    // Two columns at a time: their six limbs stay in registers over the whole sum.
    for (a, b) in a.iter().zip(b) {
        columns[0].product(a[0], b[0]);
        columns[1].product(a[0], b[1]);
        columns[1].product(a[1], b[0]);
    }
    for (a, b) in a.iter().zip(b) {
        columns[2].product(a[0], b[2]);
        columns[2].product(a[1], b[1]);
        columns[2].product(a[2], b[0]);
        columns[3].product(a[0], b[3]);
        columns[3].product(a[1], b[2]);
        columns[3].product(a[2], b[1]);
        columns[3].product(a[3], b[0]);
    }
    for (a, b) in a.iter().zip(b) {
        columns[4].product(a[1], b[3]);
        columns[4].product(a[2], b[2]);
        columns[4].product(a[3], b[1]);
        columns[5].product(a[2], b[3]);
        columns[5].product(a[3], b[2]);
        columns[6].product(a[3], b[3]);
    }
    let mut sum = reduce(columns);
    let mut carry = 0;
    for i in 0..4 {
        let limb = u128::from(sum[i]) + u128::from(constant[i]) + carry;
        sum[i] = limb as u64;
        carry = limb >> 64;
    }
    sum[4] += carry as u64;
    near(sum)
}

/// A number below 11·r brought below 1.03·r: its highest bits tell how often r is in it, or one
/// time less.
#[inline(always)]
fn near(x: [u64; 5]) -> Limbs {
    let highest = (x[4] << 8) | (x[3] >> 56);
    let times = (highest * RECIPROCAL) >> 16;
    let mut out = [0; 4];
    let mut carry = 0u64;
    let mut borrow = false;
    for i in 0..4 {
        let product = u128::from(times) * u128::from(R[i]) + u128::from(carry);
        carry = (product >> 64) as u64;
        (out[i], borrow) = subtract(x[i], product as u64, borrow);
    }
    out
}
