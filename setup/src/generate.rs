//! One machine makes a key pair. Whoever knows the seed can forge proofs.

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, SynthesisError, SynthesisMode,
};
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_circuits::circuit::{Circuit, blank_shape};
use placet_params::key::ProvingPoints;
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
    let points = trapdoor(&|cs| C::synthesize(cs, &public, &witness), seed)?;
    Ok(ProvingKey::from_parts(points, digest, Origin::Dev)?)
}

/// Not generic, so that it is compiled here with this crate's optimisation.
fn trapdoor(synthesize: Synthesize<'_>, seed: SetupSeed) -> Result<ProvingPoints, SynthesisError> {
    let mut rng = StdRng::from_seed(seed.0);
    Groth16::<Bn254>::generate_random_parameters_with_reduction(Blank(synthesize), &mut rng)
}

type Synthesize<'a> = &'a dyn Fn(ConstraintSystemRef<Fr>) -> Result<(), SynthesisError>;

/// The circuit as the library takes it.
struct Blank<'a>(Synthesize<'a>);

impl ConstraintSynthesizer<Fr> for Blank<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        // The mode in which shapes and proofs are synthesized, so that there is one code path:
        // the library's own setup mode hides all values from the gadgets.
        cs.set_mode(SynthesisMode::Prove {
            construct_matrices: true,
            generate_lc_assignments: false,
        });
        (self.0)(cs)
    }
}
