//! Multi-scalar multiplication over a table of fixed bases.
//!
//! A table holds, for each base P, the multiples 2^(w·s·g)·P for g = 0, 1, …, where w is the width
//! of a digit in bits and s the *stride*. Scalars are cut into signed digits of w bits; digits j with
//! equal j mod s share one set of 2^(w-1) buckets, since the table shifts the rest. So stride 1 is a
//! single set and no doublings (Brickell, Gordon, McCurley and Wilson, 1992, with buckets), and a
//! stride of all digits is Pippenger's method over the bare bases.

use std::ops::Range;

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::short_weierstrass::Projective;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, PrimeField, Zero};
use rayon::prelude::*;
use zeroize::Zeroize;

use crate::engine::{Arithmetic, Engine, Kind, PartialOf, PortableG1, PortableG2, Sums};
#[cfg(target_arch = "x86_64")]
use crate::engine::{IfmaG1, IfmaG2};
use crate::lanes::{G1Stored, G2Stored, Lanes, Signed, Stored};

/// Bits of a scalar, below the group order.
const SCALAR_BITS: usize = 254;
/// Most entries that are added up with one inversion: a block's points stay in the second-level
/// cache between the pass that multiplies up and the one that adds.
const BLOCK: usize = 8192;

/// How scalars are cut and what the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Bits of a digit, 2 to 16.
    pub width: u32,
    /// Digits that share one table entry's multiple, 1 to [`Self::digits`].
    pub stride: usize,
}

impl Windows {
    /// Digits of a scalar; one bit more than the scalar has for the last carry.
    pub fn digits(self) -> usize {
        (SCALAR_BITS + 1).div_ceil(self.width as usize)
    }
    /// Multiples of each base in the table.
    pub fn multiples(self) -> usize {
        self.digits().div_ceil(self.stride)
    }
    /// Buckets of one set.
    fn buckets(self) -> usize {
        1 << (self.width - 1)
    }

    /// Calls with every digit that is not zero: its place and its value, `-2^(w-1)` to `2^(w-1)`.
    #[inline(always)]
    fn each(self, scalar: &BigInt<4>, mut digit: impl FnMut(usize, i32)) {
        // Above half of the group order the opposite is shorter: -1 has one digit, not all.
        let mut opposite = Fr::MODULUS;
        opposite.sub_with_borrow(scalar);
        let negative = opposite < *scalar;
        let (scalar, sign) = if negative { (&opposite, -1) } else { (scalar, 1) };
        let width = self.width as usize;
        let (mask, half) = ((1u64 << width) - 1, 1i64 << (width - 1));
        let mut carry = 0;
        for j in 0..self.digits() {
            let (word, shift) = (j * width / 64, j * width % 64);
            let mut bits = scalar.0.get(word).map_or(0, |w| w >> shift);
            if shift + width > 64 {
                bits |= scalar.0.get(word + 1).map_or(0, |w| w << (64 - shift));
            }
            let mut value = (bits & mask) as i64 + carry;
            carry = 0;
            if value > half {
                value -= 1 << width;
                carry = 1;
            }
            if value != 0 {
                digit(j, sign * value as i32);
            }
        }
        debug_assert_eq!(carry, 0, "scalars are below 2^254");
    }
}

/// Multiples of fixed bases, `multiples` runs of all bases.
#[derive(Clone, Copy, Debug)]
pub struct Table<'t, P> {
    /// How it was made.
    pub windows: Windows,
    /// Multiple g of base i at `g·bases + i`.
    pub points: &'t [P],
}

impl<P: Stored> Table<'_, P> {
    /// How many bases.
    pub fn bases(&self) -> usize {
        self.points.len() / self.windows.multiples()
    }
}

/// Entries of a table in the order of their buckets, for one scalar each base: made once, used
/// with every table that has as many bases and the same windows.
#[derive(Debug)]
pub struct Sorted {
    windows: Windows,
    bases: usize,
    /// One a set of buckets.
    sets: Vec<Set>,
}

#[derive(Debug)]
struct Set {
    entries: Vec<Signed>,
    /// Where the entries of bucket b begin; one more at the end.
    starts: Vec<u32>,
}

/// Digits tell the scalars, which are secret.
impl Drop for Set {
    fn drop(&mut self) {
        self.entries.iter_mut().for_each(|entry| *entry = Signed::new(0, false));
        std::hint::black_box(&self.entries);
        self.starts.zeroize();
    }
}

impl Sorted {
    /// Cuts scalars into digits and sorts the digits. Each scalar comes with the number of its base,
    /// below `bases`; bases that are left out have scalar zero.
    pub fn new(
        windows: Windows,
        bases: usize,
        scalars: impl Iterator<Item = (usize, BigInt<4>)> + Clone,
    ) -> Self {
        assert!(bases * windows.multiples() <= Signed::LIMIT, "the table can be indexed");
        let sets = windows.stride;
        let buckets = windows.buckets();
        let mut starts = vec![vec![0u32; buckets + 2]; sets];
        for (_, scalar) in scalars.clone() {
            windows.each(&scalar, |j, value| {
                starts[j % sets][value.unsigned_abs() as usize + 1] += 1;
            });
        }
        let mut entries: Vec<Vec<Signed>> = Vec::with_capacity(sets);
        for starts in &mut starts {
            for bucket in 1..starts.len() {
                starts[bucket] += starts[bucket - 1];
            }
            entries.push(vec![Signed::new(0, false); starts[buckets + 1] as usize]);
        }
        let mut cursors = starts.clone();
        for (i, scalar) in scalars {
            assert!(i < bases, "a scalar has a base");
            windows.each(&scalar, |j, value| {
                let (set, multiple) = (j % sets, j / sets);
                let cursor = &mut cursors[set][value.unsigned_abs() as usize];
                entries[set][*cursor as usize] = Signed::new(multiple * bases + i, value < 0);
                *cursor += 1;
            });
        }
        cursors.zeroize();
        let sets = entries.into_iter().zip(starts);
        // Bucket 0 is empty: bucket b holds weight b + 1 from here on.
        let sets = sets.map(|(entries, starts)| Set { entries, starts: starts[1..].to_vec() });
        Self { windows, bases, sets: sets.collect() }
    }
}

