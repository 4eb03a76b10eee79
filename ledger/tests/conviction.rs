//! Conviction of wrong assertions: what can be judged again, what cannot, and that no honest
//! verdict ever convicts its author. Spec §9.

mod common;

use std::num::NonZeroU16;

use common::{BAD, World, authority_keys, key};
use placet_ledger::{Refusal, TimeBound};
use placet_protocol::Fr;
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::field::{AssetId, Commitment, NoteRoot};
use placet_protocol::genesis::{ChainId, Checkpoint};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::asset::{Officer, Pause};
use placet_protocol::transaction::{ConvictAuthority, Signed, Transaction, TransferTransaction};

/// A network with an asset, at a time well after the genesis.
fn world() -> (World, AssetId) {
    let mut world = World::memory();
    let asset = world.asset("A");
    world.wait(1000);
    (world, asset)
}

/// A verdict of the first authority on the present state.
fn verdict(
    world: &World,
    tx: &TransferTransaction,
    checkpoint: Checkpoint,
    reject: Option<Refusal>,
) -> Assertion {
    let transfer = Transaction::Transfer(tx.clone());
    let tip = world.ledger.tip().unwrap();
    Assertion {
        transaction: transfer.id(&world.chain),
        proof_hash: transfer.proof_hash(),
        checkpoint,
        verdict: reject.map_or(Verdict::Approve, |refusal| Verdict::Reject(refusal.number())),
        judged_at: tip.height,
        judged_time: tip.time,
        expires_at: tip.height + 10,
        discretionary: false,
    }
}

fn evidence(world: &World, tx: &TransferTransaction, assertion: Assertion) -> Transaction {
    signed_by(&authority_keys()[0], &world.chain, tx, assertion)
}

fn signed_by(
    key: &SigningKey,
    chain: &ChainId,
    tx: &TransferTransaction,
    assertion: Assertion,
) -> Transaction {
    let assertion = SignedAssertion::new(assertion, chain, key);
    Transaction::ConvictAuthority(ConvictAuthority { transfer: tx.clone(), assertion })
}

/// What becomes of evidence about a transfer after `change`, judged at a checkpoint as given.
fn outcome(
    change: impl FnOnce(&mut TransferTransaction),
    checkpoint: Checkpoint,
    reject: Option<Refusal>,
) -> Option<Refusal> {
    let (mut world, asset) = world();
    let mut tx = world.transfer(asset);
    change(&mut tx);
    let assertion = verdict(&world, &tx, checkpoint, reject);
    let tx = evidence(&world, &tx, assertion);
    // The next block, as the one that was judged is the tip.
    world.refusal(tx)
}

const CONVICTS: Option<Refusal> = None;
const RIGHT: Option<Refusal> = Some(Refusal::AssertionWasRight);
const OPEN: Option<Refusal> = Some(Refusal::EvidenceUndecidable);

#[test]
fn a_convicted_authority_loses_its_mandates_and_goes_on_validating() {
    let (mut world, asset) = world();
    let mut tx = world.transfer(asset);
    tx.proof.0[0] = BAD;
    let assertion = verdict(&world, &tx, Checkpoint::Identity, None);
    let again = verdict(&world, &tx, Checkpoint::Sanctions, None);
    let endorsed = world.transfer(asset);
    world.accept(vec![evidence(&world, &tx, assertion)]);
    let sitting = world.ledger.view().unwrap().authorities().unwrap();
    let author = sitting.authority(&key(1).public()).unwrap();
    assert!(author.mandates.is_empty());
    assert_eq!(sitting.authorities().len(), 4);
    assert_eq!(sitting.mandated(Checkpoint::Identity), 3);
    // Its assertions count no more, its votes still do.
    let entry = world.entry(Transaction::Transfer(endorsed));
    let time = world.time();
    assert_eq!(world.try_entry(entry, time), Some(Refusal::AssertionInvalid));
    world.wait(1);
    let tx = evidence(&world, &tx, again);
    assert_eq!(world.refusal(tx), Some(Refusal::AuthorityUnmandated));
}

#[test]
fn verdicts_on_proofs_are_judged_again() {
    let bad = |tx: &mut TransferTransaction| tx.proof.0[0] = BAD;
    let reject = Some(Refusal::ProofInvalid);
    for checkpoint in Checkpoint::ALL {
        assert_eq!(outcome(bad, checkpoint, None), CONVICTS);
        assert_eq!(outcome(bad, checkpoint, reject), RIGHT);
        assert_eq!(outcome(|_| (), checkpoint, None), RIGHT);
        assert_eq!(outcome(|_| (), checkpoint, reject), CONVICTS);
    }
    // A leaf that no honest proof leads to is a bad proof too, of the owner's checkpoint.
    let empty = |tx: &mut TransferTransaction| tx.body.receipt = Commitment::new(Fr::from(0u8));
    assert_eq!(outcome(empty, Checkpoint::Ownership, None), CONVICTS);
    assert_eq!(outcome(empty, Checkpoint::Ownership, reject), RIGHT);
}

