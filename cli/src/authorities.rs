//! What needs the word of the authorities: their approvals come as files, or, on a development
//! network of this machine, from the keys that it stores.

use std::path::{Path, PathBuf};

use placet_protocol::request::{ApprovalFile, MAX_FILE, Request};
use placet_protocol::transaction::registry::Approval;
use placet_protocol::transaction::{
    AuthorityChange, ChangeAuthorities, NumberedChange, Transaction,
};
use placet_wallet::files::{Existing, write_atomically};
use placet_wallet::view;
use serde_json::json;

use crate::app::App;
use crate::chain::Chain;
use crate::fail::{Exit, Failure, Result};
use crate::lookup;
use crate::output::Report;

fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    // What is longer is refused by the parser too; nobody should have to read a gigabyte first.
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE as u64 {
        let message = format!("{} is too long for a request or an approval", path.display());
        return Err(Failure::input("request", message, "check that it is the right file"));
    }
    std::fs::read(path).map_err(failed)
}

/// Reads a request for this network.
pub fn read_request(chain: &Chain, path: &Path) -> Result<Request> {
    let request = Request::from_json(&read(path)?)
        .map_err(|error| Failure::from_error(Exit::Input, "request", &error))?;
    if request.chain() != chain.id() {
        return Err(Failure::input(
            "wrong-network",
            format!("{} is a request to another network", path.display()),
            "use the data directory of that network",
        ));
    }
    Ok(request)
}

/// Writes a request for the authorities.
pub fn write_request(path: &Path, request: &Request) -> Result<()> {
    let text = serde_json::to_vec_pretty(request).map_err(|error| Failure::internal(&error))?;
    write_atomically(path, &text, Existing::Refuse).map_err(|error| Failure::file(path, &error))
}

/// The approvals of a request: from files, and with the keys that a development network stores.
///
/// # Errors
/// If there is none.
pub fn approvals(chain: &Chain, request: &Request, files: &[PathBuf]) -> Result<Vec<Approval>> {
    let mut approvals = Vec::new();
    for path in files {
        let approval = ApprovalFile::from_json(&read(path)?)
            .map_err(|error| Failure::from_error(Exit::Input, "approval", &error))?;
        if approval.approves != *request {
            return Err(Failure::input(
                "approval",
                format!("{} approves another request", path.display()),
                "have the authorities approve the request that you submit",
            ));
        }
        approvals.push(approval.approval());
    }
    if files.is_empty() {
        let keys = chain.authority_keys()?.unwrap_or_default();
        approvals.extend(keys.iter().map(|key| request.approve(key).approval()));
    }
    match approvals.is_empty() {
        false => Ok(approvals),
        true => Err(Failure::input(
            "approvals",
            "the authorities have not approved this",
            "pass the request on to them; each makes an approval with `placet node keys approve`, \
             and --approval takes it",
        )),
    }
}

/// Submits an appointment.
pub fn appoint(app: &mut App, path: &Path, files: &[PathBuf]) -> Result<Report> {
    let chain = app.chain()?;
    let request = read_request(&chain, path)?;
    submit(&chain, &request, files)
}

/// Writes the request to dismiss an authority, or submits it.
pub fn dismiss(
    app: &mut App,
    authority: &str,
    out: Option<&Path>,
    files: &[PathBuf],
) -> Result<Report> {
    let chain = app.chain()?;
    let network = view::Network::new(chain.genesis());
    let known = view::authorities(&chain.public(app)?.read()?, &network)?;
    let fits = known.sitting.iter().filter(|sitting| {
        sitting.name == authority || lookup::starts_with(&sitting.key.to_string(), authority)
    });
    let help = "`placet network status` shows who sits";
    let key = lookup::one(&fits.collect::<Vec<_>>(), authority, "authority", help)?.key;
    let number = known.changes + 1;
    let change = NumberedChange { number, change: AuthorityChange::Dismiss(key) };
    let request = Request::change(&chain.id(), change, None).ok_or_else(|| {
        Failure::input("request", "a dismissal carries no signature", "report this")
    })?;
    let Some(path) = out else { return submit(&chain, &request, files) };
    write_request(path, &request)?;
    let text = format!(
        "request {}\npass it on to the authorities: `placet node keys approve`",
        path.display()
    );
    Ok(Report::new(text, json!({ "request": path.display().to_string(), "number": number })))
}

fn submit(chain: &Chain, request: &Request, files: &[PathBuf]) -> Result<Report> {
    let (change, possession) = request.as_change().ok_or_else(|| {
        Failure::input(
            "request",
            "this is a request to admit an attestor",
            "`placet attestor admit` submits it",
        )
    })?;
    let approvals = approvals(chain, request, files)?;
    let (number, key) = (change.number, change.change.key().to_string());
    let did = match change.change {
        AuthorityChange::Appoint(_) => "appointed",
        AuthorityChange::Dismiss(_) => "dismissed",
    };
    let transaction = ChangeAuthorities::new(change, possession, approvals);
    let done = chain.execute(&Transaction::ChangeAuthorities(transaction))?;
    let text = format!(
        "{did} {} in block {}; mandates from the next block on, votes from the next epoch on",
        &key[..16],
        done.height
    );
    let json = json!({
        "did": did, "authority": key, "number": number, "transaction": done.id.to_string(),
        "height": done.height,
    });
    Ok(Report::new(text, json))
}
