//! What was seen in a run: blocks that became final, votes on the wire, evidence. Every fact is
//! held against the invariants before it becomes history.

use std::collections::{BTreeMap, BTreeSet};

use placet_consensus::Evidence;
use placet_protocol::block::{BlockId, CertifiedBlock};
use placet_protocol::finality::{Validators, ends_epoch, epoch_of};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::{AuthorityChange, Transaction, TxId};
use sha2::{Digest, Sha256};

use crate::invariants::{self, Invariant, Violation};
use crate::plan::Vice;

/// A host made a final block part of its state.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Which host.
    pub host: usize,
    /// Milliseconds since the beginning.
    pub at: u64,
    /// The median of the honest clocks, milliseconds since the Unix epoch.
    pub clock: u64,
    /// The block with what makes it final.
    pub certified: CertifiedBlock,
    /// The id that the host has for it.
    pub id: BlockId,
    /// Hash of the host's state behind it.
    pub state: [u8; 32],
    /// Units outstanding by asset, as the host's ledger counts them.
    pub outstanding: BTreeMap<[u8; 32], u64>,
}

/// A vote that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ballot {
    /// For a block to be looked at.
    Notarize([u8; 32]),
    /// To abandon a view.
    Nullify,
    /// For a block to be final.
    Finalize([u8; 32]),
}

impl Ballot {
    /// Whether one key may cast both in one view.
    pub fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Notarize(a), Self::Notarize(b)) | (Self::Finalize(a), Self::Finalize(b)) => {
                a != b
            }
            (Self::Nullify, Self::Finalize(_)) | (Self::Finalize(_), Self::Nullify) => true,
            _ => false,
        }
    }
}

/// A final block as the first host committed it.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its id.
    pub id: BlockId,
    /// Hash of the state behind it.
    pub state: [u8; 32],
    /// Its time in seconds.
    pub time: u64,
}

/// One key in one view of one epoch.
pub type Place = ([u8; 32], u64, u64);

/// Everything seen so far.
pub struct History {
    /// The network.
    pub chain: ChainId,
    /// Blocks of an epoch.
    pub epoch_length: u64,
    /// Time of the genesis in seconds.
    pub genesis_time: u64,
    /// Hosts whose key lies, by key.
    pub liars: BTreeSet<[u8; 32]>,
    /// Final blocks by height.
    pub facts: BTreeMap<u64, Fact>,
    /// Last height that each host committed.
    pub tips: BTreeMap<usize, u64>,
    /// When each host committed last, in milliseconds.
    pub moved: BTreeMap<usize, u64>,
    /// Who makes the blocks of an epoch final, followed from the blocks alone.
    pub validators: BTreeMap<u64, Validators>,
    sitting: BTreeSet<VerifyKey>,
    /// Where each nullifier was spent.
    pub nullifiers: BTreeMap<[u8; 32], u64>,
    /// Units outstanding by asset behind each height, followed from the blocks alone.
    pub supply: BTreeMap<u64, BTreeMap<[u8; 32], u64>>,
    /// Where each transaction was executed.
    pub executed: BTreeMap<TxId, u64>,
    /// Votes that were delivered to anybody.
    pub votes: BTreeMap<Place, BTreeSet<Ballot>>,
    /// Votes by who received them; of liars only.
    received: BTreeMap<(usize, Place), BTreeSet<Ballot>>,
    /// Contradictions that came to one honest host, by liar.
    pub witnessed: BTreeMap<[u8; 32], u64>,
    /// What honest hosts were told about others: who, when, by which host.
    pub evidence: Vec<(usize, Evidence)>,
    /// How often each lie was told.
    pub lies: BTreeMap<Vice, u64>,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// Keeps every line, to be printed.
    pub lines: Option<Vec<String>>,
    log: Sha256,
}

impl History {
    /// Before the first block.
    pub fn new(genesis: &Genesis, liars: BTreeSet<[u8; 32]>, verbose: bool) -> Self {
        let validators = Validators::genesis(genesis);
        Self {
            chain: genesis.chain_id(),
            epoch_length: genesis.params.epoch_length,
            genesis_time: genesis.time,
            liars,
            facts: BTreeMap::new(),
            tips: BTreeMap::new(),
            moved: BTreeMap::new(),
            sitting: validators.keys().iter().copied().collect(),
            validators: BTreeMap::from([(0, validators)]),
            nullifiers: BTreeMap::new(),
            supply: BTreeMap::from([(0, BTreeMap::new())]),
            executed: BTreeMap::new(),
            votes: BTreeMap::new(),
            received: BTreeMap::new(),
            witnessed: BTreeMap::new(),
            evidence: Vec::new(),
            lies: BTreeMap::new(),
            violations: Vec::new(),
            lines: verbose.then(Vec::new),
            log: Sha256::new(),
        }
    }

