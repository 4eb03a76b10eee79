//! How this crate reaches a caller's redb transaction: one read interface over read and write
//! transactions, and the two ways in which a store can fail.
//!
//! An operation checks everything before it writes anything, so a refusal leaves the transaction
//! as it was. After a [`StoreError`] the caller must abort the transaction.

use ark_bn254::Fr;
use placet_protocol::field;
use redb::{Key, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, Value};
use redb::{ReadOnlyTable, WriteTransaction};

/// The store failed; abort the transaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or the disk failed.
    #[error("the database failed; check the disk and its free space, then open it again")]
    Backend(#[source] Box<redb::Error>),
    /// Stored bytes that this crate never writes.
    #[error("the database is corrupt; restore a backup or sync again from the start")]
    Corrupt,
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        Self::Backend(Box::new(error.into()))
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        Self::Backend(Box::new(error.into()))
    }
}

/// Gives an operation's error enum, which has a variant `Store(#[from] StoreError)`, the `?` on
/// redb's errors.
macro_rules! store_errors {
    ($($error:ty),*) => {$(
        impl From<redb::StorageError> for $error {
            fn from(error: redb::StorageError) -> Self {
                Self::Store(error.into())
            }
        }
    )*};
}
pub(crate) use store_errors;

mod sealed {
    pub trait Sealed {}
    impl Sealed for redb::ReadTransaction {}
    impl Sealed for redb::WriteTransaction {}
}

/// A redb transaction that can be read: both kinds.
pub trait Transaction: sealed::Sealed {
    /// An open table of this kind of transaction.
    type Table<'t, K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>
    where
        Self: 't;

    /// The table, or `None` if nothing was ever written to it.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Option<Self::Table<'_, K, V>>, StoreError>;
}

impl Transaction for ReadTransaction {
    type Table<'t, K: Key + 'static, V: Value + 'static> = ReadOnlyTable<K, V>;

    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Option<ReadOnlyTable<K, V>>, StoreError> {
        match self.open_table(definition) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Transaction for WriteTransaction {
    type Table<'t, K: Key + 'static, V: Value + 'static> = Table<'t, K, V>;

    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Option<Table<'_, K, V>>, StoreError> {
        Ok(Some(self.open_table(definition)?))
    }
}

/// Strict decoding of a stored field element.
pub(crate) fn field_from(bytes: &[u8; field::FIELD_BYTES]) -> Result<Fr, StoreError> {
    field::from_bytes(bytes).map_err(|_| StoreError::Corrupt)
}
