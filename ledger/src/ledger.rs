//! The ledger: opens a store, executes proposals, commits certified blocks, answers questions.
//! One block is one atomic write transaction.

use std::path::Path;
use std::sync::{Arc, Mutex};

use placet_protocol::assertion::SignedAssertion;
use placet_protocol::block::{
    Block, BlockId, CertifiedBlock, Entry, Header, body_hash, entries_fit,
};
use placet_protocol::finality::{NotFinal, Validators, epoch_of};
use placet_protocol::genesis::{ChainId, END_OF_TIME, Genesis, GenesisError, NetworkKind};
use placet_protocol::sanctions::SanctionsList;
use placet_protocol::wire::Wire;
use placet_registry::credentials;
use placet_registry::roots::NETWORK;
use placet_registry::store::StoreError;
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use sha2::{Digest, Sha256};

use crate::authorities::Sitting;
use crate::circuits::{self, CircuitMemo};
use crate::execute::{Context, Failure, Outcome, Scrutiny, advance, execute};
use crate::memo::RootMemo;
use crate::proofs::{ProofCheck, Undecided};
use crate::recent::Recent;
use crate::refusal::Refusal;
use crate::state::{
    self, AUTHORITIES, AssetMemo, BLOCKS, META, NOTE_ROOTS, NOTES, REGISTRY_ROOTS, SANCTIONS_ROOTS,
    TIMES, Tip, VALIDATORS, meta,
};
use crate::transfer::SignatureMemo;

/// Why the ledger as a whole cannot go on; no transaction is to blame.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Proofs could not be verified.
    #[error(transparent)]
    Undecided(#[from] Undecided),
    /// The genesis is not usable.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The store belongs to another network.
    #[error(
        "this store belongs to another network; open it with that network's genesis, or another store with this one"
    )]
    OtherNetwork,
}

impl From<redb::Error> for LedgerError {
    fn from(error: redb::Error) -> Self {
        Self::Store(StoreError::Backend(Box::new(error)))
    }
}

/// Why a block time is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// Before the parent's.
    #[error("a block is never earlier than the one before it; propose a later time")]
    BeforeParent,
    /// Ahead of the local clock by more than the drift.
    #[error("the block's time is ahead of this validator's clock; wait, or set the clocks right")]
    AheadOfClock,
    /// Behind the local clock by more than the drift: windows and deadlines would stand still.
    #[error(
        "the block's time is behind this validator's clock; propose the present, or set the clocks right"
    )]
    BehindClock,
    /// A network that is not for development needs the clock as a bound.
    #[error("only a development network takes any block time; give the range that is acceptable")]
    Unbounded,
    /// At or beyond `2^40 - 2^22`.
    #[error("the block's time is beyond what transfers can express")]
    TooLate,
}

/// Why a proposal cannot be executed at all.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Its time.
    #[error(transparent)]
    Time(#[from] BadTime),
    /// More transactions, transfers, weight or bytes than a block may hold.
    #[error(
        "a block holds at most {} transactions, of them {} transfers, of together weight {} and {} bytes; propose fewer",
        placet_protocol::block::MAX_BLOCK_TRANSACTIONS,
        placet_protocol::block::MAX_BLOCK_TRANSFERS,
        placet_protocol::block::MAX_BLOCK_WEIGHT,
        placet_protocol::block::MAX_BLOCK_BYTES
    )]
    BlockTooLarge,
    /// The blocks to build on do not continue this ledger's chain, or are not valid.
    #[error("nothing can be built on these blocks; take others: {0}")]
    Ancestors(#[source] crate::speculative::BadBlock),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why a block is not committed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The block is not the one that was executed.
    #[error("the block differs from what was executed here; do not sign or store it")]
    NotWhatWasExecuted,
    /// Another block was committed since.
    #[error("the ledger has moved on since this block was executed; execute it again")]
    Stale,
    /// The proposer is no validator.
    #[error("the block's proposer is no validator of its epoch; take the block from somebody else")]
    Proposer,
    /// It is not shown to be final.
    #[error(transparent)]
    NotFinal(#[from] NotFinal),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Bounds the time of a proposed block, beside that of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// Around the local clock, by the tolerated drift on both sides: a proposer can neither hurry
    /// time nor stop it.
    Within {
        /// First acceptable second.
        earliest: u64,
        /// Last acceptable second.
        latest: u64,
    },
    /// Not ahead of the local clock by more than the drift. For judging blocks of others: what is
    /// refused as too early would be refused by some honest validators and not by others, for good.
    Until {
        /// Last acceptable second.
        latest: u64,
    },
    /// Any later time. Refused by every network that is not for development.
    Any,
}

/// Most ids of good blocks that a ledger remembers.
const GOOD_BLOCKS: usize = 4096;

/// A replica's state machine.
pub struct Ledger {
    store: Database,
    genesis: Genesis,
    chain: ChainId,
    proofs: Arc<dyn ProofCheck>,
    pub(crate) assets: AssetMemo,
    signatures: SignatureMemo,
    circuits: CircuitMemo,
    pub(crate) roots: RootMemo,
    /// Blocks that this ledger found good or made itself. They are executed again, as ancestors and
    /// when they become final, without a second look at proofs and signatures.
    pub(crate) good: Mutex<Recent<BlockId>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.chain)
    }
}

