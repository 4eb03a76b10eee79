//! Proposing and judging blocks on top of others that are not final yet. Spec §11.
//!
//! A consensus engine asks about a block while its ancestors still wait for their votes. They are
//! executed again in one write transaction, then the block, then everything is forgotten.

use std::sync::{Arc, PoisonError};

use placet_protocol::block::{Block, BlockId, Entry, Header, body_hash, entries_fit};
use placet_protocol::genesis::END_OF_TIME;
use placet_protocol::signing::VerifyKey;
use redb::WriteTransaction;

use crate::execute::{Scrutiny, Verdicts, verdicts};
use crate::ledger::{BadTime, ExecuteError, Ledger, LedgerError, TimeBound};
use crate::refusal::Refusal;
use crate::state::{self, Tip};

/// A block made for proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The block; its entries are those that were executed.
    pub block: Block,
    /// What was left out, by index in the list given.
    pub refused: Vec<(usize, Refusal)>,
}

/// Why a block is not valid, for good: every honest validator comes to the same verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBlock {
    /// The ancestors do not lead from this ledger's chain to the block.
    #[error("the block's ancestors do not continue this ledger's chain; refuse it")]
    Fork,
    /// An ancestor is not valid.
    #[error("an ancestor of the block is not valid; refuse both")]
    Ancestor,
    /// Not the height or the parent that follows.
    #[error("the block does not follow its parent; refuse it")]
    NotNext,
    /// The proposer is no validator of the epoch.
    #[error("the block's proposer is no validator of its epoch; refuse it")]
    Proposer,
    /// Before the parent's time.
    #[error("the block is earlier than the one before it; refuse it")]
    BeforeParent,
    /// At or beyond `2^40 - 2^22`.
    #[error("the block's time is beyond what transfers can express; refuse it")]
    TooLate,
    /// More than a block may hold.
    #[error("the block holds more than a block may hold; refuse it")]
    TooLarge,
    /// Other entries than the header commits to.
    #[error("the block's transactions are not those of its header; refuse it")]
    Body,
    /// A transaction breaks a rule.
    #[error("transaction {index} of the block breaks a rule: {refusal}")]
    Refused {
        /// Place in the block, from 0.
        index: usize,
        /// The rule.
        refusal: Refusal,
    },
    /// Another state than execution leads to.
    #[error("the block's state hash is not what its execution gives; refuse it")]
    State,
    /// Other keys than those that sit behind it.
    #[error("the block names other authorities than those behind it; refuse it")]
    Validators,
}

/// An uncommitted state with the block that leads to it.
struct Base {
    txn: WriteTransaction,
    tip: Tip,
}

impl Ledger {
    /// Makes a block of those entries that are valid on top of `ancestors`, oldest first and the
    /// parent last; none if the parent is the tip. Ancestors at or below the tip are passed over.
    /// Nothing is written. Waits while an execution is held.
    ///
    /// # Errors
    /// [`ExecuteError`]; [`ExecuteError::Ancestors`] if they do not lead from this chain.
    pub fn propose_on(
        &self,
        ancestors: &[Arc<Block>],
        entries: Vec<Entry>,
        time: u64,
        bound: TimeBound,
        proposer: VerifyKey,
    ) -> Result<Proposed, ExecuteError> {
        if !entries_fit(&entries) {
            return Err(ExecuteError::BlockTooLarge);
        }
        let base = self.on_top_of(ancestors)?.map_err(ExecuteError::Ancestors)?;
        self.check_time(&base.tip, time, bound)?;
        let (known, tip) = (Verdicts::new(), &base.tip);
        let outcome = self.execute_in(&base.txn, tip, time, entries, Scrutiny::Full, known)?;
        base.txn.abort().map_err(redb::Error::from).map_err(LedgerError::from)?;
        let header = Header {
            height: tip.height + 1,
            parent: BlockId(tip.block),
            time,
            state: outcome.state,
            body: body_hash(&self.chain(), &outcome.accepted),
            validators: outcome.validators,
            proposer,
        };
        self.remember(header.id(&self.chain()));
        Ok(Proposed {
            block: Block { header, entries: outcome.accepted },
            refused: outcome.refused,
        })
    }

