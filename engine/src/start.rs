//! The engine in production: a thread with the engine's own runtime, encrypted connections, files.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ::tokio::sync::{oneshot, watch};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{ChaCha20Poly1305, Signer as _};
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{
    Address as EngineAddress, AddressableManager as _, AddressableTrackedPeers, Ingress,
};
use commonware_runtime::{Metrics as _, Quota, Runner as _, Spawner as _, Supervisor as _, tokio};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::NZUsize;
use commonware_utils::ordered::Map;
use placet_consensus::{Application, Fatal, Status};
use placet_protocol::block::MAX_BLOCK_BYTES;
use placet_protocol::signing::{SigningKey, VerifyKey};

use crate::config::{Address, Config};
use crate::keys;
use crate::record::{RecordError, RecordFile, VotingRecord as _};
use crate::run::{Networks, Setup, Track, run};
use crate::status::Board;

/// Longest message between nodes, in bytes: the longest block, with what the engine puts around it.
const MAX_MESSAGE_BYTES: u32 = MAX_BLOCK_BYTES as u32 + 1024 * 1024;
/// Proposed blocks a second from one peer: far more than there are views.
const BLOCK_RATE: NonZeroU32 = NonZeroU32::new(64).expect("not zero");
/// Epochs whose validators stay connected.
const TRACKED_EPOCHS: NonZeroUsize = NZUsize!(4);
/// For how long a peer that sent something invalid is not spoken to.
const BLOCKED: Duration = Duration::from_secs(600);
/// How far two clocks may differ for their nodes to connect.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
const MAX_HANDSHAKE_AGE: Duration = Duration::from_secs(10);
/// How long a stop may take until it is forced.
const STOP: Duration = Duration::from_secs(10);

/// The engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there, or the address is not this host's.
    #[error("cannot listen on {address}: {cause}; set another address, or stop what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The engine's directory.
    #[error("cannot use the directory {path}: {cause}; make it writable")]
    Storage {
        /// The directory.
        path: std::path::PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The voting record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Too many peers.
    #[error("{peers} nodes in the network, but inboxes for {max}; raise max_peers")]
    Peers {
        /// How many there are, this one included.
        peers: usize,
        /// How many there may be.
        max: usize,
    },
    /// A number that cannot be.
    #[error(
        "the engine's settings make no sense: max_peers, messages_per_second and threads are \
         greater than zero, and the certification time-out is longer than the leader time-out"
    )]
    Settings,
    /// No thread.
    #[error("cannot start a thread: {0}; free memory or raise the limit of threads")]
    Thread(#[source] std::io::Error),
}

/// How the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The application or the engine cannot go on.
    #[error(transparent)]
    Fatal(#[from] Fatal),
    /// Something in the engine panicked, as it does when its store fails. The process has to stop.
    #[error("the engine broke down: {0}; see the log, check the disk, and start the node again")]
    Panicked(String),
}

type Encode = Arc<Mutex<Option<Box<dyn Fn() -> String + Send>>>>;

/// A running engine. Dropping it stops the engine without waiting for it.
pub struct Running {
    board: Board,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Stopped>>>,
    ended: watch::Receiver<bool>,
    metrics: Encode,
}

impl Running {
    /// Watches where the engine stands.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.board.subscribe()
    }

    /// The engine's metrics in the text format of Prometheus; empty before it runs and after.
    pub fn metrics(&self) -> String {
        let encode = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        encode.as_ref().map(|encode| encode()).unwrap_or_default()
    }

    /// Turns true when the engine ends, by itself or because it was stopped. [`Self::stop`] then
    /// returns at once, with the reason.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Asks the engine to stop, and waits: a commit that has begun is finished, votes are flushed.
    ///
    /// # Errors
    /// [`Stopped`] if the engine ended by itself before.
    pub fn stop(mut self) -> Result<(), Stopped> {
        self.signal();
        self.join()
    }

    /// Waits until the engine ends by itself.
    ///
    /// # Errors
    /// [`Stopped`] with the reason.
    pub fn wait(mut self) -> Result<(), Stopped> {
        self.join()
    }

    fn signal(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The engine may have ended, then nobody listens.
            let _ = stop.send(());
        }
    }

    fn join(&mut self) -> Result<(), Stopped> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| Err(Stopped::Panicked(message(&*panic))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal();
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

fn engine_address(address: &Address) -> EngineAddress {
    match address {
        Address::Socket(socket) => EngineAddress::Symmetric(*socket),
        Address::Name(host, port) => EngineAddress::Asymmetric {
            ingress: Ingress::Dns { host: host.clone(), port: *port },
            // Not checked: see `bypass_ip_check`.
            egress: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), *port),
        },
    }
}

