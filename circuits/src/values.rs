//! Gadgets as plain arithmetic: the values of all wires, and of every row of the matrices A and B,
//! in the order in which [`Rows`](crate::rows::Rows) allocates them. Nothing is synthesized and no
//! matrix is evaluated.
//!
//! Each operation pushes what arkworks' one would: the tests compare whole assignments, for true
//! statements and for lies.

use std::cell::RefCell;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};
use ark_relations::gr1cs::SynthesisError;
use placet_protocol::poseidon::permute_observed;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::builder::{Bit, Builder, Interpreter};

/// The values of a circuit's wires and rows, as secret as the witness; wiped on drop.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Assignment {
    /// One, the public inputs, then the witness variables in order of allocation.
    pub wires: Vec<Fr>,
    /// Row by row the value of A; constraints only.
    pub left: Vec<Fr>,
    /// Row by row the value of B; constraints only.
    pub right: Vec<Fr>,
}

/// Room for `transfer`; another circuit's vectors grow when they need to.
const ROOM: usize = 1 << 15;

/// Runs `build` and hands out what it computed.
pub fn assign(
    build: impl FnOnce(&Builder<Values<'_>>) -> Result<(), SynthesisError>,
) -> Result<Assignment, SynthesisError> {
    let sink = Sink::new();
    build(&Builder::over(Values(&sink)))?;
    Ok(sink.0.into_inner().assignment)
}

/// Collects what is computed.
struct Sink(RefCell<Collected>);

struct Collected {
    assignment: Assignment,
    /// Leading wires that are public, the constant one included.
    instance: usize,
}

impl Sink {
    /// Holds the constant one.
    fn new() -> Self {
        let room = || Vec::with_capacity(ROOM);
        let mut assignment = Assignment { wires: room(), left: room(), right: room() };
        assignment.wires.push(Fr::ONE);
        Self(RefCell::new(Collected { assignment, instance: 1 }))
    }

    fn row(&self, left: Fr, right: Fr) {
        self.0.borrow_mut().assignment.row(left, right);
    }
}

impl Assignment {
    fn wire(&mut self, value: Fr) {
        push(&mut self.wires, value);
    }

    fn row(&mut self, left: Fr, right: Fr) {
        push(&mut self.left, left);
        push(&mut self.right, right);
    }

    /// The wires and rows of `x^5`.
    fn fifth_power(&mut self, x: Fr) {
        let x2 = x.square();
        let x4 = x2.square();
        self.wire(x2);
        self.wire(x4);
        self.wire(x4 * x);
        self.row(x, x);
        self.row(x2, x2);
        self.row(x4, x);
    }
}

/// As `Vec::push`, but leaves no secret behind in memory that is given back.
#[inline]
fn push(values: &mut Vec<Fr>, value: Fr) {
    if values.len() == values.capacity() {
        grow(values);
    }
    values.push(value);
}

#[cold]
fn grow(values: &mut Vec<Fr>) {
    let mut larger = Vec::with_capacity(2 * values.len().max(1));
    larger.extend_from_slice(values);
    std::mem::replace(values, larger).zeroize();
}

/// Without the multiplication that `Fr::from` does.
fn zero_or_one(bit: bool) -> Fr {
    if bit { Fr::ONE } else { Fr::ZERO }
}

/// A value, and where it belongs unless it is a constant.
#[derive(Clone, Copy)]
pub struct Number<'s> {
    value: Fr,
    sink: Option<&'s Sink>,
}

/// A bit; bits are never constants.
#[derive(Clone, Copy)]
pub struct Boolean<'s> {
    value: bool,
    sink: &'s Sink,
}

/// Computes into a sink.
#[derive(Clone, Copy)]
pub struct Values<'s>(&'s Sink);

impl<'s> Values<'s> {
    fn number(self, value: Fr) -> Number<'s> {
        Number { value, sink: Some(self.0) }
    }
}

impl<'s> Interpreter for Values<'s> {
    type Number = Number<'s>;
    type Bit = Boolean<'s>;

