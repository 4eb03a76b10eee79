//! Eight points at a time. Bounds are in multiples of the modulus p, as in [`super::fp8`].

use std::arch::x86_64::__m512i;

use ark_bn254::{Fq, Fq2};

use super::fp8::{Fp8, LIMBS, each, element, op, transpose};
use super::stored::invert_all;
use super::{G1Stored, G2Stored, Lanes, Signed, Stored};

type Base = Fp8<Fq>;

/// A point of G1 between two levels: the words of both coordinates in radix 2^260, below 2.5 p.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct G1Partial([u64; 8]);

/// As [`G1Partial`], in G2.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct G2Partial([[u64; 8]; 2]);

#[inline(always)]
fn eight<T: Copy>(slice: &[T]) -> [T; 8] {
    slice.try_into().expect("eight lanes")
}

#[inline(always)]
fn four(words: &[u64], at: usize) -> [u64; 4] {
    words[at..at + 4].try_into().expect("four words")
}

#[inline(always)]
fn first(columns: &[__m512i; 8]) -> [__m512i; 4] {
    [columns[0], columns[1], columns[2], columns[3]]
}

#[inline(always)]
fn second(columns: &[__m512i; 8]) -> [__m512i; 4] {
    [columns[4], columns[5], columns[6], columns[7]]
}

#[inline(always)]
fn joined(first: [__m512i; 4], second: [__m512i; 4]) -> [__m512i; 8] {
    [first[0], first[1], first[2], first[3], second[0], second[1], second[2], second[3]]
}

#[inline(always)]
fn signs(entries: [Signed; 8]) -> u8 {
    let mut mask = 0;
    for (lane, entry) in entries.iter().enumerate() {
        mask |= u8::from(entry.negative()) << lane;
    }
    mask
}

/// Rows of eight table entries, transposed.
#[inline(always)]
fn columns_g1(table: &[G1Stored], entries: [Signed; 8]) -> [__m512i; 8] {
    transpose(each!(LANE of 8 => op::vector(table[entries[LANE].index()].0)))
}

/// x at most 16 p; y as limbs with sign, between -16 p and 16 p.
#[inline(always)]
fn load_g1(table: &[G1Stored], entries: [Signed; 8]) -> (Base, [__m512i; LIMBS]) {
    let columns = columns_g1(table, entries);
    let y = Base::from_columns_16(second(&columns)).raw();
    let mask = signs(entries);
    (Base::from_columns_16(first(&columns)), each!(I of 5 => op::negate_where(mask, y[I])))
}

/// Rows of eight partial sums, transposed.
#[inline(always)]
fn partial_g1(partial: &[G1Partial], at: [u32; 8], offset: usize) -> (Base, Base) {
    let columns = transpose(each!(LANE of 8 => op::vector(partial[at[LANE] as usize + offset].0)));
    (Base::from_columns(first(&columns)), Base::from_columns(second(&columns)))
}

/// x coordinates of points in G1.
impl Lanes for Base {
    const WIDTH: usize = 8;
    type Point = G1Stored;
    type Partial = G1Partial;
    type Sums = [G1Partial; 8];

    #[inline(always)]
    fn one() -> Self {
        Base::one()
    }
    /// Takes 32 p times 16 p or less; gives at most 8 p, and less than 2 p in a long chain.
    #[inline(always)]
    fn product(self, other: Self) -> Self {
        self.mul(other)
    }
    #[inline(always)]
    fn inverse(self) -> Option<Self> {
        invert_all(self.elements()).map(Base::from_elements)
    }

    /// At most 32 p.
    #[inline(always)]
    fn run(table: &[G1Stored], left: &[Signed], right: &[Signed]) -> Self {
        let left = Base::from_columns_16(first(&columns_g1(table, eight(left))));
        let right = Base::from_columns_16(first(&columns_g1(table, eight(right))));
        right.sub::<16>(left)
    }
    #[inline(always)]
    fn sums(
        inverse: Self,
        table: &[G1Stored],
        left: &[Signed],
        right: &[Signed],
    ) -> (Self, [G1Partial; 8]) {
        let (x1, y1) = load_g1(table, eight(left));
        let (x2, y2) = load_g1(table, eight(right));
        let rise = Base::from_signed::<32>(each!(I of 5 => op::sub(y2[I], y1[I])));
        // 64 p times at most 4.1 p.
        let slope = rise.mul(inverse);
        let x = slope.square().sub::<32>(x1.add(x2)).reduce();
        let drop = slope.mul(x1.sub::<3>(x)).raw();
        let y = Base::from_signed::<16>(each!(I of 5 => op::sub(drop[I], y1[I]))).reduce();
        (x2.sub::<16>(x1), spread_g1(x, y))
    }

