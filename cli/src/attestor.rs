//! `placet attestor`: a provider of credentials.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use placet_protocol::genesis::name_is_valid;
use placet_protocol::request::Request;
use placet_protocol::tags::{FederationKey, Identifier};
use placet_protocol::transaction::Transaction;
use placet_protocol::transaction::registry::{Admission, AdmitAttestor};
use placet_protocol::wire::Wire;
use placet_wallet::attestor::{
    Attestor, ISSUE_RANDOM_BYTES, IdentityFindings, InvestorFindings, Issued,
};
use placet_wallet::client::Progress as Step;
use placet_wallet::files::{Existing, write_atomically};
use placet_wallet::keystore::{Role, RoleKeys};
use placet_wallet::network::Submitted;
use placet_wallet::view;
use serde_json::json;

use crate::app::{App, fresh_phrase};
use crate::authorities;
use crate::chain::Chain;
use crate::control::{self, Evidence, Session};
use crate::data::{Name, Party, Public};
use crate::fail::{Failure, Result};
use crate::output::{Report, Table};
use crate::person;
use crate::refusals::sync_failure;
use crate::wallet::{describe_claims, genesis};
use crate::{lookup, time};

/// Which attestor.
#[derive(Args)]
pub struct Which {
    /// Name of the attestor in the data directory
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub attestor: Name,
}

/// Commands of an attestor.
#[derive(Subcommand)]
pub enum Command {
    /// Make an attestor, and on a development network have the authorities admit it
    ///
    /// Attestors of one network share a federation key, by which one person is kept to one key. The
    /// first attestor makes it, others get it from one who has it.
    New {
        #[command(flatten)]
        which: Which,
        /// Name on the network, which policies use [default: the name in the data directory]
        #[arg(long, value_name = "TEXT")]
        title: Option<String>,
        /// The attestor in this data directory to get the federation key from [default: the first]
        #[arg(long, value_name = "NAME")]
        join: Option<Name>,
    },
    /// Write the request to be admitted, which the network's authorities approve
    Request {
        #[command(flatten)]
        which: Which,
        /// The file; each authority makes an approval from it with `placet node keys approve`
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Have the network admit an attestor whose keys exist, with the authorities' approvals
    ///
    /// On a development network of this machine the stored keys of its authorities approve.
    Admit {
        #[command(flatten)]
        which: Which,
        /// An authority's approval; repeat it for each
        #[arg(long = "approval", value_name = "FILE")]
        approvals: Vec<PathBuf>,
    },
    /// Make a challenge for the identification session with a holder elsewhere
    ///
    /// The holder answers it with `placet wallet answer`, and shows control of the key by that; both
    /// go to `attestor issue`. Make a new one for every session: nothing remembers it. Needs no
    /// passphrase.
    Challenge {
        #[command(flatten)]
        which: Which,
    },
    /// Issue the credentials of a person or an entity, described in a TOML file
    ///
    /// Only to a holder who shows control of the key. A wallet in this data directory does it on the
    /// spot, with its passphrase; the holder of an address answered a challenge before.
    #[command(after_help = format!("An example of the file:\n\n{}", person::EXAMPLE))]
    Issue {
        #[command(flatten)]
        which: Which,
        /// The holder: an address, or the name of a wallet in this data directory
        #[arg(long, short)]
        to: String,
        /// What was found out, as TOML; `-` reads standard input
        #[arg(long, short, value_name = "TOML")]
        person: PathBuf,
        #[command(flatten)]
        session: Session,
        /// Your own reference, as a case number; stays in your records
        #[arg(long, default_value = "", hide_default_value = true)]
        reference: String,
    },
    /// Take a credential back; binding within the root window, two minutes by default
    Revoke {
        #[command(flatten)]
        which: Which,
        /// Its index, as `attestor list` shows it
        index: u64,
        /// Binding at once; a few per day
        #[arg(long)]
        urgent: bool,
    },
    /// What this attestor issued; without one of that name, the attestors of the network
    List {
        /// Name of the attestor in the data directory
        #[arg(long, value_name = "NAME")]
        attestor: Option<Name>,
    },
    /// Write a credential to a file for its holder, who imports it
    Export {
        #[command(flatten)]
        which: Which,
        /// Its index, as `attestor list` shows it
        index: u64,
        /// The file; whoever reads it learns the credential
        file: PathBuf,
    },
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::New { which, title, join } => {
            create(app, &which.attestor, title.as_deref(), join.as_ref())
        }
        Command::Request { which, out } => request(app, &which.attestor, out),
        Command::Admit { which, approvals } => admit_known(app, &which.attestor, approvals),
        Command::Challenge { which } => control::fresh(app, &which.attestor),
        Command::Issue { which, to, person, session, reference } => {
            let evidence = Evidence::of(app, to, session)?;
            issue(app, &which.attestor, (to, evidence), person, reference)
        }
        Command::Revoke { which, index, urgent } => revoke(app, &which.attestor, *index, *urgent),
        Command::List { attestor: Some(name) } => issued(app, name),
        Command::List { attestor: None } => admitted(app),
        Command::Export { which, index, file } => export(app, &which.attestor, *index, file),
    }
}

