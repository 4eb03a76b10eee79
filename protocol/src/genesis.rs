//! A network's genesis: its name and kind, the authorities with their mandates, the parameters,
//! and the verifying keys it pins. Its hash is the chain id. Spec §9, §12.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::circuit::CircuitId;
use crate::signing::VerifyKey;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most authorities of a network.
pub const MAX_AUTHORITIES: usize = 64;
/// Longest name of a network, authority, attestor or asset, in bytes.
pub const MAX_NAME: usize = 64;
/// Least and most seconds for which a superseded root or policy stays valid.
pub const ROOT_WINDOW_BOUNDS: std::ops::RangeInclusive<u64> = 60..=3600;
/// Most pinned circuits.
const MAX_PINNED: usize = 16;
/// Fewest and most blocks of an epoch.
pub const EPOCH_LENGTH_BOUNDS: std::ops::RangeInclusive<u64> = 4..=1_000_000;
/// Highest quota and longest note window that a genesis may set.
const MAX_NOTE_WINDOW: u64 = 30 * 86_400;

/// Names one network: SHA-256 of its canonical genesis, name included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub [u8; 32]);

impl std::fmt::Display for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChainId({self})")
    }
}

impl Wire for ChainId {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.array()?))
    }
}

/// Whether development switches exist on a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// Development keys load and block time is an argument.
    Dev,
    /// Neither.
    Other,
}

/// What an authority may be mandated to judge. Spec §9.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Checkpoint {
    /// Credentials: the registry root is fresh, the identity clauses are proven.
    Identity,
    /// The sanctions root is fresh.
    Sanctions,
    /// The policy with its jurisdiction rules is in force.
    Jurisdiction,
    /// The policy with its investor categories is in force.
    Accreditation,
    /// The policy with its capital rule is in force.
    Capital,
    /// The policy with its risk limit is in force.
    Risk,
    /// Nullifiers are new and not frozen, note roots and counters hold.
    Ownership,
}

impl Checkpoint {
    /// All of them, in order of their number.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::Sanctions,
        Self::Jurisdiction,
        Self::Accreditation,
        Self::Capital,
        Self::Risk,
        Self::Ownership,
    ];
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Sanctions => "sanctions",
            Self::Jurisdiction => "jurisdiction",
            Self::Accreditation => "accreditation",
            Self::Capital => "capital",
            Self::Risk => "risk",
            Self::Ownership => "ownership",
        }
    }
}

impl std::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Checkpoint {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::ALL.into_iter().find(|c| c.name() == text).ok_or(DecodeError::UnknownTag)
    }
}

impl Wire for Checkpoint {
    fn write(&self, out: &mut Writer) {
        out.u8(*self as u8);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::ALL.get(usize::from(input.u8()?)).copied().ok_or(DecodeError::UnknownTag)
    }
}

/// A named legal entity that runs a validator.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Its name, at most [`MAX_NAME`] bytes.
    pub name: String,
    /// Legal entity identifier, 20 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lei: Option<String>,
    /// Signs blocks, assertions and admissions.
    pub key: VerifyKey,
    /// What it may judge.
    pub mandates: BTreeSet<Checkpoint>,
}

/// The LEI's alphabet and length; its checksum is left to whoever appoints authorities.
fn lei_is_plausible(lei: &str) -> bool {
    lei.len() == 20 && lei.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// A name: not empty, bounded, no control characters.
pub fn name_is_valid(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

impl Wire for Authority {
    fn write(&self, out: &mut Writer) {
        out.text(&self.name);
        out.bool(self.lei.is_some());
        if let Some(lei) = &self.lei {
            out.text(lei);
        }
        self.key.write(out);
        out.list(&self.mandates.iter().copied().collect::<Vec<_>>());
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = input.text(MAX_NAME)?;
        let lei = if input.bool()? { Some(input.text(20)?) } else { None };
        if !name_is_valid(&name) || lei.as_ref().is_some_and(|lei| !lei_is_plausible(lei)) {
            return Err(DecodeError::OutOfRange);
        }
        let key = VerifyKey::read(input)?;
        let mandates = input.list::<Checkpoint>(Checkpoint::ALL.len())?;
        if !mandates.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { name, lei, key, mandates: mandates.into_iter().collect() })
    }
}

/// Network parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkParams {
    /// Seconds for which a superseded registry or sanctions root or policy stays valid, and for
    /// which a transfer's `now` may lie behind block time; 60 to 3600.
    pub root_window: u64,
    /// Seconds for which a superseded note root stays valid.
    pub note_window: u64,
    /// Longest pause between blocks in seconds; at most a quarter of the root window.
    pub heartbeat: u64,
    /// Urgent revocations that one attestor may make per epoch.
    pub urgent_quota: u32,
    /// Seconds of an epoch of the urgent quota.
    pub urgent_epoch: u64,
    /// Blocks of an epoch of consensus, at whose end a change of the authorities' keys takes
    /// effect; 4 to 1,000,000.
    pub epoch_length: u64,
}

