//! The ledger's rules for transfers, one test per rule with its refusal, and what keeps a block
//! being built from being poisoned. Spec §11.

mod common;

use std::num::NonZeroU64;
use std::sync::atomic::Ordering;

use common::{BAD, World, agent, authority_keys, issuer, key};
use placet_ledger::{BadTime, CheckError, CommitError, ExecuteError, Ledger, Refusal, TimeBound};
use placet_protocol::Fr;
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::block::Entry;
use placet_protocol::field::{AssetId, NoteRoot, PolicyHash, RegistryRoot, SanctionsRoot};
use placet_protocol::finality::NotFinal;
use placet_protocol::genesis::{Checkpoint, NetworkKind};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::asset::{Freeze, Officer, Pause, Release};
use placet_protocol::transaction::transfer::sign_redemption;
use placet_protocol::transaction::{Redemption, Signed, Transaction, TransferTransaction};
use placet_protocol::transfer::HoldersDelta;

/// A network with an asset of which 500 units are outstanding.
fn world() -> (World, AssetId) {
    let mut world = World::memory();
    let asset = world.asset("Note 2031");
    let mint = world.mint(asset, 500);
    world.accept(vec![mint]);
    (world, asset)
}

/// What the ledger says of a good transfer after `change`.
fn changed(change: impl FnOnce(&mut TransferTransaction)) -> Option<Refusal> {
    let (mut world, asset) = world();
    let mut transfer = world.transfer(asset);
    change(&mut transfer);
    world.refusal(Transaction::Transfer(transfer))
}

#[test]
fn a_good_transfer_is_executed_and_found_again() {
    let (mut world, asset) = world();
    let transfer = world.transfer(asset);
    let tx = Transaction::Transfer(transfer.clone());
    let notes = world.ledger.view().unwrap().notes().unwrap();
    world.accept(vec![tx.clone()]);
    let view = world.ledger.view().unwrap();
    let height = view.tip().unwrap().height;
    assert_eq!(view.spent(transfer.body.nf_position).unwrap(), Some(height));
    assert_eq!(view.spent(transfer.body.nf_delivery).unwrap(), Some(height));
    for (i, leaf) in transfer.body.leaves().into_iter().enumerate() {
        assert_eq!(view.note_index(leaf).unwrap(), Some(notes + i as u64));
    }
    let status = view.status(tx.id(&world.chain)).unwrap().unwrap();
    assert_eq!((status.location.height, status.entry.assertions.len()), (height, 6));
    assert_eq!(status.entry.transaction, tx);
}

#[test]
fn form_and_expiry() {
    assert_eq!(changed(|_| ()), None);
    // A time that no encoding holds.
    assert_eq!(changed(|t| t.body.now = 1 << 40), Some(Refusal::Malformed));
    assert_eq!(changed(|t| t.body.expiry_height = 3), Some(Refusal::Expired));
    let (world, _) = world();
    for bytes in [&b""[..], b"\x01", &[0xff; 700]] {
        let error = world.ledger.check_bytes(bytes, world.time(), TimeBound::Any).unwrap_err();
        assert_eq!(error.to_string(), Refusal::Malformed.to_string());
    }
}

#[test]
fn a_transfer_may_be_executed_up_to_its_expiry_height() {
    let (mut world, asset) = world();
    let mut transfer = world.transfer(asset);
    transfer.body.expiry_height = world.ledger.tip().unwrap().height + 1;
    let tx = Transaction::Transfer(transfer);
    assert_eq!(world.refusal(tx.clone()), None);
    world.wait(0);
    assert_eq!(world.refusal(tx), Some(Refusal::Expired));
}

