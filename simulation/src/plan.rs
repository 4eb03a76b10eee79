//! Everything that happens in a run, decided before it begins and by its seed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::dice::Dice;
use crate::links::{Cut, Quality};

/// Milliseconds without trouble before the first trouble.
pub const WARM_UP: u64 = 5_000;
/// Milliseconds after each trouble within which everybody has to be up to date and the chain has
/// to go on. Several views of a dead leader, and a block time ahead of the clock, fit into it.
pub const RECOVERY: u64 = 22_000;

/// How an authority lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vice {
    /// Takes every proof for valid, and proposes what it took.
    Blind,
    /// Puts the first transaction of its block into it twice.
    DoubleInBlock,
    /// Puts a transaction of an earlier block, not yet final if there is one, into its block.
    DoubleAcrossBlocks,
    /// Its clock is a minute ahead, and so are its blocks.
    TimeAhead,
    /// Blocks a second before their parents.
    TimeBack,
    /// A header with another state hash.
    WrongState,
    /// A header with another hash of the body.
    WrongBody,
    /// A header with other authorities behind the block.
    WrongValidators,
    /// Keeps its blocks to itself, but votes.
    Withholds,
    /// Two programs with its key, each in contact with a part of the others.
    Twins,
    /// Spreads assertions with the names of others, and transactions with garbage for a proof.
    Forger,
}

impl Vice {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Blind,
        Self::DoubleInBlock,
        Self::DoubleAcrossBlocks,
        Self::TimeAhead,
        Self::TimeBack,
        Self::WrongState,
        Self::WrongBody,
        Self::WrongValidators,
        Self::Withholds,
        Self::Twins,
        Self::Forger,
    ];
}

/// What happens to the network for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Messages do not pass.
    Cut(Cut),
    /// These crash, and come back when the trouble ends; those in `wiped` with an empty ledger.
    Crash {
        /// Hosts.
        hosts: Vec<usize>,
        /// Those that lose their ledger, but not the engine's store.
        wiped: BTreeSet<usize>,
    },
    /// The disk of one refuses to write; the host comes back when the trouble ends.
    Disk(usize),
    /// All crash at once and come back at once.
    PowerCut,
}

/// A trouble with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its length in milliseconds.
    pub length: u64,
    /// What happens.
    pub trouble: Trouble,
}

/// When the authorities change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At a time, in milliseconds.
    At(u64),
    /// When the next block is one of the last two of an epoch, after that time.
    EpochsEnd(u64),
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything else follows from it.
    pub seed: u64,
    /// Authorities in the genesis, 4 to 7.
    pub authorities: usize,
    /// Blocks of an epoch.
    pub epoch_length: u64,
    /// The links while there is no trouble.
    pub quality: Quality,
    /// Milliseconds by which each host's clock is ahead.
    pub skew: Vec<i64>,
    /// Who lies, and how.
    pub faulty: BTreeMap<usize, Vice>,
    /// When one more host begins to follow, in milliseconds; none if there is none. Its number is
    /// that of the authorities.
    pub observer: Option<u64>,
    /// When the observer is appointed.
    pub appointment: Option<Moment>,
    /// Who is dismissed when.
    pub dismissal: Option<(usize, Moment)>,
    /// What happens after the warm-up, one after the other, each followed by a recovery.
    pub phases: Vec<Phase>,
    /// Milliseconds between two actions of the parties.
    pub pace: u64,
}

