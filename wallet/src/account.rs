//! One holder's holdings of one asset, followed on the chain by whoever knows `nk`: the holder
//! and the asset's transfer agent. Spec §6, §7.
//!
//! Both follow the same rule: the next nullifier of the position is known, the transfer that
//! spends it is opened with the disclosure pads, its incoming slot is recognised by its nullifier,
//! and the new position must open the published commitment. So a wallet rebuilt from its seed
//! phrase and an agent's register are exact, not guesses, and a wallet's memory is never a source
//! of truth.

use ark_bn254::Fr;
use placet_protocol::delivery::{DeliveryKey, absent_nullifier, no_receipt, settled_nullifier};
use placet_protocol::field::{AssetId, Commitment, HolderId, Nullifier, RefundTag, Subject};
use placet_protocol::keys::NullifierKey;
use placet_protocol::position::{Position, genesis_rho};
use placet_protocol::sealed::DeliveryNote;
use placet_protocol::transfer::{Disclosed, Mode};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};

/// The public part of a transfer as the chain recorded it, and where its leaves stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRecord {
    /// The asset.
    pub asset: AssetId,
    /// Height of its block.
    pub height: u64,
    /// Spends the old position.
    pub nf_position: Nullifier,
    /// Spends what came in, or says invisibly that nothing did.
    pub nf_delivery: Nullifier,
    /// The new position; its leaf is [`Self::first_leaf`].
    pub cm_position: Commitment,
    /// The delivery made; the next leaf.
    pub cm_delivery: Commitment,
    /// The receipt or its filler; the leaf after that.
    pub receipt: Commitment,
    /// Units redeemed.
    pub redeemed: u64,
    /// The padded disclosure.
    pub disclosure: [Fr; 3],
    /// Index of the position's leaf in the note tree.
    pub first_leaf: u64,
}

impl Wire for TransferRecord {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        out.u64(self.height);
        self.nf_position.write(out);
        self.nf_delivery.write(out);
        self.cm_position.write(out);
        self.cm_delivery.write(out);
        self.receipt.write(out);
        out.u64(self.redeemed);
        self.disclosure.iter().for_each(|value| out.field(value));
        out.u64(self.first_leaf);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            height: input.u64()?,
            nf_position: Nullifier::read(input)?,
            nf_delivery: Nullifier::read(input)?,
            cm_position: Commitment::read(input)?,
            cm_delivery: Commitment::read(input)?,
            receipt: Commitment::read(input)?,
            redeemed: input.u64()?,
            disclosure: [input.field()?, input.field()?, input.field()?],
            first_leaf: input.u64()?,
        })
    }
}

/// What a position holds, in the asset's smallest unit and seconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// Units at the holder's disposal, locked ones included.
    pub balance: u64,
    /// Units sent and neither settled nor taken back.
    pub in_flight: u64,
    /// Units of the balance that do not move before `unlock_at`.
    pub locked: u64,
    /// When the lock ends.
    pub unlock_at: u64,
}

impl std::fmt::Debug for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Holding(..)")
    }
}

impl Holding {
    /// Everything that counts as held: the balance and what is in flight.
    pub fn held(&self) -> u64 {
        self.balance.saturating_add(self.in_flight)
    }

    /// Units that may be sent at `now`.
    pub fn available(&self, now: u64) -> u64 {
        let locked = if now < self.unlock_at { self.locked } else { 0 };
        self.balance.saturating_sub(locked)
    }
}

impl Wire for Holding {
    fn write(&self, out: &mut Writer) {
        out.u64(self.balance);
        out.u64(self.in_flight);
        out.u64(self.locked);
        out.u64(self.unlock_at);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            balance: input.u64()?,
            in_flight: input.u64()?,
            locked: input.u64()?,
            unlock_at: input.u64()?,
        })
    }
}

/// What became of a delivery that this holder made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    /// Nobody has taken it in; the sender may take it back after the deadline.
    Unsettled,
    /// The receiver took it in; the receipt is at this leaf and waits to be settled.
    Accepted {
        /// Leaf of the receipt.
        receipt_leaf: u64,
    },
    /// Settled: no longer in flight.
    Settled,
    /// Taken back.
    Refunded,
}

/// A delivery that this holder made.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its opening.
    pub note: DeliveryNote,
    /// The receiver.
    pub to: HolderId,
    /// Its commitment.
    pub cm: Commitment,
    /// Its leaf.
    pub leaf: u64,
    /// Height at which it was made.
    pub height: u64,
    /// What became of it.
    pub state: SentState,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sent({}, {:?})", self.cm, self.state)
    }
}

impl Sent {
    /// Whether its units still count as in flight.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.state, SentState::Unsettled | SentState::Accepted { .. })
    }
}

