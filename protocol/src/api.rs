//! What a node answers over HTTP: paths and JSON shapes, version 1. Blocks, transactions and
//! receipts travel in their binary encoding; hashes and keys in JSON are lower-case hexadecimal.
//! Spec §13.

use serde::{Deserialize, Serialize};

use crate::signing::VerifyKey;

/// Content type of binary bodies.
pub const BINARY: &str = "application/octet-stream";
/// Most blocks, leaves or ciphertexts in one answer.
pub const MAX_PAGE: u64 = 1024;
/// An answer ends with the item that makes it at least this long, in bytes.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Paths. Those with `{…}` take an id or height there; ranges are asked with `?from=&max=`.
pub mod path {
    /// GET: the genesis as JSON.
    pub const GENESIS: &str = "/v1/genesis";
    /// GET: [`super::Status`].
    pub const STATUS: &str = "/v1/status";
    /// GET `?from=&max=`: binary list of certified blocks, ascending, from height `from`; empty
    /// beyond the tip.
    pub const BLOCKS: &str = "/v1/blocks";
    /// GET: one certified block, binary.
    pub const BLOCK: &str = "/v1/blocks/{height}";
    /// POST: a transaction, binary; answers 202 [`super::Accepted`], or 422 [`super::Problem`].
    pub const TRANSACTIONS: &str = "/v1/transactions";
    /// GET: [`super::TransactionStatus`].
    pub const TRANSACTION: &str = "/v1/transactions/{id}";
    /// GET: a receipt, binary; 404 until the transaction is final.
    pub const RECEIPT: &str = "/v1/transactions/{id}/receipt";
    /// GET: [`super::Roots`].
    pub const ROOTS: &str = "/v1/roots";
    /// GET `?from=&max=`: [`super::Leaves`] of the note tree: the commitments in order.
    pub const COMMITMENTS: &str = "/v1/commitments";
    /// GET `?from=&max=`: [`super::Leaves`] of the registry tree.
    pub const REGISTRY: &str = "/v1/registry";
    /// GET `?from=&max=`: [`super::Ciphertexts`] by block height.
    pub const CIPHERTEXTS: &str = "/v1/ciphertexts";
    /// GET: list of [`super::Asset`].
    pub const ASSETS: &str = "/v1/assets";
    /// GET: one [`super::Asset`].
    pub const ASSET: &str = "/v1/assets/{id}";
    /// GET: [`super::Authorities`].
    pub const AUTHORITIES: &str = "/v1/authorities";
    /// GET: list of [`super::Evidence`].
    pub const EVIDENCE: &str = "/v1/evidence";
    /// POST [`super::Advance`]: moves the clock of a development network's node.
    pub const DEV_CLOCK: &str = "/v1/dev/clock";
    /// GET: 200 while the process lives.
    pub const HEALTH: &str = "/health";
    /// GET: 200 while the node follows the network, else 503.
    pub const READY: &str = "/ready";
    /// GET: metrics in Prometheus' text format.
    pub const METRICS: &str = "/metrics";
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the software.
    pub version: String,
    /// The network's name.
    pub network: String,
    /// Chain id.
    pub chain: String,
    /// Height of the last final block; 0 for the genesis.
    pub height: u64,
    /// Its time, seconds since the Unix epoch.
    pub time: u64,
    /// Its id.
    pub block: String,
    /// State hash behind it.
    pub state: String,
    /// Epoch of the next block.
    pub epoch: u64,
    /// Sitting authorities.
    pub authorities: usize,
    /// Votes that make a block final.
    pub quorum: usize,
    /// The node's own key, if it has one.
    pub key: Option<VerifyKey>,
    /// Whether it votes in this epoch.
    pub validating: bool,
    /// Peers that it is connected to.
    pub peers: usize,
    /// Transactions that wait.
    pub pending: usize,
    /// The node's clock, seconds since the Unix epoch.
    pub clock: u64,
}