/// Who may connect in an epoch: its validators first, then every other configured peer.
fn peers_of(
    own: &VerifyKey,
    listen: SocketAddr,
    addresses: &BTreeMap<VerifyKey, Address>,
    validators: &[VerifyKey],
) -> AddressableTrackedPeers<PublicKey> {
    let (mut primary, mut secondary) = (Vec::new(), Vec::new());
    for key in validators {
        if key == own {
            primary.push((keys::public(key), EngineAddress::Symmetric(listen)));
        } else if let Some(address) = addresses.get(key) {
            primary.push((keys::public(key), engine_address(address)));
        } else {
            tracing::error!(authority = %key, "no address is configured for an authority");
        }
    }
    for (key, address) in addresses {
        if key != own && !validators.contains(key) {
            secondary.push((keys::public(key), engine_address(address)));
        }
    }
    AddressableTrackedPeers::new(Map::from_iter_dedup(primary), Map::from_iter_dedup(secondary))
}

/// The settings, in types that cannot be zero.
struct Checked {
    max_peers: NonZeroUsize,
    rate: NonZeroU32,
    /// Held while the node runs.
    _record: std::fs::File,
}

fn check(own: &VerifyKey, config: &Config) -> Result<Checked, StartError> {
    let max_peers = NonZeroUsize::new(config.max_peers).ok_or(StartError::Settings)?;
    let rate = NonZeroU32::new(config.messages_per_second).ok_or(StartError::Settings)?;
    let timeouts = &config.timeouts;
    if config.threads == 0 || timeouts.leader.is_zero() || timeouts.certification <= timeouts.leader
    {
        return Err(StartError::Settings);
    }
    let mut known: Vec<_> = config.peers.iter().map(|peer| peer.key).collect();
    known.push(*own);
    known.sort_unstable();
    known.dedup();
    if known.len() > config.max_peers {
        return Err(StartError::Peers { peers: known.len(), max: config.max_peers });
    }
    std::fs::create_dir_all(&config.storage)
        .map_err(|cause| StartError::Storage { path: config.storage.clone(), cause })?;
    let record = RecordFile(config.record.clone());
    let lock = record.lock()?;
    record.load()?;
    // The engine would panic later; here it can be said what is wrong.
    TcpListener::bind(config.listen)
        .map_err(|cause| StartError::Listen { address: config.listen, cause })?;
    Ok(Checked { max_peers, rate, _record: lock })
}

/// Starts a node: an authority while its key is among the validators, a follower otherwise.
///
/// # Errors
/// [`StartError`] with what to change.
pub fn start(
    application: Arc<dyn Application>,
    key: &SigningKey,
    config: Config,
) -> Result<Running, StartError> {
    let checked = check(&key.public(), &config)?;
    let board = Board::default();
    let metrics = Encode::default();
    let (stop, stopping) = oneshot::channel();
    let (end, ended) = watch::channel(false);
    let key = key.clone();
    let node = {
        let (board, metrics) = (board.clone(), metrics.clone());
        move || {
            let work = AssertUnwindSafe(|| {
                node(application, &key, config, &checked, board.clone(), &metrics, stopping)
            });
            let result = std::panic::catch_unwind(work)
                .unwrap_or_else(|panic| Err(Stopped::Panicked(message(&*panic))));
            *metrics.lock().unwrap_or_else(PoisonError::into_inner) = None;
            board.running(false);
            if let Err(reason) = &result {
                tracing::error!(%reason, "the engine ended");
            }
            // Nobody may be watching.
            let _ = end.send(true);
            result
        }
    };
    let thread = std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(node)
        .map_err(StartError::Thread)?;
    Ok(Running { board, stop: Some(stop), thread: Some(thread), ended, metrics })
}

