//! The mempool's bounds, rivals and variants, and what it offers for a block.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::ledger::{World, authority_keys, genesis};
use placet_ledger::Backend;
use placet_node::mempool::{Candidate, Capacity, MAX_RIVALS, Mempool, NoRoom};
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::block::{MAX_BLOCK_WEIGHT, entries_fit};
use placet_protocol::credential::Jurisdiction;
use placet_protocol::field::AssetId;
use placet_protocol::genesis::{Authority, Checkpoint, NetworkKind};
use placet_protocol::gossip::Variant;
use placet_protocol::signing::VerifyKey;
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::policy::MAX_RULES;
use placet_protocol::transaction::{
    CircuitChange, NumberedCircuitChange, Transaction, TransferTransaction,
};
use placet_protocol::wire::Wire;

const ALL: Capacity = Capacity { count: 100, bytes: 1 << 20 };

fn world() -> World {
    World::open(Backend::Memory)
}

/// A transfer of an asset that nobody needs to know here.
fn transfer(world: &mut World) -> TransferTransaction {
    world.transfer(AssetId::new(1u64.into()))
}

fn variant(world: &World, tx: &TransferTransaction) -> Variant {
    let tx = Transaction::Transfer(tx.clone());
    Variant { transaction: tx.id(&world.chain), proof_hash: tx.proof_hash() }
}

fn candidate(tx: &TransferTransaction, sponsor: Option<VerifyKey>) -> Candidate {
    let tx = Transaction::Transfer(tx.clone());
    let size = tx.to_wire().len();
    Candidate { checked: Some(0), ..Candidate::new(Arc::new(tx), size, sponsor, 0) }
}

fn add(pool: &mut Mempool, world: &World, tx: &TransferTransaction) -> Result<(), NoRoom> {
    pool.add(variant(world, tx), candidate(tx, None))
}

fn sitting() -> Vec<Authority> {
    genesis(NetworkKind::Dev).authorities
}

fn opinion(variant: &Variant, by: usize, approves: bool, judged_at: u64) -> SignedAssertion {
    let chain = genesis(NetworkKind::Dev).chain_id();
    let reason = std::num::NonZeroU16::new(2000).unwrap();
    let assertion = Assertion {
        transaction: variant.transaction,
        proof_hash: variant.proof_hash,
        checkpoint: Checkpoint::Risk,
        verdict: if approves { Verdict::Approve } else { Verdict::Reject(reason) },
        judged_at,
        judged_time: 1,
        expires_at: judged_at + 10,
        discretionary: !approves,
    };
    SignedAssertion::new(assertion, &chain, &authority_keys()[by])
}

#[test]
fn it_is_bounded_by_count_and_bytes() {
    let mut world = world();
    let txs: Vec<_> = (0..4).map(|_| transfer(&mut world)).collect();
    let mut pool = Mempool::new(Capacity { count: 3, ..ALL });
    for tx in &txs[..3] {
        add(&mut pool, &world, tx).unwrap();
    }
    assert_eq!(add(&mut pool, &world, &txs[3]), Err(NoRoom::Full));
    // What leaves makes room, in all accounts.
    assert_eq!(pool.remove(variant(&world, &txs[0]).transaction).len(), 1);
    add(&mut pool, &world, &txs[3]).unwrap();
    let size = Transaction::Transfer(txs[0].clone()).to_wire().len();
    let mut pool = Mempool::new(Capacity { bytes: 2 * size + 1, ..ALL });
    add(&mut pool, &world, &txs[0]).unwrap();
    add(&mut pool, &world, &txs[1]).unwrap();
    assert_eq!(add(&mut pool, &world, &txs[2]), Err(NoRoom::Full));
    assert_eq!(pool.len(), 2);
}

#[test]
fn few_rivals_wait_for_one_nullifier_and_one_goes_into_a_block() {
    let mut world = world();
    let first = transfer(&mut world);
    let rivals: Vec<_> = (0..=MAX_RIVALS)
        .map(|_| {
            let mut other = transfer(&mut world);
            other.body.nf_position = first.body.nf_position;
            other
        })
        .collect();
    let mut pool = Mempool::new(ALL);
    for tx in &rivals[..MAX_RIVALS] {
        add(&mut pool, &world, tx).unwrap();
    }
    assert_eq!(add(&mut pool, &world, &rivals[MAX_RIVALS]), Err(NoRoom::Rivals));
    let unrelated = transfer(&mut world);
    add(&mut pool, &world, &unrelated).unwrap();
    let ready = pool.ready(5, &sitting(), &BTreeSet::new(), 100, 1 << 20);
    assert_eq!(ready.len(), 2, "the first of the rivals and the other one");
    assert_eq!(ready[0].transaction, Transaction::Transfer(rivals[0].clone()));
    pool.remove(variant(&world, &rivals[0]).transaction);
    add(&mut pool, &world, &rivals[MAX_RIVALS]).unwrap();
}

