//! Nodes behind HTTP, honest and otherwise, over one network in memory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use placet_protocol::api;
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::genesis::Checkpoint;
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::{Wire, Writer};
use placet_wallet::network::{Network, SubmitError};
use placet_wallet::remote::{Bounds, NodeUrl, Patience, Remote, Timer};

use super::FakeNetwork;

/// How a node behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    Honest,
    /// Its genesis is another.
    Elsewhere,
    /// Its blocks have two signatures of four.
    Forger,
    /// It says that everything is final, with a receipt of something else.
    Boaster,
    /// It refuses every transaction, with one opinion that is signed and one that is not.
    Naysayer,
    /// It takes a transaction, tells nobody and is never heard of again.
    Mortal,
    /// It takes a transaction and waits for ever.
    Hoarder,
    /// It answers byte after byte.
    Slow,
    /// Its answers never end.
    Endless,
    /// It answers noise.
    Noisy,
    /// It shows no block above this height.
    Behind(u64),
}

pub type Shared = Arc<Mutex<FakeNetwork>>;

/// A node on a port of this machine, until the process ends.
pub struct MockNode {
    pub url: NodeUrl,
    /// Transactions it was sent.
    pub received: Arc<AtomicUsize>,
    dead: Arc<AtomicBool>,
}

struct Server {
    network: Shared,
    manner: Manner,
    received: Arc<AtomicUsize>,
    dead: Arc<AtomicBool>,
    pool: Mutex<Vec<Transaction>>,
}

pub fn node(network: &Shared, manner: Manner) -> MockNode {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (received, dead) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let server = Arc::new(Server {
        network: network.clone(),
        manner,
        received: received.clone(),
        dead: dead.clone(),
        pool: Mutex::default(),
    });
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let server = server.clone();
            std::thread::spawn(move || drop(server.serve(stream.unwrap())));
        }
    });
    MockNode { url, received, dead }
}

impl MockNode {
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }
    pub fn revive(&self) {
        self.dead.store(false, Ordering::SeqCst);
    }
}

type Answer = (u16, Vec<u8>);

fn json(status: u16, value: &impl serde::Serialize) -> Answer {
    (status, serde_json::to_vec(value).unwrap())
}

