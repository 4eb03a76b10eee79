//! The transfer agent: the exact live register of its assets, countersignatures on allotments and
//! redemptions, freezes. Spec §3, §6 to §8.

pub mod state;

use std::num::NonZeroU64;
use std::path::Path;

use ark_bn254::Fr;
use placet_protocol::field::{AssetId, Commitment, HolderId, Nullifier, Subject};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::position::nullifier_after;
use placet_protocol::signing::Signature;
use placet_protocol::transaction::asset::{
    AgentConsent, AgentKeys, Allotment, Freeze, MAX_FREEZE, Officer, Pause, Registration, Release,
};
use placet_protocol::transaction::transfer::sign_redemption;
use placet_protocol::transaction::{Signed, Transaction, TransferBody};
use placet_registry::store::StoreError;
use redb::{Database, ReadTransaction};

pub use state::{AgentState, Minted};

use crate::account::{Account, Holding, TransferRecord};
use crate::client::{Client, OpenError, Progress, SyncError};
use crate::network::Network;
use crate::seed::Seed;
use crate::view::{self, AssetState, Tip};

/// Why the agent does not act.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No such asset, or another agent's.
    #[error("this agent has no such asset: check its id, and sync")]
    NotOurs,
    /// No such holder.
    #[error("the register has no such holder: check the id, and sync")]
    UnknownHolder,
    /// No such delivery.
    #[error("the register has no such delivery: check the id, and sync")]
    UnknownDelivery,
    /// A registration that names other keys.
    #[error("the registration names other keys as the transfer agent's: do not sign it")]
    OtherKeys,
    /// A mint whose opening does not check.
    #[error(
        "the allotment's opening for the agent does not rebuild its owner tag, or names no valid \
         key: do not sign it, it would hide a holder from the register for good"
    )]
    BadOpening,
    /// A redemption that is none.
    #[error("this transfer redeems nothing: there is nothing to sign")]
    NothingRedeemed,
    /// The redemption does not follow from the register.
    #[error(
        "this redemption does not follow from the position that the register shows: sync, and ask \
         the holder for a new one if it persists"
    )]
    DoesNotFollow,
    /// Too many or too few nullifiers.
    #[error("freeze between 1 and {MAX_FREEZE} transactions at a time")]
    Count,
    /// Nothing frozen.
    #[error("nothing of this holder is frozen")]
    NotFrozen,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One line of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The holder's key.
    pub holder: HolderId,
    /// Its identity document, once it made a transfer.
    pub subject: Option<Subject>,
    /// What it has.
    pub holding: Holding,
}

/// The register of one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// The asset.
    pub asset: AssetState,
    /// Everybody who has, or ever had, a position or a delivery; in order of keys.
    pub entries: Vec<Entry>,
    /// Units allotted and not yet accepted.
    pub unaccepted: u64,
    /// Whether every transaction was explained and the units add up to the public supply.
    pub exact: bool,
}

/// What a redemption would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedemptionReview {
    /// Who redeems.
    pub holder: HolderId,
    /// Units.
    pub amount: NonZeroU64,
    /// Before.
    pub before: Holding,
    /// After.
    pub after: Holding,
}

/// A transfer agent.
#[derive(Debug)]
pub struct Agent {
    client: Client<AgentState>,
}

impl Agent {
    /// Opens the agent's store at `path`, or begins one. The register is rebuilt from the seed and
    /// the chain, so beginning a new one loses nothing.
    pub fn open(path: &Path, genesis: &Genesis, seed: &Seed) -> Result<Self, OpenError> {
        let role = AgentState::new(seed, genesis.chain_id());
        Ok(Self { client: Client::open(path, genesis, role)? })
    }

    /// The same over a database that the caller opened.
    pub fn with_database(
        database: Database,
        genesis: &Genesis,
        seed: &Seed,
    ) -> Result<Self, OpenError> {
        let role = AgentState::new(seed, genesis.chain_id());
        Ok(Self { client: Client::with_database(database, genesis, role)? })
    }

    /// Follows the network to its newest block.
    pub fn sync(
        &mut self,
        network: &dyn Network,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tip, SyncError> {
        self.client.sync(network, progress)
    }

    /// A snapshot of public state, for the functions of [`view`].
    pub fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.client.read()
    }

    /// The agent's public keys, for an issuer's registration.
    pub fn keys(&self) -> AgentKeys {
        self.state().keys()
    }

    /// The agent's assets in order of registration.
    pub fn assets(&self) -> Result<Vec<AssetState>, StoreError> {
        let mut assets = view::assets(&self.read()?)?;
        assets.retain(|asset| self.state().is_agent_of(asset.id));
        Ok(assets)
    }

