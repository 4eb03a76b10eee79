//! The seam between a wallet and whatever runs the network: a node in the same process, or one
//! behind HTTP. A wallet trusts it with nothing: blocks are checked against the genesis that the
//! wallet was given.

use placet_protocol::block::{BlockId, CertifiedBlock};
use placet_protocol::genesis::Genesis;
use placet_protocol::transaction::{Transaction, TxId};

use crate::remote::Opinion;

/// Where the network stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Height of the newest block; 0 while there is only the genesis.
    pub height: u64,
    /// Its time, seconds since the Unix epoch.
    pub time: u64,
    /// Its id.
    pub id: BlockId,
}

/// The network could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No answer.
    #[error("the node does not answer: check that it runs and that its address is right")]
    Unreachable,
    /// An answer that makes no sense.
    #[error("the node's answer cannot be understood: it may run another version")]
    Malformed,
    /// The node itself failed.
    #[error("the node failed on its side: look at its log")]
    Failed,
    /// Its genesis has another hash.
    #[error("the nodes run another network: check their addresses and the genesis")]
    OtherNetwork,
    /// Caught lying, and nobody else is there.
    #[error("no node is left that can be trusted: add the addresses of other nodes")]
    Distrusted,
    /// Neither final nor refused by all for too long.
    #[error("the authorities have not decided in time, or not every node answers: sync later")]
    Undecided,
}

/// A transaction was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub id: TxId,
    /// The block that holds it.
    pub height: u64,
}

/// A transaction was refused: a rule of the ledger, by its stable code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network refused the transaction ({code}): {message}")]
pub struct Rejection {
    /// Stable code, as in `proof-invalid`.
    pub code: String,
    /// Which rule, and what to do.
    pub message: String,
    /// What authorities said about it, where the network has it.
    pub opinions: Vec<Opinion>,
}

/// Why a transaction was not executed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The ledger refused it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Unknown: it may or may not have been executed. The next sync tells.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// A connection to one network.
pub trait Network {
    /// The genesis that the node runs.
    fn genesis(&self) -> Result<Genesis, NetworkError>;

    /// Where it stands.
    fn status(&self) -> Result<Status, NetworkError>;

    /// At most `max` final blocks from height `from` (at least 1) upwards, in order; fewer or none
    /// at the tip.
    fn blocks(&self, from: u64, max: usize) -> Result<Vec<CertifiedBlock>, NetworkError>;

    /// Sends a transaction and waits until it is final or refused.
    fn submit(&self, transaction: &Transaction) -> Result<Submitted, SubmitError>;

    /// The blocks handed out last were refused: do not ask their source again. Says whether there
    /// is anybody else to ask.
    fn distrust(&self) -> bool {
        false
    }
}
