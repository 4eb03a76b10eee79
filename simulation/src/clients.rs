//! The parties' wallets: they make transactions, send each to some host, and send it again to
//! another until it is final. Among them are thieves who spend twice and people who send garbage.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use commonware_runtime::deterministic::Context;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _};
use placet_node::Node;
use placet_node::inbox::Source;
use placet_protocol::api::TransactionStatus;
use placet_protocol::assertion::SignedAssertion;
use placet_protocol::finality::ends_epoch;
use placet_protocol::transaction::{ConvictAuthority, Transaction, TransferTransaction, TxId};
use placet_protocol::wire::Wire as _;

use crate::dice::Dice;
use crate::invariants::Invariant;
use crate::parties::{Asset, Parties, authority};
use crate::plan::{Moment, Vice};
use crate::world::World;

/// Milliseconds before the end of a run after which nothing new is made.
const LAST_ORDERS: u64 = 16_000;
/// Milliseconds after which a wallet asks another host.
const PATIENCE: u64 = 5_000;

/// What should become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hope {
    /// It is valid.
    Final,
    /// Of all with this number exactly one becomes final.
    OneOf(u64),
    /// It breaks a rule.
    Never,
}

struct Tracked {
    kind: &'static str,
    bytes: Arc<Vec<u8>>,
    hope: Hope,
    next: u64,
}

/// Things that have to be done one at a time: each waits until the one before is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Series {
    Setup,
    Issue,
    Sanctions,
    Policy,
    Authorities,
}

/// All wallets.
pub struct Clients {
    world: Arc<World>,
    parties: Parties,
    dice: Dice,
    setup: VecDeque<Transaction>,
    tracked: BTreeMap<TxId, Tracked>,
    last: BTreeMap<Series, (u64, TxId)>,
    groups: u64,
    minted: bool,
    appointed: bool,
    dismissed: bool,
    lost: bool,
    /// What a liar that takes any proof was shown: its word on it convicts it.
    bait: Option<(usize, TransferTransaction)>,
    convicted: bool,
}

impl Clients {
    /// Wallets of a run.
    pub fn new(world: Arc<World>) -> Self {
        let parties = Parties::new(&world.genesis, world.plan.seed);
        let setup = VecDeque::from([
            parties.admission(),
            parties.registration(Asset::Endorsed),
            parties.registration(Asset::Free),
        ]);
        let dice = Dice::new(world.plan.seed ^ 0x00c1_1e47);
        Self {
            world,
            parties,
            dice,
            setup,
            tracked: BTreeMap::new(),
            last: BTreeMap::new(),
            groups: 0,
            minted: false,
            appointed: false,
            dismissed: false,
            lost: false,
            bait: None,
            convicted: false,
        }
    }

    fn executed(&self, id: &TxId) -> bool {
        self.world.history().executed.contains_key(id)
    }

    /// The next number of a series; none while the one before is not final.
    fn turn(&self, series: Series) -> Option<u64> {
        match self.last.get(&series) {
            None => Some(1),
            Some((number, id)) => self.executed(id).then_some(number + 1),
        }
    }

    /// Does one thing.
    pub fn act(&mut self, runtime: &Context, at: u64) {
        self.send_again(runtime, at);
        if at + LAST_ORDERS > self.world.plan.length() {
            return;
        }
        let running = self.world.running();
        // The one that has seen most: wallets look at several.
        let Some((_, best)) = running.iter().max_by_key(|(_, node)| node.tip().height) else {
            return;
        };
        let best = best.clone();
        if !self.setup.is_empty() {
            if let Some(number) = self.turn(Series::Setup)
                && let Some(tx) = self.setup.pop_front()
            {
                self.one_at_a_time(runtime, at, Series::Setup, number, tx);
            }
            return;
        }
        if self.turn(Series::Setup).is_none() {
            return;
        }
        if self.change_authorities(runtime, at, &best) {
            return;
        }
        if self.prosecute(runtime, at, &best) {
            return;
        }
        if !self.minted {
            self.minted = true;
            for asset in [Asset::Endorsed, Asset::Free] {
                let tx = self.parties.mint(asset, 100);
                self.track(runtime, at, tx, Hope::Final);
            }
            return;
        }
        self.something(runtime, at, &best);
    }

