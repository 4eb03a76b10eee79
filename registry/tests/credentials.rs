//! Issuing, revoking, replays and the urgent quota. Spec §4.

mod support;

use ark_bn254::Fr;
use placet_protocol::credential::{attestor_id, leaf, nobody, tombstone};
use placet_protocol::field::{AttestorId, CredentialInner};
use placet_protocol::merkle::{REGISTRY_DEPTH, SparseTree};
use placet_protocol::transaction::MAX_SEQUENCE_STEP;
use placet_protocol::transaction::registry::{SubjectTag, UniquenessTags};
use placet_registry::credentials::{
    self, CredentialError, Issuance, Pending, Quota, RefusedIssuance, Revocation, Urgency,
};
use placet_registry::persons::{self, PersonError};
use placet_registry::roots::{NETWORK, Roots};
use support::Store;

const NOW: u64 = 1_800_000_000;

fn attestor(byte: u8) -> AttestorId {
    attestor_id(&[byte; 32])
}

fn inner(value: u64) -> CredentialInner {
    CredentialInner::new(Fr::from(value))
}

fn issue(store: &Store, by: u8, sequence: u64, value: u64) -> Result<u64, CredentialError> {
    let issuance = Issuance { attestor: attestor(by), sequence, inner: inner(value), tags: None };
    store.commit(|txn| credentials::issue(txn, &issuance, NOW))
}

fn revoke(store: &Store, by: u8, sequence: u64, index: u64) -> Result<(), CredentialError> {
    revoke_at(store, by, sequence, index, Urgency::Ordinary, NOW)
}

fn revoke_at(
    store: &Store,
    by: u8,
    sequence: u64,
    index: u64,
    urgency: Urgency,
    now: u64,
) -> Result<(), CredentialError> {
    let revocation = Revocation { attestor: attestor(by), sequence, index, urgency };
    store.commit(|txn| credentials::revoke(txn, &revocation, now))
}

/// Everything that a refusal must leave as it was.
fn state(store: &Store) -> impl PartialEq + std::fmt::Debug + use<> {
    let txn = store.read();
    let sequences = [1, 2].map(|by| credentials::last_sequence(&txn, attestor(by)).unwrap());
    let records = [1, 2].map(|by| credentials::issued_by(&txn, attestor(by)).unwrap());
    (credentials::root(&txn).unwrap(), credentials::len(&txn).unwrap(), sequences, records)
}

#[test]
fn leaves_are_wrapped_with_the_attestor_that_was_authenticated() {
    let store = Store::new();
    assert_eq!(issue(&store, 1, 1, 10).unwrap(), 0);
    assert_eq!(issue(&store, 2, 1, 10).unwrap(), 1, "the same inner from another attestor");
    let expected = [leaf(attestor(1), inner(10)), leaf(attestor(2), inner(10))];
    let txn = store.read();
    assert_eq!(credentials::leaves(&txn, 0..9).unwrap(), expected);
    let model = SparseTree::<REGISTRY_DEPTH>::from_leaves(expected);
    assert_eq!(credentials::root(&txn).unwrap().get(), model.root());
    assert_eq!(credentials::path(&txn, 1).unwrap(), model.path(1));
    let record = credentials::record(&txn, 1).unwrap().unwrap();
    assert_eq!((record.attestor, record.revoked), (attestor(2), false));
    assert_eq!(credentials::record(&txn, 2).unwrap(), None);
    assert!(matches!(credentials::path(&txn, 2), Err(CredentialError::NoSuchCredential)));
}

/// Credentials of two attestors in turns.
fn issuances(count: u64) -> Vec<Issuance<'static>> {
    (0..count)
        .map(|i| Issuance {
            attestor: attestor(1 + (i % 2) as u8),
            sequence: 1 + i / 2,
            inner: inner(100 + i),
            tags: None,
        })
        .collect()
}

