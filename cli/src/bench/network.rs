//! `placet bench network`: nodes as processes, real proofs, measured from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use placet_benches::flood::Flood;
use placet_benches::load::{Load, LoadError};
use placet_benches::network::{Client, Measured, Node, Pace, forks, measure};
use placet_node::files::stored_keys;
use placet_protocol::genesis::{ChainId, Genesis, NetworkParams};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{Transaction, TransferTransaction};
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use serde_json::{Value, json};

use crate::app::App;
use crate::devnet::nodes::Children;
use crate::devnet::place::{Place, Plan};
use crate::devnet::{Clock, silent};
use crate::fail::{Exit, Failure, Result};
use crate::keyfiles;
use crate::output::{Report, fields};

/// Authorities of the measured network.
const NODES: usize = 4;
/// Transfers that are sent one by one for the time to finality.
const SINGLE: usize = 20;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(500);
/// Clients that send at once for the throughput.
const CLIENTS: usize = 8;
/// Transfers proven for each second of `--seconds`: proofs take longer than everything else, and a
/// network on two cores makes not many more final.
const PER_SECOND: u64 = 8;

/// Arguments of `placet bench network`.
#[derive(Args)]
pub struct Network {
    /// Length of the throughput measurement that transfers are proven for, in seconds. Proving takes
    /// about eight times as long
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Transfers to prove for each of the two throughput measurements instead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(3..=10_000))]
    transfers: Option<u64>,
    /// Also measure single transfers during a flood of invalid proofs, at ten times the throughput
    #[arg(long)]
    flood: bool,
    /// Afterwards, make a transfer every few seconds for so long and watch the memory
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    soak: Option<u64>,
}

/// Transfers a second of the flood, for each that the network makes final.
const FLOOD: f64 = 10.0;
/// Connections of the flood.
const FLOODERS: u32 = 16;
/// Between two transfers of a soak.
const SOAK_PAUSE: Duration = Duration::from_secs(5);

fn failed(error: LoadError) -> Failure {
    Failure::from_error(Exit::Network, "bench", &error)
}

/// The greatest resident memory of processes, watched from a thread.
struct Memory {
    stop: Arc<AtomicBool>,
    most: Arc<[AtomicU64]>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Memory {
    fn watch(processes: Vec<u32>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let most: Arc<[AtomicU64]> = processes.iter().map(|_| AtomicU64::new(0)).collect();
        let thread = std::thread::spawn({
            let (stop, most) = (stop.clone(), most.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    for (process, most) in processes.iter().zip(most.iter()) {
                        most.fetch_max(resident_kib(*process).unwrap_or(0), Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(250));
                }
            }
        });
        Self { stop, most, thread: Some(thread) }
    }

    /// The average of the nodes in megabytes (10^6 bytes).
    fn end(mut self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        average(self.most.iter().map(|kib| kib.load(Ordering::Relaxed)))
    }
}

/// Of resident memory, in megabytes.
fn average(kib: impl Iterator<Item = u64>) -> f64 {
    let all: Vec<_> = kib.collect();
    all.iter().sum::<u64>() as f64 * 1.024e-3 / all.len().max(1) as f64
}

/// Resident memory as Linux tells it; `None` elsewhere.
fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A running network and who sends to it.
struct Stage {
    genesis: Genesis,
    chain: ChainId,
    client: Client,
    load: Load,
    prover: Prover<Transfer>,
}

impl Stage {
    fn set_up(app: &App, place: &Place, assets: usize) -> Result<Self> {
        let genesis = place.genesis()?;
        let keys: Vec<SigningKey> = stored_keys(place.root(), &genesis)
            .map_err(|error| crate::local::file_failure(&error))?;
        let urls: Vec<_> = place.addresses()?.iter().map(ToString::to_string).collect();
        let client = Client::new(&genesis, &urls)
            .map_err(|error| Failure::from_error(Exit::Internal, "bench", &error))?;
        wait_for(&client, place)?;
        let prover = {
            let (proving, _) = keyfiles::development(app.progress)?;
            keyfiles::with_tables(proving, app.tables, app.progress)?
        };
        let chain = genesis.chain_id();
        let mut load = Load::new(&genesis).map_err(failed)?;
        let _working = app.progress.spinner("registering and allotting assets");
        let approve = |admission: &placet_protocol::transaction::registry::Admission| {
            keys.iter().map(|key| admission.approve(&chain, key)).collect()
        };
        load.set_up(&client, &approve, assets).map_err(failed)?;
        Ok(Self { genesis, chain, client, load, prover })
    }

