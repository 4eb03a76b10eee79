//! `placet wallet`: an investor's wallet.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use placet_protocol::field::{AssetId, Commitment};
use placet_protocol::genesis::Genesis;
use placet_protocol::sealed::{Claims, Credential, DeliveryNote};
use placet_protocol::wire::Wire;
use placet_wallet::account::{Sent, SentState};
use placet_wallet::client::Progress as Step;
use placet_wallet::countries::Country;
use placet_wallet::holder::{Holder, Received, ReceivedState};
use placet_wallet::keystore::{Role, RoleKeys};
use placet_wallet::network::Network;
use placet_wallet::seed::Phrase;
use placet_wallet::view;
use serde_json::{Value, json};

use crate::app::{App, fresh_phrase};
use crate::chain::Chain;
use crate::data::{Name, Party, Public};
use crate::fail::{Exit, Failure, Result};
use crate::output::{Report, Table};
use crate::refusals::sync_failure;
use crate::secret::{self, Shown};
use crate::transfer::{self, Wish};
use crate::{amount, lookup, time};

/// Which wallet.
#[derive(Args)]
pub struct Which {
    /// Name of the wallet in the data directory
    #[arg(long, short, default_value = "default", env = "PLACET_WALLET", value_name = "NAME")]
    pub wallet: Name,
}

/// Commands of an investor.
#[derive(Subcommand)]
pub enum Command {
    /// Make a wallet; its seed phrase is shown once, on the terminal
    New {
        #[command(flatten)]
        which: Which,
        /// Write the seed phrase to this file descriptor instead of the terminal
        #[arg(long, value_name = "N")]
        phrase_fd: Option<u32>,
    },
    /// Make a wallet from a seed phrase; `sync` then brings everything back from the ledger
    Restore {
        #[command(flatten)]
        which: Which,
        /// Read the seed phrase from this file descriptor instead of asking
        #[arg(long, value_name = "N")]
        phrase_fd: Option<u32>,
    },
    /// Show the seed phrase again, on the terminal or on a file descriptor
    Phrase {
        #[command(flatten)]
        which: Which,
        /// Write the seed phrase to this file descriptor instead of the terminal
        #[arg(long, value_name = "N")]
        phrase_fd: Option<u32>,
    },
    /// The wallets in the data directory
    List,
    /// Where this wallet receives; needs no passphrase
    Address {
        #[command(flatten)]
        which: Which,
    },
    /// Follow the ledger to its newest block, then settle what receivers have accepted
    Sync {
        #[command(flatten)]
        which: Which,
        /// Only follow: leave settling to the next transfer
        #[arg(long)]
        no_settle: bool,
    },
    /// What the wallet holds, per asset
    Balance {
        #[command(flatten)]
        which: Which,
    },
    /// Deliveries to and from this wallet
    Deliveries {
        #[command(flatten)]
        which: Which,
        /// Also those that are closed
        #[arg(long)]
        all: bool,
    },
    /// Credentials of this wallet
    Credentials {
        #[command(flatten)]
        which: Which,
    },
    /// Take in a credential that came as a file
    ImportCredential {
        #[command(flatten)]
        which: Which,
        /// The file
        file: PathBuf,
    },
    /// Send units of an asset; they are yours until the receiver accepts them
    Send {
        #[command(flatten)]
        which: Which,
        /// The asset: its name, its id, or the beginning of its id
        #[arg(long, short)]
        asset: String,
        /// The receiver: an address, or the name of a wallet in this data directory
        #[arg(long, short)]
        to: String,
        /// How many units
        amount: String,
        /// After how long they can be taken back: 12h, 7d, … up to 48 days
        #[arg(long, default_value = "7d", value_parser = time::duration, value_name = "DURATION")]
        deadline: u64,
    },
    /// Accept a delivery: the one that is open, the one that is named, or all
    Accept {
        #[command(flatten)]
        which: Which,
        /// The delivery: the beginning of its id; not needed if only one is open
        delivery: Option<String>,
        /// Accept every open delivery, one after the other
        #[arg(long, conflicts_with = "delivery")]
        all: bool,
        /// Agree that units already held stay locked for longer
        #[arg(long)]
        longer_lock: bool,
    },
    /// Take a delivery back after its deadline
    Refund {
        #[command(flatten)]
        which: Which,
        /// The delivery: the beginning of its id; not needed if only one is due
        delivery: Option<String>,
    },
    /// Give units back to the issuer; the amount is public and the transfer agent countersigns
    Redeem {
        #[command(flatten)]
        which: Which,
        /// The asset: its name, its id, or the beginning of its id
        #[arg(long, short)]
        asset: String,
        /// How many units
        amount: String,
        /// The agent's name in the data directory [default: the one that has the asset's keys]
        #[arg(long, value_name = "NAME")]
        agent: Option<Name>,
    },
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::New { which, phrase_fd } => {
            create(app, &which.wallet, fresh_phrase()?, Origin::Fresh(*phrase_fd))
        }
        Command::Restore { which, phrase_fd } => {
            app.data.must_be_free(Party::Wallet, &which.wallet)?;
            let phrase = secret::read_phrase(*phrase_fd)?;
            create(app, &which.wallet, phrase, Origin::Restored)
        }
        Command::Phrase { which, phrase_fd } => phrase(app, &which.wallet, *phrase_fd),
        Command::List => list(app),
        Command::Address { which } => address(app, &which.wallet),
        Command::Sync { which, no_settle } => sync(app, &which.wallet, !no_settle),
        Command::Balance { which } => balance(app, &which.wallet),
        Command::Deliveries { which, all } => deliveries(app, &which.wallet, *all),
        Command::Credentials { which } => credentials(app, &which.wallet),
        Command::ImportCredential { which, file } => import(app, &which.wallet, file),
        Command::Send { which, asset, to, amount, deadline } => {
            send(app, &which.wallet, asset, to, amount, *deadline)
        }
        Command::Accept { which, delivery, all, longer_lock } => {
            let mut open = Wallet::open(app, &which.wallet)?;
            let chosen = open.open_deliveries(delivery.as_deref(), *all)?;
            let consent = *longer_lock;
            let wishes = chosen.into_iter().map(|received| {
                let title =
                    format!("accepted {}", open.units(received.asset, received.note.amount));
                Ok((title, Wish::Accept { delivery: received, consent }))
            });
            let wishes = wishes.collect::<Result<Vec<_>>>()?;
            transfer::run(app, &mut open, wishes)
        }
        Command::Refund { which, delivery } => {
            let mut open = Wallet::open(app, &which.wallet)?;
            let (asset, sent) = open.due_delivery(delivery.as_deref())?;
            let title = format!("took back {}", open.units(asset, sent.note.amount));
            transfer::run(app, &mut open, vec![(title, Wish::Refund { asset, delivery: sent.cm })])
        }
        Command::Redeem { which, asset, amount, agent } => {
            redeem(app, &which.wallet, asset, amount, agent.as_ref())
        }
    }
}

