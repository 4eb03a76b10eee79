//! The provers that are compiled in: ours, ark-groth16, and with the feature `rivals`
//! taceo-groth16.

use std::str::FromStr;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;

use placet_circuits::Assignment;
pub use placet_kernel::Tables;
use placet_kernel::{Kernel, Prepared};

use super::case::Case;
use super::error::BenchError;

/// A prover that is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prover {
    /// Our kernel.
    Ours,
    /// ark-groth16 with its matrices kept from proof to proof.
    Ark,
    /// taceo-groth16.
    Taceo,
}

impl Prover {
    /// Those of this build.
    pub fn compiled() -> Vec<Self> {
        let mut all = vec![Self::Ours, Self::Ark];
        if cfg!(any(feature = "rivals", test)) {
            all.push(Self::Taceo);
        }
        all
    }

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Ark => "ark",
            Self::Taceo => "taceo",
        }
    }

    /// The package whose version counts.
    pub fn package(self) -> &'static str {
        match self {
            Self::Ours => "placet-kernel",
            Self::Ark => "ark-groth16",
            Self::Taceo => "taceo-groth16",
        }
    }
}

impl FromStr for Prover {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let found = Self::compiled().into_iter().find(|prover| prover.name() == text);
        found.ok_or_else(|| BenchError::Prover(text.to_owned()))
    }
}

/// A prover that has read its key.
pub enum Engine<'a> {
    /// Ours.
    Ours(Box<Ours>),
    /// ark-groth16.
    Ark(&'a Case),
    /// taceo-groth16.
    #[cfg(any(feature = "rivals", test))]
    Taceo(&'a Case, Box<taceo_groth16::ConstraintMatrices<Fr>>),
}

impl<'a> Engine<'a> {
    /// Whatever a prover does once for a key.
    pub fn new(prover: Prover, case: &'a Case, tables: Tables) -> Result<Self, BenchError> {
        match prover {
            Prover::Ours => Ok(Self::Ours(Box::new(Ours::new(case, tables)?))),
            Prover::Ark => Ok(Self::Ark(case)),
            #[cfg(any(feature = "rivals", test))]
            Prover::Taceo => {
                let [a, b, c] = case.matrices.rows.clone();
                let entries = |matrix: &[Vec<(Fr, usize)>]| matrix.iter().map(Vec::len).sum();
                let matrices = taceo_groth16::ConstraintMatrices {
                    num_instance_variables: case.matrices.instance,
                    num_witness_variables: case.matrices.witnesses,
                    num_constraints: case.constraints(),
                    a_num_non_zero: entries(&a),
                    b_num_non_zero: entries(&b),
                    c_num_non_zero: entries(&c),
                    a,
                    b,
                    c,
                };
                Ok(Self::Taceo(case, Box::new(matrices)))
            }
            #[cfg(not(any(feature = "rivals", test)))]
            Prover::Taceo => Err(BenchError::Prover(prover.name().to_owned())),
        }
    }

    /// Bytes of tables.
    pub fn table_bytes(&self) -> u64 {
        match self {
            Self::Ours(ours) => ours.0.memory(),
            _ => 0,
        }
    }

    /// One proof from the values of all wires.
    pub fn prove(
        &self,
        values: &Assignment,
        r: Fr,
        s: Fr,
    ) -> Result<ark_groth16::Proof<Bn254>, BenchError> {
        match self {
            Self::Ours(ours) => {
                Ok(ours.0.prove_rows(&values.wires, &values.left, &values.right, r, s))
            }
            Self::Ark(case) => ark(case, values, r, s),
            #[cfg(any(feature = "rivals", test))]
            Self::Taceo(case, matrices) => taceo_groth16::Groth16::<Bn254>::prove::<
                taceo_groth16::LibSnarkReduction,
            >(
                case.points(), r, s, matrices, &values.wires
            )
            .map_err(|error| BenchError::Refused {
                prover: "taceo".into(),
                reason: error.to_string(),
            }),
        }
    }
}

fn ark(
    case: &Case,
    values: &Assignment,
    r: Fr,
    s: Fr,
) -> Result<ark_groth16::Proof<Bn254>, BenchError> {
    Ok(Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
        case.points(),
        r,
        s,
        &case.matrices.rows,
        case.matrices.instance,
        case.constraints(),
        &values.wires,
    )?)
}

/// Our kernel with its tables.
pub struct Ours(Kernel);

impl Ours {
    fn new(case: &Case, tables: Tables) -> Result<Self, BenchError> {
        let kernel = Kernel::new(case.points(), case.matrices.clone(), tables, &|_, _| {});
        kernel.map(Self).map_err(|error| BenchError::Refused {
            prover: "ours".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Everything that follows from a guess of the wires.
    pub fn prepare(&self, guess: &Assignment) -> Prepared {
        self.0.prepare(&guess.wires)
    }

    /// One proof with what this kernel prepared.
    pub fn prove_prepared(
        &self,
        prepared: &Prepared,
        values: &Assignment,
        r: Fr,
        s: Fr,
    ) -> Result<ark_groth16::Proof<Bn254>, BenchError> {
        let Assignment { wires, left, right } = values;
        self.0.prove_prepared(prepared, wires, left, right, r, s).map_err(|error| {
            BenchError::Refused { prover: "ours".to_owned(), reason: error.to_string() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::{Circuit, key_file};
    use super::*;

    #[test]
    fn every_prover_makes_the_same_proof_and_it_verifies() {
        let directory = tempfile::tempdir().unwrap();
        let circuit = Circuit::Merkle { size: 8 };
        let key = key_file(circuit, directory.path()).unwrap();
        let case = Case::load(circuit, &key).unwrap();
        let statement = case.statement();
        let values = case.values(&statement, 1).unwrap();
        let other = case.values(&statement, 2).unwrap();
        let (r, s) = (Fr::from(5u8), Fr::from(7u8));
        let reference = ark(&case, &values, r, s).unwrap();
        assert_eq!(Prover::compiled().len(), 3, "tests know the rival too");
        for prover in Prover::compiled() {
            for tables in [Tables::None, Tables::Small, Tables::Full] {
                let engine = Engine::new(prover, &case, tables).unwrap();
                let proof = engine.prove(&values, r, s).unwrap();
                assert_eq!(proof, reference, "{prover:?} {tables:?}");
                assert!(case.accepts(&values.wires, &proof), "{prover:?}");
                assert!(!case.accepts(&other.wires, &proof), "{prover:?}: another root");
                if let Engine::Ours(ours) = engine {
                    let ahead = ours.prepare(&case.values(&statement, 0).unwrap());
                    assert_eq!(ours.prove_prepared(&ahead, &values, r, s).unwrap(), reference);
                }
            }
        }
    }
}
