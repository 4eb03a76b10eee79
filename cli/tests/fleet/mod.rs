//! A network of real node processes for tests: started, killed, stopped and looked at from outside.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use placet_benches::network::{Client, Node};
use placet_node::config::{Api, Config, Consensus, Limits, Log, Passphrase, Peer};
use placet_node::{DevKeys, dev_network, pin, write_network};
use placet_params::ProvingKey;
use placet_protocol::api::Status;
use placet_protocol::genesis::{Genesis, NetworkParams};
use placet_protocol::transaction::registry::{Admission, Approval};
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use placet_setup::{default_cache_dir, development_keys};
use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything: generous, since the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Where a node runs: its address, and what stands before its command line.
pub struct Place {
    pub address: IpAddr,
    pub prefix: Vec<String>,
}

impl Place {
    /// On this host.
    pub fn local() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), prefix: Vec::new() }
    }
}

struct Member {
    config: PathBuf,
    log: PathBuf,
    prefix: Vec<String>,
    api: SocketAddr,
    child: Option<Child>,
}

/// Four authorities, each a process.
pub struct Fleet {
    pub genesis: Genesis,
    pub keys: DevKeys,
    _dir: tempfile::TempDir,
    members: Vec<Member>,
}

/// Two ports that are free here now.
fn ports(place: &Place) -> (SocketAddr, SocketAddr) {
    if !place.address.is_loopback() {
        return (SocketAddr::new(place.address, 7700), SocketAddr::new(place.address, 7780));
    }
    let free = || TcpListener::bind((place.address, 0)).unwrap();
    let (one, two) = (free(), free());
    (one.local_addr().unwrap(), two.local_addr().unwrap())
}

/// The cached development keys.
pub fn proving_key() -> ProvingKey<Transfer> {
    development_keys(&default_cache_dir().unwrap(), &mut |_| {}).unwrap().0
}

impl Fleet {
    /// Writes genesis, keys and configurations; starts nothing.
    pub fn new(places: [Place; 4], params: NetworkParams) -> Self {
        let dir = tempfile::Builder::new().prefix("placet-fleet-").tempdir().unwrap();
        let (_, verifying) =
            development_keys::<Transfer>(&default_cache_dir().unwrap(), &mut |_| {}).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let (genesis, keys) =
            dev_network("fleet", now, params, vec![pin(&verifying)], &seed).unwrap();
        write_network(dir.path(), &genesis, Some(&keys)).unwrap();
        let key_file = dir.path().join("transfer.vk");
        verifying.save(&key_file).unwrap();
        let addresses: Vec<_> = places.iter().map(ports).collect();
        let members = places.into_iter().enumerate().map(|(own, place)| {
            let home = dir.path().join(format!("authority-{own}"));
            let peers = (0..4).filter(|other| *other != own).map(|other| Peer {
                name: genesis.authorities[other].name.clone(),
                key: genesis.authorities[other].key,
                address: addresses[other].0.to_string(),
            });
            let config = Config {
                genesis: dir.path().join("genesis.json"),
                verifying_key: key_file.clone(),
                data: home.join("data"),
                key: home.join("signing.key"),
                passphrase: Passphrase::default(),
                dev_clock: false,
                consensus: Consensus {
                    listen: addresses[own].0,
                    allow_private_addresses: true,
                    ..Consensus::default()
                },
                api: Api { listen: addresses[own].1, requests_per_second: 0, ..Api::default() },
                limits: Limits::default(),
                checkpoint: None,
                log: Log::default(),
                peers: peers.collect(),
                observers: Vec::new(),
            };
            let path = home.join("node.toml");
            std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
            Member {
                config: path,
                log: home.join("log"),
                prefix: place.prefix,
                api: addresses[own].1,
                child: None,
            }
        });
        let members = members.collect();
        Self { genesis, keys, _dir: dir, members }
    }

