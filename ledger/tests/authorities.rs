//! Changes of the authorities: one test per rule, when a change binds, and receipts that lead from
//! the genesis over every change. Spec §9, §10.

mod common;

use std::sync::Arc;

use common::{World, authority_keys, key};
use placet_ledger::{Backend, BadBlock, Refusal, TimeBound};
use placet_protocol::finality::{NotFinal, Validators, ends_epoch};
use placet_protocol::genesis::{Authority, Checkpoint, NetworkKind};
use placet_protocol::receipt::{BadReceipt, Receipt};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{
    AuthorityChange, ChangeAuthorities, NumberedChange, Transaction,
};
use placet_protocol::wire::Wire;

fn newcomer(name: &str, n: u8) -> Authority {
    let mandates = Checkpoint::ALL.into_iter().collect();
    Authority { name: name.into(), lei: None, key: key(n).public(), mandates }
}

/// A change approved by these keys; `possession` is shown by another.
fn change(
    world: &World,
    number: u64,
    change: AuthorityChange,
    possession: Option<&SigningKey>,
    approvals: &[SigningKey],
) -> Transaction {
    let change = NumberedChange { number, change };
    let approvals = approvals.iter().map(|key| change.approve(&world.chain, key)).collect();
    let possession = possession.map(|key| change.possession(&world.chain, key));
    Transaction::ChangeAuthorities(ChangeAuthorities::new(change, possession, approvals))
}

fn appoint(world: &World, number: u64, who: &Authority, n: u8, by: &[SigningKey]) -> Transaction {
    change(world, number, AuthorityChange::Appoint(who.clone()), Some(&key(n)), by)
}

fn dismiss(world: &World, number: u64, n: u8, by: &[SigningKey]) -> Transaction {
    change(world, number, AuthorityChange::Dismiss(key(n).public()), None, by)
}

#[test]
fn a_quorum_appoints_and_dismisses() {
    let mut world = World::memory();
    let keys = authority_keys();
    world.accept(vec![appoint(&world, 1, &newcomer("fifth", 5), 5, &keys[..3])]);
    let view = world.ledger.view().unwrap();
    let sitting = view.authorities().unwrap();
    assert_eq!(sitting.authority(&key(5).public()), Some(&newcomer("fifth", 5)));
    assert_eq!((sitting.authorities().len(), sitting.quorum(), sitting.majority()), (5, 4, 3));
    assert_eq!(view.authority_changes().unwrap(), 1);
    // The newcomer counts at once for the next change, and more are needed.
    let short = dismiss(&world, 2, 1, &[&keys[1..3], &[key(5)]].concat());
    assert_eq!(world.refusal(short), Some(Refusal::NoQuorum));
    world.accept(vec![dismiss(&world, 2, 1, &[&keys[1..], &[key(5)]].concat())]);
    let sitting = world.ledger.view().unwrap().authorities().unwrap();
    assert_eq!(sitting.authority(&key(1).public()), None);
    assert_eq!(sitting.authorities().len(), 4);
    // A sitting one gets another name and other mandates.
    let mut renamed = newcomer("renamed", 5);
    renamed.mandates = [Checkpoint::Risk].into();
    world.accept(vec![appoint(&world, 3, &renamed, 5, &keys[1..])]);
    let sitting = world.ledger.view().unwrap().authorities().unwrap();
    assert_eq!(sitting.authority(&key(5).public()), Some(&renamed));
    assert_eq!((sitting.authorities().len(), sitting.mandated(Checkpoint::Identity)), (4, 3));
}

#[test]
fn changes_carry_consecutive_numbers() {
    let mut world = World::memory();
    let keys = authority_keys();
    let fifth = newcomer("fifth", 5);
    for number in [0, 2, u64::MAX] {
        let tx = appoint(&world, number, &fifth, 5, &keys);
        assert_eq!(world.refusal(tx), Some(Refusal::AuthorityChangeNumber), "{number}");
    }
    let first = appoint(&world, 1, &fifth, 5, &keys);
    let rival = appoint(&world, 1, &newcomer("sixth", 6), 6, &keys);
    world.accept(vec![first.clone()]);
    assert_eq!(world.refusal(first), Some(Refusal::AlreadyExecuted));
    assert_eq!(world.refusal(rival), Some(Refusal::AuthorityChangeNumber));
}

