//! One point at a time.

use ark_bn254::{Fq, Fq2, FqConfig};
use ark_ff::{AdditiveGroup, BigInt, Field, MontConfig, PrimeField};

use super::stored::Coordinate;
use super::{Lanes, Signed, Stored};

/// What a sum of points needs of a coordinate field, beside the library's operators.
pub trait Arithmetic: Field {
    /// `self · other`.
    fn times(&self, other: &Self) -> Self;
    /// `self²`.
    fn squared(&self) -> Self;
    /// `self − other`.
    fn less(&self, other: &Self) -> Self;
}

impl Arithmetic for Fq {
    #[inline(always)]
    fn times(&self, other: &Self) -> Self {
        *self * other
    }
    #[inline(always)]
    fn squared(&self) -> Self {
        self.square()
    }
    #[inline(always)]
    fn less(&self, other: &Self) -> Self {
        difference(self, other)
    }
}

impl Arithmetic for Fq2 {
    /// Karatsuba's three products, and two reductions.
    #[inline(always)]
    fn times(&self, other: &Self) -> Self {
        let low = wide(&self.c0.0.0, &other.c0.0.0);
        let high = wide(&self.c1.0.0, &other.c1.0.0);
        // Below 4p², so below p·2^256; and not less than the sum of the other two.
        let cross = wide(&sum(&self.c0, &self.c1), &sum(&other.c0, &other.c1));
        let imaginary = wide_less(&wide_less(&cross, &low), &high);
        Fq2::new(reduce(wide_less(&low, &high)), reduce(imaginary))
    }
    #[inline(always)]
    fn squared(&self) -> Self {
        let real = wide(&sum(&self.c0, &self.c1), &difference(&self.c0, &self.c1).0.0);
        let imaginary = wide(&sum(&self.c0, &self.c0), &self.c1.0.0);
        Fq2::new(reduce(real), reduce(imaginary))
    }
    #[inline(always)]
    fn less(&self, other: &Self) -> Self {
        Fq2::new(difference(&self.c0, &other.c0), difference(&self.c1, &other.c1))
    }
}

/// The sum without reduction, below 2p.
#[inline(always)]
fn sum(a: &Fq, b: &Fq) -> [u64; 4] {
    let (mut out, mut carry) = ([0; 4], false);
    for (i, word) in out.iter_mut().enumerate() {
        (*word, carry) = a.0.0[i].carrying_add(b.0.0[i], carry);
    }
    out
}