/// A proposal that was executed but not committed. Dropping it leaves no trace.
pub struct Executed {
    txn: WriteTransaction,
    outcome: Outcome,
    parent: Tip,
    height: u64,
    time: u64,
    chain: ChainId,
}

impl std::fmt::Debug for Executed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Executed(height {})", self.height)
    }
}

impl Executed {
    /// Refused transactions, by index in the proposal. A block with any is not valid.
    pub fn refused(&self) -> &[(usize, Refusal)] {
        &self.outcome.refused
    }
    /// Executed transactions in order.
    pub fn accepted(&self) -> &[Entry] {
        &self.outcome.accepted
    }
    /// Hash of the state that would follow.
    pub fn state(&self) -> [u8; 32] {
        self.outcome.behind.state
    }
    /// The block that a proposer makes of the accepted transactions.
    pub fn block(&self, proposer: placet_protocol::signing::VerifyKey) -> Block {
        let entries = self.outcome.accepted.clone();
        let header = Header {
            height: self.height,
            parent: BlockId(self.parent.block),
            time: self.time,
            state: self.outcome.behind.state,
            body: body_hash(&self.chain, &entries),
            validators: self.outcome.behind.validators,
            proposer,
        };
        Block { header, entries }
    }
    /// Whether this block is what executing gave: the same transactions accepted, the same state,
    /// the same everything. If the block's own entries were executed, none of them was refused.
    pub fn matches(&self, block: &Block) -> bool {
        self.block(block.header.proposer) == *block
    }
}

/// Where a ledger keeps its data.
#[derive(Debug)]
pub enum Backend<'a> {
    /// A file, created if it is not there.
    File(&'a Path),
    /// Memory, for tests.
    Memory,
    /// A store that the caller opened: simulations have disks of their own.
    Opened(Database),
}

impl Ledger {
    /// Opens or begins a ledger.
    ///
    /// # Errors
    /// [`LedgerError`] if the store fails, the genesis is not valid or the store is another
    /// network's.
    pub fn open(
        backend: Backend<'_>,
        genesis: Genesis,
        proofs: Arc<dyn ProofCheck>,
    ) -> Result<Self, LedgerError> {
        genesis.validate()?;
        let store = match backend {
            Backend::File(path) => Database::create(path),
            Backend::Memory => {
                Database::builder().create_with_backend(redb::backends::InMemoryBackend::new())
            }
            Backend::Opened(store) => Ok(store),
        };
        let store = store.map_err(redb::Error::from)?;
        let chain = genesis.chain_id();
        let ledger = Self {
            store,
            genesis,
            chain,
            proofs,
            assets: AssetMemo::default(),
            signatures: SignatureMemo::default(),
            circuits: CircuitMemo::default(),
            roots: RootMemo::default(),
            good: Mutex::new(Recent::new(GOOD_BLOCKS)),
        };
        ledger.begin()?;
        Ok(ledger)
    }

