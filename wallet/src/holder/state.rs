//! What a holder's wallet knows, and how it learns it from the chain. Spec §4, §6, §7.
//!
//! Apart from credentials imported from files and the journal of transactions that were sent,
//! everything here is a function of the seed and the chain, so a wallet restored from its phrase
//! equals the original.

use std::collections::BTreeMap;

use placet_protocol::field::{AssetId, Commitment, HolderId, Nullifier};
use placet_protocol::genesis::ChainId;
use placet_protocol::keys::{NullifierKey, SecretKey};
use placet_protocol::sealed::{Claims, Credential, DeliveryNote, SealedDelivery, ViewingKey};
use placet_protocol::transfer::Mode;
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::store::{StoreError, Transaction as Store};
use redb::{ReadTransaction, TableDefinition, WriteTransaction};

use crate::account::{Account, SentState, TransferRecord};
use crate::client::{Role, RoleError};
use crate::seed::Seed;
use crate::vault::{Vault, VaultError};
use crate::view::{AssetState, Event, Tip};

/// The one sealed record of a wallet.
const STATE: TableDefinition<'static, (), &[u8]> = TableDefinition::new("holder.state");
const LABEL: &[u8] = b"holder.state.v1";

/// A credential of this holder.
#[derive(Clone, PartialEq, Eq)]
pub struct HeldCredential {
    /// The attestor and what it says.
    pub credential: Credential,
    /// Its slot in the registry; `None` while it was imported and not yet seen there.
    pub index: Option<u64>,
    /// Whether its attestor took it back.
    pub revoked: bool,
    /// Whether it came from a file: the chain alone will not restore it.
    pub imported: bool,
}

impl std::fmt::Debug for HeldCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldCredential({:?})", self.index)
    }
}

impl HeldCredential {
    /// Whose it is.
    pub fn holder(&self) -> HolderId {
        HolderId::new(match &self.credential.claims {
            Claims::Identity(identity) => identity.holder,
            Claims::Investor(investor) => investor.holder,
        })
    }
}

impl Wire for HeldCredential {
    fn write(&self, out: &mut Writer) {
        self.credential.write(out);
        out.option(&self.index);
        out.bool(self.revoked);
        out.bool(self.imported);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            credential: Credential::read(input)?,
            index: input.option()?,
            revoked: input.bool()?,
            imported: input.bool()?,
        })
    }
}

/// What became of a delivery to this holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceivedState {
    /// May be accepted.
    Open,
    /// Was accepted.
    Accepted,
    /// The sender took it back.
    Withdrawn,
}

/// A delivery to this holder.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The asset.
    pub asset: AssetId,
    /// Its opening.
    pub note: DeliveryNote,
    /// Its commitment, which names it.
    pub cm: Commitment,
    /// Its leaf.
    pub leaf: u64,
    /// Height at which it was made.
    pub height: u64,
    /// What became of it.
    pub state: ReceivedState,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Received({}, {:?})", self.cm, self.state)
    }
}

impl Wire for Received {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        self.note.write(out);
        self.cm.write(out);
        out.u64(self.leaf);
        out.u64(self.height);
        out.u8(match self.state {
            ReceivedState::Open => 0,
            ReceivedState::Accepted => 1,
            ReceivedState::Withdrawn => 2,
        });
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            note: DeliveryNote::read(input)?,
            cm: Commitment::read(input)?,
            leaf: input.u64()?,
            height: input.u64()?,
            state: match input.u8()? {
                0 => ReceivedState::Open,
                1 => ReceivedState::Accepted,
                2 => ReceivedState::Withdrawn,
                _ => return Err(DecodeError::UnknownTag),
            },
        })
    }
}

/// A transaction that was sent, or is about to be, and is not yet on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The asset.
    pub asset: AssetId,
    /// The position it spends.
    pub nf_position: Nullifier,
    /// Last height at which it can be executed.
    pub expiry_height: u64,
    /// Last block time at which it can be executed, seconds since the Unix epoch.
    pub until: u64,
    /// The transaction's bytes, for sending it again.
    pub bytes: Vec<u8>,
}

/// Longest transaction in the journal, bytes.
const MAX_PENDING: usize = placet_protocol::transaction::MAX_TRANSACTION_BYTES;

impl Wire for Pending {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        self.nf_position.write(out);
        out.u64(self.expiry_height);
        out.u64(self.until);
        out.blob(&self.bytes);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            nf_position: Nullifier::read(input)?,
            expiry_height: input.u64()?,
            until: input.u64()?,
            bytes: input.blob(MAX_PENDING)?.to_vec(),
        })
    }
}

