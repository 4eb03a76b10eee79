//! A wallet over several nodes of which some are silent, dying or lying.

mod common;

use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use common::server::{Manner, MockNode, Shared, node, remote};
use common::{World, memory, quiet, random, seed};
use placet_protocol::assertion::Verdict;
use placet_protocol::field::AssetId;
use placet_protocol::genesis::Checkpoint;
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_protocol::transaction::{Transaction, TransferTransaction};
use placet_wallet::client::SyncError;
use placet_wallet::holder::{Holder, LockConsent, Payment, Request, SendError};
use placet_wallet::network::{Network, NetworkError, SubmitError};
use placet_wallet::remote::Trouble;

/// A network with one holder who has 100 units and one who has none.
struct Stage {
    network: Shared,
    holder: Holder,
    asset: AssetId,
}

fn stage() -> (Stage, TransferTransaction) {
    let mut world = World::new(2);
    world.mint(0, 100, 0);
    let asset = world.asset;
    let delivery = world.holders[0].received().last().unwrap().cm;
    world.act(0, &Request::accept(asset, delivery, LockConsent::Ask)).unwrap();
    let payment = Payment {
        to: world.address(1),
        amount: NonZeroU64::new(10).unwrap(),
        deadline: world.network.time.get() + 1_000,
    };
    let World { network, mut holders, .. } = world;
    let holder = holders.remove(0);
    let draft = holder.plan(&Request::send(asset, payment)).unwrap();
    let prepared = draft.prepare(holder.chain(), &random()).unwrap();
    let transaction = prepared.with_proof(ProofBytes([0; PROOF_BYTES]));
    (Stage { network: Arc::new(Mutex::new(network)), holder, asset }, transaction)
}

impl Stage {
    fn nodes<const N: usize>(&self, manners: [Manner; N]) -> [MockNode; N] {
        manners.map(|manner| node(&self.network, manner))
    }
    fn height(&self) -> u64 {
        self.network.lock().unwrap().blocks.borrow().len() as u64
    }
    fn fresh(&self) -> Holder {
        let genesis = self.network.lock().unwrap().genesis.clone();
        Holder::with_database(memory(), &genesis, &seed(1)).unwrap()
    }
    fn balance(&self) -> u64 {
        self.holder.account(self.asset).unwrap().holding.balance
    }
}

#[test]
fn a_transaction_is_followed_until_its_receipt_holds() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Honest, Manner::Honest]);
    let remote = remote(&stage.network, &nodes);
    let submitted = stage.holder.submit(&remote, transaction).unwrap();
    assert_eq!(submitted.height, stage.height());
    assert_eq!(stage.holder.pending().len(), 1);
    stage.holder.sync(&remote, &mut quiet).unwrap();
    assert!(stage.holder.pending().is_empty());
    assert_eq!(stage.balance(), 90);
    // One node was enough, and what was said about it is shown as it was signed.
    assert_eq!(nodes[0].received.load(Ordering::SeqCst), 1);
    assert_eq!(nodes[1].received.load(Ordering::SeqCst), 0);
    let receipt = remote.receipt(submitted.id).unwrap().unwrap();
    assert_eq!(receipt.header.height, submitted.height);
}

#[test]
fn silent_slow_endless_and_noisy_nodes_are_passed_over() {
    for manner in [Manner::Slow, Manner::Endless, Manner::Noisy, Manner::Mortal] {
        let (mut stage, transaction) = stage();
        let nodes = stage.nodes([manner, Manner::Honest]);
        if manner == Manner::Mortal {
            nodes[0].kill();
        }
        let network = remote(&stage.network, &nodes);
        stage.holder.sync(&network, &mut quiet).unwrap();
        stage.holder.submit(&network, transaction).unwrap();
        stage.holder.sync(&network, &mut quiet).unwrap();
        assert_eq!(stage.balance(), 90, "{manner:?}");
        let alone = remote(&stage.network, &nodes[..1]);
        let refused = stage.holder.sync(&alone, &mut quiet);
        assert!(
            matches!(refused, Err(SyncError::Network(NetworkError::Unreachable))),
            "{manner:?}"
        );
        assert_eq!(alone.troubles(), [(nodes[0].url.clone(), Trouble::Silent)]);
    }
}

