//! One bug for each invariant, planted to show that the invariant can fail. Most break the system
//! itself: a vote cast twice, a disk that hides its failures. Where the protocol lets nobody break
//! the rule from outside, the bug is in what a host reports.

use crate::history::Commit;
use crate::invariants::Invariant;
use crate::links::Cut;
use crate::plan::{Phase, Plan, Trouble, Vice};

/// The host that has the bug.
pub const CARRIER: usize = 1;

/// A run in which the bug that breaks `invariant` has its effect.
pub fn stage(invariant: Invariant) -> Plan {
    let mut plan = Plan::quiet(1, 4);
    let trouble = match invariant {
        Invariant::NoConflictingVotes
        | Invariant::NoHonestConvicted
        | Invariant::EvidenceRecorded => {
            plan.faulty.insert(CARRIER, Vice::Twins);
            Trouble::None
        }
        Invariant::Progress => Trouble::Cut(Cut::Apart(vec![0, 1])),
        Invariant::Halt => Trouble::Crash { hosts: vec![0, 1], wiped: Default::default() },
        Invariant::CatchUp => Trouble::Crash { hosts: vec![CARRIER], wiped: Default::default() },
        Invariant::StopsWithoutDisk => Trouble::Disk(CARRIER),
        _ => Trouble::None,
    };
    if invariant == Invariant::TimeBounded {
        plan.skew = vec![60_000; plan.authorities];
    }
    plan.phases = vec![Phase { length: 12_000, trouble }];
    plan
}

/// Whether the twins of the plan are taken for an honest authority: the bug is that two programs
/// run with one key.
pub fn hides_twins(planted: Option<Invariant>) -> bool {
    matches!(planted, Some(Invariant::NoConflictingVotes | Invariant::NoHonestConvicted))
}

/// Changes what a host reports; `false` keeps it from reporting at all.
pub fn spoil(planted: Option<Invariant>, commit: &mut Commit) -> bool {
    let (Some(invariant), CARRIER) = (planted, commit.host) else { return true };
    let block = &mut commit.certified.block;
    match invariant {
        Invariant::OneBlockPerHeight => commit.id.0[0] ^= 1,
        Invariant::OneStatePerHeight => commit.state[0] ^= 1,
        Invariant::NullifierOnce => {
            let first = block.entries.first().cloned();
            block.entries.extend(first);
        }
        Invariant::SupplyConserved => {
            commit.outstanding.values_mut().for_each(|units| *units += 1);
        }
        Invariant::Quorum => {
            commit.certified.finality.certificate.signatures.truncate(2);
        }
        Invariant::Gapless => return !block.header.height.is_multiple_of(5),
        Invariant::TimeMonotone => block.header.time = 0,
        _ => {}
    }
    true
}
