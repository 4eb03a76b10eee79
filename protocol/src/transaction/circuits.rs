//! Changes among the circuits whose proofs a network takes: another one with its key and its
//! ceremony's transcript, or the end of one. Spec §12.8.

use sha2::{Digest, Sha256};

use super::registry::Approval;
use crate::circuit::CircuitId;
use crate::genesis::{ChainId, MAX_AUTHORITIES, MAX_NAME, Sha256Digest, name_is_valid};
use crate::signing::{BadSignature, Context, SigningKey};
use crate::statement::Statement;
use crate::transfer::Transfer;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most bytes of the points of a verifying key: enough for 100 public inputs and more.
pub const MAX_KEY_BYTES: usize = 8 * 1024;
/// Most bytes of a transcript in a transaction.
pub const MAX_TRANSCRIPT_BYTES: usize = 64 * 1024;
/// Largest exponent of the beacon of a transcript in a transaction: every replica derives its value
/// again, with two to this power of hashes.
pub const MAX_BEACON_EXPONENT: u8 = 20;

/// A circuit with the key that checks its proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCircuit {
    /// Name of the statement, as in `transfer`.
    pub statement: String,
    /// Digest of the constraint matrices.
    pub circuit_digest: Sha256Digest,
    /// The verifying key's points, uncompressed, in the order of spec §12.2; at most
    /// [`MAX_KEY_BYTES`].
    pub points: Vec<u8>,
    /// The transcript of the ceremony that made the key, at most [`MAX_TRANSCRIPT_BYTES`]; none on
    /// a development network.
    pub transcript: Option<Vec<u8>>,
    /// First height whose block may hold its proofs.
    pub activation: u64,
}

impl NewCircuit {
    /// Its id; `None` for a statement that this version does not know.
    pub fn id(&self) -> Option<CircuitId> {
        (self.statement == Transfer::NAME)
            .then(|| CircuitId::derive(Transfer::ID, &self.circuit_digest.0, &self.points))
    }

    /// SHA-256 of the transcript.
    pub fn transcript_hash(&self) -> Option<Sha256Digest> {
        self.transcript.as_ref().map(|bytes| Sha256Digest(Sha256::digest(bytes).into()))
    }
}

impl Wire for NewCircuit {
    fn write(&self, out: &mut Writer) {
        out.text(&self.statement);
        out.bytes(&self.circuit_digest.0);
        out.blob(&self.points);
        out.bool(self.transcript.is_some());
        if let Some(transcript) = &self.transcript {
            out.blob(transcript);
        }
        out.u64(self.activation);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let statement = input.text(MAX_NAME)?;
        if !name_is_valid(&statement) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self {
            statement,
            circuit_digest: Sha256Digest(input.array()?),
            points: input.blob(MAX_KEY_BYTES)?.to_vec(),
            transcript: match input.bool()? {
                true => Some(input.blob(MAX_TRANSCRIPT_BYTES)?.to_vec()),
                false => None,
            },
            activation: input.u64()?,
        })
    }
}

/// What changes among the circuits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CircuitChange {
    /// The network learns another circuit.
    Add(NewCircuit),
    /// The network takes a circuit's proofs up to this height, and not in it.
    Deactivate {
        /// Which.
        circuit: CircuitId,
        /// First height whose block may not hold its proofs any more.
        height: u64,
    },
}

impl Wire for CircuitChange {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Add(circuit) => {
                out.u8(0);
                circuit.write(out);
            }
            Self::Deactivate { circuit, height } => {
                out.u8(1);
                circuit.write(out);
                out.u64(*height);
            }
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.u8()? {
            0 => Ok(Self::Add(NewCircuit::read(input)?)),
            1 => Ok(Self::Deactivate { circuit: CircuitId::read(input)?, height: input.u64()? }),
            _ => Err(DecodeError::UnknownTag),
        }
    }
}

/// A change with its number among all additions of circuits, so that none is executed twice or
/// out of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedCircuitChange {
    /// For an addition one more than the last executed one's, the first being 1;
    /// [`Self::UNORDERED`] for a deactivation.
    pub number: u64,
    /// The change.
    pub change: CircuitChange,
}

impl NumberedCircuitChange {
    /// The number of every deactivation: it is harmless at any time, because the end of a circuit
    /// is only ever brought forward, and no change approved earlier may stand in its way.
    pub const UNORDERED: u64 = 0;

    /// A sitting authority's approval, to be collected in [`ChangeCircuits::approvals`].
    pub fn approve(&self, chain: &ChainId, key: &SigningKey) -> Approval {
        Approval {
            authority: key.public(),
            signature: key.sign(chain, Context::ChangeCircuits, &self.to_wire()),
        }
    }
}

impl Wire for NumberedCircuitChange {
    fn write(&self, out: &mut Writer) {
        out.u64(self.number);
        self.change.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: input.u64()?, change: CircuitChange::read(input)? })
    }
}

/// More than two thirds of the sitting authorities change which proofs the network takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeCircuits {
    /// The change.
    pub change: NumberedCircuitChange,
    /// Signatures of sitting authorities, in ascending order of their keys, each at most once.
    pub approvals: Vec<Approval>,
}

impl ChangeCircuits {
    /// Sorts the approvals.
    pub fn new(change: NumberedCircuitChange, mut approvals: Vec<Approval>) -> Self {
        approvals.sort_by_key(|approval| approval.authority);
        approvals.dedup_by_key(|approval| approval.authority);
        Self { change, approvals }
    }

    /// Verifies every signature; whether the approving keys sit, and enough of them, is for the
    /// ledger to say.
    ///
    /// # Errors
    /// [`BadSignature`] if one fails.
    pub fn verify(&self, chain: &ChainId) -> Result<(), BadSignature> {
        let message = self.change.to_wire();
        self.approvals.iter().try_for_each(|approval| {
            let key = &approval.authority;
            key.verify(chain, Context::ChangeCircuits, &message, &approval.signature)
        })
    }
}

impl Wire for ChangeCircuits {
    fn write(&self, out: &mut Writer) {
        self.change.write(out);
        out.list(&self.approvals);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let change = NumberedCircuitChange::read(input)?;
        let approvals = input.list::<Approval>(MAX_AUTHORITIES)?;
        if !approvals.is_sorted_by(|a, b| a.authority < b.authority) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { change, approvals })
    }
}
