//! Measures a running network from outside: how many transfers it makes final in a second, and how
//! long one takes. Talks to nodes over HTTP like any client.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use placet_protocol::api::{self, BINARY};
use placet_protocol::block::{BlockId, CertifiedBlock};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::Wire;
use placet_wallet::network::{Network, NetworkError, Status, SubmitError, Submitted};
use placet_wallet::remote::{BadUrl, NodeUrl, Patience, Remote, Timer};

use crate::load::{Bulk, LoadError};

/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;
/// Between two looks at a node's height.
const LOOK: Duration = Duration::from_millis(5);
/// Without progress for so long, a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node's HTTP interface.
#[derive(Clone, Debug)]
pub struct Node {
    url: String,
    agent: ureq::Agent,
}

impl Node {
    /// At an address as in `http://127.0.0.1:8080`.
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(20)))
            .http_status_as_error(false)
            .build();
        Self { url: url.trim_end_matches('/').to_owned(), agent: config.new_agent() }
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        let mut answer =
            self.agent.get(format!("{}{path}", self.url)).call().map_err(LoadError::new)?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = body.map_err(LoadError::new)?;
        if answer.status().is_success() {
            return Ok(body);
        }
        Err(LoadError::new(format!(
            "{}{path}: {} {}",
            self.url,
            answer.status(),
            String::from_utf8_lossy(&body)
        )))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, LoadError> {
        serde_json::from_slice(&self.get(path)?).map_err(LoadError::new)
    }

    /// Where it stands.
    pub fn status(&self) -> Result<api::Status, LoadError> {
        self.json(api::path::STATUS)
    }

    /// What became of a transaction.
    pub fn transaction(&self, id: TxId) -> Result<api::TransactionStatus, LoadError> {
        self.json(&api::path::TRANSACTION.replace("{id}", &id.to_string()))
    }

    /// Contradictions that it saw.
    pub fn evidence(&self) -> Result<Vec<api::Evidence>, LoadError> {
        self.json(api::path::EVIDENCE)
    }

    /// A final block.
    pub fn block(&self, height: u64) -> Result<CertifiedBlock, LoadError> {
        let bytes = self.get(&api::path::BLOCK.replace("{height}", &height.to_string()))?;
        CertifiedBlock::from_wire(&bytes).map_err(LoadError::new)
    }

    /// Hands a transaction in. `false` if the node is busy and wants it later.
    ///
    /// # Errors
    /// The refusal in the node's words.
    pub fn post(&self, transaction: &[u8]) -> Result<bool, LoadError> {
        let url = format!("{}{}", self.url, api::path::TRANSACTIONS);
        let sent = self.agent.post(url).header("content-type", BINARY).send(transaction);
        let mut answer = sent.map_err(LoadError::new)?;
        match answer.status().as_u16() {
            200..300 => Ok(true),
            429 | 503 => Ok(false),
            status => {
                let body = answer.body_mut().with_config().limit(65_536).read_to_string();
                Err(LoadError::new(format!("{status} {}", body.unwrap_or_default())))
            }
        }
    }
}

/// The system's time.
struct Watch(Instant);

