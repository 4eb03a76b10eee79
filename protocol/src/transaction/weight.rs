//! How much a transaction makes everybody compute who executes it, beside a transfer, whose proof
//! has a bound of its own. Spec §11.4.
//!
//! A function of the transaction alone, and cheap: a block that weighs too much is refused before
//! anything in it is executed. One unit is about the work of one node of a tree of arity eight.

use crate::block::MAX_BLOCK_WEIGHT;
use crate::transaction::{PublishedPolicy, Transaction};

/// Every message: its encoding, a signature or two, a path in a tree, look-ups.
const MESSAGE: usize = 16;
/// An approval: a key and a signature.
const APPROVAL: usize = 2;
/// Evidence against an authority: a proof is verified.
const EVIDENCE: usize = 64;
/// A circuit's key: points of both groups are checked.
const CIRCUIT_KEY: usize = 128;
/// Nullifiers that are looked up and written for one unit.
const NULLIFIERS_PER_UNIT: usize = 4;
/// Sanctioned documents, each a leaf with its hash, for one unit.
const DOCUMENTS_PER_UNIT: usize = 2;
/// Bytes of a ceremony's transcript that are checked for one unit.
const TRANSCRIPT_BYTES_PER_UNIT: usize = 16;

/// Most nodes of the tree of a policy's rules: with n rules, at most n nodes above the leaves, 64
/// above these, 8 above these, and the root.
fn rules(policy: &PublishedPolicy) -> usize {
    match policy.rules.len() {
        0 => 0,
        count => count + count.min(64) + count.min(8) + 1,
    }
}

impl Transaction {
    /// What the transaction weighs in a block, at most [`MAX_BLOCK_WEIGHT`]; 0 for a transfer. A
    /// long list of sanctions weighs as much as a whole block, so that it has one for itself.
    pub fn weight(&self) -> usize {
        let beside = match self {
            Self::Transfer(_) => return 0,
            Self::IssueCredential(_)
            | Self::RevokeCredential(_)
            | Self::Mint(_)
            | Self::PauseAsset(_)
            | Self::RotateAgentKey(_) => 0,
            Self::AdmitAttestor(tx) => APPROVAL * tx.approvals.len(),
            Self::PublishSanctions(tx) => tx.message.subjects.len() / DOCUMENTS_PER_UNIT,
            Self::RegisterAsset(tx) => rules(&tx.registration.policy),
            Self::SetPolicy(tx) => rules(&tx.message.policy),
            Self::FreezeNullifiers(tx) => tx.message.nullifiers.len() / NULLIFIERS_PER_UNIT,
            Self::ReleaseNullifiers(tx) => tx.message.nullifiers.len() / NULLIFIERS_PER_UNIT,
            Self::ChangeAuthorities(tx) => APPROVAL * tx.approvals.len(),
            Self::ConvictAuthority(_) => EVIDENCE,
            Self::ChangeCircuits(tx) => {
                let key = match &tx.change.change {
                    super::CircuitChange::Add(circuit) => {
                        let transcript = circuit.transcript.as_ref().map_or(0, Vec::len);
                        CIRCUIT_KEY + transcript / TRANSCRIPT_BYTES_PER_UNIT
                    }
                    super::CircuitChange::Deactivate { .. } => 0,
                };
                key + APPROVAL * tx.approvals.len()
            }
        };
        (MESSAGE + beside).min(MAX_BLOCK_WEIGHT)
    }
}
