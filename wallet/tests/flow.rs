//! Stories of holders, agent, issuer and attestor over a network in memory.

mod common;

use std::num::NonZeroU64;

use common::{HOME, START, World, document, memory, quiet, random, seed};
use placet_protocol::credential::{Categories, Jurisdiction};
use placet_protocol::possession::Possession;
use placet_protocol::sealed::Claims;
use placet_protocol::signing::SigningKey;
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{Signed, Transaction};
use placet_protocol::transfer::Violation;
use placet_wallet::account::SentState;
use placet_wallet::agent::AgentError;
use placet_wallet::client::{OpenError, SyncError};
use placet_wallet::holder::{
    Holder, ImportError, LockConsent, Payment, PlanError, ReceivedState, Request, SendError,
};
use placet_wallet::network::Network;
use placet_wallet::view::ViewError;

fn payment(world: &World, to: usize, amount: u64) -> Payment {
    Payment {
        to: world.address(to),
        amount: NonZeroU64::new(amount).unwrap(),
        deadline: world.network.time.get() + 1_000,
    }
}

fn accept_newest(world: &mut World, i: usize, lock: LockConsent) -> Result<(), PlanError> {
    let cm = world.holders[i].received().last().expect("something was delivered").cm;
    let request = Request::accept(world.asset, cm, lock);
    world.act(i, &request)
}

fn violation(result: Result<(), PlanError>) -> Violation {
    match result {
        Err(PlanError::Violated(violation)) => violation,
        other => panic!("expected a violated clause, got {other:?}"),
    }
}

/// Mints 100 to holder 0, who accepts.
fn funded(holders: usize) -> World {
    let mut world = World::new(holders);
    world.mint(0, 100, 0);
    accept_newest(&mut world, 0, LockConsent::Ask).unwrap();
    world
}

#[test]
fn a_security_travels_from_issuer_to_holder_to_holder_and_back() {
    let mut world = funded(2);
    let asset = world.asset;
    assert_eq!(world.holders[0].account(asset).unwrap().holding.balance, 100);

    world.act(0, &Request::send(asset, payment(&world, 1, 40))).unwrap();
    let sender = world.holders[0].account(asset).unwrap().holding;
    assert_eq!((sender.balance, sender.in_flight), (60, 40));
    accept_newest(&mut world, 1, LockConsent::Ask).unwrap();
    assert_eq!(world.holders[1].account(asset).unwrap().holding.balance, 40);
    let sent = &world.holders[0].account(asset).unwrap().sent[0];
    assert!(matches!(sent.state, SentState::Accepted { .. }));

    // Settlement is automatic: it rides in the incoming slot of the next transaction.
    world.act(0, &Request::send(asset, payment(&world, 1, 10))).unwrap();
    let sender = world.holders[0].account(asset).unwrap();
    assert_eq!((sender.holding.balance, sender.holding.in_flight), (50, 10));
    assert_eq!(sender.sent[0].state, SentState::Settled);

    // Nobody accepts the second one; after the deadline it comes back.
    let second = sender.sent[1].cm;
    let early = world.act(0, &Request::refund(asset, second));
    assert_eq!(violation(early), Violation::DeliveryAuthorised);
    world.network.advance(2_000);
    world.sync();
    world.act(0, &Request::refund(asset, second)).unwrap();
    let sender = world.holders[0].account(asset).unwrap();
    assert_eq!((sender.holding.balance, sender.holding.in_flight), (60, 0));
    assert_eq!(world.holders[1].received()[1].state, ReceivedState::Withdrawn);

    // Redemption, countersigned by the agent.
    world.act(1, &Request::redeem(asset, NonZeroU64::new(15).unwrap())).unwrap();
    let register = world.agent.register(asset).unwrap();
    assert_eq!(register.asset.supply, 85);
    assert_eq!(register.asset.holders, 2);
    assert!(register.exact);
    let line =
        register.entries.iter().find(|entry| entry.holder == world.address(1).holder()).unwrap();
    assert_eq!(line.holding.balance, 25);
    assert_eq!(line.subject, document(1).subject());
}

