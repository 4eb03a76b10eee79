//! `placet wallet`: an investor's wallet.

mod open;
mod show;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use placet_protocol::field::AssetId;
use placet_protocol::sealed::Credential;
use placet_protocol::transaction::TxId;
use placet_protocol::wire::Wire;
use placet_wallet::holder::{ReceivedState, SendError};
use placet_wallet::keystore::{Role, RoleKeys};
use placet_wallet::seed::Phrase;
use serde_json::json;

pub use open::{Purpose, Wallet, genesis};
pub use show::{balance, credentials, deliveries, describe_claims};

use crate::app::{App, fresh_phrase};
use crate::data::{Name, Party, Public};
use crate::fail::{Failure, Result};
use crate::output::Report;
use crate::secret::{self, Shown};
use crate::transfer::{self, Proving, Wish};
use crate::{amount, control, evidence, lookup, shell, time};

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
    /// Show an attestor that you control this wallet's key: answer its challenge
    ///
    /// Make sure that the challenge comes from the attestor that you are talking to.
    Answer {
        #[command(flatten)]
        which: Which,
        /// The attestor's id, or the beginning of it; `attestor list` shows all
        #[arg(long, value_name = "ID")]
        attestor_id: String,
        /// The attestor's challenge
        #[arg(long, value_name = "HEX", value_parser = control::challenge)]
        challenge: [u8; 32],
    },
    /// Get the receipt of a transaction: whoever has the genesis can check it, offline
    Receipt {
        /// The transaction's id
        id: TxId,
        /// Write the receipt to this file, for `placet verify`
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
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
        #[command(flatten)]
        send: Send,
    },
    /// Accept a delivery: the one that is open, the one that is named, or all
    Accept {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        accept: Accept,
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
    /// Work on one wallet line by line, with most of the next proof computed beforehand
    Shell {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        habits: shell::Habits,
    },
}

/// What to send.
// The command of the same name is a group already.
#[derive(Args)]
#[group(skip)]
pub struct Send {
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
}

/// What to accept.
// The command of the same name is a group already.
#[derive(Args)]
#[group(skip)]
pub struct Accept {
    /// The delivery: the beginning of its id; not needed if only one is open
    delivery: Option<String>,
    /// Accept every open delivery, one after the other
    #[arg(long, conflicts_with = "delivery")]
    all: bool,
    /// Agree that units already held stay locked for longer
    #[arg(long)]
    longer_lock: bool,
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
        Command::List => show::list(app),
        Command::Address { which } => address(app, &which.wallet),
        Command::Sync { which, no_settle } => {
            let purpose = if *no_settle { Purpose::Look } else { Purpose::Move };
            let mut wallet = Wallet::open(app, &which.wallet, purpose)?;
            sync(app, &mut wallet, &mut Proving::default(), !no_settle)
        }
        Command::Balance { which } => {
            show::balance(&Wallet::open(app, &which.wallet, Purpose::Look)?)
        }
        Command::Deliveries { which, all } => {
            show::deliveries(&Wallet::open(app, &which.wallet, Purpose::Look)?, *all)
        }
        Command::Credentials { which } => {
            show::credentials(&Wallet::open(app, &which.wallet, Purpose::Look)?)
        }
        Command::Answer { which, attestor_id, challenge } => {
            control::reply(app, &which.wallet, attestor_id, challenge)
        }
        Command::Receipt { id, out } => evidence::receipt(app, *id, out.as_deref()),
        Command::ImportCredential { which, file } => import(app, &which.wallet, file),
        Command::Send { which, send: wish } => {
            // An address that cannot be read is no reason to ask for a passphrase.
            lookup::address(&app.data, &wish.to)?;
            let mut wallet = Wallet::open(app, &which.wallet, Purpose::Move)?;
            send(app, &mut wallet, &mut Proving::default(), wish)
        }
        Command::Accept { which, accept: wish } => {
            let mut wallet = Wallet::open(app, &which.wallet, Purpose::Move)?;
            accept(app, &mut wallet, &mut Proving::default(), wish)
        }
        Command::Refund { which, delivery } => {
            let mut wallet = Wallet::open(app, &which.wallet, Purpose::Move)?;
            refund(app, &mut wallet, &mut Proving::default(), delivery.as_deref())
        }
        Command::Redeem { which, asset, amount, agent } => {
            redeem(app, &which.wallet, asset, amount, agent.as_ref())
        }
        Command::Shell { which, habits } => shell::run(app, &which.wallet, habits),
    }
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

/// Where a wallet receives.
pub fn address(app: &App, name: &Name) -> Result<Report> {
    let home = app.data.home(Party::Wallet, name)?;
    let address = lookup::address(&app.data, &home.name.to_string())?.to_string();
    Ok(Report::new(address.clone(), json!({ "wallet": name.to_string(), "address": address })))
}