/// A wallet that is open, with its network.
pub struct Wallet {
    /// The network.
    pub chain: Chain,
    /// The wallet.
    pub holder: Holder,
}

impl Wallet {
    /// Unlocks a wallet, opens its network with a fresh block, and follows it to that block.
    pub fn open(app: &mut App, name: &Name) -> Result<Self> {
        let home = app.data.home(Party::Wallet, name)?;
        app.lock()?;
        let seed = app.unlock(&home)?.phrase.seed();
        let chain = app.chain()?;
        chain.freshen()?;
        let holder = Holder::open(&home.store(), &genesis(&chain)?, &seed)?;
        let mut wallet = Self { chain, holder };
        wallet.sync(app)?;
        Ok(wallet)
    }

    /// Follows the network.
    pub fn sync(&mut self, app: &App) -> Result<view::Tip> {
        let task = app.progress.bar("following the ledger", 0);
        let mut show = |step: Step| task.at(step.height, step.of);
        self.holder.sync(&self.chain, &mut show).map_err(|error| sync_failure(&self.chain, error))
    }

    /// Smallest units as people write them, with the asset's name.
    pub fn units(&self, asset: AssetId, units: u64) -> String {
        let known = self.holder.read().ok().and_then(|txn| view::asset(&txn, asset).ok().flatten());
        match known {
            Some(asset) => {
                let metadata = &asset.registration.metadata;
                format!("{} {}", amount::format(units, metadata.decimals), metadata.name)
            }
            None => format!("{units} smallest units of {asset}"),
        }
    }