    fn something(&mut self, runtime: &Context, at: u64, best: &Arc<Node>) {
        let asset = if self.dice.chance(65) { Asset::Endorsed } else { Asset::Free };
        match self.dice.below(100) {
            0..50 => self.transfer(runtime, at, best, asset, 0),
            50..55 if self.supplied(best) => self.transfer(runtime, at, best, asset, 1),
            55..63 => {
                let amount = self.dice.between(1, 50);
                let tx = self.parties.mint(asset, amount);
                self.track(runtime, at, tx, Hope::Final);
            }
            63..73 => self.rivals(runtime, at, best, asset),
            73..83 => self.garbage_first(runtime, at, best, asset),
            83..88 => {
                if let Some(number) = self.turn(Series::Issue) {
                    let tx = self.parties.issue(number);
                    self.one_at_a_time(runtime, at, Series::Issue, number, tx);
                }
            }
            88..90 => {
                if let Some(number) = self.turn(Series::Sanctions) {
                    let tx = self.parties.sanctions(number);
                    self.one_at_a_time(runtime, at, Series::Sanctions, number, tx);
                }
            }
            90..92 => {
                if let Some(number) = self.turn(Series::Policy) {
                    let tx = self.parties.policy_change(Asset::Endorsed, number + 1);
                    self.one_at_a_time(runtime, at, Series::Policy, number, tx);
                }
            }
            92..96 => {
                let tx = self.parties.forgery();
                self.track(runtime, at, tx, Hope::Never);
            }
            _ => self.frame(runtime, at, best),
        }
    }

    /// Whether both mints are final, so that a unit can be redeemed.
    fn supplied(&self, best: &Node) -> bool {
        let assets = best.ledger().view().and_then(|view| Ok(view.assets()?));
        assets.is_ok_and(|assets| assets.len() == 2 && assets.iter().all(|a| a.outstanding() > 50))
    }

    fn transfer(&mut self, runtime: &Context, at: u64, best: &Node, asset: Asset, redeemed: u64) {
        if let Ok(tx) = self.parties.transfer(best.ledger(), asset, redeemed) {
            self.track(runtime, at, Transaction::Transfer(tx), Hope::Final);
        }
    }

    /// Two transfers that spend the same, sent to different hosts at once.
    fn rivals(&mut self, runtime: &Context, at: u64, best: &Node, asset: Asset) {
        let Ok(first) = self.parties.transfer(best.ledger(), asset, 0) else { return };
        let second = self.parties.rival(&first);
        self.groups += 1;
        for tx in [first, second] {
            self.track(runtime, at, Transaction::Transfer(tx), Hope::OneOf(self.groups));
        }
    }

    /// Somebody who saw a transfer sends it everywhere with garbage for a proof before its owner
    /// sends it. The garbage has the same id.
    fn garbage_first(&mut self, runtime: &Context, at: u64, best: &Node, asset: Asset) {
        let Ok(tx) = self.parties.transfer(best.ledger(), asset, 0) else { return };
        for host in 0..self.world.plan.hosts() {
            let garbage = self.parties.garbage(&tx);
            let bytes = Arc::new(Transaction::Transfer(garbage).to_wire());
            self.submit(runtime, host, 66, bytes);
        }
        self.track(runtime, at, Transaction::Transfer(tx), Hope::Final);
    }

    /// Somebody tries to have an authority convicted for an honest word.
    fn frame(&mut self, runtime: &Context, at: u64, best: &Node) {
        let ledger = best.ledger();
        let height = best.tip().height;
        let words = (height.saturating_sub(10)..=height).rev().find_map(|height| {
            let block = ledger.block(height).ok()??;
            block.block.entries.into_iter().find_map(|entry| match entry.transaction {
                Transaction::Transfer(transfer) => {
                    let assertion = entry.assertions.into_iter().next()?;
                    Some(ConvictAuthority { transfer, assertion })
                }
                _ => None,
            })
        });
        if let Some(words) = words {
            self.track(runtime, at, Transaction::ConvictAuthority(words), Hope::Never);
        }
    }

