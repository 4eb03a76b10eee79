//! The statements of Placet as rank-1 constraint systems. Each file is the twin of one in
//! `protocol` and enforces in-circuit what that one checks natively. They are written once, for
//! any interpreter: one makes rows, another computes the values of all wires.
//!
//! Modules in reading order.

pub mod builder;
pub mod circuit;
pub mod credential;
pub mod delivery;
pub mod keys;
pub mod merkle;
pub mod policy;
pub mod poseidon;
pub mod position;
pub mod transfer;

pub mod density;
pub mod interpreter;
pub mod rows;
mod slopes;
mod unrolled;
pub mod values;

#[cfg(feature = "analysis")]
pub mod analysis;

pub use circuit::{Circuit, assign};
pub use values::Assignment;