/// An attestor that is open, with its network.
struct Desk {
    chain: Chain,
    attestor: Attestor,
}

impl Desk {
    fn open(app: &mut App, name: &Name) -> Result<Self> {
        let home = app.data.home(Party::Attestor, name)?;
        app.lock()?;
        let keys = app.unlock(&home)?;
        let chain = app.chain()?;
        let federation = federation_key(&keys)?;
        let seed = keys.phrase.seed();
        let attestor = Attestor::open(&home.store(), &genesis(&chain)?, &seed, federation)?;
        let mut desk = Self { chain, attestor };
        desk.sync(app)?;
        Ok(desk)
    }

    fn sync(&mut self, app: &App) -> Result<()> {
        let task = app.progress.bar("following the ledger");
        let mut show = |step: Step| task.at(step.height, step.of);
        let followed = self.attestor.sync(&self.chain, &mut show);
        followed.map(drop).map_err(|error| sync_failure(&self.chain, error))
    }

    fn find(&self, index: u64) -> Result<&Issued> {
        let issued = self.attestor.issued().iter().find(|issued| issued.index == Some(index));
        issued.ok_or_else(|| {
            Failure::input(
                "not-found",
                format!("this attestor issued no credential with index {index}"),
                "`placet attestor list --attestor NAME` shows what it issued",
            )
        })
    }
}

fn federation_key(keys: &RoleKeys) -> Result<FederationKey> {
    keys.federation.clone().ok_or_else(|| {
        Failure::input(
            "keystore",
            "the keystore holds no federation key",
            "make the attestor again with --join",
        )
    })
}

fn create(app: &mut App, name: &Name, title: Option<&str>, join: Option<&Name>) -> Result<Report> {
    let title = title.map_or_else(|| name.to_string(), str::to_owned);
    if !name_is_valid(&title) {
        let help = "use 1 to 64 bytes without control characters";
        return Err(Failure::input("name", "the title is not usable", help));
    }
    app.lock()?;
    app.data.must_be_free(Party::Attestor, name)?;
    let chain = app.chain()?;
    let taken = view::attestors(&chain.public(app)?.read()?)?;
    if taken.iter().any(|attestor| attestor.name == title) {
        let message = format!("the network has an attestor named `{title}` already");
        return Err(Failure::input("exists", message, "choose another with --title"));
    }
    let joined = match join {
        Some(name) => Some(app.data.home(Party::Attestor, name)?),
        None => app.data.homes(Party::Attestor)?.into_iter().next(),
    };
    let federation = match joined {
        Some(home) => federation_key(&app.unlock(&home)?)?,
        None => {
            let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
            getrandom::fill(bytes.as_mut_slice())?;
            FederationKey::from_bytes(*bytes)
        }
    };
    let phrase = fresh_phrase()?;
    let key = phrase.seed().signing_key().public();
    let keys = RoleKeys { role: Role::Attestor, phrase, federation: Some(federation) };
    let public = Public { address: None, key: Some(key), name: Some(title.clone()) };
    app.new_party(Party::Attestor, name, &keys, &public)?;
    let id = key.attestor_id();
    // Only a development network stores its authorities' keys.
    let done = match chain.authority_keys()? {
        Some(_) => Some(admit(&chain, &keys, &title, &[])?),
        None => None,
    };
    let state = match &done {
        Some(done) => format!("admitted in block {}", done.height),
        None => "not admitted yet: `placet attestor request` asks the authorities".to_owned(),
    };
    let text = format!(
        "attestor {title}\nid {id}\n{state}\nback up its directory: the ledger cannot restore keys \
         and records"
    );
    let json = json!({
        "attestor": name.to_string(), "title": title, "id": id.to_string(),
        "key": key.to_string(), "height": done.map(|done| done.height),
    });
    Ok(Report::new(text, json))
}

