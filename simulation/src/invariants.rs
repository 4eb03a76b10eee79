//! What must hold in every run, one function each. That each can fail is shown by a planted bug,
//! see [`crate::bugs`].

use std::collections::{BTreeMap, BTreeSet};

use placet_consensus::Evidence;
use placet_protocol::finality::epoch_of;
use placet_protocol::transaction::Transaction;

use crate::history::{Ballot, Commit, History, Place, follow};

/// Seconds by which a block may be ahead of a clock.
pub const DRIFT: u64 = 10;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// All hosts have one block at a height.
    OneBlockPerHeight,
    /// All hosts have one state at a height.
    OneStatePerHeight,
    /// In the end all hosts at one height have the same digest of everything they store.
    SameDigest,
    /// No nullifier is spent twice.
    NullifierOnce,
    /// Units outstanding are what was minted less what was redeemed.
    SupplyConserved,
    /// More than two thirds of the validators of a block's epoch made it final.
    Quorum,
    /// A host commits heights one after the other.
    Gapless,
    /// An honest key never contradicts itself, not after a crash either.
    NoConflictingVotes,
    /// While enough honest hosts can talk to each other, the chain goes on.
    Progress,
    /// While too few can, nothing becomes final.
    Halt,
    /// Whoever was away has every block in time.
    CatchUp,
    /// What can be executed becomes final, of rivals one; the rest is reported refused.
    Decided,
    /// Block time never goes back.
    TimeMonotone,
    /// Block time is not ahead of the median honest clock by more than the drift.
    TimeBounded,
    /// Who contradicts itself before honest eyes is recorded.
    EvidenceRecorded,
    /// No honest authority is accused, blocked or convicted.
    NoHonestConvicted,
    /// A program whose disk fails stops.
    StopsWithoutDisk,
    /// No other program stops.
    KeepsRunning,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::OneBlockPerHeight,
        Self::OneStatePerHeight,
        Self::SameDigest,
        Self::NullifierOnce,
        Self::SupplyConserved,
        Self::Quorum,
        Self::Gapless,
        Self::NoConflictingVotes,
        Self::Progress,
        Self::Halt,
        Self::CatchUp,
        Self::Decided,
        Self::TimeMonotone,
        Self::TimeBounded,
        Self::EvidenceRecorded,
        Self::NoHonestConvicted,
        Self::StopsWithoutDisk,
        Self::KeepsRunning,
    ];
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// Milliseconds since the beginning.
    pub at: u64,
    /// What was seen.
    pub what: String,
}

/// A check of one commit against what is known.
pub type Check = fn(&History, &Commit) -> Result<(), String>;

/// Checks with every commit of every honest host.
pub const ON_COMMIT: [(Invariant, Check); 8] = [
    (Invariant::OneBlockPerHeight, one_block_per_height),
    (Invariant::OneStatePerHeight, one_state_per_height),
    (Invariant::NullifierOnce, nullifier_once),
    (Invariant::SupplyConserved, supply_conserved),
    (Invariant::Quorum, quorum),
    (Invariant::Gapless, gapless),
    (Invariant::TimeMonotone, time_monotone),
    (Invariant::TimeBounded, time_bounded),
];

fn height(commit: &Commit) -> u64 {
    commit.certified.block.header.height
}

fn one_block_per_height(history: &History, commit: &Commit) -> Result<(), String> {
    match history.facts.get(&height(commit)) {
        Some(fact) if fact.id != commit.id => {
            Err(format!("block {} where others have {}", commit.id, fact.id))
        }
        _ => Ok(()),
    }
}

fn one_state_per_height(history: &History, commit: &Commit) -> Result<(), String> {
    let ours = hex::encode(commit.state);
    if commit.state != commit.certified.block.header.state {
        return Err(format!("state {ours}, and another one in the header"));
    }
    match history.facts.get(&height(commit)) {
        Some(fact) if fact.state != commit.state => {
            Err(format!("state {ours} where others have {}", hex::encode(fact.state)))
        }
        _ => Ok(()),
    }
}

