//! Gadgets as rows of a constraint system: arkworks' in-circuit values, and a trace of which wires
//! the prover chooses and how many rows each clause costs.

use std::cell::RefCell;
use std::ops::Range;

use ark_bn254::Fr;
use ark_r1cs_std::fields::fp::{AllocatedFp, FpVar};
use ark_r1cs_std::prelude::*;
use ark_relations::gr1cs::{ConstraintSystemRef, SynthesisError, Variable};

use crate::interpreter::{Bit, Interpreter};
use crate::unrolled;

/// What a synthesis recorded.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Variables that the prover chooses; every other one must follow from these.
    pub inputs: Vec<Variable>,
    /// The rows of each block with the name of its clause, in order of synthesis.
    pub blocks: Vec<(&'static str, Range<usize>)>,
}

impl Trace {
    /// Rows per clause, in the order of the statement.
    pub fn clauses(&self) -> Vec<(&'static str, usize)> {
        let mut clauses: Vec<(&'static str, usize)> = Vec::new();
        for (name, rows) in &self.blocks {
            match clauses.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += rows.len(),
                None => clauses.push((name, rows.len())),
            }
        }
        clauses
    }

    /// The clause that a row belongs to.
    pub fn clause_of(&self, row: usize) -> Option<&'static str> {
        self.blocks.iter().find(|(_, rows)| rows.contains(&row)).map(|(name, _)| *name)
    }
}

/// Adds wires and rows to a constraint system.
pub struct Rows {
    pub(crate) cs: ConstraintSystemRef<Fr>,
    pub(crate) trace: RefCell<Trace>,
}

impl Interpreter for Rows {
    type Number = FpVar<Fr>;
    type Bit = Boolean<Fr>;

    fn constant(value: Fr) -> FpVar<Fr> {
        FpVar::Constant(value)
    }

    fn value(x: &FpVar<Fr>) -> Option<Fr> {
        x.value().ok()
    }

    fn add(a: &FpVar<Fr>, b: &FpVar<Fr>) -> FpVar<Fr> {
        a + b
    }

    fn sub(a: &FpVar<Fr>, b: &FpVar<Fr>) -> FpVar<Fr> {
        a - b
    }

    fn mul(a: &FpVar<Fr>, b: &FpVar<Fr>) -> FpVar<Fr> {
        a * b
    }

    fn mul_equals(a: &FpVar<Fr>, b: &FpVar<Fr>, product: &FpVar<Fr>) -> Result<(), SynthesisError> {
        a.mul_equals(b, product)
    }

    fn enforce_equal(a: &FpVar<Fr>, b: &FpVar<Fr>) -> Result<(), SynthesisError> {
        a.enforce_equal(b)
    }

    fn bit_as_number(bit: &Boolean<Fr>) -> FpVar<Fr> {
        FpVar::from(bit.clone())
    }

    fn weigh(bits: &[Bit<Self>]) -> FpVar<Fr> {
        let bits: Vec<_> = bits.iter().map(|bit| bit.0.clone()).collect();
        Boolean::le_bits_to_fp(&bits).expect("linear: nothing is allocated")
    }

    fn public(&self, value: Fr) -> Result<FpVar<Fr>, SynthesisError> {
        FpVar::new_input(self.cs.clone(), || Ok(value))
    }

    fn input(&self, value: Fr) -> Result<FpVar<Fr>, SynthesisError> {
        let variable = self.cs.new_witness_variable(|| Ok(value))?;
        self.trace.borrow_mut().inputs.push(variable);
        Ok(AllocatedFp::new(Some(value), variable, self.cs.clone()).into())
    }

    fn derived(&self, value: Option<Fr>) -> Result<FpVar<Fr>, SynthesisError> {
        FpVar::new_witness(self.cs.clone(), || value.ok_or(SynthesisError::AssignmentMissing))
    }

    fn input_bit(&self, value: bool) -> Result<Boolean<Fr>, SynthesisError> {
        let bit = self.derived_bit(Some(value))?;
        if let Boolean::Var(allocated) = &bit {
            self.trace.borrow_mut().inputs.push(allocated.variable());
        }
        Ok(bit)
    }

    fn derived_bit(&self, value: Option<bool>) -> Result<Boolean<Fr>, SynthesisError> {
        Boolean::new_witness(self.cs.clone(), || value.ok_or(SynthesisError::AssignmentMissing))
    }

    fn permute(&self, state: &[&FpVar<Fr>]) -> Result<Vec<FpVar<Fr>>, SynthesisError> {
        unrolled::permute(&self.cs, state)
    }

    fn rows(&self) -> usize {
        self.cs.num_constraints()
    }

    fn note_clause(&self, name: &'static str, rows: Range<usize>) {
        self.trace.borrow_mut().blocks.push((name, rows));
    }
}
