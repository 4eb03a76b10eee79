//! Phase 1: powers of a tau that nobody knows. Mostly the public ceremony's file is taken; this
//! makes local ones, for tests and for those who want their own, and checks any. Spec §12.4.

pub mod check;
pub mod make;

pub use check::{CheckError, check};
pub use make::{MakeError, contribute, fresh, prepare};
