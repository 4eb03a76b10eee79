//! Where the engine stands, for health checks, metrics and operators.

use placet_protocol::signing::VerifyKey;

/// Whether this node's key takes part in the agreement of the current epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// It votes.
    Yes,
    /// It is not among the validators of the epoch, and follows.
    #[default]
    NotSitting,
    /// It is among them, but its record of votes was lost: it follows, and votes again not
    /// before `resumes`, so that it can never contradict a vote it forgot.
    RecordLost {
        /// No epoch before this one is one in which it votes again.
        resumes: u64,
    },
}

/// The key whose turn it was last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The view.
    pub view: u64,
    /// Who leads it.
    pub key: VerifyKey,
}

/// A snapshot. Everything is zero before the engine runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether the engine is running. `false` before it starts and after it stops.
    pub running: bool,
    /// The epoch whose blocks are being made.
    pub epoch: u64,
    /// Height of the last block that the application committed.
    pub height: u64,
    /// Greatest height of which the engine knows that it is final; above `height` while the node
    /// catches up.
    pub final_height: u64,
    /// The last view of the epoch of which the engine heard.
    pub view: u64,
    /// Who proposed in the last view of which the engine saw a proposal.
    pub leader: Option<Leader>,
    /// Peers that sent something during the last half minute. Not the node itself.
    pub peers: Vec<VerifyKey>,
    /// Whether the node's own key votes.
    pub signing: Signing,
}
