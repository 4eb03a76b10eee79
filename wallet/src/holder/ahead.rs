//! Proving ahead of the request. Almost everything in a transfer's witness is known before its
//! holder has typed an amount: keys, credentials, all paths, the policy, the position. So the wallet
//! *guesses* the transaction after each sync, with an invented receiver and amount, has the prover
//! work on the guess, and proves from that when the request comes.
//!
//! A guess never decides what is proven, only how much is left to compute. Still, what was prepared
//! serves one case alone: [`Preparations::prove`] compares everything that went into it, field by
//! field, with the transaction at hand, and there is no other way to get at it. What an input's
//! change has made useless is dropped by [`Preparations::keep`], and wiped. Nothing of this is
//! written anywhere.

use ark_bn254::Fr;
use placet_protocol::circuit::CircuitId;
use placet_protocol::delivery::{DEADLINE_BITS, DeliveryKey};
use placet_protocol::field::AssetId;
use placet_protocol::transaction::TransferTransaction;
use placet_protocol::transfer::{Context, Outgoing, PublicInputs, Transfer, Violation, Witness};
use placet_prover::{Phase, ProofSeed, ProveError, Prover};
use placet_registry::store::{StoreError, Transaction as Store};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::plan::{Draft, LockConsent, PlanError, Prepared, Request};
use super::state::{HolderState, ReceivedState};
use crate::view::Anchor;

/// Preparations that are kept at a time, a megabyte and some each. Transfers come before
/// acceptances, which nobody waits for.
pub const MOST: usize = 8;

/// Everything in a statement but what is typed, and the time: what a preparation depends on. Whole
/// values and not a digest of some of them, so that no later field of the witness is forgotten.
#[derive(Clone, PartialEq, Eq)]
struct Basis {
    circuit: CircuitId,
    /// The roots; time and redemption are zero.
    roots: Context,
    /// `outgoing` is zero.
    witness: Wiped,
}

impl Basis {
    fn of(circuit: CircuitId, public: &PublicInputs, witness: &Witness) -> Self {
        let zero = Fr::from(0u8);
        let mut witness = witness.clone();
        witness.outgoing = Outgoing { to: zero, amount: zero, deadline: zero };
        let roots = Context {
            position_root: public.position_root,
            delivery_root: public.delivery_root,
            registry_root: public.registry_root,
            sanctions_root: public.sanctions_root,
            now: 0,
            redeemed: 0,
        };
        Self { circuit, roots, witness: Wiped(Box::new(witness)) }
    }
}

/// A witness that wipes on drop what a witness alone leaves: amounts, credentials, and what links
/// them to their holder. Boxed, so that moving it copies nothing.
#[derive(Clone, PartialEq, Eq)]
struct Wiped(Box<Witness>);

impl Drop for Wiped {
    fn drop(&mut self) {
        let Witness { position, incoming, outgoing, identity, investor, .. } = &mut *self.0;
        let (position, delivery) = (&mut position.position, &mut incoming.delivery);
        for value in [
            &mut position.balance,
            &mut position.in_flight,
            &mut position.locked,
            &mut position.unlock_at,
            &mut position.rho,
            &mut delivery.amount,
            &mut delivery.unlock_at,
            &mut delivery.deadline,
            &mut delivery.owner_tag,
            &mut delivery.refund_tag,
            &mut outgoing.amount,
            &mut outgoing.to,
            &mut identity.credential.subject,
            &mut identity.credential.jurisdiction,
            &mut identity.credential.risk,
            &mut identity.credential.expires_at,
            &mut identity.credential.salt,
            &mut investor.credential.categories,
            &mut investor.credential.capital,
            &mut investor.credential.expires_at,
            &mut investor.credential.salt,
        ] {
            value.zeroize();
        }
        incoming.key = DeliveryKey::from_parts(Fr::from(0u8));
    }
}

/// A transaction that the holder might ask for next, with everything that is not known yet
/// invented. Secret; wiped on drop.
pub struct Guess {
    basis: Basis,
    public: PublicInputs,
    witness: Wiped,
}

impl Guess {
    fn new(circuit: CircuitId, draft: &Draft) -> Self {
        let basis = Basis::of(circuit, &draft.public, &draft.witness);
        Self {
            basis,
            public: draft.public.clone(),
            witness: Wiped(Box::new(draft.witness.clone())),
        }
    }

    /// Has `work` done on the guess's inputs, which need not satisfy the statement.
    ///
    /// # Errors
    /// What `work` fails with.
    pub fn prepare<P, E>(
        self,
        work: impl FnOnce(&PublicInputs, &Witness) -> Result<P, E>,
    ) -> Result<Preparation<P>, E> {
        let work = work(&self.public, &self.witness.0)?;
        Ok(Preparation { basis: self.basis, work })
    }
}

/// Work that was done on a guess. `P` is the prover's part of it.
pub struct Preparation<P> {
    basis: Basis,
    work: P,
}

/// Whether a proof was begun before it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Everything was computed at once.
    Cold,
    /// Only what the guess had wrong was computed.
    Warm,
}

/// A place for one guess's work.
struct Place<P> {
    basis: Basis,
    work: Option<P>,
}

/// The preparations of one wallet: one place for each guess that still holds.
pub struct Preparations<P> {
    places: Vec<Place<P>>,
}

impl<P> Default for Preparations<P> {
    fn default() -> Self {
        Self { places: Vec::new() }
    }
}