#[test]
fn unknown_and_paused_assets() {
    let elsewhere = AssetId::new(Fr::from(5u8));
    assert_eq!(changed(|t| t.body.asset = elsewhere), Some(Refusal::UnknownAsset));
    let (mut world, asset) = world();
    let tx = Transaction::Transfer(world.transfer(asset));
    let pause = |sequence, paused, by, key| {
        let message = Pause { asset, sequence, paused, by };
        Transaction::PauseAsset(Signed::new(message, &world.chain, key))
    };
    let (stop, go) =
        (pause(1, true, Officer::Agent, &agent()), pause(2, false, Officer::Issuer, &issuer()));
    world.accept(vec![stop]);
    assert_eq!(world.refusal(tx.clone()), Some(Refusal::AssetPaused));
    world.accept(vec![go]);
    assert_eq!(world.refusal(tx), None);
}

#[test]
fn now_lies_in_the_root_window_before_the_block() {
    let (mut world, asset) = world();
    world.wait(1000);
    let time = world.time();
    for (now, expected) in [
        (time, None),
        (time - 120, None),
        (time - 121, Some(Refusal::NowOutsideWindow)),
        (time + 1, Some(Refusal::NowOutsideWindow)),
    ] {
        let mut transfer = world.transfer(asset);
        transfer.body.now = now;
        assert_eq!(world.refusal(Transaction::Transfer(transfer)), expected, "{now}");
    }
}

#[test]
fn invented_roots_and_policies_are_refused() {
    let junk = Fr::from(99u8);
    let root = NoteRoot::new(junk);
    assert_eq!(changed(|t| t.body.position_root = root), Some(Refusal::NoteRootUnknown));
    assert_eq!(changed(|t| t.body.delivery_root = root), Some(Refusal::NoteRootUnknown));
    let root = RegistryRoot::new(junk);
    assert_eq!(changed(|t| t.body.registry_root = root), Some(Refusal::RegistryRootUnknown));
    let root = SanctionsRoot::new(junk);
    assert_eq!(changed(|t| t.body.sanctions_root = root), Some(Refusal::SanctionsRootUnknown));
    let policy = PolicyHash::new(junk);
    assert_eq!(changed(|t| t.body.policy = policy), Some(Refusal::PolicyNotInForce));
}

/// The verdict on a transfer anchored before `change` was committed, `age` seconds after it. `now`
/// follows the block so that only the anchor ages.
fn aged(world: &mut World, tx: &TransferTransaction, age: u64) -> Option<Refusal> {
    let time = world.time() + age;
    let mut tx = tx.clone();
    tx.body.now = time;
    world.refusal_at(Transaction::Transfer(tx), time)
}

#[test]
fn a_superseded_registry_root_lives_for_the_window_and_an_urgent_revocation_ends_it() {
    let (mut world, asset) = world();
    let (one, two) = (world.issue(1, None), world.issue(2, None));
    world.accept(vec![one, two]);
    let transfer = world.transfer(asset);
    world.accept(vec![world.revoke(3, 0, false)]);
    assert_eq!(aged(&mut world, &transfer, 119), None);
    assert_eq!(aged(&mut world, &transfer, 120), Some(Refusal::RegistryRootUnknown));
    world.accept(vec![world.revoke(4, 1, true)]);
    assert_eq!(aged(&mut world, &transfer, 0), Some(Refusal::RegistryRootUnknown));
}

#[test]
fn issuing_never_breaks_a_proof_in_flight() {
    let (mut world, asset) = world();
    let transfer = world.transfer(asset);
    for sequence in 1..=5 {
        let issue = world.issue(sequence, None);
        world.accept(vec![issue]);
        world.wait(20);
    }
    assert_eq!(aged(&mut world, &transfer, 0), None);
}

#[test]
fn a_superseded_sanctions_root_lives_for_the_window_and_an_urgent_list_ends_it() {
    let (mut world, asset) = world();
    let transfer = world.transfer(asset);
    let list = world.sanctions(1, false);
    world.accept(vec![list]);
    assert_eq!(aged(&mut world, &transfer, 119), None);
    assert_eq!(aged(&mut world, &transfer, 120), Some(Refusal::SanctionsRootUnknown));
    let list = world.sanctions(2, true);
    world.accept(vec![list]);
    assert_eq!(aged(&mut world, &transfer, 0), Some(Refusal::SanctionsRootUnknown));
}