    /// Judges a block on top of `ancestors`, oldest first and the parent last; none if the parent
    /// is the tip. The verdict depends on the block and its ancestors alone: of `bound` only the
    /// latest time counts, and a block beyond it gets no verdict. Nothing is written. Waits while an
    /// execution is held.
    ///
    /// # Errors
    /// [`ExecuteError::Time`] with [`BadTime::AheadOfClock`] for a block ahead of the clock: ask
    /// again later. Others say that nothing could be found out.
    pub fn verify_on(
        &self,
        ancestors: &[Arc<Block>],
        block: &Block,
        bound: TimeBound,
    ) -> Result<Result<(), BadBlock>, ExecuteError> {
        let bound = match bound {
            TimeBound::Within { latest, .. } => TimeBound::Until { latest },
            other => other,
        };
        let (chain, header) = (self.chain(), &block.header);
        if !entries_fit(&block.entries) {
            return Ok(Err(BadBlock::TooLarge));
        }
        if header.body != body_hash(&chain, &block.entries) {
            return Ok(Err(BadBlock::Body));
        }
        if let Some(verdict) = self.settled(header)? {
            return Ok(verdict);
        }
        // Proofs before the store is locked: they cost most.
        let id = header.id(&chain);
        let scrutiny = self.scrutiny_of(&id);
        let known = match scrutiny {
            Scrutiny::Full => {
                verdicts(self.proofs(), &chain, &block.entries).map_err(LedgerError::from)?
            }
            _ => Verdicts::new(),
        };
        let base = match self.on_top_of(ancestors)? {
            Ok(base) => base,
            Err(bad) => return Ok(Err(bad)),
        };
        // Others may have made it final, and this ledger committed it, while proofs were verified.
        // The store is locked from here on.
        if let Some(verdict) = self.settled(header)? {
            return Ok(verdict);
        }
        if (header.height, header.parent.0) != (base.tip.height + 1, base.tip.block) {
            return Ok(Err(BadBlock::NotNext));
        }
        match self.check_time(&base.tip, header.time, bound) {
            Ok(()) => {}
            Err(BadTime::BeforeParent) => return Ok(Err(BadBlock::BeforeParent)),
            Err(BadTime::TooLate) => return Ok(Err(BadBlock::TooLate)),
            Err(no_verdict) => return Err(no_verdict.into()),
        }
        let verdict = self.judge_on(&base, block, scrutiny, known)?;
        if verdict.is_ok() {
            self.remember(id);
        }
        Ok(verdict)
    }

    /// Executes a block and compares what comes out with its header.
    fn judge_on(
        &self,
        base: &Base,
        block: &Block,
        scrutiny: Scrutiny,
        known: Verdicts,
    ) -> Result<Result<(), BadBlock>, LedgerError> {
        let header = &block.header;
        let validators = state::validators(&base.txn, self.epoch(header.height))?;
        if !validators.is_some_and(|validators| validators.contains(&header.proposer)) {
            return Ok(Err(BadBlock::Proposer));
        }
        let entries = block.entries.clone();
        let outcome =
            self.execute_in(&base.txn, &base.tip, header.time, entries, scrutiny, known)?;
        Ok(if let Some(&(index, refusal)) = outcome.refused.first() {
            Err(BadBlock::Refused { index, refusal })
        } else if outcome.state != header.state {
            Err(BadBlock::State)
        } else if outcome.validators != header.validators {
            Err(BadBlock::Validators)
        } else {
            Ok(())
        })
    }

    /// A write transaction, never to be committed, with the state behind the last of `ancestors`.
    fn on_top_of(&self, ancestors: &[Arc<Block>]) -> Result<Result<Base, BadBlock>, LedgerError> {
        let chain = self.chain();
        let txn = self.write()?;
        let mut base = Base { tip: state::tip(&txn)?, txn };
        let committed = base.tip.height;
        for ancestor in ancestors {
            let header = &ancestor.header;
            let id = header.id(&chain);
            if header.height <= committed {
                // The height of this write transaction's tip and all below it are final.
                if self.committed(header.height)? != Some(id) {
                    return Ok(Err(BadBlock::Fork));
                }
                continue;
            }
            if (header.height, header.parent.0) != (base.tip.height + 1, base.tip.block) {
                return Ok(Err(BadBlock::Fork));
            }
            // The id vouches for the entries only if they are the header's.
            let sound = header.time >= base.tip.time
                && header.time < END_OF_TIME
                && entries_fit(&ancestor.entries)
                && header.body == body_hash(&chain, &ancestor.entries);
            let scrutiny = self.scrutiny_of(&id);
            if !sound || self.judge_on(&base, ancestor, scrutiny, Verdicts::new())?.is_err() {
                return Ok(Err(BadBlock::Ancestor));
            }
            base.tip =
                Tip { height: header.height, time: header.time, block: id.0, state: header.state };
        }
        Ok(Ok(base))
    }

    /// The verdict on a block at a height that is committed; `None` above the tip.
    fn settled(&self, header: &Header) -> Result<Option<Result<(), BadBlock>>, LedgerError> {
        if header.height > self.tip()?.height {
            return Ok(None);
        }
        let same = self.committed(header.height)? == Some(header.id(&self.chain()));
        Ok(Some(if same { Ok(()) } else { Err(BadBlock::Fork) }))
    }

    /// The id of the committed block at a height.
    fn committed(&self, height: u64) -> Result<Option<BlockId>, LedgerError> {
        if height == 0 {
            return Ok(Some(BlockId::genesis(&self.chain())));
        }
        let tip = self.tip()?;
        if tip.height == height {
            return Ok(Some(BlockId(tip.block)));
        }
        Ok(self.block(height)?.map(|block| block.block.header.id(&self.chain())))
    }

    /// How closely a block has to be looked at whose entries are those of its header.
    pub(crate) fn scrutiny_of(&self, id: &BlockId) -> Scrutiny {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.contains(id) { Scrutiny::StateOnly } else { Scrutiny::Full }
    }

    fn remember(&self, id: BlockId) {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }
}
