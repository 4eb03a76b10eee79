//! An open wallet with its network, and how its deliveries are named.

use placet_protocol::field::AssetId;
use placet_protocol::genesis::Genesis;
use placet_wallet::account::{Sent, SentState};
use placet_wallet::client::Progress as Step;
use placet_wallet::holder::{Holder, Received, ReceivedState};
use placet_wallet::view;

use crate::app::App;
use crate::chain::Chain;
use crate::data::{Name, Party};
use crate::fail::{Failure, Result};
use crate::refusals::sync_failure;
use crate::{amount, lookup};

/// What a wallet is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To look at what the newest block led to.
    Look,
    /// To prove something, which needs a block of now.
    Move,
}

/// A wallet that is open, with its network.
pub struct Wallet {
    /// The network.
    pub chain: Chain,
    /// The wallet.
    pub holder: Holder,
}

impl Wallet {
    /// Unlocks a wallet, opens its network, and follows it to its newest block.
    pub fn open(app: &mut App, name: &Name, purpose: Purpose) -> Result<Self> {
        let home = app.data.home(Party::Wallet, name)?;
        app.lock()?;
        let seed = app.unlock(&home)?.phrase.seed();
        let chain = app.chain()?;
        if purpose == Purpose::Move {
            chain.freshen()?;
        }
        let holder = Holder::open(&home.store(), &genesis(&chain)?, &seed)?;
        let mut wallet = Self { chain, holder };
        wallet.sync(app)?;
        Ok(wallet)
    }

    /// Follows the network.
    pub fn sync(&mut self, app: &App) -> Result<view::Tip> {
        let task = app.progress.bar("following the ledger");
        self.follow(&mut |step| task.at(step.height, step.of))
    }

    /// The same with another display of progress, or none.
    pub fn follow(&mut self, show: &mut dyn FnMut(Step)) -> Result<view::Tip> {
        self.holder.sync(&self.chain, show).map_err(|error| sync_failure(&self.chain, error))
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

    /// Deliveries to accept: the one that is named, the only one, or all.
    pub fn open_deliveries(&self, named: Option<&str>, all: bool) -> Result<Vec<Received>> {
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

    /// The delivery to take back: the one that is named, or the only one that is due.
    pub fn due_delivery(&self, named: Option<&str>) -> Result<(AssetId, Sent)> {
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
        match (named, due.as_slice()) {
            (None, []) => Err(Failure::input("not-found", "no delivery is due yet", help)),
            (None, [_, _, ..]) => {
                let message = format!("{} deliveries are due", due.len());
                Err(Failure::input("ambiguous", message, "name one of them"))
            }
            _ => lookup::one(&due, named.unwrap_or_default(), "delivery", help).cloned(),
        }
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
    Ok(chain.genesis().clone())
}
