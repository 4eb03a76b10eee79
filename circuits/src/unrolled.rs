//! One Poseidon permutation as rows: three an S-box, everything else is linear. Decision 4.
//!
//! Between S-boxes the state is a linear combination of the S-box outputs since the last full
//! round. These combinations depend on the width alone, so they are computed once per width and
//! each S-box input is written directly over variables.

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_ff::{Field, Zero};
use ark_r1cs_std::GR1CSVar;
use ark_r1cs_std::fields::fp::{AllocatedFp, FpVar};
use ark_relations::gr1cs::{ConstraintSystemRef, LinearCombination, SynthesisError, Variable};
use placet_protocol::poseidon::{FULL_ROUNDS, MAX_INPUTS, Parameters};

/// Coefficients over the wires since the last full round, and a constant.
#[derive(Clone)]
struct Affine {
    coefficients: Vec<Fr>,
    constant: Fr,
}

/// The partial rounds of one width, unrolled.
struct Partial {
    /// Input of each round's one S-box.
    boxes: Vec<Affine>,
    /// The state behind the last partial round.
    after: Vec<Affine>,
}

impl Partial {
    fn of_width(t: usize) -> &'static Self {
        static TABLE: [OnceLock<Partial>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
        TABLE[t - 2].get_or_init(|| Self::unroll(t))
    }

    fn unroll(t: usize) -> Self {
        let parameters = Parameters::of_width(t);
        let wires = t + parameters.partial_rounds;
        let unit = |wire: usize| {
            let mut coefficients = vec![Fr::zero(); wires];
            coefficients[wire] = Fr::ONE;
            Affine { coefficients, constant: Fr::zero() }
        };
        // Behind the first full rounds' S-boxes the state is the matrix over their outputs.
        let mut state = mix(&parameters.matrix, &(0..t).map(unit).collect::<Vec<_>>());
        let mut boxes = Vec::new();
        for round in 0..parameters.partial_rounds {
            let constants = &parameters.constants[FULL_ROUNDS / 2 + round];
            for (cell, constant) in state.iter_mut().zip(constants) {
                cell.constant += constant;
            }
            boxes.push(std::mem::replace(&mut state[0], unit(t + round)));
            state = mix(&parameters.matrix, &state);
        }
        Self { boxes, after: state }
    }
}

fn mix(matrix: &[Vec<Fr>], state: &[Affine]) -> Vec<Affine> {
    let wires = state[0].coefficients.len();
    matrix
        .iter()
        .map(|row| {
            let mut out = Affine { coefficients: vec![Fr::zero(); wires], constant: Fr::zero() };
            for (factor, cell) in row.iter().zip(state) {
                out.constant += *factor * cell.constant;
                for (sum, coefficient) in out.coefficients.iter_mut().zip(&cell.coefficients) {
                    *sum += *factor * coefficient;
                }
            }
            out
        })
        .collect()
}

/// A wire of the permutation: a constant, or a variable with its value.
#[derive(Clone, Copy)]
enum Wire {
    Constant(Fr),
    Variable(Variable, Option<Fr>),
}

impl Wire {
    fn of(x: &FpVar<Fr>) -> Self {
        match x {
            FpVar::Constant(c) => Self::Constant(*c),
            FpVar::Var(v) => Self::Variable(v.variable, x.value().ok()),
        }
    }
}

/// A linear combination of wires with its value.
struct Sum {
    terms: Vec<(Fr, Variable)>,
    constant: Fr,
    value: Option<Fr>,
}

impl Sum {
    fn new(coefficients: &[Fr], wires: &[Wire], constant: Fr) -> Self {
        let mut sum = Self { terms: Vec::new(), constant, value: Some(constant) };
        for (coefficient, wire) in coefficients.iter().zip(wires) {
            match *wire {
                Wire::Constant(c) => {
                    sum.constant += *coefficient * c;
                    sum.value = sum.value.map(|v| v + *coefficient * c);
                }
                Wire::Variable(variable, x) => {
                    sum.terms.push((*coefficient, variable));
                    sum.value = sum.value.zip(x).map(|(v, x)| v + *coefficient * x);
                }
            }
        }
        sum
    }

    fn lc(&self) -> LinearCombination<Fr> {
        let mut terms = self.terms.clone();
        if !self.constant.is_zero() {
            terms.push((self.constant, Variable::One));
        }
        LinearCombination::from_sum_coeff_vars(&terms)
    }
}

/// `x^5` in three rows, or none for a constant.
fn sbox(cs: &ConstraintSystemRef<Fr>, x: &Sum) -> Result<Wire, SynthesisError> {
    if x.terms.is_empty() {
        return Ok(Wire::Constant(x.constant.square().square() * x.constant));
    }
    let assigned = |v: Option<Fr>| v.ok_or(SynthesisError::AssignmentMissing);
    let square = x.value.map(|v| v.square());
    let fourth = square.map(|v| v.square());
    let fifth = fourth.zip(x.value).map(|(a, b)| a * b);
    let [x2, x4, x5] = [square, fourth, fifth].map(|v| cs.new_witness_variable(|| assigned(v)));
    let (x2, x4, x5) = (x2?, x4?, x5?);
    cs.enforce_r1cs_constraint(|| x.lc(), || x.lc(), || x2.into())?;
    cs.enforce_r1cs_constraint(|| x2.into(), || x2.into(), || x4.into())?;
    cs.enforce_r1cs_constraint(|| x4.into(), || x.lc(), || x5.into())?;
    Ok(Wire::Variable(x5, fifth))
}

/// The output state of one permutation.
pub(crate) fn permute(
    cs: &ConstraintSystemRef<Fr>,
    state: &[&FpVar<Fr>],
) -> Result<Vec<FpVar<Fr>>, SynthesisError> {
    let t = state.len();
    let parameters = Parameters::of_width(t);
    let (matrix, constants) = (&parameters.matrix, &parameters.constants);
    let half = FULL_ROUNDS / 2;

    let mut wires: Vec<Wire> = state.iter().map(|cell| Wire::of(cell)).collect();
    let layer = |inputs: Vec<Sum>| -> Result<Vec<Wire>, SynthesisError> {
        inputs.iter().map(|x| sbox(cs, x)).collect()
    };
    wires = layer((0..t).map(|i| Sum::new(&[Fr::ONE], &wires[i..=i], constants[0][i])).collect())?;
    for round in &constants[1..half] {
        wires = layer((0..t).map(|i| Sum::new(&matrix[i], &wires, round[i])).collect())?;
    }

    let partial = Partial::of_width(t);
    for input in &partial.boxes {
        let output = sbox(cs, &Sum::new(&input.coefficients, &wires, input.constant))?;
        wires.push(output);
    }
    let last = &constants[half + parameters.partial_rounds..];
    wires = layer(
        (0..t)
            .map(|i| {
                let cell = &partial.after[i];
                Sum::new(&cell.coefficients, &wires, cell.constant + last[0][i])
            })
            .collect(),
    )?;
    for round in &last[1..] {
        wires = layer((0..t).map(|i| Sum::new(&matrix[i], &wires, round[i])).collect())?;
    }
    (0..t)
        .map(|i| {
            let out = Sum::new(&matrix[i], &wires, Fr::zero());
            let variable = cs.new_lc(|| out.lc())?;
            Ok(AllocatedFp::new(out.value, variable, cs.clone()).into())
        })
        .collect()
}
