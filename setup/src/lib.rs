//! Key generation for development networks, with a cache. Spec §12.
//!
//! A development key is made by one machine that knew the trapdoor for a moment; it is marked so,
//! and no network that is not `dev` loads it. The ceremony for real keys lives here too, once it
//! exists. This is the only crate that needs circuits and keys at once, besides the prover.

pub mod cache;
pub mod generate;

pub use cache::{CacheError, Stage, default_cache_dir, development_keys, key_dir};
pub use generate::{SetupError, SetupSeed, generate};
