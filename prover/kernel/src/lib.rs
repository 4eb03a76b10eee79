//! A fast Groth16 prover over BN254 that knows nothing of circuits.

mod engine;
pub mod file;
#[cfg(target_arch = "x86_64")]
mod fourier8;
mod jacobian;
pub mod kernel;
pub mod lanes;
pub mod mapping;
pub mod msm;
pub mod points;
pub mod quotient;
pub mod source;
mod sums;
pub mod table;
pub mod transform;

pub use engine::Arithmetic;
pub use kernel::{Kernel, KernelError, Matrices, OtherKernel, Prepared, Tables, UnknownTables};
pub use source::source;