#[test]
fn settlement_alone_leaves_nothing_in_flight() {
    let mut world = funded(2);
    let asset = world.asset;
    world.act(0, &Request::send(asset, payment(&world, 1, 100))).unwrap();
    assert!(matches!(world.act(0, &Request::settle(asset)), Err(PlanError::Nothing)));
    accept_newest(&mut world, 1, LockConsent::Ask).unwrap();
    world.act(0, &Request::settle(asset)).unwrap();
    assert_eq!(world.holders[0].account(asset).unwrap().holding.held(), 0);
    let register = world.agent.register(asset).unwrap();
    assert!(register.exact);
    assert_eq!(register.asset.holders, 1);
}

#[test]
fn a_missing_expired_or_revoked_identity_is_named() {
    let mut world = World::bare(1);
    world.sync();
    world.mint(0, 10, 0);
    let missing = accept_newest(&mut world, 0, LockConsent::Ask);
    assert_eq!(violation(missing), Violation::IdentityMember);

    world.identify(0, START + 500);
    world.sync();
    world.network.advance(1_000);
    world.sync();
    let expired = accept_newest(&mut world, 0, LockConsent::Ask);
    assert_eq!(violation(expired), Violation::IdentityNotExpired);

    world.identify(0, START + 1_000_000);
    world.sync();
    let index = world.attestor.issued().last().unwrap().index.unwrap();
    let revoke = world.attestor.revoke(index, false).unwrap();
    world.network.ok(revoke);
    world.sync();
    assert!(world.attestor.issued().last().unwrap().revoked);
    // The revoked one is no longer chosen: what is left is the expired one.
    let revoked = accept_newest(&mut world, 0, LockConsent::Ask);
    assert_eq!(violation(revoked), Violation::IdentityNotExpired);
    let first = world.attestor.issued()[0].index.unwrap();
    let revoke = world.attestor.revoke(first, false).unwrap();
    world.network.ok(revoke);
    world.sync();
    let revoked = accept_newest(&mut world, 0, LockConsent::Ask);
    assert_eq!(violation(revoked), Violation::IdentityMember);
}

#[test]
fn rules_of_the_policy_are_named() {
    let mut world = funded(2);
    let asset = world.asset;
    let home = Jurisdiction::new(HOME).unwrap();
    world.act(0, &Request::send(asset, payment(&world, 1, 50))).unwrap();

    world.update_policy(|policy| policy.rules.get_mut(&home).unwrap().any_of = Categories(4));
    let result = accept_newest(&mut world, 1, LockConsent::Ask);
    assert_eq!(violation(result), Violation::InvestorMember);
    world.accredit(1, 1, 4_000);
    world.sync();
    let result = accept_newest(&mut world, 1, LockConsent::Ask);
    assert_eq!(violation(result), Violation::InvestorEligible);
    world.accredit(1, 4, 4_000);
    world.sync();

    world.update_policy(|policy| {
        policy.capital_rule = true;
        policy.currency = "EUR".parse().ok();
    });
    let result = accept_newest(&mut world, 1, LockConsent::Ask);
    assert_eq!(violation(result), Violation::CapitalSufficient);
    world.accredit(1, 4, 50 * 100 * 10);
    world.sync();

    world.update_policy(|policy| policy.rules.get_mut(&home).unwrap().max_holding = 49);
    let result = accept_newest(&mut world, 1, LockConsent::Ask);
    assert_eq!(violation(result), Violation::HoldingWithinLimit);

    world.update_policy(|policy| policy.rules.clear());
    let result = accept_newest(&mut world, 1, LockConsent::Ask);
    assert_eq!(violation(result), Violation::JurisdictionAllowed);

    let permissive = common::permissive(&world.attestor);
    world.update_policy(|policy| {
        *policy = permissive;
        policy.max_holders = Some(1);
    });
    let result = accept_newest(&mut world, 1, LockConsent::Ask);
    assert!(matches!(result, Err(PlanError::TooManyHolders)));
    world.update_policy(|policy| policy.max_holders = Some(2));
    accept_newest(&mut world, 1, LockConsent::Ask).unwrap();
}

#[test]
fn sanctioned_documents_and_overdrafts_are_named() {
    let mut world = funded(2);
    let asset = world.asset;
    let much = world.act(0, &Request::send(asset, payment(&world, 1, 101)));
    assert_eq!(violation(much), Violation::ValueConserved);
    let mut late = payment(&world, 1, 1);
    late.deadline = world.network.time.get() + (1 << 23);
    let result = world.act(0, &Request::send(asset, late));
    assert_eq!(violation(result), Violation::DeadlineBounded);

    let list = Sanctions::new(2, false, vec![document(0).subject().unwrap()]).unwrap();
    let publisher = SigningKey::from_seed(&[9; 32]);
    let signed = Signed::new(list, world.holders[0].chain(), &publisher);
    world.network.ok(Transaction::PublishSanctions(signed));
    world.sync();
    let result = world.act(0, &Request::send(asset, payment(&world, 1, 1)));
    assert_eq!(violation(result), Violation::NotSanctioned);
}