#[test]
fn only_a_quorum_of_the_sitting_changes_who_sits() {
    let mut world = World::memory();
    let keys = authority_keys();
    let fifth = newcomer("fifth", 5);
    let tx = appoint(&world, 1, &fifth, 5, &keys[..2]);
    assert_eq!(world.refusal(tx), Some(Refusal::NoQuorum));
    let tx = appoint(&world, 1, &fifth, 5, &[&keys[..3], &[key(77)]].concat());
    assert_eq!(world.refusal(tx), Some(Refusal::NoQuorum), "a stranger approves");
    let tx = appoint(&world, 1, &fifth, 5, &keys[..3]);
    assert_eq!(world.refusal(tx), None);
}

#[test]
fn possession_and_approvals_are_verified() {
    let mut world = World::memory();
    let keys = authority_keys();
    let fifth = newcomer("fifth", 5);
    let wrong_key = appoint(&world, 1, &fifth, 6, &keys[..3]);
    let none = change(&world, 1, AuthorityChange::Appoint(fifth.clone()), None, &keys[..3]);
    let dismissal = AuthorityChange::Dismiss(key(1).public());
    let too_much = change(&world, 1, dismissal, Some(&key(1)), &keys[..3]);
    let Transaction::ChangeAuthorities(mut forged) = appoint(&world, 1, &fifth, 5, &keys[..3])
    else {
        unreachable!()
    };
    forged.approvals[1].signature = forged.approvals[2].signature;
    for tx in [wrong_key, none, too_much, Transaction::ChangeAuthorities(forged)] {
        assert_eq!(world.refusal(tx), Some(Refusal::SignatureInvalid));
    }
    // Approvals are for one number and one chain.
    let tx = dismiss(&world, 1, 1, &keys[..3]);
    assert_eq!(world.refusal(tx), None);
}

#[test]
fn names_are_distinct_among_the_sitting() {
    let mut world = World::memory();
    let keys = authority_keys();
    let tx = appoint(&world, 1, &newcomer("authority-2", 5), 5, &keys[..3]);
    assert_eq!(world.refusal(tx), Some(Refusal::AuthorityNameTaken));
    // Its own name is free for a sitting one.
    let tx = appoint(&world, 1, &newcomer("authority-2", 3), 3, &keys[..3]);
    assert_eq!(world.refusal(tx), None);
    // Two appointments of one name in one block: the second meets the first.
    let first = appoint(&world, 1, &newcomer("fifth", 5), 5, &keys[..3]);
    let second = appoint(&world, 2, &newcomer("fifth", 6), 6, &keys[..3]);
    let entries = [first, second].map(|tx| world.entry(tx)).to_vec();
    let time = world.time();
    assert_eq!(world.block(entries, time), [(1, Refusal::AuthorityNameTaken)]);
}

#[test]
fn only_a_sitting_authority_is_dismissed_and_never_the_last() {
    let mut world = World::memory();
    let tx = dismiss(&world, 1, 5, &authority_keys());
    assert_eq!(world.refusal(tx), Some(Refusal::UnknownAuthority));

    let mut genesis = common::genesis(NetworkKind::Dev);
    genesis.authorities.truncate(1);
    let mut world = World::of(genesis, Backend::Memory);
    world.validators.truncate(1);
    let tx = dismiss(&world, 1, 1, &authority_keys()[..1]);
    assert_eq!(world.refusal(tx.clone()), Some(Refusal::LastAuthority));
    world.accept(vec![appoint(&world, 1, &newcomer("second", 5), 5, &authority_keys()[..1])]);
    let both = [authority_keys()[0].clone(), key(5)];
    world.accept(vec![dismiss(&world, 2, 1, &both)]);
    assert_eq!(world.ledger.view().unwrap().authorities().unwrap().authorities().len(), 1);
}

#[test]
fn at_most_sixty_four_sit() {
    let mut genesis = common::genesis(NetworkKind::Dev);
    genesis.authorities = (100..164).map(|n| newcomer(&format!("a{n}"), n)).collect();
    let keys: Vec<_> = (100..164).map(key).collect();
    let mut world = World::of(genesis, Backend::Memory);
    let tx = appoint(&world, 1, &newcomer("one more", 5), 5, &keys);
    assert_eq!(world.refusal(tx), Some(Refusal::TooManyAuthorities));
    let tx = appoint(&world, 1, &newcomer("new name", 100), 100, &keys);
    assert_eq!(world.refusal(tx), None, "no new seat");
}

#[test]
fn a_change_binds_mandates_from_the_next_block_on() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let (now, later) = (world.transfer(asset), world.transfer(asset));
    let dismissal = dismiss(&world, 1, 1, &authority_keys()[..3]);
    // Both transfers are endorsed by the one who is dismissed.
    let entries = vec![world.entry(dismissal), world.entry(Transaction::Transfer(now))];
    let late = world.entry(Transaction::Transfer(later));
    let time = world.time();
    assert_eq!(world.block(entries, time), []);
    assert_eq!(world.try_entry(late, time), Some(Refusal::AssertionInvalid));
    // Nor does the dismissed one admit attestors.
    let tx = world.admit("another", &key(40), 3);
    assert_eq!(world.refusal(tx), Some(Refusal::NoMajority));
}

