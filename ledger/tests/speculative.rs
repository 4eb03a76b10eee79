//! Blocks proposed and judged on top of others that are not final yet. Spec §11.

mod common;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use common::{BAD, START, World, authority_keys, certify, genesis, issuer, key};
use placet_ledger::{
    Backend, BadBlock, BadTime, ExecuteError, Ledger, ProofCheck, ProofItem, Proposed, Refusal,
    TimeBound, Undecided,
};
use placet_protocol::block::{
    Block, BlockId, CertifiedBlock, Entry, MAX_BLOCK_TRANSFERS, body_hash,
};
use placet_protocol::field::AssetId;
use placet_protocol::genesis::NetworkKind;
use placet_protocol::transaction::asset::{Officer, Pause};
use placet_protocol::transaction::{Signed, Transaction};
use placet_protocol::wire::{DecodeError, Wire};

fn world() -> (World, AssetId) {
    let mut world = World::memory();
    let asset = world.asset("A");
    (world, asset)
}

fn propose(world: &World, on: &[Arc<Block>], entries: Vec<Entry>) -> Proposed {
    let proposer = authority_keys()[0].public();
    let time = on.last().map_or(world.time(), |block| block.header.time);
    world.ledger.propose_on(on, entries, time, TimeBound::Any, proposer).unwrap()
}

fn verdict(world: &World, on: &[Arc<Block>], block: &Block) -> Result<(), BadBlock> {
    world.ledger.verify_on(on, block, TimeBound::Any).unwrap()
}

/// A transfer with assertions that are good for some blocks to come.
fn endorsed(world: &mut World, asset: AssetId) -> Entry {
    let transfer = world.transfer(asset);
    world.entry(Transaction::Transfer(transfer))
}

/// Three blocks on the tip with two transfers each.
fn chain_of_three(world: &mut World, asset: AssetId) -> Vec<Arc<Block>> {
    let mut blocks = Vec::new();
    for _ in 0..3 {
        let entries = vec![endorsed(world, asset), endorsed(world, asset)];
        let proposed = propose(world, &blocks, entries);
        assert_eq!((proposed.block.entries.len(), proposed.refused.len()), (2, 0));
        blocks.push(Arc::new(proposed.block));
    }
    blocks
}

#[test]
fn blocks_are_built_and_judged_on_ancestors_that_are_not_final() {
    let (mut world, asset) = world();
    // A second replica, which has never seen any of this.
    let (other, _) = self::world();
    let (tip, digest) = {
        let view = world.ledger.view().unwrap();
        (view.tip().unwrap(), view.full_digest().unwrap())
    };
    let blocks = chain_of_three(&mut world, asset);
    for replica in [&world, &other] {
        for (n, block) in blocks.iter().enumerate() {
            assert_eq!(block.header.height, tip.height + 1 + n as u64);
            assert_eq!(verdict(replica, &blocks[..n], block), Ok(()));
            assert_eq!(verdict(replica, &blocks[..n], block), Ok(()), "the same again");
        }
        // Nothing of this was written.
        let view = replica.ledger.view().unwrap();
        assert_eq!((view.tip().unwrap(), view.full_digest().unwrap()), (tip, digest));
    }
    // Final blocks are passed over among the ancestors, and commit to what was foreseen.
    for (n, block) in blocks.iter().enumerate() {
        let certified = certify(&other.ledger, (**block).clone(), &other.validators);
        other.ledger.apply(&certified).unwrap();
        let state = other.ledger.tip().unwrap().state;
        assert_eq!(state, block.header.state);
        assert_eq!(verdict(&other, &blocks[..n], block), Ok(()), "final already");
        if let Some(next) = blocks.get(n + 1) {
            assert_eq!(verdict(&other, &blocks[..=n], next), Ok(()));
            assert_eq!(verdict(&other, &[], blocks.last().unwrap()).is_ok(), n == 1);
        }
    }
}

#[test]
fn proofs_and_signatures_of_ancestors_are_looked_at_once() {
    let (mut world, asset) = world();
    let blocks = chain_of_three(&mut world, asset);
    let (other, _) = self::world();
    for n in 0..3 {
        assert_eq!(verdict(&other, &blocks[..n], &blocks[n]), Ok(()));
        assert_eq!(other.proofs.asked.load(Ordering::Relaxed), 2 * (n + 1));
    }
    for block in &blocks {
        let certified = certify(&other.ledger, (**block).clone(), &other.validators);
        other.ledger.apply(&certified).unwrap();
    }
    assert_eq!(other.proofs.asked.load(Ordering::Relaxed), 6);
    // A replica that judged none of them looks at all that it builds on.
    let (third, _) = self::world();
    assert_eq!(verdict(&third, &blocks[..2], &blocks[2]), Ok(()));
    assert_eq!(third.proofs.asked.load(Ordering::Relaxed), 6);
}

