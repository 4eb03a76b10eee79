//! `placet devnet`: a development network of real nodes, each a process of its own, on this machine.
//!
//! ```text
//! genesis.json, *.key files    the network
//! sanctions-publisher.key      signs sanctions lists
//! authority-N/                 its key, configuration, data and log
//! devnet.json                  addresses, while it runs also process ids
//! lock, stop                   held by the command that runs it; asks that command to stop
//! ```

pub mod nodes;
pub mod place;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use placet_protocol::genesis::NetworkParams;
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{Signed, Transaction};
use placet_wallet::client::Client;
use placet_wallet::issuer::Watch;
use placet_wallet::network::Network;
use placet_wallet::remote::{Patience, Remote};
use placet_wallet::view;
use serde_json::json;

pub use place::{addresses, genesis_path};

use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::network::{default_list, read_list};
use crate::nodes::{Nodes, RealTime};
use crate::output::{Report, Table};
use crate::time;
use nodes::Children;
use place::{Place, Plan};

/// Whether the nodes' clocks can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// By `placet devnet advance`.
    Manual,
    /// They are the system's.
    System,
}

/// Commands on a development network of processes.
#[derive(Subcommand)]
pub enum Command {
    /// Start the nodes, and keep them running until Ctrl-C or `placet devnet stop`
    ///
    /// Prints the addresses when all of them answer. In a directory that was used before, the chain
    /// goes on.
    Start {
        /// Directory of the network [default: a temporary one, deleted at the end]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Number of authorities
        #[arg(long = "nodes", value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
        count: u8,
        /// Keep the temporary directory
        #[arg(long)]
        keep: bool,
        /// Whether `placet devnet advance` may move the clocks
        #[arg(long, value_enum, default_value = "manual")]
        clock: Clock,
        /// Blocks of an epoch, at whose end changes of the authorities take effect
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(4..=1_000_000))]
        epoch_length: u64,
        /// Sanctioned documents as CSV instead of the OFAC list that comes with this program
        #[arg(long, value_name = "CSV")]
        sanctions: Option<PathBuf>,
    },
    /// Stop the nodes of a directory
    Stop {
        /// Directory of the network
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Where each node stands
    Status {
        /// Directory of the network
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Move the clocks of all nodes forward
    Advance {
        /// Directory of the network
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// By how much: 90s, 15m, 12h, 7d or 2w
        #[arg(value_parser = time::duration)]
        by: u64,
    },
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    match command {
        Command::Start { dir, count, keep, clock, epoch_length, sanctions } => {
            let plan = Plan {
                nodes: usize::from(*count),
                params: NetworkParams { epoch_length: *epoch_length, ..NetworkParams::default() },
                clock: *clock,
            };
            start(app, dir.as_deref(), *keep, &plan, sanctions.as_deref())
        }
        Command::Stop { dir } => stop(dir),
        Command::Status { dir } => status(dir),
        Command::Advance { dir, by } => {
            let place = Place::existing(dir)?;
            let remote = connect(&place)?;
            let moved = move_clocks(&remote, *by)?;
            let text = format!("the clocks of {moved} nodes are {by} seconds ahead of before");
            Ok(Report::new(text, json!({ "seconds": by, "nodes": moved })))
        }
    }
}

fn connect(place: &Place) -> Result<Remote> {
    let nodes = place.addresses()?;
    Ok(Remote::new(place.genesis()?, nodes, Patience::default(), RealTime::start()))
}

fn start(
    app: &App,
    dir: Option<&std::path::Path>,
    keep: bool,
    plan: &Plan,
    sanctions: Option<&std::path::Path>,
) -> Result<Report> {
    let list = match sanctions {
        Some(path) => read_list(path)?,
        None => default_list()?,
    };
    // Before anything is started, so that no signal finds nodes without anybody to stop them.
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stopping.clone())?;
    }
    let temporary = match dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("placet-devnet-").tempdir()?),
    };
    let path = match (dir, &temporary) {
        (None, Some(temporary)) => temporary.path(),
        (dir, _) => dir.unwrap_or(std::path::Path::new(".")),
    };
    let place = Place::open(path, plan, app.progress)?;
    let mut children = Children::start(&place)?;
    let ready = wait_until_ready(app, &place, &mut children, &stopping, &list);
    if let Err(failure) = ready {
        children.stop();
        return Err(failure);
    }
    announce(app, &place, &children)?;
    while !stopping.load(Ordering::SeqCst) && !place.stop_is_asked() {
        for news in children.watch() {
            app.progress.note(&news);
        }
        if children.all_ended() {
            children.stop();
            return Err(Failure::new(
                Exit::Internal,
                "nodes-ended",
                "all nodes have ended",
                format!("see the logs in {}", place.root().display()),
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    children.stop();
    place.forget_processes()?;
    if let (Some(temporary), true) = (temporary, keep) {
        let _ = temporary.keep();
    }
    Ok(Report::silent())
}

/// The nodes do not answer.
pub fn silent(place: &Place) -> Failure {
    Failure::new(
        Exit::Network,
        "no-node",
        "the nodes do not answer",
        format!("see the logs in {}", place.root().display()),
    )
}

/// Waits for every node, and publishes the first sanctions list: that needs a majority that agrees.
fn wait_until_ready(
    app: &App,
    place: &Place,
    children: &mut Children,
    stopping: &AtomicBool,
    list: &placet_protocol::sanctions::SanctionsList,
) -> Result<()> {
    let working = app.progress.spinner("starting the nodes");
    let (remote, begin) = (connect(place)?, Instant::now());
    loop {
        let standings = remote.standings();
        if standings.iter().all(|(_, answer)| answer.is_ok()) {
            break;
        }
        if let Some(news) = children.watch().first() {
            return Err(Failure::new(
                Exit::Internal,
                "node-ended",
                news,
                format!("see the logs in {}", place.root().display()),
            ));
        }
        if stopping.load(Ordering::SeqCst) || begin.elapsed() > Duration::from_secs(120) {
            return Err(silent(place));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    working.says("waiting for the first block");
    let genesis = place.genesis()?;
    let mut public = Client::open(&place.root().join("public.redb"), &genesis, Watch)?;
    let failed = |error: placet_wallet::client::SyncError| {
        Failure::from_error(Exit::Network, "no-node", &error)
    };
    public.sync(&remote, &mut |_| {}).map_err(failed)?;
    if view::sanctions(&public.read()?)?.0 > 0 {
        return Ok(());
    }
    let message = Sanctions::new(1, false, list.subjects().collect()).ok_or_else(|| {
        Failure::input("sanctions-list", "the list is too long", "publish fewer documents")
    })?;
    let signed = Signed::new(message, &genesis.chain_id(), &place.publisher(&genesis)?);
    let submitted = remote.submit(&Transaction::PublishSanctions(signed));
    submitted.map(drop).map_err(|error| {
        let failure = Failure::from_error(Exit::Network, "undecided", &error);
        failure.with(&format!("see the logs in {}", place.root().display()))
    })
}

/// Tells that everything runs, once and at once: this command does not end yet.
fn announce(app: &App, place: &Place, children: &Children) -> Result<()> {
    let genesis = place.genesis()?;
    let mut table = Table::new(&["authority", "address", "process", "log"], &[2]);
    let mut rows = Vec::new();
    for (member, id) in place.members()?.iter().zip(children.ids()) {
        let (url, log) = (member.url()?, place.log(&member.name));
        table.row(vec![
            member.name.clone(),
            url.to_string(),
            id.to_string(),
            log.display().to_string(),
        ]);
        rows.push(json!({
            "name": member.name, "url": url, "process": id, "log": log,
            "config": place.config(&member.name),
        }));
    }
    let (chain, dir) = (genesis.chain_id().to_string(), place.root().display());
    let text = format!(
        "development network in {dir}\nchain {chain}\n\n{table}\n\nuse it from another terminal:\n  \
         placet network join --devnet {dir} --data DIR\nstop it with Ctrl-C"
    );
    let json = json!({
        "directory": place.root(), "chain": chain, "genesis": place.genesis_path(), "nodes": rows,
        "verifying_key": crate::keyfiles::verifying_path(place.root(), &genesis)?,
    });
    Report::new(text, json).print(app.json)
}

fn stop(dir: &std::path::Path) -> Result<Report> {
    let place = Place::existing(dir)?;
    let was_running = place.ask_to_stop()?;
    let text = if was_running { "stopped" } else { "it was not running" };
    Ok(Report::new(text, json!({ "stopped": was_running })))
}

fn status(dir: &std::path::Path) -> Result<Report> {
    let place = Place::existing(dir)?;
    let (table, rows) = crate::network::table_of(&connect(&place)?);
    let json = json!({ "running": place.is_running()?, "nodes": rows });
    Ok(Report::new(table, json))
}

/// Moves the clocks of a network's nodes, and waits for the block that shows it.
pub fn advance(nodes: &Nodes, by: u64) -> Result<usize> {
    let moved = move_clocks(nodes.remote(), by);
    moved
        .map_err(|failure| failure.with("only development networks with `--clock manual` allow it"))
}

fn move_clocks(remote: &Remote, by: u64) -> Result<usize> {
    let failed = |error| Failure::from_error(Exit::Network, "clock", &error);
    let before = remote.status().map_err(failed)?.time;
    let moved = remote.advance(by).map_err(failed)?;
    let heartbeat = remote.genesis().map_err(failed)?.params.heartbeat;
    let begin = Instant::now();
    // A shorter time passes without a block.
    while by >= heartbeat && begin.elapsed() < Duration::from_secs(60) {
        if remote.status().map_err(failed)?.time >= before.saturating_add(by) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(moved)
}
