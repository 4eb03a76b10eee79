//! `.ptau`: powers of tau, from which every phase 2 starts. Spec §12.5.
//!
//! Such files have gigabytes, so nothing here holds one: a reader hands out the points it is asked
//! for. Which file it is says its BLAKE2b-512; those of the public ceremony are built in.

mod published;
pub mod record;

use std::io::{Read, Seek, Write};

use ark_bn254::{G1Affine, G2Affine, g1, g2};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use blake2::{Blake2b512, Digest};
use placet_params::transcript::PtauHash;

use crate::binfile::{BinError, BinWriter, Format, Sections};
use crate::points::{
    Coordinate, FIELD_BYTES, G1_BYTES, G2_BYTES, PointError, base_modulus, decode_points,
    encode_points, point_bytes,
};
use record::{Phase1Contribution, RecordError};

pub use published::{PublishedName, published_hash, published_name};

/// The container.
pub const FORMAT: Format =
    Format { magic: *b"ptau", version: 1, sections: &[1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15] };
/// Sections of a file whose Lagrange values were not computed.
pub const RAW_SECTIONS: u32 = 7;
/// Sections of a file that phase 2 can start from.
pub const PREPARED_SECTIONS: u32 = 11;
/// Largest power that is read: what the scalar field's roots of unity allow.
pub const MAX_POWER: u8 = 28;
/// Bytes of the header section.
const HEADER_BYTES: u64 = 4 + FIELD_BYTES as u64 + 4 + 4;
/// Longest section of contributions that is read, in bytes.
const MAX_RECORD_BYTES: u64 = 8 << 20;
/// Bytes that are hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

/// The sections that hold points, `n = 2^power`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `τ^i` in G1, `2n - 1` of them.
    TauG1,
    /// `τ^i` in G2, n of them.
    TauG2,
    /// `α·τ^i` in G1, n of them.
    AlphaTauG1,
    /// `β·τ^i` in G1, n of them.
    BetaTauG1,
    /// β in G2.
    BetaG2,
    /// The Lagrange values at τ of all domains up to `2n`, from the smallest, in G1.
    LagrangeG1,
    /// Those of all domains up to n in G2.
    LagrangeG2,
    /// Those times α.
    LagrangeAlphaG1,
    /// Those times β.
    LagrangeBetaG1,
}

impl Part {
    /// The parts of every file, in file order.
    pub const POWERS: [Self; 5] =
        [Self::TauG1, Self::TauG2, Self::AlphaTauG1, Self::BetaTauG1, Self::BetaG2];
    /// What a prepared file has besides, each with the powers it comes from, in file order.
    pub const LAGRANGE: [(Self, Self); 4] = [
        (Self::LagrangeG1, Self::TauG1),
        (Self::LagrangeG2, Self::TauG2),
        (Self::LagrangeAlphaG1, Self::AlphaTauG1),
        (Self::LagrangeBetaG1, Self::BetaTauG1),
    ];

    /// The section's number.
    pub const fn section(self) -> u32 {
        match self {
            Self::TauG1 => 2,
            Self::TauG2 => 3,
            Self::AlphaTauG1 => 4,
            Self::BetaTauG1 => 5,
            Self::BetaG2 => 6,
            Self::LagrangeG1 => 12,
            Self::LagrangeG2 => 13,
            Self::LagrangeAlphaG1 => 14,
            Self::LagrangeBetaG1 => 15,
        }
    }

    /// Points in a file of this power.
    pub const fn points(self, power: u8) -> u64 {
        let n = 1u64 << power;
        match self {
            Self::TauG1 => 2 * n - 1,
            Self::TauG2 | Self::AlphaTauG1 | Self::BetaTauG1 => n,
            Self::BetaG2 => 1,
            Self::LagrangeG1 => 4 * n - 1,
            Self::LagrangeG2 | Self::LagrangeAlphaG1 | Self::LagrangeBetaG1 => 2 * n - 1,
        }
    }

    /// `true` if its points are in G2.
    pub const fn in_g2(self) -> bool {
        matches!(self, Self::TauG2 | Self::BetaG2 | Self::LagrangeG2)
    }