type Group<P> = Projective<<P as Stored>::Curve>;

/// `Σ scalar_i · base_i` for the scalars that were sorted.
///
/// # Panics
/// If the table has another number of bases or other windows than the scalars were sorted for.
pub fn multiply_g1(
    arithmetic: Arithmetic,
    table: &Table<'_, G1Stored>,
    sorted: &Sorted,
) -> G1Projective {
    match arithmetic.kind() {
        Kind::Portable => multiply::<PortableG1>(table, sorted),
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma => multiply::<IfmaG1>(table, sorted),
    }
}

/// As [`multiply_g1`].
pub fn multiply_g2(
    arithmetic: Arithmetic,
    table: &Table<'_, G2Stored>,
    sorted: &Sorted,
) -> G2Projective {
    match arithmetic.kind() {
        Kind::Portable => multiply::<PortableG2>(table, sorted),
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma => multiply::<IfmaG2>(table, sorted),
    }
}

/// Wipes what sums left in the memory of all threads.
pub fn wipe(arithmetic: Arithmetic) {
    rayon::broadcast(|_| match arithmetic.kind() {
        Kind::Portable => (PortableG1::wipe(), PortableG2::wipe()),
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma => (IfmaG1::wipe(), IfmaG2::wipe()),
    });
}

pub(crate) fn multiply<E: Engine>(table: &Table<'_, E::Point>, sorted: &Sorted) -> Group<E::Point> {
    assert_eq!((table.windows, table.bases()), (sorted.windows, sorted.bases), "the same table");
    let sums: Vec<Group<E::Point>> =
        sorted.sets.par_iter().map(|set| weighted_sum::<E>(table.points, set)).collect();
    sums.into_iter().rev().fold(Group::<E::Point>::zero(), |mut total, sum| {
        for _ in 0..table.windows.width {
            total.double_in_place();
        }
        total + sum
    })
}

/// `Σ (b + 1) · (sum of bucket b)`.
fn weighted_sum<E: Engine>(table: &[E::Point], set: &Set) -> Group<E::Point> {
    let buckets = set.starts.len() - 1;
    let blocks = blocks(&set.starts);
    let parts: Vec<Sums<PartialOf<E>>> = blocks
        .par_iter()
        .map(|block| {
            let entries = set.starts[block.start] as usize..set.starts[block.end] as usize;
            let counts: Vec<u32> =
                set.starts[block.start..=block.end].windows(2).map(|two| two[1] - two[0]).collect();
            let mut sums = E::sum_entries(table, &set.entries[entries], &counts);
            sums.groups.iter_mut().for_each(|group| *group += block.start as u32 + 1);
            sums
        })
        .collect();
    // Weight is row·2^half + column: two sums of far fewer weights.
    let half = buckets.ilog2() / 2;
    let by = |key: &(dyn Fn(u32) -> u32 + Sync), keys| by_key::<E>(&parts, key, keys);
    let (mut rows, columns) = rayon::join(
        || by(&|weight| weight >> half, (buckets >> half) + 1),
        || by(&|weight| weight & ((1 << half) - 1), 1 << half),
    );
    for _ in 0..half {
        rows.double_in_place();
    }
    rows + columns
}

/// `Σ key(weight) · point` over points with their weights.
fn by_key<E: Engine>(
    parts: &[Sums<PartialOf<E>>],
    key: &(dyn Fn(u32) -> u32 + Sync),
    keys: usize,
) -> Group<E::Point> {
    let weighted = || {
        parts
            .iter()
            .flat_map(|part| part.groups.iter().map(|weight| key(*weight)).zip(&part.points))
    };
    let mut starts = vec![0u32; keys + 1];
    for (key, _) in weighted() {
        starts[key as usize + 1] += 1;
    }
    let counts = starts[1..].to_vec();
    for key in 1..starts.len() {
        starts[key] += starts[key - 1];
    }
    let Some((_, filler)) = weighted().next() else { return Group::<E::Point>::zero() };
    let mut points = vec![*filler; starts[keys] as usize];
    for (key, point) in weighted() {
        let cursor = &mut starts[key as usize];
        points[*cursor as usize] = *point;
        *cursor += 1;
    }
    let sums = E::sum_partial(&points, &counts);
    let mut finite = sums.groups.iter().zip(&sums.points).rev().peekable();
    let (mut running, mut total) = (Group::<E::Point>::zero(), Group::<E::Point>::zero());
    for key in (1..keys as u32).rev() {
        if let Some((_, point)) = finite.next_if(|(group, _)| **group == key) {
            running += <E::Lanes as Lanes>::point(point).to_affine();
        }
        total += running;
    }
    total
}

/// Runs of buckets of about [`BLOCK`] entries.
fn blocks(starts: &[u32]) -> Vec<Range<usize>> {
    let buckets = starts.len() - 1;
    let mut blocks = Vec::new();
    let mut from = 0;
    while from < buckets {
        let limit = starts[from] as usize + BLOCK;
        let mut to = from + 1;
        while to < buckets && starts[to + 1] as usize <= limit {
            to += 1;
        }
        blocks.push(from..to);
        from = to;
    }
    blocks
}
