//! A file in memory, read-only.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// A mapped file.
#[derive(Debug)]
pub struct Mapping(Mmap);

impl Mapping {
    /// Maps the whole file.
    ///
    /// # Errors
    /// If the system cannot.
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: a mapping is sound as long as nobody changes the file. Tables lie in a directory
        // of the user's own; this software replaces such a file by renaming another one over it and
        // never writes to it or cuts it short. Whoever writes to it against that is the user, who
        // could change the program as well; since all bytes are valid points, what comes of it is a
        // wrong proof, which no prover hands out without verifying it, or the end of the process.
        unsafe { Mmap::map(file) }.map(Self)
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
