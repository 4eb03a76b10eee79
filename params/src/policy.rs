//! Which keys a network accepts. Spec §12: a key is accepted for its verified transcript, not for
//! looking plausible.
//!
//! What a network pins stands in its genesis, or in its state for circuits that came later. The
//! functions here are the only judges of whether a key is the pinned one, so that nodes, wallets
//! and auditors cannot differ.

use std::path::Path;

use placet_protocol::genesis::{NetworkKind, PinnedCircuit};
use placet_protocol::statement::Statement;
use sha2::{Digest, Sha256};

use crate::digest::{CircuitDigest, TranscriptHash, VerifyingKeyHash};
use crate::file::LoadError;
use crate::key::{Origin, ProvingKey, VerifyingKey};
use crate::transcript::{self, Transcript, TranscriptError};

/// What a key must satisfy to be loaded.
#[derive(Clone, Copy, Debug)]
pub enum KeyPolicy<'a> {
    /// Any key of any origin: the user's cache of development keys, and tools that only look.
    Dev,
    /// A `dev` network: the key that it pins, so that two parties cannot have different ones.
    PinnedDev(&'a PinnedCircuit),
    /// Any other network: the key that it pins, with the transcript of its ceremony, which is
    /// verified against the key.
    Ceremony(&'a PinnedCircuit, &'a Transcript),
}

/// Why a key is not the one that a network pins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinMismatch {
    /// A key for another statement.
    #[error("the network pins this key for another statement; use the network's key files")]
    Statement,
    /// A key for another circuit.
    #[error(
        "the key is for circuit {found}, the network pins {pinned}; use the network's key files"
    )]
    Circuit {
        /// What is pinned.
        pinned: CircuitDigest,
        /// What the key is for.
        found: CircuitDigest,
    },
    /// Another key.
    #[error("the key is {found}, the network pins {pinned}; use the network's key files")]
    Key {
        /// What is pinned.
        pinned: VerifyingKeyHash,
        /// What this one is.
        found: VerifyingKeyHash,
    },
    /// Made by one machine that may know the trapdoor.
    #[error(
        "this is a development key, whose maker can forge proofs, and the network is not marked `dev`; use the key of the network's ceremony"
    )]
    Development,
    /// A genesis that pins a key without its ceremony, on a network that is not `dev`.
    #[error(
        "the network pins no transcript for this key, and only a `dev` network may do so; get a complete genesis"
    )]
    Unvouched,
    /// No transcript beside the key.
    #[error(
        "the transcript of the key's ceremony is missing; put the network's `.transcript` file beside the key"
    )]
    TranscriptMissing,
    /// Another ceremony's transcript.
    #[error(
        "the transcript is {found}, the network pins {pinned}; use the network's key and transcript files"
    )]
    OtherTranscript {
        /// What is pinned.
        pinned: TranscriptHash,
        /// What the key or the file names.
        found: TranscriptHash,
    },
    /// The transcript does not vouch for the key.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
}

impl<'a> KeyPolicy<'a> {
    /// The policy of a network of this kind that pins `pin`.
    ///
    /// # Errors
    /// [`PinMismatch::TranscriptMissing`] without a transcript on a network that is not `dev`.
    pub fn of(
        kind: NetworkKind,
        pin: &'a PinnedCircuit,
        transcript: Option<&'a Transcript>,
    ) -> Result<Self, PinMismatch> {
        match (kind, transcript) {
            (NetworkKind::Dev, _) => Ok(Self::PinnedDev(pin)),
            (NetworkKind::Other, Some(transcript)) => Ok(Self::Ceremony(pin, transcript)),
            (NetworkKind::Other, None) => Err(PinMismatch::TranscriptMissing),
        }
    }

    /// What a key file's header alone tells: statement, circuit and origin.
    pub(crate) fn check_header<S: Statement>(
        &self,
        circuit: CircuitDigest,
        origin: Origin,
    ) -> Result<(), PinMismatch> {
        match self {
            Self::Dev => Ok(()),
            Self::PinnedDev(pin) => check_circuit::<S>(pin, circuit),
            Self::Ceremony(pin, _) => {
                check_origin(pin, origin)?;
                check_circuit::<S>(pin, circuit)
            }
        }
    }

    /// Everything, the transcript's proofs of knowledge last: they cost most.
    pub(crate) fn check<S: Statement>(&self, key: &VerifyingKey<S>) -> Result<(), PinMismatch> {
        match self {
            Self::Dev => Ok(()),
            Self::PinnedDev(pin) => accept(NetworkKind::Dev, pin, key, None),
            Self::Ceremony(pin, transcript) => {
                accept(NetworkKind::Other, pin, key, Some(transcript))
            }
        }
    }
}

