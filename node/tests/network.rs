//! Four nodes: transactions taken in at one of them are judged by all, become final or are refused
//! with everybody's reasons; floods, losses and restarts.

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::ledger::{BAD, Scripted, World, attestor, authority_keys, genesis};
use common::{Net, node, settings, until};
use placet_consensus::Application;
use placet_ledger::{Backend, CachedCheck, Ledger, ProofCheck, Refusal};
use placet_node::checkpoint::{Case, Desk, Opinion, Rule};
use placet_node::inbox::Source;
use placet_node::node::SubmitError;
use placet_node::{Node, Store};
use placet_protocol::api::TransactionStatus;
use placet_protocol::assertion::Verdict;
use placet_protocol::block::Block;
use placet_protocol::field::AssetId;
use placet_protocol::genesis::{Checkpoint, NetworkKind};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::{Transaction, TransferTransaction, TxId};
use placet_protocol::wire::Wire;

fn client(n: u8) -> Source {
    Source::client(IpAddr::from([10, 0, 0, n]))
}

async fn submit(node: &Node, tx: &Transaction) -> Result<TxId, SubmitError> {
    node.submit(client(1), &tx.to_wire()).await
}

async fn until_final(node: &Node, id: TxId) -> TransactionStatus {
    until("a transaction is final", || {
        let status = node.status(id).unwrap();
        matches!(status, TransactionStatus::Final { .. }).then_some(status)
    })
    .await
}

/// Admits an attestor and registers an asset, on the network and in a world beside it that makes
/// transactions of the same chain.
async fn with_asset(net: &Net) -> (World, AssetId) {
    let mut world = World::open(Backend::Memory);
    let admit = world.admit("attestor", &attestor(), 3);
    let id = submit(&net.nodes[0], &admit).await.unwrap();
    until_final(&net.nodes[0], id).await;
    world.accept(vec![admit]);
    let register = world.register(world.registration("Note"));
    let id = submit(&net.nodes[1], &register).await.unwrap();
    for node in &net.nodes {
        until_final(node, id).await;
    }
    let asset = world.asset("Note");
    (world, asset)
}