#[test]
fn each_peer_may_bring_one_more_variant() {
    let mut world = world();
    let first = transfer(&mut world);
    let with = |byte| TransferTransaction { proof: ProofBytes([byte; 128]), ..first.clone() };
    let peers: Vec<_> = authority_keys().iter().map(|key| key.public()).collect();
    let mut pool = Mempool::new(ALL);
    let add = |pool: &mut Mempool, byte, sponsor| {
        let tx = with(byte);
        pool.add(variant(&world, &tx), candidate(&tx, sponsor))
    };
    add(&mut pool, 1, None).unwrap();
    add(&mut pool, 1, None).unwrap();
    assert_eq!(add(&mut pool, 2, None), Err(NoRoom::Variant));
    add(&mut pool, 3, Some(peers[0])).unwrap();
    assert_eq!(add(&mut pool, 4, Some(peers[0])), Err(NoRoom::Variant));
    add(&mut pool, 5, Some(peers[1])).unwrap();
    assert_eq!(pool.len(), 3);
    // One of them goes into a block, and all leave together.
    assert_eq!(pool.ready(5, &sitting(), &BTreeSet::new(), 100, 1 << 20).len(), 1);
    assert_eq!(pool.remove(variant(&world, &first).transaction).len(), 3);
    assert!(pool.is_empty());
}

#[test]
fn a_block_gets_what_is_endorsed_in_order_and_within_bounds() {
    let mut world = world();
    let txs: Vec<_> = (0..3).map(|_| transfer(&mut world)).collect();
    let mut pool = Mempool::new(ALL);
    for tx in &txs {
        add(&mut pool, &world, tx).unwrap();
        let needs = BTreeMap::from([(Checkpoint::Risk, 2)]);
        pool.get_mut(&variant(&world, tx)).unwrap().needs = needs;
    }
    let ready = |pool: &Mempool, height, count, bytes| {
        pool.ready(height, &sitting(), &BTreeSet::new(), count, bytes).len()
    };
    assert_eq!(ready(&pool, 5, 100, 1 << 20), 0);
    for tx in &txs {
        let variant = variant(&world, tx);
        let candidate = pool.get_mut(&variant).unwrap();
        for by in 0..3 {
            assert!(candidate.hear(opinion(&variant, by, true, 4)));
        }
    }
    let entries = pool.ready(5, &sitting(), &BTreeSet::new(), 100, 1 << 20);
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry.assertions.len() == 2), "no more than are needed");
    assert_eq!(ready(&pool, 5, 2, 1 << 20), 2);
    let size = Transaction::Transfer(txs[0].clone()).to_wire().len();
    assert_eq!(ready(&pool, 5, 100, 2 * size + 600), 1, "assertions take room too");
    // Judged at height 4: not for a block at 4, and not beyond their end.
    assert_eq!(ready(&pool, 4, 100, 1 << 20), 0);
    assert_eq!(ready(&pool, 15, 100, 1 << 20), 0);
    let besides = BTreeSet::from([variant(&world, &txs[0]).transaction]);
    assert_eq!(pool.ready(5, &sitting(), &besides, 100, 1 << 20).len(), 2);
    // Only those who sit and have the mandate count.
    assert_eq!(pool.ready(5, &sitting()[..1], &BTreeSet::new(), 100, 1 << 20).len(), 0);
}

#[test]
fn it_is_hopeless_when_those_left_are_too_few() {
    let mut world = world();
    let tx = transfer(&mut world);
    let variant = variant(&world, &tx);
    let mut one = candidate(&tx, None);
    one.needs = BTreeMap::from([(Checkpoint::Risk, 3)]);
    assert!(one.hear(opinion(&variant, 0, false, 4)));
    assert!(!one.is_hopeless(&sitting()), "three others may approve");
    assert!(one.hear(opinion(&variant, 1, false, 4)));
    assert!(one.is_hopeless(&sitting()));
    // A newer word of the same authority takes the old one's place, an older one does not.
    assert!(one.hear(opinion(&variant, 1, true, 5)));
    assert!(!one.hear(opinion(&variant, 1, false, 4)));
    assert!(!one.is_hopeless(&sitting()));
}