impl Default for NetworkParams {
    fn default() -> Self {
        Self {
            root_window: 120,
            note_window: 86_400,
            heartbeat: 30,
            urgent_quota: 4,
            urgent_epoch: 86_400,
            epoch_length: 360,
        }
    }
}

impl NetworkParams {
    fn is_valid(&self) -> bool {
        ROOT_WINDOW_BOUNDS.contains(&self.root_window)
            && (self.root_window..=MAX_NOTE_WINDOW).contains(&self.note_window)
            && (1..=self.root_window / 4).contains(&self.heartbeat)
            && (1..=MAX_NOTE_WINDOW).contains(&self.urgent_epoch)
            && EPOCH_LENGTH_BOUNDS.contains(&self.epoch_length)
    }
}

impl Wire for NetworkParams {
    fn write(&self, out: &mut Writer) {
        out.u64(self.root_window);
        out.u64(self.note_window);
        out.u64(self.heartbeat);
        out.u32(self.urgent_quota);
        out.u64(self.urgent_epoch);
        out.u64(self.epoch_length);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let params = Self {
            root_window: input.u64()?,
            note_window: input.u64()?,
            heartbeat: input.u64()?,
            urgent_quota: input.u32()?,
            urgent_epoch: input.u64()?,
            epoch_length: input.u64()?,
        };
        if params.is_valid() { Ok(params) } else { Err(DecodeError::OutOfRange) }
    }
}

/// SHA-256 as 64 hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl std::fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

impl serde::Serialize for Sha256Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Sha256Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        hex::decode(text.as_ref())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a SHA-256 is written as 64 hex digits"))
    }
}

/// The circuit and verifying key that a network accepts for one statement. Spec §12.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedCircuit {
    /// Name of the statement, as in `transfer`.
    pub statement: String,
    /// Digest of the constraint matrices.
    pub circuit_digest: Sha256Digest,
    /// Hash of the verifying key, which is also the circuit's id.
    pub verifying_key: Sha256Digest,
    /// SHA-256 of the transcript of the ceremony that made the key: there on every network but
    /// those for development, and not on those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Sha256Digest>,
}

impl PinnedCircuit {
    /// The circuit's id.
    pub fn id(&self) -> CircuitId {
        CircuitId(self.verifying_key.0)
    }
}

impl Wire for PinnedCircuit {
    fn write(&self, out: &mut Writer) {
        out.text(&self.statement);
        out.bytes(&self.circuit_digest.0);
        out.bytes(&self.verifying_key.0);
        out.option(&self.transcript.map(|hash| hash.0));
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let statement = input.text(MAX_NAME)?;
        if !name_is_valid(&statement) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self {
            statement,
            circuit_digest: Sha256Digest(input.array()?),
            verifying_key: Sha256Digest(input.array()?),
            transcript: input.option::<[u8; 32]>()?.map(Sha256Digest),
        })
    }
}

/// Everything that block 0 is made of.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The network's name.
    pub name: String,
    /// Whether development switches exist.
    pub kind: NetworkKind,
    /// Time of block 0 in seconds since the Unix epoch.
    pub time: u64,
    /// The validators, in the order of their numbers.
    pub authorities: Vec<Authority>,
    /// Signs sanctions lists.
    pub sanctions_publisher: VerifyKey,
    /// Windows and quotas.
    pub params: NetworkParams,
    /// Verifying keys by statement.
    pub circuits: Vec<PinnedCircuit>,
}

/// Why a genesis is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Name empty, too long, or with control characters.
    #[error("names are 1 to 64 bytes of text without control characters")]
    Name,
    /// None, too many, twice the same key or name, or a malformed LEI.
    #[error(
        "a network needs 1 to 64 authorities with distinct names and keys, and LEIs of 20 characters"
    )]
    Authorities,
    /// A parameter is out of bounds.
    #[error(
        "parameters out of bounds: root_window 60 to 3600 s, note_window at least root_window, \
         heartbeat 1 s to a quarter of root_window, urgent_epoch at least 1 s, epoch_length 4 to \
         1,000,000 blocks"
    )]
    Params,
    /// Time beyond what transfers can express.
    #[error("the genesis time is beyond 2^40 - 2^22 seconds")]
    Time,
    /// Too many pins, or two of one statement or key.
    #[error("each statement is pinned once, by name, and each key for one statement")]
    Circuits,
    /// A network that is not for development pins a key without its ceremony's transcript.
    #[error(
        "a network that is not for development pins the hash of the ceremony's transcript with \
         every verifying key; make its genesis with `placet network genesis`"
    )]
    TranscriptMissing,
    /// A development network that claims a ceremony.
    #[error("a development network's keys come from no ceremony; leave `transcript` out")]
    TranscriptOnDev,
}

