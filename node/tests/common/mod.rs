//! A network of nodes without a consensus engine: they take turns in proposing, everybody judges,
//! and what all find good is committed. Messages go from memory to memory and can be lost.

#![allow(dead_code)] // every test binary uses a part

#[path = "../../../ledger/tests/common/mod.rs"]
pub mod ledger;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::{START, Scripted, authority_keys, genesis};
use placet_consensus::{Answer, Application, Clock, Environment, Gossip, Signing, Status};
use placet_ledger::{Backend, CachedCheck, Ledger, ProofCheck};
use placet_node::checkpoint::Desk;
use placet_node::{Node, Settings, Store};
use placet_protocol::genesis::NetworkKind;
use placet_protocol::signing::{SigningKey, VerifyKey};

/// The system's time, moved to where the test network begins.
pub struct TestClock {
    began: Instant,
    pub ahead: AtomicU64,
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        START * 1000 + since + self.ahead.load(Ordering::SeqCst) * 1000
    }
    fn sleep(&self, duration: Duration) -> Answer<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Weak, so that nodes can be dropped.
type Nodes = Arc<OnceLock<Vec<Weak<Node>>>>;

/// One node's way to the others.
struct Wire {
    own: VerifyKey,
    nodes: Nodes,
    cut: Arc<AtomicBool>,
}

impl Wire {
    fn others(&self) -> impl Iterator<Item = Arc<Node>> {
        let nodes = self.nodes.get().map(Vec::as_slice).unwrap_or_default();
        let open = !self.cut.load(Ordering::SeqCst);
        let nodes = nodes.iter().filter_map(Weak::upgrade);
        nodes.filter(move |node| open && node.public() != self.own)
    }
}

impl Gossip for Wire {
    fn broadcast(&self, message: Bytes) {
        for node in self.others() {
            node.receive(self.own, message.clone());
        }
    }
    fn send(&self, to: VerifyKey, message: Bytes) {
        for node in self.others().filter(|node| node.public() == to) {
            node.receive(self.own, message.clone());
        }
    }
}

/// Quick settings.
pub fn settings() -> Settings {
    Settings {
        gather: Duration::from_millis(5),
        patience: Duration::from_millis(200),
        resend: Duration::from_millis(300),
        ..Settings::default()
    }
}

/// A node in memory, not connected.
pub fn node(key: SigningKey, check: Arc<dyn ProofCheck>, desk: Option<Desk>) -> Node {
    let check: Arc<dyn ProofCheck> = Arc::new(CachedCheck::new(check));
    let ledger = Ledger::open(Backend::Memory, genesis(NetworkKind::Dev), check.clone()).unwrap();
    Node::new(ledger, check, key, Store::open(None).unwrap(), desk, settings()).unwrap()
}

/// Four authorities.
pub struct Net {
    pub nodes: Vec<Arc<Node>>,
    pub clock: Arc<TestClock>,
    pub check: Arc<Scripted>,
    /// Whether messages are lost.
    pub cut: Arc<AtomicBool>,
}

impl Net {
    /// Without rules of their own.
    pub fn plain() -> Self {
        Self::with(|_| None)
    }

    /// With a rule of its own for each.
    pub fn with(desk: impl Fn(usize) -> Option<Desk>) -> Self {
        let check = Arc::new(Scripted::default());
        let made = authority_keys().into_iter().enumerate();
        let made = made.map(|(i, key)| Arc::new(node(key, check.clone(), desk(i)))).collect();
        Self::of(made, check)
    }

    /// Connects nodes and starts their work, but makes no blocks yet.
    pub fn of(made: Vec<Arc<Node>>, check: Arc<Scripted>) -> Self {
        let clock = Arc::new(TestClock { began: Instant::now(), ahead: AtomicU64::new(0) });
        let cut = Arc::new(AtomicBool::new(false));
        let nodes: Nodes = Arc::default();
        for node in &made {
            let wire = Wire { own: node.public(), nodes: nodes.clone(), cut: cut.clone() };
            node.connect(Environment { network: Arc::new(wire), clock: clock.clone() });
        }
        let known = nodes.set(made.iter().map(Arc::downgrade).collect());
        known.unwrap_or_else(|_| unreachable!("set once"));
        for node in &made {
            let node = node.clone();
            tokio::spawn(async move { node.run().await });
        }
        Self { nodes: made, clock, check, cut }
    }

    /// Makes blocks from now on, in turns.
    pub fn make_blocks(&self) {
        let nodes = self.nodes.clone();
        tokio::spawn(async move {
            for turn in 0.. {
                let leader = &nodes[turn % nodes.len()];
                let Some(block) = leader.propose(Vec::new()).await else { continue };
                let block = Arc::new(block);
                for node in &nodes {
                    let good = node.verify(leader.public(), Vec::new(), block.clone()).await;
                    assert!(good, "an honest node's block is good");
                }
                let keys = authority_keys();
                let certified = ledger::certify(leader.ledger(), (*block).clone(), &keys);
                for node in &nodes {
                    node.commit(certified.clone()).await.unwrap();
                }
            }
        });
    }
}

/// A status as of a running engine.
pub fn running() -> Status {
    Status { running: true, signing: Signing::Yes, ..Status::default() }
}

/// Waits until something holds; fails after a time that no machine needs.
pub async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(found) = found() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}