#[test]
fn locks_hold_and_longer_ones_need_consent() {
    let mut world = funded(1);
    let asset = world.asset;
    let unlock_at = world.network.time.get() + 10_000;
    world.mint(0, 50, unlock_at);
    // Nothing was locked before: no question.
    accept_newest(&mut world, 0, LockConsent::Ask).unwrap();
    let holding = world.holders[0].account(asset).unwrap().holding;
    assert_eq!((holding.balance, holding.locked, holding.unlock_at), (150, 50, unlock_at));
    let locked = world.act(0, &Request::send(asset, payment(&world, 0, 101)));
    assert_eq!(violation(locked), Violation::LockRespected);

    world.mint(0, 5, unlock_at + 1);
    match accept_newest(&mut world, 0, LockConsent::Ask) {
        Err(PlanError::NeedsConfirmation(extension)) => {
            assert_eq!((extension.from, extension.to), (unlock_at, unlock_at + 1));
            assert_eq!(extension.locked, 50);
        }
        other => panic!("expected a question, got {other:?}"),
    }
    accept_newest(&mut world, 0, LockConsent::Given).unwrap();
    assert_eq!(world.holders[0].account(asset).unwrap().holding.locked, 55);
    world.network.advance(20_000);
    world.sync();
    world.act(0, &Request::send(asset, payment(&world, 0, 155))).unwrap();
}

#[test]
fn freezes_pauses_and_releases_bind() {
    let mut world = funded(2);
    let asset = world.asset;
    let holder = world.address(0).holder();
    world.network.ok(world.agent.freeze(asset, holder, 3).unwrap());
    world.sync();
    let send = Request::send(asset, payment(&world, 1, 10));
    assert!(matches!(world.act(0, &send), Err(PlanError::Frozen)));
    world.network.ok(world.agent.release(asset, holder).unwrap());
    world.sync();
    assert!(matches!(world.agent.release(asset, holder), Err(AgentError::NotFrozen)));

    world.network.ok(world.issuer.pause(asset, true).unwrap());
    world.sync();
    assert!(matches!(world.act(0, &send), Err(PlanError::Paused)));
    world.network.ok(world.agent.pause(asset, false).unwrap());
    world.sync();
    world.act(0, &send).unwrap();

    let delivery = world.holders[1].received()[0].cm;
    world.network.ok(world.agent.freeze_delivery(asset, delivery).unwrap());
    world.sync();
    let accept = Request::accept(asset, delivery, LockConsent::Ask);
    assert!(matches!(world.act(1, &accept), Err(PlanError::Frozen)));
    world.network.ok(world.agent.release_delivery(asset, delivery).unwrap());
    world.sync();
    world.act(1, &accept).unwrap();
}

#[test]
fn a_lost_answer_loses_nothing_and_a_refusal_clears_the_journal() {
    let mut world = funded(2);
    let asset = world.asset;
    let plan = world.holders[0].plan(&Request::send(asset, payment(&world, 1, 10))).unwrap();
    let chain = *world.holders[0].chain();
    let prepared = plan.prepare(&chain, &random()).unwrap();
    let transaction = prepared.with_proof(ProofBytes([0; PROOF_BYTES]));

    // Killed before sending: the journal has it, and no second transaction is planned over it.
    world.holders[0].journal(&transaction).unwrap();
    let again = world.holders[0].plan(&Request::send(asset, payment(&world, 1, 5)));
    assert!(matches!(again, Err(PlanError::Pending)));
    // Sent, executed, but the answer is lost: it stays until the chain shows it.
    world.network.lose_answer.set(true);
    let results = world.holders[0].resubmit(&world.network).unwrap();
    assert!(matches!(results[..], [Err(SendError::Unknown(_))]));
    assert_eq!(world.holders[0].pending().len(), 1);
    world.sync();
    assert!(world.holders[0].pending().is_empty());
    assert_eq!(world.holders[0].account(asset).unwrap().holding.balance, 90);

    // Replayed: refused, and taken out of the journal again.
    let replay = world.holders[0].submit(&world.network, transaction);
    assert!(matches!(replay, Err(SendError::Rejected(_))));
    assert!(world.holders[0].pending().is_empty());
}

