//! A host: what survives a crash, and the authority that runs on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::Oracle;
use commonware_p2p::{Manager as _, TrackedPeers};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _};
use commonware_utils::ordered::Set;
use futures::future::{Either, select};
use placet_engine::keys;
use placet_engine::record::{RecordError, Voted, VotingRecord};
use placet_engine::run::{Networks, Setup, Timeouts, run};
use placet_engine::status::Board;
use placet_ledger::{Backend, CachedCheck, Ledger, ProofCheck};
use placet_node::{Node, Settings, Store};

use crate::dice::Dice;
use crate::disk::Disk;
use crate::machine::{Hardware, Machine};
use crate::parties;
use crate::plan::Vice;
use crate::probe::Probe;
use crate::proofs::Judge;
use crate::wire::{self, Circle};
use crate::world::World;

/// How long a proposer waits for transactions.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long the engine waits for a leader, and for a view.
const TIMEOUTS: Timeouts =
    Timeouts { leader: Duration::from_secs(2), certification: Duration::from_secs(4) };

/// The record of votes beside the key.
struct Record {
    hardware: Arc<Hardware>,
    voted: Arc<Mutex<Option<Voted>>>,
}

impl VotingRecord for Record {
    fn load(&self) -> Result<Option<Voted>, RecordError> {
        Ok(*self.voted.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn save(&mut self, voted: &Voted) -> Result<(), RecordError> {
        self.hardware.check().map_err(|error| RecordError::Store(error.to_string()))?;
        *self.voted.lock().unwrap_or_else(PoisonError::into_inner) = Some(*voted);
        Ok(())
    }
}

/// What runs on a host.
struct Program {
    task: Handle<()>,
    /// Why it ended by itself, if it did.
    ended: Arc<Mutex<Option<String>>>,
    told: bool,
}

/// A host. Its second program, if the authority is twins, is another one with the same wire.
pub struct Host {
    /// Its number; that of the authority.
    pub number: usize,
    /// Its machine.
    pub hardware: Arc<Hardware>,
    ledger: Disk,
    store: Disk,
    voted: Arc<Mutex<Option<Voted>>>,
    wire: Arc<wire::Host>,
    circle: Circle,
    vice: Option<Vice>,
    /// Whether it is the one that the parties talk to.
    first: bool,
    life: u64,
    program: Option<Program>,
}

impl Host {
    /// A host with empty disks.
    pub fn new(
        number: usize,
        first: bool,
        skew: i64,
        wire: Arc<wire::Host>,
        circle: Circle,
        vice: Option<Vice>,
    ) -> Self {
        let disk = if first { format!("h{number}") } else { format!("h{number}-twin") };
        let hardware = Arc::new(Hardware::new(disk, skew));
        Self {
            number,
            ledger: Disk::new(hardware.clone()),
            store: Disk::new(hardware.clone()),
            voted: Arc::default(),
            hardware,
            wire,
            circle,
            vice,
            first,
            life: 0,
            program: None,
        }
    }

    /// Whether a program was started and not stopped; it may have ended by itself.
    pub fn is_up(&self) -> bool {
        self.program.is_some()
    }

    /// Why the program ended, told once.
    pub fn newly_ended(&mut self) -> Option<String> {
        let reason = self.ended()?;
        let program = self.program.as_mut()?;
        (!std::mem::replace(&mut program.told, true)).then_some(reason)
    }

    /// Ends the program behind the back of whoever watches it.
    pub fn kill(&self) {
        if let Some(program) = &self.program {
            let mut ended = program.ended.lock().unwrap_or_else(PoisonError::into_inner);
            *ended = Some("killed".to_owned());
            program.task.abort();
        }
    }

    /// Why the program ended, if it did so by itself.
    pub fn ended(&self) -> Option<String> {
        let program = self.program.as_ref()?;
        program.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts the authority.
    pub fn start(
        &mut self,
        runtime: &Context,
        oracle: &Oracle<PublicKey, Context>,
        world: &Arc<World>,
    ) {
        let judge = match self.vice {
            Some(Vice::Blind) => Judge::Blind,
            _ => Judge::Honest,
        };
        let proofs: Arc<dyn ProofCheck> = Arc::new(CachedCheck::with_capacity(judge, 1024));
        let opened = self.ledger.open().expect("a disk that works holds a sound store");
        let ledger = Ledger::open(Backend::Opened(opened), world.genesis.clone(), proofs.clone())
            .expect("the ledger that this host wrote opens again");
        let opened = self.store.open().expect("a disk that works holds a sound store");
        let store = Store::on(opened).expect("the store that this host wrote opens again");
        let key = parties::authority(self.number);
        let settings = Settings { patience: PATIENCE, ..Settings::default() };
        let node = Node::new(ledger, proofs, key.clone(), store, None, settings)
            .expect("a node goes on where it stopped");
        let node = Arc::new(node);
        let probe = Probe::new(self.number, node.clone(), world.clone(), self.vice);
        if self.first {
            world.set_node(self.number, Some(node.clone()));
        }

        let mut channels =
            self.wire.plug(self.circle.clone(), self.vice == Some(Vice::Withholds)).into_iter();
        let mut next = || channels.next().expect("a host has all channels");
        let networks = Networks {
            votes: next(),
            certificates: next(),
            resolve: next(),
            backfill: next(),
            blocks: next(),
            gossip: next(),
        };
        let everybody: Vec<_> = (0..world.plan.hosts())
            .map(|host| keys::public(&parties::authority(host).public()))
            .collect();
        let mut manager = oracle.manager();
        let setup = Setup {
            prefix: String::new(),
            key: keys::private(&key),
            timeouts: TIMEOUTS,
            record: Box::new(Record { hardware: self.hardware.clone(), voted: self.voted.clone() }),
            track: Box::new(move |epoch, validators| {
                let all = Set::from_iter_dedup(everybody.iter().cloned());
                // Refused where a faster host has announced the epoch: then it is known.
                manager.track(epoch + 1, TrackedPeers::new(keys::set(validators), all));
                Ok(())
            }),
            board: Board::default(),
        };
        let (peers, blocker) = (oracle.manager(), oracle.control(keys::public(&key.public())));
        let ended = Arc::<Mutex<Option<String>>>::default();
        let (noted, hardware) = (ended.clone(), self.hardware.clone());
        self.life += 1;
        let life = runtime
            .child("host")
            .with_attribute("number", self.number)
            .with_attribute("first", self.first)
            .with_attribute("life", self.life);
        let task = life.spawn(move |runtime| async move {
            // A panic ends the inner task, which is how a process ends that panics.
            let program = runtime.child("program").spawn(move |runtime| async move {
                let machine = Machine::new(runtime, hardware);
                let failure = node.failure();
                let engine =
                    Box::pin(run(machine, setup, Arc::new(probe), networks, peers, blocker));
                let work = Box::pin(node.run());
                let failed = Box::pin(async {
                    let mut failure = failure;
                    let reason = failure.wait_for(Option::is_some).await.ok();
                    reason.and_then(|reason| reason.as_deref().map(str::to_owned))
                });
                match select(engine, select(work, failed)).await {
                    Either::Left((result, _)) => format!("the engine ended: {result:?}"),
                    Either::Right((Either::Left((result, _)), _)) => {
                        format!("the node ended: {result:?}")
                    }
                    Either::Right((Either::Right((reason, _)), _)) => {
                        format!("the node failed: {reason:?}")
                    }
                }
            });
            let reason = program.await.unwrap_or_else(|error| format!("it panicked: {error}"));
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        });
        self.program = Some(Program { task, ended, told: false });
    }

    /// The host crashes; what it had not synchronised may be lost.
    pub async fn crash(&mut self, runtime: &Context, dice: &mut Dice, world: &World) {
        self.wire.unplug();
        if self.first {
            world.set_node(self.number, None);
        }
        if let Some(program) = self.program.take() {
            program.task.abort();
            // The task is gone when this returns, whatever became of it.
            let _ = program.task.await;
            runtime.sleep(Duration::from_millis(20)).await;
        }
        self.ledger.crash(dice);
        self.store.crash(dice);
    }

    /// The ledger is lost, while the engine's store is not.
    pub fn wipe(&self, world: &World) {
        self.ledger.wipe();
        world.history().wiped(self.number);
    }
}