/// The block with other entries, and a header that is right about them.
fn with_entries(world: &World, block: &Block, entries: Vec<Entry>) -> Block {
    let mut header = block.header;
    header.body = body_hash(&world.chain, &entries);
    Block { header, entries }
}

#[test]
fn every_defect_of_a_block_has_its_own_verdict() {
    let (mut world, asset) = world();
    let blocks = chain_of_three(&mut world, asset);
    let (good, on) = (&blocks[2], &blocks[..2]);
    let altered = |change: &dyn Fn(&mut Block)| {
        let mut block = (**good).clone();
        change(&mut block);
        verdict(&world, on, &block)
    };
    assert_eq!(altered(&|_| ()), Ok(()));
    assert_eq!(altered(&|b| b.header.height += 1), Err(BadBlock::NotNext));
    assert_eq!(altered(&|b| b.header.parent = BlockId([1; 32])), Err(BadBlock::NotNext));
    assert_eq!(altered(&|b| b.header.time -= 1), Err(BadBlock::BeforeParent));
    assert_eq!(altered(&|b| b.header.time = 1 << 40), Err(BadBlock::TooLate));
    assert_eq!(altered(&|b| b.header.proposer = key(77).public()), Err(BadBlock::Proposer));
    assert_eq!(altered(&|b| b.header.body[0] ^= 1), Err(BadBlock::Body));
    assert_eq!(altered(&|b| drop(b.entries.pop())), Err(BadBlock::Body));
    assert_eq!(altered(&|b| b.header.state[0] ^= 1), Err(BadBlock::State));
    assert_eq!(altered(&|b| b.header.validators[0] ^= 1), Err(BadBlock::Validators));
    let too_many = |b: &mut Block| {
        let entry = b.entries[0].clone();
        b.entries = vec![entry; placet_protocol::block::MAX_BLOCK_TRANSACTIONS + 1];
    };
    assert_eq!(altered(&too_many), Err(BadBlock::TooLarge));
    // Another time is another state.
    assert_eq!(altered(&|b| b.header.time += 1), Err(BadBlock::State));
    // An invalid proof; the same transfer twice; one that an ancestor has executed.
    let refused = |entries| verdict(&world, on, &with_entries(&world, good, entries));
    let mut garbage = good.entries.clone();
    let Transaction::Transfer(tx) = &mut garbage[1].transaction else { unreachable!() };
    tx.proof.0[0] = BAD;
    // The assertions are about the proof that was there.
    let refusal = Refusal::AssertionInvalid;
    assert_eq!(refused(garbage.clone()), Err(BadBlock::Refused { index: 1, refusal }));
    garbage[1] = world.entry(garbage[1].transaction.clone());
    assert_eq!(refused(garbage), Err(BadBlock::Proof));
    let refusal = Refusal::NullifierSpent;
    let twice = vec![good.entries[0].clone(), good.entries[0].clone()];
    assert_eq!(refused(twice), Err(BadBlock::Refused { index: 1, refusal }));
    let again = vec![on[0].entries[1].clone()];
    assert_eq!(refused(again), Err(BadBlock::Refused { index: 0, refusal }));
    // All this has changed nothing.
    assert_eq!(altered(&|_| ()), Ok(()));
}

#[test]
fn a_block_holds_a_bounded_number_of_transfers() {
    let (mut world, asset) = world();
    let parent = propose(&world, &[], vec![]).block;
    let mut entries: Vec<_> =
        (0..MAX_BLOCK_TRANSFERS).map(|_| endorsed(&mut world, asset)).collect();
    // Other transactions do not count.
    let sanctions = world.sanctions(1, false);
    entries.push(world.entry(sanctions));
    let full = propose(&world, &[], entries.clone()).block;
    assert_eq!(full.entries.len(), MAX_BLOCK_TRANSFERS + 1);
    assert_eq!(verdict(&world, &[], &full), Ok(()));
    assert_eq!(Block::from_wire(&full.to_wire()).as_ref(), Ok(&full));
    entries.push(endorsed(&mut world, asset));
    let over = with_entries(&world, &parent, entries.clone());
    assert_eq!(verdict(&world, &[], &over), Err(BadBlock::TooLarge));
    assert_eq!(Block::from_wire(&over.to_wire()), Err(DecodeError::TooLong));
    let proposer = authority_keys()[0].public();
    let made = world.ledger.propose_on(&[], entries, START, TimeBound::Any, proposer);
    assert!(matches!(made, Err(ExecuteError::BlockTooLarge)));
}