/// The thread.
fn node(
    application: Arc<dyn Application>,
    key: &SigningKey,
    config: Config,
    checked: &Checked,
    board: Board,
    metrics: &Encode,
    stopping: oneshot::Receiver<()>,
) -> Result<(), Stopped> {
    let own = key.public();
    let key = keys::private(key);
    let namespace = [b"placet.p2p.v1", &application.chain().0[..]].concat();
    let runtime = tokio::Config::new()
        .with_storage_directory(&config.storage)
        .with_worker_threads(config.threads)
        .with_tcp_nodelay(Some(true));
    tokio::Runner::new(runtime).start(|runtime| async move {
        let handshake = Cups::<_, ChaCha20Poly1305>::new(
            Sake {
                signer: key.clone(),
                synchrony_bound: CLOCK_SKEW,
                max_handshake_age: MAX_HANDSHAKE_AGE,
                version: sake::Version::V1,
            },
            cups::Version::V1,
        );
        debug_assert_eq!(keys::verify_key(&key.public_key()), Some(own));
        let mut settings = lookup::Config::recommended(
            handshake,
            &namespace,
            config.listen,
            checked.max_peers,
            MAX_MESSAGE_BYTES,
            NZUsize!(1024),
        );
        settings.allow_private_ips = config.allow_private_ips;
        // A name has no address to compare with; its key still has to be right.
        settings.bypass_ip_check =
            config.peers.iter().any(|peer| matches!(peer.address, Address::Name(..)));
        settings.tracked_peer_sets = TRACKED_EPOCHS;
        settings.block_duration = BLOCKED;
        // A restarted authority is needed again at once, and several may share an address.
        settings.peer_connection_cooldown = Duration::from_secs(1);
        settings.dial_frequency = Duration::from_millis(500);
        settings.dial_timeout = Duration::from_secs(10);
        settings.ping_frequency = Duration::from_secs(10);
        let handshakes = NonZeroU32::new(16).expect("16 is not zero");
        settings.allowed_handshake_rate_per_ip = Quota::per_second(handshakes);

        let (mut network, oracle) = lookup::Network::new(runtime.child("network"), settings);
        let rate = Quota::per_second(checked.rate);
        let block_rate = Quota::per_second(checked.rate.min(BLOCK_RATE));
        let networks = Networks {
            votes: network.register(0, rate),
            certificates: network.register(1, rate),
            resolve: network.register(2, rate),
            backfill: network.register(3, rate),
            blocks: network.register(4, block_rate),
            gossip: network.register(5, rate),
        };
        network.start();

        let addresses: BTreeMap<_, _> =
            config.peers.iter().map(|peer| (peer.key, peer.address.clone())).collect();
        let (mut manager, listen, max) = (oracle.clone(), config.listen, config.max_peers);
        let track: Track = Box::new(move |epoch, validators| {
            let peers = peers_of(&own, listen, &addresses, validators);
            let outside = usize::from(!validators.contains(&own));
            let count = peers.primary.len() + peers.secondary.len() + outside;
            // The network panics beyond.
            if count > max {
                return Err(Fatal::new(StartError::Peers { peers: count, max }));
            }
            manager.track(epoch, peers);
            Ok(())
        });
        let encoder = runtime.child("encoder");
        *metrics.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Box::new(move || encoder.encode()));
        let setup = Setup {
            key,
            timeouts: config.timeouts,
            record: Box::new(RecordFile(config.record)),
            track,
            prefix: String::new(),
            board,
        };
        let stopper = runtime.child("stopper");
        let stop = runtime.child("stop").spawn(move |_| async move {
            // An error means that the handle was dropped: stop too.
            let _ = stopping.await;
            if let Err(error) = stopper.stop(0, Some(STOP)).await {
                tracing::warn!(%error, "the engine was slow to stop");
            }
        });
        let peers = oracle.clone();
        run(runtime.child("node"), setup, application, networks, peers, oracle).await?;
        // The other parts flush what they have.
        let _ = stop.await;
        Ok(())
    })
}
