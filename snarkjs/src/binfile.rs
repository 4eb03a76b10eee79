//! The container that `.r1cs`, `.wtns`, `.zkey` and `.ptau` share: four letters, a version, the
//! number of sections, and per section its number, its length and its bytes. Integers are
//! little-endian. Spec §12.5.
//!
//! snarkjs takes files with repeated, unknown and overlapping sections. This reader refuses them:
//! whoever checks one section must have seen the one that another reader uses.

use std::io::{Read, Seek, SeekFrom, Take, Write};

/// Bytes before the first section: letters, version, number of sections.
const HEADER_BYTES: u64 = 12;
/// Bytes before the contents of a section: its number and its length.
const SECTION_HEADER_BYTES: u64 = 12;

/// What distinguishes one kind of file from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The letters at the beginning, which are also the usual extension.
    pub magic: [u8; 4],
    /// The version that is read and written.
    pub version: u32,
    /// The numbers of all sections that may occur, each at most once.
    pub sections: &'static [u32],
}

impl Format {
    /// The letters as text.
    pub fn name(&self) -> &'static str {
        match &self.magic {
            b"r1cs" => "r1cs",
            b"wtns" => "wtns",
            b"zkey" => "zkey",
            b"ptau" => "ptau",
            _ => "snarkjs",
        }
    }
}

/// Why a file is not a container of the wanted kind.
#[derive(Debug, thiserror::Error)]
pub enum BinError {
    /// The operating system could not read or write.
    #[error("the file cannot be read or written: {0}; check its path, permissions and free space")]
    Io(#[from] std::io::Error),
    /// Other letters at the beginning.
    #[error("this is not a .{expected} file; check that this is the right file")]
    NotThisKind {
        /// The letters that were expected.
        expected: &'static str,
    },
    /// Another version.
    #[error(".{kind} files of version {expected} are read, this one has version {found}")]
    Version {
        /// The kind of file.
        kind: &'static str,
        /// The version that is read.
        expected: u32,
        /// What the file says.
        found: u32,
    },
    /// The file ends before a length in it is used up.
    #[error("the file is truncated: bytes are missing at its end; copy or download it again")]
    Truncated,
    /// Bytes behind the last section.
    #[error("the file has {extra} bytes behind its last section; copy or download it again")]
    Trailing {
        /// How many.
        extra: u64,
    },
    /// More sections than a file of this kind can have.
    #[error("the file announces {found} sections, more than a file of this kind can have")]
    SectionCount {
        /// What the file says.
        found: u32,
    },
    /// A section that files of this kind do not have.
    #[error("the file has a section {id}, which is not known in files of this kind")]
    Unknown {
        /// Its number.
        id: u32,
    },
    /// A section occurs twice.
    #[error("section {id} occurs twice; such a file could mean two things")]
    Duplicate {
        /// Its number.
        id: u32,
    },
    /// A required section is not there.
    #[error("section {id} is missing")]
    Missing {
        /// Its number.
        id: u32,
    },
    /// A section's length does not fit what the header says.
    #[error("section {id} has {found} bytes, the header asks for {expected}")]
    Length {
        /// Its number.
        id: u32,
        /// What the header of the file asks for.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A section larger than this machine or this software handles.
    #[error("section {id} has {found} bytes, more than is read at once")]
    TooLarge {
        /// Its number.
        id: u32,
        /// What is there.
        found: u64,
    },
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    id: u32,
    start: u64,
    length: u64,
}

/// A container whose table of sections was checked against the file's length. Contents are read
/// when they are asked for.
#[derive(Debug)]
pub struct Sections<R> {
    input: R,
    places: Vec<Place>,
}

impl<R: Read + Seek> Sections<R> {
    /// Reads the table of sections.
    ///
    /// # Errors
    /// Another kind of file, another version, unknown or repeated sections, lengths that do not
    /// add up to the file.
    pub fn open(mut input: R, format: &Format) -> Result<Self, BinError> {
        let total = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        if total < HEADER_BYTES {
            return Err(BinError::Truncated);
        }
        let mut magic = [0u8; 4];
        input.read_exact(&mut magic)?;
        if magic != format.magic {
            return Err(BinError::NotThisKind { expected: format.name() });
        }
        let found = u32_of(&mut input)?;
        if found != format.version {
            let (kind, expected) = (format.name(), format.version);
            return Err(BinError::Version { kind, expected, found });
        }
        let count = u32_of(&mut input)?;
        if count as usize > format.sections.len() {
            return Err(BinError::SectionCount { found: count });
        }
        let mut places: Vec<Place> = Vec::with_capacity(count as usize);
        let mut at = HEADER_BYTES;
        for _ in 0..count {
            if total - at < SECTION_HEADER_BYTES {
                return Err(BinError::Truncated);
            }
            input.seek(SeekFrom::Start(at))?;
            let id = u32_of(&mut input)?;
            let length = u64_of(&mut input)?;
            at += SECTION_HEADER_BYTES;
            if !format.sections.contains(&id) {
                return Err(BinError::Unknown { id });
            }
            if places.iter().any(|place| place.id == id) {
                return Err(BinError::Duplicate { id });
            }
            if length > total - at {
                return Err(BinError::Truncated);
            }
            places.push(Place { id, start: at, length });
            at += length;
        }
        if at != total {
            return Err(BinError::Trailing { extra: total - at });
        }
        Ok(Self { input, places })
    }

    /// The length of a section in bytes, if it is there.
    pub fn length(&self, id: u32) -> Option<u64> {
        self.place(id).ok().map(|place| place.length)
    }

    /// Refuses a section that is missing or has another length than the header asks for.
    pub fn expect_length(&self, id: u32, expected: u64) -> Result<(), BinError> {
        let found = self.place(id)?.length;
        if found == expected { Ok(()) } else { Err(BinError::Length { id, expected, found }) }
    }

    /// All bytes of a section. They are there: the table was compared with the file.
    pub fn bytes(&mut self, id: u32) -> Result<Vec<u8>, BinError> {
        let length = self.place(id)?.length;
        self.part(id, 0, length)
    }

    /// `length` bytes of a section, from `offset`. Nothing is allocated that is not there.
    pub fn part(&mut self, id: u32, offset: u64, length: u64) -> Result<Vec<u8>, BinError> {
        let place = self.place(id)?;
        let end = offset.checked_add(length).ok_or(BinError::Truncated)?;
        if end > place.length {
            return Err(BinError::Length { id, expected: end, found: place.length });
        }
        let fits = usize::try_from(length).ok().filter(|length| *length <= isize::MAX as usize);
        let size = fits.ok_or(BinError::TooLarge { id, found: length })?;
        self.input.seek(SeekFrom::Start(place.start + offset))?;
        let mut bytes = vec![0u8; size];
        // The file may have become shorter since its length was asked for.
        self.input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => BinError::Truncated,
            _ => BinError::Io(error),
        })?;
        Ok(bytes)
    }

