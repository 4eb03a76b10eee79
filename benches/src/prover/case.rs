//! What is proven: a circuit with its matrices and key, and the values of one statement.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
};
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_circuits::circuit::{Circuit as _, Record, Shape, matrices as matrices_of, synthesize};
use placet_circuits::{Assignment, assign};
use placet_kernel::Matrices;
use placet_params::file::{Kind, file_name};
use placet_params::key::ProvingPoints;
use placet_params::{CircuitDigest, KeyPolicy, Origin, ProvingKey};
use placet_protocol::example::{Example, element, secret_key};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transfer::Transfer;
use placet_setup::{default_cache_dir, development_keys, key_dir};
use placet_snarkjs::r1cs::{R1cs, Rows};
use placet_verifier::{OsCoefficients, PreparedVerifyingKey, Proof, verify_batch};

use super::error::BenchError;
use super::merkle::{self, Merkle};

/// Sizes that the synthetic circuit comes in, as powers of two of rows.
pub const SIZES: std::ops::RangeInclusive<u32> = 8..=18;

/// Which circuit is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// The statement of one hidden transfer.
    Transfer,
    /// The synthetic Merkle path that fills `2^size` rows.
    Merkle {
        /// One of [`SIZES`].
        size: u32,
    },
}

impl Circuit {
    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Merkle { .. } => "merkle",
        }
    }
}

impl std::fmt::Display for Circuit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transfer => f.write_str("transfer"),
            Self::Merkle { size } => write!(f, "merkle-{size}"),
        }
    }
}

impl FromStr for Circuit {
    type Err = BenchError;

    /// `transfer`, or `merkle-14`.
    fn from_str(text: &str) -> Result<Self, BenchError> {
        let unknown = || BenchError::Circuit(text.to_owned());
        match text.split_once('-') {
            None if text == "transfer" => Ok(Self::Transfer),
            Some(("merkle", size)) => {
                let size = size.parse().map_err(|_| unknown())?;
                match SIZES.contains(&size) {
                    true => Ok(Self::Merkle { size }),
                    false => Err(BenchError::Size { found: size }),
                }
            }
            _ => Err(unknown()),
        }
    }
}

enum Keys {
    Transfer(ProvingKey<Transfer>, Box<PreparedVerifyingKey<Transfer>>),
    Merkle(ProvingKey<Merkle>, Box<PreparedVerifyingKey<Merkle>>),
}

/// A circuit with everything that proving and verifying it takes.
pub struct Case {
    /// Which one.
    pub circuit: Circuit,
    /// A, B and C, and how many wires are public (the constant one included) and private. Our kernel
    /// shares them.
    pub matrices: Arc<Matrices>,
    keys: Keys,
}

/// Where the key of a circuit lies: development keys in the user's cache, those of the synthetic
/// circuit in `directory`. They are made if they are not there.
pub fn key_file(circuit: Circuit, directory: &Path) -> Result<PathBuf, BenchError> {
    match circuit {
        Circuit::Transfer => {
            let cache = default_cache_dir()?;
            let (key, _) = development_keys::<Transfer>(&cache, &mut |_| {})?;
            Ok(key_dir(&cache).join(file_name(&key.circuit(), Kind::Proving)))
        }
        Circuit::Merkle { size } => {
            let path = directory.join(format!("{circuit}.pk"));
            let digest = merkle::digest(size);
            if ProvingKey::<Merkle>::load(&path, &digest, KeyPolicy::Dev).is_err() {
                let points = generate(&merkle::matrices(size), size)?;
                let key = ProvingKey::<Merkle>::from_parts(points, digest, Origin::Dev)?;
                key.save(&path).map_err(BenchError::at(&path))?;
            }
            Ok(path)
        }
    }
}

