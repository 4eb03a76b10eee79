//! The issuer: registers an asset, sets its policy, allots units. Spec §5, §6.

use std::num::NonZeroU64;
use std::path::Path;

use placet_protocol::address::Address;
use placet_protocol::delivery::DeliveryKey;
use placet_protocol::field::{AssetId, RefundTag, from_digest_248};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::sealed::{DeliveryNote, MintNote, SealError, SealedDelivery, SealedMint};
use placet_protocol::signing::{Signature, SigningKey, VerifyKey};
use placet_protocol::transaction::asset::{
    AgentConsent, Allotment, Mint, Officer, Pause, PolicyChange, Registration,
};
use placet_protocol::transaction::{PublishedPolicy, RegisterAsset, Signed, Transaction};
use placet_registry::store::StoreError;
use redb::{Database, ReadTransaction, WriteTransaction};

use crate::client::{Client, OpenError, Progress, Role, RoleError, SyncError};
use crate::network::Network;
use crate::seed::Seed;
use crate::view::{self, AssetState, Event, Tip};

/// Follows public state and remembers nothing of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch;

impl Role for Watch {
    fn load(&mut self, _: &ReadTransaction) -> Result<(), RoleError> {
        Ok(())
    }
    fn event(&mut self, _: &Event<'_>, _: &WriteTransaction) -> Result<(), RoleError> {
        Ok(())
    }
    fn save(&mut self, _: &WriteTransaction, _: &Tip) -> Result<(), RoleError> {
        Ok(())
    }
}

/// Why the issuer does not act.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// No such asset, or another issuer's.
    #[error("this issuer has no such asset: check its id, and sync")]
    NotOurs,
    /// The policy contradicts itself.
    #[error(
        "the policy trusts an attestor twice, bars a jurisdiction that it names, or has a \
             share of capital above 100 %: correct it"
    )]
    UnsoundPolicy,
    /// A registration that names another issuer.
    #[error("the registration names another issuer's key")]
    OtherKey,
    /// A viewing key that yields nothing secret.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The allotment would exceed the authorised supply.
    #[error("the allotment would exceed the authorised supply")]
    SupplyExceeded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Randomness of one allotment: the delivery's key and two ephemeral keys.
pub const MINT_RANDOM_BYTES: usize = 96;

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    client: Client<Watch>,
    signing: SigningKey,
}

impl Issuer {
    /// Opens the issuer's store at `path`, or begins one.
    pub fn open(path: &Path, genesis: &Genesis, seed: &Seed) -> Result<Self, OpenError> {
        Ok(Self { client: Client::open(path, genesis, Watch)?, signing: seed.signing_key() })
    }

    /// The same over a database that the caller opened.
    pub fn with_database(
        database: Database,
        genesis: &Genesis,
        seed: &Seed,
    ) -> Result<Self, OpenError> {
        let client = Client::with_database(database, genesis, Watch)?;
        Ok(Self { client, signing: seed.signing_key() })
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

    /// The issuer's public key.
    pub fn key(&self) -> VerifyKey {
        self.signing.public()
    }

    /// This issuer's assets in order of registration.
    pub fn assets(&self) -> Result<Vec<AssetState>, StoreError> {
        let mut assets = view::assets(&self.read()?)?;
        assets.retain(|asset| asset.registration.issuer == self.key());
        Ok(assets)
    }

    /// Registers an asset that its agent consented to.
    pub fn register(
        &self,
        registration: Registration,
        consent: AgentConsent,
    ) -> Result<Transaction, IssuerError> {
        if registration.issuer != self.key() {
            return Err(IssuerError::OtherKey);
        }
        if !registration.policy.is_sound() {
            return Err(IssuerError::UnsoundPolicy);
        }
        let tx = RegisterAsset::new(registration, consent, self.chain(), &self.signing);
        Ok(Transaction::RegisterAsset(tx))
    }

    /// Replaces the policy. `urgent` closes the window of older versions at once.
    pub fn set_policy(
        &self,
        asset: AssetId,
        policy: PublishedPolicy,
        urgent: bool,
    ) -> Result<Transaction, IssuerError> {
        if !policy.is_sound() {
            return Err(IssuerError::UnsoundPolicy);
        }
        let version = self.asset(asset)?.version + 1;
        let change = PolicyChange { asset, version, urgent, policy };
        Ok(Transaction::SetPolicy(Signed::new(change, self.chain(), &self.signing)))
    }

    /// Allots units to a holder, locked until `unlock_at` (0 for not). The agent must countersign
    /// it; see [`Issuer::mint`]. `random` must be fresh.
    pub fn allot(
        &self,
        asset: AssetId,
        to: &Address,
        amount: NonZeroU64,
        unlock_at: u64,
        random: &[u8; MINT_RANDOM_BYTES],
    ) -> Result<Allotment, IssuerError> {
        let state = self.asset(asset)?;
        let free = state.registration.authorised_supply.saturating_sub(state.supply);
        if amount.get() > free {
            return Err(IssuerError::SupplyExceeded);
        }
        let (parts, _) = random.as_chunks::<32>();
        let key = DeliveryKey::from_parts(from_digest_248(&parts[0]));
        let note = DeliveryNote {
            amount: amount.get(),
            unlock_at,
            deadline: 0,
            key,
            refund_tag: RefundTag::new(ark_bn254::Fr::from(0u8)),
        };
        let opening = MintNote { to: to.holder(), key };
        let sealing = &state.registration.agent.sealing;
        Ok(Allotment {
            asset,
            amount: amount.get(),
            unlock_at,
            owner_tag: key.owner_tag(to.holder()),
            for_receiver: SealedDelivery::seal(&note, &to.viewing(), self.chain(), &parts[1])?,
            for_agent: SealedMint::seal(&opening, sealing, self.chain(), &parts[2])?,
        })
    }

    /// Puts the agent's countersignature and the issuer's own under an allotment.
    pub fn mint(&self, allotment: Allotment, agent_signature: Signature) -> Transaction {
        let issuer_signature = allotment.sign_as_issuer(self.chain(), &self.signing);
        Transaction::Mint(Mint { allotment, issuer_signature, agent_signature })
    }

    /// Stops or resumes all transfers of an asset.
    pub fn pause(&self, asset: AssetId, paused: bool) -> Result<Transaction, IssuerError> {
        let sequence = self.asset(asset)?.sequence.saturating_add(1);
        let message = Pause { asset, sequence, paused, by: Officer::Issuer };
        Ok(Transaction::PauseAsset(Signed::new(message, self.chain(), &self.signing)))
    }

    fn asset(&self, asset: AssetId) -> Result<AssetState, IssuerError> {
        let known = view::asset(&self.read()?, asset)?;
        known.filter(|asset| asset.registration.issuer == self.key()).ok_or(IssuerError::NotOurs)
    }

    fn chain(&self) -> &ChainId {
        self.client.chain()
    }
}
