//! A network behind HTTP: several nodes, none of which is trusted. Spec §13.
//!
//! What a node says about blocks is checked by the view, what it says about a transaction's end by
//! a receipt; a refusal is believed only if every node answers and none says otherwise. A node that is
//! silent rests for a while, one that was caught lying is asked nothing more.

mod follow;
mod http;
mod opinion;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use placet_protocol::api::{self, path};
use placet_protocol::block::{BlockId, CertifiedBlock};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::receipt::Receipt;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::{Reader, Wire};

pub use http::{BadUrl, Bounds, NodeUrl};
pub use opinion::Opinion;

use crate::network::{Network, NetworkError, Status, SubmitError, Submitted};
use http::{Http, JSON};

/// Time for waiting; a library has none of its own.
pub trait Timer {
    /// Since some moment.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// How patient a wallet is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One request.
    pub bounds: Bounds,
    /// Between two questions about a transaction.
    pub pause: Duration,
    /// Until every node is asked about a transaction, not only the one that took it.
    pub everybody: Duration,
    /// For a transaction to become final or be refused.
    pub decision: Duration,
    /// For any node to answer.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            pause: Duration::from_millis(200),
            everybody: Duration::from_secs(3),
            decision: Duration::from_secs(180),
            silence: Duration::from_secs(15),
        }
    }
}

/// Why a node's answer was of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// None, or too slow, or too long.
    #[error("gives no whole answer")]
    Silent,
    /// It has too much to do.
    #[error("is busy")]
    Busy,
    /// Not the form that version 1 has.
    #[error("answers what cannot be understood: it may run another version")]
    Malformed,
    /// Its genesis has another hash.
    #[error("runs another network")]
    OtherNetwork,
    /// Its blocks were refused.
    #[error("sent blocks that are not final: not trusted any more")]
    Forged,
    /// Its receipt does not hold.
    #[error("claims an end of a transaction that it cannot show: not trusted any more")]
    BadReceipt,
}

impl Trouble {
    /// Whether the node is asked nothing more.
    fn is_final(self) -> bool {
        matches!(self, Self::OtherNetwork | Self::Forged | Self::BadReceipt)
    }
}

#[derive(Debug)]
struct Node {
    url: NodeUrl,
    /// Whether its genesis was seen to be ours.
    known: Cell<bool>,
    trouble: Cell<Option<Trouble>>,
    /// Failures in a row.
    failures: Cell<u32>,
    /// Time before which others are preferred.
    rests_until: Cell<Duration>,
}

/// A network of nodes.
pub struct Remote {
    genesis: Genesis,
    chain: ChainId,
    nodes: Vec<Node>,
    /// The one that answered last.
    preferred: Cell<usize>,
    /// The one whose blocks were passed on last.
    source: Cell<Option<usize>>,
    http: Http,
    patience: Patience,
    timer: Box<dyn Timer>,
    /// What authorities said about the transaction that was followed last.
    opinions: RefCell<Vec<Opinion>>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("chain", &self.chain).field("nodes", &self.nodes).finish()
    }
}

impl Remote {
    /// The network of a genesis that the user trusts, behind these nodes.
    pub fn new(
        genesis: Genesis,
        nodes: impl IntoIterator<Item = NodeUrl>,
        patience: Patience,
        timer: Box<dyn Timer>,
    ) -> Self {
        let node = |url| Node {
            url,
            known: Cell::new(false),
            trouble: Cell::new(None),
            failures: Cell::new(0),
            rests_until: Cell::new(Duration::ZERO),
        };
        Self {
            chain: genesis.chain_id(),
            genesis,
            nodes: nodes.into_iter().map(node).collect(),
            preferred: Cell::new(0),
            source: Cell::new(None),
            http: Http::new(patience.bounds),
            patience,
            timer,
            opinions: RefCell::default(),
        }
    }

    /// Waits for a decision about a transaction no longer than this.
    pub fn hurry(&mut self, decision: Duration) {
        self.patience.decision = decision;
    }

    /// The chain.
    pub fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// What was wrong with which node, as far as it is known now.
    pub fn troubles(&self) -> Vec<(NodeUrl, Trouble)> {
        let one = |node: &Node| Some((node.url.clone(), node.trouble.get()?));
        self.nodes.iter().filter_map(one).collect()
    }

    /// What authorities said about the transaction that was followed last.
    pub fn opinions(&self) -> Vec<Opinion> {
        self.opinions.borrow().clone()
    }

