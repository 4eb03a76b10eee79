//! One machine makes a key pair. Whoever knows the seed can forge proofs.

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, SynthesisError, SynthesisMode,
};
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_circuits::circuit::{Circuit, blank_shape};
use placet_params::{CircuitDigest, KeyDefect, Origin, ProvingKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 random bytes from which a key pair is made: the trapdoor. Dropped after use.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SetupSeed([u8; 32]);

impl SetupSeed {
    /// Takes given bytes: the same bytes make the same keys.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes bytes from the operating system.
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Why no keys were made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The circuit could not be synthesized.
    #[error("the circuit cannot be built: {0}; this is a fault of this software, report it")]
    Synthesis(#[from] SynthesisError),
    /// The generated points are not a key.
    #[error("the generated key is not usable: {0}; try again, and report it if it happens twice")]
    Key(#[from] KeyDefect),
}

/// Makes a development key pair for `C`; the verifying key is inside.
pub fn generate<C: Circuit>(seed: SetupSeed) -> Result<ProvingKey<C>, SetupError> {
    let digest = CircuitDigest(blank_shape::<C>()?.digest);
    let (public, witness) = C::blank();
    let mut rng = StdRng::from_seed(seed.0);
    let points = Groth16::<Bn254>::generate_random_parameters_with_reduction(
        Blank::<C> { public, witness },
        &mut rng,
    )?;
    Ok(ProvingKey::from_parts(points, digest, Origin::Dev)?)
}

/// The circuit as the library takes it.
struct Blank<C: Circuit> {
    public: C::Public,
    witness: C::Witness,
}

impl<C: Circuit> ConstraintSynthesizer<Fr> for Blank<C> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        // The mode in which shapes and proofs are synthesized, so that there is one code path:
        // the library's own setup mode hides all values from the gadgets.
        cs.set_mode(SynthesisMode::Prove {
            construct_matrices: true,
            generate_lc_assignments: false,
        });
        C::synthesize(cs, &self.public, &self.witness)
    }
}