/// First second that is too late for a transfer's `now`: sums with a deadline stay below `2^40`.
pub const END_OF_TIME: u64 = (1 << 40) - (1 << 22);

impl Genesis {
    /// Checks what types do not express. Every reader of a genesis calls this; the binary decoder
    /// does so by itself.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), GenesisError> {
        if !name_is_valid(&self.name) {
            return Err(GenesisError::Name);
        }
        let keys: BTreeSet<_> = self.authorities.iter().map(|a| a.key).collect();
        let names: BTreeSet<_> = self.authorities.iter().map(|a| &a.name).collect();
        let count = self.authorities.len();
        let sound = self
            .authorities
            .iter()
            .all(|a| name_is_valid(&a.name) && a.lei.as_deref().is_none_or(lei_is_plausible));
        if !(1..=MAX_AUTHORITIES).contains(&count)
            || keys.len() != count
            || names.len() != count
            || !sound
        {
            return Err(GenesisError::Authorities);
        }
        if !self.params.is_valid() {
            return Err(GenesisError::Params);
        }
        if self.time >= END_OF_TIME {
            return Err(GenesisError::Time);
        }
        let statements: BTreeSet<_> = self.circuits.iter().map(|c| &c.statement).collect();
        // A key serves one statement: transfers name their circuit by the key's hash.
        let ids: BTreeSet<_> = self.circuits.iter().map(|pin| pin.verifying_key.0).collect();
        if statements.len() != self.circuits.len()
            || ids.len() != self.circuits.len()
            || self.circuits.len() > MAX_PINNED
            || !self.circuits.iter().all(|c| name_is_valid(&c.statement))
        {
            return Err(GenesisError::Circuits);
        }
        match self.kind {
            NetworkKind::Dev if self.circuits.iter().any(|pin| pin.transcript.is_some()) => {
                return Err(GenesisError::TranscriptOnDev);
            }
            NetworkKind::Other if self.circuits.iter().any(|pin| pin.transcript.is_none()) => {
                return Err(GenesisError::TranscriptMissing);
            }
            NetworkKind::Dev | NetworkKind::Other => {}
        }
        Ok(())
    }

    /// The chain id.
    pub fn chain_id(&self) -> ChainId {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.genesis.v1");
        hasher.update(self.to_wire());
        ChainId(hasher.finalize().into())
    }

    /// The pin of a statement.
    pub fn circuit(&self, statement: &str) -> Option<&PinnedCircuit> {
        self.circuits.iter().find(|pin| pin.statement == statement)
    }

    /// The authority with this key.
    pub fn authority(&self, key: &VerifyKey) -> Option<&Authority> {
        self.authorities.iter().find(|authority| authority.key == *key)
    }

    /// Authorities with the mandate for a checkpoint.
    pub fn mandated(&self, checkpoint: Checkpoint) -> usize {
        self.authorities.iter().filter(|a| a.mandates.contains(&checkpoint)).count()
    }

    /// Signatures that make a block final: more than two thirds.
    pub fn quorum(&self) -> usize {
        crate::finality::quorum(self.authorities.len())
    }

    /// Signatures that admit an attestor: more than half.
    pub fn majority(&self) -> usize {
        self.authorities.len() / 2 + 1
    }
}

impl Wire for Genesis {
    fn write(&self, out: &mut Writer) {
        out.text(&self.name);
        out.u8(match self.kind {
            NetworkKind::Dev => 0,
            NetworkKind::Other => 1,
        });
        out.u64(self.time);
        out.list(&self.authorities);
        self.sanctions_publisher.write(out);
        self.params.write(out);
        out.list(&self.circuits);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let genesis = Self {
            name: input.text(MAX_NAME)?,
            kind: match input.u8()? {
                0 => NetworkKind::Dev,
                1 => NetworkKind::Other,
                _ => return Err(DecodeError::UnknownTag),
            },
            time: input.u64()?,
            authorities: input.list(MAX_AUTHORITIES)?,
            sanctions_publisher: VerifyKey::read(input)?,
            params: NetworkParams::read(input)?,
            circuits: input.list(MAX_PINNED)?,
        };
        genesis.validate().map_err(|_| DecodeError::OutOfRange)?;
        Ok(genesis)
    }
}
