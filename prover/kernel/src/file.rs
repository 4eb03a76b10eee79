//! Tables in a file: built once, then mapped by every process that proves with the key.
//!
//! A header of 256 bytes: magic, version, kind of tables, windows, places of the domain, hash of
//! what the tables are made from, how many wires each query has, length of the file, checksum of
//! the rest, checksum of the header. Then four queries, each with its wires and then its points,
//! which begin at multiples of 64. Numbers are little-endian. Nothing in it is secret.
//!
//! Tables are believed only if all of it fits: lengths before they are used, the hash of key and
//! circuit, every byte by the checksum. The checksum finds damage, not malice; who can replace the
//! file can make proofs fail, and a proof that does not verify never leaves the prover.
//! Which proofs fail tells them something: see decision 27.
//!
//! A file is written under another name and then renamed. One process builds while others wait.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ark_bn254::Bn254;
use ark_groth16::ProvingKey;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::kernel::{Kernel, KernelError, Matrices, Queries, Query, Tables};
use crate::mapping::Mapping;
use crate::points::{Plain, Points, Section, bytes};

const MAGIC: &[u8; 8] = b"PLACETTB";
/// The version of the format that this software writes and reads.
pub const VERSION: u32 = 1;
/// How the names of such files end, without the dot.
pub const EXTENSION: &str = "tables";
const HEADER: usize = 256;
/// The checksum of the header stands at its end.
const HEADER_BODY: usize = HEADER - 32;
/// Sections begin at multiples of this, a cache line.
const ALIGN: usize = 64;
/// Bytes that are hashed by one core at a time.
const CHUNK: usize = 1 << 20;

/// Why a file of tables is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system could not open or map it.
    #[error("the tables cannot be read: {0}; check the permissions, or build them again")]
    Io(#[from] io::Error),
    /// It does not begin like tables, or the header is damaged.
    #[error("this is not a file of tables, or it is damaged; build the tables again")]
    Header,
    /// Written by other software.
    #[error(
        "the tables have format version {found}, this software uses {VERSION}; build them again"
    )]
    Version {
        /// What the file says.
        found: u32,
    },
    /// Made from another key or circuit, or of another kind.
    #[error("the tables are of another key, circuit or kind; build them again")]
    Other,
    /// Shorter or longer than it says.
    #[error("the tables are incomplete; build them again")]
    Length,
    /// The checksum does not fit, or the wires are not in order.
    #[error("the tables are damaged; build them again")]
    Damaged,
    /// This processor keeps numbers in another order.
    #[error("tables are not kept in files on this kind of processor; use them from memory")]
    Processor,
    /// Key and circuit do not fit each other.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// What is going on while tables are made ready.
