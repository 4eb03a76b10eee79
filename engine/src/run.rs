//! The engine put together: the archive that delivers final blocks in order, and one round of
//! agreement after the other, an epoch each. Generic over runtime and network, so that what runs in
//! production is what runs in the simulator.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use commonware_actor::Feedback;
use commonware_broadcast::buffered;
use commonware_consensus::marshal::core::{Actor as Marshal, Mailbox};
use commonware_consensus::marshal::resolver::p2p as resolver;
use commonware_consensus::marshal::standard::{Deferred, Standard};
use commonware_consensus::marshal::{self, Start, Update};
use commonware_consensus::simplex::config::SkipBudget;
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::scheme::reporter::AttributableReporter;
use commonware_consensus::simplex::{self, Engine, Floor, ForwardPolicy, SkipPolicy};
use commonware_consensus::types::{Epoch, Epocher as _, FixedEpocher, Height, ViewDelta};
use commonware_consensus::{Heightable as _, Reporter};
use commonware_cryptography::certificate::{Provider, Scoped, Verifier};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_cryptography::{Digested, Digestible as _, Sha256, Signer as _};
use commonware_p2p::utils::mux::{Builder as _, Muxer};
use commonware_p2p::{Blocker, Provider as PeerProvider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle, Metrics, Network, Spawner, Storage};
use commonware_storage::archive::immutable;
use commonware_utils::acknowledgement::Exact;
use commonware_utils::channel::mpsc;
use commonware_utils::vec::NonEmptyVec;
use commonware_utils::{Acknowledgement as _, NZDuration, NZU16, NZU64, NZUsize};
use futures::FutureExt as _;
use placet_consensus::{Application, Environment, Fatal, MAX_GOSSIP_BYTES, Signing};
use placet_protocol::block::CertifiedBlock;
use placet_protocol::finality::{Finality, MAX_DESCENDANTS, Validators, namespace};
use placet_protocol::genesis::ChainId;
use placet_protocol::signing::VerifyKey;
use rand_core::CryptoRng;

use crate::adapter::Adapter;
use crate::block::{MAX_PROPOSED_BYTES, ProposedBlock};
use crate::certificate;
use crate::evidence::{Convict, Watch};
use crate::gossip::{Heard, Outbox, Time, deliver};
use crate::keys;
use crate::meter::{Allowance, meter};
use crate::record::{Guard, RecordError, VotingRecord};
use crate::status::Board;

/// Channels of the network, in the order of their numbers, 0 to 5. Each is a sender with its
/// receiver.
pub struct Networks<S, R> {
    /// Votes.
    pub votes: (S, R),
    /// Certificates.
    pub certificates: (S, R),
    /// Requests for certificates that were missed.
    pub resolve: (S, R),
    /// Requests for blocks that were missed.
    pub backfill: (S, R),
    /// Proposed blocks.
    pub blocks: (S, R),
    /// Messages of the application.
    pub gossip: (S, R),
}

/// How long the engine waits.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a leader's proposal. Longer than the application ever waits in `propose`, plus the way
    /// of the largest block. Two seconds suit an application that proposes at least once a second.
    pub leader: Duration,
    /// For a view to make progress, verification of its block included. Greater than `leader`.
    pub certification: Duration,
}

/// Tells the network who may connect, epoch by epoch: the number of the epoch, its validators.
pub type Track = Box<dyn FnMut(u64, &[VerifyKey]) -> Result<(), Fatal> + Send>;

/// Everything that a node needs beside runtime, network and application.
pub struct Setup {
    /// The node's key.
    pub key: PrivateKey,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// The record beside the key.
    pub record: Box<dyn VotingRecord>,
    /// Who may connect.
    pub track: Track,
    /// In front of the names of everything in the engine's store: letters, digits and hyphens.
    /// Empty where a node has a store of its own. Never to change for a store that exists.
    pub prefix: String,
    /// Where to note the status.
    pub board: Board,
}

