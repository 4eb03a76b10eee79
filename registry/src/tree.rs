//! Persistent 8-ary Poseidon Merkle trees of fixed depth. Spec §2.
//!
//! Leaves are appended at consecutive indices and may be replaced, never emptied: a tree that
//! forgot a leaf would show an old root again. When a note tree is full the operation says so;
//! beginning the next tree is the ledger's business.

use std::ops::Range;

use ark_bn254::Fr;
use placet_protocol::field::to_bytes;
use placet_protocol::merkle::{ARITY, ARITY_BITS, NOTE_DEPTH, Path, empty, node};
use rayon::prelude::*;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::store::{StoreError, Transaction, field_from, store_errors};

/// Height (0: leaves) and index of a node.
type NodeKey = (u8, u64);
/// A node, 32 bytes canonical.
type NodeBytes = &'static [u8; 32];

const EIGHT: u64 = ARITY as u64;
/// Inner nodes on one level from which hashing is spread over threads; one hash takes some twenty
/// microseconds, far more than handing it to a thread.
const PARALLEL_FROM: usize = 16;
/// Levels of the pieces in which a long batch is appended. Memory beside the batch is that of two
/// pieces with their inner nodes, 2.4 MB, however long the batch is.
const PIECE_DEPTH: usize = 5;
/// Leaves of a piece.
const PIECE: u64 = 1 << (ARITY_BITS * PIECE_DEPTH);

/// Why a tree operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Every slot is taken, or the batch needs more slots than are free.
    #[error("the tree is full; begin a new one and keep the final root of this one")]
    Full,
    /// A leaf of value 0 would be no leaf.
    #[error("a leaf of value 0 means an empty slot and cannot be stored; hash the content first")]
    EmptyLeaf,
    /// The index is at or beyond the number of leaves.
    #[error("the tree has no leaf at this index; sync first if it should be there")]
    NoSuchLeaf,
    /// The store failed; abort the transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
}

store_errors!(TreeError);

/// A tree of depth `D` (1 to 10) in the table called `name`. The handle holds no state.
#[derive(Clone, Copy, Debug)]
pub struct Tree<const D: usize> {
    name: &'static str,
}

impl<const D: usize> Tree<D> {
    /// Slots of the tree.
    pub const CAPACITY: u64 = 1 << (ARITY_BITS * D);

    /// A handle. Trees of one database need different names.
    ///
    /// # Panics
    /// If the name is empty; a depth outside of 1 to 10 does not compile.
    pub const fn new(name: &'static str) -> Self {
        const { assert!(D >= 1 && D <= NOTE_DEPTH, "empty subtrees are known up to height 10") };
        assert!(!name.is_empty(), "a table needs a name");
        Self { name }
    }