impl<P> Preparations<P> {
    /// Takes the guesses of now: what was prepared for any other is dropped. Returns those whose
    /// work is still to be done, the most useful first; beyond [`MOST`] none is worth its memory.
    pub fn keep(&mut self, guesses: Vec<Guess>) -> Vec<Guess> {
        let mut before = std::mem::take(&mut self.places);
        let mut missing = Vec::new();
        for guess in guesses.into_iter().take(MOST) {
            let place = match before.iter().position(|place| place.basis == guess.basis) {
                Some(known) => before.swap_remove(known),
                None => Place { basis: guess.basis.clone(), work: None },
            };
            if place.work.is_none() {
                missing.push(guess);
            }
            self.places.push(place);
        }
        missing
    }

    /// Puts work into its place, and says whether there is one: what changed while the work was
    /// done has made it useless, and it is dropped.
    pub fn insert(&mut self, preparation: Preparation<P>) -> bool {
        let Preparation { basis, work } = preparation;
        match self.places.iter_mut().find(|place| place.basis == basis) {
            Some(place) => {
                place.work = Some(work);
                true
            }
            None => false,
        }
    }

    /// Whether a guess has a place and nothing is in it yet.
    pub fn lacks(&self, guess: &Guess) -> bool {
        self.places.iter().any(|place| place.basis == guess.basis && place.work.is_none())
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.places.clear();
    }

    /// How many are ready, and how many are wanted.
    pub fn count(&self) -> (usize, usize) {
        let ready = self.places.iter().filter(|place| place.work.is_some()).count();
        (ready, self.places.len())
    }

    /// Whether a proof of this transaction would start warm.
    pub fn fits(&self, transaction: &Prepared) -> bool {
        self.work_for(transaction).is_some()
    }

    /// The work that was done on exactly this transaction's inputs.
    fn work_for(&self, transaction: &Prepared) -> Option<&P> {
        let Prepared { body, public, witness } = transaction;
        let basis = Basis::of(body.circuit, public, witness);
        self.places.iter().find(|place| place.basis == basis)?.work.as_ref()
    }
}

impl Preparations<placet_prover::Prepared<Transfer>> {
    /// As [`Prepared::prove`], from what was prepared for exactly this transaction's inputs, if
    /// there is such a thing. The proof is the same either way: blinded afresh, verified before it
    /// is handed out.
    ///
    /// # Errors
    /// Those of the prover; [`ProveError::Prepared`] if the preparation is another prover's.
    pub fn prove(
        &self,
        prover: &Prover<Transfer>,
        transaction: &Prepared,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<(TransferTransaction, Start), ProveError<Violation>> {
        let Prepared { public, witness, .. } = transaction;
        let Some(work) = self.work_for(transaction) else {
            return Ok((transaction.prove(prover, seed, observer)?, Start::Cold));
        };
        let proof = prover.prove_prepared_observed(work, public, witness, seed, observer)?;
        Ok((transaction.with_proof(proof.to_bytes()), Start::Warm))
    }
}

impl HolderState {
    /// See [`Holder::guesses`](super::Holder::guesses).
    pub(super) fn guesses(
        &self,
        txn: &impl Store,
        anchor: &Anchor,
        circuit: CircuitId,
        random: &[u8; 32],
    ) -> Result<Vec<Guess>, StoreError> {
        let idle = |asset: AssetId| self.records.pending.iter().all(|sent| sent.asset != asset);
        let transfers = self
            .records
            .accounts
            .iter()
            .filter(|account| account.holding.balance > 0 || account.settleable().is_some())
            .map(|account| Request::settle(account.asset));
        let acceptances = self
            .records
            .received
            .iter()
            .filter(|received| received.state == ReceivedState::Open)
            .map(|open| Request::accept(open.asset, open.cm, LockConsent::Given));
        let mut guesses = Vec::new();
        let requests = transfers.map(|request| (request, true));
        for (request, sends) in requests.chain(acceptances.map(|request| (request, false))) {
            if guesses.len() == MOST || !idle(request.asset) {
                continue;
            }
            let mut draft = match self.draft(txn, anchor, &request) {
                Ok(draft) => draft,
                Err(PlanError::Store(error)) => return Err(error),
                // What cannot be planned cannot be asked for either.
                Err(_) => continue,
            };
            if draft.asset.paused {
                continue;
            }
            if sends {
                draft.witness.outgoing = invented(random, guesses.len(), anchor.time);
                draft.rederive();
            }
            guesses.push(Guess::new(circuit, &draft));
        }
        Ok(guesses)
    }
}

/// What nobody has typed yet. Random over the whole range of each value, so that about half of an
/// amount's bits differ from the guess whatever the amount is. A bit costs the prover as much in
/// either direction.
fn invented(random: &[u8; 32], number: usize, now: u64) -> Outgoing {
    let bytes = |part: u8| -> Zeroizing<[u8; 32]> {
        let mut hash = Sha256::new_with_prefix(b"placet.guess.v1");
        hash.update(random);
        hash.update((number as u64).to_le_bytes());
        hash.update([part]);
        Zeroizing::new(hash.finalize().into())
    };
    let number = |part: u8| {
        let bytes = bytes(part);
        u128::from_le_bytes(*bytes.first_chunk().expect("a hash has 32 bytes"))
    };
    let deadline = number(2) as u64 % (1 << DEADLINE_BITS);
    Outgoing {
        to: Fr::from(number(0)) * Fr::from(number(1)),
        amount: Fr::from(number(3) as u64),
        deadline: Fr::from(now.saturating_add(deadline)),
    }
}