/// What follows following: sends again what an interrupted command left, settles, and reports.
pub fn sync(
    app: &mut App,
    wallet: &mut Wallet,
    proving: &mut Proving,
    settle: bool,
) -> Result<Report> {
    let mut again = Vec::new();
    if settle && !wallet.holder.pending().is_empty() {
        // What an interrupted command left in the journal goes out again: it is executed now, or
        // refused and forgotten. Either way nothing blocks the next transaction.
        for end in wallet.holder.resubmit(&wallet.chain)? {
            again.push(match end {
                Ok(done) => format!("an earlier transfer is final in block {}", done.height),
                Err(SendError::Rejected(rejection)) => {
                    format!("an earlier transfer was refused: {}", rejection.code)
                }
                Err(error) => format!("an earlier transfer waits: {error}"),
            });
        }
        wallet.sync(app)?;
    }
    let (settled, hindrance) =
        if settle { transfer::settle_all(app, wallet, proving)? } else { (0, None) };
    let anchor = wallet.holder.anchor()?;
    let open = wallet.holder.received().iter().filter(|r| r.state == ReceivedState::Open).count();
    let mut lines = vec![format!("at block {}, {}", anchor.height, time::format(anchor.time))];
    lines.extend(again.iter().cloned());
    if settled > 0 {
        lines.push(format!("settled: {settled}"));
    }
    if let Some(hindrance) = &hindrance {
        lines.push(format!("accepted deliveries cannot be settled now: {hindrance}"));
    }
    if open > 0 {
        lines.push(format!("to be accepted: {open}"));
    }
    let json = json!({
        "height": anchor.height, "time": anchor.time, "settled": settled,
        "hindrance": hindrance.map(|hindrance| hindrance.code()), "open_deliveries": open,
        "pending": wallet.holder.pending().len(), "sent_again": again,
    });
    Ok(Report::new(lines.join("\n"), json))
}

fn import(app: &mut App, name: &Name, file: &Path) -> Result<Report> {
    let bytes = std::fs::read(file).map_err(|error| Failure::file(file, &error))?;
    let credential = Credential::from_wire(&bytes).map_err(|_| {
        Failure::input(
            "credential",
            format!("{} is not a credential file", file.display()),
            "ask the attestor to export it again",
        )
    })?;
    let mut wallet = Wallet::open(app, name, Purpose::Move)?;
    wallet.holder.import(credential)?;
    Ok(Report::new("imported", json!({ "wallet": name.to_string(), "imported": true })))
}

/// Sends units.
pub fn send(
    app: &mut App,
    wallet: &mut Wallet,
    proving: &mut Proving,
    send: &Send,
) -> Result<Report> {
    let to = lookup::address(&app.data, &send.to)?;
    let (asset, units) = asset_and_amount(wallet, &send.asset, &send.amount)?;
    let title = format!("sent {}", wallet.units(asset, units.get()));
    let wish = Wish::Send { asset, to, units, deadline: send.deadline };
    transfer::run(app, wallet, proving, vec![(title, wish)])
}

/// Accepts deliveries.
pub fn accept(
    app: &mut App,
    wallet: &mut Wallet,
    proving: &mut Proving,
    accept: &Accept,
) -> Result<Report> {
    let chosen = wallet.open_deliveries(accept.delivery.as_deref(), accept.all)?;
    let consent = accept.longer_lock;
    let wishes = chosen.into_iter().map(|received| {
        let title = format!("accepted {}", wallet.units(received.asset, received.note.amount));
        (title, Wish::Accept { delivery: received, consent })
    });
    let wishes = wishes.collect();
    transfer::run(app, wallet, proving, wishes)
}

/// Takes a delivery back.
pub fn refund(
    app: &mut App,
    wallet: &mut Wallet,
    proving: &mut Proving,
    named: Option<&str>,
) -> Result<Report> {
    let (asset, sent) = wallet.due_delivery(named)?;
    let title = format!("took back {}", wallet.units(asset, sent.note.amount));
    let wish = Wish::Refund { asset, delivery: sent.cm };
    transfer::run(app, wallet, proving, vec![(title, wish)])
}

fn redeem(
    app: &mut App,
    name: &Name,
    asset: &str,
    units: &str,
    agent: Option<&Name>,
) -> Result<Report> {
    let mut wallet = Wallet::open(app, name, Purpose::Move)?;
    let (asset, units) = asset_and_amount(&wallet, asset, units)?;
    let title = format!("redeemed {}", wallet.units(asset, units.get()));
    let wish = Wish::Redeem { asset, units, agent: agent.cloned() };
    transfer::run(app, &mut wallet, &mut Proving::default(), vec![(title, wish)])
}

fn asset_and_amount(wallet: &Wallet, asset: &str, units: &str) -> Result<(AssetId, NonZeroU64)> {
    let asset = lookup::asset(&wallet.holder.read()?, asset)?;
    let units = amount::parse(units, asset.registration.metadata.decimals)?;
    let units = NonZeroU64::new(units)
        .ok_or_else(|| Failure::input("amount", "the amount is zero", "write how many units"))?;
    Ok((asset.id, units))
}
