//! Typed Groth16 verification, single and batched. Spec §11.1; invariants 4 and 5.
//!
//! Small enough to audit in one sitting. `proof` turns bytes into points or refuses them, `verify`
//! holds the one equation, `batch` checks many proofs with one equation and names the bad ones.
//! Below them is arithmetic, each part tested against the library's: `inputs` sums the key's points
//! from tables, `coefficients` multiplies by random ones, `points` adds many points at once,
//! `pairing` has the Miller loop, `tower` and `limbs` the fields it works in.

// The support of the tests names this crate as other crates do.
#[cfg(test)]
extern crate self as placet_verifier;

pub mod batch;
mod coefficients;
mod inputs;
mod limbs;
mod pairing;
mod points;
pub mod proof;
mod tower;
pub mod verify;

pub use batch::{BatchError, OsCoefficients, RandomSource, all_good, verify_batch};
pub use proof::{Proof, ProofError, ProofPart};
pub use verify::{PreparedVerifyingKey, VerifyError, verify};
