//! Transactions that wait for assertions or for a block. In here are only those whose proof was
//! found good; what came in and is not verified yet waits in [`crate::inbox`].
//!
//! A transaction is known by its id *and* the hash of its proof bytes: anybody can re-randomise a
//! proof, authorities assert on the bytes they saw, and if only the first bytes counted, somebody
//! who hands different bytes to every authority could keep a transfer from ever being endorsed. So
//! several variants of one transaction may wait, one for each authority that vouches for it.
//!
//! Two transactions that spend the same nullifier may both wait, up to [`MAX_RIVALS`]: authorities
//! may have heard of them in different order, and if each kept its first one, neither might ever
//! be endorsed. The first that becomes final refuses the others. Only the owner can make rivals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::block::{Entry, MAX_BLOCK_WEIGHT};
use placet_protocol::field::Nullifier;
use placet_protocol::genesis::{Authority, Checkpoint};
use placet_protocol::gossip::Variant;
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::{MAX_SANCTIONS_BYTES, Transaction, TxId};

use crate::checkpoint::Opinion;

/// Most different transactions that wait for one nullifier.
pub const MAX_RIVALS: usize = 4;

/// How many changes of circuits and authorities are taken in although the mempool is full: a flood
/// of other transactions must not keep out the switch that ends it.
pub const URGENT_PLACES: usize = 4;

/// Bounds of the mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Transactions.
    pub count: usize,
    /// Bytes of their encodings.
    pub bytes: usize,
}

/// Why a transaction with a good proof is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// Bounds are reached.
    #[error("this node has too many transactions waiting; send it again in a moment")]
    Full,
    /// Too many others wait for the same nullifier.
    #[error(
        "several other transactions that spend the same position or delivery are waiting; wait \
         until one of them is final"
    )]
    Rivals,
    /// A variant that nobody may add any more.
    #[error("this transaction waits already, with another proof; wait until it is final")]
    Variant,
}

/// A transaction that waits.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// Length of its encoding.
    pub size: usize,
    /// The peer that brought this variant; none for a client.
    pub sponsor: Option<VerifyKey>,
    /// Everybody's last opinions.
    pub opinions: BTreeMap<(VerifyKey, Checkpoint), SignedAssertion>,
    /// Approvals that its asset demands, by checkpoint; none if it needs no endorsement.
    pub needs: BTreeMap<Checkpoint, usize>,
    /// Height up to which the rules were last tried; none before the first time.
    pub checked: Option<u64>,
    /// Last height at which the node's own assertions can be relied on; none before it judged.
    pub asserted_until: Option<u64>,
    /// What the checkpoint's own rule said.
    pub rule: Option<Opinion>,
    /// Whether the own rule is being asked.
    pub asked: bool,
    /// When it came, in milliseconds of the node's clock.
    pub since: u64,
    /// Not before this time is it judged.
    pub judge_at: u64,
    /// When it is sent to the others again.
    pub send_at: u64,
    /// How often it was sent.
    pub sent: u32,
}

impl Candidate {
    /// Just admitted.
    pub fn new(tx: Arc<Transaction>, size: usize, sponsor: Option<VerifyKey>, now: u64) -> Self {
        Self {
            tx,
            size,
            sponsor,
            opinions: BTreeMap::new(),
            needs: BTreeMap::new(),
            checked: None,
            asserted_until: None,
            rule: None,
            asked: false,
            since: now,
            judge_at: now,
            send_at: now,
            sent: 0,
        }
    }

    /// Takes in an opinion whose signature holds; `false` if a newer one is known.
    pub fn hear(&mut self, signed: SignedAssertion) -> bool {
        let key = (signed.authority, signed.assertion.checkpoint);
        let newer = |known: &SignedAssertion| {
            let (a, b) = (&known.assertion, &signed.assertion);
            (b.judged_at, b.judged_time) > (a.judged_at, a.judged_time)
        };
        let take = self.opinions.get(&key).is_none_or(newer);
        if take {
            self.opinions.insert(key, signed);
        }
        take
    }

    /// All opinions.
    pub fn assertions(&self) -> Vec<SignedAssertion> {
        self.opinions.values().cloned().collect()
    }

