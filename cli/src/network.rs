//! `placet network`: the network of a data directory, embedded in it or running elsewhere.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_node::keys::KeyError;
use placet_protocol::finality::quorum;
use placet_protocol::genesis::{Authority, Genesis, NetworkKind};
use placet_protocol::sanctions::SanctionsList;
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{Signed, Transaction, TxId};
use placet_protocol::wire::Wire;
use placet_registry::sanctions::{OFAC_SDN_CSV, list_from_csv};
use placet_wallet::files::{Existing, write_atomically};
use placet_wallet::remote::Remote;
use placet_wallet::view;
use serde_json::json;

use crate::app::App;
use crate::chain::Chain;
use crate::fail::{Exit, Failure, Result};
use crate::inspect::describe;
use crate::local;
use crate::nodes::{Joined, Nodes, genesis_file};
use crate::output::{Report, Table, fields};
use crate::{authorities, devnet, genesis, time};

/// Commands on the network.
#[derive(Subcommand)]
pub enum Command {
    /// Make a development network in the data directory, with a list of sanctioned documents
    ///
    /// Four authorities run inside of each command. Development keys are made on the first use on a
    /// machine, which takes under a minute.
    Init {
        /// The network's name
        #[arg(long, default_value = "dev")]
        name: String,
        /// Sanctioned documents as CSV instead of the OFAC list that comes with this program
        #[arg(long, value_name = "CSV")]
        sanctions: Option<PathBuf>,
    },
    /// Make the genesis of a network that is not for development
    ///
    /// The keys' ceremony is verified in full first: from the powers of tau and this program's
    /// circuit through every contribution to the key. Nothing else gets into a genesis.
    Genesis(genesis::Arguments),
    /// Use a network that runs elsewhere: its genesis, and the addresses of some of its nodes
    ///
    /// Nothing that a node says is believed without the authorities' signatures, and the genesis says
    /// whose those are: get it from a place that you trust.
    Join {
        /// The genesis of the network
        #[arg(long, value_name = "FILE", required_unless_present = "devnet")]
        genesis: Option<PathBuf>,
        /// The chain id that the genesis must have, as the network publishes it
        #[arg(long, value_name = "HEX")]
        chain: Option<String>,
        /// Directory with the network's proving and verifying keys [default: the user's cache]
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
        /// A development network on this machine, as `placet devnet start` made it: addresses,
        /// genesis and keys are taken from there
        #[arg(long, value_name = "DIR", conflicts_with_all = ["genesis", "keys"])]
        devnet: Option<PathBuf>,
    },
    /// Where the network stands: height, time, authorities and their mandates
    Status,
    /// What everybody can see of a block, and of the block that holds a transaction
    Block {
        /// Height from 1, or the id of a transaction
        which: String,
        /// Also write the block with its signatures to this file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Publish another list of sanctioned documents; for whoever has the publisher's key
    Sanctions {
        /// The list as CSV: country_numeric,country_alpha3,document_type,document_number
        csv: PathBuf,
        /// Close the window of the old list at once
        #[arg(long)]
        urgent: bool,
        /// The publisher's key, as `placet node init` makes keys; a development network of this
        /// machine has it stored
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Move the time of a development network forward by an empty block
    Advance {
        /// By how much: 90s, 15m, 12h, 7d or 2w
        #[arg(value_parser = time::duration)]
        by: u64,
    },
    /// Appoint an authority, or give a sitting one another name or other mandates
    ///
    /// The candidate makes the request, sitting authorities approve it with `placet node keys
    /// approve`, and anybody submits what more than two thirds of them signed.
    Appoint {
        /// The candidate's request
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
        /// An approval; repeat it for each
        #[arg(long = "approval", value_name = "FILE")]
        approvals: Vec<PathBuf>,
    },
    /// Dismiss an authority
    Dismiss {
        /// Its name, its key, or the beginning of its key
        authority: String,
        /// Write the request that sitting authorities approve to this file, and submit nothing
        #[arg(long, value_name = "FILE", conflicts_with = "approvals")]
        request: Option<PathBuf>,
        /// An approval; repeat it for each
        #[arg(long = "approval", value_name = "FILE")]
        approvals: Vec<PathBuf>,
    },
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::Init { name, sanctions } => init(app, name, sanctions.as_deref()),
        Command::Join { genesis, chain, keys, devnet } => {
            join(app, genesis.as_deref(), chain.as_deref(), keys.as_deref(), devnet.as_deref())
        }
        Command::Genesis(arguments) => genesis::run(app, arguments),
        Command::Status => status(app),
        Command::Block { which, out } => block(app, which, out.as_deref()),
        Command::Sanctions { csv, urgent, key } => sanctions(app, csv, *urgent, key.as_deref()),
        Command::Advance { by } => advance(app, *by),
        Command::Appoint { request, approvals } => authorities::appoint(app, request, approvals),
        Command::Dismiss { authority, request, approvals } => {
            authorities::dismiss(app, authority, request.as_deref(), approvals)
        }
    }
}

fn init(app: &mut App, name: &str, csv: Option<&Path>) -> Result<Report> {
    let list = match csv {
        Some(path) => read_list(path)?,
        None => default_list()?,
    };
    if Nodes::are_used(&app.data) {
        return Err(Failure::input(
            "exists",
            "this data directory uses a network that runs elsewhere",
            "use another directory with --data",
        ));
    }
    app.lock()?;
    let start = app.block_time.map_or_else(time::now, Ok)?;
    let genesis = local::init(&app.data, app.progress, name, start)?;
    let chain = app.chain()?;
    let key = stored(&chain)?;
    publish(app, &chain, &list, false, &key)?;
    let id = genesis.chain_id().to_string();
    let authorities = genesis.authorities.len();
    let text = format!(
        "development network `{name}` in {}\nchain {id}\n{authorities} authorities, {} sanctioned documents",
        app.data.root().display(),
        list.len(),
    );
    let json = json!({
        "network": name, "chain": id, "authorities": authorities, "sanctions_entries": list.len(),
        "time": start,
    });
    Ok(Report::new(text, json))
}

/// Reads a list of sanctioned documents.
pub fn read_list(path: &Path) -> Result<SanctionsList> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    parse_list(&text, &path.display().to_string())
}

