//! Authorities in a simulated world: their real code, the real engine, but a network that loses and
//! delays messages, machines that crash, clocks that are wrong, and authorities that lie. One seed
//! is one run, always the same. For tests only; nothing depends on it.
//!
//! A run is planned from its seed before it begins, invariants are checked with every block that
//! anybody commits, and each of them is shown able to fail by a planted bug.

pub mod dice;
pub mod plan;
pub mod machine;
pub mod disk;
pub mod links;
pub mod wire;
pub mod proofs;
pub mod parties;
pub mod clients;
pub mod history;
pub mod invariants;
pub mod bugs;
pub mod world;
pub mod probe;
pub mod host;
pub mod run;

pub use bugs::stage;
pub use invariants::{Invariant, Violation};
pub use plan::Plan;
pub use run::{Report, execute, simulate};