impl Case {
    /// Builds the circuit and reads its key.
    pub fn load(circuit: Circuit, key: &Path) -> Result<Self, BenchError> {
        let unusable = |source| BenchError::Key { path: key.to_owned(), source };
        match circuit {
            Circuit::Transfer => {
                let (public, witness) = Transfer::blank();
                let cs = synthesize::<Transfer>(&public, &witness, Record::Constraints)?;
                let shape = Shape::of(&cs)?;
                let digest = CircuitDigest(shape.digest);
                let key =
                    ProvingKey::<Transfer>::load(key, &digest, KeyPolicy::Dev).map_err(unusable)?;
                let verifier = Box::new(PreparedVerifyingKey::from(key.verifying_key()));
                Ok(Self {
                    circuit,
                    matrices: Arc::new(Matrices {
                        rows: matrices_of(&cs)?,
                        instance: shape.public_inputs + 1,
                        witnesses: shape.witnesses,
                    }),
                    keys: Keys::Transfer(key, verifier),
                })
            }
            Circuit::Merkle { size } => {
                let key = ProvingKey::<Merkle>::load(key, &merkle::digest(size), KeyPolicy::Dev)
                    .map_err(unusable)?;
                let verifier = Box::new(PreparedVerifyingKey::from(key.verifying_key()));
                Ok(Self {
                    circuit,
                    matrices: Arc::new(Matrices {
                        rows: merkle::matrices(size),
                        instance: merkle::INSTANCE,
                        witnesses: merkle::witnesses(merkle::levels(size)),
                    }),
                    keys: Keys::Merkle(key, verifier),
                })
            }
        }
    }

    /// The proving key's points.
    pub fn points(&self) -> &ProvingPoints {
        match &self.keys {
            Keys::Transfer(key, _) => key.points(),
            Keys::Merkle(key, _) => key.points(),
        }
    }

    /// Rows of the matrices.
    pub fn constraints(&self) -> usize {
        self.matrices.rows[0].len()
    }

    /// The circuit as snarkjs has it.
    pub fn r1cs(&self) -> R1cs {
        let Matrices { rows, instance, witnesses } = &*self.matrices;
        R1cs::from_matrices(rows, *instance, *witnesses)
    }

    /// From the statement in hand to the values of all wires and rows, as our prover does it.
    /// `attempt` 0 is what can be known before the end of the statement is: the same transfer with
    /// another receiver, amount, deadline and time, or the path whose last sixteenth is another.
    pub fn values(&self, statement: &InHand, attempt: u64) -> Result<Assignment, BenchError> {
        match (statement, self.circuit) {
            (InHand::Transfer(examples), _) => {
                let example = &examples[usize::from(attempt > 0)];
                Ok(assign::<Transfer>(&example.public, &example.witness)?)
            }
            (InHand::Merkle, Circuit::Merkle { size }) => {
                let levels = merkle::levels(size);
                Ok(merkle::values(size, levels - levels.div_ceil(16), attempt))
            }
            (InHand::Merkle, Circuit::Transfer) => unreachable!("made for its circuit"),
        }
    }

    /// The statement in hand.
    pub fn statement(&self) -> InHand {
        match self.circuit {
            Circuit::Merkle { .. } => InHand::Merkle,
            Circuit::Transfer => {
                let real = crate::example();
                let mut before = real.clone();
                before.witness.outgoing.to = secret_key("somebody else").public().x();
                before.witness.outgoing.amount = Fr::from(1u8);
                before.witness.outgoing.deadline -= Fr::from(60u8);
                before.context.now -= 60;
                before.rederive();
                before.public.binding = element("another binding", 0);
                InHand::Transfer(Box::new([before, real]))
            }
        }
    }

    /// Whether a proof holds for these wires' public inputs, by our verifier.
    pub fn accepts(&self, wires: &[Fr], points: &ark_groth16::Proof<Bn254>) -> bool {
        self.accepts_decoded(&wires[1..self.matrices.instance], &self.decoded(points))
    }

    /// A proof as our verifier has it once its bytes are decoded.
    pub fn decoded(&self, points: &ark_groth16::Proof<Bn254>) -> Decoded {
        match &self.keys {
            Keys::Transfer(..) => Decoded::Transfer(Proof::from_points(points).ok()),
            Keys::Merkle(..) => Decoded::Merkle(Proof::from_points(points).ok()),
        }
    }

    /// Whether a decoded proof holds for these public inputs, by our verifier.
    pub fn accepts_decoded(&self, inputs: &[Fr], proof: &Decoded) -> bool {
        match (&self.keys, proof) {
            (Keys::Transfer(_, key), Decoded::Transfer(Some(proof))) => {
                key.verify_elements(inputs, proof).is_ok()
            }
            (Keys::Merkle(_, key), Decoded::Merkle(Some(proof))) => {
                key.verify_elements(inputs, proof).is_ok()
            }
            _ => false,
        }
    }