/// The list that comes with this program.
pub fn default_list() -> Result<SanctionsList> {
    parse_list(OFAC_SDN_CSV, "the list that comes with this program")
}

fn parse_list(text: &str, source: &str) -> Result<SanctionsList> {
    list_from_csv(text).map_err(|error| {
        let help = "write: country_numeric,country_alpha3,document_type,document_number";
        Failure::input("sanctions-list", format!("{source}: {error}"), help)
    })
}

/// A key file was not opened.
enum KeyFailure {
    Key(KeyError),
    Other(Failure),
}

impl From<KeyError> for KeyFailure {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl KeyFailure {
    fn into_failure(self) -> Failure {
        match self {
            Self::Key(error @ KeyError::Passphrase(_)) => {
                Failure::from_error(Exit::Passphrase, "wrong-passphrase", &error)
            }
            Self::Key(error) => Failure::from_error(Exit::Input, "key", &error),
            Self::Other(failure) => failure,
        }
    }
}

/// The publisher's key of a development network.
fn stored(chain: &Chain) -> Result<SigningKey> {
    chain.publisher()?.ok_or_else(|| {
        Failure::input(
            "no-key",
            "the publisher's key is not stored here",
            "sanctions lists are published where that key is kept: name it with --key",
        )
    })
}

fn publish(
    app: &App,
    chain: &Chain,
    list: &SanctionsList,
    urgent: bool,
    key: &SigningKey,
) -> Result<()> {
    let version = view::sanctions(&chain.public(app)?.read()?)?.0 + 1;
    let message = Sanctions::new(version, urgent, list.subjects().collect()).ok_or_else(|| {
        let message = "a sanctions list holds at most 262,143 distinct documents";
        Failure::input("sanctions-list", message, "publish fewer")
    })?;
    let signed = Signed::new(message, &chain.id(), key);
    chain.execute(&Transaction::PublishSanctions(signed)).map(drop)
}

fn sanctions(app: &mut App, csv: &Path, urgent: bool, key: Option<&Path>) -> Result<Report> {
    let list = read_list(csv)?;
    let chain = app.chain()?;
    let key = match key {
        Some(path) => placet_node::keys::load(path, chain.genesis().kind, || {
            app.passphrases.known("the publisher's key").map_err(KeyFailure::Other)
        })
        .map_err(KeyFailure::into_failure)?,
        None => stored(&chain)?,
    };
    publish(app, &chain, &list, urgent, &key)?;
    let text = format!("{} sanctioned documents are in force", list.len());
    Ok(Report::new(text, json!({ "sanctions_entries": list.len(), "urgent": urgent })))
}

fn join(
    app: &mut App,
    genesis: Option<&Path>,
    chain: Option<&str>,
    keys: Option<&Path>,
    devnet: Option<&Path>,
) -> Result<Report> {
    let whole = |path: &Path| path.canonicalize().map_err(|error| Failure::file(path, &error));
    let devnet = devnet.map(whole).transpose()?;
    let (path, nodes) = match (&devnet, genesis) {
        (Some(dir), _) => (devnet::genesis_path(dir), devnet::addresses(dir)?),
        (None, Some(genesis)) => (genesis.to_owned(), app.nodes.clone()),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "usage", "no genesis", "add --genesis FILE"));
        }
    };
    let genesis = genesis_file(&path)?;
    let id = genesis.chain_id().to_string();
    if chain.is_some_and(|chain| !chain.eq_ignore_ascii_case(&id)) {
        return Err(Failure::input(
            "wrong-network",
            format!("the genesis is that of chain {id}"),
            "get the genesis from a place that you trust; do not join this network",
        ));
    }
    if nodes.is_empty() {
        let help = "add --node URL, once for every node that you know";
        return Err(Failure::new(Exit::Usage, "usage", "no node was named", help));
    }
    app.lock()?;
    let keys = keys.map(whole).transpose()?;
    let joined = Joined { nodes, keys, devnet };
    let nodes = Nodes::join(&app.data, genesis, joined, app.progress)?;
    let name = &nodes.genesis().name;
    let count = nodes.addresses().len();
    let addresses: Vec<_> = nodes.addresses().iter().map(ToString::to_string).collect();
    let text = format!(
        "{} uses the network `{name}` over {count} nodes\nchain {id}\ncompare this id with what \
         the network publishes",
        app.data.root().display(),
    );
    Ok(Report::new(text, json!({ "network": name, "chain": id, "nodes": addresses })))
}