    /// Takes on an asset: signature and proof that this agent holds the viewing key. `random` must
    /// be 32 fresh bytes.
    pub fn consent(
        &self,
        registration: &Registration,
        random: &[u8; 32],
    ) -> Result<AgentConsent, AgentError> {
        let state = self.state();
        if registration.agent != state.keys() {
            return Err(AgentError::OtherKeys);
        }
        Ok(registration.consent(self.chain(), &state.viewing, &state.signing, random))
    }

    /// Countersigns an allotment after checking its opening. Returns the receiver for the agent's
    /// own files.
    pub fn countersign_mint(
        &self,
        allotment: &Allotment,
    ) -> Result<(HolderId, Signature), AgentError> {
        let state = self.state();
        if !state.is_agent_of(allotment.asset) {
            return Err(AgentError::NotOurs);
        }
        let (to, _) = state.open_allotment(allotment).ok_or(AgentError::BadOpening)?;
        Ok((to, allotment.sign_as_agent(self.chain(), &state.signing)))
    }

    /// What a redemption would do, from the transfer as the holder shows it (its proof and the
    /// missing signature do not matter).
    pub fn review_redemption(&self, body: &TransferBody) -> Result<RedemptionReview, AgentError> {
        let state = self.state();
        let amount = body.redemption.map(|redemption| redemption.amount);
        let amount = amount.ok_or(AgentError::NothingRedeemed)?;
        if !state.is_agent_of(body.asset) {
            return Err(AgentError::NotOurs);
        }
        let account = state.account_spending(body.nf_position).ok_or(AgentError::DoesNotFollow)?;
        let record = TransferRecord {
            asset: body.asset,
            height: 0,
            nf_position: body.nf_position,
            nf_delivery: body.nf_delivery,
            cm_position: body.cm_position,
            cm_delivery: body.cm_delivery,
            receipt: body.receipt,
            redeemed: amount.get(),
            disclosure: body.disclosure,
            first_leaf: 0,
        };
        let mut next = account.clone();
        let arrivals = |nullifier| {
            state
                .arrival(nullifier)
                .filter(|(_, _, to)| *to == account.holder)
                .map(|(note, cm, _)| (note.clone(), cm))
        };
        next.follow(&record, arrivals).map_err(|_| AgentError::DoesNotFollow)?;
        Ok(RedemptionReview {
            holder: account.holder,
            amount,
            before: account.holding,
            after: next.holding,
        })
    }

    /// Countersigns a redemption that follows from the register.
    pub fn countersign_redemption(
        &self,
        body: &TransferBody,
    ) -> Result<(RedemptionReview, Signature), AgentError> {
        let review = self.review_redemption(body)?;
        let binding: Fr = body.binding(self.chain());
        Ok((review, sign_redemption(&binding, self.chain(), &self.state().signing)))
    }

    /// The register of an asset.
    pub fn register(&self, asset: AssetId) -> Result<Register, AgentError> {
        let state = self.state();
        let asset = self.asset(asset)?;
        let entries: Vec<Entry> = state
            .accounts(asset.id)
            .map(|account| Entry {
                holder: account.holder,
                subject: account.subject,
                holding: account.holding,
            })
            .collect();
        let unaccepted: u128 = state
            .minted(asset.id)
            .filter(|minted| !minted.accepted)
            .map(|minted| u128::from(minted.note.amount))
            .sum();
        let on_the_way: u128 = state
            .accounts(asset.id)
            .flat_map(|account| &account.sent)
            .filter(|sent| sent.state == crate::account::SentState::Unsettled)
            .map(|sent| u128::from(sent.note.amount))
            .sum();
        let balances: u128 = entries.iter().map(|entry| u128::from(entry.holding.balance)).sum();
        let adds_up = unaccepted + on_the_way + balances == u128::from(asset.supply);
        Ok(Register {
            exact: adds_up && state.unexplained(asset.id) == 0,
            // The supply bounds it.
            unaccepted: u64::try_from(unaccepted).unwrap_or(u64::MAX),
            entries,
            asset,
        })
    }

    /// One holder's account, with the deliveries it made.
    pub fn account(&self, asset: AssetId, holder: HolderId) -> Option<&Account> {
        self.state().account(asset, holder)
    }

    /// Allotments of an asset, oldest first.
    pub fn minted(&self, asset: AssetId) -> impl Iterator<Item = &Minted> {
        self.state().minted(asset)
    }

