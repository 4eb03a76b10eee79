//! The holder's wallet: balances, deliveries and credentials as the chain shows them, and
//! transfers from request to final transaction. Spec §6, §7.
//!
//! A transaction is journalled before it is sent, and state advances only on what the chain
//! shows. So a wallet that is killed at any moment loses nothing, and sending the same
//! transaction again is safe: its position can be spent once.

pub mod plan;
pub mod ahead;
pub mod state;

use std::path::Path;

use placet_protocol::address::Address;
use placet_protocol::circuit::CircuitId;
use placet_protocol::field::{AssetId, HolderId};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::sealed::Credential;
use placet_protocol::transaction::{Transaction, TransferTransaction};
use placet_protocol::wire::Wire;
use placet_registry::store::StoreError;
use redb::{Database, ReadTransaction};

pub use ahead::{Guess, Preparation, Preparations, Start};
pub use plan::{Draft, LockConsent, LockExtension, Payment, PlanError, Prepared, Request, Slot};
pub use state::{HeldCredential, HolderState, Pending, Received, ReceivedState};

use crate::account::{Account, Holding};
use crate::client::{Client, OpenError, Progress, RoleError, SyncError};
use crate::network::{Network, NetworkError, Rejection, SubmitError, Submitted};
use crate::seed::Seed;
use crate::view::{self, Anchor, AssetState, Circuits, Tip};

/// Why a transaction was not sent, or not executed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The ledger refused it; it was taken out of the journal.
    #[error(transparent)]
    Rejected(Rejection),
    /// Nobody knows whether it was executed. It stays in the journal; the next sync tells.
    #[error("{0}; the transaction may have been executed: sync the wallet to find out")]
    Unknown(#[source] NetworkError),
    /// The journal could not be written; nothing was sent.
    #[error(transparent)]
    Role(#[from] RoleError),
}

/// Why a credential was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is somebody else's.
    #[error("this credential belongs to another key: nobody but its holder can use it")]
    NotYours,
    /// It is here already.
    #[error("this credential is in the wallet already")]
    Known,
    /// The store failed.
    #[error(transparent)]
    Role(#[from] RoleError),
}

/// An asset with what the holder has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetHolding {
    /// The asset.
    pub asset: AssetState,
    /// What the position holds.
    pub holding: Holding,
}

/// A holder's wallet.
#[derive(Debug)]
pub struct Holder {
    client: Client<HolderState>,
    address: Address,
    root_window: u64,
}

impl Holder {
    /// Opens the wallet at `path`, or begins one there. Restoring a wallet is beginning it with
    /// the seed of the old one, then syncing: everything but imported credentials comes back.
    pub fn open(path: &Path, genesis: &Genesis, seed: &Seed) -> Result<Self, OpenError> {
        let role = HolderState::new(seed, genesis.chain_id());
        Ok(Self::new(Client::open(path, genesis, role)?, genesis, seed))
    }

    /// The same over a database that the caller opened.
    pub fn with_database(
        database: Database,
        genesis: &Genesis,
        seed: &Seed,
    ) -> Result<Self, OpenError> {
        let role = HolderState::new(seed, genesis.chain_id());
        Ok(Self::new(Client::with_database(database, genesis, role)?, genesis, seed))
    }

    fn new(client: Client<HolderState>, genesis: &Genesis, seed: &Seed) -> Self {
        Self { client, address: seed.address(), root_window: genesis.params.root_window }
    }

    /// Where this holder receives.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The holder's id.
    pub fn id(&self) -> HolderId {
        self.state().id
    }