#[test]
fn a_note_root_lives_for_a_day() {
    let (mut world, asset) = world();
    let transfer = world.transfer(asset);
    let mint = world.mint(asset, 1);
    world.accept(vec![mint]);
    assert_eq!(aged(&mut world, &transfer, 86_399), None);
    assert_eq!(aged(&mut world, &transfer, 86_400), Some(Refusal::NoteRootUnknown));
}

#[test]
fn tightening_twice_within_the_window_spares_proofs_in_flight_but_urgency_does_not() {
    let (mut world, asset) = world();
    let transfer = world.transfer(asset);
    world.accept(vec![world.set_policy(asset, 2, false, |p| p.max_risk = 40)]);
    world.wait(30);
    world.accept(vec![world.set_policy(asset, 3, false, |p| p.max_risk = 30)]);
    assert_eq!(aged(&mut world, &transfer, 89), None);
    assert_eq!(aged(&mut world, &transfer, 90), Some(Refusal::PolicyNotInForce));
    let second = world.transfer(asset);
    world.accept(vec![world.set_policy(asset, 4, true, |p| p.max_risk = 20)]);
    assert_eq!(aged(&mut world, &second, 0), Some(Refusal::PolicyNotInForce));
    let third = world.transfer(asset);
    assert_eq!(aged(&mut world, &third, 0), None);
}

#[test]
fn a_nullifier_is_spent_once_within_a_block_and_across_blocks() {
    let (mut world, asset) = world();
    let first = world.transfer(asset);
    let mut second = world.transfer(asset);
    second.body.nf_position = first.body.nf_position;
    let entries = [first.clone(), second.clone()].map(|t| world.entry(Transaction::Transfer(t)));
    let time = world.time();
    assert_eq!(world.block(entries.to_vec(), time), vec![(1, Refusal::NullifierSpent)]);
    assert_eq!(world.refusal(Transaction::Transfer(second.clone())), Some(Refusal::NullifierSpent));
    assert_eq!(world.refusal(Transaction::Transfer(first)), Some(Refusal::NullifierSpent));
    let mut crossed = world.transfer(asset);
    crossed.body.nf_delivery = second.body.nf_position;
    assert_eq!(world.refusal(Transaction::Transfer(crossed)), Some(Refusal::NullifierSpent));
    assert_eq!(
        changed(|t| t.body.nf_delivery = t.body.nf_position),
        Some(Refusal::NullifiersEqual)
    );
}

#[test]
fn freezing_is_per_asset_until_released() {
    let (mut world, asset) = world();
    let other = world.asset("Other");
    let transfer = world.transfer(asset);
    let frozen = transfer.body.nf_position;
    let freeze = Freeze::new(asset, 1, vec![frozen]);
    let freeze = Transaction::FreezeNullifiers(Signed::new(freeze, &world.chain, &agent()));
    world.accept(vec![freeze]);
    let tx = Transaction::Transfer(transfer);
    assert_eq!(world.refusal(tx.clone()), Some(Refusal::NullifierFrozen));
    assert_eq!(world.ledger.view().unwrap().frozen(asset).unwrap(), vec![frozen]);
    assert_eq!(world.ledger.view().unwrap().frozen(other).unwrap(), vec![]);
    let mut elsewhere = world.transfer(other);
    elsewhere.body.nf_position = frozen;
    assert_eq!(world.refusal(Transaction::Transfer(elsewhere)), None);
    let release = Release::new(asset, 2, vec![frozen]);
    let release = Transaction::ReleaseNullifiers(Signed::new(release, &world.chain, &agent()));
    world.accept(vec![release]);
    assert_eq!(world.refusal(tx), None);
}

