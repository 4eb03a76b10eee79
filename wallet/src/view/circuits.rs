//! Which circuits the network knows and when it takes their proofs, as the chain shows it. Spec
//! §12.8.

use placet_protocol::circuit::{CircuitEntry, CircuitId, MAX_CIRCUITS};
use placet_protocol::genesis::Genesis;
use placet_protocol::transaction::{CircuitChange, NumberedCircuitChange};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::store::{StoreError, Transaction as Store};

/// A circuit that ends within so many blocks is taken only if there is no other.
pub const SOON: u64 = 20;

/// The circuits of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuits {
    /// Number of the last addition; 0 while none was made since the genesis.
    pub changes: u64,
    /// In the order in which they became known.
    pub known: Vec<CircuitEntry>,
}

impl Circuits {
    pub(super) fn genesis(genesis: &Genesis) -> Self {
        Self { changes: 0, known: genesis.circuits.iter().map(CircuitEntry::pinned).collect() }
    }

    /// The circuit with this id.
    pub fn get(&self, id: &CircuitId) -> Option<&CircuitEntry> {
        self.known.iter().find(|entry| entry.id == *id)
    }
}

impl Circuits {
    /// The circuits of a statement whose proofs a block of this height takes, those that became
    /// active last first; but those that end within 20 blocks last of all, because a transfer
    /// needs some to become final.
    pub fn active<'a>(&'a self, statement: &'a str, height: u64) -> Vec<&'a CircuitEntry> {
        let taken = |entry: &&CircuitEntry| entry.statement == statement && entry.is_active(height);
        let mut active: Vec<_> = self.known.iter().filter(taken).collect();
        let ends = |entry: &CircuitEntry| {
            entry.deactivation.is_some_and(|end| end.saturating_sub(height) < SOON)
        };
        active.sort_by_key(|entry| (ends(entry), std::cmp::Reverse(entry.activation)));
        active
    }

    /// The circuits behind a block that changed them; `None` if the change contradicts them. What
    /// a key and its transcript are worth, the authorities and whoever loads the key judge.
    pub(super) fn after(&self, numbered: &NumberedCircuitChange, height: u64) -> Option<Self> {
        let mut known = self.known.clone();
        let mut changes = self.changes;
        match &numbered.change {
            CircuitChange::Add(new) => {
                changes = numbered.number;
                known.push(CircuitEntry {
                    id: new.id()?,
                    statement: new.statement.clone(),
                    circuit_digest: new.circuit_digest,
                    transcript: new.transcript_hash(),
                    activation: new.activation,
                    deactivation: None,
                });
            }
            CircuitChange::Deactivate { circuit, height: end } => {
                let entry = known.iter_mut().find(|entry| entry.id == *circuit)?;
                entry.deactivation = Some((*end).max(height.checked_add(1)?));
            }
        }
        (known.len() <= MAX_CIRCUITS).then_some(Self { changes, known })
    }
}

impl Wire for Circuits {
    fn write(&self, out: &mut Writer) {
        out.u64(self.changes);
        out.list(&self.known);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { changes: input.u64()?, known: input.list(MAX_CIRCUITS)? })
    }
}

/// The circuits behind the newest block followed.
pub fn circuits(txn: &impl Store) -> Result<Circuits, StoreError> {
    super::meta(txn, "circuits")?.ok_or(StoreError::Corrupt)
}
