//! What people write for things that have long ids: the beginning of an id, or a name.

use placet_protocol::address::Address;
use placet_protocol::field::HolderId;
use placet_registry::store::Transaction as Store;
use placet_wallet::view::{self, AssetState};

use crate::data::{DataDir, Home, Name, Party};
use crate::fail::{Exit, Failure, Result};

/// Fewest characters of an id that may stand for it.
const PREFIX: usize = 6;

/// The wallet in this data directory, if the text is no address but a name.
pub fn wallet(data: &DataDir, text: &str) -> Result<Option<Home>> {
    match text.parse::<Name>() {
        Ok(name) if !text.starts_with("placet1") => data.home(Party::Wallet, &name).map(Some),
        _ => Ok(None),
    }
}

/// An address, or the name of a wallet in this data directory.
pub fn address(data: &DataDir, text: &str) -> Result<Address> {
    if let Some(home) = wallet(data, text)? {
        return home.public()?.address.ok_or_else(|| {
            let message = format!("wallet {} has no address on file", home.name);
            Failure::input("file", message, "restore it")
        });
    }
    text.parse().map_err(|error| Failure::from_error(Exit::Input, "address", &error))
}

/// A holder's id, address, or the name of a wallet in this data directory.
pub fn holder(data: &DataDir, text: &str) -> Result<HolderId> {
    match text.parse() {
        Ok(holder) if text.len() == 64 => Ok(holder),
        _ => Ok(address(data, text)?.holder()),
    }
}

/// The name of the wallet in this data directory that is this holder's.
pub fn known_as(data: &DataDir, holder: HolderId) -> Result<Option<String>> {
    for home in data.homes(Party::Wallet)? {
        if home.public()?.address.is_some_and(|address| address.holder() == holder) {
            return Ok(Some(home.name.to_string()));
        }
    }
    Ok(None)
}

/// An asset by its name, its id, or the beginning of its id.
pub fn asset(txn: &impl Store, text: &str) -> Result<AssetState> {
    let assets = view::assets(txn)?;
    let named = |asset: &AssetState| asset.registration.metadata.name == text;
    let id = |asset: &AssetState| starts_with(&asset.id.to_string(), text);
    let found: Vec<_> = assets.iter().filter(|asset| named(asset) || id(asset)).collect();
    one(&found, text, "asset", "`placet asset list` shows all").cloned()
}

/// Whether `text` may stand for `id`.
pub fn starts_with(id: &str, text: &str) -> bool {
    text.len() >= PREFIX && id.starts_with(&text.to_ascii_lowercase())
}

/// The only candidate.
pub fn one<'a, T>(found: &[&'a T], text: &str, noun: &str, help: &str) -> Result<&'a T> {
    match found {
        [one] => Ok(one),
        [] => Err(Failure::input("not-found", format!("no {noun} matches `{text}`"), help)),
        _ => Err(Failure::input(
            "ambiguous",
            format!("{} {noun}s match `{text}`", found.len()),
            "write more of the id",
        )),
    }
}
