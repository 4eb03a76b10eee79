//! One run from beginning to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use commonware_codec::{Copying, ReadExt as _, varint::UInt};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Vote;
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256::Digest;
use commonware_p2p::simulated::{self, Network, Oracle};
use commonware_runtime::deterministic::{Config, Context, Runner};
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _};
use commonware_utils::NZUsize;
use placet_engine::keys;
use placet_protocol::finality::Validators;

use crate::bugs;
use crate::clients::{Clients, live};
use crate::dice::Dice;
use crate::history::{Ballot, History};
use crate::host::Host;
use crate::invariants::{Invariant, Violation, evidence_recorded};
use crate::links::{Cut, Links};
use crate::parties::{self, START};
use crate::plan::{Plan, RECOVERY, Trouble, Vice, WARM_UP};
use crate::wire::{self, Circle, Tap};
use crate::world::World;

/// Longest message of the network, in bytes; the largest transaction of a run is far shorter.
const MAX_MESSAGE: u32 = 20 * 1024 * 1024;
/// Milliseconds after the beginning of a trouble in which what was under way may still arrive.
const IN_FLIGHT: u64 = 4_000;
/// A trouble of this length has to see progress if enough hosts are left.
const LONG: u64 = 12_000;
/// By how many milliseconds a host may be behind the others in the end.
const BEHIND: u64 = 6_000;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was broken.
    pub violations: Vec<Violation>,
    /// A hash of everything that happened, to the last message.
    pub digest: String,
    /// The height in the end.
    pub height: u64,
    /// Transactions sent, and executed.
    pub transactions: (usize, usize),
    /// Pieces of evidence.
    pub evidence: usize,
    /// How often each lie was told.
    pub lies: BTreeMap<Vice, u64>,
    /// Whether an authority was convicted of a wrong word.
    pub convicted: bool,
    /// The log, if it was asked for.
    pub lines: Vec<String>,
}

impl Report {
    /// Whether an invariant was broken.
    pub fn breaks(&self, invariant: Invariant) -> bool {
        self.violations.iter().any(|violation| violation.invariant == invariant)
    }
}

/// Runs the plan of a seed.
pub fn simulate(seed: u64) -> Report {
    execute(Plan::new(seed), None, false)
}

/// Runs a plan, with a bug if one is planted.
pub fn execute(plan: Plan, planted: Option<Invariant>, verbose: bool) -> Report {
    let config = Config::new()
        .with_seed(plan.seed)
        .with_start_time(UNIX_EPOCH + Duration::from_secs(START))
        .with_catch_panics(true);
    Runner::new(config).start(|runtime| async move {
        let genesis = parties::genesis(plan.seed, plan.authorities, plan.epoch_length);
        let liars: BTreeSet<[u8; 32]> = plan
            .faulty
            .keys()
            .filter(|_| !bugs::hides_twins(planted))
            .map(|host| parties::authority(*host).public().to_bytes())
            .collect();
        let history = History::new(&genesis, liars, verbose);
        let world = Arc::new(World::new(plan, planted, genesis, history));
        let mut stage = Stage::build(runtime, world).await;
        stage.play().await;
        stage.finish().await
    })
}

/// Everything that is driven.
struct Stage {
    runtime: Context,
    world: Arc<World>,
    oracle: Oracle<PublicKey, Context>,
    links: Links,
    hosts: Vec<Host>,
    clients: Arc<Mutex<Clients>>,
    dice: Dice,
}

/// Shows votes on the wire to history.
fn tap(world: &Arc<World>, host: usize, runtime: Context) -> Tap {
    let world = world.clone();
    Arc::new(move |_, channel, from, message| {
        if channel != wire::VOTES {
            return;
        }
        let mut input = Copying(message);
        let Ok(_epoch) = UInt::<u64>::read(&mut input) else { return };
        let Ok(vote) = Vote::<Scheme, Digest>::read(&mut input) else { return };
        let Some(key) = keys::verify_key(from) else { return };
        let (round, ballot) = match &vote {
            Vote::Notarize(vote) => {
                (vote.proposal.round, Ballot::Notarize(vote.proposal.payload.0))
            }
            Vote::Nullify(vote) => (vote.round, Ballot::Nullify),
            Vote::Finalize(vote) => {
                (vote.proposal.round, Ballot::Finalize(vote.proposal.payload.0))
            }
        };
        let at = since_start(&runtime);
        let place = (key.to_bytes(), round.epoch().get(), round.view().get());
        world.history().vote(at, host, world.is_honest(host), place, ballot);
    })
}

