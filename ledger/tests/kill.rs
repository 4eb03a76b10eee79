//! The process is killed at random while it commits blocks; nothing that was reported as committed
//! is ever lost, and the chain of state hashes holds. The child is this test binary, started again
//! with an environment variable.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{World, attestor};
use placet_ledger::Backend;
use placet_protocol::transaction::Transaction;

const CHILD: &str = "PLACET_KILL_TEST_STORE";
/// Kills at random moments.
const KILLS: usize = 60;

/// Commits blocks for ever and reports each height once it is durable.
fn commit_for_ever(path: &Path) {
    let mut world = World::file(path);
    if world.ledger.view().unwrap().attestors().unwrap().is_empty() {
        world.accept(vec![world.admit("attestor", &attestor(), 3)]);
    }
    let known = world.ledger.view().unwrap().assets().unwrap().into_iter().next();
    let asset = known.map(|asset| asset.id).unwrap_or_else(|| world.asset("A"));
    let mut out = std::io::stdout();
    loop {
        let transfers: Vec<_> = (0..3).map(|_| world.transfer(asset)).collect();
        world.accept(transfers.into_iter().map(Transaction::Transfer).collect());
        writeln!(out, "committed {}", world.ledger.tip().unwrap().height).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn nothing_committed_is_lost_when_the_process_is_killed() {
    if let Some(path) = std::env::var_os(CHILD) {
        commit_for_ever(Path::new(&path));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.redb");
    // The moments of the kills: reproducible, and spread from before the first commit to late.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut reported = 0;
    let mut with_progress = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "nothing_committed_is_lost_when_the_process_is_killed"])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            lines
                .lines()
                .map_while(Result::ok)
                .filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok())
                .last()
        });
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(20 + (state >> 33) % 400));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the child only ends by being killed");
        if let Some(height) = reader.join().unwrap() {
            assert!(height > reported, "a restarted ledger goes on where it was");
            reported = height;
            with_progress += 1;
        }

        let world = World::file(&path);
        let tip = world.ledger.tip().unwrap();
        assert!(tip.height >= reported, "block {reported} was reported and is gone");
        let mut parent = placet_protocol::block::BlockId::genesis(&world.chain);
        for block in world.blocks() {
            assert_eq!(block.block.header.parent, parent);
            parent = block.block.header.id(&world.chain);
        }
        assert_eq!(parent.0, tip.block);
    }
    assert!(with_progress >= KILLS / 2, "the test must see commits: {with_progress}");

    // Replayed from the first block on, the history gives the very same state.
    let world = World::file(&path);
    let replica = World::open(Backend::Memory);
    for block in world.blocks() {
        replica.ledger.apply(&block).unwrap();
    }
    assert_eq!(replica.ledger.tip().unwrap(), world.ledger.tip().unwrap());
    assert_eq!(
        replica.ledger.view().unwrap().full_digest().unwrap(),
        world.ledger.view().unwrap().full_digest().unwrap()
    );
}
