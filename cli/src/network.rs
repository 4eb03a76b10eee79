//! `placet network`: the four embedded authorities of a data directory.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_protocol::field::Subject;
use placet_protocol::sanctions::SanctionsList;
use placet_protocol::transaction::TxId;
use placet_protocol::wire::Wire;
use placet_registry::sanctions::{OFAC_SDN_CSV, list_from_csv};
use placet_wallet::files::{Existing, write_atomically};
use serde_json::json;

use crate::app::App;
use crate::chain::{self, Chain, node_failure};
use crate::fail::{Exit, Failure, Result};
use crate::inspect::describe;
use crate::output::{Report, Table, fields};
use crate::time;

/// Commands on the embedded network.
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
    /// Publish another list of sanctioned documents
    Sanctions {
        /// The list as CSV: country_numeric,country_alpha3,document_type,document_number
        csv: PathBuf,
        /// Close the window of the old list at once
        #[arg(long)]
        urgent: bool,
    },
    /// Move the time of a development network forward by an empty block
    Advance {
        /// By how much: 90s, 15m, 12h, 7d or 2w
        #[arg(value_parser = time::duration)]
        by: u64,
    },
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::Init { name, sanctions } => init(app, name, sanctions.as_deref()),
        Command::Status => status(app),
        Command::Block { which, out } => block(app, which, out.as_deref()),
        Command::Sanctions { csv, urgent } => sanctions(app, csv, *urgent),
        Command::Advance { by } => advance(app, *by),
    }
}

fn init(app: &mut App, name: &str, csv: Option<&Path>) -> Result<Report> {
    let list = match csv {
        Some(path) => read_list(path)?,
        None => parse_list(OFAC_SDN_CSV, "the list that comes with this program")?,
    };
    app.lock()?;
    let start = app.block_time.map_or_else(time::now, Ok)?;
    let genesis = chain::init(&app.data, app.progress, name, start)?;
    let chain = app.chain()?;
    publish(app, &chain, &list, false)?;
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

fn read_list(path: &Path) -> Result<SanctionsList> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    parse_list(&text, &path.display().to_string())
}

fn parse_list(text: &str, source: &str) -> Result<SanctionsList> {
    list_from_csv(text).map_err(|error| {
        let help = "write: country_numeric,country_alpha3,document_type,document_number";
        Failure::input("sanctions-list", format!("{source}: {error}"), help)
    })
}

fn publish(app: &App, chain: &Chain, list: &SanctionsList, urgent: bool) -> Result<()> {
    let _working = app.progress.spinner("publishing the sanctions list");
    let subjects: Vec<Subject> = list.subjects().collect();
    match chain.node().publish_sanctions(subjects, urgent) {
        Ok(_) => Ok(()),
        Err(placet_node::SubmitError::Refused(refusal)) => {
            Err(Failure::from_error(Exit::Ledger, refusal.code(), &refusal))
        }
        Err(placet_node::SubmitError::Node(error)) => Err(node_failure(&error)),
    }
}

fn sanctions(app: &mut App, csv: &Path, urgent: bool) -> Result<Report> {
    let list = read_list(csv)?;
    let chain = app.chain()?;
    publish(app, &chain, &list, urgent)?;
    let text = format!("{} sanctioned documents are in force", list.len());
    Ok(Report::new(text, json!({ "sanctions_entries": list.len(), "urgent": urgent })))
}

fn status(app: &mut App) -> Result<Report> {
    let chain = app.chain()?;
    let node = chain.node();
    let standing = node.status().map_err(|error| node_failure(&error))?;
    let view = node.view().map_err(|error| node_failure(&error))?;
    let store = |error: placet_registry::store::StoreError| Failure::internal(&error);
    let sanctions = view.sanctions().map_err(store)?;
    let (assets, attestors) = (view.assets().map_err(store)?, view.attestors().map_err(store)?);
    let genesis = node.genesis();
    let tip = standing.tip;
    let mut table = Table::new(&["authority", "key", "mandates"], &[]);
    let mut authorities = Vec::new();
    for authority in &genesis.authorities {
        let mandates: Vec<_> = authority.mandates.iter().map(|m| m.name()).collect();
        let key = authority.key.to_string();
        table.row(vec![authority.name.clone(), key[..16].to_owned(), mandates.join(", ")]);
        authorities.push(json!({ "name": authority.name, "key": key, "mandates": mandates }));
    }
    let lines = fields(&[
        ("network", format!("{} (development)", genesis.name)),
        ("chain", standing.chain.to_string()),
        ("height", tip.height.to_string()),
        ("time", time::format(tip.time)),
        ("state", hex::encode(tip.state)),
        ("final at", format!("{} of {} signatures", standing.quorum, standing.authorities)),
        ("attestors", attestors.len().to_string()),
        ("assets", assets.len().to_string()),
        ("sanctioned documents", sanctions.subjects.len().to_string()),
    ]);
    let json = json!({
        "network": genesis.name, "kind": genesis.kind, "chain": standing.chain.to_string(),
        "height": tip.height, "time": tip.time, "state": hex::encode(tip.state),
        "quorum": standing.quorum, "authorities": authorities, "attestors": attestors.len(),
        "assets": assets.len(), "sanctions_version": sanctions.version,
        "sanctions_entries": sanctions.subjects.len(),
    });
    Ok(Report::new(format!("{lines}\n\n{table}"), json))
}

fn block(app: &mut App, which: &str, out: Option<&Path>) -> Result<Report> {
    let chain = app.chain()?;
    let view = chain.node().view().map_err(|error| node_failure(&error))?;
    let height = match (which.parse::<u64>(), which.parse::<TxId>()) {
        (Ok(height), _) => Some(height),
        (_, Ok(id)) => view.status(id)?.map(|status| status.location.height),
        _ => None,
    };
    let found = match height {
        Some(height) => view.block(height)?,
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
    let id = chain.node().chain();
    let ids: Vec<_> =
        found.block.entries.iter().map(|entry| entry.transaction.id(&id).to_string()).collect();
    describe::merge(&mut content, json!({ "ids": ids }));
    Ok(Report::new(describe::render(&content, 0), content))
}

fn advance(app: &mut App, by: u64) -> Result<Report> {
    let chain = app.chain()?;
    let tip = chain.node().tip().map_err(|error| node_failure(&error))?;
    drop(chain);
    let target = tip.time.saturating_add(by);
    app.block_time = Some(target);
    let chain = app.chain()?;
    let tip = chain.node().tip().map_err(|error| node_failure(&error))?;
    let text = format!("block {} at {}", tip.height, time::format(tip.time));
    Ok(Report::new(text, json!({ "height": tip.height, "time": tip.time })))
}
