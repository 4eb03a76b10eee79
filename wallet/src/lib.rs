//! Everything that holds a secret and talks to a network: the holder's wallet, and the clients of
//! transfer agent, issuer and attestor. A library: it never touches terminal, clock, environment
//! or a source of randomness; those are arguments.
//!
//! Every role keeps one store of its own: public state that it replays from blocks, so that it
//! never asks a node for a path, and its own records, sealed. Except for what came as files or
//! was never on the chain, a role is rebuilt from its seed phrase by replaying.
//!
//! Modules in reading order: what keeps secrets; the seam to a node, and nodes behind HTTP; following the chain; the
//! roles; what speaks to people.

pub mod seed;
pub mod keystore;
pub mod vault;
pub mod files;

pub mod network;
pub mod remote;

pub mod account;
pub mod view;
pub mod client;

pub mod holder;
pub mod agent;
pub mod issuer;
pub mod attestor;

pub mod explain;
pub mod policy_file;
pub mod countries;
