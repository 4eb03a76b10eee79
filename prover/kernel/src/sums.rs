//! Sums of groups of points by affine additions that share inversions.
//!
//! Every group is added up as a tree: pairs within a group give the next level, an odd point moves
//! up alone. One inversion serves all pairs of a level, by Montgomery's trick, in each lane.

use crate::lanes::{Lanes, Signed, prefetch};

/// Two points of a pair have the same x: they are equal or opposite, and their sum or double needs
/// another formula. Keys have such points where columns of a circuit's matrix are equal or opposite,
/// so whoever gets this adds the groups up by complete formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameX;

/// How many pairs ahead table entries are asked for: the table is far larger than the caches.
const AHEAD: usize = 32;

/// Memory of [`sum_entries`] and [`sum_partial`] for reuse.
pub struct Scratch<L: Lanes> {
    /// Product of all runs before a vector of pairs.
    before: Vec<L>,
    left: Vec<Signed>,
    right: Vec<Signed>,
    at: Vec<u32>,
    to: Vec<u32>,
    counts: Vec<u32>,
    now: Vec<L::Partial>,
    next: Vec<L::Partial>,
}

impl<L: Lanes> Default for Scratch<L> {
    fn default() -> Self {
        Self {
            before: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            at: Vec::new(),
            to: Vec::new(),
            counts: Vec::new(),
            now: Vec::new(),
            next: Vec::new(),
        }
    }
}

impl<L: Lanes> Scratch<L> {
    /// Overwrites what is left of secrets, and keeps the memory.
    pub fn wipe(&mut self) {
        fn wipe<T: Copy>(list: &mut Vec<T>, with: T) {
            list.resize(list.capacity(), with);
            list.fill(with);
            std::hint::black_box(&list);
            list.clear();
        }
        wipe(&mut self.before, L::one());
        wipe(&mut self.left, Signed::new(0, false));
        wipe(&mut self.right, Signed::new(0, false));
        wipe(&mut self.at, 0);
        wipe(&mut self.to, 0);
        wipe(&mut self.counts, 0);
        // There is no neutral point: both lists are overwritten with the first one.
        if let Some(first) = self.now.first().or(self.next.first()).copied() {
            wipe(&mut self.now, first);
            wipe(&mut self.next, first);
        }
    }
}

/// Adds up groups of table entries: group `g` has `counts[g]` entries, one behind the other.
/// The sums of the groups that are not empty, in order.
#[inline(always)]
pub fn sum_entries<'s, L: Lanes>(
    table: &[L::Point],
    entries: &[Signed],
    counts: &[u32],
    scratch: &'s mut Scratch<L>,
) -> Result<&'s [L::Partial], SameX> {
    let Scratch { left, right, to, now, .. } = scratch;
    left.clear();
    right.clear();
    to.clear();
    now.clear();
    scratch.counts.clear();
    let Some(filler) = entries.first() else { return Ok(&[]) };
    let filler = L::single(table, *filler);
    let mut rest = entries;
    for &count in counts.iter().filter(|count| **count > 0) {
        let group;
        (group, rest) = rest.split_at(count as usize);
        let pairs = group.chunks_exact(2);
        let odd = pairs.remainder();
        for pair in pairs {
            left.push(pair[0]);
            right.push(pair[1]);
            to.push(now.len() as u32);
            now.push(filler);
        }
        if let [odd] = odd {
            now.push(L::single(table, *odd));
        }
        scratch.counts.push(count.div_ceil(2));
    }
    let pairs = to.len();
    if pairs > 0 {
        // The last vector repeats a pair; what it gives goes to a place of its own.
        while left.len() % L::WIDTH != 0 {
            left.push(left[0]);
            right.push(right[0]);
            to.push(now.len() as u32);
        }
        now.push(filler);
        rise(&mut scratch.before, &mut Entries::<L> { table, left, right, now, to })?;
        now.pop();
    }
    levels(scratch)
}

/// As [`sum_entries`], of points that were summed before.
#[inline(always)]
pub fn sum_partial<'s, L: Lanes>(
    points: &[L::Partial],
    counts: &[u32],
    scratch: &'s mut Scratch<L>,
) -> Result<&'s [L::Partial], SameX> {
    scratch.now.clear();
    scratch.now.extend_from_slice(points);
    scratch.counts.clear();
    scratch.counts.extend(counts.iter().filter(|count| **count > 0));
    levels(scratch)
}