    /// Something happened.
    pub fn note(&mut self, at: u64, line: &str) {
        let line = format!("{at:>8} {line}");
        self.log.update(line.as_bytes());
        self.log.update(b"\n");
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// A hash of everything that happened.
    pub fn digest(&self) -> String {
        hex::encode(self.log.clone().finalize())
    }

    /// An invariant does not hold.
    pub fn broken(&mut self, at: u64, invariant: Invariant, what: String) {
        self.note(at, &format!("VIOLATION {invariant:?}: {what}"));
        self.violations.push(Violation { invariant, at, what });
    }

    /// The greatest height that anybody committed.
    pub fn height(&self) -> u64 {
        self.facts.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// The sitting keys behind the last block.
    pub fn sitting(&self) -> &BTreeSet<VerifyKey> {
        &self.sitting
    }

    /// The validators of the epoch of the next block.
    pub fn current(&self) -> Option<&Validators> {
        self.validators.get(&epoch_of(self.height() + 1, self.epoch_length))
    }

    /// A host lost its ledger and begins again.
    pub fn wiped(&mut self, host: usize) {
        self.tips.insert(host, 0);
    }

    /// A host committed a block.
    pub fn commit(&mut self, commit: &Commit) {
        let header = &commit.certified.block.header;
        let height = header.height;
        for (invariant, check) in invariants::ON_COMMIT {
            if let Err(what) = check(self, commit) {
                let what = format!("host {} at height {height}: {what}", commit.host);
                self.broken(commit.at, invariant, what);
            }
        }
        self.note(
            commit.at,
            &format!(
                "host {} commits {height} {} with {} transactions, {} headers behind it",
                commit.host,
                commit.id,
                commit.certified.block.entries.len(),
                commit.certified.finality.descendants.len(),
            ),
        );
        self.tips.insert(commit.host, height);
        self.moved.insert(commit.host, commit.at);
        if !self.facts.contains_key(&height) {
            self.learn(commit);
        }
    }

    /// The first commit of a height.
    fn learn(&mut self, commit: &Commit) {
        let header = &commit.certified.block.header;
        let height = header.height;
        let fact = Fact { id: commit.id, state: commit.state, time: header.time };
        self.facts.insert(height, fact);
        let before = self.supply.range(..height).next_back();
        let mut supply = before.map(|(_, supply)| supply.clone()).unwrap_or_default();
        for entry in &commit.certified.block.entries {
            let id = entry.transaction.id(&self.chain);
            self.executed.insert(id, height);
            self.note(commit.at, &format!("  {} {id}", entry.transaction.kind()));
            follow(&mut supply, &entry.transaction);
            match &entry.transaction {
                Transaction::Transfer(tx) => {
                    for nullifier in [tx.body.nf_position, tx.body.nf_delivery] {
                        self.nullifiers.insert(nullifier.to_bytes(), height);
                    }
                }
                Transaction::ChangeAuthorities(tx) => {
                    match &tx.change.change {
                        AuthorityChange::Appoint(authority) => self.sitting.insert(authority.key),
                        AuthorityChange::Dismiss(key) => self.sitting.remove(key),
                    };
                }
                _ => {}
            }
        }
        self.supply.insert(height, supply);
        if ends_epoch(height, self.epoch_length)
            && let Some(next) = Validators::new(self.sitting.iter().copied())
        {
            self.validators.insert(epoch_of(height, self.epoch_length) + 1, next);
        }
    }

    /// A vote of `key` was delivered to `host`; `honest` says whether that host is.
    pub fn vote(&mut self, at: u64, host: usize, honest: bool, place: Place, ballot: Ballot) {
        let (key, epoch, view) = place;
        if self.liars.contains(&key) {
            // A host does not look at votes of an epoch that it has left, or not reached.
            let tip = self.tips.get(&host).copied().unwrap_or(0);
            if honest && epoch == epoch_of(tip + 1, self.epoch_length) {
                let received = self.received.entry((host, place)).or_default();
                let news = received.iter().any(|known| known.contradicts(&ballot));
                if received.insert(ballot) && news {
                    *self.witnessed.entry(key).or_default() += 1;
                    *self.lies.entry(Vice::Twins).or_default() += 1;
                }
            }
            return;
        }
        if let Err(what) = invariants::no_conflicting_votes(self, place, ballot) {
            let what = format!("{} in epoch {epoch}, view {view}: {what}", hex::encode(key));
            self.broken(at, Invariant::NoConflictingVotes, what);
        }
        self.votes.entry(place).or_default().insert(ballot);
    }

    /// A host was handed evidence.
    pub fn misbehaviour(&mut self, at: u64, host: usize, evidence: Evidence) {
        self.note(
            at,
            &format!(
                "host {host} has evidence against {}: {:?} in epoch {}, view {}",
                evidence.culprit, evidence.kind, evidence.epoch, evidence.view
            ),
        );
        if let Err(what) = invariants::no_honest_convicted(self, &evidence) {
            self.broken(at, Invariant::NoHonestConvicted, what);
        }
        self.evidence.push((host, evidence));
    }
}

/// What a transaction does to the units outstanding.
pub fn follow(supply: &mut BTreeMap<[u8; 32], u64>, transaction: &Transaction) {
    match transaction {
        Transaction::Mint(tx) => {
            *supply.entry(tx.allotment.asset.to_bytes()).or_insert(0) += tx.allotment.amount;
        }
        Transaction::Transfer(tx) => {
            let outstanding = supply.entry(tx.body.asset.to_bytes()).or_insert(0);
            *outstanding = outstanding.saturating_sub(tx.body.redeemed());
        }
        _ => {}
    }
}
