//! One person, one key. Spec §4.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use placet_protocol::transaction::registry::{SubjectTag, UniquenessTags};
use placet_registry::persons::{self, HolderRecord, PersonError, SubjectRecord};
use proptest::prelude::*;
use support::Store;

const KEY_1: u8 = 101;
const KEY_2: u8 = 102;
const KEY_3: u8 = 103;
/// Subject tags: a national identifier and a passport of one person.
const PERSON: u8 = 1;
const PASSPORT: u8 = 2;

/// Submits a key with subject tags at a time.
fn bind(store: &Store, key: u8, subjects: &[(u8, u64)], now: u64) -> Result<(), PersonError> {
    let subjects = subjects.iter();
    let subjects = subjects.map(|(tag, until)| SubjectTag { tag: [*tag; 32], valid_until: *until });
    let tags = UniquenessTags::new([key; 32], subjects.collect());
    store.commit(|txn| persons::bind(txn, &tags, now))
}

fn is_retired(store: &Store, key: u8) -> bool {
    persons::holder(&store.read(), &[key; 32]).unwrap().is_some_and(|record| record.retired)
}

#[test]
fn a_second_key_for_a_live_person_is_refused_until_the_edge() {
    let mut store = Store::new();
    bind(&store, KEY_1, &[(PERSON, 1000)], 0).unwrap();
    store.reopen();
    for now in [0, 999] {
        let refused = bind(&store, KEY_2, &[(PERSON, 2000)], now);
        assert!(matches!(refused, Err(PersonError::SecondKey)));
    }
    bind(&store, KEY_2, &[(PERSON, 2000)], 1000).unwrap();
}

#[test]
fn a_second_provider_for_the_same_key_is_fine_and_extends_only() {
    let store = Store::new();
    bind(&store, KEY_1, &[(PERSON, 1000)], 0).unwrap();
    bind(&store, KEY_1, &[(PERSON, 500), (PASSPORT, 700)], 100).unwrap();
    let txn = store.read();
    assert_eq!(
        persons::subject(&txn, &[PERSON; 32]).unwrap(),
        Some(SubjectRecord { holder: [KEY_1; 32], valid_until: 1000 })
    );
    assert_eq!(
        persons::holder(&txn, &[KEY_1; 32]).unwrap(),
        Some(HolderRecord { live_until: 1000, retired: false })
    );
    bind(&store, KEY_1, &[(PASSPORT, 3000)], 200).unwrap();
    assert_eq!(
        persons::holder(&store.read(), &[KEY_1; 32]).unwrap(),
        Some(HolderRecord { live_until: 3000, retired: false })
    );
}

#[test]
fn nobody_is_bound_to_a_key_for_longer_than_the_bound() {
    let store = Store::new();
    let (now, longest) = (1_800_000_000, persons::MAX_TAG_VALIDITY);
    for until in [now + longest + 1, (1 << 40) - 1] {
        let refused = bind(&store, KEY_1, &[(PERSON, now + 1), (PASSPORT, until)], now);
        assert!(matches!(refused, Err(PersonError::ValidTooLong)));
    }
    assert!(matches!(
        bind(&store, KEY_1, &[(PERSON, 1 << 40)], now),
        Err(PersonError::BadValidity)
    ));
    assert_eq!(persons::holder(&store.read(), &[KEY_1; 32]).unwrap(), None);
    bind(&store, KEY_1, &[(PERSON, now + longest)], now).unwrap();
    // The person has a key again when that time is over.
    bind(&store, KEY_2, &[(PERSON, now + longest + 9)], now + longest).unwrap();
}

#[test]
fn key_one_key_two_key_one_is_refused_for_good() {
    let mut store = Store::new();
    bind(&store, KEY_1, &[(PERSON, 1000)], 0).unwrap();
    bind(&store, KEY_2, &[(PERSON, 2000)], 1000).unwrap();
    assert!(is_retired(&store, KEY_1));
    store.reopen();
    // Not while key 2 lives, not after it expired, and not by way of another document.
    for now in [1500, 2000, 1_000_000] {
        for tag in [PERSON, PASSPORT] {
            let refused = bind(&store, KEY_1, &[(tag, now + 1000)], now);
            assert!(matches!(refused, Err(PersonError::HolderRetired)));
        }
    }
    // The person goes on with key 2, or with a third one once key 2 has expired.
    bind(&store, KEY_2, &[(PERSON, 3000)], 2500).unwrap();
    assert!(matches!(bind(&store, KEY_3, &[(PERSON, 9000)], 2999), Err(PersonError::SecondKey)));
    bind(&store, KEY_3, &[(PERSON, 9000)], 3000).unwrap();
    assert!(is_retired(&store, KEY_2));
}

