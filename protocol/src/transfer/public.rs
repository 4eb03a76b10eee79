//! What a transfer shows: its public inputs, and where they come from. Spec §7.

use ark_bn254::Fr;

use crate::field::{Commitment, NoteRoot, Nullifier, PolicyHash, RegistryRoot, SanctionsRoot};

/// Change in the number of holders that a transfer publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldersDelta {
    /// A holder left. On the wire `r - 1`.
    Minus,
    /// Nothing changed, or the policy does not count.
    Zero,
    /// A holder came.
    Plus,
}

impl HoldersDelta {
    /// -1, 0 or 1.
    pub fn signed(self) -> i64 {
        match self {
            Self::Minus => -1,
            Self::Zero => 0,
            Self::Plus => 1,
        }
    }
    /// The public input: `r - 1`, 0 or 1.
    pub fn field(self) -> Fr {
        match self {
            Self::Minus => -Fr::from(1u8),
            Self::Zero => Fr::from(0u8),
            Self::Plus => Fr::from(1u8),
        }
    }
    /// Strict inverse of [`Self::field`].
    pub fn from_field(value: Fr) -> Option<Self> {
        [Self::Minus, Self::Zero, Self::Plus].into_iter().find(|delta| delta.field() == value)
    }
}

/// The public inputs, in the order of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicInputs {
    /// Root under which the spent position is a leaf.
    pub position_root: NoteRoot,
    /// Root under which the incoming delivery or receipt is a leaf.
    pub delivery_root: NoteRoot,
    /// Root of the registry of credentials.
    pub registry_root: RegistryRoot,
    /// Root of the sanctions tree.
    pub sanctions_root: SanctionsRoot,
    /// The policy in force.
    pub policy: PolicyHash,
    /// Seconds since the Unix epoch; validators keep it below `2^40 - 2^22`.
    pub now: u64,
    /// Spends the old position.
    pub nf_position: Nullifier,
    /// Spends the incoming delivery or receipt, or says invisibly that there is none.
    pub nf_delivery: Nullifier,
    /// The new position.
    pub cm_position: Commitment,
    /// The delivery made; one of amount 0 where nothing is sent.
    pub cm_delivery: Commitment,
    /// The receipt of an acceptance, or a filler.
    pub receipt: Commitment,
    /// Change in the number of holders.
    pub holders_delta: HoldersDelta,
    /// Units taken out of circulation; needs the agent's signature.
    pub redeemed: u64,
    /// Encrypted to the transfer agent: amounts, receiver, subject.
    pub disclosure: [Fr; 3],
    /// Ties the proof to its transaction, 248 bits of SHA-256.
    pub binding: Fr,
}

/// What the public inputs take from the ledger rather than from the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Root under which the spent position is a leaf.
    pub position_root: NoteRoot,
    /// Root under which the incoming delivery or receipt is a leaf.
    pub delivery_root: NoteRoot,
    /// Root of the registry of credentials.
    pub registry_root: RegistryRoot,
    /// Root of the sanctions tree.
    pub sanctions_root: SanctionsRoot,
    /// Seconds since the Unix epoch.
    pub now: u64,
    /// Units to take out of circulation.
    pub redeemed: u64,
}
