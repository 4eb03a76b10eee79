//! The circuits whose proofs the ledger takes: between which heights, under which key, and the
//! transaction that changes them. Spec §12.8.
//!
//! An id is the hash of its key, so what is remembered by id is true on every branch of the chain.
//! Whether an id is taken is state, and always read from the state on which a block is judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use placet_params::transcript::{ContributionKind, Transcript};
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::circuit::{CircuitEntry, CircuitId, MAX_CIRCUITS, Standing};
use placet_protocol::genesis::{ChainId, Genesis, NetworkKind, Sha256Digest};
use placet_protocol::statement::Statement;
use placet_protocol::transaction::circuits::MAX_BEACON_EXPONENT;
use placet_protocol::transaction::{
    ChangeCircuits, CircuitChange, NewCircuit, NumberedCircuitChange, TransferBody,
    TransferTransaction,
};
use placet_protocol::transfer::Transfer;
use placet_protocol::wire::Wire;
use placet_registry::store::{StoreError, Transaction};
use redb::WriteTransaction;

use crate::authorities::Sitting;
use crate::execute::{Context, Failure};
use crate::ledger::Ledger;
use crate::proofs::{CircuitKey, ProofItem};
use crate::recent::Recent;
use crate::refusal::Refusal;
use crate::state::{self, CIRCUIT_KEYS, CIRCUITS, Journal, META, meta};

/// A circuit of the state.
pub(crate) fn entry(
    txn: &impl Transaction,
    id: &CircuitId,
) -> Result<Option<CircuitEntry>, StoreError> {
    state::read(txn, CIRCUITS, &id.0)
}

/// Every circuit, in order of ids.
pub(crate) fn all(txn: &impl Transaction) -> Result<Vec<CircuitEntry>, StoreError> {
    state::all(txn, CIRCUITS)
}

/// Number of the last change; 0 before the first.
pub(crate) fn last_change(txn: &impl Transaction) -> Result<u64, StoreError> {
    Ok(state::read(txn, META, meta::CIRCUIT_CHANGE)?.unwrap_or(0))
}

/// The circuits of the genesis, into an empty store. The chain id covers them.
pub(crate) fn begin(txn: &WriteTransaction, genesis: &Genesis) -> Result<(), StoreError> {
    let mut table = txn.open_table(CIRCUITS)?;
    for pin in &genesis.circuits {
        let entry = CircuitEntry::pinned(pin);
        table.insert(&entry.id.0[..], entry.to_wire().as_slice())?;
    }
    Ok(())
}

/// Why a block of this height does not take proofs of a circuit; `None` if it does.
pub(crate) fn refusal(entry: Option<&CircuitEntry>, height: u64) -> Option<Refusal> {
    match entry.filter(|entry| entry.statement == Transfer::NAME) {
        None => Some(Refusal::CircuitUnknown),
        Some(entry) => match entry.standing(height) {
            Standing::Active => None,
            Standing::Pending => Some(Refusal::CircuitNotActive),
            Standing::Over => Some(Refusal::CircuitDeactivated),
        },
    }
}

/// Verdicts on transcripts that are remembered, of each kind.
const REMEMBERED: usize = 256;

/// A circuit and the hash of a transcript.
type Pair = (CircuitId, [u8; 32]);

/// Keys by id, so that points are not read for every transfer, and which transcripts were found to
/// vouch for which keys and which not: a beacon takes long to derive again, and what a quorum once
/// signed can be sent again by anybody.
pub(crate) struct CircuitMemo {
    keys: Mutex<BTreeMap<CircuitId, Arc<CircuitKey>>>,
    /// Those that vouch, and those that do not, apart.
    verdicts: Mutex<(Recent<Pair>, Recent<Pair>)>,
}

impl Default for CircuitMemo {
    fn default() -> Self {
        let side = || Recent::new(REMEMBERED);
        Self { keys: Mutex::default(), verdicts: Mutex::new((side(), side())) }
    }
}

