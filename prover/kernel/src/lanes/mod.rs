//! Points several at a time: what batch-affine addition is written in.
//!
//! Two implementations of `Lanes`. `scalar` has one point at a time and runs everywhere. `ifma` has
//! eight, on processors with 52-bit vector multipliers (AVX-512 IFMA). Both read the same tables.

#[cfg(target_arch = "x86_64")]
pub(crate) mod fp8;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod scalar;
mod stored;

pub use stored::{Coordinate, G1Stored, G2Stored, Stored};

/// An entry of a table with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed(u32);

impl Signed {
    /// Most entries a table can have.
    pub const LIMIT: usize = 1 << 31;

    /// Entry `index`, below [`Self::LIMIT`], negated if `negative`.
    #[inline(always)]
    pub fn new(index: usize, negative: bool) -> Self {
        Self((index as u32) << 1 | u32::from(negative))
    }
    /// The place in the table.
    #[inline(always)]
    pub fn index(self) -> usize {
        (self.0 >> 1) as usize
    }
    /// Whether the point is subtracted.
    #[inline(always)]
    pub fn negative(self) -> bool {
        self.0 & 1 == 1
    }
}

/// `WIDTH` elements of a coordinate field, one of each of `WIDTH` pairs of points that are added
/// side by side. The slices of every method have `WIDTH` elements.
pub(crate) trait Lanes: Copy {
    /// How many.
    const WIDTH: usize;
    /// The points of tables.
    type Point: Stored;
    /// A point on its way through a sum, in whatever form is quickest to load again.
    type Partial: Copy + Send + Sync;

    /// `WIDTH` sums.
    type Sums: AsRef<[Self::Partial]>;

    /// One in every lane.
    fn one() -> Self;
    /// The product lane by lane.
    fn product(self, other: Self) -> Self;
    /// `1 / self` lane by lane, or `None` if any lane is zero.
    fn inverse(self) -> Option<Self>;

    /// `x_right - x_left` of pairs of table entries.
    fn run(table: &[Self::Point], left: &[Signed], right: &[Signed]) -> Self;
    /// `run` again, and the sums of pairs of table entries, given `1 / run`.
    fn sums(
        inverse: Self,
        table: &[Self::Point],
        left: &[Signed],
        right: &[Signed],
    ) -> (Self, Self::Sums);
    /// As [`Self::run`]; pair `k` is `partial[at[k]]` and the one behind it.
    fn partial_run(partial: &[Self::Partial], at: &[u32]) -> Self;
    /// As [`Self::sums`], of the same pairs as [`Self::partial_run`].
    fn partial_sums(inverse: Self, partial: &[Self::Partial], at: &[u32]) -> (Self, Self::Sums);
    /// A table entry on its own.
    fn single(table: &[Self::Point], entry: Signed) -> Self::Partial;
    /// A point from its coordinates.
    fn partial(point: &Self::Point) -> Self::Partial;
    /// The coordinates of a point.
    fn point(partial: &Self::Partial) -> Self::Point;
}

/// Asks for a table entry to be brought near; changes nothing.
#[inline(always)]
pub(crate) fn prefetch<P>(table: &[P], entry: Signed) {
    #[cfg(target_arch = "x86_64")]
    if let Some(point) = table.get(entry.index()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let mut line = std::ptr::from_ref(point).cast::<i8>();
        for _ in 0..size_of::<P>() / 64 {
            // SAFETY: a prefetch reads nothing that the program can see and never faults; the
            // address lies in `point`.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(line);
                line = line.add(64);
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (table, entry);
}
