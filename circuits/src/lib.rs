//! The statements of Placet as rank-1 constraint systems

pub mod circuit;

pub use circuit::Circuit;
#[cfg(feature = "analysis")]
pub mod analysis;
