//! The process is killed at random while four replicas commit one after the other: what was
//! reported stays, and the replicas come back to one height and one state. The child is this test
//! binary, started again with an environment variable.

#[path = "../../ledger/tests/common/mod.rs"]
mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use placet_node::{Clock, Embedded, KeySource, dev_network, write_network};
use placet_protocol::genesis::NetworkParams;

const CHILD: &str = "PLACET_NODE_KILL_TEST_DIR";
const KILLS: usize = 30;

fn open(dir: &Path) -> Embedded {
    let check = Arc::new(common::Scripted::default());
    Embedded::open_with(dir, check, KeySource::Stored, Clock::Manual).unwrap()
}

#[test]
fn four_replicas_survive_kills_between_their_commits() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let network = open(Path::new(&dir));
        let mut out = std::io::stdout();
        loop {
            network.advance_time(1).unwrap();
            writeln!(out, "final {}", network.tip().unwrap().height).unwrap();
            out.flush().unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (genesis, keys) = dev_network(
        "dev",
        1_800_000_000,
        NetworkParams::default(),
        vec![placet_protocol::example::pinned_circuit()],
        &[7; 32],
    )
    .unwrap();
    write_network(dir.path(), &genesis, Some(&keys)).unwrap();
    let mut state = 0x1234_5678_9abc_def1_u64;
    let (mut reported, mut with_progress) = (0, 0);
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "four_replicas_survive_kills_between_their_commits", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let heights = lines.lines().map_while(Result::ok);
            heights.filter_map(|line| line.strip_prefix("final ")?.parse::<u64>().ok()).last()
        });
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(50 + (state >> 33) % 300));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the child only ends by being killed");
        if let Some(height) = reader.join().unwrap() {
            reported = height;
            with_progress += 1;
        }
        let network = open(dir.path());
        let tip = network.tip().unwrap();
        assert!(tip.height >= reported, "block {reported} was final and is gone");
        let digest = network.view().unwrap().full_digest().unwrap();
        for authority in network.authorities() {
            let view = authority.ledger().view().unwrap();
            assert_eq!(view.tip().unwrap(), tip);
            assert_eq!(view.full_digest().unwrap(), digest);
        }
    }
    assert!(with_progress >= KILLS / 2, "the test must see blocks: {with_progress}");
}
