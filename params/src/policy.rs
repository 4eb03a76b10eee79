//! Which keys a network accepts. Spec §12: a key is accepted for its verified transcript, not for
//! looking plausible.

use crate::manifest::ManifestEntry;

/// Whether a network is for development.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// Marked `dev`: keys whose trapdoor somebody knew are fine, block time is an argument.
    Dev,
    /// Every other network.
    Other,
}

/// What a key must satisfy to be loaded.
#[derive(Clone, Copy, Debug)]
pub enum KeyPolicy<'a> {
    /// A `dev` network: any origin.
    Dev,
    /// Any other network: made by a ceremony, and exactly the key that the manifest pins.
    Pinned(&'a ManifestEntry),
    /// A `dev` network that pins its key, so that two parties cannot have different ones.
    PinnedDev(&'a ManifestEntry),
}

impl<'a> KeyPolicy<'a> {
    /// The policy of a network of this kind that pins `entry`.
    pub fn pinned(network: NetworkKind, entry: &'a ManifestEntry) -> Self {
        match network {
            NetworkKind::Dev => Self::PinnedDev(entry),
            NetworkKind::Other => Self::Pinned(entry),
        }
    }

    /// The pinned key, if there is one.
    pub fn entry(&self) -> Option<&'a ManifestEntry> {
        match self {
            Self::Dev => None,
            Self::Pinned(entry) | Self::PinnedDev(entry) => Some(entry),
        }
    }

    /// The kind of network that has this policy.
    pub fn network(&self) -> NetworkKind {
        match self {
            Self::Dev | Self::PinnedDev(_) => NetworkKind::Dev,
            Self::Pinned(_) => NetworkKind::Other,
        }
    }
}
