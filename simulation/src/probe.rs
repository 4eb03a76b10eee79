//! Stands between the engine and an authority: tells history what is committed, makes liars lie,
//! and plants the bugs that invariants have to find.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use placet_consensus::{Answer, Application, Applied, Environment, Evidence, Fatal};
use placet_node::Node;
use placet_protocol::assertion::SignedAssertion;
use placet_protocol::block::{Block, CertifiedBlock, body_hash};
use placet_protocol::genesis::ChainId;
use placet_protocol::gossip::Gossip;
use placet_protocol::signing::VerifyKey;
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::Transaction;
use placet_protocol::wire::Wire as _;

use crate::bugs;
use crate::history::Commit;
use crate::invariants::Invariant;
use crate::plan::Vice;
use crate::proofs::proof;
use crate::world::World;

/// See the file.
pub struct Probe {
    /// Which host.
    pub host: usize,
    /// The authority.
    pub node: Arc<Node>,
    /// Everything around it.
    pub world: Arc<World>,
    /// How it lies.
    pub vice: Option<Vice>,
    environment: OnceLock<Environment>,
    /// The last entry-bearing block that it saw, for doubling.
    last: Mutex<Option<Arc<Block>>>,
}

impl Probe {
    /// Around a node.
    pub fn new(host: usize, node: Arc<Node>, world: Arc<World>, vice: Option<Vice>) -> Self {
        let (environment, last) = (OnceLock::new(), Mutex::default());
        Self { host, node, world, vice, environment, last }
    }

    fn at(&self) -> u64 {
        let now = self.environment.get().map_or(0, |environment| environment.clock.now_ms());
        self.world.since_start(self.host, now)
    }

    fn lie(&self, vice: Vice, mut block: Block, ancestors: &[Arc<Block>]) -> Block {
        let chain = self.node.ledger().chain();
        let header = &mut block.header;
        let told = match vice {
            Vice::DoubleInBlock | Vice::DoubleAcrossBlocks => {
                let above = ancestors.iter().rev().find(|block| !block.entries.is_empty());
                let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let again = match vice {
                    Vice::DoubleInBlock => block.entries.first().cloned(),
                    _ => above.cloned().or(last).and_then(|from| from.entries.first().cloned()),
                };
                let told = again.is_some();
                block.entries.extend(again);
                header.body = body_hash(&chain, &block.entries);
                told
            }
            Vice::TimeBack => {
                let parent = ancestors.last().map_or(self.node.tip().time, |p| p.header.time);
                header.time = parent.saturating_sub(1);
                true
            }
            Vice::WrongState => {
                header.state[0] ^= 1;
                true
            }
            Vice::WrongBody => {
                header.body[0] ^= 1;
                true
            }
            Vice::WrongValidators => {
                header.validators[0] ^= 1;
                true
            }
            Vice::Blind => block.entries.iter().any(|entry| match &entry.transaction {
                Transaction::Transfer(tx) => proof(&tx.body.public_inputs(&chain)) != tx.proof,
                _ => false,
            }),
            Vice::TimeAhead | Vice::Withholds => true,
            // Told elsewhere.
            Vice::Twins | Vice::Forger => false,
        };
        if told {
            *self.world.history().lies.entry(vice).or_default() += 1;
        }
        block
    }

    /// Spreads garbage about a transaction of which it just heard.
    fn forge(&self, message: &[u8]) {
        let Some(environment) = self.environment.get() else { return };
        let Ok(Gossip::Transaction { transaction, assertions }) = Gossip::from_wire(message) else {
            return;
        };
        let chain = self.node.ledger().chain();
        if let Transaction::Transfer(mut transfer) = transaction.clone() {
            *self.world.history().lies.entry(Vice::Forger).or_default() += 1;
            transfer.proof = ProofBytes([self.host as u8; 128]);
            let transaction = Transaction::Transfer(transfer);
            let copy = Gossip::Transaction { transaction, assertions: assertions.clone() };
            environment.network.broadcast(copy.to_wire().into());
        }
        let key = crate::parties::authority(self.host);
        let forged = assertions.iter().take(4).flat_map(|signed| {
            // In the name of another, and as an own one that is long expired.
            let mut stolen = SignedAssertion::new(signed.assertion.clone(), &chain, &key);
            stolen.authority = signed.authority;
            let mut old = signed.assertion.clone();
            old.expires_at = old.judged_at;
            [stolen, SignedAssertion::new(old, &chain, &key)]
        });
        let forged: Vec<_> = forged.collect();
        if !forged.is_empty() {
            environment.network.broadcast(Gossip::Assertions(forged).to_wire().into());
        }
    }

    fn report(&self, certified: CertifiedBlock) -> Result<(), Fatal> {
        let ledger = self.node.ledger();
        let view = ledger.view().map_err(Fatal::new)?;
        let tip = view.tip().map_err(Fatal::new)?;
        let assets = view.assets().map_err(Fatal::new)?;
        let outstanding: BTreeMap<_, _> =
            assets.iter().map(|asset| (asset.id.to_bytes(), asset.outstanding())).collect();
        let at = self.at();
        let mut commit = Commit {
            host: self.host,
            at,
            clock: self.world.honest_clock(at),
            id: certified.block.header.id(&ledger.chain()),
            certified,
            state: tip.state,
            outstanding,
        };
        if bugs::spoil(self.world.planted, &mut commit) {
            self.world.history().commit(&commit);
        }
        Ok(())
    }
}

impl Application for Probe {
    fn chain(&self) -> ChainId {
        Application::chain(&*self.node)
    }

    fn epoch_length(&self) -> u64 {
        self.node.epoch_length()
    }

    fn applied(&self) -> Applied {
        Application::applied(&*self.node)
    }

    fn validators(&self, epoch: u64) -> Option<Vec<VerifyKey>> {
        self.node.validators(epoch)
    }

    fn connect(&self, environment: Environment) {
        let _ = self.environment.set(environment.clone());
        self.node.connect(environment);
    }

    fn propose(&self, ancestors: Vec<Arc<Block>>) -> Answer<'_, Option<Block>> {
        Box::pin(async move {
            let block = self.node.propose(ancestors.clone()).await?;
            Some(match self.vice {
                Some(vice) => self.lie(vice, block, &ancestors),
                None => block,
            })
        })
    }

    fn verify(
        &self,
        leader: VerifyKey,
        ancestors: Vec<Arc<Block>>,
        block: Arc<Block>,
    ) -> Answer<'_, bool> {
        if self.vice.is_some() && leader == self.node.public() {
            return Box::pin(async { true });
        }
        self.node.verify(leader, ancestors, block)
    }

    fn commit(&self, block: CertifiedBlock) -> Answer<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let fresh = block.block.header.height > Application::applied(&*self.node).height;
            self.node.commit(block.clone()).await?;
            if !block.block.entries.is_empty() {
                let block = Arc::new(block.block.clone());
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(block);
            }
            if fresh && self.vice.is_none() { self.report(block) } else { Ok(()) }
        })
    }

    fn receive(&self, from: VerifyKey, message: Bytes) {
        if self.vice == Some(Vice::Forger) {
            self.forge(&message);
        }
        self.node.receive(from, message);
    }

    fn misbehaviour(&self, evidence: Evidence) {
        if self.world.planted == Some(Invariant::EvidenceRecorded) {
            return;
        }
        if self.vice.is_none() {
            self.world.history().misbehaviour(self.at(), self.host, evidence.clone());
        }
        self.node.misbehaviour(evidence);
    }
}