fn nullifier_once(history: &History, commit: &Commit) -> Result<(), String> {
    let mut here = BTreeSet::new();
    for entry in &commit.certified.block.entries {
        let Transaction::Transfer(tx) = &entry.transaction else { continue };
        for nullifier in [tx.body.nf_position, tx.body.nf_delivery].map(|nf| nf.to_bytes()) {
            let before = history.nullifiers.get(&nullifier);
            if before.is_some_and(|before| *before != height(commit)) || !here.insert(nullifier) {
                return Err(format!(
                    "nullifier {} spent again, before at {before:?}",
                    hex::encode(nullifier)
                ));
            }
        }
    }
    Ok(())
}

fn supply_conserved(history: &History, commit: &Commit) -> Result<(), String> {
    let before = history.supply.range(..height(commit)).next_back();
    let mut expected = before.map(|(_, supply)| supply.clone()).unwrap_or_default();
    for entry in &commit.certified.block.entries {
        follow(&mut expected, &entry.transaction);
    }
    let issued = |supply: &BTreeMap<[u8; 32], u64>| -> Vec<u64> {
        supply.values().copied().filter(|units| *units > 0).collect()
    };
    if issued(&expected) == issued(&commit.outstanding) {
        Ok(())
    } else {
        Err(format!(
            "{:?} units outstanding where mints and redemptions give {:?}",
            issued(&commit.outstanding),
            issued(&expected)
        ))
    }
}

fn quorum(history: &History, commit: &Commit) -> Result<(), String> {
    let epoch = epoch_of(height(commit), history.epoch_length);
    let validators = history
        .validators
        .get(&epoch)
        .ok_or_else(|| format!("nobody knows the validators of epoch {epoch}"))?;
    commit
        .certified
        .finality
        .check(&history.chain, &commit.certified.block.header, validators, history.epoch_length)
        .map_err(|error| error.to_string())
}

fn gapless(history: &History, commit: &Commit) -> Result<(), String> {
    let tip = history.tips.get(&commit.host).copied().unwrap_or(0);
    if height(commit) == tip + 1 { Ok(()) } else { Err(format!("committed after {tip}")) }
}

fn time_monotone(history: &History, commit: &Commit) -> Result<(), String> {
    let time = commit.certified.block.header.time;
    let parent = height(commit).checked_sub(1).and_then(|below| history.facts.get(&below));
    let before = parent.map_or(history.genesis_time, |fact| fact.time);
    if time >= before { Ok(()) } else { Err(format!("block time {time} after {before}")) }
}

fn time_bounded(history: &History, commit: &Commit) -> Result<(), String> {
    // Later commits of the same block say nothing about the clocks when it was voted on.
    let first = !history.facts.contains_key(&height(commit));
    let (time, clock) = (commit.certified.block.header.time, commit.clock / 1000);
    if !first || time <= clock + DRIFT {
        Ok(())
    } else {
        Err(format!("block time {time} where the clocks show {clock}"))
    }
}

/// A vote against all others of its author.
pub(crate) fn no_conflicting_votes(
    history: &History,
    place: Place,
    ballot: Ballot,
) -> Result<(), String> {
    let known = history.votes.get(&place);
    match known.and_then(|known| known.iter().find(|known| known.contradicts(&ballot))) {
        Some(known) => Err(format!("{ballot:?} after {known:?}")),
        None => Ok(()),
    }
}

/// Evidence is about liars only.
pub(crate) fn no_honest_convicted(history: &History, evidence: &Evidence) -> Result<(), String> {
    if history.liars.contains(&evidence.culprit.to_bytes()) {
        Ok(())
    } else {
        Err(format!("evidence against the honest {}: {:?}", evidence.culprit, evidence.kind))
    }
}

/// Contradictions that came to an honest host in its own epoch are in somebody's records.
pub(crate) fn evidence_recorded(history: &History) -> Result<(), String> {
    for (liar, times) in &history.witnessed {
        let recorded = history.evidence.iter().any(|(_, e)| e.culprit.to_bytes() == *liar);
        if *times > 0 && !recorded {
            return Err(format!(
                "{} contradicted itself {times} times before an honest host, unrecorded",
                hex::encode(liar)
            ));
        }
    }
    Ok(())
}