#[test]
fn issuing_a_list_or_a_block_equals_issuing_one_by_one() {
    let all = issuances(150);
    let [single, list, block] = [(); 3].map(|()| Store::new());
    for issuance in &all {
        single.commit(|txn| credentials::issue(txn, issuance, NOW)).unwrap();
    }
    for part in [&all[..3], &all[3..], &all[..0]] {
        list.commit(|txn| credentials::issue_all(txn, part, NOW)).unwrap();
    }
    block.commit(|txn| {
        let mut pending = Pending::default();
        for (issuance, index) in all.iter().zip(0..) {
            assert_eq!(pending.issue(txn, issuance, NOW).unwrap(), index);
        }
        assert_eq!(credentials::len(txn).unwrap(), 0, "the tree comes last");
        pending.append(txn).unwrap();
        pending.append(txn).unwrap();
    });
    assert_eq!(state(&single), state(&list));
    assert_eq!(state(&single), state(&block));
    assert_eq!(credentials::len(&list.read()).unwrap(), 150);
}

#[test]
fn a_list_is_issued_up_to_the_first_refusal() {
    let mut all = issuances(40);
    // The 31st is the first again.
    all[30].inner = all[0].inner;
    all[30].attestor = all[0].attestor;
    let [single, list] = [(); 2].map(|()| Store::new());
    for issuance in &all[..30] {
        single.commit(|txn| credentials::issue(txn, issuance, NOW)).unwrap();
    }
    let refused = list.commit(|txn| credentials::issue_all(txn, &all, NOW));
    assert!(matches!(
        refused,
        Err(RefusedIssuance { place: 30, error: CredentialError::Duplicate })
    ));
    assert_eq!(state(&single), state(&list));
}

#[test]
fn what_waits_for_the_end_of_a_block_is_judged_like_the_rest() {
    let store = Store::new();
    let all = issuances(4);
    store.commit(|txn| {
        let mut pending = Pending::default();
        pending.issue(txn, &all[0], NOW).unwrap();
        let again = Issuance { sequence: 9, ..all[0] };
        let old = Issuance { inner: inner(5), ..all[0] };
        let nobody = Issuance { attestor: nobody(), ..all[2] };
        let refused =
            |pending: &mut Pending, issuance| pending.issue(txn, issuance, NOW).unwrap_err();
        assert!(matches!(refused(&mut pending, &again), CredentialError::Duplicate));
        assert!(matches!(refused(&mut pending, &old), CredentialError::Replayed));
        assert!(matches!(refused(&mut pending, &nobody), CredentialError::Nobody));
        assert_eq!(pending.issue(txn, &all[1], NOW).unwrap(), 1);
        pending.append(txn).unwrap();
    });
    let list = Store::new();
    list.commit(|txn| credentials::issue_all(txn, &all[..2], NOW)).unwrap();
    assert_eq!(state(&store), state(&list));
}

#[test]
fn a_credential_is_issued_once_and_never_again_after_revocation() {
    let store = Store::new();
    issue(&store, 1, 1, 10).unwrap();
    assert!(matches!(issue(&store, 1, 2, 10), Err(CredentialError::Duplicate)));
    revoke(&store, 1, 2, 0).unwrap();
    let before = state(&store);
    assert!(matches!(issue(&store, 1, 3, 10), Err(CredentialError::Duplicate)));
    assert_eq!(state(&store), before);
}

#[test]
fn replayed_messages_are_refused_after_a_restart_too() {
    let mut store = Store::new();
    assert!(matches!(issue(&store, 1, 0, 10), Err(CredentialError::Replayed)), "first is 1");
    issue(&store, 1, 5, 10).unwrap();
    revoke(&store, 1, 6, 0).unwrap();
    store.reopen();
    let before = state(&store);
    for sequence in [0, 1, 5, 6] {
        assert!(matches!(issue(&store, 1, sequence, 11), Err(CredentialError::Replayed)));
        assert!(matches!(revoke(&store, 1, sequence, 0), Err(CredentialError::Replayed)));
    }
    assert_eq!(state(&store), before);
    // Sequences are counted per attestor.
    issue(&store, 2, 1, 11).unwrap();
    issue(&store, 1, 7, 12).unwrap();
}