/// Why the engine stopped by itself, apart from what the application or the record says.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("epochs have {0} blocks; they need at least 2")]
    EpochLength(u64),
    #[error("the application does not know the validators of epoch {0}")]
    NoValidators(u64),
    #[error(
        "the engine's store has no block at height {0}, though it delivered it; delete the store \
         and let the node fetch the chain again"
    )]
    NoBlock(u64),
    #[error(
        "the state at height {0} is of another chain than the one that became final; delete both \
         state and store of this node"
    )]
    OtherChain(u64),
    #[error("block {0} is final to the engine, but its certificate does not verify: {1}")]
    Certificate(u64, String),
    #[error("the engine's store cannot be opened: {0}; check the disk")]
    Store(String),
    #[error("the engine's part \"{0}\" stopped")]
    Stopped(&'static str),
}

impl From<Broken> for Fatal {
    fn from(broken: Broken) -> Self {
        Self::new(broken)
    }
}

fn record_failed(error: RecordError) -> Fatal {
    Fatal::new(error)
}

type Marshaled = Mailbox<Scheme, Standard<ProposedBlock>>;

/// Inside a store, its format: never change it for stores that exist.
const PAGE: u16 = 4080;
const PAGES: usize = 1024;
/// Views behind the last final one whose votes are kept.
const VIEWS_KEPT: u64 = 64;
/// Final blocks that wait for the application.
const PENDING: usize = 16;
/// The journal of an epoch goes when this many blocks are final behind it, far more than are
/// pending: a node that restarts never finds itself in an epoch without journal.
const JOURNAL_KEPT: u64 = 256;
/// Least time between two questions to one peer that is ahead.
const HINT_PAUSE: Duration = Duration::from_millis(500);
/// Time between two looks at who is there.
const TICK: Duration = Duration::from_secs(5);
const MAILBOX: usize = 1024;
/// Proposed blocks of one peer that are kept until they are needed: its last ones. One that is gone
/// is asked for again.
const BLOCKS_OF_A_PEER: usize = 3;
/// Longest message with votes or certificates, in bytes; 64 signatures are some 8 KiB.
const MAX_VOTES_BYTES: usize = 1024 * 1024;
/// What the engine puts around a block, with a certificate and room to spare, in bytes.
const ENVELOPE: usize = 64 * 1024;
const BUFFER: usize = 1 << 16;

/// Where the votes of an epoch are kept. What a node keeps that follows without its record goes
/// elsewhere: an old journal may have votes of its own, and only one who votes may replay those.
fn journal(prefix: &str, epoch: u64, signing: Signing) -> String {
    match signing {
        Signing::Yes | Signing::NotSitting => format!("{prefix}simplex-{epoch}"),
        Signing::RecordLost { .. } => format!("{prefix}follow-{epoch}"),
    }
}

/// The validators of an epoch.
fn validators(application: &dyn Application, epoch: u64) -> Result<Validators, Broken> {
    let keys = application.validators(epoch).ok_or(Broken::NoValidators(epoch))?;
    Validators::new(keys).ok_or(Broken::NoValidators(epoch))
}

/// Who verifies certificates of an epoch: asked by the archive while it catches up.
#[derive(Clone)]
struct Verifiers {
    application: Arc<dyn Application>,
    chain: ChainId,
    known: Arc<Mutex<BTreeMap<Epoch, Arc<Scheme>>>>,
}

impl Provider for Verifiers {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scheme) = known.get(&epoch) {
            return Some(Scoped::scheme(scheme.clone()));
        }
        let validators = Validators::new(self.application.validators(epoch.get())?)?;
        let namespace = namespace(&self.chain, &validators);
        let scheme = Arc::new(Scheme::verifier(&namespace, keys::set(validators.keys())));
        if known.len() >= 64 {
            known.pop_first();
        }
        known.insert(epoch, scheme.clone());
        Some(Scoped::scheme(scheme))
    }
}

