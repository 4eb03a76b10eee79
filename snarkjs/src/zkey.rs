//! `.zkey`: a Groth16 proving key with the record of its ceremony. Spec §12.5.
//!
//! Sections: 1 the proof system, 2 sizes and single points, 3 the points of public inputs,
//! 4 coefficients of A and B, 5 to 9 the queries, 10 the ceremony.

use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use placet_params::point::PointDefect;
use placet_params::transcript::{
    CeremonyRecord, Contribution, ContributionKind, MAX_CONTRIBUTIONS,
};
use placet_protocol::wire::{DecodeError, Reader, Writer};
use rayon::prelude::*;

use crate::binfile::{BinError, BinWriter, Format, Sections};
use crate::points::{
    Coordinate, FIELD_BYTES, G1_BYTES, G2_BYTES, PointError, base_modulus, decode_coefficient,
    decode_finite_points, decode_points, encode_coefficient, encode_points, scalar_modulus,
};

/// The container of a proving key.
pub const FORMAT: Format =
    Format { magic: *b"zkey", version: 1, sections: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10] };
/// Largest evaluation domain that is read: the double domain of more rows has no room in memory.
pub const MAX_DOMAIN: u32 = 1 << 24;
/// The number of Groth16 among the proof systems of this container.
const GROTH16: u32 = 1;
/// Bytes of section 2: both moduli with their lengths, three counts, six points.
const HEADER_BYTES: u64 = (2 * (4 + FIELD_BYTES) + 3 * 4 + 3 * G1_BYTES + 3 * G2_BYTES) as u64;
/// Bytes of one coefficient: matrix, row, column, value.
const COEFFICIENT_BYTES: usize = 3 * 4 + FIELD_BYTES;
/// Bytes of one contribution before its parameters.
const CONTRIBUTION_BYTES: u64 = (3 * G1_BYTES + G2_BYTES + 64 + 4 + 4) as u64;
/// Most bytes of a contribution's parameters: a name, an exponent and a beacon.
const MAX_PARAMETERS: u64 = (2 + 255) + 2 + (2 + 255);

/// Which of the two matrices that a proving key carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matrix {
    /// The left factors.
    A,
    /// The right factors.
    B,
}

/// One entry of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coefficient {
    /// Which matrix.
    pub matrix: Matrix,
    /// The constraint, or behind the constraints the copy of a public input.
    pub row: u32,
    /// The variable; 0 is the constant one.
    pub column: u32,
    /// Its factor.
    pub value: Fr,
}

/// A proving key as snarkjs has it. What [`Zkey::read`] returns has lengths that fit each other
/// and points that are on their curves and in their subgroups; whether they belong to a circuit or
/// to a ceremony is asked elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zkey {
    /// Public inputs, the constant one not counted.
    pub public_inputs: u32,
    /// Variables, the constant one included.
    pub variables: u32,
    /// Rows of the evaluation domain: a power of two.
    pub domain_size: u32,
    /// alpha in G1.
    pub alpha_g1: G1Affine,
    /// beta in G1.
    pub beta_g1: G1Affine,
    /// beta in G2.
    pub beta_g2: G2Affine,
    /// gamma in G2; the generator in every key that a ceremony made.
    pub gamma_g2: G2Affine,
    /// delta in G1.
    pub delta_g1: G1Affine,
    /// delta in G2.
    pub delta_g2: G2Affine,
    /// What public inputs multiply, the constant one first: `public_inputs + 1` points.
    pub ic: Vec<G1Affine>,
    /// Entries of A and B in the order of the file.
    pub coefficients: Vec<Coefficient>,
    /// The query for A: one point a variable, infinity where it does not occur.
    pub a: Vec<G1Affine>,
    /// The query for B in G1.
    pub b1: Vec<G1Affine>,
    /// The query for B in G2.
    pub b2: Vec<G2Affine>,
    /// The query for the private variables: `variables - public_inputs - 1` points.
    pub c: Vec<G1Affine>,
    /// The query for the quotient: Lagrange polynomials of the double domain at its odd places,
    /// at tau and over delta; `domain_size` points.
    pub h: Vec<G1Affine>,
    /// What the ceremony left.
    pub ceremony: CeremonyRecord,
}

