//! A small statement with its circuit, for tests of keys, prover and verifier: `root` raised to
//! 2^SQUARINGS is `power`, and `tag` takes part in a constraint.

#![allow(dead_code)] // every test file uses a part of it

use ark_bn254::Fr;
use ark_ff::Field;
use ark_relations::gr1cs::SynthesisError;
use placet_circuits::Circuit;
use placet_circuits::builder::{Builder, Interpreter};
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
    fn build<I: Interpreter>(
        b: &Builder<I>,
        public: &ChainPublic,
        witness: &Fr,
    ) -> Result<(), SynthesisError> {
        let power = b.public(public.power)?;
        let tag = b.public(public.tag)?;
        let mut current = b.input(*witness)?;
        for _ in 0..SQUARINGS {
            current = &current * &current;
        }
        current.enforce_equal(&power)?;
        let _square = &tag * &tag;
        Ok(())
    }

    fn blank() -> (ChainPublic, Fr) {
        (ChainPublic { power: Fr::from(0u8), tag: Fr::from(0u8), inputs: 2 }, Fr::from(0u8))
    }
}