    /// The approvals of `sitting` authorities that a block at `height` may rely on.
    fn approvals<'a>(
        &'a self,
        checkpoint: Checkpoint,
        height: u64,
        sitting: &'a [Authority],
    ) -> impl Iterator<Item = &'a SignedAssertion> {
        self.opinions.values().filter(move |signed| {
            let said = &signed.assertion;
            said.checkpoint == checkpoint
                && said.verdict == Verdict::Approve
                && !said.discretionary
                && said.judged_at < height
                && height <= said.expires_at
                && mandated(sitting, &signed.authority, checkpoint)
        })
    }

    /// As many approvals as a block at `height` needs, none if there are too few.
    pub fn endorsement(&self, height: u64, sitting: &[Authority]) -> Option<Vec<SignedAssertion>> {
        let mut chosen = Vec::new();
        for (checkpoint, needed) in &self.needs {
            let before = chosen.len();
            chosen.extend(self.approvals(*checkpoint, height, sitting).take(*needed).cloned());
            if chosen.len() - before < *needed {
                return None;
            }
        }
        Some(chosen)
    }

    /// Whether those who have not rejected are too few to endorse it.
    pub fn is_hopeless(&self, sitting: &[Authority]) -> bool {
        self.needs.iter().any(|(checkpoint, needed)| {
            let may_approve = sitting.iter().filter(|authority| {
                let opinion = self.opinions.get(&(authority.key, *checkpoint));
                authority.mandates.contains(checkpoint)
                    && opinion.is_none_or(|signed| {
                        let said = &signed.assertion;
                        said.verdict == Verdict::Approve && !said.discretionary
                    })
            });
            may_approve.count() < *needed
        })
    }
}

/// Whether a key sits and holds a mandate.
pub fn mandated(sitting: &[Authority], key: &VerifyKey, checkpoint: Checkpoint) -> bool {
    sitting.iter().any(|a| a.key == *key && a.mandates.contains(&checkpoint))
}

/// The nullifiers that a transaction spends.
fn spends(tx: &Transaction) -> Vec<Nullifier> {
    match tx {
        Transaction::Transfer(tx) => vec![tx.body.nf_position, tx.body.nf_delivery],
        _ => Vec::new(),
    }
}

/// Whether a transaction goes before all others: the authorities' switches.
fn is_urgent(tx: &Transaction) -> bool {
    matches!(tx, Transaction::ChangeCircuits(_) | Transaction::ChangeAuthorities(_))
}

/// Everything that waits, in order of arrival.
#[derive(Debug)]
pub struct Mempool {
    capacity: Capacity,
    candidates: BTreeMap<Variant, (u64, Candidate)>,
    order: BTreeMap<u64, Variant>,
    rivals: BTreeMap<[u8; 32], BTreeSet<TxId>>,
    bytes: usize,
    /// How many of them are urgent.
    urgent: usize,
    next: u64,
}

impl Mempool {
    /// Empty.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            candidates: BTreeMap::new(),
            order: BTreeMap::new(),
            rivals: BTreeMap::new(),
            bytes: 0,
            urgent: 0,
            next: 0,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// One variant.
    pub fn get(&self, variant: &Variant) -> Option<&Candidate> {
        self.candidates.get(variant).map(|(_, candidate)| candidate)
    }

    /// One variant, to change.
    pub fn get_mut(&mut self, variant: &Variant) -> Option<&mut Candidate> {
        self.candidates.get_mut(variant).map(|(_, candidate)| candidate)
    }

    /// Every variant of a transaction.
    pub fn variants(&self, id: TxId) -> impl Iterator<Item = (&Variant, &Candidate)> {
        let range = Variant { transaction: id, proof_hash: [0; 32] }..=Variant {
            transaction: id,
            proof_hash: [0xff; 32],
        };
        self.candidates.range(range).map(|(variant, (_, candidate))| (variant, candidate))
    }

    /// Whether any variant of a transaction waits.
    pub fn knows(&self, id: TxId) -> bool {
        self.variants(id).next().is_some()
    }

