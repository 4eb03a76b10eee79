//! Consensus and network of the authorities: commonware's simplex and marshal behind the seam of
//! `placet-consensus`. Nothing of the agreement is written here; this crate puts the engine's parts
//! together and translates at the border. Spec §9, §11.
//!
//! [`start()`] is for production: a thread of its own, encrypted connections of an allow list, files.
//! [`run::run`] is the same node over any runtime and network of the engine, for simulation.

pub mod config;
pub mod start;

pub mod block;
pub mod certificate;
pub mod keys;
pub mod record;
pub mod run;
pub mod status;

#[cfg(feature = "simulation")]
pub mod simulation;

mod adapter;
mod evidence;
mod gossip;
mod meter;

pub use config::{Address, Config};
pub use start::{Running, StartError, Stopped, start};