fn check_circuit<S: Statement>(
    pin: &PinnedCircuit,
    found: CircuitDigest,
) -> Result<(), PinMismatch> {
    if pin.statement != S::NAME {
        return Err(PinMismatch::Statement);
    }
    let pinned = CircuitDigest(pin.circuit_digest.0);
    if found == pinned { Ok(()) } else { Err(PinMismatch::Circuit { pinned, found }) }
}

fn check_origin(pin: &PinnedCircuit, origin: Origin) -> Result<TranscriptHash, PinMismatch> {
    let Origin::Ceremony { transcript: found } = origin else {
        return Err(PinMismatch::Development);
    };
    let pinned = TranscriptHash(pin.transcript.ok_or(PinMismatch::Unvouched)?.0);
    if found == pinned { Ok(pinned) } else { Err(PinMismatch::OtherTranscript { pinned, found }) }
}

/// Whether a network of this kind that pins `pin` accepts a key. Outside of `dev` networks the
/// transcript must be the pinned one, and is verified against the key.
///
/// # Errors
/// [`PinMismatch`].
pub fn accept<S: Statement>(
    kind: NetworkKind,
    pin: &PinnedCircuit,
    key: &VerifyingKey<S>,
    transcript: Option<&Transcript>,
) -> Result<(), PinMismatch> {
    check_circuit::<S>(pin, key.circuit())?;
    let (pinned, found) = (VerifyingKeyHash(pin.verifying_key.0), key.hash());
    match kind {
        NetworkKind::Dev if found == pinned => Ok(()),
        NetworkKind::Dev => Err(PinMismatch::Key { pinned, found }),
        NetworkKind::Other => {
            let named = check_origin(pin, key.origin())?;
            if found != pinned {
                return Err(PinMismatch::Key { pinned, found });
            }
            let transcript = transcript.ok_or(PinMismatch::TranscriptMissing)?;
            let found = transcript.hash();
            if found != named {
                return Err(PinMismatch::OtherTranscript { pinned: named, found });
            }
            Ok(transcript.verify(key)?)
        }
    }
}

/// A key with the transcript that vouches for it; none on a `dev` network.
pub type Vouched<K> = (K, Option<Transcript>);

/// The transcript beside a key file, under the same name with the extension `transcript`. Its
/// hash is compared before its content is looked at.
fn beside(
    path: &Path,
    kind: NetworkKind,
    pin: &PinnedCircuit,
) -> Result<Option<Transcript>, LoadError> {
    if kind == NetworkKind::Dev {
        return Ok(None);
    }
    let pinned = TranscriptHash(pin.transcript.ok_or(PinMismatch::Unvouched)?.0);
    let path = path.with_extension(transcript::EXTENSION);
    let transcript = match Transcript::load(&path) {
        Ok(transcript) => transcript,
        Err(transcript::TranscriptFileError::Io(error))
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            return Err(PinMismatch::TranscriptMissing.into());
        }
        Err(error) => return Err(error.into()),
    };
    let found = transcript.hash();
    if found != pinned {
        return Err(PinMismatch::OtherTranscript { pinned, found }.into());
    }
    Ok(Some(transcript))
}

/// The transcript first, because the key is judged by it.
fn load_pinned<K>(
    path: &Path,
    kind: NetworkKind,
    pin: &PinnedCircuit,
    load: impl FnOnce(&Path, &CircuitDigest, KeyPolicy<'_>) -> Result<K, LoadError>,
) -> Result<Vouched<K>, LoadError> {
    let transcript = beside(path, kind, pin)?;
    let policy = KeyPolicy::of(kind, pin, transcript.as_ref())?;
    let key = load(path, &CircuitDigest(pin.circuit_digest.0), policy)?;
    Ok((key, transcript))
}

impl<S: Statement> VerifyingKey<S> {
    /// Reads the key that a network pins, with the transcript beside it where the network is not
    /// `dev`, and checks both.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_pinned(
        path: &Path,
        kind: NetworkKind,
        pin: &PinnedCircuit,
    ) -> Result<Vouched<Self>, LoadError> {
        load_pinned(path, kind, pin, Self::load)
    }

    /// The points that a transaction carries, spec §12.2: alpha, beta, gamma, delta, then those of
    /// the public inputs, uncompressed.
    pub fn to_point_bytes(&self) -> Vec<u8> {
        self.encode_points()
    }
}

impl<S: Statement> ProvingKey<S> {
    /// Reads the key that a network pins, with the transcript beside it where the network is not
    /// `dev`, and checks both.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_pinned(
        path: &Path,
        kind: NetworkKind,
        pin: &PinnedCircuit,
    ) -> Result<Vouched<Self>, LoadError> {
        load_pinned(path, kind, pin, Self::load)
    }
}

/// SHA-256 of a transcript's bytes, without reading what they say.
pub fn transcript_hash(bytes: &[u8]) -> TranscriptHash {
    TranscriptHash(Sha256::digest(bytes).into())
}