    /// Where each node says that it stands.
    pub fn standings(&self) -> Vec<(NodeUrl, Result<api::Status, Trouble>)> {
        let ask = |index: usize| {
            let node = &self.nodes[index];
            (node.url.clone(), self.note(index, self.standing(node)))
        };
        (0..self.nodes.len()).map(ask).collect()
    }

    /// The receipt of a transaction, checked against the genesis; `None` if it is not final.
    ///
    /// # Errors
    /// [`NetworkError`] if no node answers.
    pub fn receipt(&self, id: TxId) -> Result<Option<Receipt>, NetworkError> {
        let mut missing = false;
        for index in self.order() {
            match self.note(index, self.fetch_receipt(&self.nodes[index], id)) {
                Ok(Some(receipt)) => return Ok(Some(receipt)),
                // One that lags has it later than others.
                Ok(None) => missing = true,
                Err(_) => {}
            }
        }
        if missing { Ok(None) } else { Err(self.failure()) }
    }

    /// Moves the clocks of a development network's nodes forward. Every node is asked, for a block's
    /// time is its proposer's; says how many did it.
    ///
    /// # Errors
    /// [`NetworkError`] if none did.
    pub fn advance(&self, seconds: u64) -> Result<usize, NetworkError> {
        let body =
            serde_json::to_vec(&api::Advance { seconds }).expect("a number is always serialised");
        let mut moved = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            let reply = self.http.post(&node.url, path::DEV_CLOCK, "application/json", &body);
            let answer = match reply {
                Some(reply) if (200..300).contains(&reply.status) => Ok(()),
                Some(_) => Err(Trouble::Malformed),
                None => Err(Trouble::Silent),
            };
            moved += usize::from(self.note(index, answer).is_ok());
        }
        if moved > 0 { Ok(moved) } else { Err(self.failure()) }
    }

    /// Nodes to ask, the best first; those that rest come last, and liars not at all.
    fn order(&self) -> Vec<usize> {
        let count = self.nodes.len();
        let first = self.preferred.get();
        let mut order: Vec<_> = (0..count).map(|i| (first + i) % count).collect();
        order.retain(|i| !self.nodes[*i].trouble.get().is_some_and(Trouble::is_final));
        let now = self.timer.elapsed();
        order.sort_by_key(|i| {
            let until = self.nodes[*i].rests_until.get();
            if until > now { until } else { Duration::ZERO }
        });
        order
    }

    /// Remembers how a node did.
    fn note<T>(&self, index: usize, answer: Result<T, Trouble>) -> Result<T, Trouble> {
        let node = &self.nodes[index];
        // Once caught, always caught: a good answer to another question clears nobody.
        if node.trouble.get().is_some_and(Trouble::is_final) {
            return answer;
        }
        match &answer {
            Ok(_) => {
                node.trouble.set(None);
                node.failures.set(0);
                node.rests_until.set(Duration::ZERO);
            }
            Err(trouble) => {
                node.trouble.set(Some(*trouble));
                let failures = node.failures.get().saturating_add(1);
                node.failures.set(failures);
                let rest = Duration::from_millis(250) * 2u32.pow(failures.min(7));
                node.rests_until.set(self.timer.elapsed() + rest);
            }
        }
        answer
    }

    /// Asks one node after the other until one has an answer.
    fn ask<T>(
        &self,
        question: impl Fn(&Node) -> Result<T, Trouble>,
    ) -> Result<(usize, T), NetworkError> {
        for index in self.order() {
            if let Ok(answer) = self.note(index, question(&self.nodes[index])) {
                self.preferred.set(index);
                return Ok((index, answer));
            }
        }
        Err(self.failure())
    }

    /// Nobody had an answer: the most telling reason.
    fn failure(&self) -> NetworkError {
        let troubles: Vec<_> = self.nodes.iter().filter_map(|node| node.trouble.get()).collect();
        let all = |what: Trouble| !troubles.is_empty() && troubles.iter().all(|t| *t == what);
        if all(Trouble::OtherNetwork) {
            NetworkError::OtherNetwork
        } else if all(Trouble::Malformed) {
            NetworkError::Malformed
        } else if troubles.iter().any(|t| matches!(t, Trouble::Forged | Trouble::BadReceipt)) {
            NetworkError::Distrusted
        } else {
            NetworkError::Unreachable
        }
    }

    /// Makes sure that a node runs our network, once.
    fn know(&self, node: &Node) -> Result<(), Trouble> {
        if node.known.get() {
            return Ok(());
        }
        let text = self.get(node, path::GENESIS, JSON)?.ok_or(Trouble::Malformed)?;
        let genesis: Genesis = serde_json::from_slice(&text).map_err(|_| Trouble::Malformed)?;
        if genesis.validate().is_err() || genesis.chain_id() != self.chain {
            return Err(Trouble::OtherNetwork);
        }
        node.known.set(true);
        Ok(())
    }

    /// A body; `None` for what is not there.
    fn get(&self, node: &Node, path: &str, bytes: usize) -> Result<Option<Vec<u8>>, Trouble> {
        let reply = self.http.get(&node.url, path, bytes).ok_or(Trouble::Silent)?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            404 => Ok(None),
            429 | 500..=599 => Err(Trouble::Busy),
            _ => Err(Trouble::Malformed),
        }
    }

    fn standing(&self, node: &Node) -> Result<api::Status, Trouble> {
        self.know(node)?;
        let text = self.get(node, path::STATUS, JSON)?.ok_or(Trouble::Malformed)?;
        let status: api::Status = serde_json::from_slice(&text).map_err(|_| Trouble::Malformed)?;
        match status.chain == self.chain.to_string() {
            true => Ok(status),
            false => Err(Trouble::OtherNetwork),
        }
    }

    fn page(&self, node: &Node, from: u64, max: usize) -> Result<Vec<CertifiedBlock>, Trouble> {
        self.know(node)?;
        let max = max.min(api::MAX_PAGE as usize);
        let path = format!("{}?from={from}&max={max}", path::BLOCKS);
        let bytes = self.get(node, &path, usize::MAX)?.ok_or(Trouble::Malformed)?;
        let mut input = Reader::new(&bytes);
        let blocks: Vec<CertifiedBlock> = input.list(max).map_err(|_| Trouble::Malformed)?;
        let heights = blocks.iter().map(|block| block.block.header.height);
        if input.end().is_err() || !heights.eq(from..from + blocks.len() as u64) {
            return Err(Trouble::Malformed);
        }
        Ok(blocks)
    }

    fn fetch_receipt(&self, node: &Node, id: TxId) -> Result<Option<Receipt>, Trouble> {
        self.know(node)?;
        let path = path::RECEIPT.replace("{id}", &id.to_string());
        let Some(bytes) = self.get(node, &path, usize::MAX)? else { return Ok(None) };
        let receipt = Receipt::from_wire(&bytes).map_err(|_| Trouble::BadReceipt)?;
        match receipt.check(&self.genesis) {
            Ok(shown) if shown.transaction == id => Ok(Some(receipt)),
            _ => Err(Trouble::BadReceipt),
        }
    }
}

