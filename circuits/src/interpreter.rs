//! What gadgets are written over: numbers and bits whose meaning an interpreter gives. The same
//! source makes the rows of the constraint system ([`Rows`]) and computes the values of all wires
//! and rows ([`Values`](crate::values::Values)), so neither can drift away from the other.
//! Decision 24.

use std::ops::{Add, Mul, Range, Sub};

use ark_bn254::Fr;
use ark_relations::gr1cs::SynthesisError;

use crate::rows::Rows;

/// Gives meaning to the operations of gadgets. Which numbers are constants, and so which
/// operations cost a row, must be the same for every interpreter.
pub trait Interpreter: Sized {
    /// A field element: a constant, or linear over wires.
    type Number: Clone;
    /// A wire that is 0 or 1.
    type Bit: Clone;

    /// A constant.
    fn constant(value: Fr) -> Self::Number;
    /// The value; `None` where rows are made without an assignment.
    fn value(x: &Self::Number) -> Option<Fr>;
    /// `a + b`, without a row.
    fn add(a: &Self::Number, b: &Self::Number) -> Self::Number;
    /// `a - b`, without a row.
    fn sub(a: &Self::Number, b: &Self::Number) -> Self::Number;
    /// `a · b`: a wire and a row, or neither where one of both is constant.
    fn mul(a: &Self::Number, b: &Self::Number) -> Self::Number;
    /// `a · b = product`, one row unless all are constant.
    fn mul_equals(
        a: &Self::Number,
        b: &Self::Number,
        product: &Self::Number,
    ) -> Result<(), SynthesisError>;
    /// `a = b`, one row unless both are constant.
    fn enforce_equal(a: &Self::Number, b: &Self::Number) -> Result<(), SynthesisError>;
    /// A bit as a number, without a row.
    fn bit_as_number(bit: &Self::Bit) -> Self::Number;
    /// `Σ 2^i · bits[i]` over fewer than 254 bits, without a row.
    fn weigh(bits: &[Bit<Self>]) -> Self::Number;

    /// A public input.
    fn public(&self, value: Fr) -> Result<Self::Number, SynthesisError>;
    /// A wire that the prover chooses.
    fn input(&self, value: Fr) -> Result<Self::Number, SynthesisError>;
    /// A wire that later rows determine.
    fn derived(&self, value: Option<Fr>) -> Result<Self::Number, SynthesisError>;
    /// A bit that the prover chooses, with the row that makes it one.
    fn input_bit(&self, value: bool) -> Result<Self::Bit, SynthesisError>;
    /// A bit that later rows determine, with the row that makes it one.
    fn derived_bit(&self, value: Option<bool>) -> Result<Self::Bit, SynthesisError>;
    /// One Poseidon permutation of 2 to 17 cells. Three wires and three rows an S-box, except
    /// where its input is constant.
    fn permute(&self, state: &[&Self::Number]) -> Result<Vec<Self::Number>, SynthesisError>;

    /// Rows so far.
    fn rows(&self) -> usize;
    /// Takes down that these rows belong to a clause.
    fn note_clause(&self, _name: &'static str, _rows: Range<usize>) {}
}

/// A field element of a gadget.
pub struct Var<I: Interpreter = Rows>(pub(crate) I::Number);

/// A bit of a gadget.
pub struct Bit<I: Interpreter = Rows>(pub(crate) I::Bit);

impl<I: Interpreter> Clone for Var<I> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I: Interpreter> Clone for Bit<I> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I: Interpreter> Var<I> {
    /// A constant.
    pub fn constant(value: Fr) -> Self {
        Self(I::constant(value))
    }
    /// The constant 0.
    pub fn zero() -> Self {
        Self::constant(Fr::from(0u8))
    }
    /// The constant 1.
    pub fn one() -> Self {
        Self::constant(Fr::from(1u8))
    }
    /// The assigned value; `None` when synthesizing without an assignment.
    pub fn value(&self) -> Option<Fr> {
        I::value(&self.0)
    }
    /// `self · other = product`, one row.
    pub fn mul_equals(&self, other: &Self, product: &Self) -> Result<(), SynthesisError> {
        I::mul_equals(&self.0, &other.0, &product.0)
    }
    /// `self = other`, one row.
    pub fn enforce_equal(&self, other: &Self) -> Result<(), SynthesisError> {
        I::enforce_equal(&self.0, &other.0)
    }
}

/// The operator between values and references in all four forms, and with a constant.
macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<I: Interpreter> $trait<&Var<I>> for &Var<I> {
            type Output = Var<I>;
            fn $method(self, other: &Var<I>) -> Var<I> {
                Var(I::$method(&self.0, &other.0))
            }
        }
        impl<I: Interpreter> $trait<Var<I>> for &Var<I> {
            type Output = Var<I>;
            fn $method(self, other: Var<I>) -> Var<I> {
                self.$method(&other)
            }
        }
        impl<I: Interpreter> $trait<&Var<I>> for Var<I> {
            type Output = Var<I>;
            fn $method(self, other: &Var<I>) -> Var<I> {
                (&self).$method(other)
            }
        }
        impl<I: Interpreter> $trait<Var<I>> for Var<I> {
            type Output = Var<I>;
            fn $method(self, other: Var<I>) -> Var<I> {
                (&self).$method(&other)
            }
        }
        impl<I: Interpreter> $trait<Fr> for &Var<I> {
            type Output = Var<I>;
            fn $method(self, other: Fr) -> Var<I> {
                self.$method(&Var::constant(other))
            }
        }
        impl<I: Interpreter> $trait<Fr> for Var<I> {
            type Output = Var<I>;
            fn $method(self, other: Fr) -> Var<I> {
                (&self).$method(&Var::constant(other))
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