    fn open_deliveries(&self, named: Option<&str>, all: bool) -> Result<Vec<Received>> {
        let open = |received: &&Received| received.state == ReceivedState::Open;
        let open: Vec<_> = self.holder.received().iter().filter(open).collect();
        if all {
            return match open.is_empty() {
                true => Err(none_open()),
                false => Ok(open.into_iter().cloned().collect()),
            };
        }
        match (named, open.as_slice()) {
            (Some(named), _) => {
                let fits = |r: &&Received| lookup::starts_with(&r.cm.to_string(), named);
                let found: Vec<_> = self.holder.received().iter().filter(fits).collect();
                let help = "`placet wallet deliveries --all` shows all";
                Ok(vec![lookup::one(&found, named, "delivery", help)?.clone()])
            }
            (None, []) => Err(none_open()),
            (None, [one]) => Ok(vec![(*one).clone()]),
            (None, _) => Err(Failure::input(
                "ambiguous",
                format!("{} deliveries are open", open.len()),
                "name one, or accept them one after the other with --all",
            )),
        }
    }

    fn due_delivery(&self, named: Option<&str>) -> Result<(AssetId, Sent)> {
        let now = self.holder.anchor()?.time;
        let accounts = self.holder.accounts().iter();
        let sent: Vec<_> = accounts
            .flat_map(|account| account.sent.iter().map(|sent| (account.asset, sent.clone())))
            .collect();
        let due: Vec<_> = sent
            .iter()
            .filter(|(_, sent)| match named {
                Some(named) => lookup::starts_with(&sent.cm.to_string(), named),
                None => sent.state == SentState::Unsettled && now >= sent.note.deadline,
            })
            .collect();
        let help = "`placet wallet deliveries` shows them with their deadlines";
        lookup::one(&due, named.unwrap_or("due now"), "delivery", help).cloned()
    }
}

fn none_open() -> Failure {
    Failure::input(
        "not-found",
        "no delivery waits to be accepted",
        "`placet wallet deliveries` shows what was sent",
    )
}

/// The genesis of an open network.
pub fn genesis(chain: &Chain) -> Result<Genesis> {
    chain.genesis().map_err(|error| chain.network_failure(&error))
}

/// Where a new wallet's phrase comes from.
enum Origin {
    /// The system's randomness; it goes to a descriptor or to the terminal.
    Fresh(Option<u32>),
    /// The user.
    Restored,
}

fn create(app: &mut App, name: &Name, phrase: Phrase, origin: Origin) -> Result<Report> {
    let address = phrase.seed().address();
    let keys = RoleKeys { role: Role::Holder, phrase, federation: None };
    let public = Public { address: Some(address), key: None, name: None };
    app.new_party(Party::Wallet, name, &keys, &public)?;
    let advice = match origin {
        Origin::Restored => "`placet wallet sync` brings everything back from the ledger",
        Origin::Fresh(descriptor) => match secret::show_phrase(&keys.phrase, descriptor)? {
            Shown::Yes => "keep the seed phrase: it restores the wallet on any machine",
            Shown::NoTerminal => {
                "no terminal: `placet wallet phrase` shows the seed phrase; write it down"
            }
        },
    };
    let text = format!("wallet {name}\naddress {address}\n{advice}");
    Ok(Report::new(text, json!({ "wallet": name.to_string(), "address": address.to_string() })))
}

fn phrase(app: &mut App, name: &Name, descriptor: Option<u32>) -> Result<Report> {
    let home = app.data.home(Party::Wallet, name)?;
    let keys = app.unlock(&home)?;
    match secret::show_phrase(&keys.phrase, descriptor)? {
        Shown::Yes => Ok(Report::new("keep it secret", json!({ "wallet": name.to_string() }))),
        Shown::NoTerminal => Err(Failure::input(
            "no-terminal",
            "there is no terminal to show the phrase on",
            "pass a file descriptor: --phrase-fd 4 4>file",
        )),
    }
}

fn list(app: &App) -> Result<Report> {
    let mut table = Table::new(&["wallet", "address"], &[]);
    let mut wallets = Vec::new();
    for home in app.data.homes(Party::Wallet)? {
        let address = home.public()?.address.map(|address| address.to_string());
        table.row(vec![home.name.to_string(), address.clone().unwrap_or_default()]);
        wallets.push(json!({ "wallet": home.name.to_string(), "address": address }));
    }
    Ok(Report::new(table.to_string(), wallets.into()))
}

fn address(app: &App, name: &Name) -> Result<Report> {
    let home = app.data.home(Party::Wallet, name)?;
    let address = lookup::address(&app.data, &home.name.to_string())?.to_string();
    Ok(Report::new(address.clone(), json!({ "wallet": name.to_string(), "address": address })))
}