/// The product of integers.
#[inline(always)]
fn wide(a: &[u64; 4], b: &[u64; 4]) -> [u64; 8] {
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

/// `a − b`, plus p·2^256 if that is negative; for both below p·2^256.
#[inline(always)]
fn wide_less(a: &[u64; 8], b: &[u64; 8]) -> [u64; 8] {
    let (mut out, mut borrow) = ([0; 8], false);
    for i in 0..8 {
        (out[i], borrow) = a[i].borrowing_sub(b[i], borrow);
    }
    add_modulus_if(borrow, &mut out[4..]);
    out
}

/// Montgomery's reduction of a value below p·2^256: `a / 2^256` modulo p.
#[inline(always)]
fn reduce(mut a: [u64; 8]) -> Fq {
    let mut carried = false;
    for i in 0..4 {
        let factor = a[i].wrapping_mul(FqConfig::INV);
        let mut carry = 0;
        for j in 0..4 {
            (a[i + j], carry) = factor.carrying_mul_add(Fq::MODULUS.0[j], a[i + j], carry);
        }
        (a[i + 4], carried) = a[i + 4].carrying_add(carry, carried);
    }
    // Below 2p.
    let (mut out, mut borrow) = ([0; 4], false);
    for (i, word) in out.iter_mut().enumerate() {
        (*word, borrow) = a[i + 4].borrowing_sub(Fq::MODULUS.0[i], borrow);
    }
    add_modulus_if(borrow, &mut out);
    Fq::new_unchecked(BigInt(out))
}

/// Adds p to four words, losing the carry, if `negative`.
#[inline(always)]
fn add_modulus_if(negative: bool, words: &mut [u64]) {
    let mask = 0u64.wrapping_sub(u64::from(negative));
    let mut carry = false;
    for (word, p) in words.iter_mut().zip(Fq::MODULUS.0) {
        (*word, carry) = word.carrying_add(p & mask, carry);
    }
}

/// `a − b` without a branch: whether the modulus has to be added is a coin toss, which processors
/// guess wrong half of the time.
#[inline(always)]
fn difference(a: &Fq, b: &Fq) -> Fq {
    let (mut out, mut borrow) = ([0; 4], false);
    for (i, word) in out.iter_mut().enumerate() {
        (*word, borrow) = a.0.0[i].borrowing_sub(b.0.0[i], borrow);
    }
    add_modulus_if(borrow, &mut out);
    Fq::new_unchecked(BigInt(out))
}

/// A coordinate.
#[derive(Clone, Copy)]
pub struct Scalar<P: Stored>(Coordinate<P>);

#[inline(always)]
fn load<P: Stored>(table: &[P], entry: Signed) -> (Coordinate<P>, Coordinate<P>)
where
    Coordinate<P>: Arithmetic,
{
    let (x, y) = table[entry.index()].coordinates();
    (x, if entry.negative() { Coordinate::<P>::ZERO.less(&y) } else { y })
}

#[inline(always)]
fn added<P: Stored>(
    inverse: Coordinate<P>,
    (x1, y1): (Coordinate<P>, Coordinate<P>),
    (x2, y2): (Coordinate<P>, Coordinate<P>),
) -> P
where
    Coordinate<P>: Arithmetic,
{
    let slope = y2.less(&y1).times(&inverse);
    let x = slope.squared().less(&x1).less(&x2);
    P::new(x, slope.times(&x1.less(&x)).less(&y1))
}

impl<P: Stored> Lanes for Scalar<P>
where
    Coordinate<P>: Arithmetic,
{
    const WIDTH: usize = 1;
    type Point = P;
    type Partial = P;
    type Sums = [P; 1];

    #[inline(always)]
    fn one() -> Self {
        Self(Coordinate::<P>::ONE)
    }
    #[inline(always)]
    fn product(self, other: Self) -> Self {
        Self(self.0.times(&other.0))
    }
    #[inline(always)]
    fn inverse(self) -> Option<Self> {
        Some(Self(self.0.inverse()?))
    }
    #[inline(always)]
    fn run(table: &[P], left: &[Signed], right: &[Signed]) -> Self {
        let x = |entry: Signed| table[entry.index()].coordinates().0;
        Self(x(right[0]).less(&x(left[0])))
    }
    #[inline(always)]
    fn sums(inverse: Self, table: &[P], left: &[Signed], right: &[Signed]) -> (Self, [P; 1]) {
        let (left, right) = (load(table, left[0]), load(table, right[0]));
        (Self(right.0.less(&left.0)), [added(inverse.0, left, right)])
    }
    #[inline(always)]
    fn partial_run(partial: &[P], at: &[u32]) -> Self {
        let at = at[0] as usize;
        let (left, right) = (partial[at].coordinates().0, partial[at + 1].coordinates().0);
        Self(right.less(&left))
    }
    #[inline(always)]
    fn partial_sums(inverse: Self, partial: &[P], at: &[u32]) -> (Self, [P; 1]) {
        let at = at[0] as usize;
        let (left, right) = (partial[at].coordinates(), partial[at + 1].coordinates());
        (Self(right.0.less(&left.0)), [added(inverse.0, left, right)])
    }
    #[inline(always)]
    fn single(table: &[P], entry: Signed) -> P {
        let (x, y) = load(table, entry);
        P::new(x, y)
    }
    #[inline(always)]
    fn partial(point: &P) -> P {
        *point
    }
    #[inline(always)]
    fn point(partial: &P) -> P {
        *partial
    }
}

#[cfg(test)]
mod tests {
    use ark_std::UniformRand;
    use ark_std::rand::SeedableRng;
    use ark_std::rand::rngs::StdRng;

    use super::*;

    #[test]
    fn operations_are_the_librarys() {
        let rng = &mut StdRng::seed_from_u64(1);
        let one = Fq::from(1u8);
        let mut all = vec![Fq::from(0u8), one, -one, Fq::from(u64::MAX), -Fq::from(u64::MAX)];
        // The smallest and the largest Montgomery form.
        all.push(Fq::new_unchecked(BigInt([1, 0, 0, 0])));
        let mut largest = Fq::MODULUS;
        largest.0[0] -= 1;
        all.push(Fq::new_unchecked(largest));
        all.extend((0..100).map(|_| Fq::rand(rng)));
        for a in &all {
            for b in &all {
                assert_eq!(a.less(b), *a - b);
                for c in [a, b, &all[3], &all[6]] {
                    let (x, y) = (Fq2::new(*a, *b), Fq2::new(*b, *c));
                    assert_eq!(x.times(&y), x * y);
                    assert_eq!(x.squared(), x.square());
                    assert_eq!(x.less(&y), x - y);
                }
            }
        }
    }
}