    /// Freezes the next `count` transactions of a holder. One stops the position as it is; more
    /// also stop what a transaction under way would lead to.
    pub fn freeze(
        &self,
        asset: AssetId,
        holder: HolderId,
        count: usize,
    ) -> Result<Transaction, AgentError> {
        if !(1..=MAX_FREEZE).contains(&count) {
            return Err(AgentError::Count);
        }
        let nullifiers = self.next_nullifiers(asset, holder, count)?;
        self.freeze_nullifiers(asset, nullifiers)
    }

    /// Freezes a delivery: nobody may accept it or take it back.
    pub fn freeze_delivery(
        &self,
        asset: AssetId,
        delivery: Commitment,
    ) -> Result<Transaction, AgentError> {
        self.freeze_nullifiers(asset, vec![self.delivery_nullifier(asset, delivery)?])
    }

    /// Releases everything of a holder's position that is frozen.
    pub fn release(&self, asset: AssetId, holder: HolderId) -> Result<Transaction, AgentError> {
        let frozen = view::frozen(&self.read()?, asset)?;
        let mut nullifiers = self.next_nullifiers(asset, holder, MAX_FREEZE)?;
        nullifiers.retain(|nullifier| frozen.contains(nullifier));
        self.release_nullifiers(asset, nullifiers)
    }

    /// Releases a delivery.
    pub fn release_delivery(
        &self,
        asset: AssetId,
        delivery: Commitment,
    ) -> Result<Transaction, AgentError> {
        let nullifier = self.delivery_nullifier(asset, delivery)?;
        let frozen = view::is_frozen(&self.read()?, asset, nullifier)?;
        self.release_nullifiers(asset, if frozen { vec![nullifier] } else { Vec::new() })
    }

    /// Stops or resumes all transfers of an asset.
    pub fn pause(&self, asset: AssetId, paused: bool) -> Result<Transaction, AgentError> {
        let sequence = self.asset(asset)?.sequence.saturating_add(1);
        let message = Pause { asset, sequence, paused, by: Officer::Agent };
        let signed = Signed::new(message, self.chain(), &self.state().signing);
        Ok(Transaction::PauseAsset(signed))
    }

    fn freeze_nullifiers(
        &self,
        asset: AssetId,
        nullifiers: Vec<Nullifier>,
    ) -> Result<Transaction, AgentError> {
        let sequence = self.asset(asset)?.sequence.saturating_add(1);
        let message = Freeze::new(asset, sequence, nullifiers);
        let signed = Signed::new(message, self.chain(), &self.state().signing);
        Ok(Transaction::FreezeNullifiers(signed))
    }

    fn release_nullifiers(
        &self,
        asset: AssetId,
        nullifiers: Vec<Nullifier>,
    ) -> Result<Transaction, AgentError> {
        if nullifiers.is_empty() {
            return Err(AgentError::NotFrozen);
        }
        let sequence = self.asset(asset)?.sequence.saturating_add(1);
        let message = Release::new(asset, sequence, nullifiers);
        let signed = Signed::new(message, self.chain(), &self.state().signing);
        Ok(Transaction::ReleaseNullifiers(signed))
    }

    fn next_nullifiers(
        &self,
        asset: AssetId,
        holder: HolderId,
        count: usize,
    ) -> Result<Vec<Nullifier>, AgentError> {
        let account = self.state().account(asset, holder).ok_or(AgentError::UnknownHolder)?;
        let first = account.next_nullifier();
        let after = |nf: &Nullifier| Some(nullifier_after(account.nk(), nf.get()));
        Ok(std::iter::successors(Some(first), after).take(count).collect())
    }

    fn delivery_nullifier(
        &self,
        asset: AssetId,
        delivery: Commitment,
    ) -> Result<Nullifier, AgentError> {
        let state = self.state();
        let minted = state.minted(asset).map(|minted| (&minted.note, minted.cm));
        let sent = state
            .accounts(asset)
            .flat_map(|account| &account.sent)
            .map(|sent| (&sent.note, sent.cm));
        let (note, cm) = minted
            .chain(sent)
            .find(|(_, cm)| *cm == delivery)
            .ok_or(AgentError::UnknownDelivery)?;
        Ok(note.key.nullifier(cm))
    }

    fn asset(&self, asset: AssetId) -> Result<AssetState, AgentError> {
        let known = view::asset(&self.read()?, asset)?;
        known.filter(|asset| self.state().is_agent_of(asset.id)).ok_or(AgentError::NotOurs)
    }

    fn chain(&self) -> &ChainId {
        self.client.chain()
    }

    fn state(&self) -> &AgentState {
        self.client.role()
    }
}