#[test]
fn an_approval_by_a_rule_of_ones_own_gives_no_hope() {
    let mut world = world();
    let tx = transfer(&mut world);
    let variant = variant(&world, &tx);
    let mut one = candidate(&tx, None);
    one.needs = BTreeMap::from([(Checkpoint::Risk, 3)]);
    let discretionary = |by: usize| {
        let assertion =
            Assertion { discretionary: true, ..opinion(&variant, by, true, 4).assertion };
        SignedAssertion::new(assertion, &world.chain, &authority_keys()[by])
    };
    assert!(one.hear(discretionary(0)));
    assert!(!one.is_hopeless(&sitting()), "three others may approve");
    for by in [2, 3] {
        assert!(one.hear(opinion(&variant, by, true, 4)));
    }
    assert!(!one.is_hopeless(&sitting()), "the one who has not spoken may");
    assert!(one.hear(discretionary(1)));
    assert!(one.is_hopeless(&sitting()), "four have approved, two of them to no purpose");
    assert_eq!(one.endorsement(5, &sitting()), None);
}

#[test]
fn a_pile_of_heavy_messages_neither_overfills_a_block_nor_delays_transfers() {
    let mut world = world();
    let mut pool = Mempool::new(Capacity { count: 1000, bytes: 1 << 24 });
    let chain = world.chain;
    let mut put = |tx: Transaction| {
        let size = tx.to_wire().len();
        let variant = Variant { transaction: tx.id(&chain), proof_hash: tx.proof_hash() };
        let candidate =
            Candidate { checked: Some(0), ..Candidate::new(Arc::new(tx), size, None, 0) };
        pool.add(variant, candidate).unwrap();
    };
    for n in 0..40 {
        let mut registration = world.registration(&format!("heavy {n}"));
        let rule = *registration.policy.rules.values().next().unwrap();
        let code = |n| Jurisdiction::new(n).unwrap();
        registration.policy.rules = (0..MAX_RULES as u16).map(|n| (code(n), rule)).collect();
        put(world.register(registration));
    }
    let light = world.register(world.registration("light"));
    put(light.clone());
    for _ in 0..3 {
        put(Transaction::Transfer(transfer(&mut world)));
    }
    let entries = pool.ready(5, &sitting(), &BTreeSet::new(), 2, 1 << 24);
    assert!(entries_fit(&entries));
    let weight: usize = entries.iter().map(|entry| entry.transaction.weight()).sum();
    assert!(weight <= MAX_BLOCK_WEIGHT && weight > MAX_BLOCK_WEIGHT * 9 / 10);
    // Transfers have their own share, and what is light goes beside what is too heavy.
    let transfers = entries.iter().filter(|entry| entry.transaction.proof().is_some());
    assert_eq!(transfers.count(), 2);
    assert!(entries.iter().any(|entry| entry.transaction == light));
}

#[test]
fn the_authorities_switches_have_room_and_go_first() {
    let mut world = world();
    let mut pool = Mempool::new(Capacity { count: 3, bytes: 1 << 20 });
    for _ in 0..3 {
        let body = transfer(&mut world);
        add(&mut pool, &world, &body).unwrap();
    }
    let switch = |height| {
        let circuit = placet_protocol::example::pinned_circuit().id();
        let change = CircuitChange::Deactivate { circuit, height };
        world.circuits(NumberedCircuitChange::UNORDERED, change, 3)
    };
    let put = |pool: &mut Mempool, tx: Transaction| {
        let variant = Variant { transaction: tx.id(&world.chain), proof_hash: tx.proof_hash() };
        let size = tx.to_wire().len();
        let candidate = Candidate::new(Arc::new(tx), size, None, 0);
        pool.add(variant, Candidate { checked: Some(0), ..candidate }).map(|()| variant.transaction)
    };
    let pause = world.register(world.registration("other"));
    assert_eq!(put(&mut pool, pause), Err(NoRoom::Full));
    let taken: Vec<_> = (1..=4).map(|height| put(&mut pool, switch(height)).unwrap()).collect();
    assert_eq!(put(&mut pool, switch(5)), Err(NoRoom::Full));
    pool.remove(taken[3]);
    let last = put(&mut pool, switch(5)).unwrap();
    // With room for messages that came before them, they still go first.
    let mut pool = Mempool::new(ALL);
    put(&mut pool, world.register(world.registration("early"))).unwrap();
    assert_eq!(put(&mut pool, switch(5)).unwrap(), last);
    let ready = pool.ready(5, &sitting(), &BTreeSet::new(), 100, 1 << 20);
    let kinds: Vec<_> = ready.iter().map(|entry| entry.transaction.kind()).collect();
    assert_eq!(kinds, ["change-circuits", "register-asset"]);
}
