//! Four real processes on loopback, with real proofs flowing, while nodes are killed, hang and come
//! back. What must hold then: nothing that was accepted is lost, no two nodes have different blocks,
//! and nobody contradicted itself. `CHAOS_SEED` and `CHAOS_TRANSFERS` make other and longer runs.

mod fleet;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet::{Fleet, Place};
use placet_benches::load::Load;
use placet_benches::network::forks;
use placet_protocol::api::TransactionStatus;
use placet_protocol::genesis::NetworkParams;
use placet_protocol::transaction::{Transaction, TransferTransaction, TxId};
use placet_wallet::network::{Network, SubmitError};

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number")),
        Err(_) => otherwise,
    }
}

/// A small generator: the order of disturbances depends on the seed alone.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One disturbance of one node, over when this returns.
fn disturb(fleet: &Mutex<Fleet>, dice: &mut Dice) {
    let with = |act: &mut dyn FnMut(&mut Fleet)| act(&mut fleet.lock().unwrap());
    let node = dice.below(4) as usize;
    let pause = Duration::from_millis(200 + dice.below(5000));
    match dice.below(5) {
        0 | 1 => {
            with(&mut |fleet| fleet.kill(node));
            std::thread::sleep(pause);
            with(&mut |fleet| fleet.start(node));
        }
        // Longer than every time-out of the engine.
        2 => {
            with(&mut |fleet| fleet.freeze(node));
            std::thread::sleep(pause + Duration::from_secs(5));
            with(&mut |fleet| fleet.thaw(node));
        }
        3 => {
            with(&mut |fleet| fleet.end(node));
            std::thread::sleep(pause);
            with(&mut |fleet| fleet.start(node));
        }
        // Two at once: the others must wait for them.
        _ => {
            let other = (node + 1) % 4;
            with(&mut |fleet| {
                fleet.kill(node);
                fleet.kill(other);
            });
            std::thread::sleep(pause);
            with(&mut |fleet| {
                fleet.start(node);
                fleet.start(other);
            });
        }
    }
    with(&mut |fleet| fleet.nobody_died());
    std::thread::sleep(Duration::from_millis(dice.below(2000)));
}

/// Submits transfers one after the other until each is final, as a patient wallet does.
fn submit(client: &impl Network, transfers: Vec<TransferTransaction>) -> Vec<(TxId, u64)> {
    let mut done = Vec::new();
    for transfer in transfers {
        let transaction = Transaction::Transfer(transfer);
        let submitted = loop {
            match client.submit(&transaction) {
                Ok(submitted) => break submitted,
                Err(SubmitError::Network(_)) => continue,
                // Nor may it be refused as spent because an earlier attempt was executed.
                Err(SubmitError::Rejected(rejection)) => panic!("{rejection:?}"),
            }
        };
        done.push((submitted.id, submitted.height));
    }
    done
}

#[test]
fn nodes_die_hang_and_return_and_nothing_is_lost() {
    let seed = number("CHAOS_SEED", 1);
    let transfers = number("CHAOS_TRANSFERS", 8) as usize;
    let params = NetworkParams { epoch_length: 16, root_window: 3600, ..NetworkParams::default() };
    let mut fleet = Fleet::new([0; 4].map(|_| Place::local()), params);
    fleet.start_all();
    let client = fleet.client();
    let prover = fleet::prover();
    let mut load = Load::new(&fleet.genesis).unwrap();
    load.set_up(&client, &|admission| fleet.approve(admission), transfers).unwrap();
    let acceptances = load.acceptances(&client, &prover, &mut |_| {}).unwrap();
    assert_eq!(acceptances.len(), transfers);

    let chain = fleet.genesis.chain_id();
    let fleet = Arc::new(Mutex::new(fleet));
    let stop = Arc::new(AtomicBool::new(false));
    let chaos = std::thread::spawn({
        let (fleet, stop) = (fleet.clone(), stop.clone());
        move || {
            let mut dice = Dice(seed);
            let mut disturbances = 0;
            while !stop.load(Ordering::Relaxed) {
                disturb(&fleet, &mut dice);
                disturbances += 1;
            }
            disturbances
        }
    });
    let mut finals = submit(&client, acceptances);
    let payments = load.payments(&client, &prover, &mut |_| {}).unwrap();
    finals.extend(submit(&client, payments));
    stop.store(true, Ordering::Relaxed);
    let disturbances = chaos.join().unwrap();
    assert!(disturbances > 0, "nothing was disturbed");

    let mut fleet = Arc::into_inner(fleet).expect("chaos is over").into_inner().unwrap();
    fleet.level();
    let nodes: Vec<_> = (0..4).map(|node| fleet.node(node)).collect();
    assert_eq!(forks(&nodes, &chain).unwrap(), 0);
    assert_eq!(finals.len(), 2 * transfers);
    for (id, height) in &finals {
        for node in &nodes {
            match node.transaction(*id).unwrap() {
                TransactionStatus::Final { height: there, .. } => assert_eq!(there, *height),
                other => panic!("{id} is {other:?}"),
            }
        }
    }
    let mut at_height = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        assert!(node.evidence().unwrap().is_empty(), "node {index} saw a contradiction");
        let status = node.status().unwrap();
        at_height.insert(status.height, status.state);
    }
    assert_eq!(at_height.len(), 1);
    for node in 0..4 {
        fleet.end(node);
    }
}

#[test]
fn with_two_of_four_gone_nothing_is_final_and_then_everything_is() {
    let params = NetworkParams { heartbeat: 1, ..NetworkParams::default() };
    let mut fleet = Fleet::new([0; 4].map(|_| Place::local()), params);
    fleet.start_all();
    fleet.until("blocks are made", |fleet| fleet.status(0).is_some_and(|s| s.height > 2));
    fleet.kill(2);
    fleet.kill(3);
    std::thread::sleep(Duration::from_secs(3));
    let before = fleet.status(0).unwrap().height;
    std::thread::sleep(Duration::from_secs(10));
    // One block can have been on its way.
    assert!(fleet.status(0).unwrap().height <= before + 1, "two of four made blocks final");
    fleet.start_all();
    fleet.until("blocks are made again", |fleet| {
        (0..4).all(|node| fleet.status(node).is_some_and(|status| status.height > before + 3))
    });
    let nodes: Vec<_> = (0..4).map(|node| fleet.node(node)).collect();
    assert_eq!(forks(&nodes, &fleet.genesis.chain_id()).unwrap(), 0);
}