fn sync(app: &mut App, name: &Name, settle: bool) -> Result<Report> {
    let mut wallet = Wallet::open(app, name)?;
    let settled = if settle { transfer::settle_all(app, &mut wallet)? } else { 0 };
    let anchor = wallet.holder.anchor()?;
    let open = wallet.holder.received().iter().filter(|r| r.state == ReceivedState::Open).count();
    let mut lines = vec![format!("at block {}, {}", anchor.height, time::format(anchor.time))];
    if settled > 0 {
        lines.push(format!("settled {settled} accepted deliveries"));
    }
    if open > 0 {
        lines.push(format!("{open} deliveries wait to be accepted"));
    }
    let json = json!({
        "height": anchor.height, "time": anchor.time, "settled": settled,
        "open_deliveries": open, "pending": wallet.holder.pending().len(),
    });
    Ok(Report::new(lines.join("\n"), json))
}

fn balance(app: &mut App, name: &Name) -> Result<Report> {
    let wallet = Wallet::open(app, name)?;
    let anchor = wallet.holder.anchor()?;
    let mut table = Table::new(
        &["asset", "id", "balance", "available", "in flight", "locked until"],
        &[2, 3, 4],
    );
    let mut assets = Vec::new();
    for held in wallet.holder.holdings()? {
        let metadata = &held.asset.registration.metadata;
        let units = |n| amount::format(n, metadata.decimals);
        let holding = held.holding;
        let locked = match anchor.time < holding.unlock_at && holding.locked > 0 {
            true => format!("{} until {}", units(holding.locked), time::format(holding.unlock_at)),
            false => String::new(),
        };
        let id = held.asset.id.to_string();
        table.row(vec![
            metadata.name.clone(),
            id[..8].to_owned(),
            units(holding.balance),
            units(holding.available(anchor.time)),
            units(holding.in_flight),
            locked,
        ]);
        assets.push(json!({
            "asset": id, "name": metadata.name, "balance": units(holding.balance),
            "available": units(holding.available(anchor.time)),
            "in_flight": units(holding.in_flight), "locked": units(holding.locked),
            "unlock_at": holding.unlock_at,
        }));
    }
    let text = match assets.is_empty() {
        true => "the network has no assets yet".to_owned(),
        false => table.to_string(),
    };
    Ok(Report::new(text, json!({ "height": anchor.height, "assets": assets })))
}

/// A delivery as it is listed.
struct Line<'a> {
    way: &'static str,
    cm: Commitment,
    asset: AssetId,
    note: &'a DeliveryNote,
    state: &'static str,
    open: bool,
    height: u64,
}

fn deliveries(app: &mut App, name: &Name, all: bool) -> Result<Report> {
    let wallet = Wallet::open(app, name)?;
    let incoming = wallet.holder.received().iter().map(|received| {
        let (state, open) = match received.state {
            ReceivedState::Open => ("open", true),
            ReceivedState::Accepted => ("accepted", false),
            ReceivedState::Withdrawn => ("withdrawn", false),
        };
        let Received { asset, note, cm, height, .. } = received;
        Line { way: "in", cm: *cm, asset: *asset, note, state, open, height: *height }
    });
    let accounts = wallet.holder.accounts().iter();
    let sent = accounts.flat_map(|account| account.sent.iter().map(|sent| (account.asset, sent)));
    let outgoing = sent.map(|(asset, sent)| {
        let state = match sent.state {
            SentState::Unsettled => "not accepted yet",
            SentState::Accepted { .. } => "accepted, to be settled",
            SentState::Settled => "settled",
            SentState::Refunded => "taken back",
        };
        let Sent { note, cm, height, .. } = sent;
        let open = sent.is_in_flight();
        Line { way: "out", cm: *cm, asset, note, state, open, height: *height }
    });
    let mut table = Table::new(&["", "delivery", "units", "state", "deadline"], &[]);
    let mut rows = Vec::new();
    for line in incoming.chain(outgoing).filter(|line| all || line.open) {
        let units = wallet.units(line.asset, line.note.amount);
        let deadline = (line.note.deadline > 0).then(|| time::format(line.note.deadline));
        rows.push(json!({
            "direction": line.way, "delivery": line.cm.to_string(),
            "asset": line.asset.to_string(), "units": units, "amount": line.note.amount,
            "state": line.state, "height": line.height, "deadline": deadline,
            "unlock_at": line.note.unlock_at,
        }));
        let id = line.cm.to_string()[..12].to_owned();
        let deadline = deadline.unwrap_or_default();
        table.row(vec![line.way.into(), id, units, line.state.into(), deadline]);
    }
    let text = if rows.is_empty() { "none".to_owned() } else { table.to_string() };
    Ok(Report::new(text, rows.into()))
}