fn status(app: &mut App) -> Result<Report> {
    let chain = app.chain()?;
    let public = chain.public(app)?;
    let (txn, tip) = (public.read()?, public.tip()?);
    let network = view::Network::new(chain.genesis());
    let sitting = view::authorities(&txn, &network)?.sitting;
    let (version, listed) = view::sanctions(&txn)?;
    let (assets, attestors) = (view::assets(&txn)?, view::attestors(&txn)?);
    let genesis = chain.genesis();
    let state =
        chain.block(&public, tip.height)?.map(|block| hex::encode(block.block.header.state));
    let mut table = Table::new(&["authority", "key", "mandates"], &[]);
    let mut authorities = Vec::new();
    for authority in genesis_order(genesis, &sitting) {
        let mandates: Vec<_> = authority.mandates.iter().map(|m| m.name()).collect();
        let key = authority.key.to_string();
        table.row(vec![authority.name.clone(), key[..16].to_owned(), mandates.join(", ")]);
        authorities.push(json!({ "name": authority.name, "key": key, "mandates": mandates }));
    }
    let votes = quorum(sitting.len());
    let kind = match genesis.kind {
        NetworkKind::Dev => " (development)",
        NetworkKind::Other => "",
    };
    let lines = fields(&[
        ("network", format!("{}{kind}", genesis.name)),
        ("chain", chain.id().to_string()),
        ("height", tip.height.to_string()),
        ("time", time::format(tip.time)),
        ("state", state.clone().unwrap_or_default()),
        ("final at", format!("{votes} of {} signatures", sitting.len())),
        ("attestors", attestors.len().to_string()),
        ("assets", assets.len().to_string()),
        ("sanctioned documents", listed.len().to_string()),
    ]);
    let (shown, nodes) = standings(&chain);
    let json = json!({
        "network": genesis.name, "kind": genesis.kind, "chain": chain.id().to_string(),
        "height": tip.height, "time": tip.time, "state": state, "quorum": votes,
        "authorities": authorities, "attestors": attestors.len(), "assets": assets.len(),
        "sanctions_version": version, "sanctions_entries": listed.len(), "nodes": nodes,
    });
    Ok(Report::new(format!("{lines}\n\n{table}{shown}"), json))
}

