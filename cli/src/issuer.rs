//! `placet issuer`: the keys of an issuer. What it does with them is under `placet asset`.

use clap::{Args, Subcommand};
use placet_wallet::keystore::{Role, RoleKeys};
use serde_json::json;

use crate::app::{App, fresh_phrase};
use crate::data::{Name, Party, Public};
use crate::fail::Result;
use crate::output::{Report, Table};
use crate::secret::{self, Shown};

/// Which issuer.
#[derive(Args)]
pub struct Which {
    /// Name of the issuer in the data directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub issuer: Name,
}

/// Commands on an issuer's keys.
#[derive(Subcommand)]
pub enum Command {
    /// Make the keys of an issuer
    New {
        #[command(flatten)]
        which: Which,
        /// Restore them from a seed phrase, read from this file descriptor
        #[arg(long, value_name = "N")]
        restore_fd: Option<u32>,
    },
    /// The issuers in the data directory
    List,
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::New { which, restore_fd } => {
            new_signer(app, Party::Issuer, &which.issuer, Role::Issuer, *restore_fd)
        }
        Command::List => list_signers(app, Party::Issuer),
    }
}

/// Makes the keys of a party that signs, fresh or from a phrase that a file descriptor holds.
pub fn new_signer(
    app: &mut App,
    party: Party,
    name: &Name,
    role: Role,
    restore: Option<u32>,
) -> Result<Report> {
    app.data.must_be_free(party, name)?;
    let phrase = match restore {
        Some(descriptor) => secret::read_phrase(Some(descriptor))?,
        None => fresh_phrase()?,
    };
    let key = phrase.seed().signing_key().public();
    let keys = RoleKeys { role, phrase, federation: None };
    let public = Public { address: None, key: Some(key), name: None };
    app.new_party(party, name, &keys, &public)?;
    let advice = match restore {
        Some(_) => "restored",
        None => match secret::show_phrase(&keys.phrase, None)? {
            Shown::Yes => "keep the seed phrase: it restores the keys",
            Shown::NoTerminal => "back up the keystore: without it the keys are lost",
        },
    };
    let noun = party.noun();
    let text = format!("{noun} {name}\nkey {key}\n{advice}");
    Ok(Report::new(text, json!({ noun: name.to_string(), "key": key.to_string() })))
}

/// Lists the parties of a role with their signing keys.
pub fn list_signers(app: &App, party: Party) -> Result<Report> {
    let noun = party.noun();
    let mut table = Table::new(&[noun, "key"], &[]);
    let mut rows = Vec::new();
    for home in app.data.homes(party)? {
        let key = home.public()?.key.map(|key| key.to_string());
        table.row(vec![home.name.to_string(), key.clone().unwrap_or_default()]);
        rows.push(json!({ noun: home.name.to_string(), "key": key }));
    }
    let text = if rows.is_empty() { "none".to_owned() } else { table.to_string() };
    Ok(Report::new(text, rows.into()))
}
