//! From what a holder wants to a statement with its witness, checked natively so that a violated
//! clause is named in plain words before any proof is attempted. Spec §7.
//!
//! Where something is missing (a credential that was never issued, or revoked) a filler takes its
//! place, so that the native check names the clause.

use std::num::NonZeroU64;

use ark_bn254::Fr;
use placet_protocol::address::Address;
use placet_protocol::circuit::CircuitId;
use placet_protocol::credential::{
    Categories, IdentityCredential, InvestorCredential, Jurisdiction, nobody,
};
use placet_protocol::delivery::DeliveryKey;
use placet_protocol::field::{AssetId, Commitment, RefundTag, Subject, to_u64};
use placet_protocol::genesis::ChainId;
use placet_protocol::merkle::{Path, REGISTRY_DEPTH};
use placet_protocol::policy::{Policy, Rules};
use placet_protocol::sealed::{Claims, DeliveryNote, SealError, SealedDelivery};
use placet_protocol::signing::{SIGNATURE_BYTES, Signature};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transaction::{Redemption, TransferBody, TransferTransaction};
use placet_protocol::transfer::{
    Context, HoldersDelta, IdentityOpening, Incoming, InvestorOpening, Mode, Outgoing,
    PositionOpening, PublicInputs, Transfer, Violation, Witness, check,
};
use placet_prover::{Phase, ProofSeed, ProveError, Prover};
use placet_registry::store::{StoreError, Transaction as Store};

use super::state::{HeldCredential, HolderState, ReceivedState};
use crate::account::{Account, SentState};
use crate::explain::{clause, explain};
use crate::view::{self, Anchor, AssetState};

/// A payment to somebody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The receiver.
    pub to: Address,
    /// Units.
    pub amount: NonZeroU64,
    /// From when on the sender may take it back; at most 2^22 seconds ahead.
    pub deadline: u64,
}

impl std::fmt::Debug for Payment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payment(..)")
    }
}

/// What to do with the one incoming slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Settle the oldest delivery that was accepted, if there is one.
    Automatic,
    /// Leave it empty.
    Empty,
    /// Accept this delivery.
    Accept(Commitment),
    /// Take this delivery back.
    Refund(Commitment),
    /// Settle this delivery.
    Settle(Commitment),
}

/// Whether the holder agreed that a lock on units it already has becomes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockConsent {
    /// Ask first.
    Ask,
    /// Agreed.
    Given,
}

/// What a holder wants to do with one asset, all in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The asset.
    pub asset: AssetId,
    /// The incoming slot.
    pub slot: Slot,
    /// What is sent.
    pub payment: Option<Payment>,
    /// Units to give back to the issuer; 0 for none. The amount is public and needs the agent's
    /// signature. Emptying a position by redeeming tells everybody that its holder left.
    pub redeem: u64,
    /// Consent to a longer lock.
    pub lock: LockConsent,
}

impl Request {
    /// Does nothing yet.
    fn new(asset: AssetId, slot: Slot) -> Self {
        Self { asset, slot, payment: None, redeem: 0, lock: LockConsent::Ask }
    }
    /// Sends units; settles an earlier delivery on the way.
    pub fn send(asset: AssetId, payment: Payment) -> Self {
        Self { payment: Some(payment), ..Self::new(asset, Slot::Automatic) }
    }
    /// Accepts a delivery.
    pub fn accept(asset: AssetId, delivery: Commitment, lock: LockConsent) -> Self {
        Self { lock, ..Self::new(asset, Slot::Accept(delivery)) }
    }
    /// Takes a delivery back.
    pub fn refund(asset: AssetId, delivery: Commitment) -> Self {
        Self::new(asset, Slot::Refund(delivery))
    }
    /// Settles the oldest delivery that was accepted, alone.
    pub fn settle(asset: AssetId) -> Self {
        Self::new(asset, Slot::Automatic)
    }
    /// Redeems units; settles an earlier delivery on the way.
    pub fn redeem(asset: AssetId, amount: NonZeroU64) -> Self {
        Self { redeem: amount.get(), ..Self::new(asset, Slot::Automatic) }
    }
}

/// Accepting would extend a lock on units that the holder already has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LockExtension {
    /// When the present lock ends, seconds since the Unix epoch.
    pub from: u64,
    /// When it would end.
    pub to: u64,
    /// Units that are locked now.
    pub locked: u64,
}

