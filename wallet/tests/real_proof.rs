//! The whole way with real proofs: mint, accept, send, accept, settle. Each transaction's proof is
//! verified as a ledger would, against public inputs taken from its bytes alone.

mod common;

use std::num::NonZeroU64;
use std::path::PathBuf;

use common::{World, random};
use placet_protocol::statement::Statement;
use placet_protocol::transaction::Transaction;
use placet_protocol::transfer::Transfer;
use placet_protocol::wire::Wire;
use placet_prover::{Phase, ProofSeed, Prover};
use placet_setup::{default_cache_dir, development_keys};
use placet_wallet::holder::{LockConsent, Payment, Request};

/// The shared cache of development keys, or a scratch directory where there is none.
fn cache() -> PathBuf {
    default_cache_dir().unwrap_or_else(|_| std::env::temp_dir())
}

fn prove_and_send(world: &mut World, prover: &Prover<Transfer>, i: usize, request: &Request) {
    let chain = *world.holders[i].chain();
    let draft = world.holders[i].plan(request).unwrap();
    let mut prepared = draft.prepare(&chain, &random()).unwrap();
    if request.redeem > 0 {
        let (_, signature) = world.agent.countersign_redemption(&prepared.body).unwrap();
        prepared = prepared.countersigned(signature);
    }
    let mut phases = Vec::new();
    let seed = ProofSeed::from_bytes(random());
    let transaction = prepared.prove(prover, seed, &mut |phase| phases.push(phase)).unwrap();
    assert_eq!(phases.last(), Some(&Phase::SelfVerify));

    let bytes = Transaction::Transfer(transaction.clone()).to_wire();
    let Ok(Transaction::Transfer(received)) = Transaction::from_wire(&bytes) else {
        panic!("a transfer re-reads as a transfer");
    };
    let public = received.body.public_inputs(&chain);
    assert_eq!(Transfer::inputs(&public), Transfer::inputs(&prepared.public));
    prover.verifier().verify(&public, &received.proof).unwrap();
    let agent = world.agent.keys().signing;
    received.verify_redemption(&chain, &agent).unwrap();

    world.holders[i].submit(&world.network, transaction).unwrap();
    world.sync();
}

#[test]
fn a_real_proof_carries_a_security_from_holder_to_holder() {
    let (proving, _) = development_keys::<Transfer>(&cache(), &mut |_| {}).unwrap();
    let prover = Prover::new(proving).unwrap();
    let mut world = World::new(2);
    let asset = world.asset;
    world.mint(0, 100, 0);
    let delivery = world.holders[0].received()[0].cm;
    prove_and_send(&mut world, &prover, 0, &Request::accept(asset, delivery, LockConsent::Ask));

    let payment = Payment {
        to: world.address(1),
        amount: NonZeroU64::new(30).unwrap(),
        deadline: world.network.time.get() + 1_000,
    };
    prove_and_send(&mut world, &prover, 0, &Request::send(asset, payment));
    let delivery = world.holders[1].received()[0].cm;
    prove_and_send(&mut world, &prover, 1, &Request::accept(asset, delivery, LockConsent::Ask));
    // Settles the delivery and redeems in one transaction.
    prove_and_send(&mut world, &prover, 0, &Request::redeem(asset, NonZeroU64::new(7).unwrap()));

    let register = world.agent.register(asset).unwrap();
    assert!(register.exact);
    let mut holdings: Vec<_> = register
        .entries
        .iter()
        .map(|entry| (entry.holding.balance, entry.holding.in_flight))
        .collect();
    holdings.sort_unstable();
    assert_eq!(holdings, [(30, 0), (63, 0)]);
}
