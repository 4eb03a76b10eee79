//! How a transfer agent follows every holder of its assets. Spec §7, "What the transfer agent
//! gets from this".
//!
//! From the mints it countersigned it knows each first holder's key; it computes `nk`, recognises
//! every transaction by a table look-up of the next nullifier, opens it with the pads, and learns
//! further holders from the receivers disclosed. All of it follows from the agent's seed and the
//! chain.

use std::collections::{BTreeMap, BTreeSet};

use ark_bn254::Fr;
use placet_protocol::field::{AssetId, Commitment, HolderId, Nullifier, RefundTag};
use placet_protocol::genesis::ChainId;
use placet_protocol::keys::{NullifierKey, PublicKey, SecretKey};
use placet_protocol::sealed::{DeliveryNote, ViewingKey};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::asset::{AgentKeys, Allotment, Mint};
use placet_protocol::transfer::Mode;
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::store::{StoreError, Transaction as Store};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::account::{Account, SentState, TransferRecord};
use crate::client::{Role, RoleError};
use crate::seed::Seed;
use crate::vault::{Vault, VaultError};
use crate::view::{self, Event, Tip};

type Records = TableDefinition<'static, u64, &'static [u8]>;
const ASSETS: Records = TableDefinition::new("agent.assets");
const ACCOUNTS: Records = TableDefinition::new("agent.accounts");
const MINTED: Records = TableDefinition::new("agent.minted");
const UNEXPLAINED: Records = TableDefinition::new("agent.unexplained");

/// An allotment that this agent countersigned.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The asset.
    pub asset: AssetId,
    /// Its opening.
    pub note: DeliveryNote,
    /// The receiver.
    pub to: HolderId,
    /// Its commitment.
    pub cm: Commitment,
    /// Height at which it was made.
    pub height: u64,
    /// Whether the receiver took it in.
    pub accepted: bool,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Minted({})", self.cm)
    }
}

impl Wire for Minted {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        self.note.write(out);
        self.to.write(out);
        self.cm.write(out);
        out.u64(self.height);
        out.bool(self.accepted);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            note: DeliveryNote::read(input)?,
            to: HolderId::read(input)?,
            cm: Commitment::read(input)?,
            height: input.u64()?,
            accepted: input.bool()?,
        })
    }
}

/// Something on the chain that the register cannot account for. It never happens while proofs are
/// verified and every mint is checked before it is countersigned; until it is explained the
/// register does not claim to be exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The asset.
    pub asset: AssetId,
    /// Height of the block.
    pub height: u64,
}

impl Wire for Unexplained {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        out.u64(self.height);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { asset: AssetId::read(input)?, height: input.u64()? })
    }
}

/// A list that is stored one sealed record an item, and rewritten item by item.
struct Stored<T> {
    items: Vec<T>,
    changed: BTreeSet<usize>,
}

impl<T> Default for Stored<T> {
    fn default() -> Self {
        Self { items: Vec::new(), changed: BTreeSet::new() }
    }
}

impl<T: Wire> Stored<T> {
    fn push(&mut self, item: T) -> usize {
        self.items.push(item);
        self.changed.insert(self.items.len() - 1);
        self.items.len() - 1
    }

    fn change(&mut self, place: usize) -> &mut T {
        self.changed.insert(place);
        &mut self.items[place]
    }

    fn load(txn: &ReadTransaction, table: Records, vault: &Vault) -> Result<Self, RoleError> {
        let mut stored = Self::default();
        let Some(records) = Store::table(txn, table)? else { return Ok(stored) };
        for entry in records.iter().map_err(StoreError::from)? {
            let (number, record) = entry.map_err(StoreError::from)?;
            if number.value() != stored.items.len() as u64 {
                return Err(StoreError::Corrupt.into());
            }
            let plain = vault.open(&label(table, number.value()), record.value())?;
            stored.items.push(T::from_wire(&plain).map_err(|_| VaultError)?);
        }
        Ok(stored)
    }

    fn save(
        &mut self,
        txn: &WriteTransaction,
        table: Records,
        vault: &Vault,
    ) -> Result<(), StoreError> {
        let mut records = txn.open_table(table)?;
        for place in std::mem::take(&mut self.changed) {
            let plain = zeroize::Zeroizing::new(self.items[place].to_wire());
            let number = place as u64;
            records.insert(number, vault.seal(&label(table, number), &plain).as_slice())?;
        }
        Ok(())
    }
}

/// A record opens in its own place only.
fn label(table: Records, number: u64) -> Vec<u8> {
    use redb::TableHandle;
    [table.name().as_bytes(), &number.to_le_bytes()].concat()
}

/// Where the opening of an incoming delivery is found.
#[derive(Clone, Copy)]
enum Arrival {
    Minted(usize),
    Sent(usize, usize),
}

