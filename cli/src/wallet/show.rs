//! What a wallet shows: balances, deliveries, credentials.

use placet_protocol::credential::Categories;
use placet_protocol::field::{AssetId, Commitment, to_u64};
use placet_protocol::sealed::{Claims, DeliveryNote};
use placet_wallet::account::{Sent, SentState};
use placet_wallet::countries::Country;
use placet_wallet::holder::{Received, ReceivedState};
use placet_wallet::view;
use serde_json::json;

use super::open::Wallet;
use crate::app::App;
use crate::data::Party;
use crate::fail::Result;
use crate::output::{Report, Table};
use crate::{amount, time};

/// The wallets in the data directory.
pub fn list(app: &App) -> Result<Report> {
    let mut table = Table::new(&["wallet", "address"], &[]);
    let mut wallets = Vec::new();
    for home in app.data.homes(Party::Wallet)? {
        let address = home.public()?.address.map(|address| address.to_string());
        table.row(vec![home.name.to_string(), address.clone().unwrap_or_default()]);
        wallets.push(json!({ "wallet": home.name.to_string(), "address": address }));
    }
    Ok(Report::new(table.to_string(), wallets.into()))
}

/// What the wallet holds, per asset.
pub fn balance(wallet: &Wallet) -> Result<Report> {
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

/// Deliveries to and from the wallet.
pub fn deliveries(wallet: &Wallet, all: bool) -> Result<Report> {
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

/// The wallet's credentials.
pub fn credentials(wallet: &Wallet) -> Result<Report> {
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
    let number = |value| to_u64(value).unwrap_or(u64::MAX);
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
            let names = Categories(bits).names().join(", ");
            let says = format!("{names}; capital {} minor units", number(&investor.capital));
            ("investor", says, number(&investor.expires_at))
        }
    }
}
