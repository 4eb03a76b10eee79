//! One role's store and how it follows the network: a redb file with the public view and the
//! role's own sealed records, advanced together in one write transaction per range of blocks. A
//! process killed at any moment finds the last committed range again.

use std::path::Path;

use placet_protocol::genesis::{ChainId, Genesis};
use placet_registry::store::StoreError;
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::account::FollowError;
use crate::network::{Network, NetworkError};
use crate::vault::VaultError;
use crate::view::{self, Anchor, Event, Tip, ViewError};

/// Blocks that one write transaction takes in.
const BLOCKS_PER_STEP: usize = 64;

/// A role's own state failed to follow.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// A transaction of an account could not be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A stored record does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another command uses this wallet: wait until it ends, or stop it")]
    InUse,
    /// It follows another network.
    #[error("this wallet follows another network: use the data directory that belongs to it")]
    WrongNetwork,
    /// The role's records.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why following the network stopped. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The node.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The node runs another network.
    #[error("the node runs another network than this wallet: check its address")]
    WrongNetwork,
    /// A block was refused.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The role.
    #[error(transparent)]
    Role(#[from] RoleError),
}

/// What a role does with the chain.
pub trait Role {
    /// Reads the role's records; called at the beginning and after a failed step.
    fn load(&mut self, txn: &ReadTransaction) -> Result<(), RoleError>;
    /// Takes in what a transaction did. `txn` holds the view as it stands before this block's
    /// note leaves.
    fn event(&mut self, event: &Event<'_>, txn: &WriteTransaction) -> Result<(), RoleError>;
    /// Writes what changed; called once at the end of a step.
    fn save(&mut self, txn: &WriteTransaction, tip: &Tip) -> Result<(), RoleError>;
}

/// How far a sync has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Blocks followed.
    pub height: u64,
    /// Blocks there are.
    pub of: u64,
}

/// A role with its store.
pub struct Client<R> {
    database: Database,
    network: view::Network,
    role: R,
}

impl<R> std::fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.network.chain)
    }
}

impl<R: Role> Client<R> {
    /// Opens the store at `path`, or begins one for the network of `genesis`.
    pub fn open(path: &Path, genesis: &Genesis, role: R) -> Result<Self, OpenError> {
        let database = Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
            other => OpenError::Store(backend(other)),
        })?;
        Self::with_database(database, genesis, role)
    }

    /// The same over a database that the caller opened, as in tests that keep it in memory.
    pub fn with_database(
        database: Database,
        genesis: &Genesis,
        role: R,
    ) -> Result<Self, OpenError> {
        let network = view::Network::new(genesis);
        let txn = database.begin_write().map_err(backend)?;
        match view::chain(&txn)? {
            Some(chain) if chain != network.chain => return Err(OpenError::WrongNetwork),
            Some(_) => {}
            None => view::begin(&txn, &network)?,
        }
        txn.commit().map_err(backend)?;
        let mut client = Self { database, network, role };
        client.reload()?;
        Ok(client)
    }

    /// The chain that is followed.
    pub fn chain(&self) -> &ChainId {
        &self.network.chain
    }

    /// The role's state.
    pub fn role(&self) -> &R {
        &self.role
    }

    /// A consistent snapshot for the functions of [`view`].
    pub fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.database.begin_read().map_err(backend)
    }

    /// The newest block followed.
    pub fn tip(&self) -> Result<Tip, StoreError> {
        view::tip(&self.read()?, &self.network)
    }

    /// What transfers are proven against.
    pub fn anchor(&self, txn: &ReadTransaction) -> Result<Anchor, StoreError> {
        view::anchor(txn, &self.network)
    }

    /// Follows the network to its newest block.
    pub fn sync(
        &mut self,
        network: &dyn Network,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tip, SyncError> {
        if network.genesis()?.chain_id() != self.network.chain {
            return Err(SyncError::WrongNetwork);
        }
        let mut tip = self.tip().map_err(ViewError::from)?;
        let mut of = network.status()?.height;
        loop {
            progress(Progress { height: tip.height, of });
            let blocks = network.blocks(tip.height + 1, BLOCKS_PER_STEP)?;
            if blocks.is_empty() {
                return Ok(tip);
            }
            match self.step(&blocks) {
                Ok(next) => tip = next,
                Err(error) => {
                    // The transaction is gone; so must be what the role took in.
                    self.reload()?;
                    let lie = matches!(&error, SyncError::View(error) if error.is_lie());
                    if !lie || !network.distrust() {
                        return Err(error);
                    }
                }
            }
            of = of.max(tip.height);
        }
    }

    /// Changes the role's own records outside of a sync, in a transaction of their own.
    pub(crate) fn change<T, E: From<RoleError>>(
        &mut self,
        change: impl FnOnce(&mut R, &WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let store = |error: StoreError| E::from(RoleError::Store(error));
        let txn = self.database.begin_write().map_err(|error| store(backend(error)))?;
        let changed = change(&mut self.role, &txn)
            .and_then(|value| txn.commit().map(|()| value).map_err(|error| store(backend(error))));
        if changed.is_err() {
            self.reload()?;
        }
        changed
    }

    fn step(
        &mut self,
        blocks: &[placet_protocol::block::CertifiedBlock],
    ) -> Result<Tip, SyncError> {
        let store = |error| SyncError::View(ViewError::Store(error));
        let txn = self.database.begin_write().map_err(|error| store(backend(error)))?;
        let role = &mut self.role;
        for block in blocks {
            view::apply::<SyncError>(&txn, &self.network, block, &mut |event| {
                Ok(role.event(event, &txn)?)
            })?;
        }
        let tip = view::tip(&txn, &self.network).map_err(store)?;
        role.save(&txn, &tip)?;
        txn.commit().map_err(|error| store(backend(error)))?;
        Ok(tip)
    }

    fn reload(&mut self) -> Result<(), RoleError> {
        let txn = self.database.begin_read().map_err(backend)?;
        self.role.load(&txn)
    }
}

/// Any failure of the store as the registry's error.
pub(crate) fn backend(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Backend(Box::new(error.into()))
}
