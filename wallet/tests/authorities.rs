//! A wallet follows who the authorities are, from the genesis on and from nothing else.

mod common;

use common::{EPOCH, FakeNetwork, memory, quiet, seed};
use placet_protocol::finality::{NotFinal, Validators, ends_epoch};
use placet_protocol::genesis::Authority;
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{
    AuthorityChange, ChangeAuthorities, NumberedChange, Transaction,
};
use placet_wallet::client::SyncError;
use placet_wallet::holder::Holder;
use placet_wallet::view::ViewError;

fn change(network: &FakeNetwork, number: u64, change: AuthorityChange) -> Transaction {
    let change = NumberedChange { number, change };
    let approvals = network.keys.iter().map(|key| change.approve(&network.chain, key)).collect();
    Transaction::ChangeAuthorities(ChangeAuthorities::new(change, None, approvals))
}

fn follow(wallet: &mut Holder, network: &FakeNetwork) -> Result<u64, ViewError> {
    match wallet.sync(network, &mut quiet) {
        Ok(tip) => Ok(tip.height),
        Err(SyncError::View(error)) => Err(error),
        Err(error) => panic!("unexpected {error}"),
    }
}

/// Empty blocks by `signers` up to the end of the epoch.
fn finish_epoch(network: &FakeNetwork, signers: &[SigningKey]) {
    loop {
        let block = network.certify_by(network.next_block(Vec::new()), signers);
        let height = block.block.header.height;
        network.blocks.borrow_mut().push(block);
        if ends_epoch(height, EPOCH) {
            return;
        }
    }
}

#[test]
fn an_appointed_authority_votes_from_the_next_epoch_on_and_a_dismissed_one_no_longer() {
    let network = FakeNetwork::new();
    let mut wallet = Holder::with_database(memory(), &network.genesis, &seed(1)).unwrap();
    let fifth = SigningKey::from_seed(&[5; 32]);
    let authority = Authority {
        name: "fifth".into(),
        lei: None,
        key: fifth.public(),
        mandates: Default::default(),
    };
    let old = network.keys.clone();
    let all = [&old[..], &[fifth]].concat();
    let keys =
        |signers: &[SigningKey]| Validators::new(signers.iter().map(SigningKey::public)).unwrap();

    // Until the epoch ends the four decide; the fifth is a stranger.
    *network.sitting.borrow_mut() = keys(&all);
    network.append(vec![change(&network, 1, AuthorityChange::Appoint(authority))]);
    let early = network.certify_by(network.next_block(Vec::new()), &all[1..]);
    network.blocks.borrow_mut().push(early);
    let refused = follow(&mut wallet, &network).unwrap_err();
    assert!(matches!(refused, ViewError::NotFinal { height: 2, cause: NotFinal::Stranger }));
    network.blocks.borrow_mut().pop();
    finish_epoch(&network, &old[..3]);
    assert_eq!(follow(&mut wallet, &network).unwrap(), EPOCH - 1);

    // From then on four of five.
    let few = network.certify_by(network.next_block(Vec::new()), &all[2..]);
    network.blocks.borrow_mut().push(few);
    let refused = follow(&mut wallet, &network).unwrap_err();
    assert!(matches!(refused, ViewError::NotFinal { cause: NotFinal::NoQuorum, .. }));
    network.blocks.borrow_mut().pop();
    *network.sitting.borrow_mut() = keys(&all[1..]);
    let dismissal = AuthorityChange::Dismiss(all[0].public());
    let block = network.next_block(vec![change(&network, 2, dismissal)]);
    let block = network.certify_by(block, &all[1..]);
    network.blocks.borrow_mut().push(block);
    finish_epoch(&network, &all[..4]);
    assert_eq!(follow(&mut wallet, &network).unwrap(), 2 * EPOCH - 1);

    // The dismissed one votes no longer.
    let stranger = network.certify_by(network.next_block(Vec::new()), &all);
    network.blocks.borrow_mut().push(stranger);
    let refused = follow(&mut wallet, &network).unwrap_err();
    assert!(matches!(refused, ViewError::NotFinal { cause: NotFinal::Stranger, .. }));
    network.blocks.borrow_mut().pop();
    finish_epoch(&network, &all[2..]);
    follow(&mut wallet, &network).unwrap();

    // A wallet that begins late comes to the same.
    let mut late = Holder::with_database(memory(), &network.genesis, &seed(2)).unwrap();
    follow(&mut late, &network).unwrap();
    assert_eq!(late.anchor().unwrap(), wallet.anchor().unwrap());
}

#[test]
fn a_header_that_names_other_authorities_is_refused() {
    let network = FakeNetwork::new();
    let mut wallet = Holder::with_database(memory(), &network.genesis, &seed(1)).unwrap();
    let others = (1..=3).map(|i| SigningKey::from_seed(&[i; 32]).public());
    *network.sitting.borrow_mut() = Validators::new(others).unwrap();
    network.append(Vec::new());
    let refused = follow(&mut wallet, &network).unwrap_err();
    assert!(matches!(refused, ViewError::Contradiction(1)));
}