impl Wire for Sent {
    fn write(&self, out: &mut Writer) {
        self.note.write(out);
        self.to.write(out);
        self.cm.write(out);
        out.u64(self.leaf);
        out.u64(self.height);
        let (tag, leaf) = match self.state {
            SentState::Unsettled => (0, 0),
            SentState::Accepted { receipt_leaf } => (1, receipt_leaf),
            SentState::Settled => (2, 0),
            SentState::Refunded => (3, 0),
        };
        out.u8(tag);
        out.u64(leaf);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            note: DeliveryNote::read(input)?,
            to: HolderId::read(input)?,
            cm: Commitment::read(input)?,
            leaf: input.u64()?,
            height: input.u64()?,
            state: match (input.u8()?, input.u64()?) {
                (0, 0) => SentState::Unsettled,
                (1, receipt_leaf) => SentState::Accepted { receipt_leaf },
                (2, 0) => SentState::Settled,
                (3, 0) => SentState::Refunded,
                _ => return Err(DecodeError::UnknownTag),
            },
        })
    }
}

/// A transfer spends this account's position, but cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The transfer does not spend the account's current position.
    #[error("the transfer does not spend this position")]
    NotNext,
    /// The pads give no disclosure: the proof cannot have been verified.
    #[error("the transfer's disclosure does not open: this chain's proofs were not verified")]
    Undisclosed,
    /// A delivery came in whose opening was never seen.
    #[error(
        "the transfer takes in a delivery whose opening is unknown here: replay from genesis, and \
         import the mint's opening if it was handed over outside of the chain"
    )]
    UnknownDelivery,
    /// Amounts do not add up to the published commitment.
    #[error("the new position does not open its commitment: this chain's proofs were not verified")]
    DoesNotOpen,
}

/// How a followed transfer used its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// How the incoming slot was used.
    pub mode: Mode,
    /// Commitment of what came in, was taken back or settled.
    pub incoming: Option<Commitment>,
    /// The delivery that was made, if it carries anything: an index into [`Account::sent`].
    pub made: Option<usize>,
}

/// A holder's position of one asset with the deliveries it made.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The asset.
    pub asset: AssetId,
    /// The holder.
    pub holder: HolderId,
    /// What the position holds.
    pub holding: Holding,
    /// Leaf of the position; `None` while it is the virtual, empty one.
    pub leaf: Option<u64>,
    /// The holder's document, disclosed by its last transfer.
    pub subject: Option<Subject>,
    /// Deliveries that carry something, oldest first.
    pub sent: Vec<Sent>,
    nk: NullifierKey,
    rho: Fr,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({}, {})", self.asset, self.holder)
    }
}

impl Account {
    /// The virtual, empty position with which every holder begins.
    pub fn genesis(asset: AssetId, holder: HolderId, nk: NullifierKey) -> Self {
        Self {
            asset,
            holder,
            holding: Holding::default(),
            leaf: None,
            subject: None,
            sent: Vec::new(),
            nk,
            rho: genesis_rho(),
        }
    }

    /// The holder's nullifier key for the asset.
    pub fn nk(&self) -> &NullifierKey {
        &self.nk
    }

    /// The position as the statement takes it.
    pub fn position(&self) -> Position {
        Position {
            balance: Fr::from(self.holding.balance),
            in_flight: Fr::from(self.holding.in_flight),
            locked: Fr::from(self.holding.locked),
            unlock_at: Fr::from(self.holding.unlock_at),
            rho: self.rho,
        }
    }

    /// The nullifier that the next transfer will publish.
    pub fn next_nullifier(&self) -> Nullifier {
        self.position().nullifier(&self.nk)
    }

    /// The oldest delivery that waits to be settled.
    pub fn settleable(&self) -> Option<&Sent> {
        self.sent.iter().find(|sent| matches!(sent.state, SentState::Accepted { .. }))
    }

    /// Notes that the receiver of delivery `index` took it in and left its receipt at
    /// `receipt_leaf`.
    pub fn see_receipt(&mut self, index: usize, receipt_leaf: u64) {
        if let Some(sent) = self.sent.get_mut(index)
            && sent.state == SentState::Unsettled
        {
            sent.state = SentState::Accepted { receipt_leaf };
        }
    }