impl Network for Remote {
    fn genesis(&self) -> Result<Genesis, NetworkError> {
        self.ask(|node| self.know(node))?;
        Ok(self.genesis.clone())
    }

    fn status(&self) -> Result<Status, NetworkError> {
        let (_, status) = self.ask(|node| {
            let status = self.standing(node)?;
            let id = hex::decode(&status.block).ok().and_then(|bytes| bytes.try_into().ok());
            let id = id.map(BlockId).ok_or(Trouble::Malformed)?;
            Ok(Status { height: status.height, time: status.time, id })
        })?;
        Ok(status)
    }

    /// If the preferred node has no more blocks, the others are asked: one node alone cannot keep
    /// a wallet in the past.
    fn blocks(&self, from: u64, max: usize) -> Result<Vec<CertifiedBlock>, NetworkError> {
        let (first, blocks) = self.ask(|node| self.page(node, from, max))?;
        self.source.set(Some(first));
        if !blocks.is_empty() {
            return Ok(blocks);
        }
        let now = self.timer.elapsed();
        for index in self.order() {
            let node = &self.nodes[index];
            if index == first || node.rests_until.get() > now {
                continue;
            }
            if let Ok(blocks) = self.note(index, self.page(node, from, max))
                && !blocks.is_empty()
            {
                self.preferred.set(index);
                self.source.set(Some(index));
                return Ok(blocks);
            }
        }
        Ok(Vec::new())
    }

    fn submit(&self, transaction: &Transaction) -> Result<Submitted, SubmitError> {
        self.follow(transaction)
    }

    fn distrust(&self) -> bool {
        let Some(source) = self.source.take() else { return false };
        let _ = self.note::<()>(source, Err(Trouble::Forged));
        !self.order().is_empty()
    }
}