#[test]
fn a_header_names_who_sits_behind_it_and_the_next_epoch_is_theirs() {
    let mut world = World::with_epochs_of(4);
    let (keys, chain) = (authority_keys(), world.chain);
    let old = Validators::new(keys.iter().map(SigningKey::public)).unwrap();
    let all: Vec<_> = keys.iter().chain([&key(5)]).map(SigningKey::public).collect();
    let new = Validators::new(all).unwrap();
    assert_eq!(world.ledger.validators(0).unwrap(), Some(old.clone()));
    assert_eq!(world.blocks()[0].block.header.validators, old.hash(&chain));
    world.accept(vec![appoint(&world, 1, &newcomer("fifth", 5), 5, &keys[..3])]);
    assert_eq!(world.blocks()[1].block.header.validators, new.hash(&chain));
    // The epoch goes on with the old ones: three of them are enough.
    assert_eq!(world.ledger.validators(1).unwrap(), None);
    world.wait(0);
    assert_eq!(world.ledger.tip().unwrap().height, 3);
    assert!(ends_epoch(3, 4));
    assert_eq!(world.ledger.validators(1).unwrap(), Some(new.clone()));
    assert_eq!(world.ledger.validators(0).unwrap(), Some(old));
    assert_eq!(world.ledger.validators(2).unwrap(), None);
    // Now three are too few, and the new one may propose.
    let run = || world.ledger.execute(Vec::new(), world.time(), TimeBound::Any).unwrap();
    let executed = run();
    let certified = common::certify(&world.ledger, executed.block(key(5).public()), &keys[..3]);
    let error = world.ledger.commit(executed, &certified).unwrap_err();
    assert_eq!(error.to_string(), NotFinal::NoQuorum.to_string());
    world.validators = [&[key(5)], &keys[..3]].concat();
    world.wait(0);
    assert_eq!(world.ledger.tip().unwrap().height, 4);
    // A replica that only applies blocks comes to the same state.
    let replica = World::with_epochs_of(4);
    for block in &world.blocks()[1..] {
        replica.ledger.apply(block).unwrap();
    }
    let digest = |world: &World| world.ledger.view().unwrap().full_digest().unwrap();
    assert_eq!(digest(&world), digest(&replica));
}

#[test]
fn the_next_epochs_validators_are_known_before_the_end_of_this_one_is_final() {
    let world = World::with_epochs_of(4);
    let keys = authority_keys();
    let appointment = appoint(&world, 1, &newcomer("fifth", 5), 5, &keys[..3]);
    let mut ancestors = Vec::new();
    // Blocks 2 and 3 end the epoch; nothing of it is committed.
    for entries in [vec![world.entry(appointment)], vec![]] {
        let proposer = keys[0].public();
        let (time, bound) = (world.time(), TimeBound::Any);
        let proposed = world.ledger.propose_on(&ancestors, entries, time, bound, proposer).unwrap();
        assert_eq!(proposed.refused, []);
        ancestors.push(Arc::new(proposed.block));
    }
    let proposed = |on: &[Arc<_>], n| {
        let (time, bound) = (world.time(), TimeBound::Any);
        let block =
            world.ledger.propose_on(on, vec![], time, bound, key(n).public()).unwrap().block;
        // Another replica judges it.
        let other = World::with_epochs_of(4);
        other.ledger.verify_on(on, &block, TimeBound::Any).unwrap()
    };
    assert_eq!(proposed(&ancestors, 5), Ok(()));
    assert_eq!(proposed(&ancestors, 77), Err(BadBlock::Proposer));
    assert_eq!(proposed(&ancestors[..1], 5), Err(BadBlock::Proposer), "still the old epoch");
    assert_eq!(world.ledger.validators(1).unwrap(), None);
}