impl std::fmt::Debug for LockExtension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockExtension(..)")
    }
}

/// Why there is no statement to prove.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No such asset.
    #[error("this network has no such asset: check its id, and sync the wallet")]
    UnknownAsset,
    /// No such delivery for this holder.
    #[error("this wallet knows no such delivery: check its id, and sync the wallet")]
    UnknownDelivery,
    /// The delivery was accepted, taken back or settled before.
    #[error("this delivery was already accepted, taken back or settled: nothing is left to do")]
    DeliveryClosed,
    /// Nothing to do.
    #[error("there is nothing to settle, and nothing to send or to redeem was asked for")]
    Nothing,
    /// A transaction of this asset is under way.
    #[error(
        "a transaction of this asset is under way: sync until it is final or has expired, or send \
         it again"
    )]
    Pending,
    /// Stopped by issuer or agent.
    #[error("the asset is paused: wait until its issuer or transfer agent resumes it")]
    Paused,
    /// The agent froze the position or the delivery.
    #[error("the transfer agent froze this position or delivery: ask the agent")]
    Frozen,
    /// The policy's cap.
    #[error(
        "the asset has as many holders as its policy allows: wait until one leaves; the sender \
         gets the delivery back after its deadline"
    )]
    TooManyHolders,
    /// Needs the holder's consent.
    #[error(
        "accepting would keep units that you already hold locked for longer: repeat with your \
         consent to it"
    )]
    NeedsConfirmation(LockExtension),
    /// None that is active.
    #[error(
        "this network takes no proofs of transfers at present: its circuit is switched off; wait \
         until its authorities activate another one"
    )]
    NoCircuit,
    /// A clause of the statement.
    #[error("{}", explain(*.0))]
    Violated(Violation),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PlanError {
    /// Stable code; for a violated clause its name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownAsset => "unknown-asset",
            Self::UnknownDelivery => "unknown-delivery",
            Self::DeliveryClosed => "delivery-closed",
            Self::Nothing => "nothing-to-do",
            Self::Pending => "pending",
            Self::Paused => "asset-paused",
            Self::Frozen => "frozen",
            Self::TooManyHolders => "too-many-holders",
            Self::NoCircuit => "no-circuit",
            Self::NeedsConfirmation(_) => "needs-confirmation",
            Self::Violated(violation) => clause(*violation),
            Self::Store(_) => "store",
        }
    }
}

/// A statement and what belongs to it, not yet judged.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The asset.
    pub asset: AssetState,
    /// What comes from the ledger.
    pub context: Context,
    /// The witness.
    pub witness: Witness,
    /// The public inputs; `binding` is set by [`Draft::prepare`].
    pub public: PublicInputs,
    /// Height of the anchor.
    pub anchor_height: u64,
    /// The circuit that proves it: of those that are active the one that became so last, unless the
    /// caller, who knows which keys are at hand, takes another active one.
    pub circuit: CircuitId,
    payment: Option<Payment>,
}

/// Blocks after the anchor within which a transfer must be executed. The same for all wallets. Far
/// more than a network makes in the longest root window: what ends a transfer's life is its time.
pub const EXPIRY_BLOCKS: u64 = 100_000;

impl Draft {
    /// Checks every clause natively.
    pub fn check(&self) -> Result<(), Violation> {
        check(&self.public, &self.witness)
    }

    /// Recomputes the public inputs after the witness or the context was changed.
    pub fn rederive(&mut self) {
        self.public = self.witness.public_inputs(&self.context);
    }

