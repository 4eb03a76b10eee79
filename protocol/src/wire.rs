//! The one encoding of everything that crosses a trust border: fixed little-endian integers,
//! `u32` length prefixes with explicit bounds, canonical field elements, no trailing bytes. Whatever decodes,
//! re-encodes to the same bytes. Spec §13.

use ark_bn254::Fr;

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the format needs.
    #[error("the encoding ends too early")]
    Truncated,
    /// Bytes left over behind a complete value.
    #[error("the encoding has bytes behind its end")]
    Trailing,
    /// A field element at or above the modulus.
    #[error("a field element is not canonical")]
    NotCanonical,
    /// A length above the bound of its field.
    #[error("a length exceeds its bound")]
    TooLong,
    /// An enumeration or version byte that has no meaning.
    #[error("an unknown tag or version byte")]
    UnknownTag,
    /// A value outside of the range its meaning allows.
    #[error("a value is out of range")]
    OutOfRange,
    /// A point off its curve, outside of its subgroup, or the identity.
    #[error("a public key or point is not valid")]
    InvalidPoint,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotText,
}

/// A value with one strict binary encoding.
pub trait Wire: Sized {
    /// Appends the encoding.
    fn write(&self, out: &mut Writer);
    /// Reads one value and leaves what follows.
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The complete encoding.
    fn to_wire(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.0
    }

    /// Decodes a complete encoding; refuses trailing bytes.
    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader(bytes);
        let value = Self::read(&mut input)?;
        input.end()?;
        Ok(value)
    }
}

/// Collects an encoding.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Raw bytes of a length that the reader knows.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    /// Little-endian, two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }
    /// Little-endian, four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }
    /// Little-endian, eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }
    /// `0` or `1`.
    pub fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }
    /// A canonical field element, 32 bytes.
    pub fn field(&mut self, value: &Fr) {
        self.bytes(&crate::field::to_bytes(value));
    }
    /// A `u32` length and the bytes.
    pub fn blob(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).expect("blobs are bounded far below 4 GiB"));
        self.bytes(bytes);
    }
    /// UTF-8 with a `u32` length.
    pub fn text(&mut self, text: &str) {
        self.blob(text.as_bytes());
    }
    /// A `u32` count and the items.
    pub fn list<T: Wire>(&mut self, items: &[T]) {
        self.u32(u32::try_from(items.len()).expect("lists are bounded far below 2^32"));
        for item in items {
            item.write(self);
        }
    }
    /// One byte that says whether a value follows.
    pub fn option<T: Wire>(&mut self, value: &Option<T>) {
        self.bool(value.is_some());
        if let Some(value) = value {
            value.write(self);
        }
    }
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads an encoding strictly. Holds what is not yet read.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// Number of bytes that are not yet read.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }
    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }
    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        Ok(self.take(N)?.try_into().expect("take returns N bytes"))
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }
    /// Little-endian, two bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    /// Little-endian, four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    /// Little-endian, eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    /// `0` or `1`, nothing else.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::UnknownTag),
        }
    }
    /// A canonical field element.
    pub fn field(&mut self) -> Result<Fr, DecodeError> {
        crate::field::from_bytes(&self.array()?).map_err(|_| DecodeError::NotCanonical)
    }
    /// A length-prefixed blob of at most `max` bytes. Allocates only what is there.
    pub fn blob(&mut self, max: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()? as usize;
        if len > max {
            return Err(DecodeError::TooLong);
        }
        self.take(len)
    }
    /// UTF-8 of at most `max` bytes.
    pub fn text(&mut self, max: usize) -> Result<String, DecodeError> {
        std::str::from_utf8(self.blob(max)?).map(str::to_owned).map_err(|_| DecodeError::NotText)
    }
    /// A list of at most `max` items. Grows item by item, so a large count cannot force an
    /// allocation that the bytes do not back.
    pub fn list<T: Wire>(&mut self, max: usize) -> Result<Vec<T>, DecodeError> {
        let len = self.u32()? as usize;
        if len > max {
            return Err(DecodeError::TooLong);
        }
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(T::read(self)?);
        }
        Ok(items)
    }
    /// A value or nothing.
    pub fn option<T: Wire>(&mut self) -> Result<Option<T>, DecodeError> {
        Ok(if self.bool()? { Some(T::read(self)?) } else { None })
    }
    /// Refuses bytes that are left.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array()
    }
}

impl Wire for u64 {
    fn write(&self, out: &mut Writer) {
        out.u64(*self);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u64()
    }
}