/// A chain whose authorities 1 to 4 became 2 to 5 in epoch 0, then 2 to 6 in epoch 2, with one
/// admission of an attestor in every epoch.
fn changed_twice() -> (World, Vec<Transaction>) {
    let mut world = World::with_epochs_of(6);
    let keys = authority_keys();
    world.accept(vec![appoint(&world, 1, &newcomer("fifth", 5), 5, &keys[..3])]);
    let five = [&keys[..], &[key(5)]].concat();
    world.accept(vec![dismiss(&world, 2, 1, &five)]);
    let mut txs = Vec::new();
    for (epoch, n) in (0..4u64).zip(30u8..) {
        let approvals = |world: &World| {
            let Transaction::AdmitAttestor(tx) = world.admit(&format!("a{n}"), &key(n), 0) else {
                unreachable!()
            };
            let approvals = (2..=5).map(|n| tx.admission.approve(&world.chain, &key(n))).collect();
            let admission = tx.admission.clone();
            placet_protocol::transaction::AdmitAttestor::new(
                admission,
                approvals,
                &world.chain,
                &key(n),
            )
        };
        let tx = Transaction::AdmitAttestor(approvals(&world));
        world.accept(vec![tx.clone()]);
        txs.push(tx);
        if epoch == 2 {
            let by: Vec<_> = (2..=5).map(key).collect();
            world.accept(vec![appoint(&world, 3, &newcomer("sixth", 6), 6, &by)]);
        }
        while !ends_epoch(world.ledger.tip().unwrap().height, 6) {
            world.wait(1);
        }
        let last = if epoch >= 2 { 6 } else { 5 };
        world.validators = (2..=last).map(key).collect();
    }
    (world, txs)
}

#[test]
fn receipts_lead_from_the_genesis_over_every_change() {
    let (world, txs) = changed_twice();
    let genesis = world.ledger.genesis();
    let view = world.ledger.view().unwrap();
    for (tx, handoffs) in txs.iter().zip([0, 1, 1, 2]) {
        let id = tx.id(&world.chain);
        let receipt = view.receipt(id).unwrap().unwrap();
        assert_eq!(Receipt::from_wire(&receipt.to_wire()), Ok(receipt.clone()));
        assert_eq!(receipt.handoffs.len(), handoffs);
        let shown = receipt.check(genesis).unwrap();
        let status = view.status(id).unwrap().unwrap();
        assert_eq!((shown.transaction, shown.height), (id, status.location.height));
        assert_eq!(shown.time, status.time);
    }
    let unknown = world.admit("nobody", &key(50), 3).id(&world.chain);
    assert_eq!(view.receipt(unknown).unwrap(), None);
}

#[test]
fn altered_receipts_show_nothing() {
    let (world, txs) = changed_twice();
    let genesis = world.ledger.genesis();
    let view = world.ledger.view().unwrap();
    let receipt = view.receipt(txs[3].id(&world.chain)).unwrap().unwrap();
    let refused = |change: &dyn Fn(&mut Receipt)| {
        let mut altered = receipt.clone();
        change(&mut altered);
        altered.check(genesis).unwrap_err()
    };
    let not_final = BadReceipt::NotFinal;
    // Handoffs left out, out of order, twice, or to others.
    assert_eq!(refused(&|r| r.handoffs.clear()), not_final(NotFinal::Stranger));
    assert_eq!(refused(&|r| drop(r.handoffs.pop())), not_final(NotFinal::Stranger));
    assert_eq!(refused(&|r| r.handoffs.swap(0, 1)), not_final(NotFinal::Stranger));
    let doubled = |r: &mut Receipt| r.handoffs.push(r.handoffs[1].clone());
    assert!(matches!(refused(&doubled), BadReceipt::NotFinal(_) | BadReceipt::Handoff));
    let usurped = |r: &mut Receipt| {
        r.handoffs[1].next = Validators::new((60..64).map(|n| key(n).public())).unwrap();
    };
    assert_eq!(refused(&usurped), BadReceipt::Handoff);
    // Another transaction, another place, another header.
    assert_eq!(refused(&|r| r.entry.transaction.0[0] ^= 1), BadReceipt::NotIncluded);
    assert_eq!(refused(&|r| r.entry.proof_hash[0] ^= 1), BadReceipt::NotIncluded);
    assert_eq!(refused(&|r| r.entries += 1), BadReceipt::NotIncluded);
    assert_eq!(refused(&|r| r.path.push([0; 32])), BadReceipt::NotIncluded);
    assert_eq!(refused(&|r| r.header.body[0] ^= 1), not_final(NotFinal::Signature));
    assert_eq!(refused(&|r| r.header.height += 6), not_final(NotFinal::Epoch));
    assert_eq!(refused(&|r| r.header.height -= 6), BadReceipt::Handoff);
    let foreign = |r: &mut Receipt| drop(r.finality.certificate.signatures.drain(2..));
    assert_eq!(refused(&foreign), not_final(NotFinal::NoQuorum));
    // The same receipt on another network.
    let mut other = genesis.clone();
    other.name = "other".into();
    assert!(receipt.check(&other).is_err());
    assert!(receipt.check(genesis).is_ok());
}