#[test]
fn nothing_is_proven_for_a_block_that_a_cheaper_rule_refuses() {
    let (mut world, asset) = world();
    let (judge, _) = self::world();
    let model = propose(&world, &[], vec![]).block;
    let garbage = |world: &mut World| {
        let mut transfer = world.transfer(asset);
        transfer.proof.0[0] = BAD;
        transfer
    };
    let all_bad = |world: &mut World| -> Vec<Entry> {
        let txs: Vec<_> = (0..5).map(|_| Transaction::Transfer(garbage(world))).collect();
        txs.into_iter().map(|tx| world.entry(tx)).collect()
    };
    let refused =
        |entries: Vec<Entry>| verdict(&judge, &[], &with_entries(&judge, &model, entries));
    let at = |index, refusal| Err(BadBlock::Refused { index, refusal });
    // Garbage that nobody endorsed ends with the first.
    let mut entries = all_bad(&mut world);
    entries.iter_mut().for_each(|entry| entry.assertions.clear());
    assert_eq!(refused(entries), at(0, Refusal::EndorsementMissing));
    // One that is refused whatever stands before it, behind others with garbage.
    let mut lasting: Vec<(Entry, Refusal)> = Vec::new();
    let mut tx = garbage(&mut world);
    tx.body.expiry_height = 0;
    lasting.push((world.entry(Transaction::Transfer(tx)), Refusal::Expired));
    let mut tx = garbage(&mut world);
    tx.body.nf_position = tx.body.nf_delivery;
    lasting.push((world.entry(Transaction::Transfer(tx)), Refusal::NullifiersEqual));
    let mut entry = all_bad(&mut world).remove(0);
    entry.assertions[1] = entry.assertions[0].clone();
    lasting.push((entry, Refusal::AssertionInvalid));
    let mut entry = all_bad(&mut world).remove(0);
    entry.assertions[1].signature = entry.assertions[0].signature;
    lasting.push((entry, Refusal::AssertionInvalid));
    let sanctions = world.sanctions(1, false);
    let mut entry = world.entry(sanctions);
    entry.assertions = all_bad(&mut world).remove(0).assertions;
    lasting.push((entry, Refusal::AssertionInvalid));
    for (last, refusal) in lasting {
        let mut entries = all_bad(&mut world);
        entries.push(last);
        assert_eq!(refused(entries), at(5, refusal));
    }
    assert_eq!(judge.proofs.asked.load(Ordering::Relaxed), 0);
    // Where only the proofs are bad, they are verified once.
    assert_eq!(refused(all_bad(&mut world)), Err(BadBlock::Proof));
    assert_eq!(judge.proofs.asked.load(Ordering::Relaxed), 5);
}

#[test]
fn a_transfer_that_an_earlier_transaction_sets_right_is_good() {
    let (mut world, asset) = world();
    let pause = |world: &World, sequence, paused| {
        let message = Pause { asset, sequence, paused, by: Officer::Issuer };
        Transaction::PauseAsset(Signed::new(message, &world.chain, &issuer()))
    };
    let stop = pause(&world, 1, true);
    world.accept(vec![stop]);
    let resume = world.entry(pause(&world, 2, false));
    let transfer = endorsed(&mut world, asset);
    let good = propose(&world, &[], vec![resume.clone(), transfer.clone()]).block;
    assert_eq!(good.entries.len(), 2);
    let (other, _) = self::world();
    let last = world.blocks().pop().unwrap();
    other.ledger.apply(&last).unwrap();
    assert_eq!(verdict(&other, &[], &good), Ok(()));
    let refused = |entries| verdict(&other, &[], &with_entries(&other, &good, entries));
    let expected = Err(BadBlock::Refused { index: 0, refusal: Refusal::AssetPaused });
    assert_eq!(refused(vec![transfer.clone(), resume.clone()]), expected);
    let Transaction::Transfer(mut garbage) = transfer.transaction else { unreachable!() };
    garbage.proof.0[0] = BAD;
    let garbage = world.entry(Transaction::Transfer(garbage));
    let expected = Err(BadBlock::Refused { index: 1, refusal: Refusal::ProofInvalid });
    assert_eq!(refused(vec![resume, garbage]), expected);
}

