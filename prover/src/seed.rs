//! The randomness of one proof.

use ark_bn254::Fr;
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 random bytes that blind one proof. Used up by proving: two proofs with the same blinding
/// would not hide their witnesses from whoever compares them.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ProofSeed([u8; 32]);

impl ProofSeed {
    /// Takes bytes that nobody else knows.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes bytes from the operating system.
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The two blinding scalars.
    pub(crate) fn blinding(self) -> Blinding {
        let mut rng = StdRng::from_seed(self.0);
        Blinding { r: Fr::rand(&mut rng), s: Fr::rand(&mut rng) }
    }
}

/// What makes a proof hide its witness: `r` in A, `s` in B.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Blinding {
    /// Blinds A.
    pub r: Fr,
    /// Blinds B.
    pub s: Fr,
}
