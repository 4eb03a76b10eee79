//! Proving ahead: what was prepared serves the case it was prepared for and no other, and a proof
//! that started warm is a proof like any other.

mod common;

use std::cell::Cell;
use std::convert::Infallible;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{World, random};
use placet_circuits::circuit::Circuit;
use placet_protocol::circuit::CircuitId;
use placet_protocol::policy::Rule;
use placet_protocol::signing::SigningKey;
use placet_protocol::statement::{PROOF_BYTES, ProofBytes, Statement};
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{Signed, Transaction};
use placet_protocol::transfer::Transfer;
use placet_protocol::wire::Wire;
use placet_prover::kernel::{Kernel, Tables};
use placet_prover::{ProofSeed, Prover};
use placet_setup::{default_cache_dir, development_keys};
use placet_wallet::holder::{
    Draft, Guess, LockConsent, Payment, Preparations, Prepared, Request, Start,
};

/// Stands in for what a prover computed, and counts how often it is dropped.
struct Counted(Rc<Cell<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A wallet's preparations with their drops.
#[derive(Default)]
struct Bench {
    preparations: Preparations<Counted>,
    dropped: Rc<Cell<usize>>,
}

impl Bench {
    /// What the shell does after each sync; returns how many guesses were new.
    fn refresh(&mut self, world: &World) -> usize {
        let missing = self.preparations.keep(guesses(world));
        let count = missing.len();
        for guess in missing {
            assert!(self.preparations.lacks(&guess));
            assert!(self.work(guess));
        }
        count
    }

    fn work(&mut self, guess: Guess) -> bool {
        let done = guess.prepare(|_, _| Ok::<_, Infallible>(Counted(self.dropped.clone())));
        self.preparations.insert(done.unwrap_or_else(|never| match never {}))
    }
}

/// The circuit that a draft would take.
fn circuit(world: &World) -> CircuitId {
    let circuits = world.holders[0].circuits().unwrap();
    let height = world.holders[0].anchor().unwrap().height;
    circuits.active(Transfer::NAME, height + 1)[0].id
}

fn guesses(world: &World) -> Vec<Guess> {
    world.holders[0].guesses(circuit(world), &random()).unwrap()
}

fn payment(world: &World, amount: u64) -> Request {
    let payment = Payment {
        to: world.address(1),
        amount: NonZeroU64::new(amount).unwrap(),
        deadline: world.network.time.get() + 1_000,
    };
    Request::send(world.asset, payment)
}

fn finish(world: &World, draft: Draft) -> Prepared {
    draft.prepare(world.holders[0].chain(), &random()).unwrap()
}

fn plan(world: &World, request: &Request) -> Prepared {
    finish(world, world.holders[0].plan(request).unwrap())
}

/// A world whose first holder has units.
fn funded(amount: u64) -> World {
    let mut world = World::new(2);
    world.mint(0, amount, 0);
    let delivery = world.holders[0].received()[0].cm;
    world.act(0, &Request::accept(world.asset, delivery, LockConsent::Ask)).unwrap();
    world
}

#[test]
fn one_preparation_serves_every_receiver_and_amount_and_a_redemption() {
    let world = funded(100);
    let mut bench = Bench::default();
    assert_eq!(bench.refresh(&world), 1);
    for amount in [1, 99, 100] {
        assert!(bench.preparations.fits(&plan(&world, &payment(&world, amount))));
    }
    let redeem = Request::redeem(world.asset, NonZeroU64::new(7).unwrap());
    assert!(bench.preparations.fits(&plan(&world, &redeem)));
    assert_eq!((bench.preparations.count(), bench.dropped.get()), ((1, 1), 0));
}

#[test]
fn time_alone_makes_nothing_stale() {
    let mut world = funded(100);
    let mut bench = Bench::default();
    bench.refresh(&world);
    world.network.advance(30);
    world.sync();
    let sent = plan(&world, &payment(&world, 5));
    assert_eq!(sent.public.now, world.network.time.get());
    assert!(bench.preparations.fits(&sent));
    assert_eq!((bench.refresh(&world), bench.dropped.get()), (0, 0));
}

/// A change of an input of the first holder's statement.
type Change = (&'static str, fn(&mut World));

fn changes() -> Vec<Change> {
    vec![
        ("the note root, by a mint to somebody else", |world| world.mint(1, 5, 0)),
        ("the registry root, by somebody else's credential", |world| {
            world.accredit(1, 1, 1_000);
        }),
        ("the own credentials", |world| world.identify(0, common::START + 20_000_000)),
        ("the policy", |world| world.update_policy(|policy| policy.max_risk = 2)),
        ("the rule of the own country", |world| {
            world.update_policy(|policy| {
                let home = policy.rules.values_mut().next().unwrap();
                *home = Rule { max_holding: 500, ..*home };
            });
        }),
        ("the sanctions list", |world| {
            let listed = vec![common::document(8_888).subject().unwrap()];
            let list = Sanctions::new(2, false, listed).unwrap();
            let publisher = SigningKey::from_seed(&[9; 32]);
            let signed = Signed::new(list, &world.network.genesis.chain_id(), &publisher);
            world.network.ok(Transaction::PublishSanctions(signed));
        }),
        ("the position, by an own transfer", |world| {
            world.act(0, &payment(world, 5)).unwrap();
        }),
    ]
}

#[test]
fn every_changed_input_makes_a_preparation_useless_and_has_it_dropped() {
    for (what, change) in changes() {
        let mut world = funded(100);
        let mut bench = Bench::default();
        bench.refresh(&world);
        let before = plan(&world, &payment(&world, 5));
        assert!(bench.preparations.fits(&before), "{what}");
        change(&mut world);
        world.sync();
        let after = plan(&world, &payment(&world, 5));
        assert!(!bench.preparations.fits(&after), "{what}: used before it was dropped");
        assert_eq!(bench.dropped.get(), 0, "{what}");
        let missing = bench.preparations.keep(guesses(&world));
        assert_eq!(bench.dropped.get(), 1, "{what}: kept");
        assert!(!bench.preparations.fits(&before) && !bench.preparations.fits(&after), "{what}");
        assert_eq!(bench.preparations.count(), (0, missing.len()), "{what}");
        assert!(missing.into_iter().all(|guess| bench.work(guess)));
        assert!(bench.preparations.fits(&after), "{what}: the new one does not fit");
    }
}

#[test]
fn another_circuit_s_preparation_does_not_fit() {
    let world = funded(100);
    let mut bench = Bench::default();
    let other = CircuitId([7; 32]);
    for guess in bench.preparations.keep(world.holders[0].guesses(other, &random()).unwrap()) {
        assert!(bench.work(guess));
    }
    let mut draft = world.holders[0].plan(&payment(&world, 5)).unwrap();
    assert!(!bench.preparations.fits(&finish(&world, draft.clone())));
    draft.circuit = other;
    assert!(bench.preparations.fits(&finish(&world, draft)));
}

#[test]
fn work_that_ends_after_its_input_changed_is_dropped() {
    let mut world = funded(100);
    let mut bench = Bench::default();
    let late = bench.preparations.keep(guesses(&world)).remove(0);
    world.mint(1, 5, 0);
    let missing = bench.preparations.keep(guesses(&world));
    assert_eq!(missing.len(), 1);
    assert!(!bench.work(late), "there is no place for it");
    assert_eq!((bench.dropped.get(), bench.preparations.count()), (1, (0, 1)));
    bench.preparations.clear();
    assert!(!bench.work(missing.into_iter().next().unwrap()), "locked meanwhile");
    assert_eq!((bench.dropped.get(), bench.preparations.count()), (2, (0, 0)));
}

#[test]
fn what_cannot_be_asked_for_is_not_prepared() {
    let mut world = World::new(2);
    assert!(guesses(&world).is_empty(), "nothing to send, nothing to accept");
    world.mint(0, 100, 0);
    let mut bench = Bench::default();
    assert_eq!(bench.refresh(&world), 1);
    let delivery = world.holders[0].received()[0].cm;
    let accept = Request::accept(world.asset, delivery, LockConsent::Ask);
    let accepted = plan(&world, &accept);
    assert!(bench.preparations.fits(&accepted), "the open delivery");
    // Journalled: until its end is known nothing else can be done with the asset.
    let transaction = accepted.with_proof(ProofBytes([0; PROOF_BYTES]));
    world.holders[0].journal(&transaction).unwrap();
    assert!(guesses(&world).is_empty());
    assert_eq!((bench.refresh(&world), bench.dropped.get()), (0, 1));

    let mut world = funded(100);
    world.network.ok(world.issuer.pause(world.asset, true).unwrap());
    world.sync();
    assert!(guesses(&world).is_empty(), "a paused asset");
}

#[test]
fn transfers_come_first_and_there_is_an_end() {
    let mut world = funded(100);
    for _ in 0..10 {
        world.mint(0, 1, 0);
    }
    let mut bench = Bench::default();
    assert_eq!(bench.refresh(&world), placet_wallet::holder::ahead::MOST);
    assert!(bench.preparations.fits(&plan(&world, &payment(&world, 5))));
    let open: Vec<_> = world.holders[0].received().iter().skip(1).map(|r| r.cm).collect();
    let fits = |cm| {
        let accept = Request::accept(world.asset, cm, LockConsent::Ask);
        bench.preparations.fits(&plan(&world, &accept))
    };
    assert!(fits(open[0]) && !fits(open[9]), "the oldest deliveries first");
}

#[test]
fn what_is_left_to_compute_hardly_depends_on_the_amount() {
    let world = funded(900_000);
    let guess = guesses(&world).remove(0);
    let mut wires = Vec::new();
    guess
        .prepare(|public, witness| {
            wires = Transfer::assign(public, witness).unwrap().wires.clone();
            Ok::<_, Infallible>(())
        })
        .unwrap();
    let changed: Vec<usize> = [1, 2, 4_096, 123_456, 524_287, 524_288, 899_999, 900_000]
        .into_iter()
        .map(|amount| {
            let sent = plan(&world, &payment(&world, amount));
            let now = Transfer::assign(&sent.public, &sent.witness).unwrap();
            assert_eq!(now.wires.len(), wires.len());
            now.wires.iter().zip(&wires).filter(|(now, guess)| now != guess).count()
        })
        .collect();
    let (least, most) = (*changed.iter().min().unwrap(), *changed.iter().max().unwrap());
    println!("of {} wires change: {changed:?}", wires.len());
    assert!(least > 0 && most * 4 < wires.len(), "{changed:?} of {}", wires.len());
    assert!((most - least) * 20 < least, "{changed:?}");
}

/// The shared cache of development keys, or a scratch directory where there is none.
fn cache() -> PathBuf {
    default_cache_dir().unwrap_or_else(|_| std::env::temp_dir())
}

fn kernel(tables: Tables) -> Prover<Transfer> {
    let (proving, _) = development_keys::<Transfer>(&cache(), &mut |_| {}).unwrap();
    let prover = Prover::new(proving).unwrap();
    let (points, constraints) = (prover.key().points(), prover.constraints().clone());
    let kernel = Kernel::new(points, constraints, tables, &|_, _| {}).unwrap();
    prover.with_kernel(kernel).unwrap()
}

type Ready = Preparations<placet_prover::Prepared<Transfer>>;

fn ready(world: &World, prover: &Prover<Transfer>) -> Ready {
    let mut preparations = Ready::default();
    for guess in preparations.keep(guesses(world)) {
        let done = guess.prepare(|public, witness| prover.prepare(public, witness)).unwrap();
        assert!(preparations.insert(done));
    }
    preparations
}

/// Verified as a ledger would, against public inputs taken from the transaction's bytes alone.
fn verify(world: &World, prover: &Prover<Transfer>, bytes: &[u8]) {
    let Ok(Transaction::Transfer(received)) = Transaction::from_wire(bytes) else {
        panic!("a transfer re-reads as a transfer");
    };
    let public = received.body.public_inputs(world.holders[0].chain());
    prover.verifier().verify(&public, &received.proof).unwrap();
}

#[test]
fn warm_and_cold_transactions_differ_in_randomness_alone() {
    let prover = kernel(Tables::None);
    let mut world = World::new(2);
    world.mint(0, 100, 0);
    let steps: [fn(&World) -> Request; 2] = [
        |world| {
            let open = world.holders[0].received()[0].cm;
            Request::accept(world.asset, open, LockConsent::Ask)
        },
        |world| payment(world, 30),
    ];
    for request in steps {
        let preparations = ready(&world, &prover);
        // Time passes between guess and request.
        world.network.advance(10);
        world.sync();
        let prepared = plan(&world, &request(&world));
        let prove = |preparations: &Ready, seed: [u8; 32]| {
            let seed = ProofSeed::from_bytes(seed);
            preparations.prove(&prover, &prepared, seed, &mut |_| {}).unwrap()
        };
        let (warm, start) = prove(&preparations, random());
        assert_eq!(start, Start::Warm);
        let (again, _) = prove(&preparations, random());
        let (cold, start) = prove(&Ready::default(), random());
        assert_eq!(start, Start::Cold);
        // The same transaction with another blinding of its proof; the id covers all but the proof.
        assert!(warm.body == cold.body && warm.proof != cold.proof && warm.proof != again.proof);
        let same = [7; 32];
        assert_eq!(
            prove(&preparations, same).0.to_wire(),
            prove(&Ready::default(), same).0.to_wire()
        );
        for transaction in [&warm, &again, &cold] {
            verify(&world, &prover, &Transaction::Transfer(transaction.clone()).to_wire());
        }
        world.holders[0].submit(&world.network, warm).unwrap();
        world.sync();
    }
    assert_eq!(world.holders[0].account(world.asset).unwrap().holding.balance, 70);
}

/// `cargo test -p placet-wallet --test ahead -- --ignored --nocapture`
#[test]
#[ignore = "measures for a minute"]
fn how_much_quicker_a_warm_proof_is() {
    let prover = kernel(Tables::Full);
    let world = funded(900_000);
    let preparations = ready(&world, &prover);
    let prepared = plan(&world, &payment(&world, 123_456));
    let mut times = [const { Vec::<Duration>::new() }; 3];
    let none = Ready::default();
    for _ in 0..30 {
        let begun = Instant::now();
        let _ready = ready(&world, &prover);
        times[0].push(begun.elapsed());
        for (place, preparations) in [(1, &none), (2, &preparations)] {
            let seed = ProofSeed::from_bytes(random());
            let begun = Instant::now();
            preparations.prove(&prover, &prepared, seed, &mut |_| {}).unwrap();
            times[place].push(begun.elapsed());
        }
    }
    for times in &mut times {
        times.sort();
    }
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    for (name, times) in ["prepare", "cold", "warm"].iter().zip(&times) {
        println!("{name}: least {:.1} ms, median {:.1} ms", ms(times[0]), ms(times[15]));
    }
    let ratio = |a: usize, b: usize, i: usize| ms(times[a][i]) / ms(times[b][i]);
    println!("cold / warm: {:.2} of least, {:.2} of medians", ratio(1, 2, 0), ratio(1, 2, 15));
    println!("warm / prepare: {:.2} of least, {:.2} of medians", ratio(2, 0, 0), ratio(2, 0, 15));
    assert!(preparations.fits(&prepared));
}