#[test]
fn a_freeze_is_not_outrun_by_spending_the_first_of_its_list() {
    let (mut world, asset) = world();
    let (spent, next) = (world.transfer(asset), world.transfer(asset));
    let list = vec![spent.body.nf_position, next.body.nf_position];
    let freeze = |sequence, list| {
        let message = Freeze::new(asset, sequence, list);
        Transaction::FreezeNullifiers(Signed::new(message, &world.chain, &agent()))
    };
    let (first, second) = (freeze(1, list), freeze(2, vec![spent.body.nf_position]));
    world.accept(vec![Transaction::Transfer(spent)]);
    world.accept(vec![first]);
    assert_eq!(world.refusal(Transaction::Transfer(next)), Some(Refusal::NullifierFrozen));
    assert_eq!(world.refusal(second), Some(Refusal::AlreadyFrozen));
}

#[test]
fn commitments_are_new_and_distinct() {
    assert_eq!(changed(|t| t.body.receipt = t.body.cm_delivery), Some(Refusal::CommitmentExists));
    let (mut world, asset) = world();
    let first = world.transfer(asset);
    world.accept(vec![Transaction::Transfer(first.clone())]);
    let mut second = world.transfer(asset);
    second.body.cm_position = first.body.receipt;
    assert_eq!(world.refusal(Transaction::Transfer(second)), Some(Refusal::CommitmentExists));
    let zero = placet_protocol::field::Commitment::new(Fr::from(0u8));
    assert_eq!(changed(|t| t.body.receipt = zero), Some(Refusal::ProofInvalid));
}

#[test]
fn the_number_of_holders_is_checked_only_where_it_rises() {
    let (mut world, asset) = world();
    let holders =
        |world: &World| world.ledger.view().unwrap().asset(asset).unwrap().unwrap().holders;
    let moved = |world: &mut World, delta| {
        let mut transfer = world.transfer(asset);
        transfer.body.holders_delta = delta;
        Transaction::Transfer(transfer)
    };
    let leave = moved(&mut world, HoldersDelta::Minus);
    assert_eq!(world.refusal(leave), Some(Refusal::HolderCount));
    for _ in 0..2 {
        let come = moved(&mut world, HoldersDelta::Plus);
        world.accept(vec![come]);
    }
    assert_eq!(holders(&world), 2);
    let third = moved(&mut world, HoldersDelta::Plus);
    assert_eq!(world.refusal(third.clone()), Some(Refusal::TooManyHolders));
    // A lowered maximum strands nobody.
    world.accept(vec![world.set_policy(asset, 2, false, |p| p.max_holders = Some(1))]);
    let stay = moved(&mut world, HoldersDelta::Zero);
    let leave = moved(&mut world, HoldersDelta::Minus);
    world.accept(vec![stay, leave]);
    assert_eq!(holders(&world), 1);
    // One leaves and one comes in the same block: order decides.
    world.accept(vec![world.set_policy(asset, 3, false, |p| p.max_holders = Some(1))]);
    let (leave, come) =
        (moved(&mut world, HoldersDelta::Minus), moved(&mut world, HoldersDelta::Plus));
    world.accept(vec![leave, come]);
    assert_eq!(holders(&world), 1);
}

/// A transfer that redeems, signed by `by`.
fn redemption(
    world: &mut World,
    asset: AssetId,
    amount: u64,
    by: &placet_protocol::signing::SigningKey,
) -> Transaction {
    let mut transfer = world.transfer(asset);
    let amount = NonZeroU64::new(amount).unwrap();
    let signature = placet_protocol::signing::Signature([0; 64]);
    transfer.body.redemption = Some(Redemption { amount, signature });
    let binding = transfer.body.binding(&world.chain);
    let signature = sign_redemption(&binding, &world.chain, by);
    transfer.body.redemption = Some(Redemption { amount, signature });
    Transaction::Transfer(transfer)
}

