//! `placet agent`: the transfer agent, who keeps the register of holders.

use clap::{Args, Subcommand};
use placet_protocol::field::Commitment;
use placet_protocol::transaction::asset::MAX_FREEZE;
use placet_wallet::agent::Agent;
use placet_wallet::client::Progress as Step;
use placet_wallet::keystore::Role;
use placet_wallet::view::AssetState;
use serde_json::json;

use crate::app::App;
use crate::chain::Chain;
use crate::data::{Home, Name, Party};
use crate::fail::{Failure, Result};
use crate::issuer::{list_signers, new_signer};
use crate::output::{Report, Table};
use crate::refusals::sync_failure;
use crate::wallet::genesis;
use crate::{amount, lookup, time};

/// Which agent.
#[derive(Args)]
pub struct Which {
    /// Name of the agent in the data directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub agent: Name,
}

/// Whom or what to freeze or release.
#[derive(Args)]
pub struct Target {
    /// The asset: its name, its id, or the beginning of its id
    #[arg(long, short)]
    asset: String,
    /// The holder: id, address, or the name of a wallet in this data directory
    #[arg(long, required_unless_present = "delivery", conflicts_with = "delivery")]
    holder: Option<String>,
    /// A delivery instead: its id
    #[arg(long)]
    delivery: Option<Commitment>,
}

/// Commands of a transfer agent.
#[derive(Subcommand)]
pub enum Command {
    /// Make the keys of a transfer agent
    New {
        #[command(flatten)]
        which: Which,
        /// Restore them from a seed phrase, read from this file descriptor
        #[arg(long, value_name = "N")]
        restore_fd: Option<u32>,
    },
    /// The agents in the data directory
    List,
    /// The live register of holders, checked against the public supply
    Register {
        #[command(flatten)]
        which: Which,
        /// One asset only: its name, its id, or the beginning of its id
        #[arg(long, short)]
        asset: Option<String>,
        /// Also those who hold nothing now
        #[arg(long)]
        all: bool,
    },
    /// Freeze a holder's position or a delivery
    Freeze {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        target: Target,
        /// How many of the position's next transactions to stop
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=MAX_FREEZE as i64))]
        count: u16,
    },
    /// Release what was frozen
    Release {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::New { which, restore_fd } => {
            new_signer(app, Party::Agent, &which.agent, Role::Agent, *restore_fd)
        }
        Command::List => list_signers(app, Party::Agent),
        Command::Register { which, asset, all } => {
            register(app, &which.agent, asset.as_deref(), *all)
        }
        Command::Freeze { which, target, count } => {
            act(app, &which.agent, target, Some(usize::from(*count)))
        }
        Command::Release { which, target } => act(app, &which.agent, target, None),
    }
}

/// The agent in this data directory that has an asset's signing key.
pub fn home_of(app: &App, asset: &AssetState, named: Option<&Name>) -> Result<Home> {
    if let Some(name) = named {
        return app.data.home(Party::Agent, name);
    }
    for home in app.data.homes(Party::Agent)? {
        if home.public()?.key == Some(asset.registration.agent.signing) {
            return Ok(home);
        }
    }
    Err(Failure::input(
        "not-found",
        format!(
            "no agent in this data directory has the keys of {}",
            asset.registration.metadata.name
        ),
        "use the data directory of its transfer agent",
    ))
}

/// Unlocks an agent and follows the network.
pub fn open(app: &mut App, chain: &Chain, home: &Home) -> Result<Agent> {
    let seed = app.unlock(home)?.phrase.seed();
    let mut agent = Agent::open(&home.store(), &genesis(chain)?, &seed)?;
    let task = app.progress.bar("following the ledger");
    let mut show = |step: Step| task.at(step.height, step.of);
    agent.sync(chain, &mut show).map_err(|error| sync_failure(chain, error))?;
    Ok(agent)
}