#[test]
fn a_node_of_another_network_is_never_listened_to() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Elsewhere, Manner::Honest]);
    let network = remote(&stage.network, &nodes);
    stage.holder.submit(&network, transaction).unwrap();
    assert_eq!(nodes[0].received.load(Ordering::SeqCst), 0);
    assert_eq!(network.troubles(), [(nodes[0].url.clone(), Trouble::OtherNetwork)]);
    let alone = remote(&stage.network, &nodes[..1]);
    let refused = stage.holder.sync(&alone, &mut quiet);
    assert!(matches!(refused, Err(SyncError::Network(NetworkError::OtherNetwork))));
}

#[test]
fn forged_certificates_cost_a_node_its_credit_and_the_wallet_nothing() {
    let (stage, _) = stage();
    let nodes = stage.nodes([Manner::Forger, Manner::Honest]);
    let network = remote(&stage.network, &nodes);
    let mut wallet = stage.fresh();
    assert_eq!(wallet.sync(&network, &mut quiet).unwrap().height, stage.height());
    assert_eq!(network.troubles(), [(nodes[0].url.clone(), Trouble::Forged)]);
    assert_eq!(wallet.anchor().unwrap(), stage.holder.anchor().unwrap());

    let mut wallet = stage.fresh();
    let alone = remote(&stage.network, &nodes[..1]);
    assert!(matches!(wallet.sync(&alone, &mut quiet), Err(SyncError::View(_))));
    assert_eq!(wallet.anchor().unwrap().height, 0);
    assert!(matches!(wallet.sync(&alone, &mut quiet), Err(SyncError::Network(_))));
}

#[test]
fn a_claim_without_a_receipt_that_holds_is_not_believed() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Boaster, Manner::Honest]);
    let alone = remote(&stage.network, &nodes[..1]);
    let refused = stage.holder.submit(&alone, transaction.clone());
    assert!(matches!(refused, Err(SendError::Unknown(NetworkError::Distrusted))));
    assert_eq!(stage.holder.pending().len(), 1);

    let network = remote(&stage.network, &nodes);
    let submitted = stage.holder.submit(&network, transaction).unwrap();
    assert_eq!(submitted.height, stage.height());
    assert_eq!(network.troubles(), [(nodes[0].url.clone(), Trouble::BadReceipt)]);
}

#[test]
fn one_node_alone_cannot_refuse() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Naysayer, Manner::Honest]);
    stage.holder.submit(&remote(&stage.network, &nodes), transaction).unwrap();
    assert_eq!(nodes[0].received.load(Ordering::SeqCst), 1);
}

#[test]
fn a_liar_cannot_refuse_while_the_honest_node_is_silent() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Naysayer, Manner::Honest]);
    let network = remote(&stage.network, &nodes);
    nodes[1].kill();
    let refused = stage.holder.submit(&network, transaction.clone());
    assert!(matches!(refused, Err(SendError::Unknown(NetworkError::Undecided))), "{refused:?}");
    // Kept, and taken up when the other is back.
    assert_eq!(stage.holder.pending().len(), 1);
    nodes[1].revive();
    let results = stage.holder.resubmit(&network).unwrap();
    assert!(matches!(results[..], [Ok(_)]), "{results:?}");
    let again = network.submit(&Transaction::Transfer(transaction)).unwrap();
    assert_eq!(again.height, stage.height());
}

#[test]
fn a_node_that_was_caught_stays_caught_whatever_it_answers_later() {
    let (stage, _) = stage();
    let nodes = stage.nodes([Manner::Forger, Manner::Honest]);
    let network = remote(&stage.network, &nodes);
    stage.fresh().sync(&network, &mut quiet).unwrap();
    let caught = [(nodes[0].url.clone(), Trouble::Forged)];
    assert_eq!(network.troubles(), caught);
    // Its status is in order, and clears it of nothing.
    assert!(network.standings().iter().all(|(_, status)| status.is_ok()));
    assert_eq!(network.troubles(), caught);
    network.advance(60).unwrap();
    assert_eq!(network.troubles(), caught);
}

