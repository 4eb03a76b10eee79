//! 8-ary Poseidon Merkle trees of fixed depth: node = `H(NODE; c0..c7)`, empty leaf = 0. Spec §2.
//!
//! This module knows paths and small in-memory trees; trees on disk live in `registry`.
//! Twin: `circuits/src/merkle.rs`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ark_bn254::Fr;

use crate::poseidon::hash;
use crate::tag::Tag;

/// Children of an inner node.
pub const ARITY: usize = 8;
/// Bits of index that one level consumes.
pub const ARITY_BITS: usize = 3;
/// Levels of the registry of credentials: 134 million slots.
pub const REGISTRY_DEPTH: usize = 9;
/// Levels of a note tree: 1.07 billion slots.
pub const NOTE_DEPTH: usize = 10;
/// Levels of the sanctions tree: 262 thousand gaps.
pub const SANCTIONS_DEPTH: usize = 6;
/// Levels of a policy's rule tree: 4096 jurisdictions.
pub const RULES_DEPTH: usize = 4;

/// An inner node.
pub fn node(children: [Fr; ARITY]) -> Fr {
    hash(Tag::Node, children)
}

/// The root of an empty subtree with `height` levels (0: an empty leaf), for heights 0 to 10.
pub fn empty(height: usize) -> Fr {
    static EMPTY: OnceLock<[Fr; NOTE_DEPTH + 1]> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let mut roots = [Fr::from(0u8); NOTE_DEPTH + 1];
        for height in 1..roots.len() {
            roots[height] = node([roots[height - 1]; ARITY]);
        }
        roots
    })[height]
}

/// A membership path of `D` levels, from the leaf upwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<const D: usize> {
    /// Index of the leaf. Its lowest three bits choose the place at the leaf's level; bits beyond
    /// `3·D` mean nothing, here as in-circuit.
    pub index: u64,
    /// Per level the seven siblings in order, the own place left out.
    pub siblings: [[Fr; ARITY - 1]; D],
}

impl<const D: usize> Path<D> {
    /// The path of leaf 0 in an otherwise empty tree: a filler where no membership is claimed.
    pub fn filler() -> Self {
        Self { index: 0, siblings: std::array::from_fn(|level| [empty(level); ARITY - 1]) }
    }

    /// All eight children at `level` when `own` is the node on the path.
    pub fn children(&self, level: usize, own: Fr) -> [Fr; ARITY] {
        let place = (self.index >> (ARITY_BITS * level)) as usize % ARITY;
        std::array::from_fn(|i| match i.cmp(&place) {
            std::cmp::Ordering::Less => self.siblings[level][i],
            std::cmp::Ordering::Equal => own,
            std::cmp::Ordering::Greater => self.siblings[level][i - 1],
        })
    }

    /// The root that this path and `leaf` lead to.
    pub fn root(&self, leaf: Fr) -> Fr {
        (0..D).fold(leaf, |own, level| node(self.children(level, own)))
    }
}

/// A sparse tree in memory: for rule and sanctions lists, bundles, and tests.
#[derive(Clone, Debug)]
pub struct SparseTree<const D: usize> {
    /// `levels[h]` holds the non-empty nodes of height `h`; the root is in `levels[D]`.
    levels: Vec<BTreeMap<u64, Fr>>,
}

impl<const D: usize> Default for SparseTree<D> {
    fn default() -> Self {
        Self { levels: vec![BTreeMap::new(); D + 1] }
    }
}

impl<const D: usize> SparseTree<D> {
    /// Slots of the tree.
    pub const CAPACITY: u64 = 1 << (ARITY_BITS * D);

    /// Builds from leaves at consecutive indices, hashing each inner node once.
    ///
    /// # Panics
    /// If there are more leaves than slots; callers bound their lists first.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Fr>) -> Self {
        Self::from_indexed((0..).zip(leaves))
    }

    /// Builds from leaves at given indices, hashing each inner node once.
    ///
    /// # Panics
    /// If an index is beyond the last slot; callers bound their lists first.
    pub fn from_indexed(leaves: impl IntoIterator<Item = (u64, Fr)>) -> Self {
        let mut tree = Self::default();
        tree.levels[0].extend(leaves);
        if let Some((last, _)) = tree.levels[0].last_key_value() {
            assert!(*last < Self::CAPACITY, "more leaves than the tree has slots");
        }
        for height in 0..D {
            let parents: Vec<u64> = {
                let mut parents: Vec<u64> =
                    tree.levels[height].keys().map(|index| index / ARITY as u64).collect();
                parents.dedup();
                parents
            };
            for parent in parents {
                let value = node(tree.child_values(height, parent));
                tree.levels[height + 1].insert(parent, value);
            }
        }
        tree
    }

    /// Sets one leaf and the nodes above it.
    ///
    /// # Panics
    /// If `index` is beyond the last slot.
    pub fn set(&mut self, index: u64, leaf: Fr) {
        assert!(index < Self::CAPACITY, "index beyond the tree's last slot");
        self.levels[0].insert(index, leaf);
        for height in 0..D {
            let parent = index >> (ARITY_BITS * (height + 1));
            let value = node(self.child_values(height, parent));
            self.levels[height + 1].insert(parent, value);
        }
    }

    /// The leaf at `index`; an unset one is empty.
    pub fn leaf(&self, index: u64) -> Fr {
        self.node_at(0, index)
    }

    /// The root.
    pub fn root(&self) -> Fr {
        self.node_at(D, 0)
    }

    /// The path of the leaf at `index`.
    pub fn path(&self, index: u64) -> Path<D> {
        let siblings = std::array::from_fn(|height| {
            let own = index >> (ARITY_BITS * height);
            let all = self.child_values(height, own / ARITY as u64);
            let place = own as usize % ARITY;
            std::array::from_fn(|i| all[if i < place { i } else { i + 1 }])
        });
        Path { index, siblings }
    }

    fn node_at(&self, height: usize, index: u64) -> Fr {
        self.levels[height].get(&index).copied().unwrap_or_else(|| empty(height))
    }

    fn child_values(&self, height: usize, parent: u64) -> [Fr; ARITY] {
        std::array::from_fn(|i| self.node_at(height, parent * ARITY as u64 + i as u64))
    }
}
