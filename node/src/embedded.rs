//! Four authorities in one process: a fixed proposer, every replica executes, asserts and signs,
//! final at more than two thirds. One machine; a consensus engine takes its place elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use placet_ledger::{
    ApplyError, Backend, CheckError, CommitError, ExecuteError, Executed, Groth16Check,
    KeyMismatch, Ledger, LedgerError, ProofCheck, Refusal, TimeBound, Tip, View,
};
use placet_params::VerifyingKey;
use placet_protocol::block::{
    BlockId, CertifiedBlock, Entry, MAX_BLOCK_TRANSFERS, MAX_BLOCK_WEIGHT,
};
use placet_protocol::field::Subject;
use placet_protocol::finality::epoch_of;
use placet_protocol::genesis::{ChainId, Genesis, NetworkKind};
use placet_protocol::transaction::registry::{Admission, Approval, Sanctions};
use placet_protocol::transaction::{Signed, Transaction, TxId};
use placet_protocol::transfer::Transfer;

use crate::authority::{Authority, certify};
use crate::files::{self, FileError, KeySource};

/// Seconds by which a block may lie ahead of a validator's clock, or behind it.
pub const DRIFT: u64 = 10;

/// Where block time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock.
    System,
    /// The last block's time, moved by [`Embedded::advance_time`]; development networks only.
    Manual,
}

/// The network cannot go on; no transaction is to blame.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The verifying key.
    #[error(transparent)]
    Key(#[from] KeyMismatch),
    /// A replica.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A replica cannot execute.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A replica cannot commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A replica cannot catch up.
    #[error("a replica cannot catch up with the others: {0}")]
    CatchUp(#[from] ApplyError),
    /// Two replicas differ at one height.
    #[error("replicas disagree about block {0}; keep the data directory and investigate")]
    Diverged(u64),
    /// Fewer than a quorum came to the proposer's result.
    #[error("too few authorities came to the same block; keep the data directory and investigate")]
    NoQuorum,
    /// A manual clock where it is not allowed.
    #[error("only a development network has a clock that can be moved; use the system's clock")]
    ManualClock,
    /// The system's clock is before 1970.
    #[error("the system's clock is before 1970; set it")]
    BadClock,
    /// A list too long for the sanctions tree.
    #[error("a sanctions list holds at most 262,143 distinct documents; publish fewer")]
    ListTooLong,
}

/// Why a transaction was not executed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The network failed.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl From<CheckError> for SubmitError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Refused(refusal) => Self::Refused(refusal),
            CheckError::Execute(error) => Self::Node(error.into()),
        }
    }
}

/// A transaction is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: TxId,
    /// Height of its block.
    pub height: u64,
    /// Time of its block.
    pub time: u64,
}

/// Where the network stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The chain.
    pub chain: ChainId,
    /// The proposer's tip; all replicas have it.
    pub tip: Tip,
    /// Number of authorities.
    pub authorities: usize,
    /// Signatures that make a block final.
    pub quorum: usize,
}

/// An embedded network, open.
#[derive(Debug)]
pub struct Embedded {
    dir: PathBuf,
    genesis: Genesis,
    chain: ChainId,
    clock: Clock,
    authorities: Vec<Authority>,
}

