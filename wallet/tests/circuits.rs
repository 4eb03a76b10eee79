//! Which circuit a wallet proves with, as circuits come and go by height. Spec §12.8.

mod common;

use common::World;
use placet_protocol::circuit::CircuitId;
use placet_protocol::example::pinned_circuit;
use placet_protocol::genesis::Sha256Digest;
use placet_protocol::transaction::{
    ChangeCircuits, CircuitChange, NewCircuit, NumberedCircuitChange, Transaction,
};
use placet_wallet::holder::{LockConsent, PlanError, Request};
use placet_wallet::network::Network;

fn height(world: &World) -> u64 {
    world.network.status().unwrap().height
}

/// The network executes a change; whether it may is the ledger's business.
fn change(world: &mut World, number: u64, change: CircuitChange) {
    let change = NumberedCircuitChange { number, change };
    world.network.ok(Transaction::ChangeCircuits(ChangeCircuits::new(change, Vec::new())));
    world.sync();
}

#[test]
fn a_wallet_proves_with_a_circuit_that_the_next_block_takes_and_says_when_there_is_none() {
    let mut world = World::new(1);
    let asset = world.asset;
    world.mint(0, 100, 0);
    let delivery = world.holders[0].received()[0].cm;
    let request = Request::accept(asset, delivery, LockConsent::Ask);
    let first = pinned_circuit().id();
    let circuit = |world: &World| match world.holders[0].plan(&request) {
        Ok(draft) => Some(draft.circuit),
        Err(PlanError::NoCircuit) => None,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(circuit(&world), Some(first));

    let start = height(&world);
    let later = NewCircuit {
        statement: "transfer".into(),
        circuit_digest: Sha256Digest([4; 32]),
        points: vec![5; 1600],
        transcript: None,
        activation: start + 3,
    };
    let second: CircuitId = later.id().unwrap();
    change(&mut world, 1, CircuitChange::Add(later));
    // The next block is start + 2, the one before the activation.
    assert_eq!(circuit(&world), Some(first));
    world.network.advance(1);
    world.sync();
    assert_eq!(circuit(&world), Some(second));

    // The switch: up to the block before, the other one afterwards.
    let end = height(&world) + 3;
    change(&mut world, 0, CircuitChange::Deactivate { circuit: second, height: end });
    let known = world.holders[0].circuits().unwrap();
    assert_eq!(known.get(&second).unwrap().deactivation, Some(end));
    assert_eq!(known.changes, 1);
    // It still has two blocks, too few for a transfer to become final while another is there.
    assert_eq!(circuit(&world), Some(first));
    let next = height(&world) + 1;
    let order: Vec<_> = known.active("transfer", next).iter().map(|entry| entry.id).collect();
    assert_eq!(order, [first, second]);
    world.network.advance(1);
    world.sync();
    assert_eq!(height(&world) + 1, end);
    assert_eq!(circuit(&world), Some(first));

    // A height that has passed means the next one, in a wallet as in the ledger.
    change(&mut world, 0, CircuitChange::Deactivate { circuit: first, height: 1 });
    let known = world.holders[0].circuits().unwrap();
    assert_eq!(known.get(&first).unwrap().deactivation, Some(height(&world) + 1));
    assert_eq!(circuit(&world), None);
    let message = PlanError::NoCircuit.to_string();
    assert!(message.contains("switched off"), "{message}");
}