#[test]
fn the_supply_turnstile_holds() {
    let (mut world, asset) = world();
    let outstanding =
        |world: &World| world.ledger.view().unwrap().asset(asset).unwrap().unwrap().outstanding();
    let tx = redemption(&mut world, asset, 501, &agent());
    assert_eq!(world.refusal(tx), Some(Refusal::SupplyExceeded));
    let tx = redemption(&mut world, asset, 200, &issuer());
    assert_eq!(world.refusal(tx), Some(Refusal::RedemptionUnsigned));
    let tx = redemption(&mut world, asset, 200, &agent());
    world.accept(vec![tx]);
    assert_eq!(outstanding(&world), 300);
    let mint = world.mint(asset, 701);
    assert_eq!(world.refusal(mint), Some(Refusal::SupplyExceeded));
    let mint = world.mint(asset, 700);
    world.accept(vec![mint]);
    assert_eq!(outstanding(&world), 1000);
    // Two redemptions in one block, together more than there is.
    let pair = [600, 500].map(|amount| redemption(&mut world, asset, amount, &agent()));
    let entries = pair.map(|tx| world.entry(tx)).to_vec();
    let time = world.time();
    assert_eq!(world.block(entries, time), vec![(1, Refusal::SupplyExceeded)]);
    assert_eq!(outstanding(&world), 400);
    // Units minted over the asset's life may exceed what is authorised at a time.
    let mint = world.mint(asset, 600);
    world.accept(vec![mint]);
    assert_eq!(outstanding(&world), 1000);
}

#[test]
fn a_redemption_signature_is_for_one_transfer() {
    let (mut world, asset) = world();
    let Transaction::Transfer(signed) = redemption(&mut world, asset, 10, &agent()) else {
        unreachable!("a redemption is a transfer")
    };
    let mut other = world.transfer(asset);
    other.body.redemption = signed.body.redemption;
    assert_eq!(world.refusal(Transaction::Transfer(other)), Some(Refusal::RedemptionUnsigned));
}

#[test]
fn endorsement_needs_enough_distinct_mandated_approvals() {
    let (mut world, asset) = world();
    let tx = Transaction::Transfer(world.transfer(asset));
    let time = world.time();
    let full = world.entry(tx.clone());
    let try_with = |world: &mut World, assertions: Vec<SignedAssertion>| {
        world.try_entry(Entry { transaction: tx.clone(), assertions }, time)
    };
    let invalid = Some(Refusal::AssertionInvalid);
    assert_eq!(try_with(&mut world, full.assertions.clone()), None);
    assert_eq!(try_with(&mut world, Vec::new()), Some(Refusal::EndorsementMissing));
    // Three must approve identity; ownership needs two.
    assert_eq!(
        try_with(&mut world, full.assertions[..4].to_vec()),
        Some(Refusal::EndorsementMissing)
    );
    assert_eq!(try_with(&mut world, full.assertions[..5].to_vec()), None);
    // The same authority twice.
    let mut doubled = full.assertions.clone();
    doubled[2] = doubled[0].clone();
    assert_eq!(try_with(&mut world, doubled), invalid);
    // Authority 3 has no mandate for ownership.
    let mut foreign = full.assertions.clone();
    foreign.push(world.approve(&tx, 3, Checkpoint::Ownership));
    assert_eq!(try_with(&mut world, foreign), invalid);
    // Altered assertions: another height, checkpoint, proof, transaction; somebody's own key.
    let keys = authority_keys();
    let good = full.assertions[0].assertion.clone();
    let forged = [
        SignedAssertion::new(Assertion { judged_at: 99, ..good.clone() }, &world.chain, &keys[0]),
        SignedAssertion::new(Assertion { expires_at: 0, ..good.clone() }, &world.chain, &keys[0]),
        SignedAssertion::new(
            Assertion { proof_hash: [0; 32], ..good.clone() },
            &world.chain,
            &keys[0],
        ),
        SignedAssertion::new(good.clone(), &world.chain, &key(99)),
        // The time that was judged is signed.
        SignedAssertion {
            assertion: Assertion { judged_time: good.judged_time + 1, ..good.clone() },
            ..full.assertions[0].clone()
        },
        SignedAssertion { signature: full.assertions[1].signature, ..full.assertions[0].clone() },
    ];
    for assertion in forged {
        let mut list = full.assertions.clone();
        list[0] = assertion;
        assert_eq!(try_with(&mut world, list), invalid);
    }
    // A rejection is recorded, and does not count.
    let verdict = Verdict::Reject(Refusal::ProofInvalid.number());
    // Nor does an approval that could not convict its author.
    for other in [Assertion { verdict, ..good.clone() }, Assertion { discretionary: true, ..good }]
    {
        let mut list = full.assertions.clone();
        list[0] = SignedAssertion::new(other, &world.chain, &keys[0]);
        assert_eq!(try_with(&mut world, list), Some(Refusal::EndorsementMissing));
    }
}

