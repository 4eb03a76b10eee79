//! The node as the consensus engine sees it: what it proposes, how it judges the proposals of
//! others, and what it does with final blocks. Spec §9, §11; decision 20.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::select;
use placet_consensus::{Answer, Application, Applied, Environment, Evidence, Fatal, Fault};
use placet_ledger::{BadTime, ExecuteError, TimeBound};
use placet_protocol::api;
use placet_protocol::block::{Block, CertifiedBlock, MAX_BLOCK_BYTES, MAX_BLOCK_TRANSFERS};
use placet_protocol::genesis::ChainId;
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::TxId;

use crate::inbox::Source;
use crate::node::{Item, Node, sitting};

/// Seconds by which a block may lie ahead of a validator's clock.
pub const DRIFT: u64 = 10;
/// Most transfers in an own proposal.
const MOST_PROPOSED: usize = MAX_BLOCK_TRANSFERS;
/// Most bytes of transactions in an own proposal.
const BYTES_PROPOSED: usize = MAX_BLOCK_BYTES - 64 * 1024;
/// Longest wait for the clock between two looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// Whether a block without transactions may follow a parent of this time. A function of both
/// blocks alone: everybody comes to the same answer.
pub fn may_be_empty(parent_time: u64, time: u64, heartbeat: u64) -> bool {
    time >= parent_time.saturating_add(heartbeat)
}

impl Node {
    async fn make_proposal(&self, ancestors: Vec<Arc<Block>>) -> Option<Block> {
        let (_, time) = self.environment.get()?;
        let began = time.millis();
        let patience = self.settings.patience;
        let (parent_height, parent_time) = match ancestors.last() {
            Some(parent) => (parent.header.height, parent.header.time),
            None => (self.tip().height, self.tip().time),
        };
        let chain = self.ledger.chain();
        let above: BTreeSet<TxId> = ancestors
            .iter()
            .flat_map(|block| &block.entries)
            .map(|entry| entry.transaction.id(&chain))
            .collect();
        let heartbeat = self.ledger.genesis().params.heartbeat;
        // What did not go into a block on top of this parent will not go into it later.
        let mut passed_over = above;
        let mut gathered = false;
        loop {
            let mut changes = self.ready.subscribe();
            let entries = {
                let state = self.state();
                let height = parent_height + 1;
                let (count, bytes) = (MOST_PROPOSED, BYTES_PROPOSED);
                state.mempool.ready(height, &state.sitting, &passed_over, count, bytes)
            };
            let now = time.seconds().max(parent_time);
            let due = may_be_empty(parent_time, now, heartbeat);
            if !entries.is_empty() && !gathered {
                // Others that came together with the first share its block.
                gathered = true;
                time.sleep(self.settings.gather).await;
                continue;
            }
            if !entries.is_empty() || due {
                let ids: Vec<_> = entries.iter().map(|e| e.transaction.id(&chain)).collect();
                let bound = TimeBound::Until { latest: now };
                let key = self.public();
                let made = self.ledger.propose_on(&ancestors, entries, now, bound, key);
                match made {
                    Ok(made) => {
                        for (index, refusal) in &made.refused {
                            tracing::debug!(transaction = %ids[*index], code = refusal.code(),
                                "left out of a proposal");
                        }
                        if due || !made.block.entries.is_empty() {
                            return Some(made.block);
                        }
                        passed_over.extend(ids);
                    }
                    Err(ExecuteError::Ledger(error)) => {
                        self.fail(&error);
                        return None;
                    }
                    // The chain moved on meanwhile, or time ends.
                    Err(error) => {
                        tracing::debug!(%error, "no proposal");
                        return None;
                    }
                }
            }
            let spent = Duration::from_millis(time.millis().saturating_sub(began));
            let left = patience.checked_sub(spent).filter(|left| !left.is_zero())?;
            let beat = Duration::from_secs((parent_time + heartbeat).saturating_sub(now));
            let pause = time.sleep(left.min(beat.max(Duration::from_millis(50))));
            select(std::pin::pin!(changes.changed()), pause).await;
        }
    }

