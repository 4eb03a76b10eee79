//! Which circuits the network knows and when it takes their proofs, as the chain shows it. Spec
//! §12.8.

use placet_protocol::circuit::{CircuitEntry, CircuitId, MAX_CIRCUITS};
use placet_protocol::genesis::Genesis;
use placet_protocol::transaction::{CircuitChange, NumberedCircuitChange};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::store::{StoreError, Transaction as Store};

/// The circuits of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuits {
    /// Number of the last change among them; 0 while they are those of the genesis.
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
    /// active last first.
    pub fn active<'a>(&'a self, statement: &'a str, height: u64) -> Vec<&'a CircuitEntry> {
        let taken = |entry: &&CircuitEntry| entry.statement == statement && entry.is_active(height);
        let mut active: Vec<_> = self.known.iter().filter(taken).collect();
        active.sort_by_key(|entry| std::cmp::Reverse(entry.activation));
        active
    }

    /// The circuits behind a block that changed them; `None` if the change contradicts them. What
    /// a key and its transcript are worth, the authorities and whoever loads the key judge.
    pub(super) fn after(&self, numbered: &NumberedCircuitChange) -> Option<Self> {
        let mut known = self.known.clone();
        match &numbered.change {
            CircuitChange::Add(new) => known.push(CircuitEntry {
                id: new.id()?,
                statement: new.statement.clone(),
                circuit_digest: new.circuit_digest,
                transcript: new.transcript_hash(),
                activation: new.activation,
                deactivation: None,
            }),
            CircuitChange::Deactivate { circuit, height } => {
                let entry = known.iter_mut().find(|entry| entry.id == *circuit)?;
                entry.deactivation = Some(*height);
            }
        }
        (known.len() <= MAX_CIRCUITS).then_some(Self { changes: numbered.number, known })
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
