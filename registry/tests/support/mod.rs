//! A database in a scratch directory that can be closed and opened again.

// Every test binary uses its own part of this module.
#![allow(dead_code)]

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

pub struct Store {
    directory: tempfile::TempDir,
    database: Option<Database>,
}

impl Store {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Self { directory, database: None };
        store.reopen();
        store
    }

    /// Closes the database and opens the file again, as after a restart.
    pub fn reopen(&mut self) {
        self.database = None;
        self.database = Some(Database::create(self.directory.path().join("store.redb")).unwrap());
    }

    pub fn begin(&self) -> WriteTransaction {
        self.database.as_ref().unwrap().begin_write().unwrap()
    }

    pub fn read(&self) -> ReadTransaction {
        self.database.as_ref().unwrap().begin_read().unwrap()
    }

    /// Runs and commits.
    pub fn commit<T>(&self, write: impl FnOnce(&WriteTransaction) -> T) -> T {
        let txn = self.begin();
        let result = write(&txn);
        txn.commit().unwrap();
        result
    }
}
