//! What a provable statement is: public inputs, a witness, and a native check that names the
//! violated clause. Spec §7. The circuit that enforces the same is in `circuits`.

use ark_bn254::Fr;

use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Bytes of a Groth16 proof: A, B, C compressed.
pub const PROOF_BYTES: usize = 32 + 64 + 32;

/// A statement that Placet proves.
pub trait Statement: 'static + Send + Sync {
    /// Stable name, used in files and on the command line.
    const NAME: &'static str;
    /// Stable number, used in encodings.
    const ID: u32;
    /// Number of public inputs, the constant one not counted.
    const PUBLIC_INPUTS: usize;
    /// The typed public inputs.
    type Public;
    /// Everything else.
    type Witness;
    /// The clauses that can be violated.
    type Violation: std::error::Error + Send + Sync + 'static;

    /// The public inputs in the one order that circuit, prover and verifier share.
    fn inputs(public: &Self::Public) -> Vec<Fr>;
    /// Checks every clause natively; the first violated one is the error.
    fn check(public: &Self::Public, witness: &Self::Witness) -> Result<(), Self::Violation>;
}

/// The bytes of a proof, not yet known to be points.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProofBytes(pub [u8; PROOF_BYTES]);

impl std::fmt::Debug for ProofBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProofBytes({})", hex::encode(self.0))
    }
}

impl Wire for ProofBytes {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.array()?))
    }
}