fn request(app: &mut App, name: &Name, out: &Path) -> Result<Report> {
    let public = app.data.home(Party::Attestor, name)?.public()?;
    let title = public.name.unwrap_or_else(|| name.to_string());
    let key = public.key.ok_or_else(|| {
        let message = format!("attestor {name} has no key on file");
        Failure::input("file", message, "restore the directory from a copy")
    })?;
    let chain = app.chain()?;
    let admission = Admission { name: title.clone(), key };
    authorities::write_request(out, &Request::admission(&chain.id(), admission))?;
    let text = format!(
        "request {}\npass it on to the authorities: more than half of them approve it with `placet \
         node keys approve`, then `placet attestor admit --approval FILE …` submits it",
        out.display()
    );
    let json = json!({
        "title": title, "key": key.to_string(), "request": out.display().to_string(),
    });
    Ok(Report::new(text, json))
}

fn admit(chain: &Chain, keys: &RoleKeys, title: &str, files: &[PathBuf]) -> Result<Submitted> {
    let signing = keys.phrase.seed().signing_key();
    let admission = Admission { name: title.to_owned(), key: signing.public() };
    let request = Request::admission(&chain.id(), admission.clone());
    let approvals = authorities::approvals(chain, &request, files)?;
    let admit = AdmitAttestor::new(admission, approvals, &chain.id(), &signing);
    chain.execute(&Transaction::AdmitAttestor(admit))
}

fn admit_known(app: &mut App, name: &Name, files: &[PathBuf]) -> Result<Report> {
    let home = app.data.home(Party::Attestor, name)?;
    let title = home.public()?.name.unwrap_or_else(|| name.to_string());
    let chain = app.chain()?;
    let keys = app.unlock(&home)?;
    let done = admit(&chain, &keys, &title, files)?;
    let text = format!("admitted {title} in block {}", done.height);
    Ok(Report::new(text, json!({ "title": title, "height": done.height })))
}

fn random() -> Result<zeroize::Zeroizing<[u8; ISSUE_RANDOM_BYTES]>> {
    let mut random = zeroize::Zeroizing::new([0u8; ISSUE_RANDOM_BYTES]);
    getrandom::fill(random.as_mut_slice())?;
    Ok(random)
}

fn issue(
    app: &mut App,
    name: &Name,
    (to, evidence): (&str, Evidence),
    person: &Path,
    reference: &str,
) -> Result<Report> {
    let to = lookup::address(&app.data, to)?;
    let findings = person::read(person)?;
    let mut desk = Desk::open(app, name)?;
    evidence.check(app, &desk.chain, &desk.attestor, &to)?;
    let working = app.progress.spinner("issuing");
    let mut kinds = Vec::new();
    if let Some(identity) = &findings.identity {
        let person = match &identity.lei {
            Some(lei) => Identifier::Lei(lei),
            None => Identifier::Document(&identity.document),
        };
        let seen = IdentityFindings {
            to,
            screened: &identity.document,
            person,
            documents: &identity.further,
            bound_until: identity.bound_until,
            jurisdiction: identity.residence,
            risk: identity.risk,
            expires_at: identity.expires,
            reference,
        };
        let transaction = desk.attestor.issue_identity(&seen, &*random()?)?;
        kinds.push(("identity", desk.chain.execute(&transaction)?));
    }
    if let Some(investor) = &findings.investor {
        let seen = InvestorFindings {
            to,
            categories: investor.categories,
            capital: investor.capital,
            expires_at: investor.expires,
            reference,
        };
        let transaction = desk.attestor.issue_investor(&seen, &*random()?)?;
        kinds.push(("investor", desk.chain.execute(&transaction)?));
    }
    drop(working);
    desk.sync(app)?;
    let fresh = desk.attestor.issued().iter().rev().take(kinds.len()).rev();
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for ((kind, done), issued) in kinds.into_iter().zip(fresh) {
        let index = issued.index.map_or_else(|| "?".to_owned(), |index| index.to_string());
        lines.push(format!("issued {kind} credential {index} in block {}", done.height));
        rows.push(json!({
            "kind": kind, "index": issued.index, "transaction": done.id.to_string(),
            "height": done.height,
        }));
    }
    Ok(Report::new(lines.join("\n"), rows.into()))
}