/// What is written, sealed as one record.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub accounts: Vec<Account>,
    pub credentials: Vec<HeldCredential>,
    pub received: Vec<Received>,
    pub pending: Vec<Pending>,
}

impl Wire for Records {
    fn write(&self, out: &mut Writer) {
        out.list(&self.accounts);
        out.list(&self.credentials);
        out.list(&self.received);
        out.list(&self.pending);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Sealed by this wallet, so counts are bounded by the record itself.
        let any = u32::MAX as usize;
        Ok(Self {
            accounts: input.list(any)?,
            credentials: input.list(any)?,
            received: input.list(any)?,
            pending: input.list(any)?,
        })
    }
}

/// The keys and the records of a wallet, with look-up tables over them.
pub struct HolderState {
    pub(super) spending: SecretKey,
    pub(super) viewing: ViewingKey,
    pub(super) id: HolderId,
    pub(super) records: Records,
    chain: ChainId,
    vault: Vault,
    changed: bool,
    /// Next nullifier of an account to its place.
    next: BTreeMap<Nullifier, usize>,
    /// Nullifier of a received delivery to its place.
    arrivals: BTreeMap<Nullifier, usize>,
    /// Receipt of a sent delivery to account and place.
    receipts: BTreeMap<Commitment, (usize, usize)>,
}

impl std::fmt::Debug for HolderState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HolderState(..)")
    }
}