    /// Shows a transfer with garbage for a proof to an authority that takes any, and has it convicted
    /// when it approves; whether it did something.
    fn prosecute(&mut self, runtime: &Context, at: u64, best: &Node) -> bool {
        let faulty = &self.world.plan.faulty;
        let Some(liar) = faulty.iter().find(|(_, vice)| **vice == Vice::Blind).map(|(l, _)| *l)
        else {
            return false;
        };
        let Some((_, bait)) = self.bait.clone() else {
            let Ok(tx) = self.parties.transfer(best.ledger(), Asset::Endorsed, 0) else {
                return false;
            };
            let bait = self.parties.garbage(&tx);
            let bytes = Arc::new(Transaction::Transfer(bait.clone()).to_wire());
            self.submit(runtime, liar, 67, bytes);
            // One that needs nobody's approval goes straight into its blocks.
            if let Ok(tx) = self.parties.transfer(best.ledger(), Asset::Free, 0) {
                let poison = self.parties.garbage(&tx);
                let bytes = Arc::new(Transaction::Transfer(poison).to_wire());
                self.submit(runtime, liar, 68, bytes);
            }
            self.bait = Some((liar, bait));
            return true;
        };
        if self.convicted {
            return false;
        }
        let Some(node) = self.world.node(liar) else { return false };
        let key = authority(liar).public();
        let transfer = Transaction::Transfer(bait.clone());
        let (id, proof_hash) = (transfer.id(&self.world.genesis.chain_id()), transfer.proof_hash());
        let opinions = match node.status(id) {
            Ok(
                TransactionStatus::Pending { assertions }
                | TransactionStatus::Refused { assertions, .. },
            ) => assertions,
            _ => return false,
        };
        let word = opinions
            .iter()
            .filter(|opinion| opinion.key == key && opinion.approves)
            .filter_map(|opinion| {
                let bytes = hex::decode(&opinion.assertion).ok()?;
                SignedAssertion::from_wire(&bytes).ok()
            })
            .find(|signed| signed.assertion.proof_hash == proof_hash);
        // The height that it judged at has to be final everywhere.
        let Some(assertion) = word.filter(|w| w.assertion.judged_at <= best.tip().height) else {
            return false;
        };
        self.convicted = true;
        let conviction = ConvictAuthority { transfer: bait, assertion };
        self.track(runtime, at, Transaction::ConvictAuthority(conviction), Hope::Final);
        true
    }

    /// Whether a liar was brought to conviction.
    pub fn convicted(&self) -> bool {
        self.convicted
    }

    /// Appoints or dismisses if it is time; whether it did.
    fn change_authorities(&mut self, runtime: &Context, at: u64, best: &Node) -> bool {
        let length = self.world.plan.epoch_length;
        let next = best.tip().height + 1;
        let now = |moment: Moment| match moment {
            Moment::At(from) => at >= from,
            Moment::EpochsEnd(from) => {
                at >= from && (ends_epoch(next, length) || ends_epoch(next + 1, length))
            }
        };
        let Some(number) = self.turn(Series::Authorities) else { return false };
        let sitting: BTreeSet<usize> = {
            let history = self.world.history();
            let sits = |host: &usize| history.sitting().contains(&authority(*host).public());
            (0..self.world.plan.hosts()).filter(sits).collect()
        };
        let plan = &self.world.plan;
        let tx = match (plan.appointment, plan.dismissal) {
            (Some(moment), _) if !self.appointed && now(moment) => {
                self.appointed = true;
                self.parties.appointment(number, plan.authorities, &sitting)
            }
            (_, Some((host, moment))) if self.appointed && !self.dismissed && now(moment) => {
                self.dismissed = true;
                self.parties.dismissal(number, host, &sitting)
            }
            _ => return false,
        };
        self.one_at_a_time(runtime, at, Series::Authorities, number, tx);
        true
    }

    fn one_at_a_time(
        &mut self,
        runtime: &Context,
        at: u64,
        series: Series,
        number: u64,
        tx: Transaction,
    ) {
        let id = tx.id(&self.world.genesis.chain_id());
        self.last.insert(series, (number, id));
        self.track(runtime, at, tx, Hope::Final);
    }