#[test]
fn verdicts_on_time_and_expiry_are_judged_again() {
    let old = |tx: &mut TransferTransaction| tx.body.now -= 121;
    let edge = |tx: &mut TransferTransaction| tx.body.now -= 120;
    let reject = Some(Refusal::NowOutsideWindow);
    assert_eq!(outcome(old, Checkpoint::Risk, None), CONVICTS);
    assert_eq!(outcome(old, Checkpoint::Risk, reject), RIGHT);
    assert_eq!(outcome(edge, Checkpoint::Risk, None), RIGHT);
    assert_eq!(outcome(edge, Checkpoint::Risk, reject), CONVICTS);
    // The state behind block 3 was judged for block 4.
    let (world, _) = world();
    assert_eq!(world.ledger.tip().unwrap().height, 3);
    let over = |tx: &mut TransferTransaction| tx.body.expiry_height = 3;
    let last = |tx: &mut TransferTransaction| tx.body.expiry_height = 4;
    let reject = Some(Refusal::Expired);
    assert_eq!(outcome(over, Checkpoint::Capital, None), CONVICTS);
    assert_eq!(outcome(over, Checkpoint::Capital, reject), RIGHT);
    assert_eq!(outcome(last, Checkpoint::Capital, None), RIGHT);
    assert_eq!(outcome(last, Checkpoint::Capital, reject), CONVICTS);
}

#[test]
fn verdicts_on_what_a_transfer_says_twice_are_judged_again() {
    let equal = |tx: &mut TransferTransaction| tx.body.nf_delivery = tx.body.nf_position;
    let reject = Some(Refusal::NullifiersEqual);
    assert_eq!(outcome(equal, Checkpoint::Ownership, None), CONVICTS);
    assert_eq!(outcome(equal, Checkpoint::Ownership, reject), RIGHT);
    assert_eq!(outcome(|_| (), Checkpoint::Ownership, reject), CONVICTS);
    // Nobody else's business.
    assert_eq!(outcome(equal, Checkpoint::Identity, None), RIGHT);
    let doubled = |tx: &mut TransferTransaction| tx.body.cm_delivery = tx.body.cm_position;
    let reject = Some(Refusal::CommitmentExists);
    assert_eq!(outcome(doubled, Checkpoint::Ownership, None), CONVICTS);
    assert_eq!(outcome(doubled, Checkpoint::Ownership, reject), RIGHT);
    assert_eq!(outcome(|_| (), Checkpoint::Ownership, reject), CONVICTS);
}

#[test]
fn verdicts_on_nullifiers_are_judged_on_the_state_of_then() {
    let (mut world, asset) = world();
    let first = world.transfer(asset);
    let mut second = world.transfer(asset);
    second.body.nf_delivery = first.body.nf_position;
    let reject = Some(Refusal::NullifierSpent);
    let approved_before = verdict(&world, &second, Checkpoint::Ownership, None);
    let rejected_before = verdict(&world, &second, Checkpoint::Ownership, reject);
    world.accept(vec![Transaction::Transfer(first)]);
    let approved_after = verdict(&world, &second, Checkpoint::Ownership, None);
    let rejected_after = verdict(&world, &second, Checkpoint::Ownership, reject);
    let elsewhere = verdict(&world, &second, Checkpoint::Identity, None);
    world.wait(1);
    for (assertion, expected) in [
        (approved_before, RIGHT),
        (rejected_before, CONVICTS),
        (approved_after, CONVICTS),
        (rejected_after, RIGHT),
        (elsewhere, RIGHT),
    ] {
        let tx = evidence(&world, &second, assertion.clone());
        assert_eq!(world.refusal(tx), expected, "{assertion:?}");
    }
}

#[test]
fn a_commitment_that_came_later_decides_nothing() {
    let (mut world, asset) = world();
    let first = world.transfer(asset);
    let mut second = world.transfer(asset);
    second.body.receipt = first.body.receipt;
    let reject = Some(Refusal::CommitmentExists);
    let before = verdict(&world, &second, Checkpoint::Ownership, reject);
    // While the commitment is nowhere the rejection is wrong for certain.
    let tx = evidence(&world, &second, before.clone());
    assert_eq!(world.refusal(tx), CONVICTS);
    world.accept(vec![Transaction::Transfer(first)]);
    let after = verdict(&world, &second, Checkpoint::Ownership, reject);
    for assertion in [before, after] {
        let tx = evidence(&world, &second, assertion);
        assert_eq!(world.refusal(tx), OPEN);
    }
}

