//! Authorities: today four replicas embedded in one process. Spec §9.
//!
//! An [`Authority`] verifies and judges for itself; [`Embedded`] is the plain loop that lets four
//! of them agree: a fixed proposer, every replica executes and signs, final at more than two
//! thirds. It is for one machine: no network, no view change. A consensus engine takes its place.

pub mod authority;
pub mod files;
pub mod embedded;

pub use authority::Authority;
pub use embedded::{Clock, Embedded, NodeError, Receipt, Standing, SubmitError};
pub use files::{DevKeys, FileError, KeySource, dev_network, pin, write_network};