fn register(app: &mut App, name: &Name, asset: Option<&str>, all: bool) -> Result<Report> {
    let home = app.data.home(Party::Agent, name)?;
    let chain = app.chain()?;
    let agent = open(app, &chain, &home)?;
    let assets = match asset {
        Some(asset) => vec![lookup::asset(&agent.read()?, asset)?],
        None => agent.assets()?,
    };
    let (mut texts, mut registers) = (Vec::new(), Vec::new());
    for asset in assets {
        let register = agent.register(asset.id)?;
        let metadata = &register.asset.registration.metadata;
        let units = |n| amount::format(n, metadata.decimals);
        let mut table = Table::new(
            &["holder", "known as", "balance", "in flight", "locked", "document"],
            &[2, 3, 4],
        );
        let mut entries = Vec::new();
        let shown = register.entries.iter().filter(|entry| all || entry.holding.held() > 0);
        for entry in shown {
            let known = lookup::known_as(&app.data, entry.holder)?;
            let holding = entry.holding;
            let subject = entry.subject.map(|subject| subject.to_string());
            let short = subject.as_ref().map_or("not yet", |subject| &subject[..12]);
            table.row(vec![
                entry.holder.to_string()[..12].to_owned(),
                known.clone().unwrap_or_default(),
                units(holding.balance),
                units(holding.in_flight),
                units(holding.locked),
                short.to_owned(),
            ]);
            entries.push(json!({
                "holder": entry.holder.to_string(), "known_as": known, "subject": subject,
                "balance": units(holding.balance), "in_flight": units(holding.in_flight),
                "locked": units(holding.locked), "unlock_at": holding.unlock_at,
            }));
        }
        let verdict = match register.exact {
            true => "the register is exact: every transaction is explained, and it adds up",
            false => {
                "THE REGISTER IS NOT EXACT: a transaction is unexplained or units do not add up"
            }
        };
        texts.push(format!(
            "{} ({})\nsupply {}, allotted and not accepted {}\n\n{table}\n\n{verdict}",
            metadata.name,
            &asset.id.to_string()[..8],
            units(register.asset.supply),
            units(register.unaccepted),
        ));
        registers.push(json!({
            "asset": asset.id.to_string(), "name": metadata.name,
            "supply": units(register.asset.supply), "unaccepted": units(register.unaccepted),
            "exact": register.exact, "holders": entries,
        }));
    }
    let text = match texts.is_empty() {
        true => "this agent has no assets yet".to_owned(),
        false => texts.join("\n\n"),
    };
    Ok(Report::new(text, registers.into()))
}

/// Freezes `count` transactions, or releases.
fn act(app: &mut App, name: &Name, target: &Target, count: Option<usize>) -> Result<Report> {
    let home = app.data.home(Party::Agent, name)?;
    let holder =
        target.holder.as_deref().map(|text| lookup::holder(&app.data, text)).transpose()?;
    let chain = app.chain()?;
    let agent = open(app, &chain, &home)?;
    let asset = lookup::asset(&agent.read()?, &target.asset)?.id;
    let transaction = match (holder, target.delivery, count) {
        (Some(holder), _, Some(count)) => agent.freeze(asset, holder, count)?,
        (Some(holder), _, None) => agent.release(asset, holder)?,
        (None, Some(delivery), Some(_)) => agent.freeze_delivery(asset, delivery)?,
        (None, Some(delivery), None) => agent.release_delivery(asset, delivery)?,
        (None, None, _) => {
            return Err(Failure::input("usage", "nobody was named", "add --holder or --delivery"));
        }
    };
    let done = chain.execute(&transaction)?;
    let did = if count.is_some() { "froze" } else { "released" };
    let tip = chain.tip(app)?;
    let text = format!("{did} in block {}, {}", done.height, time::format(tip.time));
    let json = json!({
        "did": did, "asset": asset.to_string(), "transaction": done.id.to_string(),
        "height": done.height,
    });
    Ok(Report::new(text, json))
}