impl Embedded {
    /// Opens the development network in `dir`, verifying proofs with `key`, which must be the one
    /// that the genesis pins. Others need a ceremony's transcript and run as nodes. Replicas that lag, as after a crash, are brought to the same height.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn open(
        dir: &Path,
        key: &VerifyingKey<Transfer>,
        keys: KeySource,
        clock: Clock,
    ) -> Result<Self, NodeError> {
        let check = Groth16Check::new(&files::read_genesis(dir)?, key, None)?;
        Self::open_with(dir, Arc::new(check), keys, clock)
    }

    /// As [`Self::open`] with another way to verify proofs: for tests.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn open_with(
        dir: &Path,
        check: Arc<dyn ProofCheck>,
        keys: KeySource,
        clock: Clock,
    ) -> Result<Self, NodeError> {
        let genesis = files::read_genesis(dir)?;
        if clock == Clock::Manual && genesis.kind != NetworkKind::Dev {
            return Err(NodeError::ManualClock);
        }
        let keys = files::authority_keys(dir, &genesis, keys)?;
        let mut authorities = Vec::new();
        for (index, key) in keys.into_iter().enumerate() {
            let own = files::authority_dir(dir, index);
            std::fs::create_dir_all(&own)
                .map_err(|source| FileError::Io { path: own.clone(), source })?;
            let path = own.join("ledger.redb");
            let ledger = Ledger::open(Backend::File(&path), genesis.clone(), check.clone())?;
            authorities.push(Authority::new(key, ledger));
        }
        let chain = genesis.chain_id();
        let network = Self { dir: dir.to_owned(), genesis, chain, clock, authorities };
        network.level()?;
        Ok(network)
    }

    /// Brings every replica to the height of the highest. A block in any replica carries a quorum
    /// of signatures, so it is final and the others may take it.
    fn level(&self) -> Result<(), NodeError> {
        let tips = self
            .authorities
            .iter()
            .map(|authority| authority.ledger().tip())
            .collect::<Result<Vec<_>, _>>()?;
        let highest =
            (0..tips.len()).max_by_key(|i| tips[*i].height).expect("there are authorities");
        let source = self.authorities[highest].ledger();
        for (authority, tip) in self.authorities.iter().zip(&tips) {
            for height in tip.height + 1..=tips[highest].height {
                let block = source.block(height)?.ok_or(NodeError::Diverged(height))?;
                authority.ledger().apply(&block)?;
            }
            if authority.ledger().tip()? != tips[highest] {
                return Err(NodeError::Diverged(tips[highest].height));
            }
        }
        Ok(())
    }

    fn proposer(&self) -> &Authority {
        &self.authorities[0]
    }

    /// Time of the next block and its bound. A failed commit may have left the replicas at different
    /// heights, so they are levelled first.
    fn next_time(&self) -> Result<(u64, TimeBound), NodeError> {
        self.level()?;
        let tip = self.tip()?;
        match self.clock {
            Clock::Manual => Ok((tip.time, TimeBound::Any)),
            Clock::System => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_err(|_| NodeError::BadClock)?.as_secs();
                let (earliest, latest) = (now.saturating_sub(DRIFT), now.saturating_add(DRIFT));
                Ok((now.max(tip.time), TimeBound::Within { earliest, latest }))
            }
        }
    }

    /// Executes one transaction in a block of its own.
    ///
    /// # Errors
    /// [`SubmitError::Refused`] with the rule it breaks; then nothing changed.
    pub fn submit(&self, tx: &Transaction) -> Result<Receipt, SubmitError> {
        let (time, bound) = self.next_time()?;
        self.proposer().ledger().check(tx, time, bound)?;
        let receipt = self.run(vec![(tx.clone(), None)], time, bound)?.pop();
        receipt.expect("one answer per transaction").map_err(SubmitError::Refused)
    }

    /// Decodes strictly, then as [`Self::submit`].
    ///
    /// # Errors
    /// As [`Self::submit`]; bytes that are no transaction are [`Refusal::Malformed`].
    pub fn submit_bytes(&self, bytes: &[u8]) -> Result<Receipt, SubmitError> {
        let (time, bound) = self.next_time()?;
        let tx = self.proposer().ledger().check_bytes(bytes, time, bound)?;
        self.submit(&tx)
    }

    /// Executes several transactions in order, in one block or as few as hold them; each gets its own
    /// answer, and those that are refused leave no trace.
    ///
    /// # Errors
    /// [`NodeError`] if the network failed.
    pub fn submit_all(
        &self,
        txs: Vec<Transaction>,
    ) -> Result<Vec<Result<Receipt, Refusal>>, NodeError> {
        let mut answers = Vec::new();
        let (mut batch, mut weight) = (Vec::new(), 0);
        for tx in txs {
            if weight + tx.weight() > MAX_BLOCK_WEIGHT || batch.len() == MAX_BLOCK_TRANSFERS {
                answers.extend(self.submit_block(std::mem::take(&mut batch))?);
                weight = 0;
            }
            weight += tx.weight();
            batch.push(tx);
        }
        answers.extend(self.submit_block(batch)?);
        Ok(answers)
    }

    /// Executes transactions that fit into one block.
    fn submit_block(
        &self,
        txs: Vec<Transaction>,
    ) -> Result<Vec<Result<Receipt, Refusal>>, NodeError> {
        let (time, bound) = self.next_time()?;
        let mut candidates = Vec::new();
        for tx in txs {
            // Other kinds may rely on one before them in the block, and nobody judges them.
            let known = match &tx {
                Transaction::Transfer(_) => {
                    match self.proposer().ledger().check(&tx, time, bound) {
                        Ok(()) => None,
                        Err(CheckError::Refused(refusal)) => Some(refusal),
                        Err(CheckError::Execute(error)) => return Err(error.into()),
                    }
                }
                _ => None,
            };
            candidates.push((tx, known));
        }
        self.run(candidates, time, bound)
    }

    /// Collects assertions, lets the proposer build a block, and makes it final. A transfer that
    /// the proposer would refuse, for the reason beside it, is not put before the authorities.
    fn run(
        &self,
        txs: Vec<(Transaction, Option<Refusal>)>,
        time: u64,
        bound: TimeBound,
    ) -> Result<Vec<Result<Receipt, Refusal>>, NodeError> {
        let ids: Vec<_> = txs.iter().map(|(tx, known)| (tx.id(&self.chain), *known)).collect();
        let mut entries = Vec::new();
        for (transaction, known) in txs {
            let mut assertions = Vec::new();
            if known.is_none() {
                for authority in &self.authorities {
                    assertions.extend(authority.judge(&transaction, time, bound)?);
                }
            }
            entries.push(Entry { transaction, assertions });
        }
        let executed = self.proposer().execute(entries, time, bound)?;
        let refused = executed.refused().to_vec();
        let mut height = 0;
        if executed.accepted().is_empty() {
            drop(executed);
        } else {
            height = self.finish(executed, time, bound)?.block.header.height;
        }
        let answer = |(index, (id, known)): (usize, (TxId, Option<Refusal>))| {
            match refused.iter().find(|(refused, _)| *refused == index) {
                // Nobody was asked to endorse it; say why.
                Some((_, Refusal::EndorsementMissing)) => {
                    Err(known.unwrap_or(Refusal::EndorsementMissing))
                }
                Some((_, refusal)) => Err(*refusal),
                None => Ok(Receipt { id, height, time }),
            }
        };
        Ok(ids.into_iter().enumerate().map(answer).collect())
    }

    /// Has every other replica execute the proposer's block, collects signatures, and commits
    /// everywhere once they are a quorum. A crash or failure in between leaves replicas at different
    /// heights, which the next opening or block levels.
    fn finish(
        &self,
        proposed: Executed,
        time: u64,
        bound: TimeBound,
    ) -> Result<CertifiedBlock, NodeError> {
        let block = proposed.block(self.proposer().public());
        let epoch = epoch_of(block.header.height, self.genesis.params.epoch_length);
        let validators = self.proposer().ledger().validators(epoch)?;
        let validators = validators.ok_or(NodeError::NoQuorum)?;
        let mut signatures = vec![self.proposer().sign(&block)?];
        let mut replicas = vec![(self.proposer(), proposed)];
        for authority in &self.authorities[1..] {
            let executed = authority.execute(block.entries.clone(), time, bound)?;
            if executed.matches(&block) {
                signatures.push(authority.sign(&block)?);
                replicas.push((authority, executed));
            }
        }
        if signatures.len() < validators.quorum() {
            return Err(NodeError::NoQuorum);
        }
        let certified = certify(block, signatures, self.genesis.params.epoch_length);
        let all = replicas.len() == self.authorities.len();
        for (authority, executed) in replicas {
            authority.ledger().commit(executed, &certified)?;
        }
        if all { Ok(certified) } else { Err(NodeError::Diverged(certified.block.header.height)) }
    }

    /// Makes an empty block at `time`.
    fn empty_block(&self, time: u64, bound: TimeBound) -> Result<(), NodeError> {
        let executed = self.proposer().execute(Vec::new(), time, bound)?;
        self.finish(executed, time, bound)?;
        Ok(())
    }

    /// Moves a manual clock forward by an empty block.
    ///
    /// # Errors
    /// [`NodeError::ManualClock`] if the clock is the system's.
    pub fn advance_time(&self, seconds: u64) -> Result<(), NodeError> {
        if self.clock != Clock::Manual {
            return Err(NodeError::ManualClock);
        }
        let (time, bound) = self.next_time()?;
        self.empty_block(time.saturating_add(seconds), bound)
    }

    /// Makes an empty block if the last one is older than the network's heartbeat. Call it before
    /// proving, so that the anchor's time is fresh. A manual clock needs none.
    ///
    /// # Errors
    /// [`NodeError`] if the network failed.
    pub fn heartbeat(&self) -> Result<(), NodeError> {
        let (time, bound) = self.next_time()?;
        if time - self.tip()?.time >= self.genesis.params.heartbeat {
            self.empty_block(time, bound)?;
        }
        Ok(())
    }

    /// The blocks from a height on; the first block has height 1.
    ///
    /// # Errors
    /// [`NodeError::Ledger`].
    pub fn blocks(&self, from: u64) -> Result<Vec<CertifiedBlock>, NodeError> {
        let view = self.view()?;
        let last = view.tip().map_err(LedgerError::from)?.height;
        (from.max(1)..=last)
            .map(|height| {
                let block = view.block(height).map_err(LedgerError::from)?;
                block.ok_or(NodeError::Diverged(height))
            })
            .collect()
    }

    /// Where the network stands.
    ///
    /// # Errors
    /// [`NodeError::Ledger`].
    pub fn status(&self) -> Result<Standing, NodeError> {
        Ok(Standing {
            chain: self.chain,
            tip: self.tip()?,
            authorities: self.authorities.len(),
            quorum: self.genesis.quorum(),
        })
    }

    /// The proposer's tip.
    ///
    /// # Errors
    /// [`NodeError::Ledger`].
    pub fn tip(&self) -> Result<Tip, NodeError> {
        Ok(self.proposer().ledger().tip()?)
    }

    /// The proposer's committed state, for questions.
    ///
    /// # Errors
    /// [`NodeError::Ledger`].
    pub fn view(&self) -> Result<View, NodeError> {
        Ok(self.proposer().ledger().view()?)
    }

    /// The parent of block 1.
    pub fn genesis_block(&self) -> BlockId {
        BlockId::genesis(&self.chain)
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The chain id.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The authorities, in the order of the genesis.
    pub fn authorities(&self) -> &[Authority] {
        &self.authorities
    }

    /// Every authority's approval of an attestor's admission.
    pub fn approvals(&self, admission: &Admission) -> Vec<Approval> {
        self.authorities.iter().map(|authority| authority.approve(admission)).collect()
    }

    /// Publishes the next sanctions list with the key that a development network stores.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn publish_sanctions(
        &self,
        subjects: Vec<Subject>,
        urgent: bool,
    ) -> Result<Receipt, SubmitError> {
        let key = files::read_publisher(&self.dir, &self.genesis).map_err(NodeError::from)?;
        let current = self.view()?.sanctions().map_err(|error| NodeError::Ledger(error.into()))?;
        let list =
            Sanctions::new(current.version + 1, urgent, subjects).ok_or(NodeError::ListTooLong)?;
        self.submit(&Transaction::PublishSanctions(Signed::new(list, &self.chain, &key)))
    }
}
