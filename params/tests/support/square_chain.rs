//! A small statement with its circuit, for tests of keys, prover and verifier: `root` raised to
//! 2^SQUARINGS is `power`, and `tag` takes part in a constraint.

#![allow(dead_code)] // every test file uses a part of it

use ark_bn254::Fr;

use ark_relations::gr1cs::{
    ConstraintSystemRef, Field, LinearCombination, SynthesisError, Variable,
};
use placet_circuits::Circuit;
use placet_protocol::statement::Statement;

/// Constraints of the chain.
pub const SQUARINGS: usize = 60;

#[derive(Debug)]
pub struct SquareChain;

#[derive(Clone, Debug)]
pub struct ChainPublic {
    pub power: Fr,
    pub tag: Fr,
    /// How many inputs to hand out; honest statements always say 2.
    pub inputs: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainViolation {
    #[error("Chain: the root raised to the power is another value")]
    Chain,
}

/// A satisfying pair.
pub fn chain(root: u64, tag: u64) -> (ChainPublic, Fr) {
    let root = Fr::from(root);
    let power = (0..SQUARINGS).fold(root, |x, _| x.square());
    (ChainPublic { power, tag: Fr::from(tag), inputs: 2 }, root)
}

impl Statement for SquareChain {
    const NAME: &'static str = "test-square-chain";
    const ID: u32 = 0x7e57;
    const PUBLIC_INPUTS: usize = 2;
    type Public = ChainPublic;
    type Witness = Fr;
    type Violation = ChainViolation;

    fn inputs(public: &ChainPublic) -> Vec<Fr> {
        let mut inputs = vec![public.power, public.tag];
        inputs.resize(public.inputs, Fr::from(0u8));
        inputs
    }

    fn check(public: &ChainPublic, witness: &Fr) -> Result<(), ChainViolation> {
        let power = (0..SQUARINGS).fold(*witness, |x, _| x.square());
        if power == public.power { Ok(()) } else { Err(ChainViolation::Chain) }
    }
}

impl Circuit for SquareChain {
    fn synthesize(
        cs: ConstraintSystemRef<Fr>,
        public: &ChainPublic,
        witness: &Fr,
    ) -> Result<(), SynthesisError> {
        let power = cs.new_input_variable(|| Ok(public.power))?;
        let tag = cs.new_input_variable(|| Ok(public.tag))?;
        let mut value = *witness;
        let mut current = cs.new_witness_variable(|| Ok(value))?;
        for _ in 0..SQUARINGS {
            value.square_in_place();
            let next = cs.new_witness_variable(|| Ok(value))?;
            let (a, c) = (current, next);
            cs.enforce_r1cs_constraint(|| a.into(), || a.into(), || c.into())?;
            current = next;
        }
        let difference = LinearCombination::from(current) - power;
        cs.enforce_r1cs_constraint(
            || difference,
            || Variable::One.into(),
            LinearCombination::zero,
        )?;
        let square = cs.new_witness_variable(|| Ok(public.tag.square()))?;
        cs.enforce_r1cs_constraint(|| tag.into(), || tag.into(), || square.into())
    }

    fn blank() -> (ChainPublic, Fr) {
        (ChainPublic { power: Fr::from(0u8), tag: Fr::from(0u8), inputs: 2 }, Fr::from(0u8))
    }
}
