//! The statements of Placet as rank-1 constraint systems. Each file is the twin of one in
//! `protocol` and enforces in-circuit what that one checks natively.
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

#[cfg(feature = "analysis")]
pub mod analysis;

pub use circuit::Circuit;
