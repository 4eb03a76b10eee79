//! Windows of superseded roots by age. Spec §4, §11.

mod support;

use placet_registry::roots::{NETWORK, Roots, RootsError, Scope, Superseded, Value};
use proptest::prelude::*;
use support::Store;

const ROOTS: Roots = Roots::new("roots");
const OTHER: Roots = Roots::new("other");
const WINDOW: u64 = 120;
const A: Value = [1; 32];
const B: Value = [2; 32];
const C: Value = [3; 32];

fn advance(store: &Store, value: &Value, now: u64) {
    store.commit(|txn| ROOTS.advance(txn, &NETWORK, value, now)).unwrap();
}

fn accepts(store: &Store, value: &Value, now: u64) -> bool {
    ROOTS.accepts(&store.read(), &NETWORK, value, now, WINDOW).unwrap()
}

#[test]
fn a_superseded_root_is_acceptable_before_the_edge_and_not_at_it() {
    let store = Store::new();
    assert!(!accepts(&store, &A, 1000), "nothing is current yet");
    advance(&store, &A, 1000);
    assert!(accepts(&store, &A, 1000));
    assert!(accepts(&store, &A, 1_000_000), "the current root has no age");
    advance(&store, &B, 5000);
    assert!(accepts(&store, &A, 5000));
    assert!(accepts(&store, &A, 5000 + WINDOW - 1));
    assert!(!accepts(&store, &A, 5000 + WINDOW));
    assert!(!accepts(&store, &A, 5000 + WINDOW + 1));
    assert!(accepts(&store, &B, 5000 + WINDOW));
    assert!(!accepts(&store, &C, 5000));
    // An asset may ask for less, note roots for more.
    let txn = store.read();
    assert!(!ROOTS.accepts(&txn, &NETWORK, &A, 5060, 60).unwrap());
    assert!(ROOTS.accepts(&txn, &NETWORK, &A, 5000 + 86_399, 86_400).unwrap());
}

#[test]
fn the_window_begins_when_a_root_is_superseded_not_when_it_was_made() {
    let store = Store::new();
    advance(&store, &A, 0);
    advance(&store, &B, 1_000_000);
    advance(&store, &C, 1_000_010);
    assert!(accepts(&store, &A, 1_000_119));
    assert!(!accepts(&store, &A, 1_000_120));
    assert!(accepts(&store, &B, 1_000_129));
    assert!(!accepts(&store, &B, 1_000_130));
}

#[test]
fn a_root_that_becomes_current_again_gets_a_new_window() {
    let store = Store::new();
    advance(&store, &A, 0);
    advance(&store, &B, 10);
    advance(&store, &A, 20);
    assert!(accepts(&store, &A, 10_000), "current again, its old window does not end it");
    assert_eq!(ROOTS.current(&store.read(), &NETWORK).unwrap(), Some((A, 20)));
    assert_eq!(
        ROOTS.superseded(&store.read(), &NETWORK).unwrap(),
        [Superseded { value: B, since: 10, at: 20 }]
    );
    advance(&store, &C, 10_000);
    assert!(accepts(&store, &A, 10_119));
    assert!(!accepts(&store, &A, 10_120));
    // Pruning what was superseded first must not take the later window away.
    assert_eq!(store.commit(|txn| ROOTS.prune(txn, &NETWORK, 10_050, WINDOW)).unwrap(), 1);
    assert!(accepts(&store, &A, 10_119));
}

#[test]
fn advancing_to_the_current_root_changes_nothing() {
    let store = Store::new();
    advance(&store, &A, 0);
    advance(&store, &B, 10);
    advance(&store, &B, 500);
    assert_eq!(ROOTS.current(&store.read(), &NETWORK).unwrap(), Some((B, 10)));
    assert!(accepts(&store, &A, 129));
    assert!(!accepts(&store, &A, 130));
}

#[test]
fn two_roots_in_one_second_both_get_their_window() {
    let store = Store::new();
    advance(&store, &A, 7);
    advance(&store, &B, 7);
    advance(&store, &C, 7);
    for value in [&A, &B, &C] {
        assert!(accepts(&store, value, 7 + WINDOW - 1));
    }
    assert!(!accepts(&store, &A, 7 + WINDOW));
    assert!(!accepts(&store, &B, 7 + WINDOW));
}

#[test]
fn an_urgent_advance_closes_the_window_at_once() {
    let mut store = Store::new();
    advance(&store, &A, 0);
    advance(&store, &B, 10);
    store.commit(|txn| ROOTS.advance_urgently(txn, &NETWORK, &C, 11)).unwrap();
    store.reopen();
    assert!(!accepts(&store, &A, 11));
    assert!(!accepts(&store, &B, 11), "the root just superseded closes too");
    assert!(accepts(&store, &C, 11));
    assert_eq!(ROOTS.superseded(&store.read(), &NETWORK).unwrap(), []);
    // Ordinary changes afterwards have windows again.
    advance(&store, &A, 12);
    assert!(accepts(&store, &C, 12 + WINDOW - 1));
}