    /// Starts a node that does not run.
    pub fn start(&mut self, node: usize) {
        let member = &mut self.members[node];
        assert!(member.child.is_none(), "node {node} runs");
        let log = File::options().create(true).append(true).open(&member.log).unwrap();
        let program = env!("CARGO_BIN_EXE_placet").to_owned();
        let mut words = member.prefix.iter().cloned().chain([program]);
        let child = Command::new(words.next().unwrap())
            .args(words)
            .args(["node", "run", "--config"])
            .arg(&member.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        member.child = Some(child.unwrap());
    }

    /// Starts all that do not run, and waits until they follow the network.
    pub fn start_all(&mut self) {
        for node in 0..self.members.len() {
            if self.members[node].child.is_none() {
                self.start(node);
            }
        }
        for node in 0..self.members.len() {
            self.until(&format!("node {node} answers"), |fleet| {
                fleet.status(node).is_some_and(|status| status.peers > 0)
            });
        }
    }

    fn signal(&self, node: usize, signal: Signal) {
        let child = self.members[node].child.as_ref().expect("the node runs");
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills a node as a power failure would, but for what the disk has in its cache.
    pub fn kill(&mut self, node: usize) {
        self.signal(node, Signal::KILL);
        self.members[node].child.take().unwrap().wait().unwrap();
    }

    /// Lets a node hang.
    pub fn freeze(&self, node: usize) {
        self.signal(node, Signal::STOP);
    }

    /// Lets a node go on.
    pub fn thaw(&self, node: usize) {
        self.signal(node, Signal::CONT);
    }

    /// Asks a node to end; it must do so by itself, and say that all is well.
    pub fn end(&mut self, node: usize) {
        self.signal(node, Signal::TERM);
        let mut child = self.members[node].child.take().unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "node {node} ended with {status}: {}", self.log(node));
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "node {node} does not end: {}", self.log(node));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fails if a node that should run has ended.
    pub fn nobody_died(&mut self) {
        for node in 0..self.members.len() {
            let ended = self.members[node].child.as_mut().and_then(|c| c.try_wait().unwrap());
            assert!(ended.is_none(), "node {node} ended: {ended:?}\n{}", self.log(node));
        }
    }

    /// The end of a node's log.
    pub fn log(&self, node: usize) -> String {
        let text = std::fs::read_to_string(&self.members[node].log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The HTTP addresses.
    pub fn urls(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("http://{}", member.api)).collect()
    }

    /// A client of all nodes.
    pub fn client(&self) -> Client {
        Client::new(&self.genesis, &self.urls()).unwrap()
    }

    /// One node's interface.
    pub fn node(&self, node: usize) -> Node {
        Node::new(&self.urls()[node])
    }

    /// Where a node stands, if it answers.
    pub fn status(&self, node: usize) -> Option<Status> {
        self.node(node).status().ok()
    }

    /// Every authority's approval of an attestor.
    pub fn approve(&self, admission: &Admission) -> Vec<Approval> {
        let chain = self.genesis.chain_id();
        self.keys.authorities.iter().map(|key| admission.approve(&chain, key)).collect()
    }

    /// Waits for something to be so.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            self.nobody_died();
            let late = begun.elapsed() > PATIENCE;
            let logs = || (0..4).map(|n| format!("--- {n}\n{}", self.log(n))).collect::<String>();
            assert!(!late, "not within {PATIENCE:?}: {what}\n{}", logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until all nodes have the same tip.
    pub fn level(&mut self) {
        self.until("all nodes have the same tip", |fleet| {
            let tips: Vec<_> = (0..4)
                .map(|node| fleet.status(node).map(|status| (status.height, status.state)))
                .collect();
            tips[0].is_some() && tips.iter().all(|tip| *tip == tips[0])
        });
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(mut child) = member.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// A prover with the development key.
pub fn prover() -> Prover<Transfer> {
    Prover::new(proving_key()).unwrap()
}
