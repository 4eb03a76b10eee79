//! An authority. Spec §9.
//!
//! A [`Node`] is one authority of a network, or an observer: it takes transactions in, judges them
//! and signs assertions, proposes and judges blocks for a consensus engine, and answers over HTTP.
//! It knows no engine, only [`placet_consensus`].
//!
//! [`Embedded`] is four authorities in one process without a network, for demonstrations and tests.

pub mod node;
pub mod application;
pub mod round;
pub mod mempool;
pub mod inbox;
mod wanted;
pub mod checkpoint;
pub mod store;
pub mod time;
pub mod metrics;
pub mod api;
pub mod config;
pub mod keys;
pub mod log;
pub mod export;
pub mod service;
pub mod command;
pub mod authority;
pub mod files;
pub mod embedded;

pub use authority::Authority;
pub use embedded::{Clock, Embedded, NodeError, Receipt, Standing, SubmitError};
pub use files::{DevKeys, FileError, KeySource, dev_network, pin, write_network};
pub use node::{Node, Settings};
pub use store::Store;