fn since_start(runtime: &Context) -> u64 {
    let since = runtime.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_sub(START * 1000)
}

impl Stage {
    async fn build(runtime: Context, world: Arc<World>) -> Self {
        let plan = world.plan.clone();
        let keys: Vec<PublicKey> = (0..plan.hosts())
            .map(|host| keys::public(&parties::authority(host).public()))
            .collect();
        let (network, oracle) = Network::new_with_peers(
            runtime.child("network"),
            simulated::Config {
                max_size: MAX_MESSAGE,
                max_peers_per_set: NZUsize!(8),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(4),
            },
            keys.clone(),
        )
        .await;
        network.start();
        let links = Links::new(oracle.clone(), keys.clone(), plan.quality).await;
        let everybody = Arc::new(keys.clone());
        let mut hosts = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let name = runtime.child("wire").with_attribute("host", number);
            let tap = tap(&world, number, runtime.child("tap"));
            let wire =
                wire::Host::attach(&name, &oracle, key.clone(), everybody.clone(), tap).await;
            let wire = Arc::new(wire);
            let vice = plan.faulty.get(&number).copied();
            let (first, second) = circles(number, &keys, vice);
            let skew = plan.skew[number];
            // Twins are honest but for being two.
            hosts.push(Host::new(number, true, skew, wire.clone(), first, vice));
            if vice == Some(Vice::Twins) {
                hosts.push(Host::new(number, false, skew, wire, second, vice));
            }
        }
        let clients = Arc::new(Mutex::new(Clients::new(world.clone())));
        let dice = Dice::new(plan.seed ^ 0x0057_a6e5);
        Self { runtime, world, oracle, links, hosts, clients, dice }
    }

    fn now(&self) -> u64 {
        since_start(&self.runtime)
    }

    fn note(&self, line: &str) {
        self.world.history().note(self.now(), line);
    }

    fn broken(&self, invariant: Invariant, what: String) {
        self.world.history().broken(self.now(), invariant, what);
    }

    /// Starts every program of a host.
    fn start(&mut self, number: usize) {
        self.note(&format!("host {number} starts"));
        let Self { runtime, oracle, world, hosts, .. } = self;
        for host in hosts.iter_mut().filter(|host| host.number == number && !host.is_up()) {
            host.start(runtime, oracle, world);
        }
    }

    /// Crashes every program of a host.
    async fn crash(&mut self, number: usize) {
        self.note(&format!("host {number} crashes"));
        let Self { runtime, world, hosts, dice, .. } = self;
        for host in hosts.iter_mut().filter(|host| host.number == number) {
            host.crash(runtime, dice, world).await;
        }
    }

    async fn sleep_until(&mut self, until: u64) {
        loop {
            self.watch();
            let now = self.now();
            // The observer begins in the midst of whatever else happens.
            if let Some(from) = self.world.plan.observer {
                let number = self.world.plan.authorities;
                let asleep = self.hosts.iter().any(|host| host.number == number && !host.is_up());
                if now >= from && asleep {
                    self.start(number);
                }
            }
            if now >= until {
                return;
            }
            let pause = (until - now).min(250);
            self.runtime.sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Nothing but a broken disk ends a program.
    fn watch(&mut self) {
        if self.world.planted == Some(Invariant::KeepsRunning) && self.now() > 5_000 {
            // The planted bug: something kills a program.
            if let Some(host) = self.hosts.get(bugs::CARRIER) {
                host.kill();
            }
        }
        let mut ended = Vec::new();
        for host in &mut self.hosts {
            if let Some(reason) = host.newly_ended()
                && self.world.is_honest(host.number)
            {
                ended.push((host.number, host.hardware.refused() > 0, reason));
            }
        }
        for (number, excused, reason) in ended {
            self.note(&format!("host {number} stopped: {reason}"));
            if !excused {
                self.broken(Invariant::KeepsRunning, format!("host {number} stopped: {reason}"));
            }
        }
    }

    /// From the first start to the last recovery.
    async fn play(&mut self) {
        for number in 0..self.world.plan.authorities {
            self.start(number);
        }
        self.runtime.child("clients").spawn({
            let (clients, world) = (self.clients.clone(), self.world.clone());
            move |runtime| live(runtime, clients, world)
        });
        self.sleep_until(WARM_UP).await;
        for phase in self.world.plan.phases.clone() {
            let begin = self.now();
            self.note(&format!("trouble for {} ms: {:?}", phase.length, phase.trouble));
            self.begin(&phase.trouble).await;
            self.sleep_until(begin + IN_FLIGHT.min(phase.length)).await;
            let before = self.standing();
            self.sleep_until(begin + phase.length).await;
            self.judge(&phase.trouble, phase.length, &before);
            self.end(&phase.trouble).await;
            self.note("the trouble is over");
            let healed = self.now();
            let before = self.world.history().height();
            self.sleep_until(healed + RECOVERY - BEHIND).await;
            let goal = self.world.history().height();
            self.sleep_until(healed + RECOVERY).await;
            self.recovered(before, goal);
        }
    }

    async fn begin(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::None => {}
            Trouble::Cut(cut) => self.links.apply(Some(cut)).await,
            // The planted bug: the hosts that should be down are not.
            Trouble::Crash { .. } if self.world.planted == Some(Invariant::Halt) => {}
            Trouble::Crash { hosts, wiped } => {
                for host in hosts {
                    self.crash(*host).await;
                }
                for host in self.hosts.iter().filter(|host| wiped.contains(&host.number)) {
                    host.wipe(&self.world);
                }
            }
            Trouble::Disk(number) => {
                let hides = self.world.planted == Some(Invariant::StopsWithoutDisk);
                for host in self.hosts.iter().filter(|host| host.number == *number) {
                    host.hardware.set_broken(true);
                    host.hardware.set_hiding(hides);
                }
            }
            Trouble::PowerCut => {
                for number in self.up() {
                    self.crash(number).await;
                }
                for number in 0..self.world.plan.authorities {
                    self.start(number);
                }
            }
        }
    }

    fn up(&self) -> BTreeSet<usize> {
        self.hosts.iter().filter(|host| host.is_up()).map(|host| host.number).collect()
    }

    async fn end(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::None | Trouble::PowerCut => {}
            // The planted bug: the network stays cut.
            Trouble::Cut(_) if self.world.planted == Some(Invariant::Progress) => {}
            Trouble::Cut(_) => self.links.apply(None).await,
            // The planted bug: the host does not come back.
            Trouble::Crash { .. } if self.world.planted == Some(Invariant::CatchUp) => {}
            Trouble::Crash { hosts, .. } => {
                for host in hosts {
                    self.start(*host);
                }
            }
            Trouble::Disk(number) => {
                let mut defiant = Vec::new();
                for host in self.hosts.iter().filter(|host| host.number == *number) {
                    let refused = host.hardware.refused();
                    if refused > 0 && host.ended().is_none() {
                        defiant.push(format!("host {number} runs after {refused} failed writes"));
                    }
                    host.hardware.set_broken(false);
                }
                for what in defiant {
                    self.broken(Invariant::StopsWithoutDisk, what);
                }
                self.crash(*number).await;
                self.start(*number);
            }
        }
    }

    /// Whether the chain had to go on, or could not, while there was trouble. What lies between
    /// says nothing: it depends on who leads when. `before` is the height when the trouble had its
    /// effect, with the validators of that moment; others may have taken over since.
    fn judge(&self, trouble: &Trouble, length: u64, before: &(u64, Option<Validators>)) {
        let (after, now) = self.standing();
        let (Some(first), Some(now)) = (before.1.as_ref(), now.as_ref()) else { return };
        let plan = &self.world.plan;
        let without = |absent: &[usize]| -> Vec<usize> {
            (0..plan.hosts()).filter(|host| !absent.contains(host)).collect()
        };
        let groups = match trouble {
            Trouble::None | Trouble::PowerCut => vec![without(&[])],
            Trouble::Cut(Cut::Apart(side)) => vec![side.clone(), without(side)],
            Trouble::Crash { hosts, .. } => vec![without(hosts)],
            Trouble::Disk(dead) => vec![without(&[*dead])],
            Trouble::Cut(_) => return,
        };
        let unreliable = plan.unreliable();
        let enough = |validators: &Validators, reliably: bool| {
            groups.iter().any(|group| {
                let votes = |host: &&usize| {
                    validators.contains(&parties::authority(**host).public())
                        && !(reliably && unreliable.contains(*host))
                };
                group.iter().filter(votes).count() >= validators.quorum()
            })
        };
        if !enough(first, false) && after > before.0 {
            let what = format!("from {} to {after} though too few could vote together", before.0);
            self.broken(Invariant::Halt, what);
        }
        if enough(first, true) && enough(now, true) && length >= LONG && after == before.0 {
            let what = format!("nothing since {} though enough hosts could vote", before.0);
            self.broken(Invariant::Progress, what);
        }
    }

    /// The height, and who makes the next block final.
    fn standing(&self) -> (u64, Option<Validators>) {
        let history = self.world.history();
        (history.height(), history.current().cloned())
    }

    /// Whether everybody is back.
    fn recovered(&self, before: u64, goal: u64) {
        let (height, tips) = {
            let history = self.world.history();
            (history.height(), history.tips.clone())
        };
        if height <= before {
            self.broken(Invariant::Progress, format!("nothing since {before} after the trouble"));
        }
        for number in 0..self.world.plan.hosts() {
            let started = self.world.plan.observer.is_none_or(|from| self.now() > from + RECOVERY);
            let expected = number < self.world.plan.authorities || started;
            if self.world.is_honest(number) && expected {
                let tip = tips.get(&number).copied().unwrap_or(0);
                if tip < goal {
                    let what = format!("host {number} is at {tip} where {goal} was long final");
                    self.broken(Invariant::CatchUp, what);
                }
            }
        }
    }

    /// What can be said only in the end.
    async fn finish(self) -> Report {
        let recorded = evidence_recorded(&self.world.history());
        if let Err(what) = recorded {
            self.broken(Invariant::EvidenceRecorded, what);
        }
        self.compare_digests();
        self.look_for_wronged().await;
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for what in clients.disappointments() {
            self.broken(Invariant::Decided, what);
        }
        let auditor = self.runtime.auditor().state();
        let mut history = self.world.history();
        Report {
            violations: history.violations.clone(),
            digest: format!("{} {auditor}", history.digest()),
            height: history.height(),
            transactions: (clients.sent(), history.executed.len()),
            evidence: history.evidence.len(),
            lies: history.lies.clone(),
            convicted: clients.convicted(),
            lines: history.lines.take().unwrap_or_default(),
        }
    }

    /// Honest hosts at one height store the same.
    fn compare_digests(&self) {
        let mut known: BTreeMap<u64, (usize, [u8; 32])> = BTreeMap::new();
        for (host, node) in self.world.running() {
            let view = node.ledger().view().map_err(|error| error.to_string());
            let digest = view.and_then(|view| {
                let height = view.tip().map_err(|error| error.to_string())?.height;
                Ok((height, view.full_digest().map_err(|error| error.to_string())?))
            });
            let (height, mut digest) = match digest {
                Ok(found) => found,
                Err(error) => {
                    self.broken(Invariant::SameDigest, format!("host {host}: {error}"));
                    continue;
                }
            };
            if self.world.planted == Some(Invariant::SameDigest) && host == bugs::CARRIER {
                digest[0] ^= 1;
            }
            let (other, expected) = *known.entry(height).or_insert((host, digest));
            if digest != expected {
                let what = format!("hosts {other} and {host} differ at height {height}");
                self.broken(Invariant::SameDigest, what);
            }
        }
    }

    /// Honest authorities that others blocked, or that lost mandates.
    async fn look_for_wronged(&self) {
        let honest: BTreeMap<PublicKey, usize> = (0..self.world.plan.hosts())
            .filter(|host| self.world.is_honest(*host))
            .map(|host| (keys::public(&parties::authority(host).public()), host))
            .collect();
        for (from, to) in self.oracle.blocked().await.unwrap_or_default() {
            if let (Some(from), Some(to)) = (honest.get(&from), honest.get(&to)) {
                let what = format!("honest host {from} blocks honest host {to}");
                self.broken(Invariant::NoHonestConvicted, what);
            }
        }
        let Some((_, node)) = self.world.running().into_iter().next() else { return };
        for sitting in node.sitting() {
            let key = keys::public(&sitting.key);
            if let Some(host) = honest.get(&key).filter(|_| sitting.mandates.is_empty()) {
                let what = format!("honest host {host} lost its mandates");
                self.broken(Invariant::NoHonestConvicted, what);
            }
        }
    }
}

/// Whom each of two twins is in contact with. Some hosts hear both: they see the contradiction.
fn circles(number: usize, keys: &[PublicKey], vice: Option<Vice>) -> (Circle, Circle) {
    if vice != Some(Vice::Twins) {
        return (None, None);
    }
    let others: Vec<_> = (0..keys.len()).filter(|host| *host != number).collect();
    let half = others.len().div_ceil(2);
    let of = |hosts: &[usize]| -> Circle {
        Some(Arc::new(hosts.iter().map(|host| keys[*host].clone()).collect()))
    };
    (of(&others[..half + 1]), of(&others[half - 1..]))
}
