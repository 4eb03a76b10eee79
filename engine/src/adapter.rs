//! The application as the engine calls it: finds what a block builds on, checks what the engine
//! knows better than the application, and computes beside the engine's own tasks.

use std::sync::Arc;

use commonware_codec::Encode as _;
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::{
    Application as EngineApplication, Epochable as _, Heightable as _, Viewable as _,
};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_runtime::{Clock, Metrics, Spawner};
use futures::StreamExt as _;
use futures::future::pending;
use placet_consensus::{Application, Leader};
use placet_protocol::block::{Block, entries_fit};
use placet_protocol::genesis::ChainId;
use placet_protocol::signing::VerifyKey;

use crate::block::{ProposalContext, ProposedBlock};
use crate::keys;
use crate::status::Board;

/// See the file.
#[derive(Clone)]
pub(crate) struct Adapter {
    pub application: Arc<dyn Application>,
    pub chain: ChainId,
    pub own: VerifyKey,
    pub marshal: Mailbox<Scheme, Standard<ProposedBlock>>,
    pub board: Board,
}

/// What lies between the committed tip and a block.
enum Below {
    /// Blocks that are not committed, oldest first.
    Ancestors(Vec<Arc<Block>>),
    /// The tip is no ancestor: another block became final at its height.
    Fork,
    /// Blocks at the parent's height or above were committed meanwhile.
    Overtaken,
    /// The engine is shutting down.
    Gone,
}

impl Adapter {
    /// Walks down from `parent` to the committed tip.
    async fn below(
        &self,
        parent: Digested<ProposedBlock>,
        ancestry: &mut impl Ancestry<ProposedBlock>,
    ) -> Below {
        let tip = self.application.applied();
        let mut ancestors = Vec::new();
        let mut next = parent;
        loop {
            let height = next.height().get();
            if height == tip.height {
                if next.inner().id() != tip.id {
                    return Below::Fork;
                }
                ancestors.reverse();
                return Below::Ancestors(ancestors);
            }
            if height < tip.height {
                return Below::Overtaken;
            }
            ancestors.push(next.inner().block().clone());
            match ancestry.next().await {
                Some(below) => next = below,
                None => return Below::Gone,
            }
        }
    }

    /// Whether the application's block is one that the others can accept.
    fn continues(&self, parent: &ProposedBlock, block: &Block) -> bool {
        let header = &block.header;
        Some(header.height) == parent.header().height.checked_add(1)
            && header.parent == parent.id()
            && header.proposer == self.own
            && entries_fit(&block.entries)
    }
}

impl<E: Spawner + Clock + Metrics> EngineApplication<E> for Adapter {
    type SigningScheme = Scheme;
    type Context = ProposalContext;
    type Block = ProposedBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, context): (E, ProposalContext),
        mut ancestry: impl Ancestry<ProposedBlock>,
        (): (),
    ) -> Option<Digested<ProposedBlock>> {
        let parent = ancestry.next().await?;
        let Below::Ancestors(ancestors) = self.below(parent.clone(), &mut ancestry).await else {
            return None;
        };
        self.board.leads(Leader { view: context.view().get(), key: self.own });
        let application = self.application.clone();
        let block = runtime
            .child("propose")
            .shared(true)
            .spawn(move |_| async move { application.propose(ancestors).await })
            .abort_on_drop()
            .join()
            .await
            .ok()??;
        if !self.continues(parent.inner(), &block) {
            tracing::error!(
                height = block.header.height,
                "the application proposed a block that does not continue its parent; turn skipped"
            );
            return None;
        }
        let proposed = ProposedBlock::new(&self.chain, context, block);
        tracing::debug!(height = proposed.header().height, id = %proposed.id(), "proposing");
        let digest = proposed.digest();
        Some(Digested::precomputed(proposed, digest))
    }

    async fn verify(
        &mut self,
        (runtime, context): (E, ProposalContext),
        mut ancestry: impl Ancestry<ProposedBlock>,
    ) -> bool {
        // The stream ends early only while the engine shuts down; no verdict is better then.
        let Some(proposed) = ancestry.next().await else { return pending().await };
        let Some(parent) = ancestry.next().await else { return pending().await };
        let header = proposed.inner().header();
        let Some(leader) = keys::verify_key(&context.leader) else { return false };
        let follows = Some(header.height) == parent.inner().header().height.checked_add(1)
            && header.parent == parent.inner().id();
        // A boundary block that is proposed again by another leader does not come here: it was
        // judged in the view of its author.
        if !follows || header.proposer != leader {
            tracing::warn!(height = header.height, %leader, "a proposal does not fit its place");
            return false;
        }
        self.board.leads(Leader { view: context.view().get(), key: leader });
        loop {
            if header.height <= self.application.applied().height {
                // Final already: right if it is that block, and otherwise it never will be.
                return match self.marshal.get_block(proposed.height()).await {
                    Some(last) => last.digest() == proposed.digest(),
                    None => pending().await,
                };
            }
            let ancestors = match self.below(parent.clone(), &mut ancestry.clone()).await {
                Below::Ancestors(ancestors) => ancestors,
                Below::Fork => return false,
                Below::Overtaken => continue,
                Below::Gone => return pending().await,
            };
            let application = self.application.clone();
            let block = proposed.inner().block().clone();
            let verdict = runtime
                .child("verify")
                .shared(true)
                .spawn(move |_| async move { application.verify(leader, ancestors, block).await })
                .abort_on_drop()
                .join()
                .await;
            return match verdict {
                Ok(verdict) => {
                    if !verdict {
                        tracing::warn!(
                            height = header.height, %leader, epoch = context.epoch().get(),
                            context = ?context.encode(), "a proposal is invalid"
                        );
                    }
                    verdict
                }
                // The task was stopped, so there is no verdict.
                Err(_) => pending().await,
            };
        }
    }
}
