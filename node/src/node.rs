//! One authority, or an observer: its replica, what waits in it, its key, and how others reach it.
//! The engine drives it through [`placet_consensus::Application`]; [`Node::run`] does the rest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use placet_consensus::{Applied, Environment, Fatal, Gossip as Network};
use placet_ledger::{Ledger, LedgerError, ProofCheck, Refusal, Tip, View};
use placet_protocol::api::{Opinion as ApiOpinion, Problem, TransactionStatus};
use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::block::BlockId;
use placet_protocol::genesis::{Authority, Checkpoint, NetworkKind};
use placet_protocol::gossip::Variant;
use placet_protocol::signing::{SigningKey, VerifyKey};
use placet_protocol::transaction::{MAX_SANCTIONS_BYTES, Transaction, TxId};
use placet_protocol::wire::Wire;
use tokio::sync::{Notify, oneshot, watch};

use crate::checkpoint::Desk;
use crate::inbox::{Bounds, Inbox, Source};
use crate::mempool::{Capacity, Mempool, NoRoom};
use crate::metrics::Metrics;
use crate::store::{Change, Record, Store, StoreError};
use crate::time::Time;
use crate::wanted::Wanted;

/// How a node uses its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of the mempool.
    pub capacity: Capacity,
    /// Of what each peer may have waiting.
    pub peers: Bounds,
    /// Of what each client may have waiting.
    pub clients: Bounds,
    /// How long a proposer gathers further transactions after the first.
    pub gather: Duration,
    /// How long a proposer waits for a transaction before it skips its turn; at most three quarters
    /// of the engine's leader time-out.
    pub patience: Duration,
    /// After how long a waiting transaction is sent to the others again.
    pub resend: Duration,
    /// Most nodes that may speak to this one, authorities and observers.
    pub senders: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capacity: Capacity { count: 10_000, bytes: 128 * 1024 * 1024 },
            peers: Bounds { items: 4096, bytes: 64 * 1024 * 1024 },
            clients: Bounds { items: 512, bytes: 16 * 1024 * 1024 },
            gather: Duration::from_millis(60),
            patience: Duration::from_millis(1500),
            resend: Duration::from_secs(3),
            senders: 16,
        }
    }
}

/// Why a node does not take a transaction in.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The mempool does not take it now.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The sender has too much waiting.
    #[error("you have too many transactions waiting to be verified; send it again in a moment")]
    Busy,
    /// The node is stopping or has failed.
    #[error("the node is stopping; send the transaction to another node")]
    Stopping,
}

impl SubmitError {
    /// Stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NoRoom(NoRoom::Full) | Self::Busy | Self::Stopping => "busy",
            Self::NoRoom(NoRoom::Rivals) => "rivals-waiting",
            Self::NoRoom(NoRoom::Variant) => "waiting-already",
        }
    }
}

/// What came in.
pub(crate) enum Item {
    /// A message of a peer, not decoded yet.
    Message(Bytes),
    /// A client's transaction, and where the answer goes.
    Submitted {
        tx: Box<Transaction>,
        size: usize,
        answer: oneshot::Sender<Result<(), SubmitError>>,
    },
    /// A transaction that waited when the node stopped.
    Restored(Box<Transaction>),
}

/// What became of transactions lately, so that nobody is asked for them again.
#[derive(Default)]
pub(crate) struct Fates {
    known: BTreeMap<TxId, (u64, bool)>,
    order: VecDeque<TxId>,
}

/// Most transactions in [`Fates`].
const MAX_FATES: usize = 65_536;
/// For how long a refused transaction is not judged again, in milliseconds.
const REFUSED_FOR: u64 = 10_000;

