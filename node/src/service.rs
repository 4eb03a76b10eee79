//! A node as a process: everything put together from a configuration, run until it is told to stop
//! or cannot go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use placet_consensus::{Application, Fatal};
use placet_engine::config::BadAddress;
use placet_engine::{Address, StartError, Stopped};
use placet_ledger::{
    Backend, CachedCheck, Groth16Check, KeyMismatch, Ledger, LedgerError, ProofCheck,
};
use placet_params::VerifyingKey;
use placet_protocol::genesis::Genesis;
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use tokio::sync::oneshot;

use crate::api::{Api, Limits, Rate, serve};
use crate::config::{Config, ConfigError};
use crate::keys::{self, KeyError, KeyLock};
use crate::node::Node;
use crate::store::{Store, StoreError};

/// Threads that serve the API.
const API_THREADS: usize = 2;
/// For blocking work to end when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a node does not run, or runs no longer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A directory.
    #[error("cannot use {path}: {source}; make it a directory that the node may write to")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The verifying key's file.
    #[error("verifying-key: {path} cannot be used: {problem}; take the network's key file")]
    VerifyingKey {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The verifying key is another network's.
    #[error(transparent)]
    KeyMismatch(#[from] KeyMismatch),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The node's own store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node.
    #[error(transparent)]
    Node(#[from] Fatal),
    /// A peer's address.
    #[error("the address of peer `{peer}`: {cause}")]
    Address {
        /// Which peer.
        peer: String,
        /// What is wrong.
        cause: BadAddress,
    },
    /// The engine did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The engine ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The API's address.
    #[error("api.listen: cannot listen on {address}: {source}; set another address")]
    Listen {
        /// Which address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no threads or signals.
    #[error("the system does not let the node run: {0}; raise its limits")]
    System(#[source] std::io::Error),
    /// The node cannot continue.
    #[error("the node stopped because it cannot continue: {0}")]
    Failed(Arc<str>),
}

/// Opens the ledger of a configuration, with the cache of proofs that it uses.
///
/// # Errors
/// [`ServiceError`].
pub fn open_ledger(config: &Config) -> Result<(Ledger, Arc<dyn ProofCheck>), ServiceError> {
    let genesis = config.load_genesis()?;
    let check: Arc<dyn ProofCheck> = Arc::new(CachedCheck::new(proof_check(config, &genesis)?));
    directory(&config.data)?;
    let path = config.data.join("ledger.redb");
    let ledger = Ledger::open(Backend::File(&path), genesis, check.clone())?;
    Ok((ledger, check))
}

fn proof_check(config: &Config, genesis: &Genesis) -> Result<Groth16Check, ServiceError> {
    let path = &config.verifying_key;
    let wrong = |problem: String| ServiceError::VerifyingKey { path: path.clone(), problem };
    let pin = genesis
        .circuit(Transfer::NAME)
        .ok_or_else(|| wrong("the genesis pins no key for `transfer`".to_owned()))?;
    let (key, transcript) = VerifyingKey::<Transfer>::load_pinned(path, genesis.kind, pin)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(Groth16Check::new(genesis, &key, transcript.as_ref())?)
}

fn directory(path: &Path) -> Result<(), ServiceError> {
    std::fs::create_dir_all(path)
        .map_err(|source| ServiceError::Directory { path: path.to_owned(), source })
}

fn engine_config(config: &Config) -> Result<placet_engine::Config, ServiceError> {
    let mut peers = Vec::new();
    for peer in config.peers.iter().chain(&config.observers) {
        let address: Address = peer
            .address
            .parse()
            .map_err(|cause| ServiceError::Address { peer: peer.name.clone(), cause })?;
        peers.push(placet_engine::config::Peer { key: peer.key, address });
    }
    let consensus = &config.consensus;
    let mut record = config.key.clone().into_os_string();
    record.push(".votes");
    let storage = config.data.join("consensus");
    let mut engine = placet_engine::Config::new(storage, record.into(), consensus.listen, peers);
    engine.allow_private_ips = consensus.allow_private_addresses;
    engine.timeouts.leader = Duration::from_millis(consensus.leader_timeout_ms);
    engine.timeouts.certification = Duration::from_millis(consensus.certification_timeout_ms);
    engine.max_peers = consensus.max_peers;
    engine.threads = consensus.threads;
    Ok(engine)
}

fn limits(config: &Config) -> Limits {
    let api = &config.api;
    let rate = Rate { per_second: api.requests_per_second, burst: api.burst };
    Limits {
        connections: api.max_connections,
        connections_per_address: api.max_connections_per_address,
        requests: api.max_requests,
        rate: (rate.per_second > 0).then_some(rate),
        timeout: Duration::from_secs(api.timeout_seconds),
    }
}

/// Who else may stop a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopWith {
    /// Only signals.
    Signals,
    /// Also the end of its standard input, so that it does not outlive what started it.
    StandardInput,
}

/// Runs a node until SIGTERM or SIGINT, which end it well, or until it cannot go on.
///
/// # Errors
/// [`ServiceError`]; the process then ends with a failure, and whoever supervises it starts it
/// again.
pub fn run(config: &Config, stop_with: StopWith) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(API_THREADS)
        .enable_all()
        .build()
        .map_err(ServiceError::System)?;
    let result = runtime.block_on(serve_until_stopped(config, stop_with));
    runtime.shutdown_timeout(STOP_TIMEOUT);
    result
}

async fn serve_until_stopped(config: &Config, stop_with: StopWith) -> Result<(), ServiceError> {
    // Signals first: one that comes during the start stops the node after it.
    let stop = stop_signal(stop_with)?;
    let lock = KeyLock::take(&config.key)?;
    let genesis = config.load_genesis()?;
    let key =
        keys::load(&config.key, genesis.kind, || config.passphrase().map_err(ServiceError::from))?;
    let (ledger, proofs) = open_ledger(config)?;
    let store = Store::open(Some(&config.data.join("node.redb")))?;
    let desk = config.rule().map(|rule| rule.open());
    let own = key.clone();
    let node = Arc::new(Node::new(ledger, proofs, key, store, desk, config.settings())?);
    let listen = config.api.listen;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|source| ServiceError::Listen { address: listen, source })?;
    let application: Arc<dyn Application> = node.clone();
    let engine = placet_engine::start(application, &own, engine_config(config)?)?;
    drop(own);

    let status = engine.status();
    let engine = Arc::new(engine);
    let metrics = engine.clone();
    let api = Arc::new(Api::new(
        node.clone(),
        Arc::new(move || status.borrow().clone()),
        Arc::new(move || metrics.metrics()),
        config.dev_clock,
        limits(config),
    ));
    let server =
        serve(listener, api).map_err(|source| ServiceError::Listen { address: listen, source })?;
    let tip = node.tip();
    tracing::info!(
        network = %genesis.name,
        chain = %genesis.chain_id(),
        key = %node.public(),
        height = tip.height,
        api = %server.address(),
        peers = %config.consensus.listen,
        "the node runs"
    );

    // Proofs are verified on a thread of its own, so that connections are served meanwhile.
    let (halt, halted) = oneshot::channel::<()>();
    let worker = {
        let (node, handle) = (node.clone(), tokio::runtime::Handle::current());
        std::thread::Builder::new()
            .name("placet-work".to_owned())
            .spawn(move || {
                handle.block_on(async {
                    let work = std::pin::pin!(node.run());
                    // Its failure is reported through the node.
                    let _ = futures::future::select(work, halted).await;
                });
            })
            .map_err(ServiceError::System)?
    };

    let mut failure = node.failure();
    let mut ended = engine.ended();
    let failed = async {
        // The node outlives this, so its sender does too.
        let reason = failure.wait_for(Option::is_some).await;
        reason.ok().and_then(|reason| reason.clone())
    };
    let engine_ended = async {
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let outcome = {
        use futures::future::{Either, select};
        let stop = std::pin::pin!(stop);
        let failed = std::pin::pin!(failed);
        let engine_ended = std::pin::pin!(engine_ended);
        match select(stop, select(failed, engine_ended)).await {
            Either::Left((reason, _)) => {
                tracing::info!(reason, "the node stops");
                Ok(())
            }
            Either::Right((Either::Left((reason, _)), _)) => {
                Err(ServiceError::Failed(reason.unwrap_or_else(|| "unknown".into())))
            }
            Either::Right((Either::Right(_), _)) => Ok(()),
        }
    };
    server.stop().await;
    let _ = halt.send(());
    let _ = tokio::task::spawn_blocking(move || worker.join()).await;
    let stopped = tokio::task::spawn_blocking(move || stop_engine(engine)).await;
    drop(lock);
    outcome?;
    match stopped {
        Ok(stopped) => Ok(stopped?),
        Err(error) => Err(ServiceError::Failed(error.to_string().into())),
    }
}

/// Stops the engine, once nobody asks it for metrics any more.
fn stop_engine(mut engine: Arc<placet_engine::Running>) -> Result<(), Stopped> {
    // Requests at work hold it; they were given time, and end.
    for _ in 0..100 {
        match Arc::try_unwrap(engine) {
            Ok(engine) => return engine.stop(),
            Err(shared) => engine = shared,
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    tracing::warn!("the engine is stopped without waiting for it");
    Ok(())
}

/// Completes with the reason to stop.
fn stop_signal(stop_with: StopWith) -> Result<impl Future<Output = &'static str>, ServiceError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(ServiceError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServiceError::System)?;
    let (closed, input) = oneshot::channel();
    let mut kept = Some(closed);
    if stop_with == StopWith::StandardInput {
        let closed = kept.take();
        std::thread::spawn(move || {
            // Whatever comes is ignored; the end matters.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            closed.map(|closed| closed.send(()))
        });
    }
    Ok(async move {
        // While it lives, the input counts as open.
        let _kept = kept;
        use futures::future::{Either, select};
        let signals = async {
            let terminate = std::pin::pin!(terminate.recv());
            let interrupt = std::pin::pin!(interrupt.recv());
            match select(terminate, interrupt).await {
                Either::Left(_) => "terminated",
                Either::Right(_) => "interrupted",
            }
        };
        match select(std::pin::pin!(signals), input).await {
            Either::Left((reason, _)) => reason,
            Either::Right(_) => "standard input was closed",
        }
    })
}