impl Server {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if self.dead.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut words = first.split_whitespace();
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let (status, content) = self.answer(method, target, &body);
        let mut out = stream;
        match self.manner {
            Manner::Noisy => return out.write_all(&[0x7f; 4096]),
            Manner::Endless => {
                write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                loop {
                    out.write_all(&[b'['; 65_536])?;
                }
            }
            Manner::Slow => {
                write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len())?;
                for byte in content {
                    out.write_all(&[byte])?;
                    std::thread::sleep(Duration::from_millis(50));
                }
                return Ok(());
            }
            _ => {}
        }
        let length = content.len();
        write!(out, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n")?;
        write!(out, "Connection: close\r\n\r\n")?;
        out.write_all(&content)
    }

    fn answer(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        let network = self.network.lock().unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<_> = path.trim_start_matches("/v1/").split('/').collect();
        match (method, segments.as_slice()) {
            ("GET", ["genesis"]) => {
                let mut genesis = network.genesis.clone();
                if self.manner == Manner::Elsewhere {
                    genesis.time += 1;
                }
                json(200, &genesis)
            }
            ("GET", ["status"]) => self.status(&network),
            ("GET", ["blocks"]) => (200, self.blocks(&network, query)),
            ("GET", ["transactions", id]) => self.state(&network, id.parse().unwrap()),
            ("GET", ["transactions", id, "receipt"]) => self.receipt(&network, id.parse().unwrap()),
            ("POST", ["transactions"]) => self.submit(&network, body),
            ("POST", ["dev", "clock"]) => {
                let advance: api::Advance = serde_json::from_slice(body).unwrap();
                network.advance(advance.seconds);
                (200, Vec::new())
            }
            _ => (404, Vec::new()),
        }
    }

    fn tip(&self, network: &FakeNetwork) -> u64 {
        let tip = network.blocks.borrow().len() as u64;
        match self.manner {
            Manner::Behind(height) => tip.min(height),
            _ => tip,
        }
    }

    fn status(&self, network: &FakeNetwork) -> Answer {
        let height = self.tip(network);
        json(
            200,
            &api::Status {
                version: "1".into(),
                network: network.genesis.name.clone(),
                chain: network.chain.to_string(),
                height,
                time: network.time.get(),
                block: "00".repeat(32),
                state: "00".repeat(32),
                epoch: 0,
                authorities: 4,
                quorum: 3,
                key: None,
                validating: false,
                peers: 3,
                pending: 0,
                clock: network.time.get(),
            },
        )
    }

    fn blocks(&self, network: &FakeNetwork, query: &str) -> Vec<u8> {
        let number = |name: &str| -> usize {
            let found = query.split('&').find_map(|part| part.strip_prefix(name));
            found.unwrap().parse().unwrap()
        };
        let (from, max) = (number("from="), number("max="));
        let tip = self.tip(network) as usize;
        let mut blocks: Vec<_> =
            network.blocks.borrow()[..tip].iter().skip(from - 1).take(max).cloned().collect();
        if self.manner == Manner::Forger {
            for block in &mut blocks {
                *block = network.certify(block.block.clone(), 2);
            }
        }
        let mut out = Writer::default();
        out.list(&blocks);
        out.into_bytes()
    }

    fn state(&self, network: &FakeNetwork, id: TxId) -> Answer {
        use api::TransactionStatus as S;
        let fin = |height| S::Final { height, index: 0, time: 0, assertions: Vec::new() };
        if self.manner == Manner::Boaster {
            return json(200, &fin(1));
        }
        if self.manner == Manner::Naysayer {
            let (problem, assertions) = (refusal(), opinions(network, id));
            return json(200, &S::Refused { problem, assertions });
        }
        if let Some(receipt) = network.receipt(id) {
            return json(200, &fin(receipt.header.height));
        }
        let mut pool = self.pool.lock().unwrap();
        let Some(place) = pool.iter().position(|tx| tx.id(&network.chain) == id) else {
            return json(200, &S::Unknown);
        };
        if self.manner != Manner::Hoarder {
            // The authorities take it in; the next question finds it final.
            let transaction = pool.remove(place);
            match network.submit(&transaction) {
                Ok(_) | Err(SubmitError::Network(_)) => {}
                Err(SubmitError::Rejected(rejection)) => {
                    let problem = api::Problem { code: rejection.code, message: String::new() };
                    return json(200, &S::Refused { problem, assertions: Vec::new() });
                }
            }
        }
        json(200, &S::Pending { assertions: opinions(network, id) })
    }

    fn receipt(&self, network: &FakeNetwork, id: TxId) -> Answer {
        let found = match self.manner {
            // Of another transaction.
            Manner::Boaster => {
                let first = network.blocks.borrow()[0].block.entries[0].transaction.clone();
                network.receipt(first.id(&network.chain))
            }
            _ => network.receipt(id),
        };
        found.map_or((404, Vec::new()), |receipt| (200, receipt.to_wire()))
    }

    fn submit(&self, network: &FakeNetwork, body: &[u8]) -> Answer {
        self.received.fetch_add(1, Ordering::SeqCst);
        let transaction = Transaction::from_wire(body).unwrap();
        let id = transaction.id(&network.chain).to_string();
        match self.manner {
            Manner::Naysayer => return json(422, &refusal()),
            Manner::Mortal => self.dead.store(true, Ordering::SeqCst),
            _ => self.pool.lock().unwrap().push(transaction),
        }
        json(202, &api::Accepted { id })
    }
}

fn refusal() -> api::Problem {
    api::Problem { code: "sanctions-root-stale".into(), message: "no\u{1b}[31m, never".into() }
}

/// One that an authority signed, and one that the node made up.
fn opinions(network: &FakeNetwork, id: TxId) -> Vec<api::Opinion> {
    // Somebody signs for the transaction, and the node calls it an authority.
    let nobody = SigningKey::from_seed(&[0x77; 32]);
    let one = |key: &SigningKey, shown: TxId| {
        let assertion = Assertion {
            transaction: shown,
            proof_hash: [0; 32],
            checkpoint: Checkpoint::Sanctions,
            verdict: Verdict::Reject(1234.try_into().unwrap()),
            judged_at: 1,
            judged_time: 1,
            expires_at: 100,
            discretionary: true,
        };
        let signed = SignedAssertion::new(assertion, &network.chain, key);
        api::Opinion {
            authority: "whoever".into(),
            key: key.public(),
            checkpoint: "identity".into(),
            approves: true,
            reason: 1,
            code: "own-rule".into(),
            message: "not\u{7} today".into(),
            discretionary: false,
            judged_at: 7,
            assertion: hex::encode(signed.to_wire()),
        }
    };
    vec![one(&network.keys[1], id), one(&network.keys[2], TxId([9; 32])), one(&nobody, id)]
}

struct RealTime(Instant);

impl Timer for RealTime {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A connection of a wallet that loses its patience soon.
pub fn remote<'a>(network: &Shared, nodes: impl IntoIterator<Item = &'a MockNode>) -> Remote {
    let patience = Patience {
        bounds: Bounds {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(2),
            bytes: 1024 * 1024,
        },
        pause: Duration::from_millis(10),
        everybody: Duration::from_millis(100),
        decision: Duration::from_secs(20),
        silence: Duration::from_millis(500),
    };
    let genesis = network.lock().unwrap().genesis.clone();
    let urls: Vec<_> = nodes.into_iter().map(|node| node.url.clone()).collect();
    Remote::new(genesis, urls, patience, Box::new(RealTime(Instant::now())))
}
