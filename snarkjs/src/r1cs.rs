//! `.r1cs`: the constraints of a circuit. Wire 0 is the constant one, then the public inputs, then
//! the private wires. Spec §12.5.

use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use ark_bn254::Fr;
use ark_ff::Zero;
use placet_protocol::field;
use placet_protocol::wire::{DecodeError, Reader, Writer};

use crate::binfile::{BinError, BinWriter, Format, Sections};
use crate::points::{FIELD_BYTES, scalar_modulus};

/// The container of constraints. Sections 4 and 5, custom gates, are of other proof systems.
pub const FORMAT: Format = Format { magic: *b"r1cs", version: 1, sections: &[1, 2, 3] };
/// Bytes of section 1: modulus with its length, four counts of wires, labels, constraints.
const HEADER_BYTES: u64 = (4 + FIELD_BYTES + 4 * 4 + 8 + 4) as u64;
/// Bytes of one entry of a row: wire and factor.
const ENTRY_BYTES: usize = 4 + FIELD_BYTES;
/// Bytes of a constraint without entries: three counts.
const EMPTY_CONSTRAINT_BYTES: u64 = 3 * 4;

/// The rows of one matrix: factors with their wires.
pub type Rows = Vec<Vec<(Fr, usize)>>;

/// Constraints `(A z)(B z) = C z` for an assignment `z` that begins with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct R1cs {
    /// Public wires, the constant one not counted.
    pub public_inputs: u32,
    /// All wires, the constant one included.
    pub variables: u32,
    /// A, B and C, with as many rows each. No wire occurs twice in a row.
    pub matrices: [Rows; 3],
    /// The label of each wire in the program that the circuit came from.
    pub labels: Vec<u64>,
}

/// Why a file is not a set of constraints.
#[derive(Debug, thiserror::Error)]
pub enum R1csError {
    /// The container is damaged or of another kind.
    #[error("the .r1cs file is not usable: {0}")]
    Container(#[from] BinError),
    /// The constraints of another field.
    #[error("the .r1cs file is for another curve; constraints over bn128 are needed")]
    Curve,
    /// Counts in the header that cannot be.
    #[error(
        "the .r1cs file's header is impossible: {variables} wires, {public} of them public outputs and inputs"
    )]
    Counts {
        /// All wires.
        variables: u32,
        /// Outputs and public inputs.
        public: u64,
    },
    /// A constraint does not decode.
    #[error("the .r1cs file is damaged at constraint {row}: {cause}")]
    Row {
        /// Which one, from 0.
        row: usize,
        /// What is wrong.
        cause: DecodeError,
    },
}

impl R1cs {
    /// From matrices as arkworks has them. Entries are sorted by wire, equal wires merged and zeros
    /// dropped: snarkjs takes the last of two entries of a wire where the sum is meant.
    ///
    /// `instance` counts public wires with the constant one. Labels are the wires themselves.
    ///
    /// # Panics
    /// If there are 2^32 wires or more, or the matrices have different numbers of rows.
    pub fn from_matrices(matrices: &[Rows; 3], instance: usize, witnesses: usize) -> Self {
        assert!(matrices.iter().all(|matrix| matrix.len() == matrices[0].len()), "as many rows");
        let narrow = |count: usize| u32::try_from(count).expect("circuits have fewer wires");
        let variables = narrow(instance + witnesses);
        Self {
            public_inputs: narrow(instance - 1),
            variables,
            matrices: std::array::from_fn(|i| {
                matrices[i].iter().map(|row| normalised(row)).collect()
            }),
            labels: (0..u64::from(variables)).collect(),
        }
    }

    /// The number of constraints.
    pub fn constraints(&self) -> usize {
        self.matrices[0].len()
    }

    /// Constraints plus public wires with the constant one: what the evaluation domain must hold.
    pub fn rows(&self) -> usize {
        self.constraints() + self.public_inputs as usize + 1
    }

    /// The first constraint that an assignment of all wires violates, if there is one.
    ///
    /// # Panics
    /// If the assignment has another length than there are wires.
    pub fn first_violated(&self, assignment: &[Fr]) -> Option<usize> {
        assert_eq!(assignment.len(), self.variables as usize, "one value a wire");
        let value = |matrix: usize, row: usize| -> Fr {
            let row = &self.matrices[matrix][row];
            row.iter().map(|(factor, wire)| assignment[*wire] * factor).sum()
        };
        (0..self.constraints()).find(|row| value(0, *row) * value(1, *row) != value(2, *row))
    }

    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, R1csError> {
        let file = std::fs::File::open(path).map_err(BinError::Io)?;
        Self::read(BufReader::new(file))
    }

