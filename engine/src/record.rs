//! Never vote twice: how an authority that lost its record of votes finds out, and keeps silent.
//!
//! The engine records its votes in its store, one journal an epoch. A node whose store was wiped,
//! or replaced by an older copy, has forgotten votes and could contradict them. So the store has a
//! random id and says up to which epoch it may have voted, and a small file beside the key says
//! the same. Before the first vote of an epoch both are made durable, the store first. So the file
//! always names the store beside it, and never a later epoch. If it does not, or the store is new
//! while the file is not, or the state is in a later epoch than both, votes were lost, and nobody
//! knows up to which epoch: either may be a copy from long ago. The node follows without voting
//! until an epoch that surely began after the loss was noticed: the last block of the epoch before is
//! later than that, by more than clocks differ. Before that block nobody could vote in it.
//!
//! What this cannot see: store and file of one moment put back together, where the state is of that
//! time too, and the loss of store, file and state together. Operators never restore the store from a
//! copy; they delete it and keep the file, however old. The clock must be right when the loss is
//! noticed; and a development network whose clock was moved ahead relies on the epochs alone.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use commonware_runtime::{Clock, Metrics, Storage};
use commonware_storage::metadata::{Config, Metadata};
use commonware_utils::sequence::U64;
use placet_consensus::Signing;
use rand_core::CryptoRng;

/// What the file beside the key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voted {
    /// Id of the store that has the votes.
    pub store: [u8; 32],
    /// Latest epoch in which the key may have voted, as far as this is known.
    pub epoch: u64,
    /// When a loss of votes was noticed, in seconds since the Unix epoch: the key may have voted in
    /// every epoch that began before. None once it votes again.
    pub lost: Option<u64>,
}

/// By how many seconds the last block of an epoch must be later than a loss for the next epoch to
/// be free of lost votes: the time of a block is at most 10 ahead of an honest clock, and clocks
/// of nodes that speak with each other differ by at most 5.
pub const MARGIN: u64 = 30;

/// The record was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error("cannot read or write the voting record {path}: {cause}; make it accessible")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The file is not a voting record.
    #[error(
        "{0} is not a voting record; restore it, or stop using this key: voting without it could \
         contradict earlier votes"
    )]
    Malformed(PathBuf),
    /// Somebody else votes with this key.
    #[error(
        "another process uses the same voting record: two nodes with one key contradict each \
         other; stop one of them for good"
    )]
    Shared,
    /// The engine's store cannot be read or written.
    #[error("cannot read or write the engine's store: {0}; check the disk")]
    Store(String),
}

/// Where the record beside the key is kept.
pub trait VotingRecord: Send + 'static {
    /// What was saved last; `None` if nothing ever was.
    ///
    /// # Errors
    /// [`RecordError`] if it cannot be read. Never to be taken for an empty record.
    fn load(&self) -> Result<Option<Voted>, RecordError>;

    /// Durable when it returns.
    ///
    /// # Errors
    /// [`RecordError`] if it cannot be made durable. The node must not vote then.
    fn save(&mut self, voted: &Voted) -> Result<(), RecordError>;
}

/// A record in a file, replaced in one step.
pub struct RecordFile(pub PathBuf);

const TITLE: &str = "placet voting record 1";
/// A record is far shorter, in bytes.
const MAX_FILE_BYTES: u64 = 4096;

fn render(voted: &Voted) -> String {
    let lost = voted.lost.map(|lost| format!("lost {lost}\n")).unwrap_or_default();
    format!("{TITLE}\nstore {}\nepoch {}\n{lost}", hex::encode(voted.store), voted.epoch)
}

fn parse(text: &str) -> Option<Voted> {
    let rest = text.strip_prefix(TITLE)?.strip_prefix("\nstore ")?;
    let (store, rest) = rest.split_once("\nepoch ")?;
    let (epoch, rest) = rest.split_once('\n')?;
    let lost = match rest {
        "" => None,
        rest => Some(rest.strip_prefix("lost ")?.strip_suffix('\n')?.parse().ok()?),
    };
    let store: [u8; 32] = hex::decode(store).ok()?.try_into().ok()?;
    let voted = Voted { store, epoch: epoch.parse().ok()?, lost };
    (render(&voted) == text).then_some(voted)
}

impl RecordFile {
    fn failed(&self, cause: std::io::Error) -> RecordError {
        RecordError::File { path: self.0.clone(), cause }
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        let directory = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(std::path::Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.0)?;
        // The new name is durable only with its directory.
        std::fs::File::open(directory)?.sync_all()
    }
}

impl VotingRecord for RecordFile {
    fn load(&self) -> Result<Option<Voted>, RecordError> {
        let file = match std::fs::File::open(&self.0) {
            Ok(file) => file,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.failed(cause)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(|cause| self.failed(cause))?;
        let text = std::str::from_utf8(&bytes).ok();
        let voted = text.and_then(parse);
        voted.map(Some).ok_or_else(|| RecordError::Malformed(self.0.clone()))
    }

    fn save(&mut self, voted: &Voted) -> Result<(), RecordError> {
        self.replace(&render(voted)).map_err(|cause| self.failed(cause))
    }
}

impl RecordFile {
    /// Keeps every other process from voting by this record until what it returns is dropped.
    ///
    /// # Errors
    /// [`RecordError::Shared`] if another process has it, [`RecordError::File`].
    pub fn lock(&self) -> Result<std::fs::File, RecordError> {
        let path = self.0.with_added_extension("lock");
        let file = std::fs::File::options().create(true).append(true).open(path);
        let file = file.map_err(|cause| self.failed(cause))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(RecordError::Shared),
            Err(std::fs::TryLockError::Error(cause)) => Err(self.failed(cause)),
        }
    }
}