/// Takes what the archive delivers.
#[derive(Clone)]
struct Sink {
    blocks: mpsc::UnboundedSender<(Digested<ProposedBlock>, Exact)>,
    board: Board,
}

impl Reporter for Sink {
    type Activity = Update<ProposedBlock>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        match update {
            Update::Block(block, acknowledge) => {
                if self.blocks.send((block, acknowledge)).is_err() {
                    return Feedback::Closed;
                }
            }
            Update::Tip(_, height, _) => self.board.final_tip(height.get()),
        }
        Feedback::Ok
    }
}

fn archive<C>(name: String, cache: CacheRef, codec_config: C) -> immutable::Config<C> {
    immutable::Config {
        metadata_partition: format!("{name}-metadata"),
        freezer_table_partition: format!("{name}-table"),
        freezer_table_initial_size: 64,
        freezer_table_resize_frequency: 10,
        freezer_table_resize_chunk_size: 10,
        freezer_key_partition: format!("{name}-key"),
        freezer_key_page_cache: cache,
        freezer_value_partition: format!("{name}-value"),
        freezer_value_target_size: 1 << 24,
        freezer_value_compression: None,
        ordinal_partition: format!("{name}-ordinal"),
        items_per_section: NZU64!(1024),
        codec_config,
        replay_buffer: NZUsize!(BUFFER),
        freezer_key_write_buffer: NZUsize!(BUFFER),
        freezer_value_write_buffer: NZUsize!(BUFFER),
        ordinal_write_buffer: NZUsize!(BUFFER),
    }
}

/// How a commit went.
#[derive(PartialEq, Eq)]
enum Outcome {
    /// The application has the block.
    Committed,
    /// The engine is being stopped, and does not know why the block is final.
    Stopping,
}

/// Commits final blocks.
struct Committer<E> {
    runtime: E,
    application: Arc<dyn Application>,
    chain: ChainId,
    epoch_length: u64,
    marshal: Marshaled,
    board: Board,
}

impl<E: Spawner + Clock> Committer<E> {
    fn stopping(&self) -> bool {
        self.runtime.stopped().now_or_never().is_some()
    }

    /// What makes `block` final: the votes for it, or for the next block after it that has some.
    /// `None` while the engine is being stopped.
    async fn finality(&self, block: &ProposedBlock) -> Result<Option<Finality>, Fatal> {
        let height = block.header().height;
        let epoch = height / self.epoch_length;
        let validators = validators(&*self.application, epoch)?;
        let last = (epoch * self.epoch_length + (self.epoch_length - 1))
            .min(height.saturating_add(MAX_DESCENDANTS as u64));
        loop {
            let mut descendants = Vec::new();
            let mut context = block.context_hash();
            for next in height..=last {
                if next > height {
                    let Some(child) = self.marshal.get_block(Height::new(next)).await else {
                        break;
                    };
                    descendants.push(*child.inner().header());
                    context = child.inner().context_hash();
                }
                let Some(finalization) = self.marshal.get_finalization(Height::new(next)).await
                else {
                    continue;
                };
                let Some(certificate) = certificate::convert(&finalization, context, &validators)
                else {
                    let cause = "it names strangers".to_owned();
                    return Err(Broken::Certificate(height, cause).into());
                };
                return Ok(Some(Finality { descendants, certificate }));
            }
            if self.stopping() {
                return Ok(None);
            }
            // The archive delivers a block only when it knows why it is final, but it may write
            // the reason a moment later.
            tracing::debug!(height, "waiting for the certificate of a block");
            self.runtime.sleep(Duration::from_millis(50)).await;
        }
    }

