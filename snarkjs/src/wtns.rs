//! `.wtns`: the values of all wires: one, the public inputs, then what is secret. Spec §12.5.

use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use ark_bn254::Fr;
use placet_protocol::field;
use placet_protocol::wire::{Reader, Writer};
use zeroize::Zeroizing;

use crate::binfile::{BinError, BinWriter, Format, Sections};
use crate::points::{FIELD_BYTES, scalar_modulus};

/// The container of an assignment.
pub const FORMAT: Format = Format { magic: *b"wtns", version: 2, sections: &[1, 2] };
/// Bytes of section 1: modulus with its length, number of values.
const HEADER_BYTES: u64 = (4 + FIELD_BYTES + 4) as u64;

/// Why a file is not an assignment.
#[derive(Debug, thiserror::Error)]
pub enum WtnsError {
    /// The container is damaged or of another kind.
    #[error("the .wtns file is not usable: {0}")]
    Container(#[from] BinError),
    /// An assignment over another field.
    #[error("the .wtns file is for another curve; an assignment over bn128 is needed")]
    Curve,
    /// A value at or above the modulus.
    #[error("the .wtns file has a value at or above the modulus at wire {wire}")]
    NotCanonical {
        /// Which one.
        wire: usize,
    },
    /// The first value is not one, or there is none.
    #[error("the .wtns file does not begin with the constant one")]
    One,
}

/// Reads and checks a file.
pub fn load(path: &Path) -> Result<Zeroizing<Vec<Fr>>, WtnsError> {
    let file = std::fs::File::open(path).map_err(BinError::Io)?;
    read(BufReader::new(file))
}

/// Writes a file in one step: it is there completely or not at all. It holds secrets.
pub fn save(path: &Path, assignment: &[Fr]) -> std::io::Result<()> {
    crate::replace(path, |file| write(file, assignment).map(drop))
}

/// Reads the values of all wires; whether they satisfy anything is not asked.
pub fn read<R: Read + Seek>(input: R) -> Result<Zeroizing<Vec<Fr>>, WtnsError> {
    let mut file = Sections::open(input, &FORMAT)?;
    // A file of another field has another length here; say that it is the field.
    file.expect_length(1, HEADER_BYTES).map_err(|error| match error {
        BinError::Length { .. } => WtnsError::Curve,
        other => other.into(),
    })?;
    let header = file.bytes(1)?;
    let mut input = Reader::new(&header);
    let fixed = "the length of section 1 was checked";
    if input.u32().expect(fixed) as usize != FIELD_BYTES
        || input.take(FIELD_BYTES).expect(fixed) != scalar_modulus()
    {
        return Err(WtnsError::Curve);
    }
    let count = input.u32().expect(fixed);
    file.expect_length(2, u64::from(count) * FIELD_BYTES as u64)?;
    let bytes = Zeroizing::new(file.bytes(2)?);
    let mut values = Zeroizing::new(Vec::with_capacity(count as usize));
    for (wire, chunk) in bytes.chunks_exact(FIELD_BYTES).enumerate() {
        let chunk = chunk.try_into().expect("chunks have the size of a field element");
        values.push(field::from_bytes(chunk).map_err(|_| WtnsError::NotCanonical { wire })?);
    }
    if values.first() == Some(&Fr::from(1u8)) { Ok(values) } else { Err(WtnsError::One) }
}

/// Writes the values of all wires.
///
/// # Panics
/// If there are 2^32 values or more.
pub fn write<W: Write>(out: W, assignment: &[Fr]) -> std::io::Result<W> {
    let mut header = Writer::default();
    header.u32(FIELD_BYTES as u32);
    header.bytes(&scalar_modulus());
    header.u32(u32::try_from(assignment.len()).expect("circuits have fewer wires"));
    let mut out = BinWriter::new(out, &FORMAT, 2)?;
    out.section(1, &header.into_bytes())?;
    out.begin(2, assignment.len() as u64 * FIELD_BYTES as u64)?;
    for value in assignment {
        out.bytes(&*Zeroizing::new(field::to_bytes(value)))?;
    }
    out.finish()
}