#[test]
fn a_refusal_by_all_shows_what_authorities_signed_and_nothing_else() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Naysayer, Manner::Naysayer]);
    let network = remote(&stage.network, &nodes);
    let refused = stage.holder.submit(&network, transaction);
    let Err(SendError::Rejected(rejection)) = refused else { panic!("{refused:?}") };
    assert_eq!(rejection.code, "sanctions-root-stale");
    assert_eq!(rejection.message, "no[31m, never");
    let [opinion] = rejection.opinions.as_slice() else { panic!("{:?}", rejection.opinions) };
    assert_eq!(opinion.authority, "authority 1");
    assert_eq!(opinion.checkpoint, Checkpoint::Sanctions);
    assert_eq!(opinion.verdict, Verdict::Reject(1234.try_into().unwrap()));
    assert!(opinion.discretionary && opinion.rejects());
    let text = opinion.to_string();
    assert!(text.contains("authority 1 rejects at sanctions (own-rule, reason 1234)"), "{text}");
    assert!(text.contains("not today") && text.contains("a rule of its own"), "{text}");
    assert!(stage.holder.pending().is_empty());
}

#[test]
fn a_node_that_dies_after_it_was_sent_a_transaction_loses_nothing() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Mortal, Manner::Honest]);
    let submitted =
        stage.holder.submit(&remote(&stage.network, &nodes), transaction.clone()).unwrap();
    assert_eq!(submitted.id, Transaction::Transfer(transaction).id(stage.holder.chain()));
    assert_eq!(nodes[0].received.load(Ordering::SeqCst), 1);
    assert_eq!(nodes[1].received.load(Ordering::SeqCst), 1);
}

#[test]
fn a_node_that_keeps_a_transaction_to_itself_delays_it_only() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Hoarder, Manner::Honest]);
    stage.holder.submit(&remote(&stage.network, &nodes), transaction).unwrap();
}

#[test]
fn what_all_nodes_died_on_is_taken_up_again_by_the_next_start() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Mortal, Manner::Mortal]);
    let network = remote(&stage.network, &nodes);
    let refused = stage.holder.submit(&network, transaction.clone());
    assert!(matches!(refused, Err(SendError::Unknown(NetworkError::Unreachable))), "{refused:?}");
    assert_eq!(stage.holder.pending().len(), 1);

    // They come back without a memory of it; the wallet has one.
    let [node] = stage.nodes([Manner::Honest]);
    let network = remote(&stage.network, [&node]);
    let results = stage.holder.resubmit(&network).unwrap();
    assert!(matches!(results[..], [Ok(_)]), "{results:?}");
    // Again, as after a lost answer: the same transaction is found, not made twice.
    let height = stage.height();
    let again = network.submit(&Transaction::Transfer(transaction)).unwrap();
    assert_eq!((again.height, stage.height()), (height, height));
    stage.holder.sync(&network, &mut quiet).unwrap();
    assert_eq!(stage.balance(), 90);
    assert!(stage.holder.pending().is_empty());
}

#[test]
fn nobody_decides_in_time_and_the_wallet_says_so() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Hoarder]);
    let mut network = remote(&stage.network, &nodes);
    network.hurry(std::time::Duration::from_millis(300));
    let refused = stage.holder.submit(&network, transaction);
    assert!(matches!(refused, Err(SendError::Unknown(NetworkError::Undecided))), "{refused:?}");
    assert_eq!(network.opinions().len(), 1);
    assert_eq!(stage.holder.pending().len(), 1);
}

#[test]
fn a_node_cannot_keep_a_wallet_in_the_past() {
    let (stage, _) = stage();
    let nodes = stage.nodes([Manner::Behind(5), Manner::Honest]);
    let mut wallet = stage.fresh();
    let tip = wallet.sync(&remote(&stage.network, &nodes), &mut quiet).unwrap();
    assert_eq!(tip.height, stage.height());
}

#[test]
fn nodes_that_come_back_are_asked_again() {
    let (mut stage, transaction) = stage();
    let nodes = stage.nodes([Manner::Honest]);
    let network = remote(&stage.network, &nodes);
    nodes[0].kill();
    let unreachable = network.submit(&Transaction::Transfer(transaction.clone()));
    assert!(matches!(unreachable, Err(SubmitError::Network(NetworkError::Unreachable))));
    nodes[0].revive();
    stage.holder.submit(&network, transaction).unwrap();
    assert_eq!(network.troubles(), []);
    let before = stage.height();
    assert_eq!(network.advance(60).unwrap(), 1);
    assert_eq!(stage.height(), before + 1);
}
