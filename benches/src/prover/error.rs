//! Why nothing was measured.

use std::path::PathBuf;

use ark_relations::gr1cs::SynthesisError;
use placet_params::{KeyDefect, LoadError};
use placet_setup::CacheError;
use placet_snarkjs::convert::ConvertError;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No circuit of this name.
    #[error("there is no circuit {0}; use `transfer` or `merkle`")]
    Circuit(String),
    /// No prover of this name in this build.
    #[error(
        "this build has no prover {0}; use ours or ark, or build with `cargo build --release --features rivals`"
    )]
    Prover(String),
    /// A size that the synthetic circuit does not have.
    #[error("a size of 2^{found} rows is out of range; use 8 to 18, as 14, 12..18 or 12,14,16")]
    Size {
        /// The exponent that was asked for.
        found: u32,
    },
    /// More threads than the machine gives.
    #[error("{found} threads on a machine that gives {most}; use --threads 1 to {most}")]
    Threads {
        /// What was asked for.
        found: usize,
        /// What there is.
        most: usize,
    },
    /// The circuit could not be built.
    #[error("the circuit cannot be built: {0}; this is a fault of this software, report it")]
    Synthesis(#[from] SynthesisError),
    /// There are no development keys.
    #[error(transparent)]
    Keys(#[from] CacheError),
    /// A key file of the benches is unusable.
    #[error("{path}: {source}; delete it, and it is made again", path = path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// Generated points are no key.
    #[error("the generated key is not usable: {0}; report it")]
    Defect(#[from] KeyDefect),
    /// The key cannot be written as a `.zkey`.
    #[error("the key cannot be written for snarkjs: {0}; report it")]
    Convert(#[from] ConvertError),
    /// The kernel does not take the key.
    #[error("{prover} does not take this key: {reason}; report it")]
    Refused {
        /// Who.
        prover: String,
        /// Why.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}; check the path, its permissions and the free space", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A process could not be started.
    #[error("{program} cannot be started: {source}; {remedy}")]
    Start {
        /// Which program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
        /// What to install.
        remedy: &'static str,
    },
    /// A process ended or said something else than was asked of it.
    #[error("{prover} gave up: {reason}; run it alone to see more, or leave it out")]
    Worker {
        /// Who.
        prover: String,
        /// The end of what it said.
        reason: String,
    },
    /// A proof does not verify: its time counts for nothing.
    #[error("{prover} made a proof that does not verify; its times count for nothing, report it")]
    Proof {
        /// Who.
        prover: String,
    },
    /// The command of an external prover cannot be read.
    #[error(
        "{0:?} names no external prover; write 'name=command {{zkey}} {{wtns}} {{proof}} {{public}}'"
    )]
    External(String),
    /// No snarkjs there.
    #[error(
        "there is no snarkjs in {path}; install it with `npm install snarkjs` and name the directory: --snarkjs DIR",
        path = .0.display()
    )]
    Snarkjs(PathBuf),
    /// No randomness.
    #[error("no randomness from the operating system: {0}; try again")]
    Randomness(#[from] getrandom::Error),
}

impl BenchError {
    /// A failure at a path, for `map_err`.
    pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