fn revoke(app: &mut App, name: &Name, index: u64, urgent: bool) -> Result<Report> {
    let mut desk = Desk::open(app, name)?;
    let transaction = desk.attestor.revoke(index, urgent)?;
    let done = desk.chain.execute(&transaction)?;
    let window = desk.chain.genesis().params.root_window;
    let when = if urgent { "at once".to_owned() } else { format!("within {window} seconds") };
    let text = format!("revoked credential {index} in block {}; binding {when}", done.height);
    let json = json!({
        "index": index, "urgent": urgent, "transaction": done.id.to_string(),
        "height": done.height,
    });
    Ok(Report::new(text, json))
}

fn issued(app: &mut App, name: &Name) -> Result<Report> {
    let desk = Desk::open(app, name)?;
    let mut table =
        Table::new(&["index", "kind", "holder", "says", "expires", "state", "reference"], &[0]);
    let mut rows = Vec::new();
    for issued in desk.attestor.issued() {
        let (kind, says, expires) = describe_claims(&issued.credential.claims);
        let state = match (issued.revoked, issued.index) {
            (true, _) => "revoked",
            (false, Some(_)) => "in the registry",
            (false, None) => "not executed",
        };
        let holder = issued.to.holder();
        let known = lookup::known_as(&app.data, holder)?;
        table.row(vec![
            issued.index.map_or_else(String::new, |index| index.to_string()),
            kind.into(),
            known.clone().unwrap_or_else(|| holder.to_string()[..12].to_owned()),
            says.clone(),
            time::format(expires),
            state.into(),
            issued.reference.clone(),
        ]);
        rows.push(json!({
            "index": issued.index, "kind": kind, "holder": holder.to_string(), "known_as": known,
            "says": says, "expires_at": expires, "state": state, "revoked": issued.revoked,
            "reference": issued.reference,
        }));
    }
    let text = if rows.is_empty() { "none".to_owned() } else { table.to_string() };
    Ok(Report::new(text, rows.into()))
}

fn admitted(app: &mut App) -> Result<Report> {
    let chain = app.chain()?;
    let public = chain.public(app)?;
    let txn = public.read()?;
    let mut table = Table::new(&["attestor", "id", "admitted in block"], &[2]);
    let mut rows = Vec::new();
    for record in view::attestors(&txn)? {
        let id = record.id.to_string();
        table.row(vec![record.name.clone(), id.clone(), record.admitted_at.to_string()]);
        rows.push(json!({
            "title": record.name, "id": id, "key": record.key.to_string(),
            "admitted_at": record.admitted_at, "dismissed": false,
        }));
    }
    let text = if rows.is_empty() { "none".to_owned() } else { table.to_string() };
    Ok(Report::new(text, rows.into()))
}

fn export(app: &mut App, name: &Name, index: u64, file: &Path) -> Result<Report> {
    let desk = Desk::open(app, name)?;
    let bytes = zeroize::Zeroizing::new(desk.find(index)?.credential.to_wire());
    write_atomically(file, &bytes, Existing::Refuse)
        .map_err(|error| Failure::file(file, &error))?;
    let text = format!("wrote credential {index} to {}", file.display());
    Ok(Report::new(text, json!({ "index": index, "file": file.display().to_string() })))
}