    /// At most 5.5 p.
    #[inline(always)]
    fn partial_run(partial: &[G1Partial], at: &[u32]) -> Self {
        let (left, right) = (partial_g1(partial, eight(at), 0), partial_g1(partial, eight(at), 1));
        right.0.sub::<3>(left.0)
    }
    #[inline(always)]
    fn partial_sums(inverse: Self, partial: &[G1Partial], at: &[u32]) -> (Self, [G1Partial; 8]) {
        let (x1, y1) = partial_g1(partial, eight(at), 0);
        let (x2, y2) = partial_g1(partial, eight(at), 1);
        let slope = y2.sub::<3>(y1).mul(inverse);
        let x = slope.square().sub::<5>(x1.add(x2)).reduce();
        let y = slope.mul(x1.sub::<3>(x)).sub::<3>(y1).reduce();
        (x2.sub::<3>(x1), spread_g1(x, y))
    }

    #[inline(always)]
    fn single(table: &[G1Stored], entry: Signed) -> G1Partial {
        let mut point = table[entry.index()];
        if entry.negative() {
            let (x, y) = point.coordinates();
            point = G1Stored::new(x, -y);
        }
        Self::partial(&point)
    }
    #[inline(always)]
    fn partial(point: &G1Stored) -> G1Partial {
        // The radix grows from 2^256 to 2^260.
        let sixteen = Fq::from(16u64);
        let (x, y) = point.coordinates();
        G1Partial(G1Stored::new(x * sixteen, y * sixteen).0)
    }
    #[inline(always)]
    fn point(partial: &G1Partial) -> G1Stored {
        let [x, y] = [0, 4].map(|at| element(four(&partial.0, at)));
        G1Stored::new(x, y)
    }
}

#[inline(always)]
fn spread_g1(x: Base, y: Base) -> [G1Partial; 8] {
    let rows = transpose(joined(x.columns(), y.columns()));
    each!(LANE of 8 => G1Partial(op::lanes(rows[LANE])))
}

/// Eight elements of the quadratic extension, `c0 + c1·i` with `i² = -1`.
#[derive(Clone, Copy)]
pub struct Quadratic {
    c0: Base,
    c1: Base,
}

impl Quadratic {
    /// `self - other + 3 p`, for `other` of at most 3 p.
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { c0: self.c0.sub::<3>(other.c0), c1: self.c1.sub::<3>(other.c1) }
    }
    #[inline(always)]
    fn reduce(self) -> Self {
        Self { c0: self.c0.reduce(), c1: self.c1.reduce() }
    }
    /// Takes at most 6 p on both sides; gives less than 2.5 p. Three products, two reductions.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.c0.wide_mul(other.c0), self.c1.wide_mul(other.c1));
        let cross = self.c0.add(self.c1).wide_mul(other.c0.add(other.c1));
        Self { c0: a.sub(b).montgomery_above::<1>(), c1: cross.sub(a).sub(b).montgomery() }
    }
    /// Takes at most 3 p; gives less than 2 p.
    #[inline(always)]
    fn square(self) -> Self {
        let difference = self.c0.sub::<3>(self.c1);
        Self { c0: self.c0.add(self.c1).mul(difference), c1: self.c0.add(self.c0).mul(self.c1) }
    }
    /// From the rows of halves of points.
    #[inline(always)]
    fn from_rows(rows: [__m512i; 8]) -> Self {
        let words = transpose(rows);
        Self { c0: Base::from_columns(first(&words)), c1: Base::from_columns(second(&words)) }
    }
    /// As [`Self::from_rows`], of table entries; below 2.5 p.
    #[inline(always)]
    fn from_stored(rows: [__m512i; 8]) -> Self {
        let words = transpose(rows);
        Self {
            c0: Base::from_columns_16(first(&words)).reduce(),
            c1: Base::from_columns_16(second(&words)).reduce(),
        }
    }
    #[inline(always)]
    fn rows(self) -> [__m512i; 8] {
        transpose(joined(self.c0.columns(), self.c1.columns()))
    }
    /// `negate` says which lanes to negate; takes and gives at most 3 p.
    #[inline(always)]
    fn signed(self, negate: u8) -> Self {
        Self { c0: negate_where(self.c0, negate), c1: negate_where(self.c1, negate) }
    }
}

/// Takes and gives at most 3 p.
#[inline(always)]
fn negate_where(x: Base, mask: u8) -> Base {
    x.select(mask, Base::zero().sub::<3>(x))
}

/// The halves of a stored point: x, then y.
#[inline(always)]
fn half(words: &[u64; 16], at: usize) -> __m512i {
    op::vector(words[at..at + 8].try_into().expect("half of a point"))
}

/// The sum of two points whose coordinates are at most 3 p, given `1 / (x2 - x1)`.
#[inline(always)]
fn chord(
    inverse: Quadratic,
    (x1, y1): (Quadratic, Quadratic),
    (x2, y2): (Quadratic, Quadratic),
) -> (Quadratic, Quadratic) {
    let slope = y2.sub(y1).mul(inverse);
    // The square below 2 p, and twice 3 p.
    let x = slope.square().sub(x1).sub(x2).reduce();
    let y = slope.mul(x1.sub(x)).sub(y1).reduce();
    (x, y)
}

