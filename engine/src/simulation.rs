//! Nodes in the engine's deterministic runtime: one thread, simulated time, network and disk. The
//! same seed gives the same run. The node is the one of production, [`run`](fn@crate::run::run).
//!
//! ```text
//! let runner = deterministic::Runner::seeded(seed);
//! runner.start(|context| async move {
//!     let network = SimulatedNetwork::new(context, &keys).await;
//!     network.connect_all(LinkQuality::lan()).await;
//!     let node = network.start(Node { … }).await;
//!     network.sleep(Duration::from_secs(10)).await;
//!     node.crash().await;
//! })
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{Config, Control, Link, Network, Oracle};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{Clock as _, Handle, Quota, Spawner as _, Supervisor as _};
use commonware_utils::{NZU32, NZUsize, Probability};
use placet_consensus::{Application, Fatal, Status};
use placet_protocol::block::MAX_BLOCK_BYTES;
use placet_protocol::signing::{SigningKey, VerifyKey};
use tokio::sync::watch;

use crate::keys;
use crate::record::{RecordError, Voted, VotingRecord};
use crate::run::{Networks, Setup, Timeouts, run};
use crate::status::Board;

/// A voting record in memory. Clones share it, so it survives the crash of a node.
#[derive(Clone, Default)]
pub struct MemoryRecord(Arc<Mutex<Option<Voted>>>);

impl VotingRecord for MemoryRecord {
    fn load(&self) -> Result<Option<Voted>, RecordError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn save(&mut self, voted: &Voted) -> Result<(), RecordError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*voted);
        Ok(())
    }
}

/// What a connection is like, in one direction.
#[derive(Clone, Copy, Debug)]
pub struct LinkQuality {
    /// Mean time on the way.
    pub latency: Duration,
    /// Standard deviation of that time.
    pub jitter: Duration,
    /// Percentage of messages that arrive, 0 to 100.
    pub delivered: u8,
}

impl LinkQuality {
    /// Five milliseconds, nothing lost.
    pub const fn lan() -> Self {
        Self { latency: Duration::from_millis(5), jitter: Duration::from_millis(1), delivered: 100 }
    }
}

/// One node to start.
pub struct Node {
    /// Its key, one of those of the network.
    pub key: SigningKey,
    /// What it runs.
    pub application: Arc<dyn Application>,
    /// The record beside its key.
    pub record: MemoryRecord,
    /// Name of its store: the same after a crash, another one when the disk was lost. Letters,
    /// digits and hyphens, and distinct from every other node's.
    pub store: String,
    /// How long it waits.
    pub timeouts: Timeouts,
}

/// A node that runs.
pub struct SimulatedNode {
    handle: Handle<Result<(), Fatal>>,
    board: Board,
}

impl SimulatedNode {
    /// Where it stands.
    pub fn status(&self) -> Status {
        self.board.read()
    }

    /// Watches where it stands.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.board.subscribe()
    }

    /// Kills it. What it did not sync stays in the simulated disk, as after `kill -9`.
    pub async fn crash(self) {
        self.handle.abort();
        let _ = self.handle.await;
    }

    /// Waits until it ends by itself. `None` if it was killed.
    pub async fn wait(self) -> Option<Result<(), Fatal>> {
        self.handle.await.ok()
    }
}

/// A network of nodes.
pub struct SimulatedNetwork {
    context: Context,
    oracle: Oracle<PublicKey, Context>,
    keys: Vec<VerifyKey>,
    starts: AtomicU64,
}

impl SimulatedNetwork {
    /// A network of these nodes, not yet connected. At most 64.
    pub async fn new(context: Context, keys: &[VerifyKey]) -> Self {
        let (network, oracle) = Network::new_with_peers(
            context.child("network"),
            Config {
                max_size: MAX_BLOCK_BYTES as u32 + 1024 * 1024,
                max_peers_per_set: NZUsize!(64),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(4),
            },
            keys.iter().map(keys::public).collect::<Vec<_>>(),
        )
        .await;
        network.start();
        Self { context, oracle, keys: keys.to_vec(), starts: AtomicU64::new(0) }
    }