impl HolderState {
    pub(super) fn new(seed: &Seed, chain: ChainId) -> Self {
        let spending = seed.spending_key();
        Self {
            id: spending.public().holder(),
            spending,
            viewing: seed.viewing_key(),
            records: Records::default(),
            chain,
            vault: Vault::new(seed),
            changed: false,
            next: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// The account of an asset; every registered asset has one.
    pub(super) fn account(&self, asset: AssetId) -> Option<&Account> {
        self.records.accounts.iter().find(|account| account.asset == asset)
    }

    /// Writes the records if they changed.
    pub(super) fn write(&mut self, txn: &WriteTransaction) -> Result<(), RoleError> {
        if std::mem::take(&mut self.changed) {
            let plain = zeroize::Zeroizing::new(self.records.to_wire());
            let sealed = self.vault.seal(LABEL, &plain);
            let mut table = txn.open_table(STATE).map_err(StoreError::from)?;
            table.insert((), sealed.as_slice()).map_err(StoreError::from)?;
        }
        Ok(())
    }

    /// Adds a transaction to the journal, replacing an older one of the same position.
    pub(super) fn journal(&mut self, pending: Pending) {
        self.records.pending.retain(|old| old.nf_position != pending.nf_position);
        self.records.pending.push(pending);
        self.changed = true;
    }

    /// Takes a transaction out of the journal.
    pub(super) fn forget(&mut self, nf_position: Nullifier) {
        self.records.pending.retain(|pending| pending.nf_position != nf_position);
        self.changed = true;
    }

    /// Adds a credential unless it is there already.
    pub(super) fn add_credential(&mut self, held: HeldCredential) -> bool {
        let known =
            self.records.credentials.iter_mut().find(|known| known.credential == held.credential);
        if let Some(known) = known {
            known.index = known.index.or(held.index);
            known.imported &= held.imported;
            self.changed = true;
            return false;
        }
        self.records.credentials.push(held);
        self.changed = true;
        true
    }

    fn index(&mut self) {
        let records = &self.records;
        self.next = records
            .accounts
            .iter()
            .enumerate()
            .map(|(place, account)| (account.next_nullifier(), place))
            .collect();
        self.arrivals = records
            .received
            .iter()
            .enumerate()
            .map(|(place, received)| (received.note.key.nullifier(received.cm), place))
            .collect();
        self.receipts = BTreeMap::new();
        for (place, account) in records.accounts.iter().enumerate() {
            for (number, sent) in account.sent.iter().enumerate() {
                if sent.state == SentState::Unsettled {
                    self.receipts.insert(sent.note.key.receipt(sent.cm), (place, number));
                }
            }
        }
    }

    fn registered(&mut self, asset: &AssetState) {
        let shared = self.spending.agree(&asset.registration.agent.viewing);
        let nk = NullifierKey::derive(&shared, asset.id);
        let account = Account::genesis(asset.id, self.id, nk);
        self.next.insert(account.next_nullifier(), self.records.accounts.len());
        self.records.accounts.push(account);
        self.changed = true;
    }

    /// Tries to open a box; keeps what opens and rebuilds the published commitment.
    fn receive(
        &mut self,
        asset: AssetId,
        sealed: &SealedDelivery,
        cm: Commitment,
        leaf: u64,
        height: u64,
    ) {
        // Boxes of others do not open, and what a sender sealed badly is as good as not sent: it
        // can be taken back.
        let Ok(note) = sealed.open(&self.viewing, &self.chain) else { return };
        if note.amount == 0 || note.delivery(self.id).commit(asset) != cm {
            return;
        }
        self.arrivals.insert(note.key.nullifier(cm), self.records.received.len());
        let state = ReceivedState::Open;
        self.records.received.push(Received { asset, note, cm, leaf, height, state });
        self.changed = true;
    }

    fn transferred(
        &mut self,
        record: &TransferRecord,
        sealed: &SealedDelivery,
    ) -> Result<(), RoleError> {
        let receipt_leaf = record.first_leaf + 2;
        self.receive(
            record.asset,
            sealed,
            record.cm_delivery,
            record.first_leaf + 1,
            record.height,
        );
        if let Some(place) = self.next.get(&record.nf_position).copied() {
            self.follow(place, record)?;
        } else if let Some(place) = self.arrivals.get(&record.nf_delivery) {
            self.records.received[*place].state = ReceivedState::Withdrawn;
            self.changed = true;
        }
        if let Some((place, number)) = self.receipts.remove(&record.receipt) {
            self.records.accounts[place].see_receipt(number, receipt_leaf);
            self.changed = true;
        }
        Ok(())
    }

    fn follow(&mut self, place: usize, record: &TransferRecord) -> Result<(), RoleError> {
        let Records { accounts, received, pending, .. } = &mut self.records;
        let account = &mut accounts[place];
        let arrival = self.arrivals.get(&record.nf_delivery).copied();
        let followed = account.follow(record, |_| {
            arrival.map(|place| (received[place].note.clone(), received[place].cm))
        })?;
        match (followed.mode, arrival) {
            (Mode::Accept, Some(place)) => received[place].state = ReceivedState::Accepted,
            // Taken back by its sender, who is this holder too.
            (Mode::Refund, Some(place)) => received[place].state = ReceivedState::Withdrawn,
            _ => {}
        }
        if let Some(number) = followed.made {
            let sent = &account.sent[number];
            self.receipts.insert(sent.note.key.receipt(sent.cm), (place, number));
        }
        self.next.remove(&record.nf_position);
        self.next.insert(account.next_nullifier(), place);
        pending.retain(|pending| pending.nf_position != record.nf_position);
        self.changed = true;
        Ok(())
    }
}

impl Role for HolderState {
    fn load(&mut self, txn: &ReadTransaction) -> Result<(), RoleError> {
        let sealed = match Store::table(txn, STATE)? {
            Some(table) => {
                table.get(()).map_err(StoreError::from)?.map(|entry| entry.value().to_vec())
            }
            None => None,
        };
        self.records = match sealed {
            Some(sealed) => {
                let plain = self.vault.open(LABEL, &sealed)?;
                Records::from_wire(&plain).map_err(|_| VaultError)?
            }
            None => Records::default(),
        };
        self.changed = false;
        self.index();
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _: &WriteTransaction) -> Result<(), RoleError> {
        match event {
            Event::Issued { index, issue } => {
                let leaf = issue.leaf();
                let known = self
                    .records
                    .credentials
                    .iter_mut()
                    .find(|held| held.index.is_none() && held.credential.leaf() == leaf);
                if let Some(held) = known {
                    held.index = Some(*index);
                    self.changed = true;
                }
                if let Ok(credential) = issue.sealed.open(&self.viewing, &self.chain) {
                    let held = HeldCredential {
                        credential,
                        index: Some(*index),
                        revoked: false,
                        imported: false,
                    };
                    // The attestor could have sealed anything.
                    if held.credential.leaf() == leaf && held.holder() == self.id {
                        self.add_credential(held);
                    }
                }
            }
            Event::Revoked { revoke } => {
                for held in &mut self.records.credentials {
                    if held.index == Some(revoke.leaf) {
                        held.revoked = true;
                        self.changed = true;
                    }
                }
            }
            Event::Registered { asset } => self.registered(asset),
            Event::Minted { mint, cm, leaf, height } => {
                let allotment = &mint.allotment;
                self.receive(allotment.asset, &allotment.for_receiver, *cm, *leaf, *height);
            }
            Event::Transferred { record, sealed } => self.transferred(record, sealed)?,
        }
        Ok(())
    }

    fn save(&mut self, txn: &WriteTransaction, tip: &Tip) -> Result<(), RoleError> {
        let before = self.records.pending.len();
        self.records
            .pending
            .retain(|pending| tip.height <= pending.expiry_height && tip.time <= pending.until);
        self.changed |= self.records.pending.len() != before;
        self.write(txn)
    }
}