    /// Commits one final block, unless the application has it.
    async fn commit(&self, block: &ProposedBlock) -> Result<Outcome, Fatal> {
        let (height, applied) = (block.header().height, self.application.applied());
        if height <= applied.height {
            if height == applied.height && block.id() != applied.id {
                return Err(Broken::OtherChain(height).into());
            }
            self.board.committed(height);
            return Ok(Outcome::Committed);
        }
        let Some(finality) = self.finality(block).await? else { return Ok(Outcome::Stopping) };
        let validators = validators(&*self.application, height / self.epoch_length)?;
        // What is stored here is what auditors check without the engine: it has to hold for them.
        finality
            .check(&self.chain, block.header(), &validators, self.epoch_length)
            .map_err(|cause| Broken::Certificate(height, cause.to_string()))?;
        let certified = CertifiedBlock { block: block.block().as_ref().clone(), finality };
        let application = self.application.clone();
        let commit = self
            .runtime
            .child("commit")
            .shared(true)
            .spawn(move |_| async move { application.commit(certified).await });
        commit.await.map_err(|_| Broken::Stopped("commit"))??;
        self.board.committed(height);
        Ok(Outcome::Committed)
    }
}

/// Runs a node until the runtime is asked to stop.
///
/// # Errors
/// [`Fatal`] with the reason if it cannot go on. The process has to stop then.
///
/// # Panics
/// If the engine's store fails while it runs: an engine that does not know what it has written
/// must not go on. The process has to stop then too.
pub async fn run<E, S, R, M, B>(
    runtime: E,
    setup: Setup,
    application: Arc<dyn Application>,
    networks: Networks<S, R>,
    peers: M,
    blocker: B,
) -> Result<(), Fatal>
where
    E: Spawner + Metrics + CryptoRng + Clock + Storage + Network,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    M: PeerProvider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    let board = setup.board.clone();
    let result = work(runtime, setup, application, networks, peers, blocker).await;
    board.running(false);
    match &result {
        Ok(()) => tracing::info!("engine stops"),
        Err(reason) => tracing::error!(%reason, "engine stops"),
    }
    result
}