    /// Writes block 0 into an empty store; compares the chain id of another.
    fn begin(&self) -> Result<(), LedgerError> {
        let txn = self.write()?;
        match state::get(&txn, META, meta::CHAIN)? {
            Some(chain) if chain == self.chain.0 => return Ok(()),
            Some(_) => return Err(LedgerError::OtherNetwork),
            None => {}
        }
        let time = self.genesis.time;
        let roots = || -> Result<(), Failure> {
            let notes = placet_protocol::field::to_bytes(&NOTES.root(&txn)?);
            advance(&txn, NOTE_ROOTS, &NETWORK, &notes, time, false)?;
            let registry = credentials::root(&txn)?.to_bytes();
            advance(&txn, REGISTRY_ROOTS, &NETWORK, &registry, time, false)?;
            let nobody = SanctionsList::new([]).expect("an empty list fits").root().to_bytes();
            advance(&txn, SANCTIONS_ROOTS, &NETWORK, &nobody, time, false)
        };
        roots().map_err(fatal)?;
        let put = |table, key: &[u8], value: &[u8]| -> Result<(), StoreError> {
            txn.open_table(table)?.insert(key, value)?;
            Ok(())
        };
        for authority in &self.genesis.authorities {
            put(AUTHORITIES, &authority.key.to_bytes(), &authority.to_wire())?;
        }
        circuits::begin(&txn, &self.genesis)?;
        let validators = Validators::genesis(&self.genesis);
        put(VALIDATORS, &0u64.to_be_bytes(), &validators.to_wire())?;
        put(TIMES, &0u64.to_be_bytes(), &time.to_le_bytes())?;
        let tip = Tip {
            height: 0,
            time,
            block: BlockId::genesis(&self.chain).0,
            state: Sha256::digest([b"placet.state.v1", &self.chain.0[..]].concat()).into(),
        };
        put(META, meta::CHAIN, &self.chain.0)?;
        put(META, meta::TIP, &tip.to_wire())?;
        txn.commit().map_err(redb::Error::from)?;
        Ok(())
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The chain id.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// A consistent view of the committed state; later commits do not change it.
    pub(crate) fn circuits(&self) -> &CircuitMemo {
        &self.circuits
    }

    pub(crate) fn read(&self) -> Result<ReadTransaction, LedgerError> {
        Ok(self.store.begin_read().map_err(redb::Error::from)?)
    }

    pub(crate) fn write(&self) -> Result<WriteTransaction, LedgerError> {
        Ok(self.store.begin_write().map_err(redb::Error::from)?)
    }

    pub(crate) fn context<'a>(
        &'a self,
        sitting: &'a Sitting,
        height: u64,
        time: u64,
    ) -> Context<'a> {
        Context {
            chain: self.chain,
            genesis: &self.genesis,
            sitting,
            assets: &self.assets,
            signatures: &self.signatures,
            circuits: &self.circuits,
            roots: &self.roots,
            height,
            time,
        }
    }

    /// Whether an assertion's author signed it, for this chain. A good signature is remembered, so
    /// that blocks which rely on it are judged faster; whether the author sits is another question.
    pub fn is_signed(&self, assertion: &SignedAssertion) -> bool {
        self.signatures.holds(&self.chain, assertion)
    }

    /// The seam to proof verification.
    pub(crate) fn proofs(&self) -> &dyn ProofCheck {
        self.proofs.as_ref()
    }

    /// Executes entries on top of `parent`, whose state `txn` holds.
    pub(crate) fn execute_in(
        &self,
        txn: &WriteTransaction,
        parent: &Tip,
        time: u64,
        entries: Vec<Entry>,
        scrutiny: Scrutiny,
    ) -> Result<Outcome, LedgerError> {
        let sitting = Sitting::load(txn)?;
        let context = self.context(&sitting, parent.height + 1, time);
        execute(txn, &context, &parent.state, self.proofs(), entries, scrutiny).map_err(fatal)
    }

    /// The validators of an epoch, in ascending order of keys; `None` while the last block of the
    /// epoch before is not committed.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn validators(&self, epoch: u64) -> Result<Option<Validators>, LedgerError> {
        Ok(state::validators(&self.read()?, epoch)?)
    }

    pub(crate) fn check_time(&self, tip: &Tip, time: u64, bound: TimeBound) -> Result<(), BadTime> {
        match bound {
            TimeBound::Any if self.genesis.kind != NetworkKind::Dev => {
                return Err(BadTime::Unbounded);
            }
            TimeBound::Within { latest, .. } | TimeBound::Until { latest } if time > latest => {
                return Err(BadTime::AheadOfClock);
            }
            TimeBound::Within { earliest, .. } if time < earliest => {
                return Err(BadTime::BehindClock);
            }
            _ => {}
        }
        if time < tip.time {
            return Err(BadTime::BeforeParent);
        }
        if time >= END_OF_TIME { Err(BadTime::TooLate) } else { Ok(()) }
    }

    /// Executes a proposal on top of the tip. Waits while another execution is held.
    ///
    /// # Errors
    /// [`ExecuteError`]; a refused transaction is not an error but in [`Executed::refused`].
    pub fn execute(
        &self,
        entries: Vec<Entry>,
        time: u64,
        bound: TimeBound,
    ) -> Result<Executed, ExecuteError> {
        self.run(entries, time, bound, Scrutiny::Full)
    }

    pub(crate) fn run(
        &self,
        entries: Vec<Entry>,
        time: u64,
        bound: TimeBound,
        scrutiny: Scrutiny,
    ) -> Result<Executed, ExecuteError> {
        if !entries_fit(&entries) {
            return Err(ExecuteError::BlockTooLarge);
        }
        self.prepare(&entries);
        let txn = self.write()?;
        let parent = state::tip(&txn).map_err(LedgerError::from)?;
        self.check_time(&parent, time, bound)?;
        let outcome = self.execute_in(&txn, &parent, time, entries, scrutiny)?;
        let height = parent.height + 1;
        Ok(Executed { txn, outcome, parent, height, time, chain: self.chain })
    }

    /// Makes a final block durable: one atomic commit of state, block and tip.
    ///
    /// # Errors
    /// [`CommitError`]; then nothing was written.
    pub fn commit(
        &self,
        executed: Executed,
        block: &CertifiedBlock,
    ) -> Result<BlockId, CommitError> {
        if !executed.matches(&block.block) {
            return Err(CommitError::NotWhatWasExecuted);
        }
        // The write transaction kept everybody else out since. What this catches is an execution
        // by a ledger of another network; one by another replica of this network is committed to
        // that replica's store.
        let txn = executed.txn;
        if state::tip(&txn).map_err(LedgerError::from)? != executed.parent
            || executed.chain != self.chain
        {
            return Err(CommitError::Stale);
        }
        let header = &block.block.header;
        let validators = state::validators(&txn, self.epoch(header.height));
        let validators = validators.map_err(LedgerError::from)?;
        let validators = validators.ok_or(LedgerError::Store(StoreError::Corrupt))?;
        self.check_certificate(block, &validators)?;
        let id = header.id(&self.chain);
        let tip =
            Tip { height: header.height, time: header.time, block: id.0, state: header.state };
        let put = |table, key: &[u8], value: &[u8]| -> Result<(), StoreError> {
            txn.open_table(table)?.insert(key, value)?;
            Ok(())
        };
        put(BLOCKS, &header.height.to_be_bytes(), &block.to_wire()).map_err(LedgerError::from)?;
        put(META, meta::TIP, &tip.to_wire()).map_err(LedgerError::from)?;
        txn.commit().map_err(|error| LedgerError::from(redb::Error::from(error)))?;
        Ok(id)
    }

    /// The block is final by the votes of its epoch's validators, and one of them proposed it. The
    /// proposer need not be among the signers: a quorum attests the header that names it.
    fn check_certificate(
        &self,
        block: &CertifiedBlock,
        validators: &Validators,
    ) -> Result<(), CommitError> {
        if !validators.contains(&block.block.header.proposer) {
            return Err(CommitError::Proposer);
        }
        Ok(block.check(&self.chain, validators, self.genesis.params.epoch_length)?)
    }

    /// The epoch of a height.
    pub(crate) fn epoch(&self, height: u64) -> u64 {
        epoch_of(height, self.genesis.params.epoch_length)
    }

    /// Executes and commits a block that others made final, as when catching up. The certificate
    /// is checked first, then that the block follows the tip and its entries are the ones that were
    /// signed, and only then is anything executed. The block's time was held against the signers'
    /// clocks when they signed; here it only has to be monotone.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub fn apply(&self, block: &CertifiedBlock) -> Result<BlockId, ApplyError> {
        let header = &block.block.header;
        // Without the end of the epoch before nobody knows who validates.
        let validators = self.validators(self.epoch(header.height))?.ok_or(ApplyError::NotNext)?;
        self.check_certificate(block, &validators)?;
        let tip = self.tip()?;
        if (header.height, header.parent.0) != (tip.height + 1, tip.block) {
            return Err(ApplyError::NotNext);
        }
        if header.body != body_hash(&self.chain, &block.block.entries) {
            return Err(ApplyError::Body);
        }
        let bound = TimeBound::Until { latest: header.time };
        // The id covers every entry by the body's hash, which was just compared.
        let scrutiny = self.scrutiny_of(&header.id(&self.chain));
        let executed = self.run(block.block.entries.clone(), header.time, bound, scrutiny)?;
        Ok(self.commit(executed, block)?)
    }

    /// See [`crate::registry::dismiss_attestor`]: for governance, which does not exist yet, and
    /// its tests. Not recorded in a block.
    #[cfg(test)]
    pub(crate) fn dismiss_for_test(
        &self,
        id: placet_protocol::field::AttestorId,
        urgent: bool,
    ) -> Result<(), LedgerError> {
        let txn = self.write()?;
        let tip = state::tip(&txn)?;
        let mut journal = state::Journal::new(&tip.state, tip.height, tip.time);
        crate::registry::dismiss_attestor(&txn, &mut journal, tip.time, id, urgent)
            .map_err(fatal)?;
        txn.commit().map_err(redb::Error::from)?;
        Ok(())
    }
}

/// Why a final block could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not follow the tip.
    #[error("the block does not follow this ledger's last one; apply the blocks in between first")]
    NotNext,
    /// Its entries are not those that its header commits to.
    #[error("the block's transactions are not those that were signed; take it from somebody else")]
    Body,
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It could not be executed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// It could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Outside of a transaction's execution nothing is refused.
pub(crate) fn fatal(failure: Failure) -> LedgerError {
    match failure {
        Failure::Store(error) => error.into(),
        Failure::Undecided(error) => error.into(),
        Failure::Refused(_) => StoreError::Corrupt.into(),
    }
}
