//! Everything a role stores round-trips, and whatever bytes it finds instead are refused without
//! a panic.

mod common;

use std::num::NonZeroU64;

use common::{World, random};
use placet_protocol::wire::Wire;
use placet_wallet::account::{Account, Holding, Sent, TransferRecord};
use placet_wallet::agent::Minted;
use placet_wallet::attestor::Issued;
use placet_wallet::holder::{HeldCredential, LockConsent, Payment, Pending, Received, Request};
use placet_wallet::keystore::{KeystoreError, read};
use placet_wallet::seed::Phrase;
use placet_wallet::view::{AssetState, Tip, assets, transfer};
use proptest::prelude::*;

/// Decodes strictly: an error, or the same bytes again.
fn strict<T: Wire>(bytes: &[u8]) -> bool {
    T::from_wire(bytes).is_ok_and(|value| {
        assert_eq!(value.to_wire(), bytes);
        true
    })
}

type Decoder = fn(&[u8]) -> bool;

/// A valid encoding of every stored record, with its decoder.
fn samples() -> Vec<(Vec<u8>, Decoder)> {
    let mut world = World::new(2);
    let asset = world.asset;
    world.mint(0, 100, 0);
    let delivery = world.holders[0].received()[0].cm;
    world.act(0, &Request::accept(asset, delivery, LockConsent::Ask)).unwrap();
    let payment = Payment {
        to: world.address(1),
        amount: NonZeroU64::new(40).unwrap(),
        deadline: world.network.time.get() + 10,
    };
    world.act(0, &Request::send(asset, payment)).unwrap();
    let account = world.holders[0].account(asset).unwrap().clone();
    let txn = world.holders[0].read().unwrap();
    let first = Account::genesis(asset, account.holder, account.nk().clone());
    let record = transfer(&txn, first.next_nullifier()).unwrap().unwrap();
    let pending = Pending {
        asset,
        nf_position: record.nf_position,
        expiry_height: 7,
        until: 8,
        bytes: random::<50>().to_vec(),
    };
    let anchor = world.holders[0].anchor().unwrap();
    let id = placet_protocol::block::BlockId(random());
    let tip = Tip { height: anchor.height, time: anchor.time, id };
    vec![
        (record.to_wire(), strict::<TransferRecord>),
        (account.holding.to_wire(), strict::<Holding>),
        (account.sent[0].to_wire(), strict::<Sent>),
        (account.to_wire(), strict::<Account>),
        (world.holders[0].received()[0].to_wire(), strict::<Received>),
        (world.holders[0].credentials()[0].to_wire(), strict::<HeldCredential>),
        (pending.to_wire(), strict::<Pending>),
        (world.agent.minted(asset).next().unwrap().to_wire(), strict::<Minted>),
        (world.attestor.issued()[0].to_wire(), strict::<Issued>),
        (tip.to_wire(), strict::<Tip>),
        (assets(&txn).unwrap()[0].to_wire(), strict::<AssetState>),
    ]
}

#[test]
fn records_round_trip_and_altered_ones_never_panic() {
    for (bytes, decode) in samples() {
        assert!(decode(&bytes));
        for end in 0..bytes.len() {
            assert!(!decode(&bytes[..end]), "a truncated record was read");
        }
        assert!(!decode(&[&bytes[..], &[0]].concat()), "a trailing byte was read");
        for place in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut altered = bytes.clone();
                altered[place] ^= flip;
                decode(&altered);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        strict::<TransferRecord>(&bytes);
        strict::<Holding>(&bytes);
        strict::<Sent>(&bytes);
        strict::<Account>(&bytes);
        strict::<Received>(&bytes);
        strict::<HeldCredential>(&bytes);
        strict::<Pending>(&bytes);
        strict::<Minted>(&bytes);
        strict::<Issued>(&bytes);
        strict::<Tip>(&bytes);
        strict::<AssetState>(&bytes);
    }

    #[test]
    fn phrases_round_trip_and_other_text_never_panics(
        entropy in any::<[u8; 32]>(),
        text in "\\PC{0,300}",
    ) {
        let phrase = Phrase::from_entropy(entropy);
        prop_assert_eq!(Phrase::parse(&phrase.words()), Ok(phrase));
        prop_assert!(Phrase::parse(&text).is_err());
    }

    #[test]
    fn files_that_are_no_keystore_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, [b"PLACETKS\x01".as_slice(), &bytes].concat()).unwrap();
        let refused = matches!(
            read(&path, "passphrase"),
            Err(KeystoreError::Damaged | KeystoreError::NotAKeystore)
        );
        prop_assert!(refused);
    }
}
