//! Checks natively, proves with Groth16, verifies its own proof. Spec §7, §12.
//!
//! The order is the point: the native check names the violated clause before any cryptography,
//! and nothing leaves the prover that its own verifier does not accept. The library would
//! otherwise return a useless proof of a false statement without an error.

pub mod backend;
pub mod prover;
pub mod seed;

pub use backend::{Backend, Reference};
pub use placet_kernel as kernel;
pub use placet_verifier::Proof;
pub use prover::{AssignmentError, KeyMismatch, Phase, Prepared, ProveError, Prover};
pub use seed::ProofSeed;