#[test]
fn a_message_cannot_use_up_all_sequence_numbers() {
    let store = Store::new();
    for sequence in [MAX_SEQUENCE_STEP + 1, u64::MAX] {
        let refused = issue(&store, 1, sequence, 10);
        assert!(matches!(refused, Err(CredentialError::SequenceTooFar)));
    }
    issue(&store, 1, MAX_SEQUENCE_STEP, 10).unwrap();
    assert!(matches!(revoke(&store, 1, u64::MAX, 0), Err(CredentialError::SequenceTooFar)));
    revoke(&store, 1, MAX_SEQUENCE_STEP + 1, 0).unwrap();
}

#[test]
fn a_refused_message_uses_no_sequence_number() {
    let store = Store::new();
    issue(&store, 1, 1, 10).unwrap();
    assert!(issue(&store, 1, 9, 10).is_err());
    assert!(revoke(&store, 1, 9, 44).is_err());
    assert_eq!(credentials::last_sequence(&store.read(), attestor(1)).unwrap(), 1);
    issue(&store, 1, 2, 11).unwrap();
}

#[test]
fn only_the_issuer_revokes_and_only_once() {
    let store = Store::new();
    issue(&store, 1, 1, 10).unwrap();
    issue(&store, 1, 2, 11).unwrap();
    let before = state(&store);
    assert!(matches!(revoke(&store, 2, 1, 0), Err(CredentialError::NotTheIssuer)));
    assert!(matches!(revoke(&store, 1, 3, 2), Err(CredentialError::NoSuchCredential)));
    assert!(matches!(revoke(&store, 1, 3, u64::MAX), Err(CredentialError::NoSuchCredential)));
    assert_eq!(state(&store), before);

    revoke(&store, 1, 3, 0).unwrap();
    let txn = store.read();
    assert_eq!(
        credentials::leaves(&txn, 0..2).unwrap(),
        [tombstone(), leaf(attestor(1), inner(11))]
    );
    assert!(credentials::record(&txn, 0).unwrap().unwrap().revoked);
    assert!(!credentials::record(&txn, 1).unwrap().unwrap().revoked);

    let before = state(&store);
    assert!(matches!(revoke(&store, 1, 4, 0), Err(CredentialError::AlreadyRevoked)));
    assert_eq!(state(&store), before);
}

#[test]
fn slots_are_never_reused_and_no_root_comes_back() {
    let store = Store::new();
    let roots = Roots::new("registry");
    let mut seen = Vec::new();
    let mut note = |store: &Store, now| {
        let root = credentials::root(&store.read()).unwrap();
        assert!(!seen.contains(&root), "an old root came back");
        seen.push(root);
        store.commit(|txn| roots.advance(txn, &NETWORK, &root.to_bytes(), now)).unwrap();
        root
    };
    note(&store, 0);
    issue(&store, 1, 1, 10).unwrap();
    let with = note(&store, 100);
    revoke(&store, 1, 2, 0).unwrap();
    note(&store, 200);
    assert_eq!(issue(&store, 1, 3, 11).unwrap(), 1, "the slot of the revoked one stays taken");
    note(&store, 300);
    // The revocation binds within the window, counted from the revocation.
    let accepts = |now| roots.accepts(&store.read(), &NETWORK, &with.to_bytes(), now, 120).unwrap();
    assert!(accepts(319));
    assert!(!accepts(320));
}

