//! Trees on disk against the sparse tree in memory, and what reaches the disk. Spec §2.

mod support;

use ark_bn254::Fr;
use placet_protocol::merkle::{Path, SparseTree, empty};
use placet_registry::store::StoreError;
use placet_registry::tree::{Tree, TreeError};
use proptest::prelude::*;
use redb::TableDefinition;
use support::Store;

/// 4,096 slots: deep enough for carries over several levels.
const TREE: Tree<4> = Tree::new("tree");
/// 8 slots: quickly full.
const SMALL: Tree<1> = Tree::new("small");
/// 262,144 slots: several pieces of a long batch.
const LARGE: Tree<6> = Tree::new("large");
/// The table as it lies on disk, to damage it.
const ON_DISK: TableDefinition<'_, (u8, u64), &[u8; 32]> = TableDefinition::new("tree");

fn fr(value: u64) -> Fr {
    Fr::from(value)
}

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Batch(Vec<u64>),
    Replace(u64, u64),
    Abort(Vec<u64>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..u64::MAX).prop_map(Step::Append),
        3 => prop::collection::vec(1..u64::MAX, 0..90).prop_map(Step::Batch),
        3 => (any::<u64>(), 1..u64::MAX).prop_map(|(at, leaf)| Step::Replace(at, leaf)),
        1 => prop::collection::vec(1..u64::MAX, 1..20).prop_map(Step::Abort),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_history_equals_the_sparse_tree(steps in prop::collection::vec(step(), 1..12)) {
        let mut store = Store::new();
        let mut leaves: Vec<Fr> = Vec::new();
        for step in steps {
            match step {
                Step::Append(leaf) => {
                    let index = store.commit(|txn| TREE.append(txn, fr(leaf))).unwrap();
                    prop_assert_eq!(index, leaves.len() as u64);
                    leaves.push(fr(leaf));
                }
                Step::Batch(batch) => {
                    let batch: Vec<Fr> = batch.into_iter().map(fr).collect();
                    let range = store.commit(|txn| TREE.append_batch(txn, &batch)).unwrap();
                    prop_assert_eq!(range.start, leaves.len() as u64);
                    leaves.extend(batch);
                    prop_assert_eq!(range.end, leaves.len() as u64);
                }
                Step::Replace(at, leaf) if !leaves.is_empty() => {
                    let at = at % leaves.len() as u64;
                    let old = store.commit(|txn| TREE.replace(txn, at, fr(leaf))).unwrap();
                    prop_assert_eq!(old, std::mem::replace(&mut leaves[at as usize], fr(leaf)));
                }
                Step::Replace(at, leaf) => {
                    let refused = store.commit(|txn| TREE.replace(txn, at, fr(leaf)));
                    prop_assert!(matches!(refused, Err(TreeError::NoSuchLeaf)));
                }
                Step::Abort(batch) => {
                    let batch: Vec<Fr> = batch.into_iter().map(fr).collect();
                    let txn = store.begin();
                    TREE.append_batch(&txn, &batch).unwrap();
                    TREE.replace(&txn, 0, fr(77)).unwrap();
                    txn.abort().unwrap();
                }
                Step::Reopen => store.reopen(),
            }
        }
        let model = SparseTree::<4>::from_leaves(leaves.iter().copied());
        let txn = store.read();
        prop_assert_eq!(TREE.len(&txn).unwrap(), leaves.len() as u64);
        prop_assert_eq!(TREE.root(&txn).unwrap(), model.root());
        prop_assert_eq!(&TREE.leaves(&txn, 0..u64::MAX).unwrap(), &leaves);
        for (index, leaf) in (0..).zip(&leaves) {
            let path = TREE.path(&txn, index).unwrap();
            prop_assert_eq!(&path, &model.path(index));
            prop_assert_eq!(path.root(*leaf), model.root());
            prop_assert_eq!(TREE.leaf(&txn, index).unwrap(), *leaf);
        }
    }
}

