//! One person, one key: which subject tags belong to which holder tag. Spec §4.
//!
//! Rules, for a submission of a holder tag with its subject tags at block time `now`:
//! 1. A retired holder tag is refused for ever.
//! 2. A subject tag that is bound to another holder tag is refused while that *holder tag* is
//!    live, that is while any of its subject tags is. A tag's own `valid_until` is not enough: a
//!    person whose passport tag outlives the identifier's tag could otherwise take a second key
//!    with the identifier alone and have two live keys.
//! 3. Otherwise the subject tag moves, and the holder tag it leaves is retired. So a person who
//!    went from key 1 to key 2 cannot come back to key 1 and hold twice the limit.
//! 4. The same holder tag again, from any attestor, adds subject tags and extends their validity;
//!    it never shortens it.
//!
//! Hence every subject tag has at most one holder tag that can still be issued to. A key counts as
//! live as long as its tags do, so an attestor must not let a credential outlive the tags submitted
//! with it. Revoking a credential frees nothing. All of it is as good as the attestors' honesty and
//! de-duplication.

use placet_protocol::credential::TIME_BITS;
use placet_protocol::transaction::registry::UniquenessTags;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::store::{StoreError, Transaction, store_errors};

/// A subject or holder tag of `placet_protocol::tags`.
pub type TagBytes = [u8; 32];

type Bytes = &'static [u8; 32];
/// Subject tag to its holder tag and until when.
type SubjectTable = TableDefinition<'static, Bytes, (Bytes, u64)>;
/// Holder tag to until when it is live and [`ACTIVE`] or [`RETIRED`].
type HolderTable = TableDefinition<'static, Bytes, (u64, u8)>;

const SUBJECTS: SubjectTable = TableDefinition::new("persons.subjects");
const HOLDERS: HolderTable = TableDefinition::new("persons.holders");
const ACTIVE: u8 = 0;
const RETIRED: u8 = 1;

/// Longest validity of a subject tag in seconds from block time, about 17 years. Without a bound a
/// dishonest attestor could bind a person to a key of its own for ever.
pub const MAX_TAG_VALIDITY: u64 = 1 << 29;

/// Why a person's tags were refused.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// No subject tag: nothing would keep the person from a second key.
    #[error("an identity needs at least one subject tag; submit the person identifier's tag")]
    NoSubject,
    /// `valid_until` is not after the block's time, or not below 2^40.
    #[error("a subject tag must be valid beyond the block's time; extend valid_until")]
    BadValidity,
    /// `valid_until` is after the block's time by more than [`MAX_TAG_VALIDITY`].
    #[error(
        "a subject tag is valid for at most 2^29 seconds, about 17 years; set an earlier \
         valid_until and extend it in time"
    )]
    ValidTooLong,
    /// The holder tag was replaced once.
    #[error("this key was replaced and is retired for good; issue to a new key")]
    HolderRetired,
    /// A subject tag belongs to another holder tag that is still live.
    #[error(
        "this person already has a live key; issue to that key, or wait until all tags of that \
         key have expired; leave the tag out if the document now belongs to somebody else"
    )]
    SecondKey,
    /// The store failed; abort the transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
}

store_errors!(PersonError);

/// What the ledger knows of a subject tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectRecord {
    /// The holder tag it belongs to.
    pub holder: TagBytes,
    /// First second at which it no longer counts.
    pub valid_until: u64,
}

/// What the ledger knows of a holder tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderRecord {
    /// First second at which none of its subject tags counts.
    pub live_until: u64,
    /// Whether it was replaced; then nothing is ever issued to it again.
    pub retired: bool,
}

/// The record of a subject tag.
pub fn subject(
    txn: &impl Transaction,
    tag: &TagBytes,
) -> Result<Option<SubjectRecord>, StoreError> {
    let Some(table) = txn.table(SUBJECTS)? else { return Ok(None) };
    Ok(table.get(tag)?.map(|entry| {
        let (holder, valid_until) = entry.value();
        SubjectRecord { holder: *holder, valid_until }
    }))
}

/// The record of a holder tag.
pub fn holder(txn: &impl Transaction, tag: &TagBytes) -> Result<Option<HolderRecord>, StoreError> {
    let Some(table) = txn.table(HOLDERS)? else { return Ok(None) };
    let Some(entry) = table.get(tag)? else { return Ok(None) };
    let (live_until, state) = entry.value();
    match state {
        ACTIVE | RETIRED => Ok(Some(HolderRecord { live_until, retired: state == RETIRED })),
        _ => Err(StoreError::Corrupt),
    }
}

/// Checks rules 1 to 3 without writing and returns the holder tags that [`bind`] would retire.
///
/// # Errors
/// One variant of [`PersonError`] per rule.
pub fn check(
    txn: &impl Transaction,
    tags: &UniquenessTags,
    now: u64,
) -> Result<Vec<TagBytes>, PersonError> {
    if tags.subjects.is_empty() {
        return Err(PersonError::NoSubject);
    }
    let is_bad = |until: u64| until <= now || until >> TIME_BITS != 0;
    if tags.subjects.iter().any(|new| is_bad(new.valid_until)) {
        return Err(PersonError::BadValidity);
    }
    if tags.subjects.iter().any(|new| new.valid_until - now > MAX_TAG_VALIDITY) {
        return Err(PersonError::ValidTooLong);
    }
    if holder(txn, &tags.holder)?.is_some_and(|record| record.retired) {
        return Err(PersonError::HolderRetired);
    }
    let mut replaced = Vec::new();
    for new in &tags.subjects {
        let bound = subject(txn, &new.tag)?.filter(|bound| bound.holder != tags.holder);
        let Some(bound) = bound else { continue };
        let other = holder(txn, &bound.holder)?.ok_or(StoreError::Corrupt)?;
        if now < other.live_until {
            return Err(PersonError::SecondKey);
        }
        replaced.push(bound.holder);
    }
    Ok(replaced)
}

/// Binds subject tags, each with its `valid_until`, to a holder tag.
///
/// # Errors
/// As [`check`]; then nothing was written.
pub fn bind(txn: &WriteTransaction, tags: &UniquenessTags, now: u64) -> Result<(), PersonError> {
    let replaced = check(txn, tags, now)?;
    let own = &tags.holder;
    let mut live_until = holder(txn, own)?.map_or(0, |record| record.live_until);

    let mut table = txn.open_table(SUBJECTS).map_err(StoreError::from)?;
    for new in &tags.subjects {
        let kept = table.get(&new.tag)?.and_then(|entry| {
            let (holder, kept) = entry.value();
            (holder == own).then_some(kept)
        });
        let until = kept.map_or(new.valid_until, |kept| kept.max(new.valid_until));
        table.insert(&new.tag, (own, until))?;
        live_until = live_until.max(until);
    }

    let mut table = txn.open_table(HOLDERS).map_err(StoreError::from)?;
    for old in &replaced {
        let (until, _) = table.get(old)?.ok_or(StoreError::Corrupt)?.value();
        table.insert(old, (until, RETIRED))?;
    }
    table.insert(own, (live_until, ACTIVE))?;
    Ok(())
}
