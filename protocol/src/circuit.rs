//! How a network names the circuits whose proofs it takes. Spec §12.8.

use sha2::{Digest, Sha256};

use crate::genesis::{MAX_NAME, PinnedCircuit, Sha256Digest};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Names one circuit with one key: the hash of its verifying key (spec §12.2), which covers the
/// statement, the constraint matrices and the key's points. Every proof says by it under which key
/// it is to be judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircuitId(pub [u8; 32]);

impl std::fmt::Display for CircuitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for CircuitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CircuitId({self})")
    }
}

impl CircuitId {
    /// The hash of a verifying key: its statement's number, its circuit's digest and its points,
    /// uncompressed, in the order of spec §12.2.
    pub fn derive(statement: u32, circuit_digest: &[u8; 32], points: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"placet.verifying-key.v1");
        hash.update(statement.to_le_bytes());
        hash.update(circuit_digest);
        hash.update(points);
        Self(hash.finalize().into())
    }
}

/// Text that names no circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a circuit's id is written as 64 hexadecimal digits; list the ids with `placet circuits list`"
)]
pub struct BadCircuitId;

impl std::str::FromStr for CircuitId {
    type Err = BadCircuitId;
    fn from_str(text: &str) -> Result<Self, BadCircuitId> {
        hex::decode(text).ok().and_then(|b| b.try_into().ok()).map(Self).ok_or(BadCircuitId)
    }
}

impl serde::Serialize for CircuitId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for CircuitId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Wire for CircuitId {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.array()?))
    }
}

/// Most circuits that a network ever knows, those that are switched off included.
pub const MAX_CIRCUITS: usize = 64;

/// A circuit that a network knows, and the heights between which it takes its proofs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CircuitEntry {
    /// Its id: the hash of the verifying key.
    pub id: CircuitId,
    /// Name of the statement that it proves.
    pub statement: String,
    /// Digest of the constraint matrices.
    pub circuit_digest: Sha256Digest,
    /// SHA-256 of the transcript of the ceremony that made the key; none for a development key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Sha256Digest>,
    /// First height whose block may hold its proofs.
    pub activation: u64,
    /// First height whose block may not hold its proofs any more, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivation: Option<u64>,
}

/// Where a circuit stands at a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its proofs are taken from a later height on.
    Pending,
    /// Its proofs are taken.
    Active,
    /// Its proofs are not taken any more.
    Over,
}

impl CircuitEntry {
    /// A circuit of the genesis: active from the beginning.
    pub fn pinned(pin: &PinnedCircuit) -> Self {
        Self {
            id: CircuitId(pin.verifying_key.0),
            statement: pin.statement.clone(),
            circuit_digest: pin.circuit_digest,
            transcript: pin.transcript,
            activation: 0,
            deactivation: None,
        }
    }

    /// What whoever loads its key compares the key with.
    pub fn pin(&self) -> PinnedCircuit {
        PinnedCircuit {
            statement: self.statement.clone(),
            circuit_digest: self.circuit_digest,
            verifying_key: Sha256Digest(self.id.0),
            transcript: self.transcript,
        }
    }

    /// Where it stands in a block of this height. What is deactivated before it is activated is
    /// over from the beginning.
    pub fn standing(&self, height: u64) -> Standing {
        if self.deactivation.is_some_and(|end| end <= height) {
            Standing::Over
        } else if height < self.activation {
            Standing::Pending
        } else {
            Standing::Active
        }
    }

    /// Whether a block of this height may hold its proofs.
    pub fn is_active(&self, height: u64) -> bool {
        self.standing(height) == Standing::Active
    }
}

impl Wire for CircuitEntry {
    fn write(&self, out: &mut Writer) {
        self.id.write(out);
        out.text(&self.statement);
        out.bytes(&self.circuit_digest.0);
        out.option(&self.transcript.map(|hash| hash.0));
        out.u64(self.activation);
        out.option(&self.deactivation);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: CircuitId::read(input)?,
            statement: input.text(MAX_NAME)?,
            circuit_digest: Sha256Digest(input.array()?),
            transcript: input.option::<[u8; 32]>()?.map(Sha256Digest),
            activation: input.u64()?,
            deactivation: input.option()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(activation: u64, deactivation: Option<u64>) -> CircuitEntry {
        CircuitEntry {
            id: CircuitId([1; 32]),
            statement: "transfer".into(),
            circuit_digest: Sha256Digest([2; 32]),
            transcript: None,
            activation,
            deactivation,
        }
    }

    #[test]
    fn a_circuit_is_active_from_its_activation_up_to_before_its_deactivation() {
        let open = entry(5, None);
        let standings = [4, 5, 6, u64::MAX].map(|height| open.standing(height));
        assert_eq!(
            standings,
            [Standing::Pending, Standing::Active, Standing::Active, Standing::Active]
        );
        let closed = entry(5, Some(7));
        let standings = [4, 5, 6, 7, 8].map(|height| closed.standing(height));
        assert_eq!(
            standings,
            [Standing::Pending, Standing::Active, Standing::Active, Standing::Over, Standing::Over]
        );
        for height in 2..9 {
            assert!(!entry(5, Some(3)).is_active(height));
        }
    }
}
