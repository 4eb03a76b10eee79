//! Random sequences of mints, transfers, acceptances, refunds, settlements and redemptions: the
//! agent's register equals the truth, supply is conserved, and wallets restored from their seeds
//! equal the originals.

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use common::{World, memory, quiet, seed};
use placet_protocol::field::Commitment;
use placet_wallet::account::SentState;
use placet_wallet::agent::Agent;
use placet_wallet::holder::{Holder, LockConsent, Payment, ReceivedState, Request, Slot};

const HOLDERS: usize = 3;

/// xorshift64*, so that a failing run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}

/// What a bookkeeper who sees everything would write down.
#[derive(Default)]
struct Truth {
    balance: [u64; HOLDERS],
    in_flight: [u64; HOLDERS],
    supply: u64,
    /// Open deliveries: sender (none for a mint), receiver, amount, deadline.
    open: BTreeMap<Commitment, (Option<usize>, usize, u64, u64)>,
    /// Accepted and not yet settled: sender and amount.
    accepted: BTreeMap<Commitment, (usize, u64)>,
}

fn newest(world: &World, to: usize) -> Commitment {
    world.holders[to].received().last().unwrap().cm
}

impl Truth {
    fn settle(&mut self, settled: Option<Commitment>) {
        if let Some(cm) = settled {
            let (sender, amount) = self.accepted.remove(&cm).expect("it was accepted");
            self.in_flight[sender] -= amount;
        }
    }

    fn step(&mut self, world: &mut World, dice: &mut Dice) {
        let asset = world.asset;
        let i = dice.below(HOLDERS as u64) as usize;
        let j = dice.below(HOLDERS as u64) as usize;
        let settleable = world.holders[i].account(asset).unwrap().settleable().map(|sent| sent.cm);
        let now = world.network.time.get();
        match dice.below(8) {
            0 => {
                let amount = 1 + dice.below(1_000);
                world.mint(i, amount, 0);
                self.supply += amount;
                self.open.insert(newest(world, i), (None, i, amount, 0));
            }
            1..=3 if self.balance[i] > 0 => {
                let amount = 1 + dice.below(self.balance[i]);
                let deadline = now + dice.below(100);
                let to = world.address(j);
                let payment = Payment { to, amount: NonZeroU64::new(amount).unwrap(), deadline };
                let mut request = Request::send(asset, payment);
                // Sometimes sends what it accepts in the same transaction, or settles nothing.
                let incoming = self.open.iter().find(|(_, open)| open.1 == i);
                match (dice.below(3), incoming) {
                    (0, _) => request.slot = Slot::Empty,
                    (1, Some((cm, open))) => {
                        let (cm, open) = (*cm, *open);
                        request.slot = Slot::Accept(cm);
                        world.act(i, &request).unwrap();
                        self.accept(cm, open);
                        self.sent(world, i, j, amount, deadline);
                        return;
                    }
                    _ => self.settle(settleable),
                }
                world.act(i, &request).unwrap();
                self.sent(world, i, j, amount, deadline);
            }
            4 | 5 => {
                let Some((cm, open)) = self.open.iter().find(|(_, open)| open.1 == i) else {
                    return;
                };
                let (cm, open) = (*cm, *open);
                world.act(i, &Request::accept(asset, cm, LockConsent::Ask)).unwrap();
                self.accept(cm, open);
            }
            6 => {
                let own = self.open.iter().find(|(_, open)| open.0 == Some(i) && open.3 <= now);
                let Some((cm, (_, _, amount, _))) = own.map(|(cm, open)| (*cm, *open)) else {
                    world.network.advance(60);
                    return;
                };
                world.act(i, &Request::refund(asset, cm)).unwrap();
                self.open.remove(&cm);
                self.in_flight[i] -= amount;
                self.balance[i] += amount;
            }
            7 if self.balance[i] > 1 && dice.below(2) == 0 => {
                let amount = NonZeroU64::new(1 + dice.below(self.balance[i] - 1)).unwrap();
                world.act(i, &Request::redeem(asset, amount)).unwrap();
                self.settle(settleable);
                self.balance[i] -= amount.get();
                self.supply -= amount.get();
            }
            7 if settleable.is_some() => {
                world.act(i, &Request::settle(asset)).unwrap();
                self.settle(settleable);
            }
            _ => {}
        }
    }

    fn sent(&mut self, world: &World, from: usize, to: usize, amount: u64, deadline: u64) {
        self.balance[from] -= amount;
        self.in_flight[from] += amount;
        self.open.insert(newest(world, to), (Some(from), to, amount, deadline));
    }

    fn accept(&mut self, cm: Commitment, open: (Option<usize>, usize, u64, u64)) {
        let (from, to, amount, _) = open;
        self.open.remove(&cm);
        self.balance[to] += amount;
        if let Some(from) = from {
            self.accepted.insert(cm, (from, amount));
        }
    }

    fn compare(&self, world: &World) {
        let register = world.agent.register(world.asset).unwrap();
        assert!(register.exact);
        assert_eq!(register.asset.supply, self.supply);
        let on_the_way: u64 = self.open.values().map(|open| open.2).sum();
        assert_eq!(self.balance.iter().sum::<u64>() + on_the_way, self.supply);
        let mut holders = 0;
        for i in 0..HOLDERS {
            let account = world.holders[i].account(world.asset).unwrap();
            assert_eq!(account.holding.balance, self.balance[i]);
            assert_eq!(account.holding.in_flight, self.in_flight[i]);
            holders += u64::from(account.holding.held() > 0);
            let id = world.address(i).holder();
            match world.agent.account(world.asset, id) {
                Some(seen) => assert!(seen == account, "the agent sees holder {i} otherwise"),
                None => assert_eq!(account.holding.held(), 0),
            }
            let open = world.holders[i].received();
            let open = open.iter().filter(|received| received.state == ReceivedState::Open);
            assert_eq!(open.count(), self.open.values().filter(|open| open.1 == i).count());
            let unsettled = account.sent.iter().filter(|sent| sent.state == SentState::Unsettled);
            let own = self.open.values().filter(|open| open.0 == Some(i));
            assert_eq!(unsettled.count(), own.count());
        }
        assert_eq!(register.asset.holders, holders);
    }

    /// New wallets and a new agent from the same seeds, replaying from genesis.
    fn restore(world: &World) {
        let genesis = &world.network.genesis;
        for i in 0..HOLDERS {
            let own = seed(1 + i as u8);
            let mut restored = Holder::with_database(memory(), genesis, &own).unwrap();
            restored.sync(&world.network, &mut quiet).unwrap();
            let original = &world.holders[i];
            assert_eq!(restored.accounts(), original.accounts());
            assert_eq!(restored.received(), original.received());
            assert_eq!(restored.credentials(), original.credentials());
            assert_eq!(restored.anchor().unwrap(), original.anchor().unwrap());
        }
        let mut agent = Agent::with_database(memory(), genesis, &seed(202)).unwrap();
        agent.sync(&world.network, &mut quiet).unwrap();
        assert_eq!(
            agent.register(world.asset).unwrap(),
            world.agent.register(world.asset).unwrap()
        );
    }
}

#[test]
fn the_register_and_restored_wallets_equal_the_truth() {
    for run in 1..=4 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(run));
        let mut world = World::new(HOLDERS);
        let mut truth = Truth::default();
        for step in 0..40 {
            truth.step(&mut world, &mut dice);
            if step % 10 == 9 {
                world.sync();
                truth.compare(&world);
            }
        }
        assert!(truth.supply > 0, "the run did something");
        Truth::restore(&world);
    }
}