#[test]
fn what_never_reached_the_chain_expires_from_the_journal() {
    let mut world = funded(2);
    let asset = world.asset;
    let plan = world.holders[0].plan(&Request::send(asset, payment(&world, 1, 10))).unwrap();
    let chain = *world.holders[0].chain();
    let transaction =
        plan.prepare(&chain, &random()).unwrap().with_proof(ProofBytes([0; PROOF_BYTES]));
    world.holders[0].journal(&transaction).unwrap();
    let window = world.network.genesis.params.root_window;
    world.network.advance(window);
    world.sync();
    assert_eq!(world.holders[0].pending().len(), 1, "it can still be executed");
    world.network.advance(1);
    world.sync();
    assert!(world.holders[0].pending().is_empty());
    world.act(0, &Request::send(asset, payment(&world, 1, 10))).unwrap();
}

#[test]
fn two_attempts_from_one_position_share_nothing_but_its_nullifier() {
    let world = funded(3);
    let attempt = |to| {
        let draft = world.holders[0].plan(&Request::send(world.asset, payment(&world, to, 10)));
        let draft = draft.unwrap();
        let key = draft.witness.evaluate(draft.context.now, 0).made_key;
        (draft.public, key)
    };
    let ((one, one_key), (two, two_key)) = (attempt(1), attempt(2));
    assert_eq!(one.nf_position, two.nf_position);
    assert!(one_key != two_key);
    assert_ne!(one.nf_delivery, two.nf_delivery);
    assert_ne!(one.receipt, two.receipt);
    assert_ne!(one.cm_delivery, two.cm_delivery);
    for (a, b) in one.disclosure.iter().zip(&two.disclosure) {
        assert_ne!(a, b);
    }
}

#[test]
fn an_agent_signs_only_what_opens() {
    let world = World::new(1);
    let amount = NonZeroU64::new(5).unwrap();
    let allot = |to| world.issuer.allot(world.asset, &to, amount, 0, &random()).unwrap();
    let honest = allot(world.address(0));
    let other = allot(seed(99).address());
    let mut mixed = honest.clone();
    mixed.for_agent = other.for_agent;
    assert!(matches!(world.agent.countersign_mint(&mixed), Err(AgentError::BadOpening)));
    world.agent.countersign_mint(&honest).unwrap();
}

#[test]
fn an_agent_follows_a_holder_who_moved_before_it_was_known() {
    let mut world = funded(2);
    let asset = world.asset;
    // Holder 1 makes an empty transfer from its genesis position: nobody knows it yet.
    let mut empty = Request::settle(asset);
    empty.payment = None;
    let draft = world.holders[1].draft(&empty).unwrap();
    draft.check().unwrap();
    let chain = *world.holders[1].chain();
    let transaction =
        draft.prepare(&chain, &random()).unwrap().with_proof(ProofBytes([0; PROOF_BYTES]));
    world.holders[1].submit(&world.network, transaction).unwrap();
    world.sync();
    assert!(world.agent.account(asset, world.address(1).holder()).is_none());

    world.act(0, &Request::send(asset, payment(&world, 1, 30))).unwrap();
    accept_newest(&mut world, 1, LockConsent::Ask).unwrap();
    let register = world.agent.register(asset).unwrap();
    assert!(register.exact);
    let account = world.agent.account(asset, world.address(1).holder()).unwrap();
    assert_eq!(account.holding.balance, 30);
}

#[test]
fn credentials_travel_as_files_too() {
    let mut world = World::new(2);
    let theirs = world.attestor.issued()[1].credential.clone();
    assert!(matches!(theirs.claims, Claims::Identity(_)));
    let refused = world.holders[0].import(theirs);
    assert!(matches!(refused, Err(ImportError::NotYours)));
    let own = world.attestor.issued()[0].credential.clone();
    assert!(matches!(world.holders[0].import(own.clone()), Err(ImportError::Known)));
    // A wallet of the same key that has not synced yet finds its place later.
    let genesis = world.network.genesis.clone();
    let mut late = Holder::with_database(memory(), &genesis, &seed(1)).unwrap();
    late.import(own).unwrap();
    assert_eq!(late.credentials()[0].index, None);
    late.sync(&world.network, &mut quiet).unwrap();
    assert_eq!(late.credentials(), world.holders[0].credentials());
}