#[test]
fn closing_spares_the_current_root_and_other_scopes() {
    let store = Store::new();
    let asset: Scope = [9; 32];
    advance(&store, &A, 0);
    advance(&store, &B, 1);
    store.commit(|txn| {
        ROOTS.advance(txn, &asset, &A, 0).unwrap();
        ROOTS.advance(txn, &asset, &C, 1).unwrap();
        OTHER.advance(txn, &NETWORK, &A, 0).unwrap();
        OTHER.advance(txn, &NETWORK, &C, 1).unwrap();
        ROOTS.close(txn, &NETWORK).unwrap();
    });
    assert!(!accepts(&store, &A, 1));
    assert!(accepts(&store, &B, 1));
    let txn = store.read();
    assert!(ROOTS.accepts(&txn, &asset, &A, 1, WINDOW).unwrap());
    assert!(!ROOTS.accepts(&txn, &asset, &B, 1, WINDOW).unwrap());
    assert!(OTHER.accepts(&txn, &NETWORK, &A, 1, WINDOW).unwrap());
}

#[test]
fn time_that_runs_backwards_is_refused_and_changes_nothing() {
    let store = Store::new();
    advance(&store, &A, 100);
    let refused = store.commit(|txn| ROOTS.advance(txn, &NETWORK, &B, 99));
    assert!(matches!(refused, Err(RootsError::TimeRunsBackwards)));
    let refused = store.commit(|txn| ROOTS.advance_urgently(txn, &NETWORK, &B, 99));
    assert!(matches!(refused, Err(RootsError::TimeRunsBackwards)));
    assert_eq!(ROOTS.current(&store.read(), &NETWORK).unwrap(), Some((A, 100)));
}

#[test]
fn pruning_never_changes_what_is_acceptable() {
    let store = Store::new();
    let values: Vec<Value> = (0..200).map(|i| [i; 32]).collect();
    store.commit(|txn| {
        for (now, value) in (0..).zip(&values) {
            ROOTS.advance(txn, &NETWORK, value, now).unwrap();
        }
    });
    // One superseded in every second from 1 to 199; those at 79 and before are out of the window.
    let now = 199;
    let acceptable = |store: &Store| -> Vec<bool> {
        values.iter().map(|value| accepts(store, value, now)).collect()
    };
    let before = acceptable(&store);
    assert_eq!(before.iter().filter(|accepted| **accepted).count(), 120 + 1);
    assert_eq!(store.commit(|txn| ROOTS.prune(txn, &NETWORK, now, WINDOW)).unwrap(), 79);
    assert_eq!(acceptable(&store), before);
    assert_eq!(ROOTS.superseded(&store.read(), &NETWORK).unwrap().len(), 120);
    assert_eq!(store.commit(|txn| ROOTS.prune(txn, &NETWORK, 5, WINDOW)).unwrap(), 0);
}

#[test]
fn an_aborted_change_leaves_nothing() {
    let store = Store::new();
    advance(&store, &A, 0);
    let txn = store.begin();
    ROOTS.advance_urgently(&txn, &NETWORK, &B, 5).unwrap();
    txn.abort().unwrap();
    assert!(!accepts(&store, &B, 5));
    assert_eq!(ROOTS.current(&store.read(), &NETWORK).unwrap(), Some((A, 0)));
}

/// A history as a plain list of (value, since), the last one current.
fn model_accepts(history: &[(u8, u64)], closed: usize, value: u8, now: u64) -> bool {
    let Some(((last, _), older)) = history.split_last() else { return false };
    let ends = (0..older.len()).map(|i| (older[i].0, history[i + 1].1));
    *last == value
        || ends.skip(closed).any(|(old, at)| old == value && now.saturating_sub(at) < WINDOW)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Few distinct values, so that they recur often; some changes urgent, some pruned.
    #[test]
    fn any_history_equals_the_plain_list(
        steps in prop::collection::vec((0u8..5, 0u64..90, 0u8..8), 1..25),
        later in 0u64..200,
    ) {
        let store = Store::new();
        let mut history: Vec<(u8, u64)> = Vec::new();
        let (mut now, mut closed) = (1000, 0);
        let txn = store.begin();
        for (value, pause, kind) in steps {
            now += pause;
            if history.last().is_none_or(|(last, _)| *last != value) {
                history.push((value, now));
            }
            if kind == 0 {
                ROOTS.advance_urgently(&txn, &NETWORK, &[value; 32], now).unwrap();
                closed = history.len() - 1;
            } else {
                ROOTS.advance(&txn, &NETWORK, &[value; 32], now).unwrap();
            }
            if kind == 1 {
                ROOTS.prune(&txn, &NETWORK, now, WINDOW).unwrap();
            }
            for at in [now, now + later] {
                for value in 0..5 {
                    let ours = ROOTS.accepts(&txn, &NETWORK, &[value; 32], at, WINDOW).unwrap();
                    prop_assert_eq!(ours, model_accepts(&history, closed, value, at));
                }
            }
        }
    }
}