    /// Seals the delivery for its receiver (or a decoy) and binds statement and transaction
    /// together. `random` must be fresh.
    ///
    /// # Errors
    /// [`SealError::WeakKey`] for a receiver whose viewing key yields nothing secret.
    pub fn prepare(mut self, chain: &ChainId, random: &[u8; 64]) -> Result<Prepared, SealError> {
        let (ephemeral, recipient) = random.split_first_chunk::<32>().expect("64 bytes");
        let recipient = recipient.first_chunk::<32>().expect("the other 32 bytes");
        let sealed = match self.payment {
            None => SealedDelivery::decoy(chain, ephemeral, recipient),
            Some(payment) => {
                let made = self.witness.evaluate(self.context.now, self.context.redeemed);
                let note = DeliveryNote {
                    amount: payment.amount.get(),
                    unlock_at: 0,
                    deadline: payment.deadline,
                    refund_tag: RefundTag::new(made.made.refund_tag),
                    key: made.made_key,
                };
                SealedDelivery::seal(&note, &payment.to.viewing(), chain, ephemeral)?
            }
        };
        let public = &self.public;
        let unsigned = Signature([0; SIGNATURE_BYTES]);
        let body = TransferBody {
            circuit: self.circuit,
            asset: self.asset.id,
            position_root: public.position_root,
            delivery_root: public.delivery_root,
            registry_root: public.registry_root,
            sanctions_root: public.sanctions_root,
            policy: public.policy,
            now: public.now,
            nf_position: public.nf_position,
            nf_delivery: public.nf_delivery,
            cm_position: public.cm_position,
            cm_delivery: public.cm_delivery,
            receipt: public.receipt,
            holders_delta: public.holders_delta,
            disclosure: public.disclosure,
            sealed,
            expiry_height: self.anchor_height + EXPIRY_BLOCKS,
            redemption: NonZeroU64::new(public.redeemed)
                .map(|amount| Redemption { amount, signature: unsigned }),
        };
        self.public.binding = body.binding(chain);
        Ok(Prepared { body, public: self.public, witness: self.witness })
    }
}

/// A transaction without its proof. A redemption must be countersigned before it is submitted;
/// the proof does not depend on that signature.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Everything but the proof; a redemption's signature is still zero.
    pub body: TransferBody,
    /// The public inputs, with the binding.
    pub public: PublicInputs,
    /// The witness.
    pub witness: Witness,
}

impl Prepared {
    /// Puts the agent's signature on the redemption in its place.
    pub fn countersigned(mut self, signature: Signature) -> Self {
        if let Some(redemption) = &mut self.body.redemption {
            redemption.signature = signature;
        }
        self
    }

    /// Checks, proves, verifies. Takes about a second.
    pub fn prove(
        &self,
        prover: &Prover<Transfer>,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<TransferTransaction, ProveError<Violation>> {
        let proof = prover.prove_observed(&self.public, &self.witness, seed, observer)?;
        Ok(self.with_proof(proof.to_bytes()))
    }

    /// The transaction with a proof that was made elsewhere.
    pub fn with_proof(&self, proof: ProofBytes) -> TransferTransaction {
        TransferTransaction { body: self.body.clone(), proof }
    }
}

impl HolderState {
    /// Builds the statement and judges nothing, except that the request makes sense.
    pub(super) fn draft(
        &self,
        txn: &impl Store,
        anchor: &Anchor,
        request: &Request,
    ) -> Result<Draft, PlanError> {
        let asset = view::asset(txn, request.asset)?.ok_or(PlanError::UnknownAsset)?;
        let account = self.account(request.asset).ok_or(PlanError::UnknownAsset)?;
        let incoming = self.incoming(txn, account, request)?;
        let policy = asset.policy();
        let rules = asset.registration.policy.rules();
        let identity = self.identity(txn, &policy, anchor.time)?;
        let jurisdiction = jurisdiction_of(&identity.credential);
        let investor = self.investor(txn, &policy, &rules, jurisdiction, anchor.time)?;
        let (_, list) = view::sanctions(txn)?;
        let (gap, gap_path) = list.witness(Subject::new(identity.credential.subject));
        let position = PositionOpening {
            genesis: account.leaf.is_none(),
            position: account.position(),
            path: match account.leaf {
                Some(leaf) => view::note_path(txn, leaf)?,
                None => Path::filler(),
            },
        };
        // A transfer that sends nothing makes an empty delivery to the holder itself.
        let outgoing = match request.payment {
            Some(payment) => Outgoing {
                to: payment.to.holder().get(),
                amount: Fr::from(payment.amount.get()),
                deadline: Fr::from(payment.deadline),
            },
            None => Outgoing {
                to: self.id.get(),
                amount: Fr::from(0u8),
                deadline: Fr::from(anchor.time),
            },
        };
        let witness = Witness {
            key_bits: self.spending.representative_bits(),
            policy,
            identity,
            gap,
            gap_path,
            position,
            incoming,
            rule: rules.get(jurisdiction),
            rule_path: rules.path(jurisdiction),
            investor,
            outgoing,
        };
        let context = Context {
            position_root: anchor.notes,
            delivery_root: anchor.notes,
            registry_root: anchor.registry,
            sanctions_root: anchor.sanctions,
            now: anchor.time,
            redeemed: request.redeem,
        };
        let public = witness.public_inputs(&context);
        let payment = request.payment;
        let circuits = view::circuits(txn)?;
        let active = circuits.active(Transfer::NAME, anchor.height + 1);
        let circuit = active.first().ok_or(PlanError::NoCircuit)?.id;
        let anchor_height = anchor.height;
        Ok(Draft { asset, context, witness, public, anchor_height, circuit, payment })
    }