    fn nodes(&self) -> TableDefinition<'static, NodeKey, NodeBytes> {
        TableDefinition::new(self.name)
    }

    /// Number of leaves, which is also the index of the next one.
    pub fn len(&self, txn: &impl Transaction) -> Result<u64, StoreError> {
        match txn.table(self.nodes())? {
            Some(nodes) => len::<D>(&nodes),
            None => Ok(0),
        }
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self, txn: &impl Transaction) -> Result<bool, StoreError> {
        Ok(self.len(txn)? == 0)
    }

    /// The root; that of an empty tree is the empty subtree's.
    pub fn root(&self, txn: &impl Transaction) -> Result<Fr, StoreError> {
        let Some(nodes) = txn.table(self.nodes())? else { return Ok(empty(D)) };
        if len::<D>(&nodes)? == 0 {
            return Ok(empty(D));
        }
        let root = nodes.get((D as u8, 0))?.ok_or(StoreError::Corrupt)?;
        field_from(root.value())
    }

    /// The leaf at `index`.
    ///
    /// # Errors
    /// [`TreeError::NoSuchLeaf`] at or beyond [`Tree::len`].
    pub fn leaf(&self, txn: &impl Transaction, index: u64) -> Result<Fr, TreeError> {
        let nodes = txn.table(self.nodes())?.ok_or(TreeError::NoSuchLeaf)?;
        if index >= len::<D>(&nodes)? {
            return Err(TreeError::NoSuchLeaf);
        }
        let leaf = nodes.get((0, index))?.ok_or(StoreError::Corrupt)?;
        Ok(field_from(leaf.value())?)
    }

    /// The leaves of a range of indices, cut off at [`Tree::len`].
    pub fn leaves(&self, txn: &impl Transaction, range: Range<u64>) -> Result<Vec<Fr>, StoreError> {
        let Some(nodes) = txn.table(self.nodes())? else { return Ok(Vec::new()) };
        let end = range.end.min(len::<D>(&nodes)?);
        let mut leaves = Vec::new();
        if range.start < end {
            for entry in nodes.range((0, range.start)..(0, end))? {
                leaves.push(field_from(entry?.1.value())?);
            }
            if leaves.len() as u64 != end - range.start {
                return Err(StoreError::Corrupt);
            }
        }
        Ok(leaves)
    }

    /// The membership path of the leaf at `index` under the present root.
    ///
    /// # Errors
    /// [`TreeError::NoSuchLeaf`] at or beyond [`Tree::len`].
    pub fn path(&self, txn: &impl Transaction, index: u64) -> Result<Path<D>, TreeError> {
        let nodes = txn.table(self.nodes())?.ok_or(TreeError::NoSuchLeaf)?;
        let len = len::<D>(&nodes)?;
        if index >= len {
            return Err(TreeError::NoSuchLeaf);
        }
        let mut path = Path { index, siblings: [[Fr::from(0u8); ARITY - 1]; D] };
        for (height, siblings) in path.siblings.iter_mut().enumerate() {
            let own = index >> (ARITY_BITS * height);
            let place = (own % EIGHT) as usize;
            let all = children(&nodes, height, own / EIGHT, len)?;
            siblings[..place].copy_from_slice(&all[..place]);
            siblings[place..].copy_from_slice(&all[place + 1..]);
        }
        Ok(path)
    }

    /// Appends one leaf and returns its index.
    ///
    /// # Errors
    /// [`TreeError::Full`], [`TreeError::EmptyLeaf`].
    pub fn append(&self, txn: &WriteTransaction, leaf: Fr) -> Result<u64, TreeError> {
        Ok(self.append_batch(txn, &[leaf])?.start)
    }

    /// Appends leaves in order, over all threads, and returns their indices. Each inner node is
    /// hashed once, above whole pieces of 8^5 leaves once for each piece.
    ///
    /// # Errors
    /// [`TreeError::Full`], [`TreeError::EmptyLeaf`]; then nothing was appended.
    pub fn append_batch(
        &self,
        txn: &WriteTransaction,
        leaves: &[Fr],
    ) -> Result<Range<u64>, TreeError> {
        let mut nodes = txn.open_table(self.nodes()).map_err(StoreError::from)?;
        let start = len::<D>(&nodes)?;
        if leaves.contains(&Fr::from(0u8)) {
            return Err(TreeError::EmptyLeaf);
        }
        if leaves.len() as u64 > Self::CAPACITY - start {
            return Err(TreeError::Full);
        }
        let end = start + leaves.len() as u64;

        // What completes the piece that was begun before.
        let lead = (start.next_multiple_of(PIECE) - start).min(end - start) as usize;
        let (lead, rest) = leaves.split_at(lead);
        if !lead.is_empty() {
            append_above::<D>(&mut nodes, start, 0, start, lead.to_vec())?;
        }
        // A piece is hashed while the one before it is written: hashing wants all threads, and the
        // store takes one.
        let mut first = start + lead.len() as u64;
        let mut pieces = rest.chunks(PIECE as usize);
        let mut hashed = pieces.next().map(piece::<D>);
        while let Some(levels) = hashed.take() {
            let next = pieces.next();
            let ahead = &mut hashed;
            rayon::in_place_scope(|scope| {
                if let Some(next) = next {
                    scope.spawn(move |_| *ahead = Some(piece::<D>(next)));
                }
                append_piece::<D>(&mut nodes, first, levels)
            })?;
            first += PIECE;
        }
        Ok(start..end)
    }

    /// Replaces the leaf at `index` and returns the old one.
    ///
    /// # Errors
    /// [`TreeError::NoSuchLeaf`] at or beyond [`Tree::len`], [`TreeError::EmptyLeaf`].
    pub fn replace(&self, txn: &WriteTransaction, index: u64, leaf: Fr) -> Result<Fr, TreeError> {
        let mut nodes = txn.open_table(self.nodes()).map_err(StoreError::from)?;
        let len = len::<D>(&nodes)?;
        if index >= len {
            return Err(TreeError::NoSuchLeaf);
        }
        if leaf == Fr::from(0u8) {
            return Err(TreeError::EmptyLeaf);
        }
        let mut old = None;
        let mut value = leaf;
        for height in 0..D {
            let own = index >> (ARITY_BITS * height);
            let mut all = children(&nodes, height, own / EIGHT, len)?;
            let place = &mut all[(own % EIGHT) as usize];
            old.get_or_insert(*place);
            *place = value;
            write_level(&mut nodes, height, own, &[value])?;
            value = node(all);
        }
        write_level(&mut nodes, D, 0, &[value])?;
        Ok(old.expect("a tree has at least one level"))
    }
}