#[test]
fn a_batch_equals_single_appends_across_the_parallel_threshold() {
    let (single, batch) = (Store::new(), Store::new());
    let leaves: Vec<Fr> = (1..=300).map(fr).collect();
    single.commit(|txn| leaves.iter().for_each(|leaf| _ = TREE.append(txn, *leaf).unwrap()));
    // An odd first part, so that the large batch begins in the middle of a group.
    batch.commit(|txn| TREE.append_batch(txn, &leaves[..5]).unwrap());
    batch.commit(|txn| TREE.append_batch(txn, &leaves[5..]).unwrap());
    let (single, batch) = (single.read(), batch.read());
    assert_eq!(TREE.root(&single).unwrap(), TREE.root(&batch).unwrap());
    for index in 0..300 {
        assert_eq!(TREE.path(&single, index).unwrap(), TREE.path(&batch, index).unwrap());
    }
}

#[test]
fn long_batches_equal_the_sparse_tree_wherever_they_begin_and_end() {
    let store = Store::new();
    // A piece has 32,768 leaves: begin within one, fill one exactly, cross several, end within one.
    let leaves: Vec<Fr> = (1..=140_000).map(fr).collect();
    let mut done = 0;
    for len in [5, 32_763, 32_768, 1, 70_000, 4_463] {
        let batch = &leaves[done..done + len];
        let range = store.commit(|txn| LARGE.append_batch(txn, batch)).unwrap();
        assert_eq!(range, done as u64..(done + len) as u64);
        done += len;
    }
    assert_eq!(done, leaves.len());
    let model = SparseTree::<6>::from_leaves(leaves.iter().copied());
    let txn = store.read();
    assert_eq!(LARGE.root(&txn).unwrap(), model.root());
    assert_eq!(LARGE.leaves(&txn, 0..u64::MAX).unwrap(), leaves);
    for index in [0, 4, 5, 32_767, 32_768, 65_535, 65_536, 65_537, 98_303, 131_072, 139_999] {
        assert_eq!(LARGE.path(&txn, index).unwrap(), model.path(index), "leaf {index}");
    }
    drop(txn);
    // What was appended in pieces goes on one by one.
    store.commit(|txn| assert_eq!(LARGE.append(txn, fr(7)).unwrap(), 140_000));
    let mut model = model;
    model.set(140_000, fr(7));
    assert_eq!(LARGE.root(&store.read()).unwrap(), model.root());
}

#[test]
fn an_untouched_tree_is_empty() {
    let store = Store::new();
    let txn = store.read();
    assert!(TREE.is_empty(&txn).unwrap());
    assert_eq!(TREE.root(&txn).unwrap(), empty(4));
    assert!(matches!(TREE.leaf(&txn, 0), Err(TreeError::NoSuchLeaf)));
    assert!(matches!(TREE.path(&txn, 0), Err(TreeError::NoSuchLeaf)));
    assert_eq!(TREE.leaves(&txn, 0..9).unwrap(), []);
    store.commit(|txn| assert_eq!(TREE.append_batch(txn, &[]).unwrap(), 0..0));
    assert_eq!(TREE.root(&store.read()).unwrap(), empty(4));
}

#[test]
fn a_full_tree_says_so_and_takes_no_part_of_a_batch() {
    let store = Store::new();
    store.commit(|txn| SMALL.append_batch(txn, &[1, 2, 3, 4, 5, 6].map(fr)).unwrap());
    let before = SMALL.root(&store.read()).unwrap();
    let refused = store.commit(|txn| SMALL.append_batch(txn, &[7, 8, 9].map(fr)));
    assert!(matches!(refused, Err(TreeError::Full)));
    assert_eq!(SMALL.root(&store.read()).unwrap(), before);
    store.commit(|txn| SMALL.append_batch(txn, &[7, 8].map(fr)).unwrap());
    assert!(matches!(store.commit(|txn| SMALL.append(txn, fr(9))), Err(TreeError::Full)));
    assert_eq!(SMALL.len(&store.read()).unwrap(), 8);
    // A full tree can still be changed and shown.
    store.commit(|txn| assert_eq!(SMALL.replace(txn, 7, fr(80)).unwrap(), fr(8)));
    let txn = store.read();
    assert_eq!(SMALL.path(&txn, 7).unwrap().root(fr(80)), SMALL.root(&txn).unwrap());
}