/// Most faulty ones among `n`.
pub const fn tolerated(n: usize) -> usize {
    (n - 1) / 3
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // Small networks are cheap and have the narrowest margins.
        let authorities = *dice.pick(&[4, 4, 4, 5, 6, 7]);
        let f = tolerated(authorities);
        let quality = Quality {
            latency: dice.between(2, 60),
            jitter: dice.between(0, 20),
            loss: *dice.pick(&[0, 0, 10, 30]),
        };
        let epoch_length = dice.between(4, 12);
        let mut faulty = BTreeMap::new();
        if dice.chance(75) {
            for host in dice.choose(1 + dice.clone().below(f), authorities) {
                faulty.insert(host, *dice.pick(&Vice::ALL));
            }
        }
        let observer = dice.chance(35).then(|| dice.between(0, 10_000));
        let hosts = authorities + usize::from(observer.is_some());
        let mut skew: Vec<i64> =
            (0..hosts).map(|_| dice.between(0, 2_000) as i64 - 1_000).collect();
        // A clock beyond the tolerated drift makes its host useless as a voter: a faulty one.
        if faulty.len() < f && dice.chance(50) {
            let beyond = dice.between(11_000, 14_000) as i64;
            let host = dice.below(authorities);
            if !faulty.contains_key(&host) {
                skew[host] = if dice.chance(50) { beyond } else { -beyond };
            }
        }
        for (host, vice) in &faulty {
            if *vice == Vice::TimeAhead {
                skew[*host] = 60_000;
            }
        }
        let mut plan = Self {
            seed,
            authorities,
            epoch_length,
            quality,
            skew,
            faulty,
            observer,
            appointment: None,
            dismissal: None,
            phases: Vec::new(),
            pace: dice.between(500, 1_600),
        };
        if let Some(joins) = observer
            && dice.chance(70)
        {
            // Only who follows already is appointed: until a new one votes, there is no margin.
            let at = joins + dice.between(6_000, 10_000);
            let moment = |dice: &mut Dice, at| {
                if dice.chance(50) { Moment::EpochsEnd(at) } else { Moment::At(at) }
            };
            plan.appointment = Some(moment(&mut dice, at));
            if dice.chance(50) {
                // Whoever leaves after somebody came leaves the margin as it was.
                let (host, later) = (dice.below(authorities), at + dice.between(0, 5_000));
                plan.dismissal = Some((host, moment(&mut dice, later)));
            }
        }
        let phases = if dice.chance(30) { 2 } else { 1 };
        plan.phases = (0..phases).map(|_| plan.phase(&mut dice)).collect();
        plan
    }

    /// A run without lies, troubles and wrong clocks.
    pub fn quiet(seed: u64, authorities: usize) -> Self {
        Self {
            seed,
            authorities,
            epoch_length: 7,
            quality: Quality { latency: 10, jitter: 3, loss: 0 },
            skew: vec![0; authorities],
            faulty: BTreeMap::new(),
            observer: None,
            appointment: None,
            dismissal: None,
            phases: Vec::new(),
            pace: 500,
        }
    }

    /// Hosts that cannot be counted on, whatever happens.
    pub fn unreliable(&self) -> BTreeSet<usize> {
        let beyond = |(host, skew): (usize, &i64)| (skew.abs() > 5_000).then_some(host);
        self.faulty.keys().copied().chain(self.skew.iter().enumerate().filter_map(beyond)).collect()
    }

    /// All hosts.
    pub fn hosts(&self) -> usize {
        self.authorities + usize::from(self.observer.is_some())
    }

    fn phase(&self, dice: &mut Dice) -> Phase {
        let (n, f) = (self.authorities, tolerated(self.authorities));
        let length = dice.between(5_000, 14_000);
        let few = |dice: &mut Dice| dice.choose(1 + dice.clone().below(f), n);
        let many = |dice: &mut Dice| dice.choose(f + 1 + dice.clone().below(2), n);
        let wiped = |dice: &mut Dice, hosts: &[usize]| {
            hosts.iter().copied().filter(|_| dice.chance(30)).collect::<BTreeSet<_>>()
        };
        let trouble = match dice.below(10) {
            0 => Trouble::None,
            1 => Trouble::Cut(Cut::Apart(few(dice))),
            2 => Trouble::Cut(Cut::Apart(many(dice))),
            3 => Trouble::Cut(Cut::Mute(few(dice))),
            4 => Trouble::Cut(Cut::Deaf(few(dice))),
            5 => Trouble::Cut(Cut::Bridge(many(dice))),
            6 => {
                let hosts = few(dice);
                let wiped = wiped(dice, &hosts);
                Trouble::Crash { hosts, wiped }
            }
            7 => {
                let hosts = many(dice);
                let wiped = wiped(dice, &hosts);
                Trouble::Crash { hosts, wiped }
            }
            8 => Trouble::Disk(dice.below(n)),
            _ => Trouble::PowerCut,
        };
        Phase { length, trouble }
    }

    /// Milliseconds from the beginning to the end.
    pub fn length(&self) -> u64 {
        WARM_UP + self.phases.iter().map(|phase| phase.length + RECOVERY).sum::<u64>()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} authorities, epochs of {} blocks, {} ms of simulated time",
            self.seed,
            self.authorities,
            self.epoch_length,
            self.length()
        )?;
        writeln!(f, "  links: {:?}; an action every {} ms", self.quality, self.pace)?;
        writeln!(f, "  clocks ahead by ms: {:?}", self.skew)?;
        writeln!(f, "  faulty: {:?}", self.faulty)?;
        writeln!(
            f,
            "  observer from {:?}, appointed {:?}, dismissed {:?}",
            self.observer, self.appointment, self.dismissal
        )?;
        for phase in &self.phases {
            writeln!(f, "  for {} ms: {:?}", phase.length, phase.trouble)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_keep_to_what_the_protocol_tolerates() {
        for seed in 0..2_000 {
            let plan = Plan::new(seed);
            assert_eq!(plan, Plan::new(seed));
            assert!((4..=7).contains(&plan.authorities));
            assert!(plan.unreliable().len() <= tolerated(plan.authorities), "{plan}");
            assert_eq!(plan.skew.len(), plan.hosts());
        }
    }

    #[test]
    fn every_vice_and_trouble_occurs_within_two_hundred_seeds() {
        let plans: Vec<_> = (0..200).map(Plan::new).collect();
        for vice in Vice::ALL {
            assert!(plans.iter().any(|plan| plan.faulty.values().any(|v| *v == vice)), "{vice:?}");
        }
        let some = |test: fn(&Trouble) -> bool| {
            plans.iter().flat_map(|plan| &plan.phases).any(|phase| test(&phase.trouble))
        };
        assert!(some(|t| matches!(t, Trouble::None)));
        assert!(some(|t| matches!(t, Trouble::Cut(Cut::Apart(_)))));
        assert!(some(|t| matches!(t, Trouble::Cut(Cut::Mute(_)))));
        assert!(some(|t| matches!(t, Trouble::Cut(Cut::Deaf(_)))));
        assert!(some(|t| matches!(t, Trouble::Cut(Cut::Bridge(_)))));
        assert!(some(|t| matches!(t, Trouble::Crash { .. })));
        assert!(some(|t| matches!(t, Trouble::Disk(_))));
        assert!(some(|t| matches!(t, Trouble::PowerCut)));
        assert!(plans.iter().any(|plan| plan.appointment.is_some()));
        assert!(plans.iter().any(|plan| plan.dismissal.is_some()));
    }
}
