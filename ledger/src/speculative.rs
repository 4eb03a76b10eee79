//! Proposing and judging blocks on top of others that are not final yet. Spec §11.
//!
//! A consensus engine asks about a block while its ancestors still wait for their votes. They are
//! executed again in one write transaction, then the block, then everything is forgotten.

use std::sync::{Arc, PoisonError};

use placet_protocol::block::{Block, BlockId, Entry, Header, body_hash, entries_fit};
use placet_protocol::genesis::END_OF_TIME;
use placet_protocol::signing::VerifyKey;
use redb::WriteTransaction;

use crate::authorities::Sitting;
use crate::execute::{Scrutiny, Verdicts, follow};
use crate::ledger::{BadTime, ExecuteError, Ledger, LedgerError, TimeBound, fatal};
use crate::proofs::ProofItem;
use crate::refusal::Refusal;
use crate::screen::{check_forms, screen};
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
    /// More transactions, transfers, weight or bytes than a block may hold.
    #[error(
        "the block holds more than {} transactions, {} transfers, weight {} or {} bytes; refuse it",
        placet_protocol::block::MAX_BLOCK_TRANSACTIONS,
        placet_protocol::block::MAX_BLOCK_TRANSFERS,
        placet_protocol::block::MAX_BLOCK_WEIGHT,
        placet_protocol::block::MAX_BLOCK_BYTES
    )]
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
    /// A proof does not hold. Which one, nobody has looked for.
    #[error("a proof in the block does not verify; refuse it")]
    Proof,
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
        self.prepare(&entries);
        let base = self.on_top_of(ancestors)?.map_err(ExecuteError::Ancestors)?;
        self.check_time(&base.tip, time, bound)?;
        let tip = &base.tip;
        let outcome = self.execute_in(&base.txn, tip, time, entries, Scrutiny::Full)?;
        base.txn.abort().map_err(redb::Error::from).map_err(LedgerError::from)?;
        let header = Header {
            height: tip.height + 1,
            parent: BlockId(tip.block),
            time,
            state: outcome.behind.state,
            body: body_hash(&self.chain(), &outcome.accepted),
            validators: outcome.behind.validators,
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
        let id = header.id(&chain);
        let scrutiny = self.scrutiny_of(&id);
        // Cheap before expensive, and everything before the first proof.
        let mut passed = Vec::new();
        if scrutiny != Scrutiny::StateOnly {
            if let Err((index, refusal)) = check_forms(&chain, header.height, &block.entries) {
                return Ok(Err(BadBlock::Refused { index, refusal }));
            }
            let base = match self.parent_of(block, ancestors, bound)? {
                Ok(base) => base,
                Err(verdict) => return Ok(verdict),
            };
            let items = match self.screen_on(&base, block)? {
                Ok(items) => items,
                Err(bad) => return Ok(Err(bad)),
            };
            // The store is not locked while proofs are verified: they cost most.
            base.txn.abort().map_err(redb::Error::from).map_err(LedgerError::from)?;
            match self.proofs_hold(items)? {
                Some(indices) => passed = indices,
                None => return Ok(Err(BadBlock::Proof)),
            }
            self.prepare(&block.entries);
        }
        // Meanwhile others may have made it final, and this ledger committed it.
        let base = match self.parent_of(block, ancestors, bound)? {
            Ok(base) => base,
            Err(verdict) => return Ok(verdict),
        };
        let verdict = self.follow_on(&base, block, scrutiny, &passed)?;
        if verdict.is_ok() {
            self.remember(id);
        }
        Ok(verdict)
    }

    /// The state that a block is judged on, with the store locked; the verdict where it is settled
    /// or the block's header does not follow its parent's.
    #[allow(clippy::type_complexity)] // a verdict in the place of a state
    fn parent_of(
        &self,
        block: &Block,
        ancestors: &[Arc<Block>],
        bound: TimeBound,
    ) -> Result<Result<Base, Result<(), BadBlock>>, ExecuteError> {
        let header = &block.header;
        let base = match self.on_top_of(ancestors)? {
            Ok(base) => base,
            Err(bad) => return Ok(Err(Err(bad))),
        };
        if let Some(verdict) = self.settled(header)? {
            return Ok(Err(verdict));
        }
        if (header.height, header.parent.0) != (base.tip.height + 1, base.tip.block) {
            return Ok(Err(Err(BadBlock::NotNext)));
        }
        match self.check_time(&base.tip, header.time, bound) {
            Ok(()) => {}
            Err(BadTime::BeforeParent) => return Ok(Err(Err(BadBlock::BeforeParent))),
            Err(BadTime::TooLate) => return Ok(Err(Err(BadBlock::TooLate))),
            Err(no_verdict) => return Err(no_verdict.into()),
        }
        let validators =
            state::validators(&base.txn, self.epoch(header.height)).map_err(LedgerError::from)?;
        if !validators.is_some_and(|validators| validators.contains(&header.proposer)) {
            return Ok(Err(Err(BadBlock::Proposer)));
        }
        Ok(Ok(base))
    }

    /// The transfers that pass every rule before the proof on the state before the block.
    fn screen_on(
        &self,
        base: &Base,
        block: &Block,
    ) -> Result<Result<Vec<(usize, ProofItem)>, BadBlock>, LedgerError> {
        let sitting = Sitting::load(&base.txn)?;
        let context = self.context(&sitting, base.tip.height + 1, block.header.time);
        let screened = screen(&base.txn, &context, &block.entries).map_err(fatal)?;
        Ok(screened.map_err(|(index, refusal)| BadBlock::Refused { index, refusal }))
    }

    /// Whether these proofs hold, all of them; if so, the indices.
    fn proofs_hold(
        &self,
        passed: Vec<(usize, ProofItem)>,
    ) -> Result<Option<Vec<usize>>, LedgerError> {
        let (indices, items): (Vec<_>, Vec<_>) = passed.into_iter().unzip();
        Ok(self.proofs().all_good(&items)?.then_some(indices))
    }

    /// Executes a block and compares what comes out with its header. `proven` are the entries that
    /// passed every rule on the state before it, with their proofs.
    fn follow_on(
        &self,
        base: &Base,
        block: &Block,
        scrutiny: Scrutiny,
        proven: &[usize],
    ) -> Result<Result<(), BadBlock>, LedgerError> {
        let (header, tip) = (&block.header, &base.tip);
        let scrutiny = match scrutiny {
            Scrutiny::StateOnly => Scrutiny::StateOnly,
            _ => Scrutiny::Formed,
        };
        let proofs: Verdicts = proven.iter().map(|index| (*index, true)).collect();
        let sitting = Sitting::load(&base.txn)?;
        let context = self.context(&sitting, tip.height + 1, header.time);
        let (check, entries) = (self.proofs(), &block.entries);
        let done = follow(&base.txn, &context, &tip.state, check, entries, scrutiny, proofs);
        Ok(match done.map_err(fatal)? {
            Err((index, refusal)) => Err(BadBlock::Refused { index, refusal }),
            Ok(behind) if behind.state != header.state => Err(BadBlock::State),
            Ok(behind) if behind.validators != header.validators => Err(BadBlock::Validators),
            Ok(_) => Ok(()),
        })
    }

    /// Judges an ancestor whose height, parent, time and body are in order, with the store locked.
    fn judge_on(&self, base: &Base, block: &Block) -> Result<Result<(), BadBlock>, LedgerError> {
        let header = &block.header;
        let validators = state::validators(&base.txn, self.epoch(header.height))?;
        if !validators.is_some_and(|validators| validators.contains(&header.proposer)) {
            return Ok(Err(BadBlock::Proposer));
        }
        let id = header.id(&self.chain());
        let scrutiny = self.scrutiny_of(&id);
        let mut passed = Vec::new();
        if scrutiny != Scrutiny::StateOnly {
            if let Err((index, refusal)) = check_forms(&self.chain(), header.height, &block.entries)
            {
                return Ok(Err(BadBlock::Refused { index, refusal }));
            }
            let items = match self.screen_on(base, block)? {
                Ok(items) => items,
                Err(bad) => return Ok(Err(bad)),
            };
            match self.proofs_hold(items)? {
                Some(indices) => passed = indices,
                None => return Ok(Err(BadBlock::Proof)),
            }
        }
        let verdict = self.follow_on(base, block, scrutiny, &passed)?;
        if verdict.is_ok() {
            self.remember(id);
        }
        Ok(verdict)
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
            if !sound || self.judge_on(&base, ancestor)?.is_err() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{World, authority_keys};

    #[test]
    fn an_ancestor_at_the_end_of_time_is_not_valid_whatever_its_state() {
        let world = World::memory();
        let ledger = &world.ledger;
        // Right in everything but perhaps its time.
        let block_at = |time| {
            let base = ledger.on_top_of(&[]).unwrap().ok().unwrap();
            let tip = &base.tip;
            let done = ledger.execute_in(&base.txn, tip, time, vec![], Scrutiny::Full).unwrap();
            let header = Header {
                height: tip.height + 1,
                parent: BlockId(tip.block),
                time,
                state: done.behind.state,
                body: body_hash(&ledger.chain(), &[]),
                validators: done.behind.validators,
                proposer: authority_keys()[0].public(),
            };
            Arc::new(Block { header, entries: Vec::new() })
        };
        for (time, bad) in [(END_OF_TIME - 1, None), (END_OF_TIME, Some(BadBlock::Ancestor))] {
            let ancestors = [block_at(time)];
            assert_eq!(ledger.on_top_of(&ancestors).unwrap().err(), bad);
        }
    }
}
