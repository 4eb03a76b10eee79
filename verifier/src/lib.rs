//! Typed Groth16 verification, single and batched
