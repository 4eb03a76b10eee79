//! Small random circuits with keys, for the tests of this crate.

#![allow(dead_code, reason = "every test uses a part")]

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystem, ConstraintSystemRef, LinearCombination,
    OptimizationGoal, R1CS_PREDICATE_LABEL, SynthesisError, SynthesisMode, Variable,
};
use ark_std::UniformRand;
use ark_std::rand::rngs::StdRng;
use ark_std::rand::{Rng, SeedableRng};
use placet_params::key::{ProvingPoints, VerifyingPoints};
use placet_snarkjs::json::ProofPoints;
use placet_snarkjs::r1cs::{R1cs, Rows};

/// A circuit that depends on its seed alone: every constraint multiplies two random combinations
/// of the wires so far and names the product.
#[derive(Clone, Copy)]
pub struct Random {
    pub seed: u64,
    pub public: usize,
    pub free: usize,
    pub constraints: usize,
}

impl ConstraintSynthesizer<Fr> for Random {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        // The library's setup mode hides values; ours are needed to compute the products.
        cs.set_mode(SynthesisMode::Prove {
            construct_matrices: true,
            generate_lc_assignments: false,
        });
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut wires = vec![(Variable::One, Fr::from(1u8))];
        for _ in 0..self.public {
            let value = Fr::rand(&mut rng);
            wires.push((cs.new_input_variable(|| Ok(value))?, value));
        }
        for _ in 0..self.free {
            let value = Fr::rand(&mut rng);
            wires.push((cs.new_witness_variable(|| Ok(value))?, value));
        }
        for _ in 0..self.constraints {
            let mut combination = || {
                let mut lc = LinearCombination::zero();
                let mut value = Fr::from(0u8);
                for _ in 0..rng.gen_range(1..4) {
                    let (wire, its) = wires[rng.gen_range(0..wires.len())];
                    let factor = Fr::rand(&mut rng);
                    lc += (factor, wire);
                    value += factor * its;
                }
                (lc, value)
            };
            let ((a, x), (b, y)) = (combination(), combination());
            let product = cs.new_witness_variable(|| Ok(x * y))?;
            cs.enforce_r1cs_constraint(|| a, || b, || product.into())?;
            wires.push((product, x * y));
        }
        Ok(())
    }
}

/// A circuit, its matrices, an assignment and a key.
pub struct Sample {
    pub matrices: [Rows; 3],
    pub circuit: R1cs,
    pub assignment: Vec<Fr>,
    pub key: ProvingPoints,
}

impl Sample {
    pub fn new(random: Random) -> Self {
        let cs = ConstraintSystem::new_ref();
        cs.set_optimization_goal(OptimizationGoal::Constraints);
        random.generate_constraints(cs.clone()).unwrap();
        cs.finalize();
        assert!(cs.is_satisfied().unwrap());
        let matrices: [Rows; 3] =
            cs.to_matrices().unwrap().remove(R1CS_PREDICATE_LABEL).unwrap().try_into().unwrap();
        let (instance, witnesses) = (cs.num_instance_variables(), cs.num_witness_variables());
        let assignment = {
            let cs = cs.borrow().unwrap();
            [cs.instance_assignment().unwrap(), cs.witness_assignment().unwrap()].concat()
        };
        let mut rng = StdRng::seed_from_u64(random.seed + 1);
        let key =
            Groth16::<Bn254>::generate_random_parameters_with_reduction(random, &mut rng).unwrap();
        let circuit = R1cs::from_matrices(&matrices, instance, witnesses);
        assert_eq!(circuit.first_violated(&assignment), None);
        Self { matrices, circuit, assignment, key }
    }

    pub fn prove(&self, key: &ProvingPoints) -> ProofPoints {
        let mut rng = StdRng::seed_from_u64(7);
        Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
            key,
            Fr::rand(&mut rng),
            Fr::rand(&mut rng),
            &self.matrices,
            self.circuit.public_inputs as usize + 1,
            self.circuit.constraints(),
            &self.assignment,
        )
        .unwrap()
    }

    pub fn public(&self) -> &[Fr] {
        &self.assignment[1..=self.circuit.public_inputs as usize]
    }
}

#[allow(clippy::disallowed_methods)] // the number of inputs is compared first
pub fn verifies(key: &VerifyingPoints, inputs: &[Fr], proof: &ProofPoints) -> bool {
    assert_eq!(inputs.len() + 1, key.gamma_abc_g1.len());
    Groth16::<Bn254>::verify_proof(&ark_groth16::prepare_verifying_key(key), proof, inputs).unwrap()
}

/// Small circuits of different shapes: few and many public inputs, full and almost empty domains.
pub const SHAPES: [Random; 4] = [
    Random { seed: 1, public: 1, free: 2, constraints: 6 },
    Random { seed: 2, public: 3, free: 2, constraints: 12 },
    Random { seed: 3, public: 2, free: 5, constraints: 14 },
    Random { seed: 4, public: 5, free: 1, constraints: 40 },
];