    /// All variants in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&Variant, &Candidate)> {
        self.order.values().map(|variant| (variant, &self.candidates[variant].1))
    }

    /// All variants, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Variant, &mut Candidate)> {
        self.candidates.iter_mut().map(|(variant, (_, candidate))| (variant, candidate))
    }

    /// Whether there would be room for a variant with a good proof; asked before the proof is
    /// verified, so that a full mempool costs nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn room(
        &self,
        id: TxId,
        tx: &Transaction,
        size: usize,
        sponsor: Option<VerifyKey>,
    ) -> Result<(), NoRoom> {
        // The first may come from anybody; after that one from each peer.
        let mut variants = self.variants(id).peekable();
        let others = variants.peek().is_some();
        if others && (sponsor.is_none() || variants.any(|(_, known)| known.sponsor == sponsor)) {
            return Err(NoRoom::Variant);
        }
        let full =
            self.candidates.len() >= self.capacity.count || self.bytes + size > self.capacity.bytes;
        if full && !(is_urgent(tx) && self.urgent < URGENT_PLACES) {
            return Err(NoRoom::Full);
        }
        let crowded = spends(tx).iter().any(|nullifier| {
            let rivals = self.rivals.get(&nullifier.to_bytes());
            rivals.is_some_and(|rivals| !rivals.contains(&id) && rivals.len() >= MAX_RIVALS)
        });
        if crowded { Err(NoRoom::Rivals) } else { Ok(()) }
    }

    /// Takes in a variant whose proof is good. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn add(&mut self, variant: Variant, candidate: Candidate) -> Result<(), NoRoom> {
        if self.candidates.contains_key(&variant) {
            return Ok(());
        }
        self.room(variant.transaction, &candidate.tx, candidate.size, candidate.sponsor)?;
        for nullifier in spends(&candidate.tx) {
            self.rivals.entry(nullifier.to_bytes()).or_default().insert(variant.transaction);
        }
        self.bytes += candidate.size;
        self.urgent += usize::from(is_urgent(&candidate.tx));
        self.order.insert(self.next, variant);
        self.candidates.insert(variant, (self.next, candidate));
        self.next += 1;
        Ok(())
    }

    /// Takes out every variant of a transaction.
    pub fn remove(&mut self, id: TxId) -> Vec<(Variant, Candidate)> {
        let variants: Vec<_> = self.variants(id).map(|(variant, _)| *variant).collect();
        let mut gone = Vec::new();
        for variant in variants {
            let (number, candidate) = self.candidates.remove(&variant).expect("it was just listed");
            self.order.remove(&number);
            self.bytes -= candidate.size;
            self.urgent -= usize::from(is_urgent(&candidate.tx));
            for nullifier in spends(&candidate.tx) {
                let key = nullifier.to_bytes();
                if let Some(rivals) = self.rivals.get_mut(&key) {
                    rivals.remove(&id);
                    if rivals.is_empty() {
                        self.rivals.remove(&key);
                    }
                }
            }
            gone.push((variant, candidate));
        }
        gone
    }

    /// What a block at `height` may hold, changes of circuits and authorities before all others, then
    /// in order of arrival: at most one variant of each
    /// transaction, none of `besides`, at most `count` transfers, messages of at most a block's
    /// weight, together at most `bytes`. Transfers and messages each have their own share, of bytes
    /// the messages hardly more than half: however many of one kind wait, the other goes on. A
    /// message too heavy for what is left waits until those before it are gone.
    pub fn ready(
        &self,
        height: u64,
        sitting: &[Authority],
        besides: &BTreeSet<TxId>,
        count: usize,
        bytes: usize,
    ) -> Vec<Entry> {
        let mut taken = BTreeSet::new();
        let mut spent = BTreeSet::new();
        let (mut left, mut transfers) = (bytes, 0);
        let (mut weight, mut message_bytes) = (MAX_BLOCK_WEIGHT, MESSAGE_BYTES.min(bytes));
        let mut entries = Vec::new();
        let urgent = self.iter().filter(|(_, candidate)| is_urgent(&candidate.tx));
        let others = self.iter().filter(|(_, candidate)| !is_urgent(&candidate.tx));
        for (variant, candidate) in urgent.chain(others) {
            if transfers >= count && weight == 0 {
                break;
            }
            let is_transfer = matches!(*candidate.tx, Transaction::Transfer(_));
            if is_transfer && transfers >= count {
                continue;
            }
            let id = variant.transaction;
            if candidate.checked.is_none() || besides.contains(&id) || taken.contains(&id) {
                continue;
            }
            let nullifiers: Vec<[u8; 32]> =
                spends(&candidate.tx).iter().map(Nullifier::to_bytes).collect();
            if nullifiers.iter().any(|nullifier| spent.contains(nullifier)) {
                continue;
            }
            let Some(assertions) = candidate.endorsement(height, sitting) else { continue };
            let size = candidate.size + ASSERTION_BYTES * assertions.len() + 4;
            let Some(rest) = left.checked_sub(size) else { continue };
            if is_transfer {
                transfers += 1;
            } else {
                let lighter = weight.checked_sub(candidate.tx.weight());
                let (Some(lighter), Some(shorter)) = (lighter, message_bytes.checked_sub(size))
                else {
                    continue;
                };
                (weight, message_bytes) = (lighter, shorter);
            }
            left = rest;
            taken.insert(id);
            spent.extend(nullifiers);
            entries.push(Entry { transaction: (*candidate.tx).clone(), assertions });
        }
        entries
    }
}

/// Most bytes of messages in a proposal: the longest has room.
const MESSAGE_BYTES: usize = MAX_SANCTIONS_BYTES + 16;
/// An upper bound of the length of an encoded assertion.
const ASSERTION_BYTES: usize = 256;