#[test]
fn everything_else_is_undecidable() {
    let decidable = [
        Refusal::Expired,
        Refusal::CircuitUnknown,
        Refusal::CircuitNotActive,
        Refusal::CircuitDeactivated,
        Refusal::NowOutsideWindow,
        Refusal::NullifiersEqual,
        Refusal::NullifierSpent,
        Refusal::CommitmentExists,
        Refusal::ProofInvalid,
    ];
    for refusal in Refusal::ALL {
        let expected = if decidable.contains(refusal) { CONVICTS } else { OPEN };
        assert_eq!(outcome(|_| (), Checkpoint::Ownership, Some(*refusal)), expected, "{refusal}");
    }
    // A number that this version does not know.
    let (mut world, asset) = world();
    let tx = world.transfer(asset);
    let mut assertion = verdict(&world, &tx, Checkpoint::Risk, None);
    assertion.verdict = Verdict::Reject(NonZeroU16::new(60_000).unwrap());
    let tx = evidence(&world, &tx, assertion);
    assert_eq!(world.refusal(tx), OPEN);
    // What the state of now says of roots convicts nobody who approved on the state of then.
    let invented = |tx: &mut TransferTransaction| {
        tx.body.position_root = NoteRoot::new(Fr::from(99u8));
    };
    assert_eq!(outcome(invented, Checkpoint::Ownership, None), RIGHT);
}

#[test]
fn discretionary_verdicts_and_verdicts_on_no_past_of_this_chain_convict_nobody() {
    let (mut world, asset) = world();
    let mut tx = world.transfer(asset);
    tx.proof.0[0] = BAD;
    let wrong = verdict(&world, &tx, Checkpoint::Identity, None);
    let mut own_rule = wrong.clone();
    own_rule.discretionary = true;
    let mut future = wrong.clone();
    future.judged_at += 1;
    let mut farther = wrong.clone();
    farther.judged_at = u64::MAX;
    for assertion in [own_rule, future, farther] {
        let evidence = evidence(&world, &tx, assertion);
        assert_eq!(world.refusal(evidence), OPEN);
    }
    let evidence = evidence(&world, &tx, wrong);
    assert_eq!(world.refusal(evidence), CONVICTS);
}

/// Else an authority that means to approve what it must not would give such a time.
#[test]
fn a_verdict_from_before_the_block_that_it_judges_convicts_whatever_it_says() {
    for reject in [None, Some(Refusal::ProofInvalid), Some(Refusal::AssetPaused)] {
        let (mut world, asset) = world();
        let tx = world.transfer(asset);
        let mut early = verdict(&world, &tx, Checkpoint::Identity, reject);
        early.judged_time -= 1;
        let mut own_rule = early.clone();
        own_rule.discretionary = true;
        let own_rule = evidence(&world, &tx, own_rule);
        assert_eq!(world.refusal(own_rule), OPEN);
        let early = evidence(&world, &tx, early);
        assert_eq!(world.refusal(early), CONVICTS);
    }
}

#[test]
fn evidence_names_this_transfer_these_bytes_this_network_and_a_sitting_author() {
    let (mut world, asset) = world();
    let good = world.transfer(asset);
    let right = verdict(&world, &good, Checkpoint::Identity, None);
    // Somebody pairs an honest approval with garbage, with other bytes that verify, with another
    // transfer.
    for change in [
        |tx: &mut TransferTransaction| tx.proof.0[0] = BAD,
        |tx: &mut TransferTransaction| tx.proof.0[5] ^= 1,
        |tx: &mut TransferTransaction| tx.body.now -= 500,
    ] {
        let mut other = good.clone();
        change(&mut other);
        let tx = evidence(&world, &other, right.clone());
        assert_eq!(world.refusal(tx), Some(Refusal::EvidenceMismatch));
    }
    let mut bad = good.clone();
    bad.proof.0[0] = BAD;
    let wrong = verdict(&world, &bad, Checkpoint::Identity, None);
    // Said on another network.
    let elsewhere = ChainId([9; 32]);
    let tx = signed_by(&authority_keys()[0], &elsewhere, &bad, wrong.clone());
    assert_eq!(world.refusal(tx), Some(Refusal::SignatureInvalid));
    let mut foreign = wrong.clone();
    foreign.transaction = Transaction::Transfer(bad.clone()).id(&elsewhere);
    let tx = signed_by(&authority_keys()[0], &elsewhere, &bad, foreign);
    assert_eq!(world.refusal(tx), Some(Refusal::EvidenceMismatch));
    // Signed by a stranger, and by a stranger in a sitting one's name.
    let tx = signed_by(&key(77), &world.chain, &bad, wrong.clone());
    assert_eq!(world.refusal(tx), Some(Refusal::UnknownAuthority));
    let mut forged = SignedAssertion::new(wrong, &world.chain, &key(77));
    forged.authority = key(1).public();
    let tx = Transaction::ConvictAuthority(ConvictAuthority { transfer: bad, assertion: forged });
    assert_eq!(world.refusal(tx), Some(Refusal::SignatureInvalid));
}