/// The agent's keys and registers.
pub struct AgentState {
    pub(super) viewing: SecretKey,
    pub(super) sealing: ViewingKey,
    pub(super) signing: SigningKey,
    chain: ChainId,
    vault: Vault,
    assets: Stored<AssetId>,
    accounts: Stored<Account>,
    minted: Stored<Minted>,
    unexplained: Stored<Unexplained>,
    /// Asset and holder to account.
    holders: BTreeMap<(AssetId, HolderId), usize>,
    /// Next nullifier to account.
    next: BTreeMap<Nullifier, usize>,
    /// Nullifier of a delivery to its opening.
    arrivals: BTreeMap<Nullifier, Arrival>,
    /// Receipt of a sent delivery to account and place.
    receipts: BTreeMap<Commitment, (usize, usize)>,
}

impl std::fmt::Debug for AgentState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentState(..)")
    }
}

impl AgentState {
    pub(super) fn new(seed: &Seed, chain: ChainId) -> Self {
        Self {
            viewing: seed.agent_key(),
            sealing: seed.agent_sealing_key(),
            signing: seed.signing_key(),
            chain,
            vault: Vault::new(seed),
            assets: Stored::default(),
            accounts: Stored::default(),
            minted: Stored::default(),
            unexplained: Stored::default(),
            holders: BTreeMap::new(),
            next: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    pub(super) fn keys(&self) -> AgentKeys {
        AgentKeys {
            viewing: self.viewing.public(),
            sealing: self.sealing.public(),
            signing: self.signing.public(),
        }
    }

    pub(super) fn is_agent_of(&self, asset: AssetId) -> bool {
        self.assets.items.contains(&asset)
    }

    pub(super) fn account(&self, asset: AssetId, holder: HolderId) -> Option<&Account> {
        self.holders.get(&(asset, holder)).map(|place| &self.accounts.items[*place])
    }

    pub(super) fn account_spending(&self, nf_position: Nullifier) -> Option<&Account> {
        self.next.get(&nf_position).map(|place| &self.accounts.items[*place])
    }

    pub(super) fn accounts(&self, asset: AssetId) -> impl Iterator<Item = &Account> {
        self.holders
            .range((asset, HolderId::new(Fr::from(0u8)))..)
            .take_while(move |((of, _), _)| *of == asset)
            .map(|(_, place)| &self.accounts.items[*place])
    }

    pub(super) fn minted(&self, asset: AssetId) -> impl Iterator<Item = &Minted> {
        self.minted.items.iter().filter(move |minted| minted.asset == asset)
    }

    pub(super) fn unexplained(&self, asset: AssetId) -> usize {
        self.unexplained.items.iter().filter(|item| item.asset == asset).count()
    }

    /// The opening of a delivery by its nullifier, with its receiver.
    pub(super) fn arrival(
        &self,
        nullifier: Nullifier,
    ) -> Option<(&DeliveryNote, Commitment, HolderId)> {
        Some(match *self.arrivals.get(&nullifier)? {
            Arrival::Minted(place) => {
                let minted = &self.minted.items[place];
                (&minted.note, minted.cm, minted.to)
            }
            Arrival::Sent(place, number) => {
                let sent = &self.accounts.items[place].sent[number];
                (&sent.note, sent.cm, sent.to)
            }
        })
    }

    /// The opening of an allotment if the agent may sign it: `for_agent` opens, rebuilds the
    /// owner tag, and names a key that lifts to a subgroup point, so that no holder is hidden.
    pub(super) fn open_allotment(&self, allotment: &Allotment) -> Option<(HolderId, DeliveryNote)> {
        let opening = allotment.for_agent.open(&self.sealing, &self.chain).ok()?;
        PublicKey::from_holder(opening.to).ok()?;
        if opening.key.owner_tag(opening.to) != allotment.owner_tag {
            return None;
        }
        let note = DeliveryNote {
            amount: allotment.amount,
            unlock_at: allotment.unlock_at,
            deadline: 0,
            key: opening.key,
            refund_tag: RefundTag::new(Fr::from(0u8)),
        };
        Some((opening.to, note))
    }

    fn index(&mut self) {
        self.holders = BTreeMap::new();
        self.next = BTreeMap::new();
        self.arrivals = BTreeMap::new();
        self.receipts = BTreeMap::new();
        for (place, minted) in self.minted.items.iter().enumerate() {
            self.arrivals.insert(minted.note.key.nullifier(minted.cm), Arrival::Minted(place));
        }
        for (place, account) in self.accounts.items.iter().enumerate() {
            self.holders.insert((account.asset, account.holder), place);
            self.next.insert(account.next_nullifier(), place);
            for (number, sent) in account.sent.iter().enumerate() {
                let nullifier = sent.note.key.nullifier(sent.cm);
                self.arrivals.insert(nullifier, Arrival::Sent(place, number));
                if sent.state == SentState::Unsettled {
                    self.receipts.insert(sent.note.key.receipt(sent.cm), (place, number));
                }
            }
        }
    }

    /// Adds a holder and walks its chain from genesis through history: it may have made empty
    /// transfers before anything was sent to it.
    fn learn(
        &mut self,
        asset: AssetId,
        holder: HolderId,
        txn: &WriteTransaction,
    ) -> Result<(), RoleError> {
        let mut queue = vec![holder];
        while let Some(holder) = queue.pop() {
            // A receiver that is no key can never accept; its sender takes the units back.
            let Ok(key) = PublicKey::from_holder(holder) else { continue };
            if self.holders.contains_key(&(asset, holder)) {
                continue;
            }
            let nk = NullifierKey::derive(&self.viewing.agree(&key), asset);
            let place = self.accounts.push(Account::genesis(asset, holder, nk));
            self.holders.insert((asset, holder), place);
            let mut nullifier = self.accounts.items[place].next_nullifier();
            self.next.insert(nullifier, place);
            while let Some(record) = view::transfer(txn, nullifier)? {
                queue.extend(self.follow(place, &record));
                let next = self.accounts.items[place].next_nullifier();
                if next == nullifier {
                    break;
                }
                nullifier = next;
            }
        }
        Ok(())
    }

    /// Follows one transfer of a known account and returns its receiver.
    fn follow(&mut self, place: usize, record: &TransferRecord) -> Option<HolderId> {
        let arrival = self.arrivals.get(&record.nf_delivery).copied();
        let holder = self.accounts.items[place].holder;
        let opening = self
            .arrival(record.nf_delivery)
            .filter(|(_, _, to)| *to == holder)
            .map(|(note, cm, _)| (note.clone(), cm));
        let Ok(followed) = self.accounts.change(place).follow(record, |_| opening) else {
            let (asset, height) = (record.asset, record.height);
            self.unexplained.push(Unexplained { asset, height });
            return None;
        };
        if let (Mode::Accept, Some(Arrival::Minted(minted))) = (followed.mode, arrival) {
            self.minted.change(minted).accepted = true;
        }
        self.next.remove(&record.nf_position);
        let account = &self.accounts.items[place];
        self.next.insert(account.next_nullifier(), place);
        let receiver = followed.made.map(|number| {
            let sent = &account.sent[number];
            let nullifier = sent.note.key.nullifier(sent.cm);
            self.arrivals.insert(nullifier, Arrival::Sent(place, number));
            self.receipts.insert(sent.note.key.receipt(sent.cm), (place, number));
            sent.to
        });
        if let Some((place, number)) = self.receipts.remove(&record.receipt) {
            self.accounts.change(place).see_receipt(number, record.first_leaf + 2);
        }
        receiver
    }

    fn mint(
        &mut self,
        mint: &Mint,
        cm: Commitment,
        height: u64,
        txn: &WriteTransaction,
    ) -> Result<(), RoleError> {
        let asset = mint.allotment.asset;
        let Some((to, note)) = self.open_allotment(&mint.allotment) else {
            self.unexplained.push(Unexplained { asset, height });
            return Ok(());
        };
        let nullifier = note.key.nullifier(cm);
        let place = self.minted.push(Minted { asset, note, to, cm, height, accepted: false });
        self.arrivals.insert(nullifier, Arrival::Minted(place));
        self.learn(asset, to, txn)
    }
}

impl Role for AgentState {
    fn load(&mut self, txn: &ReadTransaction) -> Result<(), RoleError> {
        self.assets = Stored::load(txn, ASSETS, &self.vault)?;
        self.accounts = Stored::load(txn, ACCOUNTS, &self.vault)?;
        self.minted = Stored::load(txn, MINTED, &self.vault)?;
        self.unexplained = Stored::load(txn, UNEXPLAINED, &self.vault)?;
        self.index();
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, txn: &WriteTransaction) -> Result<(), RoleError> {
        match event {
            Event::Registered { asset } => {
                if asset.registration.agent.viewing == self.viewing.public() {
                    self.assets.push(asset.id);
                }
            }
            Event::Minted { mint, cm, height, .. } => {
                if self.is_agent_of(mint.allotment.asset) {
                    self.mint(mint, *cm, *height, txn)?;
                }
            }
            Event::Transferred { record, .. } => {
                if let Some(place) = self.next.get(&record.nf_position).copied()
                    && let Some(receiver) = self.follow(place, record)
                {
                    self.learn(record.asset, receiver, txn)?;
                }
            }
            Event::Issued { .. } | Event::Revoked { .. } => {}
        }
        Ok(())
    }

    fn save(&mut self, txn: &WriteTransaction, _: &Tip) -> Result<(), RoleError> {
        self.assets.save(txn, ASSETS, &self.vault)?;
        self.accounts.save(txn, ACCOUNTS, &self.vault)?;
        self.minted.save(txn, MINTED, &self.vault)?;
        self.unexplained.save(txn, UNEXPLAINED, &self.vault)?;
        Ok(())
    }
}
