//! What every party of a Placet network agrees on: field newtypes, hashes, keys, credentials,
//! policies, positions, deliveries, the statement `transfer`, and every encoding that crosses a
//! trust border. No I/O, no clock, no source of randomness of its own.
//!
//! Modules in reading order.

pub mod field;
pub mod wire;
pub mod tag;
pub mod poseidon;
pub mod merkle;
pub mod keys;
pub mod credential;
pub mod tags;
pub mod sanctions;
pub mod policy;
pub mod position;
pub mod delivery;
pub mod statement;
pub mod transfer;
pub mod genesis;
pub mod signing;
pub mod sealed;
pub mod address;
pub mod possession;
pub mod transaction;
pub mod assertion;
pub mod block;


pub use ark_bn254::Fr;