    /// Bytes of the section in a file of this power.
    pub const fn bytes(self, power: u8) -> u64 {
        self.points(power) * if self.in_g2() { G2_BYTES as u64 } else { G1_BYTES as u64 }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TauG1 => "powers of tau in G1",
            Self::TauG2 => "powers of tau in G2",
            Self::AlphaTauG1 => "powers times alpha",
            Self::BetaTauG1 => "powers times beta",
            Self::BetaG2 => "beta in G2",
            Self::LagrangeG1 => "Lagrange values in G1",
            Self::LagrangeG2 => "Lagrange values in G2",
            Self::LagrangeAlphaG1 => "Lagrange values times alpha",
            Self::LagrangeBetaG1 => "Lagrange values times beta",
        })
    }
}

/// Why a file is not usable powers of tau.
#[derive(Debug, thiserror::Error)]
pub enum PtauError {
    /// The container.
    #[error(transparent)]
    Container(#[from] BinError),
    /// Reading or writing.
    #[error("the .ptau file cannot be read or written: {0}; check its path and free space")]
    Io(#[from] std::io::Error),
    /// Over another field.
    #[error("the .ptau file is not for BN254; get one that is (snarkjs calls the curve bn128)")]
    Curve,
    /// A power that no file can have.
    #[error("the .ptau file says power {power}, possible are 1 to {MAX_POWER}; get it again")]
    Power {
        /// What the file says.
        power: u32,
    },
    /// The header has no meaning.
    #[error("the header of the .ptau file is damaged; copy or download it again")]
    Header,
    /// A point.
    #[error("the .ptau file is damaged: {part}, {error}; copy or download it again")]
    Point {
        /// Where.
        part: Part,
        /// Which and why.
        #[source]
        error: PointError,
    },
    /// The contributions.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Not yet usable by phase 2.
    #[error(
        "the .ptau file has no Lagrange values; run `placet ceremony phase1 prepare` or take a file that is prepared for phase 2"
    )]
    NotPrepared,
    /// Too few powers.
    #[error("the .ptau file has power {power}, the circuit needs {needed}; take a larger file")]
    TooSmall {
        /// The file's.
        power: u8,
        /// The circuit's.
        needed: u8,
    },
}

/// An open file whose header and lengths were checked. Points are read and checked on demand.
#[derive(Debug)]
pub struct Ptau<R> {
    sections: Sections<R>,
    power: u8,
    ceremony_power: u8,
}

impl<R: Read + Seek> Ptau<R> {
    /// Reads the header and compares the length of every section with it.
    pub fn open(input: R) -> Result<Self, PtauError> {
        let mut sections = Sections::open(input, &FORMAT)?;
        sections.expect_length(1, HEADER_BYTES)?;
        let header = sections.bytes(1)?;
        let word = |at: usize| {
            u32::from_le_bytes(
                header[at..at + 4].try_into().expect("the header's length is checked"),
            )
        };
        let fields = 4 + FIELD_BYTES;
        if word(0) as usize != FIELD_BYTES || header[4..fields] != base_modulus() {
            return Err(PtauError::Curve);
        }
        let narrow = |power: u32| match u8::try_from(power) {
            Ok(narrow @ 1..=MAX_POWER) => Ok(narrow),
            _ => Err(PtauError::Power { power }),
        };
        let (power, ceremony_power) = (narrow(word(fields))?, narrow(word(fields + 4))?);
        if power > ceremony_power {
            return Err(PtauError::Header);
        }
        for part in Part::POWERS {
            sections.expect_length(part.section(), part.bytes(power))?;
        }
        sections.length(7).ok_or(BinError::Missing { id: 7 })?;
        // All Lagrange sections or none.
        if Part::LAGRANGE.iter().any(|(part, _)| sections.length(part.section()).is_some()) {
            for (part, _) in Part::LAGRANGE {
                sections.expect_length(part.section(), part.bytes(power))?;
            }
        }
        Ok(Self { sections, power, ceremony_power })
    }

    /// It holds powers for `2^power` rows.
    pub fn power(&self) -> u8 {
        self.power
    }

    /// The power of the ceremony that it was cut from.
    pub fn ceremony_power(&self) -> u8 {
        self.ceremony_power
    }

    /// Whether it has the Lagrange values that phase 2 needs.
    pub fn is_prepared(&self) -> bool {
        self.sections.length(Part::LagrangeG1.section()).is_some()
    }

