//! The network of a data directory: embedded in this command, or nodes behind HTTP. Commands need
//! not know which.

use placet_protocol::block::{CertifiedBlock, body_hash};
use placet_protocol::finality::epoch_of;
use placet_protocol::genesis::{ChainId, Genesis, PinnedCircuit};
use placet_protocol::receipt::Receipt;
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use placet_wallet::client::{Client, Progress as Step};
use placet_wallet::issuer::Watch;
use placet_wallet::network::{Network, NetworkError, Status, SubmitError, Submitted};
use placet_wallet::view::{self, Tip};

use crate::app::App;
use crate::fail::{Failure, Result};
use crate::local::{Local, node_failure};
use crate::nodes::Nodes;
use crate::refusals::sync_failure;

/// An open network.
pub enum Chain {
    /// Four authorities in this process.
    Local(Box<Local>),
    /// Nodes elsewhere.
    Nodes(Box<Nodes>),
}

impl Chain {
    /// The genesis that the user trusts.
    pub fn genesis(&self) -> &Genesis {
        match self {
            Self::Local(local) => local.node().genesis(),
            Self::Nodes(nodes) => nodes.genesis(),
        }
    }

    /// The chain id.
    pub fn id(&self) -> ChainId {
        self.genesis().chain_id()
    }

    fn network(&self) -> &dyn Network {
        match self {
            Self::Local(local) => &**local,
            Self::Nodes(nodes) => &**nodes,
        }
    }

    /// Makes a block if the last one is too old to prove against; running authorities make one in
    /// time by themselves.
    pub fn freshen(&self) -> Result<()> {
        match self {
            Self::Local(local) => local.freshen(),
            Self::Nodes(_) => Ok(()),
        }
    }

    /// Sends a transaction that carries no proof and waits until it is final.
    pub fn execute(&self, transaction: &Transaction) -> Result<Submitted> {
        match self {
            Self::Local(local) => local.execute(transaction),
            Self::Nodes(nodes) => nodes.execute(transaction),
        }
    }

    /// The prover of one of this network's circuits.
    pub fn prover(&self, circuit: &PinnedCircuit) -> Result<Prover<Transfer>> {
        match self {
            Self::Local(local) => local.prover(circuit),
            Self::Nodes(nodes) => nodes.prover(circuit),
        }
    }

    /// What everybody sees of the network, up to its newest block, each of which was checked.
    pub fn public(&self, app: &App) -> Result<Client<Watch>> {
        let path = match self {
            Self::Local(_) => app.data.network().join("public.redb"),
            Self::Nodes(_) => app.data.remote().join("public.redb"),
        };
        let mut client = Client::open(&path, self.genesis(), Watch)?;
        let task = app.progress.bar("following the ledger");
        let mut show = |step: Step| task.at(step.height, step.of);
        client.sync(self.network(), &mut show).map_err(|error| sync_failure(self, error))?;
        Ok(client)
    }

    /// The newest block, checked.
    pub fn tip(&self, app: &App) -> Result<Tip> {
        Ok(self.public(app)?.tip()?)
    }

    /// A final block, checked; `None` above the tip.
    pub fn block(&self, public: &Client<Watch>, height: u64) -> Result<Option<CertifiedBlock>> {
        if height == 0 || height > public.tip()?.height {
            return Ok(None);
        }
        let mut found = self.blocks(height, 1).map_err(|error| self.network_failure(&error))?;
        let Some(block) = found.pop() else { return Ok(None) };
        let (chain, length) = (self.id(), self.genesis().params.epoch_length);
        let network = view::Network::new(self.genesis());
        let validators = view::validators(&public.read()?, &network, epoch_of(height, length))?;
        let whole = body_hash(&chain, &block.block.entries) == block.block.header.body;
        if block.block.header.height != height || !whole {
            return Err(unshown("the node's block is not the one that was asked for"));
        }
        block.check(&chain, &validators, length).map_err(unshown)?;
        Ok(Some(block))
    }

    /// The receipt of a transaction, checked against the genesis; `None` if it is not final.
    pub fn receipt(&self, id: TxId) -> Result<Option<Receipt>> {
        match self {
            Self::Local(local) => {
                let view = local.node().view().map_err(|error| node_failure(&error))?;
                Ok(view.receipt(id)?)
            }
            Self::Nodes(nodes) => {
                nodes.remote().receipt(id).map_err(|error| self.network_failure(&error))
            }
        }
    }

    /// The authorities' keys where a development network stores them for this command.
    pub fn authority_keys(&self) -> Result<Option<Vec<SigningKey>>> {
        match self {
            Self::Local(local) => local.authority_keys().map(Some),
            Self::Nodes(nodes) => nodes.authority_keys(),
        }
    }

    /// The key that signs sanctions lists, where a development network stores it.
    pub fn publisher(&self) -> Result<Option<SigningKey>> {
        match self {
            Self::Local(local) => local.publisher().map(Some),
            Self::Nodes(nodes) => nodes.publisher(),
        }
    }

    /// A failed question, with what is known about the reason.
    pub fn network_failure(&self, error: &NetworkError) -> Failure {
        match self {
            Self::Local(local) => local.network_failure(error),
            Self::Nodes(nodes) => nodes.network_failure(error),
        }
    }
}

fn unshown(why: impl ToString) -> Failure {
    Failure::new(
        crate::fail::Exit::Evidence,
        "not-final",
        why.to_string(),
        "ask another node: name several with --node",
    )
}

impl Network for Chain {
    fn genesis(&self) -> std::result::Result<Genesis, NetworkError> {
        self.network().genesis()
    }
    fn status(&self) -> std::result::Result<Status, NetworkError> {
        self.network().status()
    }
    fn blocks(
        &self,
        from: u64,
        max: usize,
    ) -> std::result::Result<Vec<CertifiedBlock>, NetworkError> {
        self.network().blocks(from, max)
    }
    fn submit(&self, transaction: &Transaction) -> std::result::Result<Submitted, SubmitError> {
        self.network().submit(transaction)
    }
    fn distrust(&self) -> bool {
        self.network().distrust()
    }
}