impl Fates {
    /// Remembers that a transaction is final or refused.
    pub(crate) fn put(&mut self, id: TxId, now: u64, is_final: bool) {
        if self.known.insert(id, (now, is_final)).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > MAX_FATES
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether it is final.
    pub(crate) fn is_final(&self, id: TxId) -> bool {
        self.known.get(&id).is_some_and(|(_, is_final)| *is_final)
    }

    /// Whether it is final or was refused a moment ago.
    pub(crate) fn is_settled(&self, id: TxId, now: u64) -> bool {
        self.known.get(&id).is_some_and(|(at, is_final)| *is_final || now < at + REFUSED_FOR)
    }
}

/// Everything that changes, behind one lock that is never held while proofs are verified.
pub(crate) struct State {
    pub(crate) mempool: Mempool,
    pub(crate) inbox: Inbox<Item>,
    /// Assertions on transactions that did not come yet, by who signed them.
    pub(crate) early: BTreeMap<VerifyKey, BTreeMap<(Variant, Checkpoint), SignedAssertion>>,
    pub(crate) wanted: Wanted,
    pub(crate) fates: Fates,
    /// What the store does not know yet.
    pub(crate) changes: Vec<Change>,
    /// Transactions whose opinions changed since they were last stored.
    pub(crate) dirty: BTreeSet<TxId>,
    pub(crate) sitting: Vec<Authority>,
    pub(crate) tip: Tip,
}

/// One authority, or an observer.
pub struct Node {
    pub(crate) ledger: Ledger,
    pub(crate) proofs: Arc<dyn ProofCheck>,
    pub(crate) key: SigningKey,
    pub(crate) store: Store,
    pub(crate) desk: Option<Desk>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    pub(crate) environment: OnceLock<(Arc<dyn Network>, Time)>,
    pub(crate) state: Mutex<State>,
    /// Wakes [`Self::run`].
    pub(crate) wake: Notify,
    /// Counts what a proposer may be waiting for.
    pub(crate) ready: watch::Sender<u64>,
    /// Height of the tip.
    pub(crate) height: watch::Sender<u64>,
    failure: watch::Sender<Option<Arc<str>>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({:?})", self.key.public())
    }
}

impl Node {
    /// Puts a node together. `proofs` is the very check that the ledger uses, so that a proof
    /// verified on admission is not verified again in a block.
    ///
    /// # Errors
    /// [`LedgerError`] or [`StoreError`], by [`Fatal`].
    pub fn new(
        ledger: Ledger,
        proofs: Arc<dyn ProofCheck>,
        key: SigningKey,
        store: Store,
        desk: Option<Desk>,
        settings: Settings,
    ) -> Result<Self, Fatal> {
        let view = ledger.view().map_err(Fatal::new)?;
        let tip = view.tip().map_err(Fatal::new)?;
        let sitting = sitting(&view).map_err(Fatal::new)?;
        let mut inbox = Inbox::new(settings.peers, settings.clients);
        let own = Source::Peer(key.public());
        for tx in store.waiting().map_err(Fatal::new)? {
            // All of it: it was accepted, and no more than the mempool held.
            let size = tx.to_wire().len();
            inbox.restore(own, size, Item::Restored(Box::new(tx)));
        }
        inbox.judge(own, true);
        let state = State {
            mempool: Mempool::new(settings.capacity),
            inbox,
            early: BTreeMap::new(),
            wanted: Wanted::default(),
            fates: Fates::default(),
            changes: Vec::new(),
            dirty: BTreeSet::new(),
            sitting,
            tip,
        };
        Ok(Self {
            height: watch::Sender::new(tip.height),
            ledger,
            proofs,
            key,
            store,
            desk,
            settings,
            metrics: Metrics::new(),
            environment: OnceLock::new(),
            state: Mutex::new(state),
            wake: Notify::new(),
            ready: watch::Sender::new(0),
            failure: watch::Sender::new(None),
        })
    }

    /// The node's replica.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The node's public key.
    pub fn public(&self) -> VerifyKey {
        self.key.public()
    }

    /// Everything that is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The node's own store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The last committed block.
    pub fn tip(&self) -> Tip {
        self.state().tip
    }

    /// Who sits behind the last committed block.
    pub fn sitting(&self) -> Vec<Authority> {
        self.state().sitting.clone()
    }

    /// How many transactions wait.
    pub fn pending(&self) -> usize {
        self.state().mempool.len()
    }

