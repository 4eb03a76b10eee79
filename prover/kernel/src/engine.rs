//! The arithmetic a processor can do best, chosen at run time.

use std::cell::RefCell;

use ark_bn254::Fq;
use ark_ec::CurveGroup;
use ark_ec::short_weierstrass::Projective;
use ark_ff::Zero;

#[cfg(target_arch = "x86_64")]
use crate::lanes::fp8::Fp8;
#[cfg(target_arch = "x86_64")]
use crate::lanes::ifma::Quadratic;
use crate::lanes::scalar::Scalar;
use crate::lanes::{G1Stored, G2Stored, Lanes, Signed, Stored};
use crate::sums::{self, SameX, Scratch};

/// Which instructions to use: only what [`Arithmetic::available`] found on this processor can be had.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Arithmetic(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that every processor has.
    Portable,
    /// x86-64 with AVX-512 IFMA: eight multiplications at once.
    #[cfg(target_arch = "x86_64")]
    Ifma,
}

impl std::fmt::Debug for Arithmetic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Arithmetic {
    /// What every processor can do.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// All that this processor can do, the best one last.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        if crate::lanes::fp8::available() {
            return vec![Self::PORTABLE, Self(Kind::Ifma)];
        }
        vec![Self::PORTABLE]
    }

    /// The best that this processor can do.
    pub fn best() -> Self {
        *Self::available().last().expect("the portable one is always there")
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

/// Sums of groups of points by one kind of arithmetic in one group.
pub(crate) trait Engine {
    /// Its coordinates.
    type Lanes: Lanes<Point = Self::Point>;
    /// Its points.
    type Point: Stored;

    /// Adds up groups of table entries: group `g` has `counts[g]` of them, one behind the other.
    fn sum_entries(
        table: &[Self::Point],
        entries: &[Signed],
        counts: &[u32],
    ) -> Sums<PartialOf<Self>>;

    /// Wipes what this thread's sums left in memory: digits of scalars, which are secret.
    fn wipe();

    /// As [`Self::sum_entries`], of points that were summed before.
    fn sum_partial(points: &[PartialOf<Self>], counts: &[u32]) -> Sums<PartialOf<Self>>;
}

/// What an engine's sums are made of.
pub(crate) type PartialOf<E> = <<E as Engine>::Lanes as Lanes>::Partial;

/// The groups whose sum is a finite point, in order, and their sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums<P> {
    /// Numbers of groups.
    pub groups: Vec<u32>,
    /// As many points.
    pub points: Vec<P>,
}

impl<P: Copy> Sums<P> {
    fn of_all(points: &[P], counts: &[u32]) -> Self {
        let filled = (0..).zip(counts).filter(|(_, count)| **count > 0);
        Self { groups: filled.map(|(group, _)| group).collect(), points: points.to_vec() }
    }
}

/// Sums by formulas that hold for all points. Not to be called with the scratch memory borrowed:
/// while normalising waits for other threads, this one may take up another block.
fn complete<L: Lanes>(
    points: impl Iterator<Item = L::Partial>,
    counts: &[u32],
) -> Sums<L::Partial> {
    let mut points = points.map(|point| L::point(&point).to_affine());
    let sums: Vec<_> = counts
        .iter()
        .map(|count| {
            let zero = Projective::<<L::Point as Stored>::Curve>::zero();
            points.by_ref().take(*count as usize).fold(zero, |sum, point| sum + point)
        })
        .collect();
    let sums = Projective::normalize_batch(&sums);
    let finite =
        (0..).zip(&sums).filter_map(|(group, sum)| Some((group, L::Point::from_affine(sum)?)));
    let (groups, points) = finite.map(|(group, point)| (group, L::partial(&point))).unzip();
    Sums { groups, points }
}

/// An engine: the same sums, compiled for some features.
macro_rules! engine {
    ($(#[$doc:meta])* $name:ident, $lanes:ty, $point:ty $(, $($feature:literal),+)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name;

        impl $name {
            fn with_scratch<T>(f: impl FnOnce(&mut Scratch<$lanes>) -> T) -> T {
                thread_local! {
                    static SCRATCH: RefCell<Scratch<$lanes>> = RefCell::default();
                }
                SCRATCH.with_borrow_mut(f)
            }
            $(#[target_feature($(enable = $feature),+)])?
            fn entries<'s>(
                table: &[$point],
                entries: &[Signed],
                counts: &[u32],
                scratch: &'s mut Scratch<$lanes>,
            ) -> Result<&'s [PartialOf<Self>], SameX> {
                sums::sum_entries(table, entries, counts, scratch)
            }
            $(#[target_feature($(enable = $feature),+)])?
            fn partial<'s>(
                points: &[PartialOf<Self>],
                counts: &[u32],
                scratch: &'s mut Scratch<$lanes>,
            ) -> Result<&'s [PartialOf<Self>], SameX> {
                sums::sum_partial(points, counts, scratch)
            }
        }

        impl Engine for $name {
            type Lanes = $lanes;
            type Point = $point;

            fn sum_entries(
                table: &[$point],
                entries: &[Signed],
                counts: &[u32],
            ) -> Sums<PartialOf<Self>> {
                let sums = Self::with_scratch(|scratch| {
                    // SAFETY: `Arithmetic` gives this engine only where the processor has its
                    // features.
                    #[allow(unused_unsafe)]
                    let sums = unsafe { Self::entries(table, entries, counts, scratch) };
                    sums.map(|points| Sums::of_all(points, counts))
                });
                sums.unwrap_or_else(|SameX| {
                    let points = entries.iter().map(|entry| <$lanes>::single(table, *entry));
                    complete::<$lanes>(points, counts)
                })
            }
            fn sum_partial(points: &[PartialOf<Self>], counts: &[u32]) -> Sums<PartialOf<Self>> {
                let sums = Self::with_scratch(|scratch| {
                    // SAFETY: as above.
                    #[allow(unused_unsafe)]
                    let sums = unsafe { Self::partial(points, counts, scratch) };
                    sums.map(|points| Sums::of_all(points, counts))
                });
                sums.unwrap_or_else(|SameX| complete::<$lanes>(points.iter().copied(), counts))
            }
            fn wipe() {
                Self::with_scratch(Scratch::wipe);
            }
        }
    };
}

engine!(
    /// G1 on every processor.
    PortableG1, Scalar<G1Stored>, G1Stored);
engine!(
    /// G2 on every processor.
    PortableG2, Scalar<G2Stored>, G2Stored);
#[cfg(target_arch = "x86_64")]
engine!(
    /// G1 with AVX-512 IFMA.
    IfmaG1, Fp8<Fq>, G1Stored, "avx512f", "avx512dq", "avx512ifma", "bmi2", "adx");
#[cfg(target_arch = "x86_64")]
engine!(
    /// G2 with AVX-512 IFMA.
    IfmaG2, Quadratic, G2Stored, "avx512f", "avx512dq", "avx512ifma", "bmi2", "adx");