/// What the engine's store says about itself.
type Stored<E> = Metadata<E, U64, Vec<u8>>;
const ID: u64 = 0;
const EPOCH: u64 = 1;

/// Decides in which epochs this node may vote.
pub struct Guard<E: Clock + Storage + Metrics> {
    store: Option<Stored<E>>,
    id: [u8; 32],
    record: Box<dyn VotingRecord>,
    voted: Option<Voted>,
}

fn store_error(cause: impl std::fmt::Display) -> RecordError {
    RecordError::Store(cause.to_string())
}

impl<E: Clock + Storage + Metrics + CryptoRng> Guard<E> {
    /// Opens both records, and notes if votes were lost. `begun` says in which epoch a state that
    /// already has blocks is; a node that has such a state but neither record has lost both, and its
    /// key may have voted.
    ///
    /// # Errors
    /// [`RecordError`] if either cannot be read or written.
    pub async fn open(
        mut runtime: E,
        partition: &str,
        mut record: Box<dyn VotingRecord>,
        begun: Option<u64>,
    ) -> Result<Self, RecordError> {
        let mut voted = record.load()?;
        let now = runtime.current().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut fresh = [0; 32];
        runtime.fill_bytes(&mut fresh);
        let config =
            Config { partition: partition.to_owned(), codec_config: ((0..=32).into(), ()) };
        let mut store = Stored::init(runtime, config).await.map_err(store_error)?;
        let known = store.get(&U64::new(ID)).cloned();
        let epoch = match store.get(&U64::new(EPOCH)) {
            Some(bytes) => {
                let bytes: [u8; 8] = bytes[..]
                    .try_into()
                    .map_err(|_| store_error("its epoch has a wrong length"))?;
                Some(u64::from_be_bytes(bytes))
            }
            None => None,
        };
        let new = known.is_none();
        let id = match known {
            Some(id) => id.try_into().map_err(|_| store_error("its id has a wrong length"))?,
            None => fresh,
        };
        let behind = |known: u64| begun.is_some_and(|begun| known < begun);
        let lost = match (voted, epoch) {
            (None, None) => new && begun.is_some(),
            (None, Some(epoch)) => behind(epoch),
            (Some(_), _) if new => true,
            (Some(voted), _) if voted.store != id => true,
            // It is known already, and this store did not vote since.
            (Some(Voted { lost: Some(_), .. }), _) => false,
            // An older copy of the store.
            (Some(voted), epoch) if epoch < Some(voted.epoch) => true,
            (Some(voted), epoch) => behind(epoch.unwrap_or(0).max(voted.epoch)),
        };
        if lost {
            // Its last votes may be of the epoch after the one that it committed.
            let committed = begun.map_or(0, |begun| begun.saturating_add(1));
            let last = voted.map_or(0, |voted| voted.epoch).max(epoch.unwrap_or(0)).max(committed);
            let noticed = Voted { store: id, epoch: last, lost: Some(now) };
            // Before a new store gets its id: after a crash in between, it would look like one that
            // has all votes.
            record.save(&noticed)?;
            voted = Some(noticed);
        }
        if new {
            store = store.put_sync(U64::new(ID), id.to_vec()).await.map_err(store_error)?;
        }
        Ok(Self { store: Some(store), id, record, voted })
    }

    /// Whether the key may vote in `epoch`, whose first block follows one of the time `after`, in
    /// seconds since the Unix epoch; if so, that is durably noted when this returns.
    ///
    /// # Errors
    /// [`RecordError`] if it cannot be noted, or another process has noted something.
    pub async fn enter(&mut self, epoch: u64, after: u64) -> Result<Signing, RecordError> {
        if let Some(voted) = self.voted {
            let early = voted.lost.is_some_and(|lost| after <= lost.saturating_add(MARGIN));
            if epoch < voted.epoch || voted.lost.is_some() && (epoch == voted.epoch || early) {
                let resumes = voted.epoch.max(epoch).saturating_add(1);
                return Ok(Signing::RecordLost { resumes });
            }
            if epoch == voted.epoch {
                return Ok(Signing::Yes);
            }
        }
        if self.record.load()? != self.voted {
            return Err(RecordError::Shared);
        }
        let store = self.store.take().ok_or_else(|| store_error("an earlier write failed"))?;
        let store = store
            .put_sync(U64::new(EPOCH), epoch.to_be_bytes().to_vec())
            .await
            .map_err(store_error)?;
        self.store = Some(store);
        let voted = Voted { store: self.id, epoch, lost: None };
        self.record.save(&voted)?;
        self.voted = Some(voted);
        Ok(Signing::Yes)
    }
}