    /// A reader of one section, for those who need not hold it all.
    pub fn reader(&mut self, id: u32) -> Result<Take<&mut R>, BinError> {
        let place = self.place(id)?;
        self.input.seek(SeekFrom::Start(place.start))?;
        Ok((&mut self.input).take(place.length))
    }

    fn place(&self, id: u32) -> Result<Place, BinError> {
        let found = self.places.iter().find(|place| place.id == id);
        found.copied().ok_or(BinError::Missing { id })
    }
}

fn u32_of(input: &mut impl Read) -> Result<u32, BinError> {
    let mut bytes = [0u8; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn u64_of(input: &mut impl Read) -> Result<u64, BinError> {
    let mut bytes = [0u8; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Writes a container front to back. The number of sections and the length of each are known
/// before their bytes: a file is never patched.
#[derive(Debug)]
pub struct BinWriter<W> {
    out: W,
    sections_left: u32,
    bytes_left: u64,
}

impl<W: Write> BinWriter<W> {
    /// Writes the header of a file with this many sections.
    pub fn new(mut out: W, format: &Format, sections: u32) -> std::io::Result<Self> {
        out.write_all(&format.magic)?;
        out.write_all(&format.version.to_le_bytes())?;
        out.write_all(&sections.to_le_bytes())?;
        Ok(Self { out, sections_left: sections, bytes_left: 0 })
    }

    /// Begins a section; its bytes follow through [`Self::bytes`].
    ///
    /// # Panics
    /// If the section before is not complete or all sections were written: a fault of the caller.
    pub fn begin(&mut self, id: u32, length: u64) -> std::io::Result<()> {
        assert_eq!(self.bytes_left, 0, "the section before is complete");
        self.sections_left = self.sections_left.checked_sub(1).expect("sections were counted");
        self.bytes_left = length;
        self.out.write_all(&id.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())
    }

    /// Writes bytes of the section that was begun.
    ///
    /// # Panics
    /// If they are more than announced: a fault of the caller.
    pub fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let left = self.bytes_left.checked_sub(bytes.len() as u64);
        self.bytes_left = left.expect("no more bytes than announced");
        self.out.write_all(bytes)
    }

    /// Writes a whole section.
    pub fn section(&mut self, id: u32, bytes: &[u8]) -> std::io::Result<()> {
        self.begin(id, bytes.len() as u64)?;
        self.bytes(bytes)
    }

    /// Ends the file and gives the output back, flushed.
    ///
    /// # Panics
    /// If sections or bytes are missing: a fault of the caller.
    pub fn finish(mut self) -> std::io::Result<W> {
        assert_eq!((self.sections_left, self.bytes_left), (0, 0), "the file is complete");
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const FORMAT: Format = Format { magic: *b"zkey", version: 1, sections: &[1, 2, 3] };

    fn sample() -> Vec<u8> {
        let mut out = BinWriter::new(Vec::new(), &FORMAT, 3).unwrap();
        out.section(1, &[7, 8]).unwrap();
        out.section(3, &[]).unwrap();
        out.begin(2, 5).unwrap();
        out.bytes(&[1, 2, 3]).unwrap();
        out.bytes(&[4, 5]).unwrap();
        out.finish().unwrap()
    }

    fn open(bytes: &[u8]) -> Result<Sections<Cursor<&[u8]>>, BinError> {
        Sections::open(Cursor::new(bytes), &FORMAT)
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = sample();
        let mut file = open(&bytes).unwrap();
        assert_eq!(file.bytes(1).unwrap(), [7, 8]);
        assert_eq!(file.bytes(3).unwrap(), [0u8; 0]);
        assert_eq!(file.part(2, 1, 3).unwrap(), [2, 3, 4]);
        let mut streamed = Vec::new();
        file.reader(2).unwrap().read_to_end(&mut streamed).unwrap();
        assert_eq!(streamed, [1, 2, 3, 4, 5]);
        assert!(file.expect_length(2, 5).is_ok());
        assert!(matches!(
            file.expect_length(2, 6),
            Err(BinError::Length { id: 2, expected: 6, found: 5 })
        ));
        assert!(matches!(file.part(2, 4, 2), Err(BinError::Length { .. })));
        assert!(matches!(file.part(2, u64::MAX, 2), Err(BinError::Truncated)));
    }

    #[test]
    fn every_truncation_and_every_extra_byte_is_refused() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert!(open(&bytes[..end]).is_err(), "{end} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(open(&longer), Err(BinError::Trailing { extra: 1 })));
    }

    #[test]
    fn giant_lengths_and_counts_are_refused_before_anything_is_allocated() {
        let mut bytes = sample();
        bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(open(&bytes), Err(BinError::Truncated)));
        let mut bytes = sample();
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(open(&bytes), Err(BinError::SectionCount { .. })));
    }

    #[test]
    fn repeated_unknown_and_missing_sections_are_named() {
        let mut twice = BinWriter::new(Vec::new(), &FORMAT, 2).unwrap();
        twice.section(1, &[]).unwrap();
        twice.section(1, &[]).unwrap();
        assert!(matches!(open(&twice.finish().unwrap()), Err(BinError::Duplicate { id: 1 })));

        let mut unknown = BinWriter::new(Vec::new(), &FORMAT, 1).unwrap();
        unknown.section(4, &[]).unwrap();
        assert!(matches!(open(&unknown.finish().unwrap()), Err(BinError::Unknown { id: 4 })));

        let mut short = BinWriter::new(Vec::new(), &FORMAT, 1).unwrap();
        short.section(1, &[]).unwrap();
        let short = short.finish().unwrap();
        assert!(matches!(open(&short).unwrap().bytes(2), Err(BinError::Missing { id: 2 })));
    }

    #[test]
    fn another_kind_and_another_version_are_refused() {
        let mut bytes = sample();
        bytes[4] = 2;
        assert!(matches!(open(&bytes), Err(BinError::Version { found: 2, expected: 1, .. })));
        let mut bytes = sample();
        bytes[0] = b'r';
        assert!(matches!(open(&bytes), Err(BinError::NotThisKind { expected: "zkey" })));
    }
}
