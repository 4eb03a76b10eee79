//! How keys come about: by a ceremony, or for development networks by one machine, with a cache.
//! Spec §12.
//!
//! A development key's trapdoor was known for a moment; it is marked so, and no network that is not
//! `dev` loads it. This is the only crate that needs circuits and keys at once, besides the prover.

pub mod cache;
pub mod ceremony;
pub mod generate;

pub use cache::{CacheError, Stage, default_cache_dir, development_keys, key_dir};
pub use generate::{SetupError, SetupSeed, generate};
