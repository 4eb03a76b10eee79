//! Points of a table: in memory of their own, or in a file that is mapped.

use std::ops::Deref;
use std::sync::Arc;

use crate::lanes::{G1Stored, G2Stored, Stored};
use crate::mapping::Mapping;

/// A point whose memory may be read from a file.
///
/// # Safety
/// Every pattern of bits is a valid value, and there is no padding.
pub unsafe trait Plain: Stored {}

// SAFETY: an array of integers, as long as its alignment.
unsafe impl Plain for G1Stored {}
// SAFETY: an array of integers, twice as long as its alignment.
unsafe impl Plain for G2Stored {}

/// The bytes of points as a little-endian processor holds them.
pub fn bytes<P: Plain>(points: &[P]) -> &[u8] {
    // SAFETY: plain points have no padding, so all their bytes are initialised.
    unsafe { std::slice::from_raw_parts(points.as_ptr().cast(), size_of_val(points)) }
}

/// Points of a table.
#[derive(Debug)]
pub enum Points<P> {
    /// In memory.
    Owned(Vec<P>),
    /// In a mapped file.
    Mapped(Section<P>),
}

impl<P: Plain> Deref for Points<P> {
    type Target = [P];

    fn deref(&self) -> &[P] {
        match self {
            Self::Owned(points) => points,
            Self::Mapped(section) => section,
        }
    }
}

/// A run of points in a mapped file.
#[derive(Debug)]
pub struct Section<P> {
    mapping: Arc<Mapping>,
    /// First byte, a multiple of the points' alignment from the mapping's beginning.
    from: usize,
    points: usize,
    of: std::marker::PhantomData<P>,
}

impl<P: Plain> Section<P> {
    /// `points` points from byte `from` on; `None` if they are not all there or not aligned.
    pub fn new(mapping: Arc<Mapping>, from: usize, points: usize) -> Option<Self> {
        let to = points.checked_mul(size_of::<P>())?.checked_add(from)?;
        let bytes = mapping.get(from..to)?;
        bytes.as_ptr().cast::<P>().is_aligned().then_some(())?;
        Some(Self { mapping, from, points, of: std::marker::PhantomData })
    }
}

impl<P: Plain> Deref for Section<P> {
    type Target = [P];

    fn deref(&self) -> &[P] {
        let start = self.mapping[self.from..].as_ptr().cast();
        // SAFETY: `new` found all the bytes inside of the mapping and aligned, the mapping lives as
        // long as `self`, and any bytes are valid points.
        unsafe { std::slice::from_raw_parts(start, self.points) }
    }
}
