//! The ceremony: keys whose trapdoor nobody knows, as long as one contributor forgot their secret.
//! Spec §12.4.
//!
//! Phase 1 makes powers of tau, for all circuits; usually it is the public ceremony's file.
//! Phase 2 makes the key of one circuit: [`initial_key`] from powers and circuit, a chain of
//! [`contribute()`], a [`close`] by a public beacon, and [`verify()`], which trusts nobody and derives
//! everything again. [`finalize()`] writes the key files that networks load. All files are snarkjs's.
//!
//! Memory: a key is held whole, and of the powers what its domain needs; [`memory`] estimates it.
//!
//! Modules in reading order.

pub mod constraints;
pub mod initial;
pub mod contribute;
pub mod verify;
pub mod finalize;
pub mod phase1;

mod combine;

pub use constraints::{constraints_of, domain_power, entries, memory};
pub use contribute::{Beacon, ContributeError, Entropy, close, contribute};
pub use finalize::{BuiltIn, FinalizeError, Finished, STATEMENTS, finalize};
pub use initial::{InitialError, initial_key};
pub use verify::{Closing, Section, VerifyError, verify};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The powers of tau are hashed.
    HashPtau,
    /// The powers that the circuit needs are read and checked.
    ReadPtau,
    /// The points of the initial key are computed.
    Points,
    /// The initial key is hashed.
    HashKey,
    /// A contribution is applied.
    Apply,
    /// The chain of contributions is followed.
    Chain,
    /// What is there is compared with what was derived.
    Compare,
    /// Powers of tau are checked.
    CheckPowers,
    /// Lagrange values are computed or checked.
    Lagrange,
    /// Files are written.
    Write,
}

/// How far a stage has come; units differ by stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which stage.
    pub stage: Stage,
    /// Units done.
    pub done: u64,
    /// All units.
    pub of: u64,
}

/// Is told of every step, from several threads.
pub type Watch<'a> = &'a (dyn Fn(Step) + Sync);

/// For callers who do not look.
pub fn unwatched(_: Step) {}

fn tell(watch: Watch<'_>, stage: Stage, done: usize, of: usize) {
    watch(Step { stage, done: done as u64, of: of as u64 });
}
