//! Four authorities with the production entry: threads, sockets, files.

mod common;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Manner, Toy, constant, key, public_keys};
use placet_engine::config::Peer;
use placet_engine::run::Timeouts;
use placet_engine::{Address, Config, Running, StartError, start};

const LENGTH: u64 = 10;

/// Ports that were free a moment ago.
fn addresses(n: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> =
        (0..n).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

fn config(dir: &Path, i: usize, addresses: &[SocketAddr]) -> Config {
    let home = dir.join(format!("n{i}"));
    std::fs::create_dir_all(&home).unwrap();
    let peers = addresses
        .iter()
        .zip(public_keys(addresses.len() as u8))
        .map(|(address, key)| Peer { key, address: Address::Socket(*address) });
    let mut config =
        Config::new(home.join("engine"), home.join("voted"), addresses[i], peers.collect());
    config.allow_private_ips = true;
    config.timeouts =
        Timeouts { leader: Duration::from_secs(1), certification: Duration::from_secs(2) };
    config
}

/// Polls with a deadline that only a broken network misses.
fn reach(toy: &Toy, height: u64) {
    for _ in 0..1800 {
        if toy.height() >= height {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("at {} after three minutes", toy.height());
}

#[test]
fn four_threads_agree_and_one_that_was_stopped_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = addresses(4);
    let toys: Vec<_> = public_keys(4)
        .into_iter()
        .map(|key| Arc::new(Toy::new(key, constant(&public_keys(4)), LENGTH, Manner::Honest)))
        .collect();
    let begin = |i: usize, toy: Arc<Toy>| -> Running {
        start(toy, &key(i as u8), config(dir.path(), i, &addresses)).unwrap()
    };
    let mut running: Vec<_> = (0..4).map(|i| begin(i, toys[i].clone())).collect();
    for toy in &toys {
        reach(toy, LENGTH + 2);
    }
    let status = running[0].status().borrow().clone();
    assert!(status.running && status.height > LENGTH && status.peers.len() == 3, "{status:?}");
    assert!(running[0].metrics().contains("marshal"), "{}", running[0].metrics());

    let ended = running[3].ended();
    running.pop().unwrap().stop().unwrap();
    assert!(*ended.borrow());
    let left = toys[3].height();
    reach(&toys[0], left + 2 * LENGTH);
    assert_eq!(toys[3].height(), left);
    let again = Arc::new(toys[3].again());
    running.push(begin(3, again.clone()));
    reach(&again, left + 2 * LENGTH);
    assert_eq!(
        toys[0].ids()[..again.ids().len().min(20)],
        again.ids()[..again.ids().len().min(20)]
    );
    for node in running {
        node.stop().unwrap();
    }
}

#[test]
fn what_is_wrong_is_said_before_the_engine_starts() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let begin = |config: Config| {
        let toy = Toy::new(key(0).public(), constant(&public_keys(2)), LENGTH, Manner::Honest);
        start(Arc::new(toy), &key(0), config).map(|_| ()).unwrap_err()
    };
    let config = || config(dir.path(), 0, &addresses);
    let taken = TcpListener::bind(addresses[0]).unwrap();
    assert!(matches!(begin(config()), StartError::Listen { .. }));
    drop(taken);
    let few = Config { max_peers: 1, ..config() };
    assert!(matches!(begin(few), StartError::Peers { peers: 2, max: 1 }));
    assert!(matches!(begin(Config { threads: 0, ..config() }), StartError::Settings));
    std::fs::write(config().record, "placet voting record 1\nstore 00\nepoch 1\n").unwrap();
    assert!(matches!(begin(config()), StartError::Record(_)));
    std::fs::remove_file(config().record).unwrap();
    std::fs::create_dir_all(dir.path().join("file")).unwrap();
    std::fs::write(dir.path().join("file/engine"), "").unwrap();
    let blocked = Config { storage: dir.path().join("file/engine"), ..config() };
    assert!(matches!(begin(blocked), StartError::Storage { .. }));
}

#[test]
fn addresses_are_sockets_or_names() {
    for text in ["10.1.2.3:9000", "[::1]:9000", "node-1.example.org:9000", "localhost:1"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    for text in ["", "host", "host:", "host:0", "host:70000", "10.1.2:9000", "a..b:1", ":9"] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}