    /// Follows a transfer that spends this position. `arrivals` finds the opening of a delivery
    /// addressed to this holder by its nullifier.
    ///
    /// The account is unchanged when an error is returned.
    pub fn follow(
        &mut self,
        record: &TransferRecord,
        arrivals: impl FnOnce(Nullifier) -> Option<(DeliveryNote, Commitment)>,
    ) -> Result<Followed, FollowError> {
        if record.asset != self.asset || record.nf_position != self.next_nullifier() {
            return Err(FollowError::NotNext);
        }
        let disclosed =
            Disclosed::open(&self.nk, record.cm_position, record.cm_delivery, &record.disclosure)
                .ok_or(FollowError::Undisclosed)?;
        let slot = self.recognise(record, arrivals)?;
        let (taken_in, landed) = match slot.mode {
            Mode::Absent => (0, 0),
            Mode::Accept => (slot.amount, 0),
            Mode::Refund => (slot.amount, slot.amount),
            Mode::Settle => (0, slot.amount),
        };
        let balance = i128::from(self.holding.balance) + i128::from(taken_in)
            - i128::from(disclosed.amount)
            - i128::from(record.redeemed);
        let in_flight =
            i128::from(self.holding.in_flight) + i128::from(disclosed.amount) - i128::from(landed);
        let next = Self {
            holding: Holding {
                balance: u64::try_from(balance).map_err(|_| FollowError::DoesNotOpen)?,
                in_flight: u64::try_from(in_flight).map_err(|_| FollowError::DoesNotOpen)?,
                locked: disclosed.locked,
                unlock_at: disclosed.unlock_at,
            },
            leaf: Some(record.first_leaf),
            subject: Some(disclosed.subject),
            rho: record.nf_position.get(),
            sent: std::mem::take(&mut self.sent),
            nk: self.nk.clone(),
            ..*self
        };
        let opens = next.position().commit(self.asset, self.holder, &self.nk) == record.cm_position;
        let made = (disclosed.amount > 0).then(|| next.made(record, &disclosed));
        if !opens || made.as_ref().is_some_and(|sent| sent.cm != record.cm_delivery) {
            self.sent = next.sent;
            return Err(FollowError::DoesNotOpen);
        }
        *self = next;
        if let Some(index) = slot.own {
            self.sent[index].state = match slot.mode {
                Mode::Settle => SentState::Settled,
                _ => SentState::Refunded,
            };
        }
        let made = made.map(|sent| {
            self.sent.push(sent);
            self.sent.len() - 1
        });
        Ok(Followed { mode: slot.mode, incoming: slot.cm, made })
    }

    /// Which of the four modes the incoming slot shows.
    fn recognise(
        &self,
        record: &TransferRecord,
        arrivals: impl FnOnce(Nullifier) -> Option<(DeliveryNote, Commitment)>,
    ) -> Result<Slot, FollowError> {
        let nf = record.nf_delivery;
        if nf == absent_nullifier(&self.nk, record.cm_delivery) {
            return Ok(Slot { mode: Mode::Absent, amount: 0, cm: None, own: None });
        }
        // Accept and refund share a nullifier, and a holder may send to itself: the receipt tells
        // them apart.
        let accepting = record.receipt != no_receipt(&self.nk, record.cm_delivery);
        if accepting {
            let (note, cm) = arrivals(nf).ok_or(FollowError::UnknownDelivery)?;
            let genuine = note.key.nullifier(cm) == nf && note.key.receipt(cm) == record.receipt;
            return if genuine {
                Ok(Slot { mode: Mode::Accept, amount: note.amount, cm: Some(cm), own: None })
            } else {
                Err(FollowError::UnknownDelivery)
            };
        }
        self.sent
            .iter()
            .enumerate()
            .filter(|(_, sent)| sent.is_in_flight())
            .find_map(|(index, sent)| {
                let mode = if settled_nullifier(&self.nk, sent.cm) == nf {
                    Mode::Settle
                } else if sent.note.key.nullifier(sent.cm) == nf {
                    Mode::Refund
                } else {
                    return None;
                };
                let (amount, cm) = (sent.note.amount, Some(sent.cm));
                Some(Slot { mode, amount, cm, own: Some(index) })
            })
            .ok_or(FollowError::UnknownDelivery)
    }

    /// The delivery that a transfer made: its key follows from `nk`, the spent nullifier and what
    /// the transfer disclosed.
    fn made(&self, record: &TransferRecord, disclosed: &Disclosed) -> Sent {
        let key =
            DeliveryKey::derive(&self.nk, record.nf_position, disclosed.to, disclosed.subject);
        let note = DeliveryNote {
            amount: disclosed.amount,
            unlock_at: 0,
            deadline: disclosed.deadline,
            refund_tag: RefundTag::new(key.refund_tag(&self.nk).get()),
            key,
        };
        let cm = note.delivery(disclosed.to).commit(self.asset);
        Sent {
            note,
            to: disclosed.to,
            cm,
            leaf: record.first_leaf + 1,
            height: record.height,
            state: SentState::Unsettled,
        }
    }
}

struct Slot {
    mode: Mode,
    amount: u64,
    cm: Option<Commitment>,
    /// Index of the own delivery that was settled or taken back.
    own: Option<usize>,
}

/// For sealed records only: it holds `nk`.
impl Wire for Account {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        self.holder.write(out);
        self.holding.write(out);
        out.option(&self.leaf);
        out.option(&self.subject);
        out.list(&self.sent);
        out.field(&self.nk.expose());
        out.field(&self.rho);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            holder: HolderId::read(input)?,
            holding: Holding::read(input)?,
            leaf: input.option()?,
            subject: input.option()?,
            sent: input.list(u32::MAX as usize)?,
            nk: NullifierKey::from_parts(input.field()?),
            rho: input.field()?,
        })
    }
}
