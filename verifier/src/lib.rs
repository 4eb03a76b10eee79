//! Typed Groth16 verification, single and batched. Spec §9, §11.7; invariants 4 and 5.
//!
//! Small enough to audit in one sitting: `proof` turns bytes into points or refuses them,
//! `verify` holds the one call of the Groth16 library's verify in the workspace, `batch` checks
//! many proofs with one equation and names the bad ones.

pub mod batch;
pub mod proof;
pub mod verify;

pub use batch::{BatchError, OsCoefficients, RandomSource, all_good, verify_batch};
pub use proof::{Proof, ProofError, ProofPart};
pub use verify::{PreparedVerifyingKey, VerifyError, verify};
