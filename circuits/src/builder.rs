//! The few operations that every gadget is written in, and a trace of what they allocate: which
//! variables the prover chooses freely, and how many rows each clause costs.

use std::cell::RefCell;
use std::ops::Range;

use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, PrimeField};
use ark_r1cs_std::fields::fp::{AllocatedFp, FpVar};
use ark_r1cs_std::prelude::*;
use ark_relations::gr1cs::{ConstraintSystemRef, SynthesisError, Variable};

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

/// Allocates and constrains values of one circuit.
pub struct Builder {
    cs: ConstraintSystemRef<Fr>,
    trace: RefCell<Trace>,
}

impl Builder {
    /// Builds into `cs`.
    pub fn new(cs: ConstraintSystemRef<Fr>) -> Self {
        Self { cs, trace: RefCell::default() }
    }

    /// The constraint system.
    pub fn cs(&self) -> ConstraintSystemRef<Fr> {
        self.cs.clone()
    }

    /// What was recorded so far.
    pub fn into_trace(self) -> Trace {
        self.trace.into_inner()
    }

    /// Runs the block of one clause and counts its rows. A clause may come in several blocks.
    pub fn clause<T>(
        &self,
        name: &'static str,
        block: impl FnOnce() -> Result<T, SynthesisError>,
    ) -> Result<T, SynthesisError> {
        let before = self.cs.num_constraints();
        let result = block()?;
        let rows = before..self.cs.num_constraints();
        self.trace.borrow_mut().blocks.push((name, rows));
        Ok(result)
    }

    /// A public input.
    pub fn public(&self, value: Fr) -> Result<FpVar<Fr>, SynthesisError> {
        FpVar::new_input(self.cs(), || Ok(value))
    }

    /// A value that the prover chooses.
    pub fn input(&self, value: Fr) -> Result<FpVar<Fr>, SynthesisError> {
        let variable = self.cs.new_witness_variable(|| Ok(value))?;
        self.trace.borrow_mut().inputs.push(variable);
        Ok(AllocatedFp::new(Some(value), variable, self.cs()).into())
    }

    /// A bit that the prover chooses; one row makes it boolean.
    pub fn input_bit(&self, value: bool) -> Result<Boolean<Fr>, SynthesisError> {
        let bit = Boolean::new_witness(self.cs(), || Ok(value))?;
        if let Boolean::Var(allocated) = &bit {
            self.trace.borrow_mut().inputs.push(allocated.variable());
        }
        Ok(bit)
    }

    /// A value that the rows which follow determine.
    pub fn derived(&self, value: Option<Fr>) -> Result<FpVar<Fr>, SynthesisError> {
        FpVar::new_witness(self.cs(), || value.ok_or(SynthesisError::AssignmentMissing))
    }

    /// `numerator / denominator`, one row. The caller shows that the denominator is never zero
    /// together with the numerator.
    pub fn quotient(
        &self,
        numerator: &FpVar<Fr>,
        denominator: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        let value = value(numerator).zip(value(denominator)).map(|(n, d)| {
            // Where the denominator vanishes alone no value satisfies the row; zero is as good
            // as any, and proving such a statement fails.
            n * d.inverse().unwrap_or(Fr::from(0u8))
        });
        let quotient = self.derived(value)?;
        quotient.mul_equals(denominator, numerator)?;
        Ok(quotient)
    }

    /// Whether `x` is zero, three rows. The helper value is zero where `x` is, so nothing is left
    /// free.
    pub fn is_zero(&self, x: &FpVar<Fr>) -> Result<FpVar<Fr>, SynthesisError> {
        let inverse = value(x).map(|x| x.inverse().unwrap_or(Fr::from(0u8)));
        let inverse = self.derived(inverse)?;
        let zero = self.derived(value(x).map(|x| Fr::from(u8::from(x == Fr::from(0u8)))))?;
        x.mul_equals(&inverse, &not(&zero))?;
        x.mul_equals(&zero, &FpVar::zero())?;
        inverse.mul_equals(&zero, &FpVar::zero())?;
        Ok(zero)
    }

    /// The `width` low bits of `x`, lowest first, with rows that make `x` equal to their sum: so
    /// `x` is below `2^width`. `width` stays below 254, so the sum never wraps. `width + 1` rows.
    pub fn bits(&self, x: &FpVar<Fr>, width: u32) -> Result<Vec<Boolean<Fr>>, SynthesisError> {
        assert!(width < Fr::MODULUS_BIT_SIZE, "a wider sum could wrap around the modulus");
        let integer = value(x).map(|x| x.into_bigint());
        let bits = (0..width as usize)
            .map(|i| {
                Boolean::new_witness(self.cs(), || {
                    integer.map(|x| x.get_bit(i)).ok_or(SynthesisError::AssignmentMissing)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        weigh(&bits).enforce_equal(x)?;
        Ok(bits)
    }

    /// Makes `x` lie in `[0, 2^width)`.
    pub fn range(&self, x: &FpVar<Fr>, width: u32) -> Result<(), SynthesisError> {
        self.bits(x, width).map(drop)
    }

    /// `a < b` for values whose difference fits `width` bits and a sign; anything else has no
    /// satisfying witness. `width + 2` rows.
    pub fn less_than(
        &self,
        a: &FpVar<Fr>,
        b: &FpVar<Fr>,
        width: u32,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        let offset = Fr::from(2u8).pow([u64::from(width)]);
        let bits = self.bits(&(a - b + offset), width + 1)?;
        Ok(not(&as_field(&bits[width as usize])))
    }

    /// `condition · (a - b) = 0`, one row.
    pub fn equal_if(
        &self,
        condition: &FpVar<Fr>,
        a: &FpVar<Fr>,
        b: &FpVar<Fr>,
    ) -> Result<(), SynthesisError> {
        condition.mul_equals(&(a - b), &FpVar::zero())
    }

    /// `condition ? yes : no`, one row.
    pub fn choose(&self, condition: &FpVar<Fr>, yes: &FpVar<Fr>, no: &FpVar<Fr>) -> FpVar<Fr> {
        condition * (yes - no) + no
    }

    /// Names `lc` as a value without a row.
    pub(crate) fn linear(
        &self,
        lc: ark_relations::gr1cs::LinearCombination<Fr>,
        value: Option<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        let variable = self.cs.new_lc(|| lc)?;
        Ok(AllocatedFp::new(value, variable, self.cs()).into())
    }
}

/// The assigned value; `None` when synthesizing without an assignment.
pub fn value(x: &FpVar<Fr>) -> Option<Fr> {
    x.value().ok()
}

/// A bit as a field element, without a row.
pub fn as_field(bit: &Boolean<Fr>) -> FpVar<Fr> {
    FpVar::from(bit.clone())
}

/// `Σ 2^i · bits[i]`, without a row.
pub fn weigh(bits: &[Boolean<Fr>]) -> FpVar<Fr> {
    Boolean::le_bits_to_fp(bits).expect("linear: nothing is allocated")
}

/// `1 - x`, without a row.
pub fn not(x: &FpVar<Fr>) -> FpVar<Fr> {
    FpVar::one() - x
}
