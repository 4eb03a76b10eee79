//! Persistent Merkle trees, root windows, credentials and the sanctions list. Spec §2, §4.
//!
//! Everything here works inside a caller's redb transaction, so that a ledger commits a whole
//! block at once and a wallet a whole sync step. Time is an argument.
//!
//! Modules in reading order.

pub mod credentials;
pub mod persons;
pub mod roots;
pub mod sanctions;
pub mod store;
pub mod tree;
