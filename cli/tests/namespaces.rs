//! Four real processes, each in a network namespace with an address of its own, and partitions
//! between them. Needs root and `ip` of iproute2: where a machine does not allow that, the test says
//! so and does nothing. `PLACET_NAMESPACES=1` makes it fail there instead.

mod fleet;

use std::process::Command;
use std::time::Duration;

use fleet::{Fleet, Place};
use placet_benches::network::forks;
use placet_protocol::genesis::NetworkParams;

/// Runs `ip` with the words of a line.
fn ip(line: &str) -> Result<(), String> {
    let done = Command::new("ip").args(line.split_whitespace()).output();
    match done {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("ip {line}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("ip {line}: {error}")),
    }
}

/// Two switches and four hosts; all are on the first switch.
struct Wires {
    tag: u32,
}

impl Wires {
    fn new() -> Result<Self, String> {
        let wires = Self { tag: std::process::id() % 10_000 };
        let tag = wires.tag;
        for switch in ["a", "b"] {
            ip(&format!("link add pl{tag}{switch} type bridge"))?;
            ip(&format!("link set pl{tag}{switch} up"))?;
        }
        ip(&format!("addr add {}/24 dev pl{tag}a", wires.address(200)))?;
        for host in 0..4 {
            ip(&format!("netns add {}", wires.namespace(host)))?;
            ip(&format!("link add pl{tag}h{host} type veth peer name pl{tag}n{host}"))?;
            ip(&format!("link set pl{tag}n{host} netns {}", wires.namespace(host)))?;
            ip(&format!("link set pl{tag}h{host} master pl{tag}a up"))?;
            let inside = format!("-n {}", wires.namespace(host));
            let address = wires.address(host + 1);
            ip(&format!("{inside} addr add {address}/24 dev pl{tag}n{host}"))?;
            ip(&format!("{inside} link set pl{tag}n{host} up"))?;
            ip(&format!("{inside} link set lo up"))?;
        }
        Ok(wires)
    }

    fn namespace(&self, host: usize) -> String {
        format!("placet-{}-{host}", self.tag)
    }

    fn address(&self, host: usize) -> String {
        format!("10.{}.{}.{host}", 64 + self.tag / 250 % 64, self.tag % 250)
    }

    fn place(&self, host: usize) -> Place {
        let prefix = ["ip", "netns", "exec", &self.namespace(host)].map(str::to_owned).to_vec();
        Place { address: self.address(host + 1).parse().unwrap(), prefix }
    }

    /// Plugs a host into a switch.
    fn plug(&self, host: usize, switch: &str) {
        ip(&format!("link set pl{0}h{host} master pl{0}{switch}", self.tag)).unwrap();
    }

    /// Cuts a host off, or connects it again.
    fn cut(&self, host: usize, cut: bool) {
        let state = if cut { "down" } else { "up" };
        ip(&format!("link set pl{}h{host} {state}", self.tag)).unwrap();
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        for host in 0..4 {
            let _ = ip(&format!("netns del {}", self.namespace(host)));
            let _ = ip(&format!("link del pl{}h{host}", self.tag));
        }
        for switch in ["a", "b"] {
            let _ = ip(&format!("link del pl{}{switch}", self.tag));
        }
    }
}

fn height(fleet: &Fleet, node: usize) -> u64 {
    fleet.status(node).map_or(0, |status| status.height)
}

#[test]
fn partitions_stop_minorities_and_never_fork() {
    let wires = match Wires::new() {
        Ok(wires) => wires,
        Err(why) => {
            assert!(std::env::var_os("PLACET_NAMESPACES").is_none(), "{why}");
            eprintln!("this machine allows no network namespaces, nothing was tested: {why}");
            return;
        }
    };
    let params = NetworkParams { heartbeat: 1, epoch_length: 8, ..NetworkParams::default() };
    let mut fleet = Fleet::new([0, 1, 2, 3].map(|host| wires.place(host)), params);
    fleet.start_all();
    fleet.until("blocks are made", |fleet| height(fleet, 0) > 2);

    // Three on one side go on; the one that is alone does not.
    wires.cut(3, true);
    let before = height(&fleet, 0);
    fleet.until("three go on without the fourth", |fleet| height(fleet, 0) > before + 4);
    wires.cut(3, false);
    fleet.until("the fourth catches up", |fleet| height(fleet, 3) > before + 4);

    // Two against two: nobody goes on.
    wires.plug(2, "b");
    wires.plug(3, "b");
    std::thread::sleep(Duration::from_secs(4));
    let before = height(&fleet, 0).max(height(&fleet, 1));
    std::thread::sleep(Duration::from_secs(12));
    let after = height(&fleet, 0).max(height(&fleet, 1));
    assert!(after <= before + 1, "two of four made blocks final: {before} to {after}");
    wires.plug(2, "a");
    wires.plug(3, "a");
    fleet.until("all go on", |fleet| (0..4).all(|node| height(fleet, node) > after + 4));

    let nodes: Vec<_> = (0..4).map(|node| fleet.node(node)).collect();
    assert_eq!(forks(&nodes, &fleet.genesis.chain_id()).unwrap(), 0);
    for node in &nodes {
        assert!(node.evidence().unwrap().is_empty());
    }
    for node in 0..4 {
        fleet.end(node);
    }
}