    /// Builds the statement and judges it: first what the ledger enforces in the open, then every
    /// clause.
    pub(super) fn plan(
        &self,
        txn: &impl Store,
        anchor: &Anchor,
        request: &Request,
    ) -> Result<Draft, PlanError> {
        if self.records.pending.iter().any(|pending| pending.asset == request.asset) {
            return Err(PlanError::Pending);
        }
        let draft = self.draft(txn, anchor, request)?;
        let incoming = draft.witness.incoming.mode;
        if incoming == Mode::Absent && request.payment.is_none() && request.redeem == 0 {
            return Err(PlanError::Nothing);
        }
        if draft.asset.paused {
            return Err(PlanError::Paused);
        }
        for nullifier in [draft.public.nf_position, draft.public.nf_delivery] {
            if view::is_frozen(txn, request.asset, nullifier)? {
                return Err(PlanError::Frozen);
            }
        }
        draft.check().map_err(PlanError::Violated)?;
        let cap = draft.asset.registration.policy.max_holders;
        let rises = draft.public.holders_delta == HoldersDelta::Plus;
        if rises && cap.is_some_and(|cap| draft.asset.holders >= cap) {
            return Err(PlanError::TooManyHolders);
        }
        if incoming == Mode::Accept && request.lock == LockConsent::Ask {
            self.ask_about_lock(&draft, request.asset, anchor.time)?;
        }
        Ok(draft)
    }

    fn ask_about_lock(&self, draft: &Draft, asset: AssetId, now: u64) -> Result<(), PlanError> {
        let Some(holding) = self.account(asset).map(|account| account.holding) else {
            return Ok(());
        };
        let locked = if now < holding.unlock_at { holding.locked } else { 0 };
        let next = draft.witness.evaluate(now, draft.context.redeemed).next;
        let to = to_u64(&next.unlock_at).unwrap_or(u64::MAX);
        if locked > 0 && to > holding.unlock_at {
            let from = holding.unlock_at;
            return Err(PlanError::NeedsConfirmation(LockExtension { from, to, locked }));
        }
        Ok(())
    }

    fn incoming(
        &self,
        txn: &impl Store,
        account: &Account,
        request: &Request,
    ) -> Result<Incoming, PlanError> {
        let sent = |cm: Commitment| {
            account.sent.iter().find(|sent| sent.cm == cm).ok_or(PlanError::UnknownDelivery)
        };
        let slot = match request.slot {
            Slot::Automatic => match account.settleable() {
                Some(sent) => Slot::Settle(sent.cm),
                None => Slot::Empty,
            },
            slot => slot,
        };
        let (mode, note, to, leaf) = match slot {
            Slot::Automatic | Slot::Empty => return Ok(Incoming::absent()),
            Slot::Accept(cm) => {
                let received = self
                    .records
                    .received
                    .iter()
                    .find(|received| received.cm == cm && received.asset == request.asset)
                    .ok_or(PlanError::UnknownDelivery)?;
                if received.state != ReceivedState::Open {
                    return Err(PlanError::DeliveryClosed);
                }
                (Mode::Accept, &received.note, self.id, received.leaf)
            }
            Slot::Refund(cm) => {
                let sent = sent(cm)?;
                if sent.state != SentState::Unsettled {
                    return Err(PlanError::DeliveryClosed);
                }
                (Mode::Refund, &sent.note, sent.to, sent.leaf)
            }
            Slot::Settle(cm) => {
                let sent = sent(cm)?;
                match sent.state {
                    SentState::Accepted { receipt_leaf } => {
                        (Mode::Settle, &sent.note, sent.to, receipt_leaf)
                    }
                    SentState::Unsettled => return Err(PlanError::Nothing),
                    SentState::Settled | SentState::Refunded => {
                        return Err(PlanError::DeliveryClosed);
                    }
                }
            }
        };
        Ok(Incoming {
            mode,
            delivery: note.delivery(to),
            key: DeliveryKey::from_parts(note.key.expose()),
            path: view::note_path(txn, leaf)?,
        })
    }

