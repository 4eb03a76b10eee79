//! The replicated state machine: transactions in, new state or a reasoned refusal out. Spec §11.
//!
//! Deterministic: no clock, no environment, no unordered collection; the same blocks give the same
//! state hash on every replica. No I/O but its store. State is keyed on ids and nullifiers, never
//! on proof bytes.

pub mod refusal;
mod recent;
pub mod proofs;
pub mod state;
mod execute;
mod screen;
mod transfer;
mod registry;
mod memo;
mod asset;
mod circuits;
pub mod authorities;
mod conviction;
pub mod ledger;
pub mod judge;
pub mod speculative;
pub mod query;
mod receipt;

pub use authorities::Sitting;
pub use judge::{CheckError, Judgement};
pub use ledger::{
    ApplyError, Backend, BadTime, CommitError, ExecuteError, Executed, Ledger, LedgerError,
    TimeBound,
};
pub use proofs::{
    CachedCheck, CircuitKey, Groth16Check, KeyMismatch, ProofCheck, ProofItem, Undecided,
};
pub use query::{Ciphertext, CurrentRoots, Status, View};
pub use refusal::Refusal;
pub use speculative::{BadBlock, Proposed};
pub use state::{AssetRecord, AttestorRecord, Location, Tip};

// The test network of `tests/` serves the unit tests too, under the crate's public name.
#[cfg(test)]
extern crate self as placet_ledger;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