#[test]
fn an_expired_tag_frees_nobody_while_another_tag_keeps_the_key_alive() {
    // The identifier's tag ends in 1000, the passport's in 5000: the key lives until 5000.
    let store = Store::new();
    bind(&store, KEY_1, &[(PERSON, 1000), (PASSPORT, 5000)], 0).unwrap();
    let refused = bind(&store, KEY_2, &[(PERSON, 9000)], 1000);
    assert!(matches!(refused, Err(PersonError::SecondKey)));
    let refused = bind(&store, KEY_2, &[(PERSON, 9000), (PASSPORT, 9000)], 4999);
    assert!(matches!(refused, Err(PersonError::SecondKey)));
    bind(&store, KEY_2, &[(PERSON, 9000)], 5000).unwrap();
    // The passport's tag still names the retired key and moves when it is next seen.
    bind(&store, KEY_2, &[(PASSPORT, 9000)], 5001).unwrap();
    assert_eq!(
        persons::subject(&store.read(), &[PASSPORT; 32]).unwrap().unwrap().holder,
        [KEY_2; 32]
    );
}

#[test]
fn one_live_tag_among_several_refuses_the_whole_submission() {
    let store = Store::new();
    bind(&store, KEY_1, &[(PERSON, 1000)], 0).unwrap();
    bind(&store, KEY_2, &[(PASSPORT, 5000)], 0).unwrap();
    let refused = bind(&store, KEY_3, &[(PERSON, 9000), (PASSPORT, 9000), (3, 9000)], 2000);
    assert!(matches!(refused, Err(PersonError::SecondKey)));
    assert!(!is_retired(&store, KEY_1), "a refusal retires nothing");
    assert_eq!(persons::subject(&store.read(), &[3; 32]).unwrap(), None);
    assert_eq!(persons::holder(&store.read(), &[KEY_3; 32]).unwrap(), None);
    // Once both have expired, both keys are retired by the one that unites them.
    bind(&store, KEY_3, &[(PERSON, 9000), (PASSPORT, 9000)], 5000).unwrap();
    assert!(is_retired(&store, KEY_1) && is_retired(&store, KEY_2));
}

#[test]
fn a_lapsed_key_that_nobody_replaced_may_be_renewed() {
    let store = Store::new();
    bind(&store, KEY_1, &[(PERSON, 1000)], 0).unwrap();
    bind(&store, KEY_1, &[(PERSON, 9000)], 5000).unwrap();
    assert!(!is_retired(&store, KEY_1));
    assert!(matches!(bind(&store, KEY_2, &[(PERSON, 9000)], 5001), Err(PersonError::SecondKey)));
}

#[test]
fn submissions_without_effect_are_refused() {
    let store = Store::new();
    assert!(matches!(bind(&store, KEY_1, &[], 0), Err(PersonError::NoSubject)));
    for until in [0, 99, 100, 1 << 40, u64::MAX] {
        let refused = bind(&store, KEY_1, &[(PERSON, until)], 100);
        assert!(matches!(refused, Err(PersonError::BadValidity)), "valid until {until}");
    }
    bind(&store, KEY_1, &[(PERSON, (1 << 40) - 1)], (1 << 40) - 2).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Among all keys that a subject ever had, at most one can still be issued to, and while that
    /// subject's key is live no other key is accepted for it.
    #[test]
    fn a_subject_never_has_two_keys(
        steps in prop::collection::vec(
            (100u8..105, prop::collection::vec((1u8..5, 1u64..60), 1..4), 0u64..40), 1..40),
    ) {
        let store = Store::new();
        let txn = store.begin();
        let mut ever: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        let mut live: BTreeMap<u8, u64> = BTreeMap::new();
        let (mut now, mut accepted) = (1000, 0);
        for (key, subjects, pause) in steps {
            now += pause;
            let new = subjects.iter().map(|(tag, validity)| SubjectTag {
                tag: [*tag; 32],
                valid_until: now + validity,
            });
            let tags = UniquenessTags::new([key; 32], new.collect());
            if persons::bind(&txn, &tags, now).is_err() {
                continue;
            }
            accepted += 1;
            for subject in &tags.subjects {
                let keys = ever.entry(subject.tag[0]).or_default();
                for other in keys.iter().filter(|other| **other != key) {
                    prop_assert!(live[other] <= now, "a second live key was accepted");
                }
                keys.insert(key);
                let until = live.entry(key).or_default();
                *until = subject.valid_until.max(*until);
            }
            for keys in ever.values() {
                let mut usable = 0;
                for key in keys {
                    let record = persons::holder(&txn, &[*key; 32]).unwrap().unwrap();
                    usable += usize::from(!record.retired);
                }
                prop_assert!(usable <= 1, "two keys of one subject could be issued to");
            }
        }
        prop_assert!(accepted > 0, "the first submission is always accepted");
    }
}
