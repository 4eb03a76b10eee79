//! The few operations that every gadget is written in.

use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, PrimeField};
use ark_relations::gr1cs::{ConstraintSystemRef, SynthesisError};

pub use crate::interpreter::{Bit, Interpreter, Var};
pub use crate::rows::{Rows, Trace};

/// Allocates and constrains values of one circuit.
pub struct Builder<I = Rows> {
    interpreter: I,
}

impl Builder<Rows> {
    /// Builds into `cs`.
    pub fn new(cs: ConstraintSystemRef<Fr>) -> Self {
        Self::over(Rows { cs, trace: Default::default() })
    }

    /// The constraint system.
    pub fn cs(&self) -> ConstraintSystemRef<Fr> {
        self.interpreter.cs.clone()
    }

    /// What was recorded so far.
    pub fn into_trace(self) -> Trace {
        self.interpreter.trace.into_inner()
    }
}

impl<I: Interpreter> Builder<I> {
    /// Builds by an interpreter.
    pub fn over(interpreter: I) -> Self {
        Self { interpreter }
    }

    /// Runs the block of one clause and counts its rows. A clause may come in several blocks.
    pub fn clause<T>(
        &self,
        name: &'static str,
        block: impl FnOnce() -> Result<T, SynthesisError>,
    ) -> Result<T, SynthesisError> {
        let before = self.interpreter.rows();
        let result = block()?;
        self.interpreter.note_clause(name, before..self.interpreter.rows());
        Ok(result)
    }

    /// A public input.
    pub fn public(&self, value: Fr) -> Result<Var<I>, SynthesisError> {
        self.interpreter.public(value).map(Var)
    }

    /// A value that the prover chooses.
    pub fn input(&self, value: Fr) -> Result<Var<I>, SynthesisError> {
        self.interpreter.input(value).map(Var)
    }

    /// A bit that the prover chooses; one row makes it boolean.
    pub fn input_bit(&self, value: bool) -> Result<Bit<I>, SynthesisError> {
        self.interpreter.input_bit(value).map(Bit)
    }

    /// A value that the rows which follow determine.
    pub fn derived(&self, value: Option<Fr>) -> Result<Var<I>, SynthesisError> {
        self.interpreter.derived(value).map(Var)
    }

    /// `numerator / denominator`, one row. The caller shows that the denominator is never zero
    /// together with the numerator.
    pub fn quotient(
        &self,
        numerator: &Var<I>,
        denominator: &Var<I>,
    ) -> Result<Var<I>, SynthesisError> {
        self.quotient_hinted(numerator, denominator, None)
    }

    /// As [`Self::quotient`]; `inverse` may be the denominator's inverse, or wrong: then it is
    /// computed here. Many inverses found at once cost little, each alone as much as a hundred
    /// products.
    pub fn quotient_hinted(
        &self,
        numerator: &Var<I>,
        denominator: &Var<I>,
        inverse: Option<Fr>,
    ) -> Result<Var<I>, SynthesisError> {
        let value = numerator.value().zip(denominator.value()).map(|(n, d)| {
            let inverse = inverse.filter(|inverse| *inverse * d == Fr::ONE);
            // Where the denominator vanishes alone no value satisfies the row; zero is as good
            // as any, and proving such a statement fails.
            n * inverse.or_else(|| d.inverse()).unwrap_or(Fr::from(0u8))
        });
        let quotient = self.derived(value)?;
        // In B, where slopes are anyway: they are squared. Denominators need not be there.
        denominator.mul_equals(&quotient, numerator)?;
        Ok(quotient)
    }

    /// Whether `x` is zero, three rows. The helper value is zero where `x` is, so nothing is left
    /// free.
    pub fn is_zero(&self, x: &Var<I>) -> Result<Var<I>, SynthesisError> {
        let inverse = x.value().map(|x| x.inverse().unwrap_or(Fr::from(0u8)));
        let inverse = self.derived(inverse)?;
        let zero = self.derived(x.value().map(|x| Fr::from(u8::from(x == Fr::from(0u8)))))?;
        x.mul_equals(&inverse, &not(&zero))?;
        x.mul_equals(&zero, &Var::zero())?;
        inverse.mul_equals(&zero, &Var::zero())?;
        Ok(zero)
    }

    /// The `width` low bits of `x`, lowest first, with rows that make `x` equal to their sum: so
    /// `x` is below `2^width`. `width` stays below 254, so the sum never wraps. `width + 1` rows.
    pub fn bits(&self, x: &Var<I>, width: u32) -> Result<Vec<Bit<I>>, SynthesisError> {
        assert!(width < Fr::MODULUS_BIT_SIZE, "a wider sum could wrap around the modulus");
        let integer = x.value().map(|x| x.into_bigint());
        let bits = (0..width as usize)
            .map(|i| self.interpreter.derived_bit(integer.map(|x| x.get_bit(i))).map(Bit))
            .collect::<Result<Vec<_>, _>>()?;
        weigh(&bits).enforce_equal(x)?;
        Ok(bits)
    }

    /// Makes `x` lie in `[0, 2^width)`.
    pub fn range(&self, x: &Var<I>, width: u32) -> Result<(), SynthesisError> {
        self.bits(x, width).map(drop)
    }

    /// `a < b` for values whose difference fits `width` bits and a sign; anything else has no
    /// satisfying witness. `width + 2` rows.
    pub fn less_than(&self, a: &Var<I>, b: &Var<I>, width: u32) -> Result<Var<I>, SynthesisError> {
        let offset = Fr::from(2u8).pow([u64::from(width)]);
        let bits = self.bits(&(a - b + offset), width + 1)?;
        Ok(not(&as_field(&bits[width as usize])))
    }

    /// `condition · (a - b) = 0`, one row.
    pub fn equal_if(
        &self,
        condition: &Var<I>,
        a: &Var<I>,
        b: &Var<I>,
    ) -> Result<(), SynthesisError> {
        (a - b).mul_equals(condition, &Var::zero())
    }

    /// `condition ? yes : no`, one row. The condition stands in B, where its own row has it anyway.
    pub fn choose(&self, condition: &Var<I>, yes: &Var<I>, no: &Var<I>) -> Var<I> {
        (yes - no) * condition + no
    }

    /// One Poseidon permutation; [`crate::poseidon`] says what it costs.
    pub(crate) fn permute(&self, state: &[&Var<I>]) -> Result<Vec<Var<I>>, SynthesisError> {
        let state: Vec<_> = state.iter().map(|cell| &cell.0).collect();
        Ok(self.interpreter.permute(&state)?.into_iter().map(Var).collect())
    }
}

/// A bit as a field element, without a row.
pub fn as_field<I: Interpreter>(bit: &Bit<I>) -> Var<I> {
    Var(I::bit_as_number(&bit.0))
}

/// `Σ 2^i · bits[i]`, without a row.
///
/// # Panics
/// Where the sum could wrap around the modulus; every caller has a fixed width.
pub fn weigh<I: Interpreter>(bits: &[Bit<I>]) -> Var<I> {
    assert!(bits.len() < Fr::MODULUS_BIT_SIZE as usize, "a wider sum could wrap");
    Var(I::weigh(bits))
}

/// `1 - x`, without a row.
pub fn not<I: Interpreter>(x: &Var<I>) -> Var<I> {
    Var::one() - x
}