/// A sequence of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A transfer that breaks a random choice of rules, or none.
fn random_transfer(
    world: &mut World,
    dice: &mut Dice,
    asset: AssetId,
    seen: &[TransferTransaction],
) -> TransferTransaction {
    let mut tx = world.transfer(asset);
    let height = world.ledger.tip().unwrap().height;
    let old = |dice: &mut Dice| seen.get(dice.roll(seen.len().max(1) as u64) as usize);
    for _ in 0..dice.roll(3) {
        let body = &mut tx.body;
        match dice.roll(12) {
            0 => tx.proof.0[0] = BAD,
            1 => body.now = body.now.saturating_sub(dice.roll(300)),
            2 => body.now += dice.roll(300),
            3 => body.expiry_height = (height + dice.roll(3)).saturating_sub(1),
            4 => body.nf_delivery = body.nf_position,
            5 => body.receipt = body.cm_delivery,
            6 => body.position_root = NoteRoot::new(Fr::from(5u8)),
            7 => body.asset = AssetId::new(Fr::from(dice.roll(3))),
            8 => body.receipt = Commitment::new(Fr::from(0u8)),
            9 => body.nf_position = old(dice).map_or(body.nf_position, |tx| tx.body.nf_position),
            10 => body.nf_delivery = old(dice).map_or(body.nf_delivery, |tx| tx.body.nf_position),
            _ => body.cm_position = old(dice).map_or(body.cm_position, |tx| tx.body.cm_position),
        }
    }
    tx
}

/// Judges random transfers on random states as an honest authority does, lets the state move on,
/// and holds every verdict against its author.
#[test]
fn no_honest_verdict_convicts_and_many_lies_do() {
    let (mut honest, mut liars, mut rejections) = (0, 0, 0);
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let (mut world, asset) = world();
        let mut sequence = 0;
        let mut seen = Vec::new();
        let mut said: Vec<(TransferTransaction, Assertion)> = Vec::new();
        for _ in 0..10 {
            let mut block = Vec::new();
            for _ in 0..4 {
                let tx = random_transfer(&mut world, &mut dice, asset, &seen);
                let time = world.time() + dice.roll(130);
                let judgement = world.ledger.judge(&tx, time, TimeBound::Any).unwrap();
                for (checkpoint, found) in judgement.verdicts {
                    let mut assertion = verdict(&world, &tx, checkpoint, found);
                    assertion.judged_at = judgement.height;
                    assertion.judged_time = judgement.time;
                    said.push((tx.clone(), assertion));
                }
                seen.push(tx.clone());
                block.push(world.entry(Transaction::Transfer(tx)));
            }
            if sequence % 2 == 1 || dice.roll(6) == 0 {
                sequence += 1;
                let message =
                    Pause { asset, sequence, paused: sequence % 2 == 1, by: Officer::Issuer };
                let pause = Signed::new(message, &world.chain, &common::issuer());
                block.push(world.entry(Transaction::PauseAsset(pause)));
            }
            let time = world.time() + dice.roll(90);
            world.block(block, time);
        }
        for (tx, assertion) in said {
            let refusal = {
                let tx = evidence(&world, &tx, assertion.clone());
                world.refusal(tx)
            };
            assert!(matches!(refusal, RIGHT | OPEN), "seed {seed}: {refusal:?}, {assertion:?}");
            honest += 1;
            rejections += usize::from(assertion.verdict != Verdict::Approve);
            // The opposite of what was found; most such lies can be shown.
            let mut lie = assertion.clone();
            lie.verdict = match assertion.verdict {
                Verdict::Approve => Verdict::Reject(Refusal::ProofInvalid.number()),
                Verdict::Reject(_) => Verdict::Approve,
            };
            let tx = evidence(&world, &tx, lie);
            liars += usize::from(world.refusal(tx) == CONVICTS);
        }
    }
    // The test has met every kind of verdict in numbers.
    assert!(rejections * 4 > honest && rejections * 4 < honest * 3, "{rejections} of {honest}");
    assert!(liars * 3 > honest, "{liars} of {honest}");
}