#[derive(Debug)]
pub enum Stage<'a> {
    /// Another process builds them.
    Waiting,
    /// A file is checked.
    Loading,
    /// A file cannot be used and will be replaced.
    Unusable(&'a FileError),
    /// They are built.
    Building {
        /// Points that are done.
        done: u64,
        /// All points.
        all: u64,
    },
    /// They are written.
    Saving,
    /// They could not be written: they are used from memory, and the next process builds them again.
    NotSaved(&'a io::Error),
}

/// The name of a file of tables. `key` says of which key, in letters that names of files may have.
pub fn file_name(key: &str, tables: Tables) -> String {
    format!("{key}.{}.v{VERSION}.{EXTENSION}", tables.name())
}

/// Reads tables from a file, or builds them and writes it. One that cannot be used is replaced.
///
/// # Errors
/// If key and matrices do not fit each other. A file that can be neither read nor written is
/// reported and only costs time.
pub fn ready(
    path: &Path,
    key: &ProvingKey<Bn254>,
    matrices: &Arc<Matrices>,
    tables: Tables,
    progress: &(dyn Fn(Stage<'_>) + Sync),
) -> Result<Kernel, KernelError> {
    progress(Stage::Loading);
    // Without the lock: a file under its name is complete.
    if let Ok(kernel) = open(path, key, matrices, tables) {
        return Ok(kernel);
    }
    let lock = lock(path, progress);
    match open(path, key, matrices, tables) {
        Ok(kernel) => return Ok(kernel),
        Err(FileError::Kernel(error)) => return Err(error),
        Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => progress(Stage::Unusable(&error)),
    }
    let report = |done, all| progress(Stage::Building { done, all });
    let kernel = Kernel::new(key, matrices.clone(), tables, &report)?;
    progress(Stage::Saving);
    let saved = lock.and_then(|_lock| save(&kernel, path));
    if let Err(error) = saved {
        progress(Stage::NotSaved(&error));
        return Ok(kernel);
    }
    // The file instead of the memory: other processes share it.
    match open(path, key, matrices, tables) {
        Ok(mapped) => Ok(mapped),
        Err(error) => {
            progress(Stage::Unusable(&error));
            Ok(kernel)
        }
    }
}

/// The lock of a file of tables, held until dropped; the system releases it if the process dies.
fn lock(path: &Path, progress: &dyn Fn(Stage<'_>)) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let file = private().create(true).truncate(false).write(true).open(beside(path, "lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress(Stage::Waiting);
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Deletes a file of tables and what an interrupted process left of it; waits for one that builds
/// it. Processes that have mapped it keep what they have.
///
/// # Errors
/// If the system cannot.
pub fn remove(path: &Path) -> io::Result<()> {
    let _lock = lock(path, &|_| {})?;
    let [_, new] = companions(path);
    for file in [path, &new] {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Other files that belong to a file of tables: its lock, and what an interrupted process left.
pub fn companions(path: &Path) -> [PathBuf; 2] {
    [beside(path, "lock"), beside(path, "new")]
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Files are the user's own.
fn private() -> OpenOptions {
    #[allow(unused_mut)]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Kind of tables.
    pub tables: Tables,
    /// Hash of the key and circuit they are made from.
    pub source: [u8; 32],
    /// Length of the file in bytes.
    pub length: u64,
    width: u32,
    stride: u32,
    domain: u64,
    /// Wires of A, B in G1, B in G2, C.
    wires: [u64; 4],
    checksum: [u8; 32],
}

/// Reads the header of a file and compares it with the length of the file.
pub fn describe(path: &Path) -> Result<Description, FileError> {
    description(&mut File::open(path)?)
}

fn description(file: &mut File) -> Result<Description, FileError> {
    let mut header = [0; HEADER];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(FileError::Header);
        }
        other => other?,
    }
    let description = Description::decode(&header)?;
    if file.metadata()?.len() != description.length {
        return Err(FileError::Length);
    }
    Ok(description)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
fn hash(bytes: &[u8], at: usize) -> [u8; 32] {
    bytes[at..at + 32].try_into().expect("32 bytes")
}

impl Description {
    fn decode(header: &[u8; HEADER]) -> Result<Self, FileError> {
        if header[..8] != *MAGIC {
            return Err(FileError::Header);
        }
        // Before the checksum: other versions may have it elsewhere.
        let found = word(header, 8);
        if found != VERSION {
            return Err(FileError::Version { found });
        }
        let body = &header[..HEADER_BODY];
        if Sha256::digest(body)[..] != header[HEADER_BODY..] {
            return Err(FileError::Header);
        }
        let tables = Tables::ALL.get(word(header, 12) as usize).copied();
        Ok(Self {
            tables: tables.ok_or(FileError::Header)?,
            width: word(header, 16),
            stride: word(header, 20),
            domain: long(header, 24),
            source: hash(header, 32),
            wires: [64, 72, 80, 88].map(|at| long(header, at)),
            length: long(header, 96),
            checksum: hash(header, 104),
        })
    }

    fn encode(&self) -> [u8; HEADER] {
        let code = Tables::ALL.iter().position(|tables| *tables == self.tables);
        let code = code.expect("all kinds are in the list") as u32;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        for word in [VERSION, code, self.width, self.stride] {
            header.extend_from_slice(&word.to_le_bytes());
        }
        header.extend_from_slice(&self.domain.to_le_bytes());
        header.extend_from_slice(&self.source);
        for count in self.wires.into_iter().chain([self.length]) {
            header.extend_from_slice(&count.to_le_bytes());
        }
        header.extend_from_slice(&self.checksum);
        header.resize(HEADER_BODY, 0);
        let checksum = Sha256::digest(&header);
        header.extend_from_slice(&checksum);
        header.try_into().expect("the header has its length")
    }

    /// Without checksum, of tables in memory. `length` is computed from the counts.
    fn of(kernel: &Kernel) -> Self {
        let (tables, windows) = (kernel.tables(), kernel.tables().windows());
        let Queries { a, b1, b2, c } = kernel.queries();
        let mut description = Self {
            tables,
            source: kernel.source(),
            length: 0,
            width: windows.width,
            stride: windows.stride as u32,
            domain: kernel.places() as u64,
            wires: [&a.wires, &b1.wires, &b2.wires, &c.wires].map(|wires| wires.len() as u64),
            checksum: [0; 32],
        };
        let layout = description.layout(kernel.places()).expect("what is in memory can be counted");
        description.length = layout.end as u64;
        description
    }

    /// Where the queries are; `None` if it is too large to be counted.
    fn layout(&self, domain: usize) -> Option<Layout> {
        let multiples = self.tables.windows().multiples();
        let mut at = HEADER;
        let mut queries = [Place::default(); 4];
        for (i, place) in queries.iter_mut().enumerate() {
            let (size, more) = match i {
                2 => (128, 0),
                3 => (64, domain),
                _ => (64, 0),
            };
            place.wires = usize::try_from(self.wires[i]).ok()?;
            place.points = place.wires.checked_add(more)?.checked_mul(multiples)?;
            place.wires_at = at;
            at = at.checked_add(place.wires.checked_mul(4)?)?.checked_next_multiple_of(ALIGN)?;
            place.points_at = at;
            at = at.checked_add(place.points.checked_mul(size)?)?;
        }
        Some(Layout { queries, end: at })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    wires_at: usize,
    wires: usize,
    points_at: usize,
    points: usize,
}

struct Layout {
    queries: [Place; 4],
    /// Length of the file.
    end: usize,
}

/// Maps tables from a file, if they are whole and made from this key and these matrices.
pub fn open(
    path: &Path,
    key: &ProvingKey<Bn254>,
    matrices: &Arc<Matrices>,
    tables: Tables,
) -> Result<Kernel, FileError> {
    if cfg!(target_endian = "big") {
        return Err(FileError::Processor);
    }
    let mut file = File::open(path)?;
    let description = description(&mut file)?;
    Kernel::with_queries(key, matrices.clone(), tables, |source, domain| {
        let windows = tables.windows();
        let wanted = (tables, source, windows.width, windows.stride as u32, domain as u64);
        let Description { width, stride, .. } = description;
        let found = (description.tables, description.source, width, stride, description.domain);
        if found != wanted {
            return Err(FileError::Other);
        }
        let layout = description.layout(domain).ok_or(FileError::Length)?;
        if layout.end as u64 != description.length {
            return Err(FileError::Length);
        }
        let mapping = Arc::new(Mapping::of(&file)?);
        if mapping.len() != layout.end {
            return Err(FileError::Length);
        }
        if checksum(&mapping[HEADER..]) != description.checksum {
            return Err(FileError::Damaged);
        }
        let [a, b1, b2, c] = layout.queries;
        let wires = matrices.wires();
        Ok(Queries {
            a: Query::mapped(&mapping, a, wires)?,
            b1: Query::mapped(&mapping, b1, wires)?,
            b2: Query::mapped(&mapping, b2, wires)?,
            c: Query::mapped(&mapping, c, wires)?,
        })
    })
}

impl<P: Plain> Query<P> {
    fn mapped(mapping: &Arc<Mapping>, place: Place, wires: usize) -> Result<Self, FileError> {
        let numbers = mapping[place.wires_at..].chunks_exact(4).take(place.wires);
        let numbers: Vec<u32> = numbers.map(|number| word(number, 0)).collect();
        let rising = numbers.windows(2).all(|two| two[0] < two[1]);
        if !rising || numbers.last().is_some_and(|last| *last as usize >= wires) {
            return Err(FileError::Damaged);
        }
        let points = Section::new(mapping.clone(), place.points_at, place.points);
        Ok(Self { wires: numbers, points: Points::Mapped(points.ok_or(FileError::Length)?) })
    }
}

/// SHA-256 over the SHA-256 of each mebibyte: by all cores.
fn checksum(content: &[u8]) -> [u8; 32] {
    let parts: Vec<[u8; 32]> =
        content.par_chunks(CHUNK).map(|chunk| Sha256::digest(chunk).into()).collect();
    Sha256::digest(parts.concat()).into()
}

/// Writes tables to a file in one step. The directory exists; no other process may do the same at
/// once, which [`ready`] sees to.
///
/// # Errors
/// If the system cannot write, or on processors whose numbers are in another order.
pub fn save(kernel: &Kernel, path: &Path) -> io::Result<()> {
    if cfg!(target_endian = "big") {
        return Err(io::Error::new(io::ErrorKind::Unsupported, FileError::Processor));
    }
    let new = beside(path, "new");
    let written = write(kernel, &new).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn write(kernel: &Kernel, new: &Path) -> io::Result<()> {
    // What an interrupted process left, perhaps with other permissions.
    match std::fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut description = Description::of(kernel);
    let mut file = private().create_new(true).write(true).open(new)?;
    // A header comes last: without it this is no file of tables.
    file.write_all(&[0; HEADER])?;
    let mut content =
        Content { file: &mut file, chunk: Vec::with_capacity(CHUNK), parts: Vec::new() };
    let Queries { a, b1, b2, c } = kernel.queries();
    content.query(a)?;
    content.query(b1)?;
    content.query(b2)?;
    content.query(c)?;
    description.checksum = content.finish()?;
    // Not synchronised: the checksum finds what a loss of power leaves.
    file.rewind()?;
    file.write_all(&description.encode())
}

/// Writes and hashes.
struct Content<'f> {
    file: &'f mut File,
    chunk: Vec<u8>,
    parts: Vec<u8>,
}

impl Content<'_> {
    fn query<P: Plain>(&mut self, query: &Query<P>) -> io::Result<()> {
        let wires: Vec<u8> = query.wires.iter().flat_map(|wire| wire.to_le_bytes()).collect();
        self.add(&wires)?;
        self.add(&[0; ALIGN][..wires.len().next_multiple_of(ALIGN) - wires.len()])?;
        self.add(bytes(&query.points))
    }

    fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let now;
            (now, bytes) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            if self.chunk.len() == CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.parts.extend_from_slice(&Sha256::digest(&self.chunk));
        self.file.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<[u8; 32]> {
        if !self.chunk.is_empty() {
            self.flush()?;
        }
        Ok(Sha256::digest(&self.parts).into())
    }
}