    /// Sends a transaction, and again until its fate is known.
    fn track(&mut self, runtime: &Context, at: u64, tx: Transaction, hope: Hope) {
        let id = tx.id(&self.world.genesis.chain_id());
        let kind = tx.kind();
        self.world.history().note(at, &format!("a wallet sends {kind} {id}, hoping {hope:?}"));
        let bytes = Arc::new(tx.to_wire());
        let first = matches!(tx, Transaction::Transfer(_)) && !self.lost;
        if self.world.planted == Some(Invariant::Decided) && first {
            // The planted bug: the wallet believes that it sent it.
            self.lost = true;
            self.tracked.insert(id, Tracked { kind, bytes, hope, next: u64::MAX });
            return;
        }
        let tracked = Tracked { kind, bytes, hope, next: at };
        self.tracked.insert(id, tracked);
        self.send_again(runtime, at);
    }

    fn is_settled(&self, id: &TxId, hope: Hope) -> bool {
        match hope {
            Hope::OneOf(group) => self
                .tracked
                .iter()
                .any(|(id, other)| other.hope == Hope::OneOf(group) && self.executed(id)),
            Hope::Final | Hope::Never => self.executed(id),
        }
    }

    fn send_again(&mut self, runtime: &Context, at: u64) {
        let due: Vec<TxId> = self
            .tracked
            .iter()
            .filter(|(id, tracked)| tracked.next <= at && !self.is_settled(id, tracked.hope))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(tracked) = self.tracked.get_mut(&id) else { continue };
            let again = if tracked.hope == Hope::Never { u64::MAX } else { at + PATIENCE };
            tracked.next = again;
            let bytes = tracked.bytes.clone();
            let host = self.dice.below(self.world.plan.hosts());
            self.submit(runtime, host, 7, bytes);
        }
    }

    fn submit(&self, runtime: &Context, host: usize, client: u8, bytes: Arc<Vec<u8>>) {
        let Some(node) = self.world.node(host) else { return };
        runtime.child("wallet").spawn(move |_| async move {
            let source = Source::client(IpAddr::V4(Ipv4Addr::new(192, 0, 2, client)));
            // Whatever the answer is, the wallet looks for its transaction in the blocks.
            let _ = node.submit(source, &bytes).await;
        });
    }

    /// What is not as hoped for in the end.
    pub fn disappointments(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut groups: BTreeMap<u64, usize> = BTreeMap::new();
        for (id, tracked) in &self.tracked {
            let executed = self.executed(id);
            let kind = tracked.kind;
            match tracked.hope {
                Hope::Final if !executed => wrong.push(format!("{kind} {id} is not final")),
                Hope::Never if executed => wrong.push(format!("{kind} {id} was executed")),
                Hope::OneOf(group) => {
                    *groups.entry(group).or_default() += usize::from(executed);
                }
                _ => {}
            }
            if executed {
                continue;
            }
            for (host, node) in self.world.running() {
                match node.status(*id) {
                    Ok(TransactionStatus::Unknown | TransactionStatus::Refused { .. }) => {}
                    other => {
                        wrong.push(format!(
                            "{kind} {id} is neither final nor refused at {host}: {other:?}"
                        ));
                    }
                }
            }
        }
        wrong.extend(
            groups
                .into_iter()
                .filter(|(_, executed)| *executed != 1)
                .map(|(group, executed)| format!("{executed} of the rivals {group} are final")),
        );
        wrong
    }

    /// How many transactions were sent.
    pub fn sent(&self) -> usize {
        self.tracked.len()
    }
}

/// Lets the wallets act until the end of the run.
pub async fn live(runtime: Context, clients: Arc<std::sync::Mutex<Clients>>, world: Arc<World>) {
    let (pace, length) = (world.plan.pace, world.plan.length());
    let mut at = 500;
    runtime.sleep(Duration::from_millis(at)).await;
    while at < length {
        clients.lock().unwrap_or_else(std::sync::PoisonError::into_inner).act(&runtime, at);
        runtime.sleep(Duration::from_millis(pace)).await;
        at += pace;
    }
}