    fn measure(&self, nodes: &[Node], transfers: &[Transaction], pace: Pace) -> Result<Measured> {
        let measured = measure(nodes, &self.chain, transfers, pace).map_err(failed)?;
        match measured.refused.first() {
            None => Ok(measured),
            Some(refusal) => Err(failed(LoadError::new(refusal))),
        }
    }
}

/// Waits until every node answers and has peers.
fn wait_for(client: &Client, place: &Place) -> Result<()> {
    let begin = Instant::now();
    let ready = |node: &Node| node.status().is_ok_and(|status| status.peers > 0);
    while !client.nodes().iter().all(ready) {
        if begin.elapsed() > Duration::from_secs(120) {
            return Err(silent(place));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn transactions(transfers: Vec<TransferTransaction>) -> Vec<Transaction> {
    transfers.into_iter().map(Transaction::Transfer).collect()
}

/// How a node that was away comes back.
struct CatchUp {
    blocks: u64,
    took: Duration,
}

/// Starts a node again and waits until it has what the others have.
fn catch_up(stage: &Stage, children: &mut Children, place: &Place, node: usize) -> Result<CatchUp> {
    let nodes = stage.client.nodes();
    let target = nodes[0].status().map_err(failed)?.height;
    children.restart(place, node)?;
    let begin = Instant::now();
    let mut first = None;
    loop {
        if let Ok(status) = nodes[node].status() {
            let (since, from) = *first.get_or_insert((Instant::now(), status.height));
            if status.height >= target {
                return Ok(CatchUp { blocks: target - from, took: since.elapsed() });
            }
        }
        if begin.elapsed() > Duration::from_secs(120) {
            return Err(failed(LoadError::new("a restarted node does not catch up")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A transfer every few seconds; the memory of the nodes at each quarter of the time.
fn soak(app: &App, stage: &mut Stage, children: &Children, minutes: u64) -> Result<Value> {
    let progress = app.progress.bar("soaking");
    let whole = Duration::from_secs(60 * minutes);
    let (begin, ids) = (Instant::now(), children.ids());
    let mut memory = vec![average(ids.iter().filter_map(|id| resident_kib(*id)))];
    let mut count = 0;
    while begin.elapsed() < whole {
        let due = begin + SOAK_PAUSE * count as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let payment = stage.load.payment(&stage.client, &stage.prover, count).map_err(failed)?;
        let nodes = stage.client.nodes().to_vec();
        let measured = stage.measure(&nodes, &transactions(payment), Pace::Clients(1))?;
        if measured.lost > 0 {
            return Err(failed(LoadError::new("a transfer was lost during the soak")));
        }
        count += 1;
        progress.at(begin.elapsed().as_secs(), whole.as_secs());
        if begin.elapsed() >= whole * memory.len() as u32 / 4 {
            memory.push(average(ids.iter().filter_map(|id| resident_kib(*id))));
        }
    }
    let memory: Vec<_> = memory.into_iter().map(rounded).collect();
    Ok(json!({ "minutes": minutes, "transfers": count, "memory_mb_per_node": memory }))
}

/// Runs it.
pub fn run(app: &App, arguments: &Network) -> Result<Report> {
    let many = arguments.transfers.unwrap_or(arguments.seconds * PER_SECOND) as usize;
    let directory = tempfile::Builder::new().prefix("placet-bench-").tempdir()?;
    // Proofs must stay valid from the first to the last: the longest root window there is.
    let params = NetworkParams { root_window: 3600, ..NetworkParams::default() };
    let plan = Plan { nodes: NODES, params, clock: Clock::System };
    let place = Place::open(directory.path(), &plan, app.progress)?;
    let mut children = Children::start(&place)?;
    let memory = Memory::watch(children.ids());
    let assets = 2 * SINGLE + many;
    let mut stage = Stage::set_up(app, &place, assets)?;
    let nodes = stage.client.nodes().to_vec();

    let total = 2 * assets as u64;
    let proofs = app.progress.bar("proving");
    let acceptances = stage
        .load
        .acceptances(&stage.client, &stage.prover, &mut |done| proofs.at(done as u64, total))
        .map_err(failed)?;
    let mut acceptances = transactions(acceptances);
    let rest = acceptances.split_off(SINGLE);
    let single = stage.measure(&nodes, &acceptances, Pace::Every(PAUSE))?;
    let burst = stage.measure(&nodes, &rest, Pace::Clients(CLIENTS))?;

    let mut payments = stage
        .load
        .payments(&stage.client, &stage.prover, &mut |more| {
            proofs.at((assets + more) as u64, total);
        })
        .map_err(failed)?;
    drop(proofs);
    let rest = payments.split_off(2 * SINGLE);
    let mut payments = transactions(payments);
    let down = payments.split_off(SINGLE);
    let flood = match arguments.flood {
        false => None,
        true => {
            let target = place.members()?[0].api;
            let flood = Flood::begin(target, &rest, FLOOD * burst.per_second(), FLOODERS);
            std::thread::sleep(Duration::from_secs(2));
            let measured = stage.measure(&nodes, &payments, Pace::Every(PAUSE))?;
            Some((measured, flood.per_second()))
        }
    };
    let rest = transactions(rest);
    let mut forked = forks(&nodes, &stage.chain).map_err(failed)?;
    children.kill(NODES - 1)?;
    let alive = &nodes[..NODES - 1];
    let down_single = stage.measure(alive, &down, Pace::Every(PAUSE))?;
    let down_burst = stage.measure(alive, &rest, Pace::Clients(CLIENTS))?;
    let memory = memory.end();
    let back = catch_up(&stage, &mut children, &place, NODES - 1)?;
    let soaked = match arguments.soak {
        None => None,
        Some(minutes) => Some(soak(app, &mut stage, &children, minutes)?),
    };
    forked += forks(&nodes, &stage.chain).map_err(failed)?;
    children.stop();

    let mut all = vec![&single, &burst, &down_single, &down_burst];
    all.extend(flood.as_ref().map(|(measured, _)| measured));
    let lost: usize = all.iter().map(|measured| measured.lost).sum();
    let per_second = back.blocks as f64 / back.took.as_secs_f64().max(f64::EPSILON);
    let mut json = json!({
        "authorities": stage.genesis.authorities.len(),
        "transfers": all.iter().map(|measured| measured.finality.len()).sum::<usize>(),
        "transfers_per_second": rounded(burst.per_second()),
        "finality_ms": finality(&single),
        "loaded_finality_ms": finality(&burst),
        "one_down": {
            "transfers_per_second": rounded(down_burst.per_second()),
            "finality_ms": finality(&down_single),
            "loaded_finality_ms": finality(&down_burst),
        },
        "catch_up": { "blocks": back.blocks, "blocks_per_second": rounded(per_second) },
        "memory_mb_per_node": rounded(memory),
        "forks": forked,
        "lost": lost,
    });
    let line = |single: &Measured, burst: &Measured| {
        format!(
            "{:.1} transfers a second; finality of single ones {:.0} ms (p50), {:.0} ms (p99)",
            burst.per_second(),
            single.finality_ms(50),
            single.finality_ms(99)
        )
    };
    let mut lines = vec![
        ("four authorities", line(&single, &burst)),
        ("one killed", line(&down_single, &down_burst)),
        ("it comes back", format!("{} blocks, {per_second:.0} a second", back.blocks)),
    ];
    if let Some((measured, rate)) = &flood {
        json["flood"] = json!({
            "invalid_per_second": rounded(*rate), "finality_ms": finality(measured),
        });
        lines.push((
            "in a flood",
            format!(
                "{rate:.0} invalid proofs a second; finality {:.0} ms (p50), {:.0} ms (p99)",
                measured.finality_ms(50),
                measured.finality_ms(99)
            ),
        ));
    }
    lines.push(("memory a node", format!("{memory:.0} MB")));
    if let Some(soaked) = soaked {
        lines.push((
            "soak",
            format!("{} MB over {} minutes", soaked["memory_mb_per_node"], soaked["minutes"]),
        ));
        json["soak"] = soaked;
    }
    lines.extend([("forks", forked.to_string()), ("lost", lost.to_string())]);
    Ok(Report::new(fields(&lines), json))
}

fn finality(measured: &Measured) -> Value {
    json!({
        "p50": rounded(measured.finality_ms(50)),
        "p99": rounded(measured.finality_ms(99)),
    })
}

/// Tenths are all that such a measurement can tell.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