    /// Verifies proofs of the statement as one batch, by our verifier.
    pub fn accepts_batch(&self, statement: &InHand, wires: &[Fr], proofs: &[ProofBytes]) -> bool {
        match (&self.keys, statement) {
            (Keys::Transfer(_, key), InHand::Transfer(examples)) => {
                let items: Vec<_> =
                    proofs.iter().map(|proof| (&examples[1].public, *proof)).collect();
                verify_batch(key, &items, &mut OsCoefficients).is_ok()
            }
            (Keys::Merkle(_, key), _) => {
                let items: Vec<_> = proofs.iter().map(|proof| (&wires[1], *proof)).collect();
                verify_batch(key, &items, &mut OsCoefficients).is_ok()
            }
            (Keys::Transfer(..), InHand::Merkle) => unreachable!("made for its circuit"),
        }
    }
}

/// A decoded proof; `None` if a point is not one that a proof may have.
pub enum Decoded {
    /// Of a transfer.
    Transfer(Option<Proof<Transfer>>),
    /// Of the synthetic circuit.
    Merkle(Option<Proof<Merkle>>),
}

/// A statement, in the form in which a wallet has it before it proves.
pub enum InHand {
    /// A transfer: as it may be known beforehand, and as it is.
    Transfer(Box<[Example; 2]>),
    /// The synthetic path follows from its size.
    Merkle,
}

/// A key for the synthetic circuit. Its trapdoor is public: nothing but times hangs on it.
fn generate(matrices: &[Rows; 3], size: u32) -> Result<ProvingPoints, SynthesisError> {
    let witnesses = merkle::witnesses(merkle::levels(size));
    let mut rng = StdRng::from_seed([7; 32]);
    let circuit = Frozen { matrices, instance: merkle::INSTANCE, witnesses };
    Groth16::<Bn254>::generate_random_parameters_with_reduction(circuit, &mut rng)
}

/// Matrices in the form in which the library takes a circuit.
struct Frozen<'a> {
    matrices: &'a [Rows; 3],
    instance: usize,
    witnesses: usize,
}

impl ConstraintSynthesizer<Fr> for Frozen<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let nothing = || Ok(Fr::from(0u8));
        let mut variables = vec![Variable::One];
        for _ in 1..self.instance {
            variables.push(cs.new_input_variable(nothing)?);
        }
        for _ in 0..self.witnesses {
            variables.push(cs.new_witness_variable(nothing)?);
        }
        let [a, b, c] = self.matrices;
        let combination = |row: &[(Fr, usize)]| {
            LinearCombination(row.iter().map(|(f, wire)| (*f, variables[*wire])).collect())
        };
        for ((a, b), c) in a.iter().zip(b).zip(c) {
            cs.enforce_r1cs_constraint(|| combination(a), || combination(b), || combination(c))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for circuit in [Circuit::Transfer, Circuit::Merkle { size: 12 }] {
            assert_eq!(circuit.to_string().parse::<Circuit>().unwrap(), circuit);
        }
        let refusal = |text: &str| text.parse::<Circuit>().unwrap_err().to_string();
        assert!(refusal("merkle-19").contains("use 8 to 18"));
        assert!(refusal("sha256").contains("use `transfer` or `merkle`"));
    }

    #[test]
    fn the_native_rows_of_a_transfer_are_those_of_its_matrices() {
        let directory = tempfile::tempdir().unwrap();
        let key = key_file(Circuit::Transfer, directory.path()).unwrap();
        let case = Case::load(Circuit::Transfer, &key).unwrap();
        let statement = case.statement();
        let [before, real] = [0, 1].map(|attempt| case.values(&statement, attempt).unwrap());
        for values in [&before, &real] {
            assert_eq!(values.wires.len(), case.matrices.wires());
            assert_eq!(case.r1cs().first_violated(&values.wires), None);
            for (matrix, rows) in case.matrices.rows.iter().zip([&values.left, &values.right]) {
                assert_eq!(matrix.len(), rows.len());
                for (row, found) in matrix.iter().zip(rows) {
                    let value: Fr = row.iter().map(|(f, wire)| values.wires[*wire] * f).sum();
                    assert_eq!(value, *found);
                }
            }
        }
        // What is prepared must be of use, and must not be all there is.
        let same = before.wires.iter().zip(&real.wires).filter(|(a, b)| a == b).count();
        let share = same as f64 / real.wires.len() as f64;
        assert!((0.5..1.0).contains(&share), "{share}");
    }
}