#[test]
fn an_attestor_hears_the_holder_of_a_key() {
    let world = World::new(1);
    let challenge = [42; 32];
    let chain = world.network.genesis.chain_id();
    let id = world.attestor.id();
    let answer: Possession = seed(1).answer(&chain, id, &challenge, &random());
    world.attestor.check_control(&world.address(0), &challenge, &answer).unwrap();
    assert!(world.attestor.check_control(&world.address(0), &[43; 32], &answer).is_err());
    let other = seed(2).answer(&chain, id, &challenge, &random());
    assert!(world.attestor.check_control(&world.address(0), &challenge, &other).is_err());
    // An answer to another attestor cannot be passed on.
    let stranger = SigningKey::from_seed(&[9; 32]).public().attestor_id();
    let passed_on = seed(1).answer(&chain, stranger, &challenge, &random());
    assert!(world.attestor.check_control(&world.address(0), &challenge, &passed_on).is_err());
}

#[test]
fn wallets_survive_being_closed_and_refuse_other_networks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wallet");
    let mut world = funded(1);
    let genesis = world.network.genesis.clone();
    let mut wallet = Holder::open(&path, &genesis, &seed(1)).unwrap();
    wallet.sync(&world.network, &mut quiet).unwrap();
    assert!(matches!(Holder::open(&path, &genesis, &seed(1)), Err(OpenError::InUse)));
    drop(wallet);
    world.network.advance(1);
    let mut wallet = Holder::open(&path, &genesis, &seed(1)).unwrap();
    assert_eq!(wallet.account(world.asset).unwrap().holding.balance, 100);
    let tip = wallet.sync(&world.network, &mut quiet).unwrap();
    assert_eq!(tip.height, world.network.status().unwrap().height);
    drop(wallet);

    // Another key does not open its records, another network does not continue it.
    assert!(matches!(Holder::open(&path, &genesis, &seed(2)), Err(OpenError::Role(_))));
    let mut other = genesis.clone();
    other.name = "other".into();
    assert!(matches!(Holder::open(&path, &other, &seed(1)), Err(OpenError::WrongNetwork)));
    world.network.genesis = other;
    let mut wallet = Holder::open(&path, &genesis, &seed(1)).unwrap();
    let refused = wallet.sync(&world.network, &mut quiet);
    assert!(matches!(refused, Err(SyncError::WrongNetwork)));
}

#[test]
fn a_node_cannot_feed_a_wallet_blocks_of_its_own_making() {
    let mut world = funded(1);
    let network = &world.network;
    let refuse = |world: &mut Holder, network: &common::FakeNetwork| {
        let error = world.sync(network, &mut quiet).unwrap_err();
        network.blocks.borrow_mut().pop();
        let SyncError::View(error) = error else { panic!("unexpected {error}") };
        error
    };
    let wallet = &mut world.holders[0];
    let before = wallet.anchor().unwrap();

    let block = network.certify(network.next_block(Vec::new()), 2);
    network.blocks.borrow_mut().push(block);
    assert!(matches!(refuse(wallet, network), ViewError::NotFinal { .. }));

    let mut block = network.certify(network.next_block(Vec::new()), 3);
    block.block.entries = network.blocks.borrow()[0].block.entries.clone();
    network.blocks.borrow_mut().push(block);
    assert!(matches!(refuse(wallet, network), ViewError::Altered(_)));

    let mut block = network.next_block(Vec::new());
    block.header.parent.0[0] ^= 1;
    let block = network.certify(block, 4);
    network.blocks.borrow_mut().push(block);
    assert!(matches!(refuse(wallet, network), ViewError::NotNext(_)));

    // A credential twice: contradicts the registry.
    let twice = network
        .blocks
        .borrow()
        .iter()
        .flat_map(|block| block.block.entries.clone())
        .find(|entry| matches!(entry.transaction, Transaction::IssueCredential(_)))
        .unwrap();
    network.append(vec![twice.transaction]);
    assert!(matches!(refuse(wallet, network), ViewError::Contradiction(_)));

    assert_eq!(wallet.anchor().unwrap(), before);
    network.advance(1);
    wallet.sync(network, &mut quiet).unwrap();
}