    /// `count` points of a part in G1, from the one numbered `start`.
    ///
    /// # Errors
    /// Points that are not there, not canonical or off the curve.
    pub fn g1(&mut self, part: Part, start: u64, count: u64) -> Result<Vec<G1Affine>, PtauError> {
        self.read::<g1::Config>(part, start, count)
    }

    /// As [`Ptau::g1`], of a part in G2; the subgroup is checked.
    pub fn g2(&mut self, part: Part, start: u64, count: u64) -> Result<Vec<G2Affine>, PtauError> {
        self.read::<g2::Config>(part, start, count)
    }

    /// The Lagrange values of the domain of `2^power` points, of a part in G1.
    pub fn lagrange_g1(&mut self, part: Part, power: u8) -> Result<Vec<G1Affine>, PtauError> {
        self.prepared(power)?;
        self.g1(part, (1 << power) - 1, 1 << power)
    }

    /// The Lagrange values of the domain of `2^power` points in G2.
    pub fn lagrange_g2(&mut self, power: u8) -> Result<Vec<G2Affine>, PtauError> {
        self.prepared(power)?;
        self.g2(Part::LagrangeG2, (1 << power) - 1, 1 << power)
    }

    fn prepared(&self, power: u8) -> Result<(), PtauError> {
        if !self.is_prepared() {
            return Err(PtauError::NotPrepared);
        }
        // The largest domain of LagrangeG1 is one larger than the file's power; its length says so.
        if power > self.power + 1 {
            return Err(PtauError::TooSmall { power: self.power, needed: power });
        }
        Ok(())
    }

    fn read<C: SWCurveConfig>(
        &mut self,
        part: Part,
        start: u64,
        count: u64,
    ) -> Result<Vec<Affine<C>>, PtauError>
    where
        C::BaseField: Coordinate,
    {
        let size = point_bytes::<C>() as u64;
        // Numbers of points are below 2^31: `Part::points` of the largest power.
        let bytes = self.sections.part(part.section(), start * size, count * size)?;
        decode_points(&bytes).map_err(|mut error| {
            error.index += start as usize;
            PtauError::Point { part, error }
        })
    }

    /// The contributions to it.
    pub fn contributions(&mut self) -> Result<Vec<Phase1Contribution>, PtauError> {
        let found = self.sections.length(7).unwrap_or(0);
        if found > MAX_RECORD_BYTES {
            return Err(BinError::TooLarge { id: 7, found }.into());
        }
        Ok(record::decode(&self.sections.bytes(7)?)?)
    }

    /// The bytes of a part, for copies.
    pub fn copy<W: Write>(&mut self, part: Part, out: &mut BinWriter<W>) -> Result<(), PtauError> {
        let length = part.bytes(self.power);
        out.begin(part.section(), length)?;
        let mut at = 0;
        while at < length {
            let step = (HASHED_AT_ONCE as u64).min(length - at);
            out.bytes(&self.sections.part(part.section(), at, step)?)?;
            at += step;
        }
        Ok(())
    }
}

/// Begins a file: container and header.
pub fn begin<W: Write>(out: W, power: u8, sections: u32) -> Result<BinWriter<W>, PtauError> {
    let mut out = BinWriter::new(out, &FORMAT, sections)?;
    let mut header = Vec::new();
    header.extend_from_slice(&(FIELD_BYTES as u32).to_le_bytes());
    header.extend_from_slice(&base_modulus());
    header.extend_from_slice(&u32::from(power).to_le_bytes());
    header.extend_from_slice(&u32::from(power).to_le_bytes());
    out.section(1, &header)?;
    Ok(out)
}

/// Writes points of the section that was begun.
pub fn write_points<C: SWCurveConfig, W: Write>(
    out: &mut BinWriter<W>,
    points: &[Affine<C>],
) -> std::io::Result<()>
where
    C::BaseField: Coordinate,
{
    let mut bytes = Vec::new();
    encode_points(points, &mut bytes);
    out.bytes(&bytes)
}

/// BLAKE2b-512 of all that `input` gives; `progress` is told the bytes done.
pub fn hash(
    mut input: impl Read,
    progress: &mut dyn FnMut(u64),
) -> Result<PtauHash, std::io::Error> {
    let mut hash = Blake2b512::new();
    let mut buffer = vec![0u8; HASHED_AT_ONCE];
    let mut done = 0;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(PtauHash(hash.finalize().into())),
            Ok(read) => {
                hash.update(&buffer[..read]);
                done += read as u64;
                progress(done);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
