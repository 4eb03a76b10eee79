//! Which values are acceptable at a block's time: the current one, and those superseded less than
//! a window ago. Spec §4, §11. Serves registry, note and sanctions roots and policy hashes alike.
//!
//! A window lets proofs in flight survive an append, and bounds how long a revoked credential can
//! still be shown. Times are block times in seconds and never run backwards.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::store::{StoreError, Transaction, store_errors};

/// A root or hash, 32 bytes.
pub type Value = [u8; 32];
/// What a history belongs to, as in one asset's policies: 32 bytes of any meaning.
pub type Scope = [u8; 32];
/// The scope of a history that exists once in a network.
pub const NETWORK: Scope = [0; 32];

type Bytes = &'static [u8; 32];
/// Scope to the current value and since when.
type CurrentTable<'a> = TableDefinition<'a, Bytes, (Bytes, u64)>;
/// Scope and superseded value to since when it was current and when it was last superseded.
type SupersededTable<'a> = TableDefinition<'a, (Bytes, Bytes), (u64, u64)>;
/// The same by age: scope, when superseded, value.
type AgesTable<'a> = TableDefinition<'a, (Bytes, u64, Bytes), ()>;

/// Why a change of the current value was refused.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// `now` lies before the time at which the present value became current.
    #[error("block time runs backwards; a block is never earlier than the one before it")]
    TimeRunsBackwards,
    /// The store failed; abort the transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
}

store_errors!(RootsError);

/// One superseded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The value.
    pub value: Value,
    /// When it last became current.
    pub since: u64,
    /// When it was last superseded.
    pub at: u64,
}

/// Histories of values, one per scope, in tables whose names begin with `name`. The handle holds
/// no state.
#[derive(Clone, Copy, Debug)]
pub struct Roots {
    name: &'static str,
}

impl Roots {
    /// A handle. Different kinds of values in one database need different names.
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    fn names(&self) -> [String; 3] {
        ["current", "superseded", "ages"].map(|table| format!("{}.{table}", self.name))
    }

    /// The current value and since when; `None` before the first.
    pub fn current(
        &self,
        txn: &impl Transaction,
        scope: &Scope,
    ) -> Result<Option<(Value, u64)>, StoreError> {
        let [current, ..] = self.names();
        let Some(table) = txn.table(CurrentTable::new(&current))? else { return Ok(None) };
        Ok(table.get(scope)?.map(|entry| {
            let (value, since) = entry.value();
            (*value, since)
        }))
    }

    /// Whether `value` is current, or was superseded less than `window` seconds before `now`.
    pub fn accepts(
        &self,
        txn: &impl Transaction,
        scope: &Scope,
        value: &Value,
        now: u64,
        window: u64,
    ) -> Result<bool, StoreError> {
        if self.current(txn, scope)?.is_some_and(|(current, _)| current == *value) {
            return Ok(true);
        }
        let [_, superseded, _] = self.names();
        let Some(table) = txn.table(SupersededTable::new(&superseded))? else { return Ok(false) };
        Ok(table.get((scope, value))?.is_some_and(|entry| {
            let (_, at) = entry.value();
            now.saturating_sub(at) < window
        }))
    }

    /// The superseded values that are still remembered, oldest first.
    pub fn superseded(
        &self,
        txn: &impl Transaction,
        scope: &Scope,
    ) -> Result<Vec<Superseded>, StoreError> {
        let [_, superseded, ages] = self.names();
        let (Some(table), Some(ages)) =
            (txn.table(SupersededTable::new(&superseded))?, txn.table(AgesTable::new(&ages))?)
        else {
            return Ok(Vec::new());
        };
        let mut values = Vec::new();
        for entry in ages.range((scope, 0, &[0; 32])..=(scope, u64::MAX, &[0xff; 32]))? {
            let (key, _) = entry?;
            let (_, at, value) = key.value();
            let stored = table.get((scope, value))?.ok_or(StoreError::Corrupt)?.value();
            if stored.1 != at {
                return Err(StoreError::Corrupt);
            }
            values.push(Superseded { value: *value, since: stored.0, at });
        }
        Ok(values)
    }