async fn work<E, S, R, M, B>(
    runtime: E,
    setup: Setup,
    application: Arc<dyn Application>,
    networks: Networks<S, R>,
    peers: M,
    blocker: B,
) -> Result<(), Fatal>
where
    E: Spawner + Metrics + CryptoRng + Clock + Storage + Network,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    M: PeerProvider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    let Setup { key, timeouts, record, mut track, prefix, board } = setup;
    let public = key.public_key();
    let own = keys::verify_key(&public).ok_or(Broken::Stopped("key"))?;
    let (chain, epoch_length) = (application.chain(), application.epoch_length());
    let length = NonZeroU64::new(epoch_length)
        .filter(|length| length.get() >= 2)
        .ok_or(Broken::EpochLength(epoch_length))?;
    let epocher = FixedEpocher::new(length);
    let cache = CacheRef::new(NZU16!(PAGE), NZUsize!(PAGES));

    // Messages and time for the application, before anything else calls it.
    let heard = Heard::default();
    let ear = |name, receiver, allowance| {
        meter(runtime.child("meter"), heard.listen(runtime.child(name), receiver), allowance)
    };
    let blocks_long = Allowance::one(MAX_PROPOSED_BYTES + ENVELOPE);
    let gossip_long = Allowance { longest: MAX_GOSSIP_BYTES, waiting: 2 * MAX_GOSSIP_BYTES };
    let votes_long = Allowance::one(MAX_VOTES_BYTES);
    let (outbox, inbox) = networks.gossip;
    let (outbox, clock) = (Arc::new(outbox), Arc::new(runtime.child("clock")));
    application.connect(Environment {
        network: Arc::new(Outbox(Arc::downgrade(&outbox))),
        clock: Arc::new(Time::new(&clock)),
    });

    // In which epochs this key may vote.
    let begun = application.applied().height;
    let begun = (begun > 0).then_some(begun / epoch_length);
    let mut guard = Guard::open(runtime.child("record"), &format!("{prefix}record"), record, begun)
        .await
        .map_err(record_failed)?;

    // The archive.
    let backfill = resolver::init(
        runtime.child("backfill"),
        resolver::Config {
            public_key: public.clone(),
            peer_provider: peers.clone(),
            blocker: blocker.clone(),
            mailbox_size: NZUsize!(MAILBOX),
            fetch_timeout: NZDuration!(Duration::from_secs(5)),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        (networks.backfill.0, ear("backfill_ear", networks.backfill.1, blocks_long)),
    );
    let (broadcast, buffer) = buffered::Engine::new(
        runtime.child("broadcast"),
        buffered::Config {
            public_key: public.clone(),
            mailbox_size: NZUsize!(MAILBOX),
            deque_size: BLOCKS_OF_A_PEER,
            priority: true,
            codec_config: chain,
            peer_provider: peers,
            strategy: Sequential,
        },
    );
    let blocks_ear = ear("blocks_ear", networks.blocks.1, blocks_long);
    broadcast.start((networks.blocks.0, blocks_ear));
    let store_failed = |cause: String| Fatal::from(Broken::Store(cause));
    let finalizations = immutable::Archive::init(
        runtime.child("finalizations"),
        archive(
            format!("{prefix}finalizations"),
            cache.clone(),
            <Scheme as Verifier>::certificate_codec_config_unbounded(),
        ),
    )
    .await
    .map_err(|cause| store_failed(cause.to_string()))?;
    let blocks = immutable::Archive::init(
        runtime.child("blocks"),
        archive(format!("{prefix}blocks"), cache.clone(), chain),
    )
    .await
    .map_err(|cause| store_failed(cause.to_string()))?;
    let genesis = ProposedBlock::genesis(&chain, &validators(&*application, 0)?);
    let digest = genesis.digest();
    let genesis = Digested::precomputed(genesis, digest);
    let verifiers = Verifiers { application: application.clone(), chain, known: Arc::default() };
    let (actor, marshal, floor) = Marshal::<_, Standard<ProposedBlock>, _, _, _, _, _>::init(
        runtime.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider: verifiers,
            epocher: epocher.clone(),
            start: Start::Genesis(genesis.clone()),
            partition_prefix: format!("{prefix}marshal"),
            mailbox_size: NZUsize!(MAILBOX),
            view_retention: ViewDelta::new(VIEWS_KEPT),
            prunable_items_per_section: NZU64!(256),
            page_cache: cache.clone(),
            replay_buffer: NZUsize!(BUFFER),
            key_write_buffer: NZUsize!(BUFFER),
            value_write_buffer: NZUsize!(BUFFER),
            block_codec_config: chain,
            max_repair: NZUsize!(64),
            max_pending_acks: NZUsize!(PENDING),
            strategy: Sequential,
        },
    )
    .await;
    let processed = floor.processed().map_or(0, |processed| processed.height().get());
    let (blocks, mut delivered) = mpsc::unbounded_channel();
    let mut archive_task = actor.start(Sink { blocks, board: board.clone() }, buffer, backfill);

    // A state that was restored from a copy is behind the archive: bring it up first.
    let committer = Committer {
        runtime: runtime.child("committer"),
        application: application.clone(),
        chain,
        epoch_length,
        marshal: marshal.clone(),
        board: board.clone(),
    };
    let applied = application.applied().height;
    board.committed(applied);
    tracing::info!(applied, archived = processed, key = %own, "engine starts");
    for height in applied.saturating_add(1)..=processed {
        let block = marshal.get_block(Height::new(height)).await;
        if committer.stopping() {
            return Ok(());
        }
        committer.commit(block.ok_or(Broken::NoBlock(height))?.inner()).await?;
    }

    let mut epoch = Epoch::new((processed + 1) / epoch_length);
    let mut boundary = match epoch.previous().and_then(|before| epocher.last(before)) {
        None => genesis,
        Some(last) => marshal.get_block(last).await.ok_or(Broken::NoBlock(last.get()))?,
    };

    // Channels of agreement carry the epoch; what is of an epoch that is not registered, lands in
    // the backups.
    let (muxer, mut votes, mut early_votes) = Muxer::builder(
        runtime.child("votes"),
        networks.votes.0,
        ear("votes_ear", networks.votes.1, votes_long),
    )
    .with_backup()
    .build();
    muxer.start();
    let (muxer, mut certificates, mut early_certificates) = Muxer::builder(
        runtime.child("certificates"),
        networks.certificates.0,
        ear("certificates_ear", networks.certificates.1, votes_long),
    )
    .with_backup()
    .build();
    muxer.start();
    let (muxer, mut resolve) = Muxer::new(
        runtime.child("resolve"),
        networks.resolve.0,
        ear("resolve_ear", networks.resolve.1, votes_long),
    );
    muxer.start();
    runtime.child("gossip").spawn({
        let inbox = ear("gossip_ear", inbox, gossip_long);
        let application = application.clone();
        move |_| deliver(inbox, application)
    });

    let stop = runtime.stopped();
    futures::pin_mut!(stop);
    let mut before: Option<Handle<()>> = None;
    loop {
        let number = epoch.get();
        let validators = validators(&*application, number)?;
        track(number, validators.keys())?;
        let (set, namespace) = (keys::set(validators.keys()), namespace(&chain, &validators));
        let sits = validators.contains(&own);
        let signing = if sits {
            // The block that every vote of the epoch builds on.
            let after = boundary.inner().header().time;
            guard.enter(number, after).await.map_err(record_failed)?
        } else {
            Signing::NotSitting
        };
        // A validator that must not sign still knows its place, so it asks for what it misses.
        let scheme = match signing {
            Signing::Yes => Scheme::signer(&namespace, set, key.clone()),
            Signing::RecordLost { .. } => Scheme::member(&namespace, set, &public),
            Signing::NotSitting => Some(Scheme::verifier(&namespace, set)),
        }
        .ok_or(Broken::NoValidators(number))?;
        board.epoch(number, signing);
        match signing {
            Signing::RecordLost { resumes } => tracing::warn!(
                epoch = number,
                resumes,
                "this node's record of votes was lost; it follows without voting"
            ),
            _ => tracing::info!(
                epoch = number,
                validators = validators.keys().len(),
                ?signing,
                "epoch"
            ),
        }

        let closed = |_| Fatal::from(Broken::Stopped("network"));
        let channels = (
            votes.register(number).await.map_err(closed)?,
            certificates.register(number).await.map_err(closed)?,
            resolve.register(number).await.map_err(closed)?,
        );
        let adapter = Adapter {
            application: application.clone(),
            chain,
            own,
            marshal: marshal.clone(),
            board: board.clone(),
        };
        let wrapped = Deferred::new(
            runtime.child("application").with_attribute("epoch", epoch),
            adapter,
            marshal.clone(),
            epocher.clone(),
        );
        let convict = AttributableReporter::new(
            runtime.child("evidence").with_attribute("epoch", epoch),
            scheme.clone(),
            Convict { application: application.clone(), validators: validators.keys().into() },
            Sequential,
            true,
        );
        let reporter = Watch { inner: wrapped.clone(), convict, board: board.clone() };
        let mut engine = Engine::new(
            runtime.child("engine").with_attribute("epoch", epoch),
            simplex::Config {
                scheme,
                elector: RoundRobin::<Sha256>::default(),
                blocker: blocker.clone(),
                automaton: wrapped.clone(),
                relay: wrapped,
                reporter,
                track_historical_votes: true,
                strategy: Sequential,
                partition: journal(&prefix, number, signing),
                mailbox_size: NZUsize!(MAILBOX),
                epoch,
                floor: Floor::Genesis(boundary.digest()),
                replay_buffer: NZUsize!(BUFFER),
                write_buffer: NZUsize!(BUFFER),
                page_cache: cache.clone(),
                leader_timeout: timeouts.leader,
                certification_timeout: timeouts.certification,
                timeout_retry: timeouts.certification,
                view_retention: ViewDelta::new(VIEWS_KEPT),
                skip: SkipPolicy::Enabled {
                    timeout: timeouts.certification * 3,
                    budget: SkipBudget::Participants,
                },
                fetch_timeout: NZDuration!(Duration::from_secs(2)),
                fetch_retry_delay: Duration::from_millis(100),
                forward: ForwardPolicy::SilentVoters,
            },
        )
        .start(channels.0, channels.1, channels.2);
        if let Some(before) = before.take() {
            before.abort();
        }
        forget_journals(&runtime, &prefix, number, epoch_length).await?;
        board.running(true);

        let last = epocher.last(epoch).ok_or(Broken::NoValidators(number))?;
        let mut asked: BTreeMap<PublicKey, SystemTime> = BTreeMap::new();
        // A peer that is in a later epoch has the last block of ours.
        let mut ahead = |theirs: u64, peer: PublicKey| {
            let now = runtime.current();
            let recent = asked
                .get(&peer)
                .is_some_and(|at| now.duration_since(*at).unwrap_or_default() < HINT_PAUSE);
            if theirs > number && !recent {
                asked.insert(peer.clone(), now);
                marshal.hint_finalized(last, NonEmptyVec::new(peer));
            }
        };
        loop {
            commonware_macros::select! {
                _ = &mut stop => return Ok(()),
                result = &mut engine => {
                    tracing::error!(?result, "the agreement of the epoch ended");
                    return Err(Broken::Stopped("agreement").into());
                },
                result = &mut archive_task => {
                    tracing::error!(?result, "the archive ended");
                    return Err(Broken::Stopped("archive").into());
                },
                _ = runtime.sleep(TICK) => board.peers(heard.peers(runtime.current())),
                message = early_votes.recv() => {
                    let Some((theirs, (peer, _))) = message else {
                        return Err(Broken::Stopped("votes").into());
                    };
                    ahead(theirs, peer);
                },
                message = early_certificates.recv() => {
                    let Some((theirs, (peer, _))) = message else {
                        return Err(Broken::Stopped("certificates").into());
                    };
                    ahead(theirs, peer);
                },
                block = delivered.recv() => {
                    let Some((block, acknowledge)) = block else {
                        return Err(Broken::Stopped("delivery").into());
                    };
                    if committer.commit(block.inner()).await? == Outcome::Stopping {
                        return Ok(());
                    }
                    board.peers(heard.peers(runtime.current()));
                    let ends = block.height() == last;
                    if ends {
                        boundary = block;
                    }
                    acknowledge.acknowledge();
                    if ends {
                        break;
                    }
                },
            }
        }
        before = Some(engine);
        epoch = epoch.next();
    }
}

/// Removes the journals of epochs that are long over. What they forbade is final now.
async fn forget_journals<E: Storage>(
    runtime: &E,
    prefix: &str,
    epoch: u64,
    epoch_length: u64,
) -> Result<(), Fatal> {
    let epochs_kept = (JOURNAL_KEPT / epoch_length).saturating_add(2);
    let Some(newest) = epoch.checked_sub(epochs_kept) else { return Ok(()) };
    // A few more than one, for those left by a crash.
    for old in newest.saturating_sub(3)..=newest {
        for signing in [Signing::Yes, Signing::RecordLost { resumes: 0 }] {
            match runtime.remove(&journal(prefix, old, signing), None).await {
                Ok(()) | Err(commonware_runtime::Error::PartitionMissing(_)) => {}
                Err(cause) => return Err(Broken::Store(cause.to_string()).into()),
            }
        }
    }
    Ok(())
}
