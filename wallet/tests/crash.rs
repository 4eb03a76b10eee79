//! A wallet that is killed again and again while it follows the network loses nothing that it
//! had committed, and ends where an undisturbed one does.

mod common;

use std::io::{BufRead, BufReader};
use std::num::NonZeroU64;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{World, memory, quiet, seed};
use placet_protocol::block::CertifiedBlock;
use placet_protocol::genesis::Genesis;
use placet_protocol::transaction::Transaction;
use placet_protocol::wire::{Reader, Wire, Writer};
use placet_wallet::holder::{Holder, LockConsent, Payment, Request};
use placet_wallet::network::{Network, NetworkError, Status, SubmitError, Submitted};

const KILLS: usize = 50;
const DIRECTORY: &str = "PLACET_CRASH_TEST_DIRECTORY";

/// A recorded network that hands out one block at a time, so that each is a commit of its own.
struct Recorded {
    genesis: Genesis,
    blocks: Vec<CertifiedBlock>,
}

impl Recorded {
    fn read(directory: &Path) -> Self {
        let genesis = Genesis::from_wire(&std::fs::read(directory.join("genesis")).unwrap());
        let bytes = std::fs::read(directory.join("blocks")).unwrap();
        let mut input = Reader::new(&bytes);
        let blocks = input.list(100_000).unwrap();
        Self { genesis: genesis.unwrap(), blocks }
    }
}

impl Network for Recorded {
    fn genesis(&self) -> Result<Genesis, NetworkError> {
        Ok(self.genesis.clone())
    }
    fn status(&self) -> Result<Status, NetworkError> {
        let header = &self.blocks.last().unwrap().block.header;
        let id = header.id(&self.genesis.chain_id());
        Ok(Status { height: header.height, time: header.time, id })
    }
    fn blocks(&self, from: u64, _: usize) -> Result<Vec<CertifiedBlock>, NetworkError> {
        Ok(self.blocks.iter().skip(from as usize - 1).take(1).cloned().collect())
    }
    fn submit(&self, _: &Transaction) -> Result<Submitted, SubmitError> {
        Err(SubmitError::Network(NetworkError::Unreachable))
    }
}

fn record(world: &World, directory: &Path) {
    let mut out = Writer::default();
    out.list(&world.network.blocks.borrow());
    std::fs::write(directory.join("blocks"), out.into_bytes()).unwrap();
    std::fs::write(directory.join("genesis"), world.network.genesis.to_wire()).unwrap();
}

/// Not a test of its own: the process that gets killed.
#[test]
fn victim() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let network = Recorded::read(directory);
    let mut wallet = Holder::open(&directory.join("wallet"), &network.genesis, &seed(1)).unwrap();
    wallet.sync(&network, &mut |progress| println!("committed {}", progress.height)).unwrap();
}

#[test]
fn fifty_kills_lose_nothing_that_was_committed() {
    let mut world = World::new(2);
    let asset = world.asset;
    for round in 0..30 {
        world.mint(0, 10 + round, 0);
        let delivery = world.holders[0].received().last().unwrap().cm;
        world.act(0, &Request::accept(asset, delivery, LockConsent::Ask)).unwrap();
        let payment = Payment {
            to: world.address(1),
            amount: NonZeroU64::new(1 + round).unwrap(),
            deadline: world.network.time.get() + 1_000,
        };
        world.act(0, &Request::send(asset, payment)).unwrap();
    }
    for _ in 0..200 {
        world.network.advance(1);
    }
    let directory = tempfile::tempdir().unwrap();
    record(&world, directory.path());
    let genesis = &world.network.genesis;
    let path = directory.path().join("wallet");

    let mut height = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Let it commit a few blocks more, then kill it without warning, in the middle of what
        // it does next.
        let mut seen = height;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(number) = line.split("committed ").nth(1) {
                seen = number.trim().parse().unwrap();
                if seen > height + (kill as u64 % 4) {
                    break;
                }
            }
        }
        std::thread::sleep(std::time::Duration::from_micros(173 * (kill as u64 * 7 % 13)));
        child.kill().unwrap();
        child.wait().unwrap();
        let wallet = Holder::open(&path, genesis, &seed(1)).unwrap();
        height = wallet.anchor().unwrap().height;
        assert!(height >= seen, "block {seen} was committed, block {height} is here");
    }

    let mut wallet = Holder::open(&path, genesis, &seed(1)).unwrap();
    wallet.sync(&world.network, &mut quiet).unwrap();
    let mut undisturbed = Holder::with_database(memory(), genesis, &seed(1)).unwrap();
    undisturbed.sync(&world.network, &mut quiet).unwrap();
    assert_eq!(wallet.anchor().unwrap(), undisturbed.anchor().unwrap());
    assert_eq!(wallet.accounts(), undisturbed.accounts());
    assert_eq!(wallet.received(), undisturbed.received());
    assert_eq!(wallet.credentials(), undisturbed.credentials());
}