    /// The runtime, for its clock, randomness, auditor and storage faults.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Lets simulated time pass.
    pub async fn sleep(&self, duration: Duration) {
        self.context.sleep(duration).await;
    }

    /// Connects one direction, or changes its quality.
    pub async fn link(&self, from: &VerifyKey, to: &VerifyKey, quality: LinkQuality) {
        self.unlink(from, to).await;
        let link = Link {
            latency: quality.latency,
            jitter: quality.jitter,
            success_rate: Probability::new(u64::from(quality.delivered.min(100)), 100)
                .expect("at most 100 of 100"),
        };
        // Both ends are nodes of this network, and the link was removed above.
        let _ = self.oracle.add_link(keys::public(from), keys::public(to), link).await;
    }

    /// Cuts one direction.
    pub async fn unlink(&self, from: &VerifyKey, to: &VerifyKey) {
        // An error says that there is no link.
        let _ = self.oracle.remove_link(keys::public(from), keys::public(to)).await;
    }

    /// Connects every node with every other, and heals partitions.
    pub async fn connect_all(&self, quality: LinkQuality) {
        for from in &self.keys {
            for to in self.keys.iter().filter(|to| *to != from) {
                self.link(from, to, quality).await;
            }
        }
    }

    /// Cuts every connection between the nodes of `side` and the others, both directions.
    pub async fn partition(&self, side: &[VerifyKey]) {
        for from in &self.keys {
            for to in self.keys.iter().filter(|to| side.contains(from) != side.contains(to)) {
                self.unlink(from, to).await;
            }
        }
    }

    /// Who does not speak to whom after it sent something invalid.
    pub async fn blocked(&self) -> Vec<(VerifyKey, VerifyKey)> {
        let blocked = self.oracle.blocked().await.unwrap_or_default();
        blocked
            .iter()
            .filter_map(|(from, to)| Some((keys::verify_key(from)?, keys::verify_key(to)?)))
            .collect()
    }

    /// A node's channels without the engine, for nodes that misbehave on the network itself.
    pub async fn channels(
        &self,
        key: &VerifyKey,
    ) -> Networks<
        commonware_p2p::simulated::Sender<PublicKey, Context>,
        commonware_p2p::simulated::Receiver<PublicKey>,
    > {
        channels(&self.oracle.control(keys::public(key))).await
    }

    /// Starts a node, or starts it again after it crashed.
    pub async fn start(&self, node: Node) -> SimulatedNode {
        let board = Board::default();
        let public = keys::public(&node.key.public());
        let setup = Setup {
            key: keys::private(&node.key),
            timeouts: node.timeouts,
            record: Box::new(node.record),
            // The simulated network connects everybody from the beginning.
            track: Box::new(|_, _| Ok(())),
            prefix: format!("{}-", node.store),
            board: board.clone(),
        };
        let (oracle, application) = (self.oracle.clone(), node.application);
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let context = self.context.child("node").with_attribute("start", number);
        let handle = context.spawn(move |context| async move {
            let control = oracle.control(public);
            let networks = channels(&control).await;
            run(context, setup, application, networks, oracle.manager(), control).await
        });
        SimulatedNode { handle, board }
    }
}

async fn channels(
    control: &Control<PublicKey, Context>,
) -> Networks<
    commonware_p2p::simulated::Sender<PublicKey, Context>,
    commonware_p2p::simulated::Receiver<PublicKey>,
> {
    let rate = Quota::per_second(NZU32!(1024));
    let mut pairs = Vec::new();
    for channel in 0..6 {
        let pair = control.register(channel, rate).await;
        pairs.push(pair.expect("the simulated network runs as long as its context"));
    }
    let mut next = pairs.into_iter();
    let mut take = || next.next().expect("six were registered");
    Networks {
        votes: take(),
        certificates: take(),
        resolve: take(),
        backfill: take(),
        blocks: take(),
        gossip: take(),
    }
}
