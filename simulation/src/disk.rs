//! The disk under a redb store: what was written but not synchronised may be lost, in any part,
//! when the machine crashes, and a broken disk refuses every write.

use std::io::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, DatabaseError, StorageBackend};

use crate::dice::Dice;
use crate::machine::Hardware;

/// Something that was not synchronised yet.
#[derive(Clone, Debug)]
enum Pending {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Resize(len) => bytes.resize(*len, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Platter {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    /// Handles of an earlier life do nothing.
    life: u64,
}

/// A file for a store.
#[derive(Clone, Debug)]
pub struct Disk {
    hardware: Arc<Hardware>,
    platter: Arc<Mutex<Platter>>,
}

fn locked(platter: &Mutex<Platter>) -> MutexGuard<'_, Platter> {
    platter.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// An empty file on a machine.
    pub fn new(hardware: Arc<Hardware>) -> Self {
        Self { hardware, platter: Arc::default() }
    }

    /// Opens the store, or begins it.
    ///
    /// # Errors
    /// If the disk is broken, or what is on it is no store.
    pub fn open(&self) -> std::result::Result<Database, DatabaseError> {
        let life = locked(&self.platter).life;
        Database::builder().create_with_backend(Handle { disk: self.clone(), life })
    }

    /// The machine crashes: of what was not synchronised an arbitrary part is lost.
    pub fn crash(&self, dice: &mut Dice) {
        let mut platter = locked(&self.platter);
        let platter = &mut *platter;
        for pending in std::mem::take(&mut platter.pending) {
            // The length is the file system's business, and kept in order.
            if matches!(pending, Pending::Resize(_)) || dice.chance(50) {
                pending.apply(&mut platter.durable);
            }
        }
        platter.current.clone_from(&platter.durable);
        platter.life += 1;
    }

    /// The file is gone.
    pub fn wipe(&self) {
        let mut platter = locked(&self.platter);
        let life = platter.life + 1;
        *platter = Platter { life, ..Platter::default() };
    }
}

/// What one program has of the disk.
#[derive(Debug)]
struct Handle {
    disk: Disk,
    life: u64,
}

impl Handle {
    fn platter(&self) -> Result<MutexGuard<'_, Platter>> {
        let platter = locked(&self.disk.platter);
        if platter.life == self.life {
            Ok(platter)
        } else {
            Err(Error::other("the machine crashed since this file was opened"))
        }
    }

    fn writable(&self) -> Result<MutexGuard<'_, Platter>> {
        self.disk.hardware.check().map_err(Error::other)?;
        self.platter()
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> Result<u64> {
        Ok(self.platter()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let platter = self.platter()?;
        let start = usize::try_from(offset).map_err(Error::other)?;
        let bytes = start.checked_add(out.len()).and_then(|end| platter.current.get(start..end));
        out.copy_from_slice(bytes.ok_or_else(|| Error::other("read beyond the end"))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut platter = self.writable()?;
        let pending = Pending::Resize(usize::try_from(len).map_err(Error::other)?);
        pending.apply(&mut platter.current);
        platter.pending.push(pending);
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let mut platter = self.writable()?;
        let platter = &mut *platter;
        for pending in std::mem::take(&mut platter.pending) {
            pending.apply(&mut platter.durable);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut platter = self.writable()?;
        let offset = usize::try_from(offset).map_err(Error::other)?;
        let pending = Pending::Write(offset, data.to_vec());
        pending.apply(&mut platter.current);
        platter.pending.push(pending);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase as _, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

    fn put(store: &Database, number: u64) -> std::result::Result<(), redb::Error> {
        let txn = store.begin_write()?;
        txn.open_table(TABLE)?.insert(number, number)?;
        Ok(txn.commit()?)
    }

    #[test]
    fn what_was_committed_survives_a_crash_and_the_rest_does_not_harm() {
        let mut dice = Dice::new(1);
        for _ in 0..20 {
            let disk = Disk::new(Arc::new(Hardware::new("d", 0)));
            let store = disk.open().unwrap();
            put(&store, 1).unwrap();
            let open = store.begin_write().unwrap();
            open.open_table(TABLE).unwrap().insert(2, 2).unwrap();
            disk.crash(&mut dice);
            drop(open);
            assert!(put(&store, 3).is_err(), "an earlier life writes nothing");
            drop(store);
            let store = disk.open().unwrap();
            let table = store.begin_read().unwrap().open_table(TABLE).unwrap();
            assert!(table.get(1).unwrap().is_some() && table.get(2).unwrap().is_none());
        }
    }

    #[test]
    fn a_broken_disk_refuses_and_a_wiped_one_is_empty() {
        let hardware = Arc::new(Hardware::new("d", 0));
        let disk = Disk::new(hardware.clone());
        let store = disk.open().unwrap();
        hardware.set_broken(true);
        assert!(put(&store, 1).is_err());
        assert!(hardware.refused() > 0);
        hardware.set_broken(false);
        disk.wipe();
        let store = disk.open().unwrap();
        assert!(store.begin_read().unwrap().open_table(TABLE).is_err());
    }
}
