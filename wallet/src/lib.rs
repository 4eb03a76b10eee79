//! Everything that holds a secret and talks to a network: the holder's wallet, and the clients of
//! transfer agent, issuer and attestor. A library: it never touches terminal, clock, environment
//! or a source of randomness; those are arguments.
//!
//! Every role keeps one store of its own: public state that it replays from blocks, so that it
//! never asks a node for a path, and its own records, sealed. Except for what came as files or
//! was never on the chain, a role is rebuilt from its seed phrase by replaying.
//!
//! In reading order: [`seed`], [`keystore`], [`vault`], [`files`] keep secrets; [`network`] is
//! the seam to a node; [`account`] follows one holder of one asset; [`view`] and [`client`]
//! replay blocks; [`holder`], [`agent`], [`issuer`], [`attestor`] are the roles; [`explain`],
//! [`policy_file`], [`countries`] speak to people.

pub mod account;
pub mod agent;
pub mod attestor;
pub mod client;
pub mod countries;
pub mod explain;
pub mod files;
pub mod holder;
pub mod issuer;
pub mod keystore;
pub mod network;
pub mod policy_file;
pub mod seed;
pub mod vault;
pub mod view;
