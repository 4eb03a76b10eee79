//! One point at a time, in arkworks' arithmetic.

use ark_ff::Field;

use super::stored::Coordinate;
use super::{Lanes, Signed, Stored};

/// A coordinate.
#[derive(Clone, Copy)]
pub struct Scalar<P: Stored>(Coordinate<P>);

#[inline(always)]
fn load<P: Stored>(table: &[P], entry: Signed) -> (Coordinate<P>, Coordinate<P>) {
    let (x, y) = table[entry.index()].coordinates();
    (x, if entry.negative() { -y } else { y })
}

#[inline(always)]
fn sum<P: Stored>(
    inverse: Coordinate<P>,
    (x1, y1): (Coordinate<P>, Coordinate<P>),
    (x2, y2): (Coordinate<P>, Coordinate<P>),
) -> P {
    let slope = (y2 - y1) * inverse;
    let x = slope.square() - x1 - x2;
    P::new(x, slope * (x1 - x) - y1)
}

impl<P: Stored> Lanes for Scalar<P> {
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
        Self(self.0 * other.0)
    }
    #[inline(always)]
    fn inverse(self) -> Option<Self> {
        self.0.inverse().map(Self)
    }
    #[inline(always)]
    fn run(table: &[P], left: &[Signed], right: &[Signed]) -> Self {
        Self(table[right[0].index()].coordinates().0 - table[left[0].index()].coordinates().0)
    }
    #[inline(always)]
    fn sums(inverse: Self, table: &[P], left: &[Signed], right: &[Signed]) -> (Self, [P; 1]) {
        let (left, right) = (load(table, left[0]), load(table, right[0]));
        (Self(right.0 - left.0), [sum(inverse.0, left, right)])
    }
    #[inline(always)]
    fn partial_run(partial: &[P], at: &[u32]) -> Self {
        let at = at[0] as usize;
        Self(partial[at + 1].coordinates().0 - partial[at].coordinates().0)
    }
    #[inline(always)]
    fn partial_sums(inverse: Self, partial: &[P], at: &[u32]) -> (Self, [P; 1]) {
        let at = at[0] as usize;
        let (left, right) = (partial[at].coordinates(), partial[at + 1].coordinates());
        (Self(right.0 - left.0), [sum(inverse.0, left, right)])
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
