//! One statement, several Groth16 provers, measured so that others can measure it again: what
//! `placet bench prover` runs.
//!
//! Every prover works in a process of its own, so that its peak memory is its own, and all get the
//! same constraint matrices, the same key and the same values of all wires. Rounds are interleaved:
//! each prover makes one proof a round, and who begins changes from round to round. A proof counts
//! only if it verifies.
//!
//! Modules in reading order.

pub mod error;
pub mod merkle;
pub mod case;
pub mod engine;
pub mod measure;
pub mod protocol;
pub mod worker;
pub mod process;
pub mod snarkjs;
pub mod external;
pub mod callgrind;
pub mod run;
pub mod report;
pub mod csv;
pub mod html;
mod plot;

pub use case::{Case, Circuit};
pub use engine::{Prover, Tables};
pub use error::BenchError;
pub use run::{Plan, Results, run};
pub use worker::{Role, Worker};
