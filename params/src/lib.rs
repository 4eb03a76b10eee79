//! Which keys exist, where they came from, how they are loaded and refused. Spec §12.
//!
//! A key is typed by its statement and bound to its circuit's digest. Whatever is loaded went
//! through every check: file integrity, statement, circuit, origin against the network's policy,
//! and each point (canonical, on the curve, in the subgroup, not the identity where that is fatal).
//! This crate reads and writes key files; it knows nothing of circuits.
//!
//! Modules in reading order.

pub mod digest;
pub mod file;
pub mod key;
pub mod point;
pub mod policy;
pub mod transcript;
pub mod subgroup;

pub use digest::{CircuitDigest, TranscriptHash, VerifyingKeyHash};
pub use file::LoadError;
pub use key::{KeyDefect, Origin, ProvingKey, VerifyingKey};
pub use policy::{KeyPolicy, PinMismatch};