/// Adds up `now` in groups of `counts`, none of them empty.
#[inline(always)]
fn levels<L: Lanes>(scratch: &mut Scratch<L>) -> Result<&[L::Partial], SameX> {
    let Scratch { before, at, to, counts, now, next, .. } = scratch;
    while counts.iter().any(|count| *count > 1) {
        at.clear();
        to.clear();
        next.clear();
        let mut from = 0;
        for count in counts.iter_mut() {
            for _ in 0..*count / 2 {
                at.push(from);
                to.push(next.len() as u32);
                next.push(now[from as usize]);
                from += 2;
            }
            if *count % 2 == 1 {
                next.push(now[from as usize]);
                from += 1;
            }
            *count = count.div_ceil(2);
        }
        while at.len() % L::WIDTH != 0 {
            at.push(at[0]);
            to.push(next.len() as u32);
        }
        next.push(now[0]);
        rise(before, &mut Partials::<L> { now, at, next, to })?;
        next.pop();
        std::mem::swap(now, next);
    }
    Ok(now)
}

/// One level: vectors of pairs. Not closures, which would be compiled as functions of their own.
trait Level<L> {
    /// How many vectors.
    fn vectors(&self) -> usize;
    /// The differences of the x of vector `k`.
    fn run(&self, k: usize) -> L;
    /// Stores the sums of vector `k` given the inverses of its differences; gives these again.
    fn store(&mut self, k: usize, inverse: L) -> L;
}

/// From the table to the first partial sums.
struct Entries<'l, L: Lanes> {
    table: &'l [L::Point],
    left: &'l [Signed],
    right: &'l [Signed],
    now: &'l mut [L::Partial],
    to: &'l [u32],
}

impl<L: Lanes> Level<L> for Entries<'_, L> {
    #[inline(always)]
    fn vectors(&self) -> usize {
        self.left.len() / L::WIDTH
    }
    #[inline(always)]
    fn run(&self, k: usize) -> L {
        let range = k * L::WIDTH..(k + 1) * L::WIDTH;
        if range.end + AHEAD <= self.left.len() {
            for pair in range.start + AHEAD..range.end + AHEAD {
                prefetch(self.table, self.left[pair]);
                prefetch(self.table, self.right[pair]);
            }
        }
        L::run(self.table, &self.left[range.clone()], &self.right[range])
    }
    #[inline(always)]
    fn store(&mut self, k: usize, inverse: L) -> L {
        let range = k * L::WIDTH..(k + 1) * L::WIDTH;
        let (left, right) = (&self.left[range.clone()], &self.right[range.clone()]);
        let (run, sums) = L::sums(inverse, self.table, left, right);
        for (to, sum) in self.to[range].iter().zip(sums.as_ref()) {
            self.now[*to as usize] = *sum;
        }
        run
    }
}

/// From partial sums to half as many.
struct Partials<'l, L: Lanes> {
    now: &'l [L::Partial],
    at: &'l [u32],
    next: &'l mut [L::Partial],
    to: &'l [u32],
}

impl<L: Lanes> Level<L> for Partials<'_, L> {
    #[inline(always)]
    fn vectors(&self) -> usize {
        self.at.len() / L::WIDTH
    }
    #[inline(always)]
    fn run(&self, k: usize) -> L {
        L::partial_run(self.now, &self.at[k * L::WIDTH..(k + 1) * L::WIDTH])
    }
    #[inline(always)]
    fn store(&mut self, k: usize, inverse: L) -> L {
        let range = k * L::WIDTH..(k + 1) * L::WIDTH;
        let (run, sums) = L::partial_sums(inverse, self.now, &self.at[range.clone()]);
        for (to, sum) in self.to[range].iter().zip(sums.as_ref()) {
            self.next[*to as usize] = *sum;
        }
        run
    }
}

/// Montgomery's trick: one inversion for all pairs of a level in each lane.
#[inline(always)]
fn rise<L: Lanes>(before: &mut Vec<L>, level: &mut impl Level<L>) -> Result<(), SameX> {
    before.clear();
    let mut product = L::one();
    for k in 0..level.vectors() {
        before.push(product);
        product = product.product(level.run(k));
    }
    let mut inverse = product.inverse().ok_or(SameX)?;
    for k in (0..level.vectors()).rev() {
        let own = inverse.product(before[k]);
        inverse = inverse.product(level.store(k, own));
    }
    Ok(())
}