#[test]
fn an_endorsement_nobody_can_give_does_not_strand_the_asset() {
    let (mut world, asset) = world();
    let many = [(Checkpoint::Ownership, 60)].into_iter().collect();
    let rule = placet_protocol::transaction::EndorsementRule::new(many).unwrap();
    world.accept(vec![world.set_policy(asset, 2, false, |p| p.endorsement = rule)]);
    // Three authorities hold the mandate; the entry has approvals of all three.
    let tx = Transaction::Transfer(world.transfer(asset));
    assert_eq!(world.refusal(tx), None);
}

#[test]
fn a_forged_witness_is_proof_invalid_and_nothing_else() {
    assert_eq!(changed(|t| t.proof = ProofBytes([BAD; 128])), Some(Refusal::ProofInvalid));
}

#[test]
fn one_bad_proof_refuses_only_its_own_transfer() {
    let (mut world, asset) = world();
    let mut transfers: Vec<_> = (0..5).map(|_| world.transfer(asset)).collect();
    transfers[1].proof = ProofBytes([BAD; 128]);
    transfers[3].proof = ProofBytes([BAD; 128]);
    // The fifth spends what a refused one would have spent.
    transfers[4].body.nf_position = transfers[1].body.nf_position;
    let entries: Vec<_> =
        transfers.into_iter().map(|t| world.entry(Transaction::Transfer(t))).collect();
    let time = world.time();
    let refused = world.block(entries, time);
    assert_eq!(refused, vec![(1, Refusal::ProofInvalid), (3, Refusal::ProofInvalid)]);
}

#[test]
fn a_garbage_proof_neither_censors_nor_frames() {
    let (mut world, asset) = world();
    let good = world.transfer(asset);
    let garbage = TransferTransaction { proof: ProofBytes([BAD; 128]), ..good.clone() };
    let ids = [&good, &garbage].map(|t| Transaction::Transfer(t.clone()).id(&world.chain));
    assert_eq!(ids[0], ids[1]);
    let good = Transaction::Transfer(good);
    let endorsed = world.entry(good.clone());
    // Assertions over the good proof do not fit the garbage.
    let framed = Entry {
        transaction: Transaction::Transfer(garbage.clone()),
        assertions: endorsed.assertions.clone(),
    };
    let time = world.time();
    assert_eq!(world.try_entry(framed, time), Some(Refusal::AssertionInvalid));
    // The garbage first, then the good one, in one block and across blocks.
    let garbage = world.entry(Transaction::Transfer(garbage));
    assert_eq!(world.block(vec![garbage, endorsed], time), vec![(0, Refusal::ProofInvalid)]);
    assert!(world.ledger.view().unwrap().status(good.id(&world.chain)).unwrap().is_some());
}