/// Why a file is not a proving key.
#[derive(Debug, thiserror::Error)]
pub enum ZkeyError {
    /// The container is damaged or of another kind.
    #[error("the .zkey file is not usable: {0}")]
    Container(#[from] BinError),
    /// The proving key of another proof system.
    #[error(
        "the .zkey file is for another proof system (number {found}); a Groth16 key is needed: `snarkjs groth16 setup`"
    )]
    ProofSystem {
        /// What the file says.
        found: u32,
    },
    /// The proving key of another curve.
    #[error("the .zkey file is for another curve; keys of bn128 are needed")]
    Curve,
    /// Counts in the header that cannot be.
    #[error(
        "the .zkey file's header is impossible: {variables} variables, {public_inputs} public inputs, domain of {domain_size}; at most {MAX_DOMAIN} rows are read"
    )]
    Counts {
        /// Variables.
        variables: u32,
        /// Public inputs.
        public_inputs: u32,
        /// Rows of the domain.
        domain_size: u32,
    },
    /// One point is not acceptable.
    #[error("the .zkey file has an unusable point in section {section}, {source}")]
    Point {
        /// The section.
        section: u32,
        /// Which one and why.
        #[source]
        source: PointError,
    },
    /// One coefficient is not acceptable.
    #[error(
        "the .zkey file has an unusable coefficient at entry {index}: another matrix, a row or column out of range, or a value at or above the modulus"
    )]
    Coefficient {
        /// Which one.
        index: usize,
    },
    /// The record of the ceremony does not decode.
    #[error("the .zkey file's record of contributions is damaged at contribution {index}: {cause}")]
    Contribution {
        /// Which one, from 1; 0 for the counts before.
        index: usize,
        /// What is wrong.
        cause: DecodeError,
    },
    /// A name that no transcript can hold.
    #[error(
        "the name of contribution {index} in the .zkey file has control characters, which no transcript takes; go back to the file before it and contribute again under another name"
    )]
    ContributorName {
        /// Which one, from 1.
        index: usize,
    },
}

impl Zkey {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ZkeyError> {
        let file = std::fs::File::open(path).map_err(BinError::Io)?;
        Self::read(BufReader::new(file))
    }