impl Timer for Watch {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A client of a network that trusts no node, and hands many transactions in at once.
#[derive(Debug)]
pub struct Client {
    remote: Remote,
    nodes: Vec<Node>,
}

impl Client {
    /// Of these nodes.
    ///
    /// # Errors
    /// [`BadUrl`] for an address that is none.
    pub fn new(genesis: &Genesis, urls: &[String]) -> Result<Self, BadUrl> {
        let parsed = urls.iter().map(|url| url.parse()).collect::<Result<Vec<NodeUrl>, _>>()?;
        let timer = Box::new(Watch(Instant::now()));
        Ok(Self {
            remote: Remote::new(genesis.clone(), parsed, Patience::default(), timer),
            nodes: urls.iter().map(|url| Node::new(url)).collect(),
        })
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

impl Network for Client {
    fn genesis(&self) -> Result<Genesis, NetworkError> {
        self.remote.genesis()
    }
    fn status(&self) -> Result<Status, NetworkError> {
        self.remote.status()
    }
    fn blocks(&self, from: u64, max: usize) -> Result<Vec<CertifiedBlock>, NetworkError> {
        self.remote.blocks(from, max)
    }
    fn submit(&self, transaction: &Transaction) -> Result<Submitted, SubmitError> {
        self.remote.submit(transaction)
    }
    fn distrust(&self) -> bool {
        self.remote.distrust()
    }
}

impl Bulk for Client {
    fn execute_all(&self, transactions: &[Transaction]) -> Result<(), LoadError> {
        let measured = measure(&self.nodes, self.remote.chain(), transactions, Pace::Clients(4))?;
        match measured.refused.first() {
            Some(refusal) => Err(LoadError::new(refusal)),
            None if measured.lost > 0 => {
                Err(LoadError::new(format!("{} transactions were lost", measured.lost)))
            }
            None => Ok(()),
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From the first hand-in to the block that made the last one final.
    pub took: Duration,
    /// From hand-in to final block as a client sees it, ascending.
    pub finality: Vec<Duration>,
    /// Handed in and neither final nor refused when patience ended.
    pub lost: usize,
    /// Refused, with the node's words.
    pub refused: Vec<String>,
}

impl Measured {
    /// Final transfers per second.
    pub fn per_second(&self) -> f64 {
        self.finality.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// The time within which `percent` of the transfers were final, in milliseconds.
    pub fn finality_ms(&self, percent: usize) -> f64 {
        let last = self.finality.len().saturating_sub(1);
        let index = (self.finality.len() * percent).div_ceil(100).saturating_sub(1).min(last);
        self.finality.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// How transactions are handed in.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as the nodes take them, by so many clients at once.
    Clients(usize),
    /// One each so often.
    Every(Duration),
}

/// Hands transactions in, to one node after the other, and follows the chain at the first until all
/// of them are final.
///
/// # Errors
/// [`LoadError`] if the first node does not answer.
pub fn measure(
    nodes: &[Node],
    chain: &ChainId,
    transactions: &[Transaction],
    pace: Pace,
) -> Result<Measured, LoadError> {
    let items: Vec<(TxId, Vec<u8>)> =
        transactions.iter().map(|tx| (tx.id(chain), tx.to_wire())).collect();
    let first = nodes.first().ok_or_else(|| LoadError::new("no node"))?;
    let from = first.status()?.height + 1;
    let sent: Mutex<BTreeMap<TxId, Instant>> = Mutex::default();
    let refused: Mutex<Vec<(TxId, String)>> = Mutex::default();
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let clients = match pace {
        Pace::Clients(clients) => clients.max(1),
        Pace::Every(_) => 1,
    };
    let finished = std::thread::scope(|scope| {
        for client in 0..clients {
            let (items, sent, refused, stop) = (&items, &sent, &refused, &stop);
            scope.spawn(move || {
                for (turn, (id, bytes)) in items.iter().enumerate().skip(client).step_by(clients) {
                    if let Pace::Every(pause) = pace {
                        let due = begun + pause * u32::try_from(turn).unwrap_or(u32::MAX);
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    sent.lock().expect("no client panics").insert(*id, Instant::now());
                    let node = &nodes[turn % nodes.len()];
                    loop {
                        match node.post(bytes) {
                            Ok(true) => break,
                            Ok(false) if !stop.load(Ordering::Relaxed) => {
                                std::thread::sleep(Duration::from_millis(50));
                            }
                            Ok(false) => return,
                            Err(error) => {
                                let mut refused = refused.lock().expect("no client panics");
                                refused.push((*id, error.to_string()));
                                break;
                            }
                        }
                    }
                }
            });
        }
        let finished = follow(first, chain, from, &items, &refused);
        stop.store(true, Ordering::Relaxed);
        finished
    })?;
    let sent = sent.into_inner().expect("no client panics");
    let refused = refused.into_inner().expect("no client panics");
    let last = finished.values().max().copied().unwrap_or(begun);
    let mut finality: Vec<_> =
        finished.iter().filter_map(|(id, at)| Some(*at - *sent.get(id)?)).collect();
    finality.sort_unstable();
    let lost = items
        .iter()
        .filter(|(id, _)| !finished.contains_key(id) && !refused.iter().any(|(no, _)| no == id))
        .count();
    Ok(Measured {
        took: last - begun,
        finality,
        lost,
        refused: refused.into_iter().map(|(_, why)| why).collect(),
    })
}

/// When each transaction was seen in a final block.
fn follow(
    node: &Node,
    chain: &ChainId,
    from: u64,
    items: &[(TxId, Vec<u8>)],
    refused: &Mutex<Vec<(TxId, String)>>,
) -> Result<BTreeMap<TxId, Instant>, LoadError> {
    let mut finished = BTreeMap::new();
    let mut next = from;
    let mut progress = Instant::now();
    while finished.len() + refused.lock().expect("no client panics").len() < items.len() {
        let height = node.status()?.height;
        let now = Instant::now();
        while next <= height {
            for entry in &node.block(next)?.block.entries {
                let id = entry.transaction.id(chain);
                if items.iter().any(|(one, _)| *one == id) {
                    finished.insert(id, now);
                    progress = now;
                }
            }
            next += 1;
        }
        if progress.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(finished)
}

/// Heights at which two nodes have different blocks, among those that both have.
///
/// # Errors
/// [`LoadError`] if a node does not answer.
pub fn forks(nodes: &[Node], chain: &ChainId) -> Result<u64, LoadError> {
    let mut seen: BTreeMap<u64, BlockId> = BTreeMap::new();
    let mut forked = 0;
    for node in nodes {
        for height in 1..=node.status()?.height {
            let id = node.block(height)?.block.header.id(chain);
            match seen.insert(height, id) {
                Some(other) if other != id => forked += 1,
                _ => {}
            }
        }
    }
    Ok(forked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let finality = (1..=200).map(Duration::from_millis).collect();
        let measured = Measured { took: Duration::from_secs(4), finality, ..Measured::default() };
        assert_eq!(measured.finality_ms(50), 100.0);
        assert_eq!(measured.finality_ms(99), 198.0);
        assert_eq!(measured.finality_ms(100), 200.0);
        assert_eq!(measured.per_second(), 50.0);
        let one = Measured { finality: vec![Duration::from_millis(7)], ..Measured::default() };
        assert_eq!((one.finality_ms(50), one.finality_ms(99)), (7.0, 7.0));
        assert!(Measured::default().finality_ms(50).is_nan());
    }
}