    async fn judge_proposal(&self, ancestors: Vec<Arc<Block>>, block: Arc<Block>) -> bool {
        let Some((_, time)) = self.environment.get() else {
            return std::future::pending().await;
        };
        let parent_time = match ancestors.last() {
            Some(parent) => parent.header.time,
            None => match self.time_of(block.header.height.saturating_sub(1)) {
                Ok(time) => time,
                Err(error) => {
                    self.fail(&error);
                    return std::future::pending().await;
                }
            },
        };
        let heartbeat = self.ledger.genesis().params.heartbeat;
        let (height, leader) = (block.header.height, block.header.proposer);
        if block.entries.is_empty() && !may_be_empty(parent_time, block.header.time, heartbeat) {
            tracing::warn!(height, %leader, "an empty block before its time is refused");
            return false;
        }
        loop {
            let latest = time.seconds().saturating_add(DRIFT);
            let began = time.millis();
            match self.ledger.verify_on(&ancestors, &block, TimeBound::Until { latest }) {
                Ok(verdict) => {
                    let took = time.millis().saturating_sub(began);
                    self.metrics.judged(Duration::from_millis(took));
                    if let Err(bad) = verdict {
                        tracing::warn!(height, %leader, reason = %bad, "a proposed block is refused");
                    }
                    return verdict.is_ok();
                }
                // It may become right, so there is no verdict yet.
                Err(ExecuteError::Time(BadTime::AheadOfClock)) => {
                    let ahead = block.header.time.saturating_sub(latest).max(1);
                    tracing::warn!(height, %leader, seconds = ahead, "a block is ahead of the clock");
                    time.sleep(Duration::from_secs(ahead).min(LOOK)).await;
                }
                Err(error) => {
                    self.fail(&error);
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Time of a committed block; of the tip for a height above it.
    fn time_of(&self, height: u64) -> Result<u64, placet_ledger::LedgerError> {
        let tip = self.tip();
        if height >= tip.height {
            return Ok(tip.time);
        }
        match self.ledger.block(height)? {
            Some(block) => Ok(block.block.header.time),
            None => Ok(self.ledger.genesis().time),
        }
    }

    fn apply(&self, block: &CertifiedBlock) -> Result<(), Fatal> {
        let header = &block.block.header;
        if header.height <= self.tip().height {
            return Ok(());
        }
        let now = self.environment.get().map_or(0, |(_, time)| time.millis());
        self.ledger.apply(block).map_err(Fatal::new)?;
        let view = self.ledger.view().map_err(Fatal::new)?;
        let sitting = sitting(&view).map_err(Fatal::new)?;
        let tip = view.tip().map_err(Fatal::new)?;
        let chain = self.ledger.chain();
        {
            let mut state = self.state();
            state.tip = tip;
            state.sitting = sitting;
            for entry in &block.block.entries {
                state.executed(entry.transaction.id(&chain), now);
            }
        }
        let then = self.environment.get().map_or(0, |(_, time)| time.millis());
        self.metrics.committed(Duration::from_millis(then.saturating_sub(now)));
        self.metrics.included(block.block.entries.len());
        tracing::info!(
            height = header.height,
            transactions = block.block.entries.len(),
            proposer = %header.proposer,
            "block committed"
        );
        self.height.send_replace(tip.height);
        self.touch();
        self.wake.notify_one();
        Ok(())
    }
}

impl Application for Node {
    fn chain(&self) -> ChainId {
        self.ledger.chain()
    }

    fn epoch_length(&self) -> u64 {
        self.ledger.genesis().params.epoch_length
    }

    fn applied(&self) -> Applied {
        Node::applied(self)
    }

    fn validators(&self, epoch: u64) -> Option<Vec<VerifyKey>> {
        match self.ledger.validators(epoch) {
            Ok(validators) => validators.map(|validators| validators.keys().to_vec()),
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    fn connect(&self, environment: Environment) {
        self.set_environment(environment);
    }

    fn propose(&self, ancestors: Vec<Arc<Block>>) -> Answer<'_, Option<Block>> {
        Box::pin(self.make_proposal(ancestors))
    }

    fn verify(
        &self,
        _leader: VerifyKey,
        ancestors: Vec<Arc<Block>>,
        block: Arc<Block>,
    ) -> Answer<'_, bool> {
        Box::pin(self.judge_proposal(ancestors, block))
    }

    fn commit(&self, block: CertifiedBlock) -> Answer<'_, Result<(), Fatal>> {
        Box::pin(async move { self.apply(&block).inspect_err(|error| self.fail(error)) })
    }

    fn receive(&self, from: VerifyKey, message: Bytes) {
        let size = message.len();
        let pushed = self.state().inbox.push(Source::Peer(from), size, Item::Message(message));
        match pushed {
            Ok(()) => self.wake.notify_one(),
            Err(_) => self.metrics.dropped(),
        }
    }

    fn misbehaviour(&self, evidence: Evidence) {
        let kind = match evidence.kind {
            Fault::ConflictingNotarize => "conflicting-notarize",
            Fault::ConflictingFinalize => "conflicting-finalize",
            Fault::NullifyFinalize => "nullify-finalize",
        };
        let evidence = api::Evidence {
            culprit: evidence.culprit,
            kind: kind.to_owned(),
            epoch: evidence.epoch,
            view: evidence.view,
            proof: hex::encode(&evidence.proof),
        };
        match self.store.accuse(&evidence) {
            Ok(true) => {
                self.metrics.evidence();
                tracing::error!(culprit = %evidence.culprit, kind, epoch = evidence.epoch,
                    view = evidence.view, "an authority contradicted itself");
            }
            Ok(false) => {}
            Err(error) => self.fail(&error),
        }
    }
}