    /// Writes a file in one step: it is there completely or not at all.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        crate::replace(path, |file| self.write(file).map(drop))
    }

    /// Reads and checks a key.
    pub fn read<R: Read + Seek>(input: R) -> Result<Self, ZkeyError> {
        let mut file = Sections::open(input, &FORMAT)?;
        let header = Header::read(&mut file)?;
        let own = header.variables - header.public_inputs - 1;
        // Every length is compared before anything of this size is read.
        let g1 = G1_BYTES as u64;
        let g2 = G2_BYTES as u64;
        for (id, count, size) in [
            (3, header.public_inputs + 1, g1),
            (5, header.variables, g1),
            (6, header.variables, g1),
            (7, header.variables, g2),
            (8, own, g1),
            (9, header.domain_size, g1),
        ] {
            file.expect_length(id, u64::from(count) * size)?;
        }
        Ok(Self {
            public_inputs: header.public_inputs,
            variables: header.variables,
            domain_size: header.domain_size,
            alpha_g1: header.alpha_g1,
            beta_g1: header.beta_g1,
            beta_g2: header.beta_g2,
            gamma_g2: header.gamma_g2,
            delta_g1: header.delta_g1,
            delta_g2: header.delta_g2,
            ic: points(&mut file, 3)?,
            coefficients: read_coefficients(&mut file, &header)?,
            a: points(&mut file, 5)?,
            b1: points(&mut file, 6)?,
            b2: points(&mut file, 7)?,
            c: points(&mut file, 8)?,
            h: points(&mut file, 9)?,
            ceremony: read_ceremony(&mut file)?,
        })
    }

    /// Writes the key, sections in the order in which snarkjs writes them.
    ///
    /// # Panics
    /// If a contributor's name or a beacon is longer than 255 bytes, or a count above `u32`.
    pub fn write<W: Write>(&self, out: W) -> std::io::Result<W> {
        let mut out = BinWriter::new(out, &FORMAT, 10)?;
        out.section(1, &GROTH16.to_le_bytes())?;
        out.section(2, &self.header())?;
        write_points(&mut out, 3, &self.ic)?;
        out.section(4, &self.encode_coefficients())?;
        write_points(&mut out, 9, &self.h)?;
        write_points(&mut out, 8, &self.c)?;
        write_points(&mut out, 5, &self.a)?;
        write_points(&mut out, 6, &self.b1)?;
        write_points(&mut out, 7, &self.b2)?;
        out.section(10, &encode_ceremony(&self.ceremony))?;
        out.finish()
    }

    fn header(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES as usize);
        for modulus in [base_modulus(), scalar_modulus()] {
            out.extend_from_slice(&(FIELD_BYTES as u32).to_le_bytes());
            out.extend_from_slice(&modulus);
        }
        for count in [self.variables, self.public_inputs, self.domain_size] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        encode_points(&[self.alpha_g1, self.beta_g1], &mut out);
        encode_points(&[self.beta_g2, self.gamma_g2], &mut out);
        encode_points(&[self.delta_g1], &mut out);
        encode_points(&[self.delta_g2], &mut out);
        out
    }

    fn encode_coefficients(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.coefficients.len() * COEFFICIENT_BYTES);
        out.extend_from_slice(&count(self.coefficients.len()).to_le_bytes());
        for entry in &self.coefficients {
            let matrix = u32::from(entry.matrix == Matrix::B);
            for number in [matrix, entry.row, entry.column] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            encode_coefficient(&entry.value, &mut out);
        }
        out
    }
}

/// Section 2.
struct Header {
    public_inputs: u32,
    variables: u32,
    domain_size: u32,
    alpha_g1: G1Affine,
    beta_g1: G1Affine,
    beta_g2: G2Affine,
    gamma_g2: G2Affine,
    delta_g1: G1Affine,
    delta_g2: G2Affine,
}

impl Header {
    fn read<R: Read + Seek>(file: &mut Sections<R>) -> Result<Self, ZkeyError> {
        file.expect_length(1, 4)?;
        let system = file.bytes(1)?;
        let found = u32::from_le_bytes(system.try_into().expect("the length is four"));
        if found != GROTH16 {
            return Err(ZkeyError::ProofSystem { found });
        }
        // A file of another curve has another length here; say that it is the curve.
        file.expect_length(2, HEADER_BYTES).map_err(|error| match error {
            BinError::Length { .. } => ZkeyError::Curve,
            other => other.into(),
        })?;
        let bytes = file.bytes(2)?;
        let mut input = Reader::new(&bytes);
        let fixed = "the length of section 2 was checked";
        for modulus in [base_modulus(), scalar_modulus()] {
            let size = input.u32().expect(fixed);
            if size as usize != FIELD_BYTES || input.take(FIELD_BYTES).expect(fixed) != modulus {
                return Err(ZkeyError::Curve);
            }
        }
        let variables = input.u32().expect(fixed);
        let public_inputs = input.u32().expect(fixed);
        let domain_size = input.u32().expect(fixed);
        if variables <= public_inputs
            || public_inputs == u32::MAX
            || domain_size > MAX_DOMAIN
            || !domain_size.is_power_of_two()
            || public_inputs >= domain_size
        {
            return Err(ZkeyError::Counts { variables, public_inputs, domain_size });
        }
        let mut g1 = || finite(input.take(G1_BYTES).expect(fixed));
        let (alpha_g1, beta_g1) = (g1()?, g1()?);
        let mut g2 = || finite(input.take(G2_BYTES).expect(fixed));
        let (beta_g2, gamma_g2) = (g2()?, g2()?);
        let delta_g1 = finite(input.take(G1_BYTES).expect(fixed))?;
        let delta_g2 = finite(input.take(G2_BYTES).expect(fixed))?;
        Ok(Self {
            public_inputs,
            variables,
            domain_size,
            alpha_g1,
            beta_g1,
            beta_g2,
            gamma_g2,
            delta_g1,
            delta_g2,
        })
    }
}