/// Those of the genesis first, in its order.
fn genesis_order<'a>(genesis: &Genesis, sitting: &'a [Authority]) -> Vec<&'a Authority> {
    let place = |authority: &&Authority| {
        let known = genesis.authorities.iter().position(|known| known.key == authority.key);
        known.unwrap_or(usize::MAX)
    };
    let mut sitting: Vec<_> = sitting.iter().collect();
    sitting.sort_by_key(place);
    sitting
}

/// What each node says about itself; nothing of an embedded network.
fn standings(chain: &Chain) -> (String, Vec<serde_json::Value>) {
    let Chain::Nodes(nodes) = chain else { return (String::new(), Vec::new()) };
    let (table, rows) = table_of(nodes.remote());
    (format!("\n\n{table}"), rows)
}

/// What each node says about itself.
pub fn table_of(remote: &Remote) -> (String, Vec<serde_json::Value>) {
    let mut table = Table::new(&["node", "height", "peers", "waiting", "state"], &[1, 2, 3]);
    let mut rows = Vec::new();
    for (url, answer) in remote.standings() {
        match answer {
            Ok(status) => {
                let votes = if status.validating { "votes" } else { "follows" };
                table.row(vec![
                    url.to_string(),
                    status.height.to_string(),
                    status.peers.to_string(),
                    status.pending.to_string(),
                    votes.to_owned(),
                ]);
                rows.push(json!({
                    "node": url, "height": status.height, "peers": status.peers,
                    "pending": status.pending, "validating": status.validating,
                    "version": status.version, "key": status.key,
                }));
            }
            Err(trouble) => {
                let blank = String::new;
                table.row(vec![url.to_string(), blank(), blank(), blank(), trouble.to_string()]);
                rows.push(json!({ "node": url, "trouble": trouble.to_string() }));
            }
        }
    }
    (table.to_string(), rows)
}

fn block(app: &mut App, which: &str, out: Option<&Path>) -> Result<Report> {
    let chain = app.chain()?;
    let public = chain.public(app)?;
    let height = match (which.parse::<u64>(), which.parse::<TxId>()) {
        (Ok(height), _) => Some(height),
        (_, Ok(id)) => chain.receipt(id)?.map(|receipt| receipt.header.height),
        _ => None,
    };
    let found = match height {
        Some(height) => chain.block(&public, height)?,
        None => None,
    };
    let found = found.ok_or_else(|| {
        let message = format!("there is no block or transaction `{which}`");
        let help = "write a height from 1, or a transaction id of 64 hexadecimal digits";
        Failure::input("not-found", message, help)
    })?;
    if let Some(path) = out {
        write_atomically(path, &found.to_wire(), Existing::Refuse)
            .map_err(|error| Failure::file(path, &error))?;
    }
    let mut content = describe::certified(&found);
    let id = chain.id();
    let ids: Vec<_> =
        found.block.entries.iter().map(|entry| entry.transaction.id(&id).to_string()).collect();
    describe::merge(&mut content, json!({ "ids": ids }));
    Ok(Report::new(describe::render(&content, 0), content))
}

fn advance(app: &mut App, by: u64) -> Result<Report> {
    let chain = app.chain()?;
    let tip = chain.tip(app)?;
    let Chain::Nodes(nodes) = &chain else {
        drop(chain);
        app.block_time = Some(tip.time.saturating_add(by));
        let tip = app.chain()?.tip(app)?;
        let text = format!("block {} at {}", tip.height, time::format(tip.time));
        return Ok(Report::new(text, json!({ "height": tip.height, "time": tip.time })));
    };
    devnet::advance(nodes, by)?;
    let tip = chain.tip(app)?;
    let text = format!("clocks moved; block {} at {}", tip.height, time::format(tip.time));
    Ok(Report::new(text, json!({ "height": tip.height, "time": tip.time })))
}