#[test]
fn urgent_revocations_have_a_quota_per_attestor_and_epoch() {
    let mut store = Store::new();
    for sequence in 1..=8 {
        issue(&store, 1, sequence, sequence).unwrap();
    }
    issue(&store, 2, 1, 1).unwrap();
    let quota = Quota { per_epoch: 2, epoch_seconds: 100 };
    let urgent = Urgency::Urgent(quota);
    revoke_at(&store, 1, 10, 0, urgent, 1000).unwrap();
    revoke_at(&store, 1, 11, 1, urgent, 1099).unwrap();
    store.reopen();
    let before = state(&store);
    let refused = revoke_at(&store, 1, 12, 2, urgent, 1099);
    assert!(matches!(refused, Err(CredentialError::QuotaExhausted)));
    assert_eq!(state(&store), before);
    // Ordinary ones, other attestors and the next epoch are not affected.
    revoke_at(&store, 1, 12, 2, Urgency::Ordinary, 1099).unwrap();
    revoke_at(&store, 2, 12, 8, urgent, 1099).unwrap();
    revoke_at(&store, 1, 13, 3, urgent, 1100).unwrap();
    revoke_at(&store, 1, 14, 4, urgent, 1100).unwrap();
    let refused = revoke_at(&store, 1, 15, 5, urgent, 1199);
    assert!(matches!(refused, Err(CredentialError::QuotaExhausted)));
    // A refused attempt uses no quota.
    assert!(matches!(
        revoke_at(&store, 1, 15, 4, urgent, 1200),
        Err(CredentialError::AlreadyRevoked)
    ));
    revoke_at(&store, 1, 15, 5, urgent, 1200).unwrap();
    revoke_at(&store, 1, 16, 6, urgent, 1200).unwrap();
    let none = Urgency::Urgent(Quota { per_epoch: 0, epoch_seconds: 0 });
    assert!(matches!(
        revoke_at(&store, 1, 17, 7, none, 1300),
        Err(CredentialError::QuotaExhausted)
    ));
}

#[test]
fn nobody_never_issues() {
    let store = Store::new();
    let issuance = Issuance { attestor: nobody(), sequence: 1, inner: inner(1), tags: None };
    let refused = store.commit(|txn| credentials::issue(txn, &issuance, NOW));
    assert!(matches!(refused, Err(CredentialError::Nobody)));
}

#[test]
fn refused_tags_leave_nothing_behind() {
    let store = Store::new();
    let subject = SubjectTag { tag: [7; 32], valid_until: NOW + 10 };
    let tags = |holder: u8| UniquenessTags::new([holder; 32], vec![subject]);
    let with = |holder: u8, sequence, value| {
        let tags = tags(holder);
        let (attestor, inner) = (attestor(1), inner(value));
        let issuance = Issuance { attestor, sequence, inner, tags: Some(&tags) };
        store.commit(|txn| credentials::issue(txn, &issuance, NOW))
    };
    with(1, 1, 10).unwrap();
    let before = state(&store);
    let refused = with(2, 2, 11);
    assert!(matches!(refused, Err(CredentialError::Person(PersonError::SecondKey))));
    assert_eq!(state(&store), before);
    assert_eq!(persons::holder(&store.read(), &[2; 32]).unwrap(), None);

    // And a refused credential leaves no tags.
    assert!(matches!(with(1, 1, 12), Err(CredentialError::Replayed)));
    assert!(matches!(with(3, 2, 10), Err(CredentialError::Duplicate)));
    assert_eq!(persons::holder(&store.read(), &[3; 32]).unwrap(), None);
    // The one whose tags were refused, now without any: nothing remembers it, and an investor
    // credential is free to name the same person.
    assert_eq!(issue(&store, 1, 2, 11).unwrap(), 1);
    assert_eq!(credentials::len(&store.read()).unwrap(), 2);
}

#[test]
fn an_aborted_block_leaves_nothing() {
    let store = Store::new();
    issue(&store, 1, 1, 10).unwrap();
    let before = state(&store);
    let txn = store.begin();
    let tags =
        UniquenessTags::new([1; 32], vec![SubjectTag { tag: [2; 32], valid_until: NOW + 1 }]);
    let issuance =
        Issuance { attestor: attestor(2), sequence: 1, inner: inner(1), tags: Some(&tags) };
    credentials::issue(&txn, &issuance, NOW).unwrap();
    let revocation = Revocation {
        attestor: attestor(1),
        sequence: 2,
        index: 0,
        urgency: Urgency::Urgent(Quota::default()),
    };
    credentials::revoke(&txn, &revocation, NOW).unwrap();
    txn.abort().unwrap();
    assert_eq!(state(&store), before);
    assert_eq!(persons::subject(&store.read(), &[2; 32]).unwrap(), None);
}
