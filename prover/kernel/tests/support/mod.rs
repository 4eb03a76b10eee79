//! A satisfied random system and a key for it.

use ark_bn254::{Bn254, Fr};
use ark_ff::{Field, One, Zero};
use ark_groth16::{Groth16, ProvingKey};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
};
use ark_std::UniformRand;
use ark_std::rand::Rng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::Matrices;

/// Rows `a·b = c` over random sparse sums, and wires that satisfy them.
pub struct Random {
    pub matrices: Matrices,
    pub wires: Vec<Fr>,
}

type Row = Vec<(Fr, usize)>;

fn sum(row: &Row, wires: &[Fr]) -> Fr {
    row.iter().map(|(value, wire)| wires[*wire] * value).sum()
}

impl Random {
    /// `rows` rows with `public` public inputs. Row i gives a value to witness i.
    pub fn new(rows: usize, public: usize, rng: &mut StdRng) -> Self {
        let instance = public + 1;
        let mut wires = vec![Fr::one()];
        wires.extend((0..public).map(|_| Fr::rand(rng)));
        // Small values and zero occur in real assignments.
        wires.extend([Fr::zero(), Fr::from(3u8), Fr::rand(rng)]);
        let mut all: [Vec<Row>; 3] = Default::default();
        for _ in 0..rows {
            let mut some = |wires: &[Fr]| -> Row {
                (0..rng.r#gen_range(1..4))
                    .map(|_| {
                        let one = rng.r#gen_bool(0.5);
                        let value = if one { Fr::one() } else { Fr::rand(rng) };
                        (value, rng.r#gen_range(0..wires.len()))
                    })
                    .collect()
            };
            let (a, b) = (some(&wires), some(&wires));
            let mut c = some(&wires);
            let product = sum(&a, &wires) * sum(&b, &wires);
            let factor = Fr::rand(rng);
            wires.push((product - sum(&c, &wires)) * factor.inverse().unwrap());
            c.push((factor, wires.len() - 1));
            all[0].push(a);
            all[1].push(b);
            all[2].push(c);
        }
        let witnesses = wires.len() - instance;
        Self { matrices: Matrices { rows: all, instance, witnesses }, wires }
    }

    /// The values of the rows of one matrix.
    #[allow(dead_code)]
    pub fn rows(&self, matrix: usize) -> Vec<Fr> {
        self.matrices.rows[matrix].iter().map(|row| sum(row, &self.wires)).collect()
    }
}

/// The system as arkworks takes it.
struct Circuit<'s>(&'s Random);

impl ConstraintSynthesizer<Fr> for Circuit<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let Random { matrices, wires } = self.0;
        let mut variables = vec![Variable::One];
        for (i, value) in wires.iter().enumerate().skip(1) {
            variables.push(match i < matrices.instance {
                true => cs.new_input_variable(|| Ok(*value))?,
                false => cs.new_witness_variable(|| Ok(*value))?,
            });
        }
        let lc = |row: &Row| {
            let terms: Vec<_> =
                row.iter().map(|(value, wire)| (*value, variables[*wire])).collect();
            LinearCombination::from_sum_coeff_vars(&terms)
        };
        for i in 0..matrices.rows[0].len() {
            let [a, b, c] = &matrices.rows;
            cs.enforce_r1cs_constraint(|| lc(&a[i]), || lc(&b[i]), || lc(&c[i]))?;
        }
        Ok(())
    }
}

/// A key for the system.
pub fn key(system: &Random, rng: &mut StdRng) -> ProvingKey<Bn254> {
    Groth16::<Bn254>::generate_random_parameters_with_reduction(Circuit(system), rng).unwrap()
}
