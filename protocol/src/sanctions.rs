//! The sanctions list as a tree of gaps between consecutive sanctioned documents. Spec §2, §4.
//!
//! A holder shows a gap that strictly contains its own subject. Validators rebuild the tree from
//! the published list and never accept a bare root.

use ark_bn254::Fr;
use ark_ff::PrimeField;

use crate::field::{SanctionsRoot, Subject, fits};
use crate::merkle::{Path, SANCTIONS_DEPTH, SparseTree};
use crate::poseidon::hash;
use crate::tag::Tag;

/// Subjects are below `2^248`; differences are checked in this many bits.
pub const SUBJECT_BITS: u32 = 248;

/// An open interval without sanctioned subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// A sanctioned subject, or the sentinel 0.
    pub lo: Fr,
    /// The next sanctioned subject, or the sentinel `2^248`.
    pub hi: Fr,
}

impl Gap {
    /// `H(GAP; lo, hi)`.
    pub fn leaf(&self) -> Fr {
        hash(Tag::Gap, [self.lo, self.hi])
    }
}

/// The sentinel above every subject, `2^248`.
pub fn upper_sentinel() -> Fr {
    let mut limbs = [0u64; 4];
    limbs[3] = 1 << (SUBJECT_BITS - 192);
    Fr::from_bigint(ark_ff::BigInt::new(limbs)).expect("2^248 is below the modulus")
}

/// Why subjects are not a sanctions list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// More entries than the tree has gaps.
    #[error("a sanctions list holds at most 262,143 distinct documents")]
    TooLong,
    /// A subject of more than 248 bits. It would sort behind the sentinel, and the gap between
    /// the two would wrap around the modulus and contain everybody.
    #[error("a subject has at most 248 bits; publish the list again from its documents")]
    OutOfRange,
}

/// A sanctions list and its tree.
#[derive(Clone, Debug)]
pub struct SanctionsList {
    /// Sorted, distinct, without sentinels.
    entries: Vec<Fr>,
    tree: SparseTree<SANCTIONS_DEPTH>,
}

impl SanctionsList {
    /// Sorts, removes duplicates, builds the tree of gaps. Subject 0 equals the lower sentinel
    /// and adds nothing: no gap ever contains it.
    pub fn new(subjects: impl IntoIterator<Item = Subject>) -> Result<Self, ListError> {
        let mut entries: Vec<Fr> = subjects.into_iter().map(|s| s.get()).collect();
        if entries.iter().any(|entry| !fits(entry, SUBJECT_BITS)) {
            return Err(ListError::OutOfRange);
        }
        entries.retain(|entry| *entry != Fr::from(0u8));
        entries.sort_unstable();
        entries.dedup();
        if entries.len() as u64 >= SparseTree::<SANCTIONS_DEPTH>::CAPACITY {
            return Err(ListError::TooLong);
        }
        let tree = SparseTree::from_leaves(
            (0..=entries.len()).map(|index| gap_at(&entries, index).leaf()),
        );
        Ok(Self { entries, tree })
    }

    /// The root.
    pub fn root(&self) -> SanctionsRoot {
        SanctionsRoot::new(self.tree.root())
    }

    /// Number of distinct documents.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The sorted, distinct subjects.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> + '_ {
        self.entries.iter().copied().map(Subject::new)
    }

    /// Whether the subject is on the list.
    pub fn contains(&self, subject: Subject) -> bool {
        self.entries.binary_search(&subject.get()).is_ok()
    }

    /// The gap at or around `subject` with its path. For a sanctioned subject it is the gap that
    /// *begins* there, which does not contain it: the native check then names the clause.
    pub fn witness(&self, subject: Subject) -> (Gap, Path<SANCTIONS_DEPTH>) {
        let index = self.entries.partition_point(|entry| *entry <= subject.get());
        (gap_at(&self.entries, index), self.tree.path(index as u64))
    }
}

/// The gap between entry `index - 1` and entry `index`.
fn gap_at(entries: &[Fr], index: usize) -> Gap {
    let lo = if index == 0 { Fr::from(0u8) } else { entries[index - 1] };
    Gap { lo, hi: entries.get(index).copied().unwrap_or_else(upper_sentinel) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_beyond_the_sentinel_are_refused() {
        let minus_one = Subject::new(-Fr::from(1u8));
        assert_eq!(SanctionsList::new([minus_one]).err(), Some(ListError::OutOfRange));
        let sentinel = Subject::new(upper_sentinel());
        assert_eq!(SanctionsList::new([sentinel]).err(), Some(ListError::OutOfRange));
        let largest = Subject::new(upper_sentinel() - Fr::from(1u8));
        assert_eq!(SanctionsList::new([largest, largest]).unwrap().len(), 1);
    }
}