impl CircuitMemo {
    fn keys(&self) -> MutexGuard<'_, BTreeMap<CircuitId, Arc<CircuitKey>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a circuit that the state knows.
    fn key(&self, txn: &impl Transaction, id: CircuitId) -> Result<Arc<CircuitKey>, StoreError> {
        if let Some(known) = self.keys().get(&id) {
            return Ok(known.clone());
        }
        let entry = entry(txn, &id)?.ok_or(StoreError::Corrupt)?;
        let points = state::get(txn, CIRCUIT_KEYS, &id.0)?;
        let key = Arc::new(CircuitKey { id, circuit: entry.circuit_digest, points });
        self.keys().insert(id, key.clone());
        Ok(key)
    }

    fn verdicts(&self) -> MutexGuard<'_, (Recent<Pair>, Recent<Pair>)> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the transcript vouches for the key, if that is remembered.
    fn verdict(&self, pair: &Pair) -> Option<bool> {
        let (good, bad) = &*self.verdicts();
        if good.contains(pair) { Some(true) } else { bad.contains(pair).then_some(false) }
    }

    fn remember(&self, pair: Pair, holds: bool) {
        let (good, bad) = &mut *self.verdicts();
        if holds { good.insert(pair) } else { bad.insert(pair) }
    }
}

/// What there is to verify about a transfer, if the state knows its circuit.
pub(crate) fn item(
    txn: &impl Transaction,
    context: &Context<'_>,
    transfer: &TransferTransaction,
) -> Result<Option<ProofItem>, StoreError> {
    let body: &TransferBody = &transfer.body;
    let known = entry(txn, &body.circuit)?;
    if known.is_none_or(|entry| entry.statement != Transfer::NAME) {
        return Ok(None);
    }
    Ok(Some(ProofItem {
        circuit: context.circuits.key(txn, body.circuit)?,
        public: body.public_inputs(&context.chain),
        proof: transfer.proof,
    }))
}

pub(crate) fn change(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &ChangeCircuits,
) -> Result<(), Failure> {
    let number = tx.change.number;
    // A deactivation only ever moves forward, so it needs no order, and nothing that was approved
    // before may stand in its way.
    let expected = match &tx.change.change {
        CircuitChange::Add(_) => last_change(txn)?.checked_add(1),
        CircuitChange::Deactivate { .. } => Some(NumberedCircuitChange::UNORDERED),
    };
    if expected != Some(number) {
        return Err(Refusal::CircuitChangeNumber.into());
    }
    approved(context.sitting, &context.chain, tx)?;
    match &tx.change.change {
        CircuitChange::Add(new) => {
            add(txn, journal, context, new)?;
            Ok(journal.put(txn, META, meta::CIRCUIT_CHANGE, &number.to_le_bytes())?)
        }
        CircuitChange::Deactivate { circuit, height } => {
            deactivate(txn, journal, context, circuit, *height)
        }
    }
}

/// Whether a quorum of those who sit signed it.
fn approved(sitting: &Sitting, chain: &ChainId, tx: &ChangeCircuits) -> Result<(), Refusal> {
    let strangers = tx.approvals.iter().any(|a| sitting.authority(&a.authority).is_none());
    if strangers || tx.approvals.len() < sitting.quorum() {
        return Err(Refusal::NoQuorum);
    }
    tx.verify(chain).map_err(|_| Refusal::SignatureInvalid)
}

impl Ledger {
    /// Finds out what execution will ask about an added circuit's transcript, while the store is
    /// not locked; only for what a quorum signed, so that nobody else makes this replica work.
    pub(crate) fn prepare_circuit(&self, tx: &ChangeCircuits) {
        let CircuitChange::Add(new) = &tx.change.change else { return };
        let Some(id) = new.id() else { return };
        let signed = || {
            let txn = self.read().ok()?;
            let sitting = Sitting::load(&txn).ok()?;
            let next = tx.change.number > last_change(&txn).ok()?;
            (next && approved(&sitting, &self.chain(), tx).is_ok()).then_some(())
        };
        if signed().is_some() {
            // What does not hold is refused when it is executed.
            let _ = vouched(self.circuits(), self.genesis().kind, id, new);
        }
    }
}