/// A transaction was taken in and passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub id: String,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code: one of the ledger's, or `too-many-requests`, `not-found`, `bad-request`,
    /// `busy`, `too-large`, `time-out`, `internal`.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// One authority's verdict on a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Name of the authority.
    pub authority: String,
    /// Its key.
    pub key: VerifyKey,
    /// Checkpoint judged.
    pub checkpoint: String,
    /// Whether it approves.
    pub approves: bool,
    /// Number of the reason to reject; 0 for an approval.
    pub reason: u16,
    /// Code of the reason, for an approval empty.
    pub code: String,
    /// The reason in plain words.
    pub message: String,
    /// Whether it is a rule of the authority's own.
    pub discretionary: bool,
    /// Height judged at.
    pub judged_at: u64,
    /// The signed assertion, hexadecimal.
    pub assertion: String,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TransactionStatus {
    /// This node has not heard of it.
    Unknown,
    /// It waits for assertions or for a block.
    Pending {
        /// Verdicts so far.
        assertions: Vec<Opinion>,
    },
    /// It is final.
    Final {
        /// Height of its block.
        height: u64,
        /// Place in the block, from 0.
        index: u32,
        /// Time of the block, seconds since the Unix epoch.
        time: u64,
        /// The verdicts on which its execution relied.
        assertions: Vec<Opinion>,
    },
    /// It was dropped, and will not be executed unless it is sent again.
    Refused {
        /// Why.
        problem: Problem,
        /// Verdicts, those that reject among them.
        assertions: Vec<Opinion>,
    },
}

/// What new transfers are proven against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roots {
    /// Height of the state.
    pub height: u64,
    /// Its time.
    pub time: u64,
    /// Of the note tree.
    pub notes: String,
    /// Of the registry.
    pub registry: String,
    /// Of the sanctions tree.
    pub sanctions: String,
}

/// Leaves of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaves {
    /// Index of the first.
    pub from: u64,
    /// Number of all leaves of the tree.
    pub total: u64,
    /// The leaves.
    pub leaves: Vec<String>,
}

/// A sealed delivery, mint or credential as it stands in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ciphertext {
    /// Height of the block.
    pub height: u64,
    /// The transaction.
    pub transaction: String,
    /// `transfer`, `mint` or `credential`.
    pub kind: String,
    /// The ciphertext.
    pub ciphertext: String,
}

/// Ciphertexts of a range of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ciphertexts {
    /// First height looked at.
    pub from: u64,
    /// First height not looked at.
    pub next: u64,
    /// In order of blocks.
    pub ciphertexts: Vec<Ciphertext>,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Hash of the policy in force.
    pub policy: String,
    /// Version of the policy.
    pub policy_version: u64,
    /// Units outstanding.
    pub outstanding: u64,
    /// Holders, where the asset counts them.
    pub holders: Option<u64>,
    /// Whether transfers are stopped.
    pub paused: bool,
}

/// A sitting authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityEntry {
    /// Its name.
    pub name: String,
    /// Legal entity identifier.
    pub lei: Option<String>,
    /// Its key.
    pub key: VerifyKey,
    /// Its mandates.
    pub mandates: Vec<String>,
    /// Whether its key votes in this epoch.
    pub validating: bool,
}

/// Who sits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorities {
    /// Epoch of the next block.
    pub epoch: u64,
    /// Number of the last change; the next is one more.
    pub change: u64,
    /// Sitting, in order of keys.
    pub authorities: Vec<AuthorityEntry>,
}

/// Signed contradictions of an authority, seen by this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Who contradicted itself.
    pub culprit: VerifyKey,
    /// Which contradiction, as in `conflicting-finalize`.
    pub kind: String,
    /// Epoch.
    pub epoch: u64,
    /// View.
    pub view: u64,
    /// The engine's encoding of both votes, hexadecimal.
    pub proof: String,
}

/// By how much a development clock is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// Seconds forward.
    pub seconds: u64,
}
