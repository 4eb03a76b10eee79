//! `placet asset`: what an issuer does, and what everybody can see of an asset.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_protocol::field::AttestorId;
use placet_protocol::transaction::PublishedPolicy;
use placet_protocol::transaction::asset::{Metadata, Registration};
use placet_registry::store::Transaction as Store;
use placet_wallet::client::Progress as Step;
use placet_wallet::issuer::{Issuer, MINT_RANDOM_BYTES};
use placet_wallet::policy_file::{self, AssetTerms, PolicyFile};
use placet_wallet::view::{self, AssetState};
use serde_json::{Value, json};

use crate::app::App;
use crate::chain::Chain;
use crate::data::{Home, Name, Party};
use crate::fail::{Failure, Result};
use crate::output::{Report, Table, fields};
use crate::refusals::sync_failure;
use crate::wallet::genesis;
use crate::{agent, amount, lookup, time};

/// Commands on assets.
#[derive(Subcommand)]
pub enum Command {
    /// Register an asset from a policy file with an `asset` table; issuer and agent sign
    Create {
        /// The policy, as in docs/examples/policy.toml
        #[arg(long, short, value_name = "TOML")]
        policy: PathBuf,
        /// Name of the issuer in the data directory
        #[arg(long, default_value = "default", value_name = "NAME")]
        issuer: Name,
        /// Name of the transfer agent in the data directory
        #[arg(long, default_value = "default", value_name = "NAME")]
        agent: Name,
    },
    /// Replace the policy of an asset by a new version
    Policy {
        /// The asset: its name, its id, or the beginning of its id
        asset: String,
        /// The new policy; an `asset` table in it is ignored
        #[arg(long, short, value_name = "TOML")]
        policy: PathBuf,
        /// Close the window of the old version at once
        #[arg(long)]
        urgent: bool,
    },
    /// Allot new units to a holder; issuer and agent sign, and the amount is public
    Mint {
        /// The asset: its name, its id, or the beginning of its id
        asset: String,
        /// The receiver: an address, or the name of a wallet in this data directory
        #[arg(long, short)]
        to: String,
        /// How many units
        amount: String,
        /// Until when the units arrive locked
        #[arg(long, value_parser = time::parse, value_name = "TIME", default_value_t = 0, hide_default_value = true)]
        locked_until: u64,
    },
    /// Stop all transfers of an asset
    Pause {
        /// The asset: its name, its id, or the beginning of its id
        asset: String,
    },
    /// Let the transfers of an asset go on
    Resume {
        /// The asset: its name, its id, or the beginning of its id
        asset: String,
    },
    /// What everybody can see of an asset, with its policy in plain words
    Show {
        /// The asset: its name, its id, or the beginning of its id
        asset: String,
    },
    /// The assets of the network
    List,
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::Create { policy, issuer, agent } => create(app, policy, issuer, agent),
        Command::Policy { asset, policy, urgent } => set_policy(app, asset, policy, *urgent),
        Command::Mint { asset, to, amount, locked_until } => {
            mint(app, asset, to, amount, *locked_until)
        }
        Command::Pause { asset } => pause(app, asset, true),
        Command::Resume { asset } => pause(app, asset, false),
        Command::Show { asset } => show(app, asset),
        Command::List => list(app),
    }
}

/// An issuer that is open, with its network.
struct Desk {
    chain: Chain,
    issuer: Issuer,
}

impl Desk {
    fn open(app: &mut App, chain: Chain, home: &Home) -> Result<Self> {
        let seed = app.unlock(home)?.phrase.seed();
        let issuer = Issuer::open(&home.store(), &genesis(&chain)?, &seed)?;
        let mut desk = Self { chain, issuer };
        desk.sync(app)?;
        Ok(desk)
    }

    fn sync(&mut self, app: &App) -> Result<()> {
        let task = app.progress.bar("following the ledger");
        let mut show = |step: Step| task.at(step.height, step.of);
        let followed = self.issuer.sync(&self.chain, &mut show);
        followed.map(drop).map_err(|error| sync_failure(&self.chain, error))
    }

    /// Opens the issuer of an asset, which is found by its key.
    fn of(app: &mut App, text: &str) -> Result<(Self, AssetState)> {
        let chain = app.chain()?;
        let record = lookup::asset(&chain.public(app)?.read()?, text)?;
        for home in app.data.homes(Party::Issuer)? {
            if home.public()?.key == Some(record.registration.issuer) {
                let desk = Self::open(app, chain, &home)?;
                let asset = lookup::asset(&desk.issuer.read()?, &record.id.to_string())?;
                return Ok((desk, asset));
            }
        }
        Err(Failure::input(
            "not-found",
            format!(
                "no issuer in this data directory has the key of {}",
                record.registration.metadata.name
            ),
            "use the data directory of its issuer",
        ))
    }
}