    /// The chain that is followed.
    pub fn chain(&self) -> &ChainId {
        self.client.chain()
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

    /// The circuits of the network, as the chain shows them.
    pub fn circuits(&self) -> Result<Circuits, StoreError> {
        view::circuits(&self.read()?)
    }

    /// What transfers are proven against now.
    pub fn anchor(&self) -> Result<Anchor, StoreError> {
        self.client.anchor(&self.read()?)
    }

    /// Every asset of the network with what this holder has of it.
    pub fn holdings(&self) -> Result<Vec<AssetHolding>, StoreError> {
        let txn = self.read()?;
        Ok(view::assets(&txn)?
            .into_iter()
            .map(|asset| {
                let account = self.state().account(asset.id);
                let holding = account.map(|account| account.holding).unwrap_or_default();
                AssetHolding { asset, holding }
            })
            .collect())
    }

    /// The account of one asset, with the deliveries that were made.
    pub fn account(&self, asset: AssetId) -> Option<&Account> {
        self.state().account(asset)
    }

    /// The accounts of all assets, in order of registration.
    pub fn accounts(&self) -> &[Account] {
        &self.state().records.accounts
    }

    /// Deliveries to this holder, oldest first.
    pub fn received(&self) -> &[Received] {
        &self.state().records.received
    }

    /// Credentials of this holder, oldest first.
    pub fn credentials(&self) -> &[HeldCredential] {
        &self.state().records.credentials
    }

    /// Transactions that were sent and are not yet on the chain.
    pub fn pending(&self) -> &[Pending] {
        &self.state().records.pending
    }

    /// Takes a credential that came as a file.
    pub fn import(&mut self, credential: Credential) -> Result<(), ImportError> {
        let mut held = HeldCredential { credential, index: None, revoked: false, imported: true };
        if held.holder() != self.id() {
            return Err(ImportError::NotYours);
        }
        let txn = self.read().map_err(RoleError::from)?;
        held.index =
            view::credential_index(&txn, held.credential.leaf()).map_err(RoleError::from)?;
        if let Some(index) = held.index {
            held.revoked = view::is_revoked(&txn, index).map_err(RoleError::from)?;
        }
        drop(txn);
        self.client.change(|state, txn| {
            if !state.add_credential(held) {
                return Err(ImportError::Known);
            }
            state.write(txn).map_err(ImportError::from)
        })
    }

    /// Builds and judges the statement of a request against the newest block. Nothing is written
    /// or sent.
    pub fn plan(&self, request: &Request) -> Result<Draft, PlanError> {
        let txn = self.read()?;
        self.state().plan(&txn, &self.client.anchor(&txn)?, request)
    }

    /// Builds the statement of a request and judges nothing: for demonstrations and tests of what
    /// happens to false statements.
    pub fn draft(&self, request: &Request) -> Result<Draft, PlanError> {
        let txn = self.read()?;
        self.state().draft(&txn, &self.client.anchor(&txn)?, request)
    }

    /// Guesses at the transactions that this holder could ask for next, against the newest block:
    /// for each asset that it has a transfer, with the acceptance of each open delivery behind
    /// them. For [`Preparations::keep`], after each sync; `circuit` is the one that the prover is
    /// for, and `random` must be fresh.
    pub fn guesses(&self, circuit: CircuitId, random: &[u8; 32]) -> Result<Vec<Guess>, StoreError> {
        let txn = self.read()?;
        self.state().guesses(&txn, &self.client.anchor(&txn)?, circuit, random)
    }

    /// Journals a transaction, then sends it and waits until it is final. Sync afterwards.
    pub fn submit(
        &mut self,
        network: &dyn Network,
        transaction: TransferTransaction,
    ) -> Result<Submitted, SendError> {
        self.journal(&transaction)?;
        self.send(network, &Transaction::Transfer(transaction))
    }

    /// Writes a transaction to the journal without sending it.
    pub fn journal(&mut self, transaction: &TransferTransaction) -> Result<(), SendError> {
        let pending = Pending {
            asset: transaction.body.asset,
            nf_position: transaction.body.nf_position,
            expiry_height: transaction.body.expiry_height,
            until: transaction.body.now.saturating_add(self.root_window),
            bytes: Transaction::Transfer(transaction.clone()).to_wire(),
        };
        self.client.change(|state, txn| {
            state.journal(pending);
            state.write(txn)
        })?;
        Ok(())
    }

    /// Sends everything in the journal again, oldest first, and returns what became of each.
    pub fn resubmit(
        &mut self,
        network: &dyn Network,
    ) -> Result<Vec<Result<Submitted, SendError>>, RoleError> {
        let transactions: Vec<Transaction> = self
            .pending()
            .iter()
            .filter_map(|pending| Transaction::from_wire(&pending.bytes).ok())
            .collect();
        Ok(transactions.iter().map(|transaction| self.send(network, transaction)).collect())
    }

    fn send(
        &mut self,
        network: &dyn Network,
        transaction: &Transaction,
    ) -> Result<Submitted, SendError> {
        match network.submit(transaction) {
            Ok(submitted) => Ok(submitted),
            Err(SubmitError::Rejected(rejection)) => {
                if let Transaction::Transfer(transfer) = transaction {
                    let nf_position = transfer.body.nf_position;
                    self.client.change::<_, SendError>(|state, txn| {
                        state.forget(nf_position);
                        Ok(state.write(txn)?)
                    })?;
                }
                Err(SendError::Rejected(rejection))
            }
            Err(SubmitError::Network(error)) => Err(SendError::Unknown(error)),
        }
    }

    fn state(&self) -> &HolderState {
        self.client.role()
    }
}