    /// Follows the height of the last committed block.
    pub fn height(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    /// Seconds since the Unix epoch by the node's clock; `None` before the engine runs.
    pub fn clock(&self) -> Option<u64> {
        self.environment.get().map(|(_, time)| time.seconds())
    }

    /// Why the node cannot go on; `None` while it can.
    pub fn failure(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.failure.subscribe()
    }

    /// Reports that the node cannot go on. The first reason counts.
    pub(crate) fn fail(&self, error: &dyn std::fmt::Display) {
        tracing::error!(%error, "the node cannot continue");
        let reason: Arc<str> = error.to_string().into();
        self.failure.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(reason);
            first
        });
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the node's state")
    }

    pub(crate) fn applied(&self) -> Applied {
        let tip = self.tip();
        Applied { height: tip.height, id: BlockId(tip.block) }
    }

    /// Connects the node; the engine calls it once.
    pub(crate) fn set_environment(&self, environment: Environment) {
        let ahead = match self.ledger.genesis().kind {
            NetworkKind::Dev => self.store.clock_ahead().unwrap_or_else(|error| {
                self.fail(&error);
                0
            }),
            NetworkKind::Other => 0,
        };
        let time = Time::new(environment.clock, ahead);
        if self.environment.set((environment.network, time)).is_err() {
            self.fail(&"the engine connected twice");
        }
        self.wake.notify_one();
    }

    /// Moves a development network's clock forward and remembers it.
    ///
    /// # Errors
    /// [`ClockError`].
    pub fn advance_clock(&self, seconds: u64) -> Result<(), ClockError> {
        if self.ledger.genesis().kind != NetworkKind::Dev {
            return Err(ClockError::NotDev);
        }
        let (_, time) = self.environment.get().ok_or(ClockError::NotRunning)?;
        let ahead = time.ahead().checked_add(seconds).ok_or(ClockError::TooFar)?;
        let now = time.seconds().saturating_add(seconds);
        if now >= placet_protocol::genesis::END_OF_TIME {
            return Err(ClockError::TooFar);
        }
        self.store.set_clock_ahead(ahead)?;
        time.set_ahead(ahead);
        self.touch();
        Ok(())
    }

    /// Wakes proposers.
    pub(crate) fn touch(&self) {
        self.ready.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes a client's transaction in: returns once its proof is verified, it keeps the rules now,
    /// and the node has stored it. A transaction that is known or final already is no error.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, source: Source, bytes: &[u8]) -> Result<TxId, SubmitError> {
        match self.take(source, bytes) {
            Ok((id, None)) => Ok(id),
            Ok((id, Some(answered))) => {
                answered.await.map_err(|_| SubmitError::Stopping)??;
                Ok(id)
            }
            Err(error) => {
                self.metrics.refused(error.code());
                Err(error)
            }
        }
    }

    /// What can be said at once, or where the answer comes.
    #[allow(clippy::type_complexity)] // taken apart by the one caller
    fn take(
        &self,
        source: Source,
        bytes: &[u8],
    ) -> Result<(TxId, Option<oneshot::Receiver<Result<(), SubmitError>>>), SubmitError> {
        if bytes.len() > MAX_SANCTIONS_BYTES {
            return Err(Refusal::TooLarge.into());
        }
        let tx = Transaction::from_wire(bytes).map_err(|_| Refusal::Malformed)?;
        let id = tx.id(&self.ledger.chain());
        let view = self.ledger.view().map_err(|error| self.stopping(&error))?;
        {
            let state = self.state();
            if state.mempool.knows(id) || state.fates.is_final(id) {
                return Ok((id, None));
            }
            state.mempool.room(id, &tx, bytes.len(), None)?;
        }
        if view.status(id).map_err(|error| self.stopping(&error))?.is_some() {
            return Ok((id, None));
        }
        if let Some(refusal) = self.screen(&view, &tx).map_err(|error| self.stopping(&error))? {
            return Err(refusal.into());
        }
        let (answer, answered) = oneshot::channel();
        let item = Item::Submitted { tx: Box::new(tx), size: bytes.len(), answer };
        self.state().inbox.push(source, bytes.len(), item).map_err(|_| SubmitError::Busy)?;
        self.wake.notify_one();
        Ok((id, Some(answered)))
    }

    fn stopping(&self, error: &dyn std::fmt::Display) -> SubmitError {
        self.fail(error);
        SubmitError::Stopping
    }

    /// What refuses a transaction at the price of a few look-ups.
    pub(crate) fn screen(
        &self,
        view: &View,
        tx: &Transaction,
    ) -> Result<Option<Refusal>, LedgerError> {
        let Transaction::Transfer(transfer) = tx else { return Ok(None) };
        let body = &transfer.body;
        let tip = view.tip()?;
        if body.expiry_height <= tip.height {
            return Ok(Some(Refusal::Expired));
        }
        if let Some(refusal) = view.circuit_refusal(&body.circuit, tip.height + 1)? {
            return Ok(Some(refusal));
        }
        let Some(asset) = view.asset(body.asset)? else {
            return Ok(Some(Refusal::UnknownAsset));
        };
        if asset.paused {
            return Ok(Some(Refusal::AssetPaused));
        }
        let window = self.ledger.genesis().params.root_window;
        if body.now.saturating_add(window) < tip.time {
            return Ok(Some(Refusal::NowOutsideWindow));
        }
        if body.nf_position == body.nf_delivery {
            return Ok(Some(Refusal::NullifiersEqual));
        }
        for nullifier in [body.nf_position, body.nf_delivery] {
            if view.spent(nullifier)?.is_some() {
                return Ok(Some(Refusal::NullifierSpent));
            }
        }
        for leaf in body.leaves() {
            if view.note_index(leaf)?.is_some() {
                return Ok(Some(Refusal::CommitmentExists));
            }
        }
        Ok(None)
    }

    /// What became of a transaction.
    ///
    /// # Errors
    /// [`LedgerError`] or [`StoreError`], by [`Fatal`].
    pub fn status(&self, id: TxId) -> Result<TransactionStatus, Fatal> {
        let view = self.ledger.view().map_err(Fatal::new)?;
        let record = self.store.record(id).map_err(Fatal::new)?;
        if let Some(found) = view.status(id).map_err(Fatal::new)? {
            let mut opinions = self.opinions(&found.entry.assertions, None);
            for known in record.iter().flat_map(|record| &record.assertions) {
                let key = (known.authority, known.assertion.checkpoint);
                let relied = &found.entry.assertions;
                if !relied.iter().any(|a| (a.authority, a.assertion.checkpoint) == key) {
                    opinions.extend(self.opinions(std::slice::from_ref(known), record.as_ref()));
                }
            }
            return Ok(TransactionStatus::Final {
                height: found.location.height,
                index: found.location.index,
                time: found.time,
                assertions: opinions,
            });
        }
        let waiting = {
            let state = self.state();
            let all: Vec<_> =
                state.mempool.variants(id).flat_map(|(_, known)| known.assertions()).collect();
            state.mempool.knows(id).then_some(all)
        };
        if let Some(assertions) = waiting {
            let assertions = self.opinions(&assertions, record.as_ref());
            return Ok(TransactionStatus::Pending { assertions });
        }
        match record {
            Some(Record { problem: Some(problem), assertions, remark }) => {
                let record = Record { problem: None, assertions: Vec::new(), remark };
                let assertions = self.opinions(&assertions, Some(&record));
                Ok(TransactionStatus::Refused { problem, assertions })
            }
            _ => Ok(TransactionStatus::Unknown),
        }
    }

    /// Assertions in plain words.
    fn opinions(&self, assertions: &[SignedAssertion], own: Option<&Record>) -> Vec<ApiOpinion> {
        let sitting = self.sitting();
        let of = |signed: &SignedAssertion| {
            let named = sitting.iter().find(|authority| authority.key == signed.authority);
            let named = named.or_else(|| self.ledger.genesis().authority(&signed.authority));
            let said = &signed.assertion;
            let (reason, code, message) = match said.verdict {
                Verdict::Approve => (0, String::new(), String::new()),
                Verdict::Reject(reason) => {
                    let rule = Refusal::from_number(reason).filter(|_| !said.discretionary);
                    let code = rule.map_or("own-rule", Refusal::code).to_owned();
                    let remark = own.filter(|_| signed.authority == self.key.public());
                    let remark = remark.map(|record| record.remark.clone());
                    let message = match rule {
                        Some(rule) => rule.to_string(),
                        None => remark.filter(|remark| !remark.is_empty()).unwrap_or_else(|| {
                            format!("a rule of the authority's own, code {reason}; ask it")
                        }),
                    };
                    (reason.get(), code, message)
                }
            };
            ApiOpinion {
                authority: named.map_or_else(String::new, |authority| authority.name.clone()),
                key: signed.authority,
                checkpoint: said.checkpoint.name().to_owned(),
                approves: said.verdict == Verdict::Approve,
                reason,
                code,
                message,
                discretionary: said.discretionary,
                judged_at: said.judged_at,
                assertion: hex::encode(signed.to_wire()),
            }
        };
        assertions.iter().map(of).collect()
    }
}

/// Why a development clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// Another kind of network.
    #[error("only a development network has a clock that can be moved; use the system's clock")]
    NotDev,
    /// The engine does not run yet.
    #[error("the node is still starting; try again in a moment")]
    NotRunning,
    /// Beyond what transfers can express.
    #[error("the clock cannot be moved that far; give fewer seconds")]
    TooFar,
    /// The offset could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who sits behind the last committed block.
pub(crate) fn sitting(view: &View) -> Result<Vec<Authority>, LedgerError> {
    Ok(view.authorities()?.authorities().to_vec())
}

/// A refusal for those who ask.
pub(crate) fn problem(refusal: Refusal) -> Problem {
    Problem { code: refusal.code().to_owned(), message: refusal.to_string() }
}