/// Reads a policy file; its attestors are names on the network or ids.
fn read_policy(txn: &impl Store, path: &Path, terms: Option<AssetTerms>) -> Result<PolicyFile> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let attestors = view::attestors(txn)?;
    let by_name = |name: &str| -> Option<AttestorId> {
        attestors.iter().find(|attestor| attestor.name == name).map(|attestor| attestor.id)
    };
    policy_file::read(&text, terms, &by_name).map_err(|error| {
        Failure::input(
            "policy",
            format!("{}: {error}", path.display()),
            "correct the line; docs/examples/policy.toml shows every key, and `placet attestor \
             list` the attestors",
        )
    })
}

fn create(app: &mut App, policy: &Path, issuer: &Name, agent: &Name) -> Result<Report> {
    let issuer_home = app.data.home(Party::Issuer, issuer)?;
    let agent_home = app.data.home(Party::Agent, agent)?;
    let chain = app.chain()?;
    let mut desk = Desk::open(app, chain, &issuer_home)?;
    let file = read_policy(&desk.issuer.read()?, policy, None)?;
    let Some(table) = file.asset else {
        return Err(Failure::input("policy", "the [asset] table is missing", "add one"));
    };
    let agent = agent::open(app, &desk.chain, &agent_home)?;
    let registration = Registration {
        issuer: desk.issuer.key(),
        agent: agent.keys(),
        metadata: Metadata {
            name: table.name,
            isin: table.isin,
            legend: table.legend,
            document_hash: table.document_hash.unwrap_or_default(),
            decimals: table.decimals,
        },
        authorised_supply: table.authorised_supply,
        count_holders: table.count_holders,
        policy: file.policy,
    };
    let mut random = [0u8; 32];
    getrandom::fill(&mut random)?;
    let consent = agent.consent(&registration, &random)?;
    let name = registration.metadata.name.clone();
    let done = desk.chain.execute(&desk.issuer.register(registration, consent)?)?;
    desk.sync(app)?;
    // This issuer's newest asset: no other command ran meanwhile.
    let Some(asset) = desk.issuer.assets()?.pop() else {
        return Err(Failure::input("asset", "the registration cannot be found", "run sync again"));
    };
    let text = format!("registered {name}\nasset {}\nblock {}", asset.id, done.height);
    let json = json!({
        "asset": asset.id.to_string(), "name": name, "transaction": done.id.to_string(),
        "height": done.height,
    });
    Ok(Report::new(text, json))
}

fn set_policy(app: &mut App, text: &str, policy: &Path, urgent: bool) -> Result<Report> {
    let (desk, asset) = Desk::of(app, text)?;
    let terms = terms(&asset.registration);
    let file = read_policy(&desk.issuer.read()?, policy, Some(terms))?;
    let done = desk.chain.execute(&desk.issuer.set_policy(asset.id, file.policy, urgent)?)?;
    let version = asset.version + 1;
    let text = format!("policy version {version} in force from block {}", done.height);
    let json = json!({
        "asset": asset.id.to_string(), "version": version, "urgent": urgent,
        "transaction": done.id.to_string(), "height": done.height,
    });
    Ok(Report::new(text, json))
}

fn mint(app: &mut App, text: &str, to: &str, units: &str, locked_until: u64) -> Result<Report> {
    let to = lookup::address(&app.data, to)?;
    let (desk, asset) = Desk::of(app, text)?;
    let metadata = &asset.registration.metadata;
    let units = amount::parse(units, metadata.decimals)?;
    let units = NonZeroU64::new(units)
        .ok_or_else(|| Failure::input("amount", "the amount is zero", "write how many units"))?;
    let mut random = zeroize::Zeroizing::new([0u8; MINT_RANDOM_BYTES]);
    getrandom::fill(random.as_mut_slice())?;
    let allotment = desk.issuer.allot(asset.id, &to, units, locked_until, &random)?;
    let home = agent::home_of(app, &asset, None)?;
    let agent = agent::open(app, &desk.chain, &home)?;
    let (_, signature) = agent.countersign_mint(&allotment)?;
    let delivery = allotment.commitment();
    let done = desk.chain.execute(&desk.issuer.mint(allotment, signature))?;
    let shown = amount::format(units.get(), metadata.decimals);
    let text = format!(
        "allotted {shown} {} in block {}; the receiver has to accept them",
        metadata.name, done.height
    );
    let json = json!({
        "asset": asset.id.to_string(), "amount": shown, "delivery": delivery.to_string(),
        "transaction": done.id.to_string(), "height": done.height,
    });
    Ok(Report::new(text, json))
}

fn pause(app: &mut App, text: &str, paused: bool) -> Result<Report> {
    let (desk, asset) = Desk::of(app, text)?;
    let done = desk.chain.execute(&desk.issuer.pause(asset.id, paused)?)?;
    let did = if paused { "paused" } else { "resumed" };
    let name = &asset.registration.metadata.name;
    let text = format!("{did} {name} in block {}", done.height);
    let json = json!({
        "asset": asset.id.to_string(), "paused": paused, "transaction": done.id.to_string(),
        "height": done.height,
    });
    Ok(Report::new(text, json))
}

