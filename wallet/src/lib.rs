//! Everything that holds a secret and talks to a network: the holder's wallet, and the clients of
//! transfer agent, issuer and attestor. A library: it never touches terminal, clock, environment
//! or a source of randomness; those are arguments.
//!
//! Modules in reading order.

pub mod files;
pub mod keystore;
pub mod seed;
pub mod vault;
pub mod network;
pub mod account;
pub mod explain;
pub mod view;
pub mod client;
pub mod holder;
pub mod agent;
pub mod issuer;
pub mod attestor;
pub mod countries;
pub mod policy_file;