fn finite<C: SWCurveConfig>(bytes: &[u8]) -> Result<Affine<C>, ZkeyError>
where
    C::BaseField: Coordinate,
{
    let points =
        decode_finite_points(bytes).map_err(|source| ZkeyError::Point { section: 2, source })?;
    points.first().copied().ok_or(ZkeyError::Point {
        section: 2,
        source: PointError { index: 0, defect: PointDefect::NotCanonical },
    })
}

fn points<C: SWCurveConfig, R: Read + Seek>(
    file: &mut Sections<R>,
    section: u32,
) -> Result<Vec<Affine<C>>, ZkeyError>
where
    C::BaseField: Coordinate,
{
    decode_points(&file.bytes(section)?).map_err(|source| ZkeyError::Point { section, source })
}

fn write_points<C: SWCurveConfig, W: Write>(
    out: &mut BinWriter<W>,
    section: u32,
    points: &[Affine<C>],
) -> std::io::Result<()>
where
    C::BaseField: Coordinate,
{
    let mut bytes = Vec::new();
    encode_points(points, &mut bytes);
    out.section(section, &bytes)
}

fn read_coefficients<R: Read + Seek>(
    file: &mut Sections<R>,
    header: &Header,
) -> Result<Vec<Coefficient>, ZkeyError> {
    let count = file.part(4, 0, 4)?;
    let count = u32::from_le_bytes(count.try_into().expect("four bytes were asked for"));
    file.expect_length(4, 4 + u64::from(count) * COEFFICIENT_BYTES as u64)?;
    let bytes = file.part(4, 4, u64::from(count) * COEFFICIENT_BYTES as u64)?;
    let decode = |chunk: &[u8]| {
        let mut input = Reader::new(chunk);
        let matrix = match input.u32().ok()? {
            0 => Matrix::A,
            1 => Matrix::B,
            _ => return None,
        };
        let row = input.u32().ok().filter(|row| *row < header.domain_size)?;
        let column = input.u32().ok().filter(|column| *column < header.variables)?;
        let value = decode_coefficient(&input.array().ok()?)?;
        Some(Coefficient { matrix, row, column, value })
    };
    bytes
        .par_chunks_exact(COEFFICIENT_BYTES)
        .enumerate()
        .map(|(index, chunk)| decode(chunk).ok_or(ZkeyError::Coefficient { index }))
        .collect()
}

fn read_ceremony<R: Read + Seek>(file: &mut Sections<R>) -> Result<CeremonyRecord, ZkeyError> {
    let most = 64 + 4 + MAX_CONTRIBUTIONS as u64 * (CONTRIBUTION_BYTES + MAX_PARAMETERS);
    if let Some(found) = file.length(10).filter(|length| *length > most) {
        return Err(BinError::TooLarge { id: 10, found }.into());
    }
    let bytes = file.bytes(10)?;
    let mut input = Reader::new(&bytes);
    let at = |index| move |cause| ZkeyError::Contribution { index, cause };
    let circuit_hash = input.array().map_err(at(0))?;
    let count = input.u32().map_err(at(0))? as usize;
    if count > MAX_CONTRIBUTIONS {
        return Err(at(0)(DecodeError::TooLong));
    }
    let mut contributions = Vec::new();
    for index in 1..=count {
        contributions.push(read_contribution(&mut input, index)?);
    }
    input.end().map_err(at(count))?;
    Ok(CeremonyRecord { circuit_hash, contributions })
}