    /// The identity credential that satisfies most clauses in their order, so that what is
    /// missing is named; a filler where there is none at all.
    fn identity(
        &self,
        txn: &impl Store,
        policy: &Policy,
        now: u64,
    ) -> Result<IdentityOpening, StoreError> {
        let best = self
            .records
            .credentials
            .iter()
            .filter_map(|held| match &held.credential.claims {
                Claims::Identity(credential) => Some((held, credential)),
                Claims::Investor(_) => None,
            })
            .max_by_key(|(held, credential)| {
                let expires = to_u64(&credential.expires_at).unwrap_or(0);
                let risk = to_u64(&credential.risk).unwrap_or(u64::MAX);
                let trusted = policy.attestors.identity.contains(&held.credential.attestor);
                let fits = risk <= u64::from(policy.max_risk);
                (self.is_member(held), trusted, now < expires, fits, expires)
            });
        let (credential, attestor, path) = match best {
            Some((held, credential)) => {
                (credential.clone(), held.credential.attestor, path_of(txn, held)?)
            }
            None => (self.no_identity(), nobody(), Path::filler()),
        };
        Ok(IdentityOpening { credential, attestor, path })
    }

    fn investor(
        &self,
        txn: &impl Store,
        policy: &Policy,
        rules: &Rules,
        jurisdiction: Jurisdiction,
        now: u64,
    ) -> Result<InvestorOpening, StoreError> {
        let any_of = rules.get(jurisdiction).any_of;
        let best = self
            .records
            .credentials
            .iter()
            .filter_map(|held| match &held.credential.claims {
                Claims::Investor(credential) => Some((held, credential)),
                Claims::Identity(_) => None,
            })
            .max_by_key(|(held, credential)| {
                let expires = to_u64(&credential.expires_at).unwrap_or(0);
                let categories = to_u64(&credential.categories).unwrap_or(0);
                let capital = to_u64(&credential.capital).unwrap_or(0);
                let trusted = policy.attestors.investor.contains(&held.credential.attestor);
                let fits = any_of == Categories::default() || categories & u64::from(any_of.0) != 0;
                (self.is_member(held), trusted, now < expires, fits, capital, expires)
            });
        let (credential, attestor, path) = match best {
            Some((held, credential)) => {
                (credential.clone(), held.credential.attestor, path_of(txn, held)?)
            }
            None => (self.no_investor(), nobody(), Path::filler()),
        };
        Ok(InvestorOpening { credential, attestor, path })
    }

    fn is_member(&self, held: &HeldCredential) -> bool {
        held.holder() == self.id && held.index.is_some() && !held.revoked
    }

    fn no_identity(&self) -> IdentityCredential {
        let zero = Fr::from(0u8);
        IdentityCredential::new(
            self.id,
            Subject::new(Fr::from(1u8)),
            Jurisdiction::new(0).expect("zero has 12 bits"),
            0,
            0,
            zero,
        )
    }

    fn no_investor(&self) -> InvestorCredential {
        InvestorCredential::new(self.id, Categories(0), 0, 0, Fr::from(0u8))
    }
}

/// The path of a credential's slot. A revoked slot's path leads to the tombstone, so that the
/// check names the membership clause.
fn path_of(txn: &impl Store, held: &HeldCredential) -> Result<Path<REGISTRY_DEPTH>, StoreError> {
    match held.index {
        Some(index) => view::credential_path(txn, index),
        None => Ok(Path::filler()),
    }
}

fn jurisdiction_of(credential: &IdentityCredential) -> Jurisdiction {
    let code = to_u64(&credential.jurisdiction).and_then(|code| u16::try_from(code).ok());
    code.and_then(Jurisdiction::new)
        .unwrap_or_else(|| Jurisdiction::new(0).expect("zero has 12 bits"))
}