    /// Makes `value` current at `now`; the present one is superseded and its window begins. The
    /// value that is current already changes nothing. A superseded value may become current again
    /// and leaves the list of superseded ones.
    ///
    /// # Errors
    /// [`RootsError::TimeRunsBackwards`].
    pub fn advance(
        &self,
        txn: &WriteTransaction,
        scope: &Scope,
        value: &Value,
        now: u64,
    ) -> Result<(), RootsError> {
        let present = self.current(txn, scope)?;
        if present.is_some_and(|(_, since)| now < since) {
            return Err(RootsError::TimeRunsBackwards);
        }
        if present.is_some_and(|(present, _)| present == *value) {
            return Ok(());
        }
        self.forget(txn, scope, value)?;
        let [current, superseded, ages] = self.names();
        let open = StoreError::from;
        if let Some((old, since)) = present {
            let mut table = txn.open_table(SupersededTable::new(&superseded)).map_err(open)?;
            table.insert((scope, &old), (since, now))?;
            let mut table = txn.open_table(AgesTable::new(&ages)).map_err(open)?;
            table.insert((scope, now, &old), ())?;
        }
        let mut table = txn.open_table(CurrentTable::new(&current)).map_err(open)?;
        table.insert(scope, (value, now))?;
        Ok(())
    }

    /// [`Roots::advance`], and every superseded value, the one just superseded included, stops
    /// being acceptable at once. For urgent revocations and urgent tightenings of a policy.
    ///
    /// # Errors
    /// [`RootsError::TimeRunsBackwards`].
    pub fn advance_urgently(
        &self,
        txn: &WriteTransaction,
        scope: &Scope,
        value: &Value,
        now: u64,
    ) -> Result<(), RootsError> {
        self.advance(txn, scope, value, now)?;
        Ok(self.close(txn, scope)?)
    }

    /// Every superseded value stops being acceptable at once; the current one stays. Call it after
    /// [`Roots::advance`], or what `advance` supersedes later gets a window.
    pub fn close(&self, txn: &WriteTransaction, scope: &Scope) -> Result<(), StoreError> {
        self.drop_until(txn, scope, u64::MAX).map(drop)
    }

    /// Forgets values superseded `keep` seconds before `now` or earlier and returns how many.
    /// `keep` must be at least the longest window that [`Roots::accepts`] is asked with.
    pub fn prune(
        &self,
        txn: &WriteTransaction,
        scope: &Scope,
        now: u64,
        keep: u64,
    ) -> Result<u64, StoreError> {
        match now.checked_sub(keep) {
            Some(newest) => self.drop_until(txn, scope, newest),
            None => Ok(0),
        }
    }

    /// Drops values superseded at `newest` or before.
    fn drop_until(
        &self,
        txn: &WriteTransaction,
        scope: &Scope,
        newest: u64,
    ) -> Result<u64, StoreError> {
        let [_, superseded, ages] = self.names();
        let mut table = txn.open_table(SupersededTable::new(&superseded))?;
        let mut ages = txn.open_table(AgesTable::new(&ages))?;
        let mut dropped = 0;
        let range = (scope, 0, &[0; 32])..=(scope, newest, &[0xff; 32]);
        for entry in ages.extract_from_if(range, |_, ()| true)? {
            let key = entry?.0;
            let (_, _, value) = key.value();
            if table.remove((scope, value))?.is_none() {
                return Err(StoreError::Corrupt);
            }
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Takes one value out of the superseded ones, if it is there.
    fn forget(
        &self,
        txn: &WriteTransaction,
        scope: &Scope,
        value: &Value,
    ) -> Result<(), StoreError> {
        let [_, superseded, ages] = self.names();
        let mut table = txn.open_table(SupersededTable::new(&superseded))?;
        let at = table.remove((scope, value))?.map(|entry| entry.value().1);
        if let Some(at) = at {
            let mut ages = txn.open_table(AgesTable::new(&ages))?;
            if ages.remove((scope, at, value))?.is_none() {
                return Err(StoreError::Corrupt);
            }
        }
        Ok(())
    }
}