fn credentials(app: &mut App, name: &Name) -> Result<Report> {
    let wallet = Wallet::open(app, name)?;
    let txn = wallet.holder.read()?;
    let attestors = view::attestors(&txn)?;
    let mut table = Table::new(&["kind", "attestor", "says", "expires", "state"], &[]);
    let mut rows = Vec::new();
    for held in wallet.holder.credentials() {
        let by = attestors.iter().find(|attestor| attestor.id == held.credential.attestor);
        let by = by.map_or(held.credential.attestor.to_string(), |attestor| attestor.name.clone());
        let (kind, says, expires) = describe_claims(&held.credential.claims);
        let state = match (held.revoked, held.index) {
            (true, _) => "revoked",
            (false, Some(_)) => "in the registry",
            (false, None) => "not in the registry yet",
        };
        table.row(vec![kind.into(), by.clone(), says.clone(), time::format(expires), state.into()]);
        rows.push(json!({
            "kind": kind, "attestor": by, "says": says, "expires_at": expires, "state": state,
            "revoked": held.revoked, "imported": held.imported,
        }));
    }
    let text = if rows.is_empty() { "none".to_owned() } else { table.to_string() };
    Ok(Report::new(text, rows.into()))
}

/// Kind, what is said in words, expiry. Never the document.
pub fn describe_claims(claims: &Claims) -> (&'static str, String, u64) {
    let number = |value| placet_protocol::field::to_u64(value).unwrap_or(u64::MAX);
    match claims {
        Claims::Identity(identity) => {
            let code = u16::try_from(number(&identity.jurisdiction)).unwrap_or(u16::MAX);
            let country = Country::by_numeric(code)
                .map_or_else(|| format!("jurisdiction {code}"), |country| country.name.to_owned());
            let says = format!("resident of {country}, risk {}", number(&identity.risk));
            ("identity", says, number(&identity.expires_at))
        }
        Claims::Investor(investor) => {
            let bits = u16::try_from(number(&investor.categories)).unwrap_or(0);
            let names = placet_protocol::credential::Categories(bits).names().join(", ");
            let says = format!("{names}; capital {} minor units", number(&investor.capital));
            ("investor", says, number(&investor.expires_at))
        }
    }
}

fn import(app: &mut App, name: &Name, file: &std::path::Path) -> Result<Report> {
    let bytes = std::fs::read(file).map_err(|error| Failure::file(file, &error))?;
    let credential = Credential::from_wire(&bytes).map_err(|_| {
        Failure::input(
            "credential",
            format!("{} is not a credential file", file.display()),
            "ask the attestor to export it again",
        )
    })?;
    let mut wallet = Wallet::open(app, name)?;
    wallet.holder.import(credential)?;
    let json: Value = json!({ "wallet": name.to_string(), "imported": true });
    Ok(Report::new("imported", json))
}

fn send(
    app: &mut App,
    name: &Name,
    asset: &str,
    to: &str,
    units: &str,
    deadline: u64,
) -> Result<Report> {
    let to = lookup::address(&app.data, to)?;
    let mut wallet = Wallet::open(app, name)?;
    let (asset, units) = asset_and_amount(&wallet, asset, units)?;
    let title = format!("sent {}", wallet.units(asset, units.get()));
    let wish = Wish::Send { asset, to, units, deadline };
    transfer::run(app, &mut wallet, vec![(title, wish)])
}

fn redeem(
    app: &mut App,
    name: &Name,
    asset: &str,
    units: &str,
    agent: Option<&Name>,
) -> Result<Report> {
    let mut wallet = Wallet::open(app, name)?;
    let (asset, units) = asset_and_amount(&wallet, asset, units)?;
    let title = format!("redeemed {}", wallet.units(asset, units.get()));
    let wish = Wish::Redeem { asset, units, agent: agent.cloned() };
    transfer::run(app, &mut wallet, vec![(title, wish)])
}

fn asset_and_amount(wallet: &Wallet, asset: &str, units: &str) -> Result<(AssetId, NonZeroU64)> {
    let asset = lookup::asset(&wallet.holder.read()?, asset)?;
    let units = amount::parse(units, asset.registration.metadata.decimals)?;
    let units = NonZeroU64::new(units).ok_or_else(|| {
        Failure::new(Exit::Input, "amount", "the amount is zero", "write how many units")
    })?;
    Ok((asset.id, units))
}
