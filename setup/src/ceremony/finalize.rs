//! From a closed and verified ceremony to the files that networks load: `.pk`, `.vk` and
//! `.transcript`, named by the circuit's digest. Spec §12.3, §12.6.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ark_relations::gr1cs::SynthesisError;
use placet_circuits::circuit::{Circuit, blank_shape};
use placet_params::file::Kind;
use placet_params::transcript::{self, Transcript, TranscriptError};
use placet_params::transcript::{PtauHash, TranscriptFileError};
use placet_params::{
    CircuitDigest, KeyDefect, Origin, ProvingKey, TranscriptHash, VerifyingKey, VerifyingKeyHash,
    file,
};
use placet_protocol::transfer::Transfer;
use placet_snarkjs::convert::key_from_zkey;
use placet_snarkjs::ptau::Ptau;
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::Zkey;

use super::verify::{Closing, VerifyError, verify};
use super::{Stage, Watch, constraints_of, tell};

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum FinalizeError {
    /// The ceremony does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The circuit could not be synthesized.
    #[error("the circuit cannot be built: {0}; this is a fault of this software, report it")]
    Synthesis(#[from] SynthesisError),
    /// The points do not make a key.
    #[error(transparent)]
    Key(#[from] KeyDefect),
    /// What was made does not pass the check that networks make.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// What was made cannot be read again: a contributor's name that no transcript can hold.
    #[error("the transcript cannot be read again: {0}")]
    Unreadable(#[from] TranscriptFileError),
    /// The files cannot be written.
    #[error("{path} cannot be written: {source}; check permissions and free space", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A finished ceremony of `C`, checked as networks will check it.
pub struct Finished<C> {
    /// The key, whose origin names the transcript.
    pub key: ProvingKey<C>,
    /// Who made it.
    pub transcript: Transcript,
}

/// Verifies a closed ceremony in full and makes keys and transcript of it. `ptau_hash` is the hash
/// of the file that `ptau` reads.
pub fn finalize<C: Circuit, R: Read + Seek>(
    key: &Zkey,
    ptau: &mut Ptau<R>,
    ptau_hash: PtauHash,
    watch: Watch<'_>,
) -> Result<Finished<C>, FinalizeError> {
    verify(key, &constraints_of::<C>()?, ptau, Closing::Required, watch)?;
    let circuit = CircuitDigest(blank_shape::<C>()?.digest);
    let points = key_from_zkey(key);
    // A key's hash leaves its origin out, so that key and transcript can name each other.
    let hash = VerifyingKey::<C>::from_parts(points.vk.clone(), circuit, Origin::Dev)?.hash();
    let transcript = Transcript {
        statement: C::ID,
        name: C::NAME.to_owned(),
        circuit,
        key: hash,
        ptau: ptau_hash,
        ptau_power: ptau.power(),
        record: key.ceremony.clone(),
    };
    Transcript::from_bytes(&transcript.to_bytes())?;
    let origin = Origin::Ceremony { transcript: transcript.hash() };
    let key = ProvingKey::<C>::from_parts(points, circuit, origin)?;
    transcript.verify(key.verifying_key())?;
    Ok(Finished { key, transcript })
}

impl<C: Circuit> Finished<C> {
    /// Writes the three files into a directory, each in one step. The proving key is last: where
    /// it is, the others are.
    pub fn save(&self, directory: &Path, watch: Watch<'_>) -> Result<Written, FinalizeError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| FinalizeError::Io { path: directory.to_owned(), source })?;
        let verifying = self.key.verifying_key();
        let circuit = verifying.circuit();
        let names = [
            transcript::file_name(&circuit),
            file::file_name(&circuit, Kind::Verifying),
            file::file_name(&circuit, Kind::Proving),
        ];
        let files = names.map(|name| directory.join(name));
        for (at, path) in files.iter().enumerate() {
            tell(watch, Stage::Write, at, files.len());
            match at {
                0 => replace(path, &self.transcript.to_bytes()),
                1 => verifying.save(path),
                _ => self.key.save(path),
            }
            .map_err(|source| FinalizeError::Io { path: path.clone(), source })?;
        }
        tell(watch, Stage::Write, files.len(), files.len());
        Ok(Written {
            statement: C::NAME,
            circuit,
            key: verifying.hash(),
            transcript: self.transcript.hash(),
            files: files.into(),
        })
    }
}

/// What was written for one statement: what a genesis pins, and the files.
#[derive(Clone, Debug)]
pub struct Written {
    /// The statement.
    pub statement: &'static str,
    /// Digest of its circuit.
    pub circuit: CircuitDigest,
    /// Hash of the verifying key.
    pub key: VerifyingKeyHash,
    /// Hash of the transcript.
    pub transcript: TranscriptHash,
    /// Transcript, verifying key, proving key.
    pub files: Vec<PathBuf>,
}

/// A `.ptau` file on disk.
pub type PtauFile = Ptau<BufReader<File>>;

/// A statement that this software proves, with its circuit.
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its constraints.
    pub constraints: fn() -> Result<R1cs, SynthesisError>,
    /// Verifies its ceremony and writes its keys.
    pub finalize: Finalize,
}

/// The key, the powers of tau with their hash, and where to write.
pub type Finalize =
    fn(&Zkey, &mut PtauFile, PtauHash, &Path, Watch<'_>) -> Result<Written, FinalizeError>;

impl BuiltIn {
    /// The entry of one statement.
    pub const fn of<C: Circuit>() -> Self {
        Self { name: C::NAME, constraints: constraints_of::<C>, finalize: finalize_to::<C> }
    }
}

fn finalize_to<C: Circuit>(
    key: &Zkey,
    ptau: &mut PtauFile,
    hash: PtauHash,
    directory: &Path,
    watch: Watch<'_>,
) -> Result<Written, FinalizeError> {
    finalize::<C, _>(key, ptau, hash, watch)?.save(directory, watch)
}

/// Every statement that has a circuit: each has a ceremony of its own.
pub const STATEMENTS: &[BuiltIn] = &[BuiltIn::of::<Transfer>()];

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