    #[inline]
    fn constant(value: Fr) -> Number<'s> {
        Number { value, sink: None }
    }

    #[inline]
    fn value(x: &Number<'s>) -> Option<Fr> {
        Some(x.value)
    }

    #[inline]
    fn add(a: &Number<'s>, b: &Number<'s>) -> Number<'s> {
        Number { value: a.value + b.value, sink: a.sink.or(b.sink) }
    }

    #[inline]
    fn sub(a: &Number<'s>, b: &Number<'s>) -> Number<'s> {
        Number { value: a.value - b.value, sink: a.sink.or(b.sink) }
    }

    #[inline]
    fn mul(a: &Number<'s>, b: &Number<'s>) -> Number<'s> {
        let product = Number { value: a.value * b.value, sink: a.sink.or(b.sink) };
        if let (Some(sink), Some(_)) = (a.sink, b.sink) {
            let assignment = &mut sink.0.borrow_mut().assignment;
            assignment.wire(product.value);
            assignment.row(a.value, b.value);
        }
        product
    }

    #[inline]
    fn mul_equals(
        a: &Number<'s>,
        b: &Number<'s>,
        product: &Number<'s>,
    ) -> Result<(), SynthesisError> {
        match (a.sink, b.sink) {
            (Some(sink), Some(_)) => {
                sink.row(a.value, b.value);
                Ok(())
            }
            // A multiplication by a constant is linear: what is left to say is an equality.
            _ => Self::enforce_equal(product, &Self::mul(a, b)),
        }
    }

    #[inline]
    fn enforce_equal(a: &Number<'s>, b: &Number<'s>) -> Result<(), SynthesisError> {
        match (a.sink, b.sink) {
            (None, None) => {}
            // The constant comes first, on whichever side it stands.
            (Some(sink), None) => sink.row(b.value - a.value, Fr::ONE),
            (_, Some(sink)) => sink.row(a.value - b.value, Fr::ONE),
        }
        Ok(())
    }

    #[inline]
    fn bit_as_number(bit: &Boolean<'s>) -> Number<'s> {
        Number { value: zero_or_one(bit.value), sink: Some(bit.sink) }
    }

    fn weigh(bits: &[Bit<Self>]) -> Number<'s> {
        let mut limbs = [0u64; 4];
        for (i, bit) in bits.iter().enumerate() {
            limbs[i / 64] |= u64::from(bit.0.value) << (i % 64);
        }
        let value = Fr::from_bigint(BigInt::new(limbs)).expect("below 2^253, so below the modulus");
        limbs.zeroize();
        Number { value, sink: bits.first().map(|bit| bit.0.sink) }
    }

    fn public(&self, value: Fr) -> Result<Number<'s>, SynthesisError> {
        let Collected { assignment, instance } = &mut *self.0.0.borrow_mut();
        // Public wires stand before all others; circuits begin with them, so nothing moves.
        assignment.wire(value);
        assignment.wires[*instance..].rotate_right(1);
        *instance += 1;
        Ok(self.number(value))
    }

    #[inline]
    fn input(&self, value: Fr) -> Result<Number<'s>, SynthesisError> {
        self.0.0.borrow_mut().assignment.wire(value);
        Ok(self.number(value))
    }

    #[inline]
    fn derived(&self, value: Option<Fr>) -> Result<Number<'s>, SynthesisError> {
        self.input(value.ok_or(SynthesisError::AssignmentMissing)?)
    }

    #[inline]
    fn input_bit(&self, value: bool) -> Result<Boolean<'s>, SynthesisError> {
        let assignment = &mut self.0.0.borrow_mut().assignment;
        let number = zero_or_one(value);
        assignment.wire(number);
        assignment.row(zero_or_one(!value), number);
        Ok(Boolean { value, sink: self.0 })
    }

    #[inline]
    fn derived_bit(&self, value: Option<bool>) -> Result<Boolean<'s>, SynthesisError> {
        self.input_bit(value.ok_or(SynthesisError::AssignmentMissing)?)
    }

    fn permute(&self, state: &[&Number<'s>]) -> Result<Vec<Number<'s>>, SynthesisError> {
        let mut cells: Vec<Fr> = state.iter().map(|cell| cell.value).collect();
        let assignment = &mut self.0.0.borrow_mut().assignment;
        let variable = |cell: &Number<'_>| cell.sink.is_some();
        // Behind the first matrix every cell depends on every input.
        let any = state.iter().any(|cell| variable(cell));
        let mut place = 0;
        permute_observed(&mut cells, &mut |x| {
            if state.get(place).map_or(any, |cell| variable(cell)) {
                assignment.fifth_power(x);
            }
            place += 1;
        });
        Ok(cells.drain(..).map(|value| self.number(value)).collect())
    }

    fn rows(&self) -> usize {
        self.0.0.borrow().assignment.left.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_may_be_larger_than_the_room_that_is_reserved() {
        let count = 2 * ROOM as u64 + 3;
        let assignment = assign(|b| {
            for i in 0..count {
                b.input(Fr::from(i))?.enforce_equal(&b.public(Fr::from(7u8))?)?;
                if i > 2 {
                    break;
                }
            }
            for i in 4..count {
                b.input_bit(i % 3 == 0)?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(assignment.wires[..8], [1u64, 7, 7, 7, 7, 0, 1, 2].map(Fr::from));
        assert_eq!(assignment.wires.len() as u64, 1 + 4 + count);
        let rows = 4..count as usize;
        for (row, i) in rows.clone().zip(rows) {
            let bit = Fr::from(i % 3 == 0);
            assert_eq!((assignment.left[row], assignment.right[row]), (Fr::ONE - bit, bit));
            assert_eq!(assignment.wires[5 + row], bit);
        }
    }

    #[test]
    fn assignments_are_wiped_on_drop() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let mut assignment = assign(|b| b.input_bit(true).map(drop)).unwrap();
        wiped(&assignment);
        assert_eq!((assignment.wires.len(), assignment.left.len()), (2, 1));
        assignment.zeroize();
        let Assignment { wires, left, right } = &assignment;
        assert!([wires, left, right].iter().all(|values| values.is_empty()));
    }
}