fn terms(registration: &Registration) -> AssetTerms {
    AssetTerms {
        decimals: registration.metadata.decimals,
        count_holders: registration.count_holders,
    }
}

fn show(app: &mut App, text: &str) -> Result<Report> {
    let chain = app.chain()?;
    let public = chain.public(app)?;
    let txn = public.read()?;
    let record = lookup::asset(&txn, text)?;
    let names = view::attestors(&txn)?;
    let alias = |id: AttestorId| {
        names.iter().find(|record| record.id == id).map(|record| record.name.clone())
    };
    let registration = &record.registration;
    let metadata = &registration.metadata;
    let units = |n| amount::format(n, metadata.decimals);
    let words = policy_file::describe(&registration.policy, terms(registration), &alias);
    let holders = match registration.count_holders {
        true => record.holders.to_string(),
        false => "not counted".to_owned(),
    };
    let mut lines = vec![
        ("name", metadata.name.clone()),
        ("asset", record.id.to_string()),
        (
            "supply",
            format!("{} of {}", units(record.supply), units(registration.authorised_supply)),
        ),
        ("holders", holders),
        ("state", if record.paused { "paused" } else { "open" }.to_owned()),
        ("issuer", registration.issuer.to_string()),
        ("agent", registration.agent.signing.to_string()),
    ];
    if let Some(isin) = metadata.isin {
        lines.push(("ISIN", isin.to_string()));
    }
    if !metadata.legend.is_empty() {
        lines.push(("legend", metadata.legend.clone()));
    }
    let text =
        format!("{}\n\nPolicy, version {}:\n{}", fields(&lines), record.version, words.trim_end());
    let mut json = summary(&record);
    if let Value::Object(object) = &mut json {
        object.insert("legend".into(), json!(metadata.legend));
        object.insert("document_hash".into(), json!(hex::encode(metadata.document_hash)));
        object.insert("policy".into(), policy_json(&registration.policy));
        object.insert("policy_in_words".into(), json!(words.lines().collect::<Vec<_>>()));
    }
    Ok(Report::new(text, json))
}

fn summary(record: &AssetState) -> Value {
    let registration = &record.registration;
    let metadata = &registration.metadata;
    let units = |n| amount::format(n, metadata.decimals);
    json!({
        "asset": record.id.to_string(), "name": metadata.name, "decimals": metadata.decimals,
        "isin": metadata.isin.map(|isin| isin.to_string()),
        "supply": units(record.supply),
        "authorised_supply": units(registration.authorised_supply),
        "holders": registration.count_holders.then_some(record.holders),
        "max_holders": registration.policy.max_holders, "paused": record.paused,
        "policy_version": record.version, "issuer": registration.issuer.to_string(),
        "agent": registration.agent.signing.to_string(),
    })
}

fn policy_json(policy: &PublishedPolicy) -> Value {
    let ids = |ids: &[AttestorId]| ids.iter().map(AttestorId::to_string).collect::<Vec<_>>();
    let rules: Vec<_> = policy
        .rules
        .iter()
        .map(|(jurisdiction, rule)| {
            json!({
                "jurisdiction": jurisdiction.code(), "any_of": rule.any_of.names(),
                "lockup": rule.lockup, "max_holding": rule.max_holding,
            })
        })
        .collect();
    let endorsement: serde_json::Map<_, _> =
        policy.endorsement.iter().map(|(c, n)| (c.name().to_owned(), json!(n))).collect();
    json!({
        "identity_attestors": ids(&policy.identity_attestors),
        "investor_attestors": ids(&policy.investor_attestors), "rules": rules,
        "max_risk": policy.max_risk, "max_holders": policy.max_holders,
        "capital_rule": policy.capital_rule, "unit_price": policy.unit_price,
        "capital_bps": policy.capital_bps,
        "currency": policy.currency.map(|currency| currency.to_string()), "endorsement": endorsement,
    })
}

fn list(app: &mut App) -> Result<Report> {
    let chain = app.chain()?;
    let public = chain.public(app)?;
    let txn = public.read()?;
    let mut table = Table::new(&["asset", "id", "supply", "holders", "state"], &[2, 3]);
    let mut rows = Vec::new();
    for record in view::assets(&txn)? {
        let metadata = &record.registration.metadata;
        let counted = record.registration.count_holders;
        table.row(vec![
            metadata.name.clone(),
            record.id.to_string()[..8].to_owned(),
            amount::format(record.supply, metadata.decimals),
            if counted { record.holders.to_string() } else { "-".to_owned() },
            if record.paused { "paused" } else { "open" }.to_owned(),
        ]);
        rows.push(summary(&record));
    }
    let text = if rows.is_empty() { "none".to_owned() } else { table.to_string() };
    Ok(Report::new(text, rows.into()))
}