/// Coordinates of eight table entries: x at 0, y at 8.
#[inline(always)]
fn stored_g2(table: &[G2Stored], entries: [Signed; 8], at: usize) -> Quadratic {
    Quadratic::from_stored(each!(LANE of 8 => half(&table[entries[LANE].index()].0, at)))
}

/// Points of at most 3 p, negated where the entries say so.
#[inline(always)]
fn load_g2(table: &[G2Stored], entries: [Signed; 8]) -> (Quadratic, Quadratic) {
    let y = stored_g2(table, entries, 8).signed(signs(entries));
    (stored_g2(table, entries, 0), y)
}

/// Coordinates of eight partial sums: x is half 0, y half 1.
#[inline(always)]
fn half_g2(partial: &[G2Partial], at: [u32; 8], offset: usize, half: usize) -> Quadratic {
    Quadratic::from_rows(each!(
        LANE of 8 => op::vector(partial[at[LANE] as usize + offset].0[half])
    ))
}

/// x coordinates of points in G2.
impl Lanes for Quadratic {
    const WIDTH: usize = 8;
    type Point = G2Stored;
    type Partial = G2Partial;
    type Sums = [G2Partial; 8];

    #[inline(always)]
    fn one() -> Self {
        Self { c0: Base::one().reduce(), c1: Base::zero() }
    }
    /// Takes at most 6 p; gives less than 2.5 p.
    #[inline(always)]
    fn product(self, other: Self) -> Self {
        self.mul(other)
    }
    #[inline(always)]
    fn inverse(self) -> Option<Self> {
        let (c0, c1) = (self.c0.elements(), self.c1.elements());
        let inverses = invert_all::<Fq2, 8>(std::array::from_fn(|i| Fq2::new(c0[i], c1[i])))?;
        let lanes = Self {
            c0: Base::from_elements(inverses.map(|x| x.c0)),
            c1: Base::from_elements(inverses.map(|x| x.c1)),
        };
        Some(lanes.reduce())
    }

    #[inline(always)]
    fn run(table: &[G2Stored], left: &[Signed], right: &[Signed]) -> Self {
        let (left, right) = (stored_g2(table, eight(left), 0), stored_g2(table, eight(right), 0));
        right.sub(left)
    }
    #[inline(always)]
    fn sums(
        inverse: Self,
        table: &[G2Stored],
        left: &[Signed],
        right: &[Signed],
    ) -> (Self, [G2Partial; 8]) {
        let left = load_g2(table, eight(left));
        let right = load_g2(table, eight(right));
        (right.0.sub(left.0), spread_g2(chord(inverse, left, right)))
    }

    #[inline(always)]
    fn partial_run(partial: &[G2Partial], at: &[u32]) -> Self {
        let at = eight(at);
        half_g2(partial, at, 1, 0).sub(half_g2(partial, at, 0, 0))
    }
    #[inline(always)]
    fn partial_sums(inverse: Self, partial: &[G2Partial], at: &[u32]) -> (Self, [G2Partial; 8]) {
        let at = eight(at);
        let left = (half_g2(partial, at, 0, 0), half_g2(partial, at, 0, 1));
        let right = (half_g2(partial, at, 1, 0), half_g2(partial, at, 1, 1));
        (right.0.sub(left.0), spread_g2(chord(inverse, left, right)))
    }

    #[inline(always)]
    fn single(table: &[G2Stored], entry: Signed) -> G2Partial {
        let mut point = table[entry.index()];
        if entry.negative() {
            let (x, y) = point.coordinates();
            point = G2Stored::new(x, -y);
        }
        Self::partial(&point)
    }
    #[inline(always)]
    fn partial(point: &G2Stored) -> G2Partial {
        let sixteen = Fq::from(16u64);
        let (mut x, mut y) = point.coordinates();
        x.mul_assign_by_fp(&sixteen);
        y.mul_assign_by_fp(&sixteen);
        let words = G2Stored::new(x, y).0;
        G2Partial([0, 8].map(|at| words[at..at + 8].try_into().expect("half of a point")))
    }
    #[inline(always)]
    fn point(partial: &G2Partial) -> G2Stored {
        let [x, y] = partial.0.map(|half| {
            let [c0, c1] = [0, 4].map(|at| element(four(&half, at)));
            Fq2::new(c0, c1)
        });
        G2Stored::new(x, y)
    }
}

#[inline(always)]
fn spread_g2((x, y): (Quadratic, Quadratic)) -> [G2Partial; 8] {
    let (x, y) = (x.rows(), y.rows());
    each!(LANE of 8 => G2Partial([op::lanes(x[LANE]), op::lanes(y[LANE])]))
}
