//! Proofs made with the trapdoor of a key, for as many public inputs as `transfer` has: without a
//! circuit, and as special as a test wants them.

#![allow(dead_code)] // every test file uses a part of it

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{Field, UniformRand};
use ark_groth16::{Groth16, PreparedVerifyingKey as LibraryKey, Proof, prepare_verifying_key};
use ark_serialize::Compress;
use ark_std::rand::RngCore;
use placet_params::{CircuitDigest, Origin, VerifyingKey, point};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_verifier::PreparedVerifyingKey;

/// Public inputs of `transfer`.
pub const INPUTS: usize = 17;

/// A statement that is nothing but its inputs.
#[derive(Debug)]
pub struct Bare;

/// Nothing is checked natively.
#[derive(Debug, thiserror::Error)]
pub enum Never {}

impl Statement for Bare {
    const NAME: &'static str = "test-bare";
    const ID: u32 = 0x7e58;
    const PUBLIC_INPUTS: usize = INPUTS;
    type Public = Vec<Fr>;
    type Witness = ();
    type Violation = Never;

    fn inputs(public: &Vec<Fr>) -> Vec<Fr> {
        public.clone()
    }

    fn check(_: &Vec<Fr>, _: &()) -> Result<(), Never> {
        Ok(())
    }
}

/// A key whose discrete logarithms are known.
pub struct Simulator {
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
    inputs: Vec<Fr>,
    pub key: PreparedVerifyingKey<Bare>,
    pub library: LibraryKey<Bn254>,
}

fn g1(scalar: Fr) -> G1Affine {
    (G1Projective::generator() * scalar).into_affine()
}

fn g2(scalar: Fr) -> G2Affine {
    (G2Projective::generator() * scalar).into_affine()
}

impl Simulator {
    pub fn new(rng: &mut impl RngCore) -> Self {
        let [alpha, beta, gamma, delta] = std::array::from_fn(|_| Fr::rand(rng));
        let inputs: Vec<Fr> = (0..=INPUTS).map(|_| Fr::rand(rng)).collect();
        let points = ark_groth16::VerifyingKey::<Bn254> {
            alpha_g1: g1(alpha),
            beta_g2: g2(beta),
            gamma_g2: g2(gamma),
            delta_g2: g2(delta),
            gamma_abc_g1: inputs.iter().map(|scalar| g1(*scalar)).collect(),
        };
        let library = prepare_verifying_key(&points);
        let key =
            VerifyingKey::<Bare>::from_parts(points, CircuitDigest([7; 32]), Origin::Dev).unwrap();
        Self { alpha, beta, gamma, delta, inputs, key: PreparedVerifyingKey::from(&key), library }
    }

    /// The logarithm of X.
    fn combined(&self, public: &[Fr]) -> Fr {
        self.inputs[0] + self.inputs[1..].iter().zip(public).map(|(p, x)| *p * x).sum::<Fr>()
    }

    /// A good proof for any inputs.
    pub fn prove(&self, public: &[Fr], rng: &mut impl RngCore) -> Proof<Bn254> {
        let (a, b) = (Fr::rand(rng), Fr::rand(rng));
        let c = (a * b - self.alpha * self.beta - self.combined(public) * self.gamma)
            * self.delta.inverse().unwrap();
        Proof { a: g1(a), b: g2(b), c: g1(c) }
    }

    /// The last input that makes X the identity.
    pub fn vanishing(&self, public: &mut [Fr]) {
        public[INPUTS - 1] = Fr::from(0);
        let rest = self.combined(public);
        public[INPUTS - 1] = -rest * self.inputs[INPUTS].inverse().unwrap();
    }

    /// What the library says.
    #[allow(clippy::disallowed_methods, reason = "the oracle; the number of inputs is right")]
    pub fn library_accepts(&self, public: &[Fr], proof: &Proof<Bn254>) -> bool {
        assert_eq!(public.len(), INPUTS);
        Groth16::<Bn254>::verify_proof(&self.library, proof, public).unwrap()
    }
}

/// The encoding of points of any kind.
pub fn encode(proof: &Proof<Bn254>) -> ProofBytes {
    let mut out = Vec::new();
    point::encode(&proof.a, Compress::Yes, &mut out);
    point::encode(&proof.b, Compress::Yes, &mut out);
    point::encode(&proof.c, Compress::Yes, &mut out);
    ProofBytes(out.try_into().unwrap())
}