#[test]
fn cheap_rules_come_before_the_proof() {
    let (mut world, asset) = world();
    let mut transfer = world.transfer(asset);
    transfer.body.position_root = NoteRoot::new(Fr::from(1u8));
    let asked = world.proofs.asked.load(Ordering::Relaxed);
    assert_eq!(world.refusal(Transaction::Transfer(transfer)), Some(Refusal::NoteRootUnknown));
    assert_eq!(world.proofs.asked.load(Ordering::Relaxed), asked);
}

#[test]
fn transfers_that_nobody_endorsed_cost_no_proof() {
    let (mut world, asset) = world();
    let mut entries: Vec<_> = (0..50)
        .map(|_| Transaction::Transfer(world.transfer(asset)))
        .map(|transaction| Entry { transaction, assertions: Vec::new() })
        .collect();
    // Nor do those with a forged assertion.
    let tx = Transaction::Transfer(world.transfer(asset));
    let mut forged = world.entry(tx);
    forged.assertions[5].signature = forged.assertions[4].signature;
    entries.push(forged);
    let time = world.time();
    let executed = world.ledger.execute(entries, time, TimeBound::Any).unwrap();
    let refused = executed.refused();
    assert_eq!(refused.len(), 51);
    assert!(refused[..50].iter().all(|(_, refusal)| *refusal == Refusal::EndorsementMissing));
    assert_eq!(refused[50].1, Refusal::AssertionInvalid);
    assert_eq!(world.proofs.asked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_rule_that_is_tightened_within_the_block_binds_a_vetted_transfer() {
    let (mut world, asset) = world();
    let transfer = Transaction::Transfer(world.transfer(asset));
    let mut entry = world.entry(transfer);
    entry.assertions.truncate(5);
    let three = [(Checkpoint::Ownership, 3)].into_iter().collect();
    let rule = placet_protocol::transaction::EndorsementRule::new(three).unwrap();
    let tighten = world.set_policy(asset, 2, false, |p| p.endorsement = rule);
    let time = world.time();
    assert_eq!(world.try_entry(entry.clone(), time), None);
    let tighten = world.entry(tighten);
    let refused = world.block(vec![tighten, entry], time);
    assert_eq!(refused, vec![(1, Refusal::EndorsementMissing)]);
}

#[test]
fn a_proposal_has_a_bounded_length() {
    let (world, _) = world();
    // Refused by itself, which does not matter here: a block of refusals costs time too.
    let legend = "x".repeat(100_000);
    let mut registration = world.registration("A");
    registration.metadata.legend = legend;
    let entry = Entry { transaction: world.register(registration), assertions: Vec::new() };
    let time = world.time();
    let execute = |count: usize| {
        world.ledger.execute(vec![entry.clone(); count], time, TimeBound::Any).map(drop)
    };
    execute(160).unwrap();
    assert!(matches!(execute(168), Err(ExecuteError::BlockTooLarge)));
}

#[test]
fn judging_answers_each_checkpoint_by_itself() {
    let (mut world, asset) = world();
    let mut transfer = world.transfer(asset);
    transfer.body.registry_root = RegistryRoot::new(Fr::from(1u8));
    transfer.body.position_root = NoteRoot::new(Fr::from(1u8));
    let judgement = world.ledger.judge(&transfer, world.time(), TimeBound::Any).unwrap();
    assert_eq!(judgement.height, world.ledger.tip().unwrap().height);
    assert_eq!(judgement.time, world.time());
    for (checkpoint, verdict) in judgement.verdicts {
        let expected = match checkpoint {
            Checkpoint::Identity => Some(Refusal::RegistryRootUnknown),
            Checkpoint::Ownership => Some(Refusal::NoteRootUnknown),
            _ => None,
        };
        assert_eq!(verdict, expected, "{checkpoint}");
    }
}

#[test]
fn block_time_is_monotone_and_bounded() {
    let (world, _) = world();
    let time = world.time();
    let outcome = |time, bound| match world.ledger.execute(Vec::new(), time, bound) {
        Err(ExecuteError::Time(bad)) => Some(bad),
        Ok(_) => None,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(outcome(time - 1, TimeBound::Any), Some(BadTime::BeforeParent));
    // A proposer lies in one direction or the other; the clock says `time + 50`.
    let bound = TimeBound::Within { earliest: time + 40, latest: time + 60 };
    for honest in [time + 40, time + 50, time + 60] {
        assert_eq!(outcome(honest, bound), None);
    }
    assert_eq!(outcome(time + 61, bound), Some(BadTime::AheadOfClock));
    assert_eq!(outcome(time + 39, bound), Some(BadTime::BehindClock));
    assert_eq!(outcome(time, bound), Some(BadTime::BehindClock), "time stands still");
    let end = (1 << 40) - (1 << 22);
    assert_eq!(outcome(end - 1, TimeBound::Any), None);
    assert_eq!(outcome(end, TimeBound::Any), Some(BadTime::TooLate));

    let proofs = std::sync::Arc::new(common::Scripted::default());
    let genesis = common::genesis(NetworkKind::Other);
    let ledger = Ledger::open(placet_ledger::Backend::Memory, genesis, proofs).unwrap();
    let error = ledger.execute(Vec::new(), common::START, TimeBound::Any).unwrap_err();
    assert!(matches!(error, ExecuteError::Time(BadTime::Unbounded)));
}

#[test]
fn a_transfer_is_tried_while_a_block_is_being_made() {
    let (mut world, asset) = world();
    let good = world.transfer(asset);
    let mut garbage = good.clone();
    garbage.proof.0[0] = BAD;
    let mut late = good.clone();
    late.body.expiry_height = 1;
    // This holds the store's only writer.
    let executed = world.ledger.execute(Vec::new(), world.time(), TimeBound::Any).unwrap();
    let check = |tx| {
        let tx = Transaction::Transfer(tx);
        match world.ledger.check(&tx, world.time(), TimeBound::Any) {
            Ok(()) => None,
            Err(CheckError::Refused(refusal)) => Some(refusal),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(check(good), None);
    assert_eq!(check(garbage), Some(Refusal::ProofInvalid));
    assert_eq!(check(late), Some(Refusal::Expired));
    drop(executed);
}

#[test]
fn only_the_executed_block_with_a_quorum_is_committed() {
    let (world, _) = world();
    let keys = authority_keys();
    let run = || world.ledger.execute(Vec::new(), world.time(), TimeBound::Any).unwrap();
    let certify = |block, signers: &[_]| common::certify(&world.ledger, block, signers);
    let refuses =
        |change: &dyn Fn(&mut placet_protocol::block::Block), signers: &[_], message: &str| {
            let executed = run();
            let mut block = executed.block(keys[0].public());
            change(&mut block);
            let error = world.ledger.commit(executed, &certify(block, signers)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        };
    refuses(&|_| (), &keys[..2], "too few");
    refuses(&|_| (), &[key(50), key(51), key(52)], "no validator");
    refuses(&|block| block.header.state = [0; 32], &keys, "differs");
    refuses(&|block| block.header.time += 1, &keys, "differs");
    refuses(&|block| block.header.proposer = key(50).public(), &keys, "proposer");
    let executed = run();
    let block = executed.block(keys[0].public());
    let mut certified = certify(block, &keys);
    let signatures = &mut certified.finality.certificate.signatures;
    signatures[0].signature = signatures[1].signature;
    let error = world.ledger.commit(executed, &certified).unwrap_err();
    assert!(matches!(error, CommitError::NotFinal(NotFinal::Signature)));
    // Nothing of all this was written.
    let height = world.ledger.tip().unwrap().height;
    let executed = run();
    let block = executed.block(keys[0].public());
    // The proposer need not be among the signers.
    world.ledger.commit(executed, &certify(block, &keys[1..])).unwrap();
    assert_eq!(world.ledger.tip().unwrap().height, height + 1);
}