    /// Writes a file in one step: it is there completely or not at all.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        crate::replace(path, |file| self.write(file).map(drop))
    }

    /// Reads and checks constraints. Outputs count as public inputs.
    pub fn read<R: Read + Seek>(input: R) -> Result<Self, R1csError> {
        let mut file = Sections::open(input, &FORMAT)?;
        // A file of another field has another length here; say that it is the field.
        file.expect_length(1, HEADER_BYTES).map_err(|error| match error {
            BinError::Length { .. } => R1csError::Curve,
            other => other.into(),
        })?;
        let bytes = file.bytes(1)?;
        let mut input = Reader::new(&bytes);
        let fixed = "the length of section 1 was checked";
        if input.u32().expect(fixed) as usize != FIELD_BYTES
            || input.take(FIELD_BYTES).expect(fixed) != scalar_modulus()
        {
            return Err(R1csError::Curve);
        }
        let variables = input.u32().expect(fixed);
        let outputs = input.u32().expect(fixed);
        let inputs = input.u32().expect(fixed);
        let private = input.u32().expect(fixed);
        let _all_labels = input.u64().expect(fixed);
        let constraints = input.u32().expect(fixed);
        let public = u64::from(outputs) + u64::from(inputs);
        // Private inputs are a part of the private wires.
        if public + u64::from(private) >= u64::from(variables) {
            return Err(R1csError::Counts { variables, public });
        }
        file.expect_length(3, u64::from(variables) * 8)?;
        let least = u64::from(constraints) * EMPTY_CONSTRAINT_BYTES;
        let found = file.length(2).ok_or(BinError::Missing { id: 2 })?;
        if found < least {
            return Err(BinError::Length { id: 2, expected: least, found }.into());
        }
        let matrices = read_rows(&file.bytes(2)?, constraints as usize, variables)?;
        let labels = file.bytes(3)?;
        let label = |chunk: &[u8]| u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let labels = labels.chunks_exact(8).map(label).collect();
        Ok(Self { public_inputs: public as u32, variables, matrices, labels })
    }

    /// Writes the constraints. Every private wire counts as a private input.
    pub fn write<W: Write>(&self, out: W) -> std::io::Result<W> {
        let mut header = Writer::default();
        header.u32(FIELD_BYTES as u32);
        header.bytes(&scalar_modulus());
        header.u32(self.variables);
        header.u32(0);
        header.u32(self.public_inputs);
        header.u32(self.variables - self.public_inputs - 1);
        header.u64(self.labels.len() as u64);
        header.u32(u32::try_from(self.constraints()).expect("circuits have fewer constraints"));

        let mut rows = Writer::default();
        for row in 0..self.constraints() {
            for matrix in &self.matrices {
                rows.u32(matrix[row].len() as u32);
                for (factor, wire) in &matrix[row] {
                    rows.u32(*wire as u32);
                    rows.field(factor);
                }
            }
        }
        let labels: Vec<u8> = self.labels.iter().flat_map(|label| label.to_le_bytes()).collect();

        let mut out = BinWriter::new(out, &FORMAT, 3)?;
        out.section(1, &header.into_bytes())?;
        out.section(2, &rows.into_bytes())?;
        out.section(3, &labels)?;
        out.finish()
    }
}

fn normalised(row: &[(Fr, usize)]) -> Vec<(Fr, usize)> {
    let mut row = row.to_vec();
    row.sort_by_key(|(_, wire)| *wire);
    row.dedup_by(|later, kept| {
        let same = later.1 == kept.1;
        if same {
            kept.0 += later.0;
        }
        same
    });
    row.retain(|(factor, _)| !factor.is_zero());
    row
}

fn read_rows(bytes: &[u8], constraints: usize, variables: u32) -> Result<[Rows; 3], R1csError> {
    let mut input = Reader::new(bytes);
    let mut matrices = [const { Rows::new() }; 3];
    for row in 0..constraints {
        for matrix in &mut matrices {
            let entries = read_row(&mut input, variables);
            matrix.push(entries.map_err(|cause| R1csError::Row { row, cause })?);
        }
    }
    input.end().map_err(|cause| R1csError::Row { row: constraints, cause })?;
    Ok(matrices)
}

fn read_row(input: &mut Reader<'_>, variables: u32) -> Result<Vec<(Fr, usize)>, DecodeError> {
    let count = input.u32()? as usize;
    if count > input.remaining() / ENTRY_BYTES {
        return Err(DecodeError::Truncated);
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let wire = input.u32()?;
        if wire >= variables {
            return Err(DecodeError::OutOfRange);
        }
        let factor = field::from_bytes(&input.array()?).map_err(|_| DecodeError::NotCanonical)?;
        entries.push((factor, wire as usize));
    }
    let mut wires: Vec<_> = entries.iter().map(|(_, wire)| *wire).collect();
    wires.sort_unstable();
    // Readers disagree about what two entries of one wire mean.
    match wires.windows(2).all(|pair| pair[0] != pair[1]) {
        true => Ok(entries),
        false => Err(DecodeError::OutOfRange),
    }
}