/// Number of leaves: one more than the last leaf's index.
fn len<const D: usize>(nodes: &impl ReadableTable<NodeKey, NodeBytes>) -> Result<u64, StoreError> {
    match nodes.range((0, 0)..(1, 0))?.next_back() {
        None => Ok(0),
        Some(last) => {
            let (_, index) = last?.0.value();
            if index < Tree::<D>::CAPACITY { Ok(index + 1) } else { Err(StoreError::Corrupt) }
        }
    }
}

/// The eight nodes of `height` under the node `parent` of the next height, in a tree of `len`
/// leaves. Every node above a leaf must be there and no other.
fn children(
    nodes: &impl ReadableTable<NodeKey, NodeBytes>,
    height: usize,
    parent: u64,
    len: u64,
) -> Result<[Fr; ARITY], StoreError> {
    let first = parent * EIGHT;
    let mut values = [empty(height); ARITY];
    let mut found = 0;
    for entry in nodes.range((height as u8, first)..(height as u8, first + EIGHT))? {
        let (key, value) = entry?;
        values[(key.value().1 - first) as usize] = field_from(value.value())?;
        found += 1;
    }
    let stored = len.div_ceil(1 << (ARITY_BITS * height));
    if found == stored.saturating_sub(first).min(EIGHT) {
        Ok(values)
    } else {
        Err(StoreError::Corrupt)
    }
}

fn write_level(
    nodes: &mut redb::Table<'_, NodeKey, NodeBytes>,
    height: usize,
    first: u64,
    level: &[Fr],
) -> Result<(), StoreError> {
    for (index, value) in (first..).zip(level) {
        nodes.insert((height as u8, index), &to_bytes(value))?;
    }
    Ok(())
}

/// Writes the nodes `level` of `height`, the first of which is at `first`, and every node above
/// them, in a tree that had `len` leaves.
fn append_above<const D: usize>(
    nodes: &mut redb::Table<'_, NodeKey, NodeBytes>,
    len: u64,
    height: usize,
    mut first: u64,
    mut level: Vec<Fr>,
) -> Result<(), StoreError> {
    for height in height..D {
        // Nodes to the left under the first parent are in the store, nodes to the right empty.
        let lead = (first % EIGHT) as usize;
        let mut row = children(nodes, height, first / EIGHT, len)?[..lead].to_vec();
        write_level(nodes, height, first, &level)?;
        row.append(&mut level);
        level = hash_level(row, height);
        first /= EIGHT;
    }
    write_level(nodes, D, first, &level)
}

/// The levels of a piece that begins at a multiple of its size, leaves first; its highest level,
/// one node, stands last. In a tree lower than a piece all levels to the root.
fn piece<const D: usize>(leaves: &[Fr]) -> Vec<Vec<Fr>> {
    let mut levels = vec![leaves.to_vec()];
    for height in 0..PIECE_DEPTH.min(D) {
        levels.push(hash_level(levels[height].clone(), height));
    }
    levels
}

/// Writes a piece whose first leaf is at `first` behind the last leaf, and the nodes above it.
fn append_piece<const D: usize>(
    nodes: &mut redb::Table<'_, NodeKey, NodeBytes>,
    first: u64,
    mut levels: Vec<Vec<Fr>>,
) -> Result<(), StoreError> {
    let top = levels.pop().expect("a piece has its leaves");
    let height = levels.len();
    for (level, values) in levels.iter().enumerate() {
        write_level(nodes, level, first >> (ARITY_BITS * level), values)?;
    }
    append_above::<D>(nodes, first, height, first >> (ARITY_BITS * height), top)
}

/// The parents of a row of nodes of `height`, of which the first is a first child; behind the last
/// there are empty ones.
fn hash_level(mut row: Vec<Fr>, height: usize) -> Vec<Fr> {
    row.resize(row.len().next_multiple_of(ARITY), empty(height));
    let parent = |group: &[Fr]| node(group.try_into().expect("the groups have eight nodes"));
    if row.len() < PARALLEL_FROM * ARITY {
        row.chunks_exact(ARITY).map(parent).collect()
    } else {
        row.par_chunks_exact(ARITY).map(parent).collect()
    }
}
