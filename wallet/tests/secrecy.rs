//! What a role stores and prints gives nothing away.

mod common;

use std::num::NonZeroU64;

use common::{World, document, quiet, seed};
use placet_protocol::wire::Wire;
use placet_wallet::agent::Agent;
use placet_wallet::holder::{Holder, LockConsent, Payment, Request};

const AMOUNT: u64 = 134_607_258_192_431;
const HELD: u64 = 912_345_678;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn stores_hold_no_secret_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(2);
    world.update_policy(|policy| {
        for rule in policy.rules.values_mut() {
            rule.max_holding = u64::MAX;
        }
    });
    world.mint(0, 1_000, 0);
    let delivery = world.holders[0].received()[0].clone();
    world.act(0, &Request::accept(world.asset, delivery.cm, LockConsent::Ask)).unwrap();
    let amount = NonZeroU64::new(321).unwrap();
    let deadline = world.network.time.get() + 500;
    let payment = Payment { to: world.address(1), amount, deadline };
    world.act(0, &Request::send(world.asset, payment)).unwrap();

    let genesis = &world.network.genesis;
    let wallet_path = directory.path().join("wallet");
    let agent_path = directory.path().join("agent");
    let mut wallet = Holder::open(&wallet_path, genesis, &seed(1)).unwrap();
    wallet.sync(&world.network, &mut quiet).unwrap();
    let mut agent = Agent::open(&agent_path, genesis, &seed(202)).unwrap();
    agent.sync(&world.network, &mut quiet).unwrap();

    let account = wallet.account(world.asset).unwrap().clone();
    assert_eq!(account.holding.balance, 679);
    let secrets: Vec<Vec<u8>> = vec![
        seed(1).spending_key().to_bytes().to_vec(),
        seed(1).viewing_key().to_bytes().to_vec(),
        seed(202).agent_key().to_bytes().to_vec(),
        placet_protocol::field::to_bytes(&account.nk().expose()).to_vec(),
        placet_protocol::field::to_bytes(&delivery.note.key.expose()).to_vec(),
        document(0).subject().unwrap().to_bytes().to_vec(),
        wallet.address().holder().to_bytes().to_vec(),
        account.holding.to_wire(),
        wallet.credentials()[0].credential.to_wire(),
    ];
    drop((wallet, agent));
    for path in [wallet_path, agent_path] {
        let bytes = std::fs::read(path).unwrap();
        // The search finds what is there: the chain id is public.
        assert!(contains(&bytes, &genesis.chain_id().0));
        for (i, secret) in secrets.iter().enumerate() {
            assert!(!contains(&bytes, secret), "secret {i} is in the file");
        }
    }
}

#[test]
fn debug_output_shows_no_amounts() {
    let mut world = World::new(2);
    world.update_policy(|policy| {
        for rule in policy.rules.values_mut() {
            rule.max_holding = u64::MAX;
        }
        policy.unit_price = 1;
    });
    // Supply is public, so the balance must not equal it.
    world.mint(1, 1_000, 0);
    world.mint(0, HELD, 0);
    let delivery = world.holders[0].received()[0].cm;
    world.act(0, &Request::accept(world.asset, delivery, LockConsent::Ask)).unwrap();
    let payment = Payment {
        to: world.address(1),
        amount: NonZeroU64::new(AMOUNT).unwrap(),
        deadline: world.network.time.get() + 500,
    };
    let request = Request::send(world.asset, payment);
    let error = world.holders[0].plan(&request).unwrap_err();
    let draft = world.holders[0].draft(&request).unwrap();
    let text = format!(
        "{request:?} {error:?} {error} {draft:?} {:?} {:?} {:?}",
        world.holders[0],
        world.holders[0].accounts(),
        world.holders[0].received(),
    );
    assert!(!text.contains(&AMOUNT.to_string()), "{text}");
    assert!(!text.contains(&HELD.to_string()), "{text}");
}