#[test]
fn empty_leaves_and_missing_places_are_refused() {
    let store = Store::new();
    store.commit(|txn| {
        assert!(matches!(TREE.append(txn, fr(0)), Err(TreeError::EmptyLeaf)));
        let batch = [fr(1), fr(0)];
        assert!(matches!(TREE.append_batch(txn, &batch), Err(TreeError::EmptyLeaf)));
        assert_eq!(TREE.append(txn, fr(5)).unwrap(), 0);
        assert!(matches!(TREE.replace(txn, 0, fr(0)), Err(TreeError::EmptyLeaf)));
        assert!(matches!(TREE.replace(txn, 1, fr(1)), Err(TreeError::NoSuchLeaf)));
        assert!(matches!(TREE.replace(txn, u64::MAX, fr(1)), Err(TreeError::NoSuchLeaf)));
        assert!(matches!(TREE.path(txn, u64::MAX), Err(TreeError::NoSuchLeaf)));
        assert!(matches!(TREE.leaf(txn, 1), Err(TreeError::NoSuchLeaf)));
    });
    assert_eq!(TREE.leaves(&store.read(), 0..10).unwrap(), [fr(5)]);
}

#[test]
fn trees_of_one_database_do_not_touch() {
    let store = Store::new();
    store.commit(|txn| {
        TREE.append(txn, fr(1)).unwrap();
        SMALL.append_batch(txn, &[fr(2), fr(3)]).unwrap();
    });
    let txn = store.read();
    assert_eq!(TREE.root(&txn).unwrap(), Path::<4>::filler().root(fr(1)));
    assert_eq!(SMALL.len(&txn).unwrap(), 2);
}

#[test]
fn a_transaction_sees_its_own_writes_and_readers_do_not() {
    let store = Store::new();
    store.commit(|txn| TREE.append(txn, fr(1)).unwrap());
    let before = store.read();
    let txn = store.begin();
    TREE.append(&txn, fr(2)).unwrap();
    assert_eq!(TREE.len(&txn).unwrap(), 2);
    assert_eq!(TREE.len(&before).unwrap(), 1);
    drop(txn); // without a commit: as if the process had ended here
    assert_eq!(TREE.len(&store.read()).unwrap(), 1);
}

/// Damages a sound tree of three leaves and expects every reader of that place to say so.
fn damaged(damage: impl FnOnce(&mut redb::Table<'_, (u8, u64), &'static [u8; 32]>)) -> Store {
    let store = Store::new();
    store.commit(|txn| {
        TREE.append_batch(txn, &[1, 2, 3].map(fr)).unwrap();
        damage(&mut txn.open_table(ON_DISK).unwrap());
    });
    store
}

fn is_corrupt<T>(result: Result<T, TreeError>) -> bool {
    matches!(result, Err(TreeError::Store(StoreError::Corrupt)))
}

#[test]
fn a_corrupt_store_is_an_error() {
    // A value above the modulus.
    let store = damaged(|table| _ = table.insert((0, 1), &[0xff; 32]).unwrap());
    assert!(is_corrupt(TREE.leaf(&store.read(), 1)));
    assert!(is_corrupt(TREE.path(&store.read(), 0)));
    assert!(matches!(TREE.leaves(&store.read(), 0..3), Err(StoreError::Corrupt)));
    store.commit(|txn| assert!(is_corrupt(TREE.append(txn, fr(4)))));

    // A missing leaf, inner node and root.
    let store = damaged(|table| drop(table.remove((0, 1)).unwrap()));
    assert!(is_corrupt(TREE.leaf(&store.read(), 1)));
    assert!(is_corrupt(TREE.path(&store.read(), 0)));
    let store = damaged(|table| drop(table.remove((2, 0)).unwrap()));
    assert!(is_corrupt(TREE.path(&store.read(), 0)));
    store.commit(|txn| assert!(is_corrupt(TREE.replace(txn, 0, fr(4)))));
    let store = damaged(|table| drop(table.remove((4, 0)).unwrap()));
    assert!(matches!(TREE.root(&store.read()), Err(StoreError::Corrupt)));

    // A leaf beyond the last slot, and a node with no leaf below it.
    let store = damaged(|table| _ = table.insert((0, 1 << 12), &[1; 32]).unwrap());
    assert!(matches!(TREE.len(&store.read()), Err(StoreError::Corrupt)));
    let store = damaged(|table| _ = table.insert((1, 1), &[1; 32]).unwrap());
    assert!(is_corrupt(TREE.path(&store.read(), 0)));
}
