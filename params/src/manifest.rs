//! The list of keys that a network pins: per circuit its digest, the hash of the verifying key
//! and where the key comes from. JSON, read strictly. Spec §12.

use placet_protocol::statement::Statement;
use serde::{Deserialize, Serialize};

use crate::digest::{Beacon, CircuitDigest, PtauHash, TranscriptHash, VerifyingKeyHash};
use crate::key::{Origin, VerifyingKey};
use crate::policy::NetworkKind;

/// The version this software writes and reads.
pub const VERSION: u32 = 1;
/// Longest manifest that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Where a pinned key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OriginRecord {
    /// Made on one machine; only for networks marked `dev`.
    Dev,
    /// Made by a ceremony.
    Ceremony {
        /// SHA-256 of the transcript that anyone can verify.
        transcript_hash: TranscriptHash,
        /// SHA-256 of the `.ptau` file that phase 2 started from.
        ptau_hash: PtauHash,
        /// The public random value that closed it.
        beacon: Beacon,
    },
}

impl OriginRecord {
    /// `true` if a key file of this origin is what the record describes.
    pub fn describes(&self, origin: &Origin) -> bool {
        match (self, origin) {
            (Self::Dev, Origin::Dev) => true,
            (Self::Ceremony { transcript_hash, .. }, Origin::Ceremony { transcript }) => {
                transcript_hash == transcript
            }
            _ => false,
        }
    }
}

/// One circuit's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// Name of the statement.
    pub statement: String,
    /// Digest of the constraint matrices.
    pub circuit_digest: CircuitDigest,
    /// Hash of the verifying key.
    pub vk_hash: VerifyingKeyHash,
    /// Where the key comes from.
    pub origin: OriginRecord,
}

impl ManifestEntry {
    /// Pins a development key.
    pub fn dev<S: Statement>(key: &VerifyingKey<S>) -> Self {
        Self {
            statement: S::NAME.to_owned(),
            circuit_digest: key.circuit(),
            vk_hash: key.hash(),
            origin: OriginRecord::Dev,
        }
    }
}

/// The keys of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub version: u32,
    /// One entry per statement.
    pub circuits: Vec<ManifestEntry>,
}

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than any honest manifest.
    #[error("the manifest is longer than {MAX_BYTES} bytes; check that this is the right file")]
    TooLong,
    /// Not JSON of this shape.
    #[error("the manifest is not readable: {0}; correct the file at that place")]
    Json(#[from] serde_json::Error),
    /// A version that this software does not know.
    #[error(
        "the manifest has version {found}, this software reads version {VERSION}; update Placet"
    )]
    Version {
        /// What the file says.
        found: u32,
    },
    /// Two entries for one statement.
    #[error(
        "the manifest lists the statement of entry {index} twice; keep one entry per statement"
    )]
    Duplicate {
        /// The second entry.
        index: usize,
    },
    /// A development key on a network that is not `dev`.
    #[error(
        "the manifest's entry {index} is a development key and this network is not `dev`; use the ceremony's key"
    )]
    DevelopmentKey {
        /// The entry.
        index: usize,
    },
    /// No entry for a statement that is needed.
    #[error(
        "the manifest has no key for the statement `{statement}`; get the network's current manifest"
    )]
    Missing {
        /// The statement.
        statement: &'static str,
    },
}

impl Manifest {
    /// A manifest of this version.
    pub fn new(circuits: Vec<ManifestEntry>) -> Self {
        Self { version: VERSION, circuits }
    }

    /// Reads a manifest for a network of this kind.
    pub fn from_json(text: &str, network: NetworkKind) -> Result<Self, ManifestError> {
        if text.len() > MAX_BYTES {
            return Err(ManifestError::TooLong);
        }
        // The version first: another version may have other fields, and deserves its own message.
        let version: serde_json::Value = serde_json::from_str(text)?;
        if let Some(found) = version.get("version").and_then(serde_json::Value::as_u64)
            && found != u64::from(VERSION)
        {
            return Err(ManifestError::Version { found: u32::try_from(found).unwrap_or(u32::MAX) });
        }
        let manifest: Self = serde_json::from_str(text)?;
        for (index, entry) in manifest.circuits.iter().enumerate() {
            if manifest.circuits[..index].iter().any(|other| other.statement == entry.statement) {
                return Err(ManifestError::Duplicate { index });
            }
            if network == NetworkKind::Other && entry.origin == OriginRecord::Dev {
                return Err(ManifestError::DevelopmentKey { index });
            }
        }
        Ok(manifest)
    }

    /// Indented JSON with a final newline.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and numbers only");
        text.push('\n');
        text
    }

    /// The entry of a statement.
    pub fn entry<S: Statement>(&self) -> Result<&ManifestEntry, ManifestError> {
        self.circuits
            .iter()
            .find(|entry| entry.statement == S::NAME)
            .ok_or(ManifestError::Missing { statement: S::NAME })
    }
}
