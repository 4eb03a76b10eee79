//! Blocks in a file, for audits away from any node.
//!
//! The file begins with the sixteen bytes `placet.blocks.v1`, the chain id (32 bytes) and the height
//! of the first block (8 bytes, little-endian); then for each block a length (4 bytes, little-endian)
//! and the certified block in its wire format; last a length of zero and the number of blocks (8
//! bytes, little-endian). Heights follow each other without gaps.

use std::io::{Read, Write};

use placet_ledger::LedgerError;
use placet_protocol::block::{CertifiedBlock, MAX_BLOCK_BYTES};
use placet_protocol::genesis::ChainId;
use placet_protocol::wire::{DecodeError, Wire};

/// What the file begins with.
const MAGIC: &[u8; 16] = b"placet.blocks.v1";
/// Longest block with what makes it final, in bytes.
const MAX_BLOCK: usize = MAX_BLOCK_BYTES + 8 * 1024 * 1024;

/// Why blocks could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Reading or writing failed.
    #[error("the file of blocks cannot be read or written: {0}; check the disk and the path")]
    Io(#[from] std::io::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Another file.
    #[error("this is no file of blocks; make one with `placet node export`")]
    Format,
    /// It ends before its end.
    #[error("the file of blocks is cut off; export or copy it again")]
    Truncated,
    /// A block that cannot be decoded.
    #[error("block {height} in the file cannot be decoded: {cause}; export the blocks again")]
    Block {
        /// Which.
        height: u64,
        /// Why.
        cause: DecodeError,
    },
    /// A block at another height than the one that follows.
    #[error("the file has block {found} where block {expected} belongs; export the blocks again")]
    Order {
        /// Which should be there.
        expected: u64,
        /// Which is.
        found: u64,
    },
    /// A block that the ledger should have.
    #[error("this node has no block {0}; choose a range that it has")]
    Missing(u64),
}

/// Writes blocks `from` to `to`, both included, as `block` gives them, and returns their number.
///
/// # Errors
/// [`ExportError`], or what `block` returns.
pub fn write<E: From<ExportError>>(
    chain: &ChainId,
    from: u64,
    to: u64,
    mut block: impl FnMut(u64) -> Result<CertifiedBlock, E>,
    mut out: impl Write,
) -> Result<u64, E> {
    let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(ExportError::Io);
    put(MAGIC)?;
    put(&chain.0)?;
    put(&from.to_le_bytes())?;
    let mut count = 0u64;
    for height in from..=to {
        let block = block(height)?.to_wire();
        let length = u32::try_from(block.len()).map_err(|_| ExportError::Format)?;
        put(&length.to_le_bytes())?;
        put(&block)?;
        count += 1;
    }
    put(&0u32.to_le_bytes())?;
    put(&count.to_le_bytes())?;
    out.flush().map_err(ExportError::Io)?;
    Ok(count)
}

/// Reads a file of blocks one by one. After an error it ends.
pub struct Blocks<R> {
    input: R,
    chain: ChainId,
    first: u64,
    next: u64,
    done: bool,
}

fn array<const N: usize>(input: &mut impl Read) -> Result<[u8; N], ExportError> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => ExportError::Truncated,
        _ => error.into(),
    })?;
    Ok(bytes)
}

impl<R: Read> Blocks<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn open(mut input: R) -> Result<Self, ExportError> {
        if &array::<16>(&mut input)? != MAGIC {
            return Err(ExportError::Format);
        }
        let chain = ChainId(array(&mut input)?);
        let first = u64::from_le_bytes(array(&mut input)?);
        Ok(Self { input, chain, first, next: first, done: false })
    }

    /// Whose blocks they are, as the file says.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// Height of the first.
    pub fn first(&self) -> u64 {
        self.first
    }

    fn read(&mut self) -> Result<Option<CertifiedBlock>, ExportError> {
        let length = u32::from_le_bytes(array(&mut self.input)?) as usize;
        if length == 0 {
            let count = u64::from_le_bytes(array(&mut self.input)?);
            let mut beyond = [0];
            let whole = count == self.next - self.first && self.input.read(&mut beyond)? == 0;
            return if whole { Ok(None) } else { Err(ExportError::Format) };
        }
        if length > MAX_BLOCK {
            return Err(ExportError::Format);
        }
        // Grows with what is there, whatever the length says.
        let mut bytes = Vec::new();
        (&mut self.input).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(ExportError::Truncated);
        }
        let height = self.next;
        let block = CertifiedBlock::from_wire(&bytes)
            .map_err(|cause| ExportError::Block { height, cause })?;
        let found = block.block.header.height;
        if found != height {
            return Err(ExportError::Order { expected: height, found });
        }
        self.next = height.checked_add(1).ok_or(ExportError::Format)?;
        Ok(Some(block))
    }
}

impl<R: Read> Iterator for Blocks<R> {
    type Item = Result<CertifiedBlock, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.read().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