fn transfer(world: &mut World, asset: AssetId) -> (TransferTransaction, Transaction) {
    let transfer = world.transfer(asset);
    (transfer.clone(), Transaction::Transfer(transfer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_at_one_node_is_endorsed_by_others_and_final_on_all() {
    let net = Net::plain();
    net.make_blocks();
    let (mut world, asset) = with_asset(&net).await;
    let (_, tx) = transfer(&mut world, asset);
    let id = submit(&net.nodes[3], &tx).await.unwrap();
    for node in &net.nodes {
        let TransactionStatus::Final { assertions, .. } = until_final(node, id).await else {
            unreachable!("it is final")
        };
        let approved = |name: &str| {
            let of = assertions.iter().filter(|o| o.checkpoint == name && o.approves);
            of.map(|o| o.authority.clone()).collect::<BTreeSet<_>>().len()
        };
        assert!(approved("identity") >= 3 && approved("ownership") >= 2);
        let receipt = node.ledger().view().unwrap().receipt(id).unwrap().unwrap();
        let shown = receipt.check(&genesis(NetworkKind::Dev)).unwrap();
        assert_eq!(shown.transaction, id);
        assert_eq!(node.pending(), 0);
    }
    // Again, and at another node: it is final, and that is no error.
    assert_eq!(submit(&net.nodes[0], &tx).await.unwrap(), id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_garbage_proof_neither_displaces_nor_frames_the_good_one() {
    let net = Net::plain();
    net.make_blocks();
    let (mut world, asset) = with_asset(&net).await;
    let (good, tx) = transfer(&mut world, asset);
    let garbage =
        Transaction::Transfer(TransferTransaction { proof: ProofBytes([BAD; 128]), ..good });
    let id = tx.id(&world.chain);
    assert_eq!(garbage.id(&world.chain), id);
    let error = submit(&net.nodes[0], &garbage).await.unwrap_err();
    assert!(matches!(error, SubmitError::Refused(Refusal::ProofInvalid)), "{error}");
    assert_eq!(net.nodes[0].status(id).unwrap(), TransactionStatus::Unknown);
    assert_eq!(submit(&net.nodes[0], &tx).await.unwrap(), id);
    until_final(&net.nodes[2], id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorities_that_saw_different_proof_bytes_endorse_one_of_them() {
    let net = Net::plain();
    let (mut world, asset) = {
        net.make_blocks();
        with_asset(&net).await
    };
    let (first, tx) = transfer(&mut world, asset);
    let id = tx.id(&world.chain);
    // All four get other bytes before they hear of each other.
    net.cut.store(true, Ordering::SeqCst);
    for (node, byte) in net.nodes.iter().zip(1..) {
        let proof = ProofBytes([byte; 128]);
        let variant = Transaction::Transfer(TransferTransaction { proof, ..first.clone() });
        assert_eq!(submit(node, &variant).await.unwrap(), id);
    }
    net.cut.store(false, Ordering::SeqCst);
    until_final(&net.nodes[0], id).await;
}

struct Never;
impl Rule for Never {
    fn ask(&self, case: &Case) -> Opinion {
        assert_eq!(case.version, 1);
        Opinion::Reject { code: NonZeroU16::new(4321).unwrap(), message: "not with us".into() }
    }
}

fn desk() -> Desk {
    Desk::new(Arc::new(Never), [Checkpoint::Identity].into(), 2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_rules_reject_with_everybodys_reasons_and_are_remembered() {
    // Identity needs three of four; two reject.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.redb");
    let check = Arc::new(Scripted::default());
    let mut keys = authority_keys().into_iter();
    let first = {
        let check: Arc<dyn ProofCheck> = Arc::new(CachedCheck::new(check.clone()));
        let genesis = genesis(NetworkKind::Dev);
        let ledger = Ledger::open(Backend::Memory, genesis, check.clone()).unwrap();
        let store = Store::open(Some(&path)).unwrap();
        Node::new(ledger, check, keys.next().unwrap(), store, Some(desk()), settings()).unwrap()
    };
    let mut nodes = vec![Arc::new(first)];
    nodes.push(Arc::new(node(keys.next().unwrap(), check.clone(), Some(desk()))));
    nodes.extend(keys.map(|key| Arc::new(node(key, check.clone(), None))));
    let net = Net::of(nodes, check);
    net.make_blocks();
    let (mut world, asset) = with_asset(&net).await;
    let (_, tx) = transfer(&mut world, asset);
    let id = submit(&net.nodes[2], &tx).await.unwrap();
    let mut problems = Vec::new();
    for node in &net.nodes {
        let refused = until("a transaction is refused", || match node.status(id).unwrap() {
            TransactionStatus::Refused { problem, assertions } => Some((problem, assertions)),
            _ => None,
        });
        let (problem, assertions) = refused.await;
        assert_eq!(problem.code, "endorsement-missing");
        let against: Vec<_> = assertions.iter().filter(|opinion| !opinion.approves).collect();
        assert_eq!(against.len(), 2, "{assertions:?}");
        assert!(against.iter().all(|o| o.discretionary && o.reason == 4321));
        problems.push((problem, assertions));
    }
    // Its own reason in words, which no assertion carries, and everything after a restart.
    let own = net.nodes[0].public();
    let said = |opinions: &[placet_protocol::api::Opinion]| {
        opinions.iter().any(|o| o.key == own && o.message == "not with us")
    };
    assert!(said(&problems[0].1));
    let record = net.nodes[0].store().record(id).unwrap().unwrap();
    assert_eq!(record.problem, Some(problems[0].0.clone()));
    assert_eq!(record.assertions.len(), problems[0].1.len());
    let rejecting = record.assertions.iter();
    let rejecting = rejecting.filter(|a| a.assertion.verdict != Verdict::Approve);
    assert_eq!(rejecting.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_messages_are_sent_again() {
    let net = Net::plain();
    net.make_blocks();
    let (mut world, asset) = with_asset(&net).await;
    net.cut.store(true, Ordering::SeqCst);
    let (_, tx) = transfer(&mut world, asset);
    let id = submit(&net.nodes[0], &tx).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let pending = net.nodes[0].status(id).unwrap();
    assert!(matches!(pending, TransactionStatus::Pending { .. }), "{pending:?}");
    assert_eq!(net.nodes[1].status(id).unwrap(), TransactionStatus::Unknown);
    net.cut.store(false, Ordering::SeqCst);
    until_final(&net.nodes[1], id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, store) = (dir.path().join("ledger.redb"), dir.path().join("node.redb"));
    let open = || {
        let check: Arc<dyn ProofCheck> = Arc::new(CachedCheck::new(Scripted::default()));
        let genesis = genesis(NetworkKind::Dev);
        let ledger = Ledger::open(Backend::File(&ledger), genesis, check.clone()).unwrap();
        let store = Store::open(Some(&store)).unwrap();
        Node::new(ledger, check, authority_keys().remove(0), store, None, settings()).unwrap()
    };
    let world = World::open(Backend::Memory);
    let tx = world.admit("attestor", &attestor(), 3);
    {
        // Its own runtime, so that nothing of it is left.
        let first = open();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let net = Net::of(vec![Arc::new(first)], Arc::default());
                    submit(&net.nodes[0], &tx).await.unwrap();
                });
            });
        });
    }
    let second = until("the stores are free", || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)).ok()
    })
    .await;
    let net = Net::of(vec![Arc::new(second)], Arc::default());
    let id = tx.id(&world.chain);
    until("it waits again", || {
        let status = net.nodes[0].status(id).unwrap();
        matches!(status, TransactionStatus::Pending { .. }).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_bad_proofs_costs_honest_clients_a_bounded_share() {
    let net = Net::plain();
    net.make_blocks();
    let (mut world, asset) = with_asset(&net).await;
    let node = net.nodes[0].clone();
    // One bad proof makes its sender a suspect; then it may fill its own queue.
    let forged: Vec<_> = (0..400)
        .map(|_| {
            let (good, _) = transfer(&mut world, asset);
            Transaction::Transfer(TransferTransaction { proof: ProofBytes([BAD; 128]), ..good })
        })
        .collect();
    let _ = node.submit(client(66), &forged[0].to_wire()).await;
    let flood = {
        let node = node.clone();
        tokio::spawn(async move {
            let bytes: Vec<_> = forged[1..].iter().map(Wire::to_wire).collect();
            let all = bytes.iter().map(|bytes| node.submit(client(66), bytes));
            futures::future::join_all(all).await.into_iter().filter(Result::is_err).count()
        })
    };
    let before = net.check.asked.load(Ordering::SeqCst);
    let (_, honest) = transfer(&mut world, asset);
    node.submit(client(2), &honest.to_wire()).await.unwrap();
    let after = net.check.asked.load(Ordering::SeqCst);
    // The flood had verified what a few rounds allow, not its hundreds. The others verify the
    // honest one too, and a round or two may pass on a busy machine before it is taken in.
    assert!(after - before < 100, "{} proofs before the honest one", after - before);
    assert_eq!(flood.await.unwrap(), 399);
    until_final(&net.nodes[1], honest.id(&world.chain)).await;
}

fn empty_block(net: &Net, seconds: u64) -> Arc<Block> {
    let ledger = net.nodes[0].ledger();
    let bound = placet_ledger::TimeBound::Any;
    let time = ledger.tip().unwrap().time + seconds;
    let key = net.nodes[0].public();
    Arc::new(ledger.propose_on(&[], Vec::new(), time, bound, key).unwrap().block)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_blocks_come_with_the_heartbeat_and_not_before() {
    let net = Net::plain();
    let heartbeat = genesis(NetworkKind::Dev).params.heartbeat;
    let judge = |block: Arc<Block>| {
        let (node, leader) = (net.nodes[1].clone(), net.nodes[0].public());
        async move { node.verify(leader, Vec::new(), block).await }
    };
    assert!(!judge(empty_block(&net, heartbeat - 1)).await);
    assert_eq!(net.nodes[0].propose(Vec::new()).await, None);
    // Ahead of the clock there is no verdict, until the clock is there.
    let early = tokio::spawn(judge(empty_block(&net, heartbeat)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!early.is_finished());
    net.clock.ahead.store(heartbeat, Ordering::SeqCst);
    assert!(early.await.unwrap());
    let block = net.nodes[0].propose(Vec::new()).await.unwrap();
    assert!(block.entries.is_empty());
    assert!(judge(Arc::new(block)).await);
}
