//! What every party of a Placet network agrees on: field newtypes, hashes, keys, credentials,
//! policies, positions, deliveries, the statement `transfer`, and every encoding that crosses a
//! trust border. No I/O, no clock, no source of randomness of its own.
//!
//! Modules in reading order.

pub mod address;
pub mod api;
pub mod assertion;
pub mod block;
pub mod circuit;
pub mod credential;
pub mod delivery;
pub mod example;
pub mod finality;
pub mod field;
pub mod genesis;
pub mod gossip;
pub mod hash_tree;
pub mod keys;
pub mod merkle;
pub mod policy;
pub mod poseidon;
pub mod position;
pub mod possession;
pub mod receipt;
pub mod request;
pub mod sanctions;
pub mod sealed;
pub mod signing;
pub mod statement;
pub mod tag;
pub mod tags;
pub mod transaction;
pub mod transfer;
pub mod wire;

pub use ark_bn254::Fr;
