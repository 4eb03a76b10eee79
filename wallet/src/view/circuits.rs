//! Which circuits the network knows and when it takes their proofs, as the chain shows it. Spec
//! §12.8.

use placet_protocol::circuit::{CircuitEntry, CircuitId, MAX_CIRCUITS};
use placet_protocol::genesis::Genesis;
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