fn add(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    new: &NewCircuit,
) -> Result<(), Failure> {
    let id = new.id().ok_or(Refusal::CircuitStatement)?;
    if new.activation <= context.height {
        return Err(Refusal::CircuitHeight.into());
    }
    if entry(txn, &id)?.is_some() {
        return Err(Refusal::CircuitKnown.into());
    }
    let known = all(txn)?;
    // The same points under another digest of matrices would be the same key, and a way around its
    // deactivation. An id is a hash of its points, so nobody needs those of the genesis' circuits.
    let same_points = |known: &CircuitEntry| {
        let id = CircuitId::derive(Transfer::ID, &known.circuit_digest.0, &new.points);
        known.statement == Transfer::NAME && known.id == id
    };
    if known.iter().any(same_points) {
        return Err(Refusal::CircuitKnown.into());
    }
    if known.len() >= MAX_CIRCUITS {
        return Err(Refusal::TooManyCircuits.into());
    }
    let transcript = vouched(context.circuits, context.genesis.kind, id, new)?;
    let entry = CircuitEntry {
        id,
        statement: new.statement.clone(),
        circuit_digest: new.circuit_digest,
        transcript,
        activation: new.activation,
        deactivation: None,
    };
    journal.put(txn, CIRCUIT_KEYS, &id.0, &new.points)?;
    Ok(journal.put(txn, CIRCUITS, &id.0, &entry.to_wire())?)
}

/// Checks the key's points and, outside of development networks, that the transcript vouches for
/// it; the transcript's hash.
fn vouched(
    memo: &CircuitMemo,
    kind: NetworkKind,
    id: CircuitId,
    new: &NewCircuit,
) -> Result<Option<Sha256Digest>, Refusal> {
    let transcript = match (kind, &new.transcript) {
        (NetworkKind::Dev, None) => None,
        (NetworkKind::Other, Some(bytes)) => {
            Some(Transcript::from_bytes(bytes).map_err(|_| Refusal::CircuitTranscript)?)
        }
        (NetworkKind::Dev, Some(_)) | (NetworkKind::Other, None) => {
            return Err(Refusal::CircuitTranscript);
        }
    };
    let hash = transcript.as_ref().map(Transcript::hash);
    let pair = (id, hash.map_or([0; 32], |hash| hash.0));
    let slow = transcript.as_ref().is_some_and(|transcript| {
        transcript.record.contributions.iter().any(|contribution| match contribution.kind {
            ContributionKind::Beacon { iterations_exp, .. } => iterations_exp > MAX_BEACON_EXPONENT,
            ContributionKind::Participant { .. } => false,
        })
    });
    if slow || memo.verdict(&pair) == Some(false) {
        return Err(Refusal::CircuitTranscript);
    }
    if memo.verdict(&pair).is_none() {
        let origin = match hash {
            None => Origin::Dev,
            Some(transcript) => Origin::Ceremony { transcript },
        };
        let digest = CircuitDigest(new.circuit_digest.0);
        let key = VerifyingKey::<Transfer>::from_point_bytes(&new.points, digest, origin)
            .map_err(|_| Refusal::CircuitKey)?;
        if key.hash().0 != id.0 {
            return Err(Refusal::CircuitKey);
        }
        let holds = transcript.as_ref().is_none_or(|transcript| transcript.verify(&key).is_ok());
        memo.remember(pair, holds);
        if !holds {
            return Err(Refusal::CircuitTranscript);
        }
    }
    Ok(hash.map(|hash| Sha256Digest(hash.0)))
}

fn deactivate(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    id: &CircuitId,
    height: u64,
) -> Result<(), Failure> {
    let mut entry = entry(txn, id)?.ok_or(Refusal::CircuitUnknown)?;
    // Brought forward, never moved back nor undone. A height that has passed means as soon as can
    // be: blocks fly by while approvals are collected, and the past stays as it was.
    let end = height.max(context.height.saturating_add(1));
    if entry.deactivation.is_some_and(|known| known <= end) {
        return Err(Refusal::CircuitHeight.into());
    }
    entry.deactivation = Some(end);
    Ok(journal.put(txn, CIRCUITS, &id.0, &entry.to_wire())?)
}