fn read_contribution(input: &mut Reader<'_>, index: usize) -> Result<Contribution, ZkeyError> {
    let at = |cause| ZkeyError::Contribution { index, cause };
    fn point<C: SWCurveConfig>(
        input: &mut Reader<'_>,
        size: usize,
    ) -> Result<Affine<C>, DecodeError>
    where
        C::BaseField: Coordinate,
    {
        let points = decode_finite_points(input.take(size)?);
        points.ok().and_then(|points| points.first().copied()).ok_or(DecodeError::InvalidPoint)
    }
    let contribution = Contribution {
        delta_after: point(input, G1_BYTES).map_err(at)?,
        g1_s: point(input, G1_BYTES).map_err(at)?,
        g1_sx: point(input, G1_BYTES).map_err(at)?,
        g2_spx: point(input, G2_BYTES).map_err(at)?,
        transcript: input.array().map_err(at)?,
        kind: read_kind(input).map_err(at)?,
    };
    // The transcript refuses such names, and nobody may find that out when the ceremony is over.
    if contribution.kind.name().chars().any(char::is_control) {
        return Err(ZkeyError::ContributorName { index });
    }
    Ok(contribution)
}

/// The kind, then parameters in ascending order: 1 a name, 2 the exponent of a beacon's
/// iterations, 3 its value.
fn read_kind(input: &mut Reader<'_>) -> Result<ContributionKind, DecodeError> {
    let kind = input.u32()?;
    let length = input.u32()? as usize;
    let mut input = Reader::new(input.take(length)?);
    let (mut name, mut exponent, mut beacon) = (String::new(), None, None);
    let mut last = 0;
    while input.remaining() > 0 {
        let tag = input.u8()?;
        if tag <= last {
            return Err(DecodeError::UnknownTag);
        }
        last = tag;
        match tag {
            1 => {
                let length = usize::from(input.u8()?);
                let text = std::str::from_utf8(input.take(length)?);
                name = text.map_err(|_| DecodeError::NotText)?.to_owned();
                // An empty name is written as none.
                if name.is_empty() {
                    return Err(DecodeError::OutOfRange);
                }
            }
            2 => exponent = Some(input.u8()?),
            3 => {
                let length = usize::from(input.u8()?);
                beacon = Some(input.take(length)?.to_vec());
            }
            _ => return Err(DecodeError::UnknownTag),
        }
    }
    match (kind, exponent, beacon) {
        (0, None, None) => Ok(ContributionKind::Participant { name }),
        (1, Some(iterations_exp), Some(hash)) => {
            if hash.is_empty() || !(10..=63).contains(&iterations_exp) {
                return Err(DecodeError::OutOfRange);
            }
            Ok(ContributionKind::Beacon { name, hash, iterations_exp })
        }
        _ => Err(DecodeError::UnknownTag),
    }
}

fn encode_ceremony(record: &CeremonyRecord) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(&record.circuit_hash);
    out.u32(count(record.contributions.len()));
    for contribution in &record.contributions {
        let mut points = Vec::new();
        encode_points(
            &[contribution.delta_after, contribution.g1_s, contribution.g1_sx],
            &mut points,
        );
        encode_points(&[contribution.g2_spx], &mut points);
        out.bytes(&points);
        out.bytes(&contribution.transcript);
        let mut parameters = Writer::default();
        let short = |bytes: &[u8]| u8::try_from(bytes.len()).expect("at most 255 bytes");
        let name = |parameters: &mut Writer, name: &str| {
            if !name.is_empty() {
                parameters.bytes(&[1, short(name.as_bytes())]);
                parameters.bytes(name.as_bytes());
            }
        };
        match &contribution.kind {
            ContributionKind::Participant { name: own } => {
                out.u32(0);
                name(&mut parameters, own);
            }
            ContributionKind::Beacon { name: own, hash, iterations_exp } => {
                out.u32(1);
                name(&mut parameters, own);
                parameters.bytes(&[2, *iterations_exp, 3, short(hash)]);
                parameters.bytes(hash);
            }
        }
        out.blob(&parameters.into_bytes());
    }
    out.into_bytes()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("keys have fewer than 2^32 entries")
}