#[test]
fn ancestors_must_lead_from_the_chain_and_be_valid() {
    let (mut world, asset) = world();
    let blocks = chain_of_three(&mut world, asset);
    let good = &blocks[2];
    assert_eq!(verdict(&world, &[], good), Err(BadBlock::NotNext));
    assert_eq!(verdict(&world, &blocks[..1], good), Err(BadBlock::NotNext));
    assert_eq!(verdict(&world, &blocks[1..2], good), Err(BadBlock::Fork));
    let swapped = [blocks[1].clone(), blocks[0].clone()];
    assert_eq!(verdict(&world, &swapped, good), Err(BadBlock::Fork));
    // Entries swapped under a header that was found good.
    let mut hollow = (*blocks[1]).clone();
    hollow.entries.pop();
    let with = [blocks[0].clone(), Arc::new(hollow)];
    assert_eq!(verdict(&world, &with, good), Err(BadBlock::Ancestor));
    // A wrong ancestor with a block that continues it.
    let mut wrong = (*blocks[0]).clone();
    wrong.header.state[0] ^= 1;
    let mut child = (*blocks[1]).clone();
    child.header.parent = wrong.header.id(&world.chain);
    assert_eq!(verdict(&world, &[Arc::new(wrong.clone())], &child), Err(BadBlock::Ancestor));
    let error = world
        .ledger
        .propose_on(&[Arc::new(wrong)], vec![], START, TimeBound::Any, key(1).public())
        .unwrap_err();
    assert!(matches!(error, ExecuteError::Ancestors(BadBlock::Ancestor)));
    // Another block became final in the ancestor's place.
    let rival = propose(&world, &[], vec![]).block;
    world.ledger.apply(&certify(&world.ledger, rival, &world.validators)).unwrap();
    assert_eq!(verdict(&world, &blocks[..1], &blocks[1]), Err(BadBlock::Fork));
    assert_eq!(verdict(&world, &[], &blocks[0]), Err(BadBlock::Fork));
}

#[test]
fn a_block_ahead_of_the_clock_gets_no_verdict() {
    let (world, _) = world();
    let time = world.time();
    let bound = |latest| TimeBound::Until { latest };
    let proposer = authority_keys()[0].public();
    let ahead = world.ledger.propose_on(&[], vec![], time + 20, TimeBound::Any, proposer);
    let ahead = ahead.unwrap().block;
    let error = world.ledger.verify_on(&[], &ahead, bound(time + 19)).unwrap_err();
    assert!(matches!(error, ExecuteError::Time(BadTime::AheadOfClock)));
    assert_eq!(world.ledger.verify_on(&[], &ahead, bound(time + 20)).unwrap(), Ok(()));
    // However late the clock: a stale time is no reason to refuse.
    let late = TimeBound::Within { earliest: time + 900, latest: time + 1000 };
    assert_eq!(world.ledger.verify_on(&[], &ahead, late).unwrap(), Ok(()));
    let error = world.ledger.propose_on(&[], vec![], time, late, proposer).unwrap_err();
    assert!(matches!(error, ExecuteError::Time(BadTime::BehindClock)));
}

#[test]
fn a_proposal_leaves_out_what_is_refused() {
    let (mut world, asset) = world();
    let first = endorsed(&mut world, asset);
    let parent = Arc::new(propose(&world, &[], vec![first.clone()]).block);
    let (second, mut third) = (endorsed(&mut world, asset), endorsed(&mut world, asset));
    third.assertions.truncate(1);
    let proposed =
        propose(&world, std::slice::from_ref(&parent), vec![first, second.clone(), third]);
    assert_eq!(proposed.block.entries, [second]);
    let expected = [(0, Refusal::NullifierSpent), (2, Refusal::EndorsementMissing)];
    assert_eq!(proposed.refused, expected);
    assert_eq!(verdict(&world, &[parent], &proposed.block), Ok(()));
}

/// Finds every proof good, and commits a block while it is about it.
#[derive(Default)]
struct Meanwhile {
    ledger: OnceLock<Weak<Ledger>>,
    block: Mutex<Option<CertifiedBlock>>,
}

impl ProofCheck for Meanwhile {
    fn bad(&self, _: &[ProofItem]) -> Result<Vec<usize>, Undecided> {
        let block = self.block.lock().unwrap().take();
        if let Some(block) = block {
            let ledger = self.ledger.get().and_then(Weak::upgrade).unwrap();
            ledger.apply(&block).unwrap();
        }
        Ok(Vec::new())
    }
}

#[test]
fn a_block_that_becomes_final_while_it_is_judged_is_good() {
    let keys = authority_keys();
    let other = World::open(Backend::Memory);
    let propose = |time| {
        let made = other.ledger.propose_on(&[], vec![], time, TimeBound::Any, keys[0].public());
        made.unwrap().block
    };
    let (last, rival) = (propose(START + 1), propose(START + 2));
    for (block, expected) in [(&last, Ok(())), (&rival, Err(BadBlock::Fork))] {
        let check = Arc::new(Meanwhile::default());
        let ledger = Ledger::open(Backend::Memory, genesis(NetworkKind::Dev), check.clone());
        let ledger = Arc::new(ledger.unwrap());
        check.ledger.set(Arc::downgrade(&ledger)).unwrap();
        *check.block.lock().unwrap() = Some(certify(&ledger, last.clone(), &keys[..3]));
        assert_eq!(ledger.verify_on(&[], block, TimeBound::Any).unwrap(), expected);
        assert_eq!(ledger.tip().unwrap().height, 1);
    }
}
