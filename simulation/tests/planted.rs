//! Every invariant can fail: a bug is planted that breaks it, and it is found. Without the bug the
//! same run breaks nothing.

use placet_simulation::{Invariant, execute, stage};

/// What the bug breaks is found.
fn finds(invariant: Invariant) {
    let clean = execute(stage(invariant), None, false);
    let honest: Vec<_> = clean
        .violations
        .iter()
        // All clocks of this stage are wrong alike, and the bug is to take them for right.
        .collect();
    assert_eq!(honest, Vec::<&placet_simulation::Violation>::new(), "without the bug");
    let report = execute(stage(invariant), Some(invariant), false);
    assert!(
        report.breaks(invariant),
        "{invariant:?} was not found broken: {:?}",
        report.violations
    );
}

#[test]
fn one_block_per_height_can_fail() {
    finds(Invariant::OneBlockPerHeight);
}

#[test]
fn one_state_per_height_can_fail() {
    finds(Invariant::OneStatePerHeight);
}

#[test]
fn same_digest_can_fail() {
    finds(Invariant::SameDigest);
}

#[test]
fn nullifier_once_can_fail() {
    finds(Invariant::NullifierOnce);
}

#[test]
fn supply_conserved_can_fail() {
    finds(Invariant::SupplyConserved);
}

#[test]
fn quorum_can_fail() {
    finds(Invariant::Quorum);
}

#[test]
fn gapless_can_fail() {
    finds(Invariant::Gapless);
}

#[test]
fn no_conflicting_votes_can_fail() {
    finds(Invariant::NoConflictingVotes);
}

#[test]
fn progress_can_fail() {
    finds(Invariant::Progress);
}

#[test]
fn halt_can_fail() {
    finds(Invariant::Halt);
}

#[test]
fn catch_up_can_fail() {
    finds(Invariant::CatchUp);
}

#[test]
fn decided_can_fail() {
    finds(Invariant::Decided);
}

#[test]
fn time_monotone_can_fail() {
    finds(Invariant::TimeMonotone);
}

#[test]
fn time_bounded_can_fail() {
    finds(Invariant::TimeBounded);
}

#[test]
fn evidence_recorded_can_fail() {
    finds(Invariant::EvidenceRecorded);
}

#[test]
fn no_honest_convicted_can_fail() {
    finds(Invariant::NoHonestConvicted);
}

#[test]
fn stops_without_disk_can_fail() {
    finds(Invariant::StopsWithoutDisk);
}

#[test]
fn keeps_running_can_fail() {
    finds(Invariant::KeepsRunning);
}

/// A new invariant has a test here.
#[test]
fn every_invariant_has_its_test() {
    let source = include_str!("planted.rs");
    for invariant in Invariant::ALL {
        assert!(source.contains(&format!("finds(Invariant::{invariant:?})")), "{invariant:?}");
    }
}
