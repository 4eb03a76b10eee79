//! Transfers by the hundred for a running network: one holder with one position in each of many
//! assets, so that all of its transfers are independent of each other and can be proven before any
//! of them is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use placet_protocol::credential::{Categories, Document, Jurisdiction};
use placet_protocol::field::AssetId;
use placet_protocol::genesis::{Checkpoint, Genesis};
use placet_protocol::policy::Rule;
use placet_protocol::tags::{FederationKey, Identifier};
use placet_protocol::transaction::asset::{Metadata, Registration};
use placet_protocol::transaction::registry::{Admission, Approval};
use placet_protocol::transaction::{
    EndorsementRule, PublishedPolicy, Transaction, TransferTransaction,
};
use placet_protocol::transfer::Transfer;
use placet_prover::{ProofSeed, Prover};
use placet_wallet::agent::Agent;
use placet_wallet::attestor::{Attestor, IdentityFindings};
use placet_wallet::holder::{Holder, LockConsent, Payment, ReceivedState, Request};
use placet_wallet::issuer::Issuer;
use placet_wallet::network::Network;
use placet_wallet::seed::{Phrase, Seed};
use redb::Database;
use redb::backends::InMemoryBackend;

/// Why there is no load. Says what went wrong in the words of whoever refused.
#[derive(Debug, thiserror::Error)]
#[error("the load could not be prepared: {0}")]
pub struct LoadError(String);

impl LoadError {
    /// Of anything that prints.
    pub fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A network that takes many transactions at once.
pub trait Bulk: Network {
    /// Sends all of them and returns when all are final.
    ///
    /// # Errors
    /// The first refusal.
    fn execute_all(&self, transactions: &[Transaction]) -> Result<(), LoadError>;
}

/// Units of every position.
const UNITS: NonZeroU64 = NonZeroU64::new(1_000).expect("not zero");
/// Residence of the holder: Switzerland, ISO 3166-1.
const HOME: u16 = 756;
/// Seconds until credentials expire.
const VALID: u64 = 365 * 86_400;
/// Seconds until a payment can be taken back.
const DEADLINE: u64 = 7 * 86_400;

/// The parties of a load. Everything is in memory.
#[derive(Debug)]
pub struct Load {
    attestor: Attestor,
    issuer: Issuer,
    agent: Agent,
    holder: Holder,
    payee: Seed,
    assets: Vec<AssetId>,
}

fn random<const N: usize>() -> Result<[u8; N], LoadError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(LoadError::new)?;
    Ok(bytes)
}

fn seed() -> Result<Seed, LoadError> {
    Ok(Phrase::from_entropy(random()?).seed())
}

fn memory() -> Result<Database, LoadError> {
    Database::builder().create_with_backend(InMemoryBackend::new()).map_err(LoadError::new)
}

impl Load {
    /// Parties with fresh keys.
    ///
    /// # Errors
    /// [`LoadError`] without randomness.
    pub fn new(genesis: &Genesis) -> Result<Self, LoadError> {
        let federation = FederationKey::from_bytes(random()?);
        Ok(Self {
            attestor: Attestor::with_database(memory()?, genesis, &seed()?, federation)
                .map_err(LoadError::new)?,
            issuer: Issuer::with_database(memory()?, genesis, &seed()?).map_err(LoadError::new)?,
            agent: Agent::with_database(memory()?, genesis, &seed()?).map_err(LoadError::new)?,
            holder: Holder::with_database(memory()?, genesis, &seed()?).map_err(LoadError::new)?,
            payee: seed()?,
            assets: Vec::new(),
        })
    }

    /// Admits the attestor, identifies the holder, registers `assets` assets whose transfers need
    /// endorsement at three checkpoints by one authority each, and allots units of each.
    ///
    /// # Errors
    /// [`LoadError`] with what the network refused.
    pub fn set_up(
        &mut self,
        network: &dyn Bulk,
        approve: &dyn Fn(&Admission) -> Vec<Approval>,
        assets: usize,
    ) -> Result<(), LoadError> {
        let name = format!("load-{}", hex::encode(random::<4>()?));
        let admission = self.attestor.admission(&name);
        let approvals = approve(&admission);
        network.execute_all(&[self.attestor.admit(admission, approvals)])?;
        self.identify(network)?;
        let registrations =
            (0..assets).map(|i| self.registration(&name, i)).collect::<Result<Vec<_>, _>>()?;
        network.execute_all(&registrations)?;
        self.issuer.sync(network, &mut |_| {}).map_err(LoadError::new)?;
        self.agent.sync(network, &mut |_| {}).map_err(LoadError::new)?;
        self.assets =
            self.issuer.assets().map_err(LoadError::new)?.iter().map(|asset| asset.id).collect();
        let mints =
            self.assets.iter().map(|asset| self.mint(*asset)).collect::<Result<Vec<_>, _>>()?;
        network.execute_all(&mints)
    }

    fn identify(&mut self, network: &dyn Bulk) -> Result<(), LoadError> {
        self.attestor.sync(network, &mut |_| {}).map_err(LoadError::new)?;
        let now = network.status().map_err(LoadError::new)?.time;
        let document = Document {
            country: "CHE".into(),
            kind: "passport".into(),
            number: hex::encode(random::<8>()?),
        };
        let findings = IdentityFindings {
            to: self.holder.address(),
            screened: &document,
            person: Identifier::Document(&document),
            documents: &[],
            bound_until: now + VALID,
            jurisdiction: Jurisdiction::new(HOME).expect("ISO 3166-1 codes have three digits"),
            risk: 1,
            expires_at: now + VALID,
            reference: "load",
        };
        let issue = self.attestor.issue_identity(&findings, &random()?).map_err(LoadError::new)?;
        network.execute_all(&[issue])
    }

    fn registration(&self, name: &str, index: usize) -> Result<Transaction, LoadError> {
        let rule = Rule {
            allowed: true,
            any_of: Categories::default(),
            lockup: 0,
            max_holding: UNITS.get() * 2,
        };
        let checkpoints = [Checkpoint::Identity, Checkpoint::Sanctions, Checkpoint::Ownership];
        let endorsement = EndorsementRule::new(checkpoints.map(|c| (c, 1)).into());
        let registration = Registration {
            issuer: self.issuer.key(),
            agent: self.agent.keys(),
            metadata: Metadata {
                name: format!("{name}-{index}"),
                isin: None,
                legend: String::new(),
                document_hash: [0; 32],
                decimals: 0,
            },
            authorised_supply: UNITS.get(),
            count_holders: false,
            policy: PublishedPolicy {
                identity_attestors: vec![self.attestor.id()],
                investor_attestors: vec![self.attestor.id()],
                rules: BTreeMap::from([(
                    Jurisdiction::new(HOME).expect("ISO 3166-1 codes have three digits"),
                    rule,
                )]),
                max_risk: 3,
                unit_price: 1,
                capital_bps: 0,
                capital_rule: false,
                currency: None,
                max_holders: None,
                endorsement: endorsement.expect("small numbers"),
            },
        };
        let consent = self.agent.consent(&registration, &random()?).map_err(LoadError::new)?;
        self.issuer.register(registration, consent).map_err(LoadError::new)
    }

    fn mint(&self, asset: AssetId) -> Result<Transaction, LoadError> {
        let to = self.holder.address();
        let allotment =
            self.issuer.allot(asset, &to, UNITS, 0, &random()?).map_err(LoadError::new)?;
        let (_, signature) = self.agent.countersign_mint(&allotment).map_err(LoadError::new)?;
        Ok(self.issuer.mint(allotment, signature))
    }

    /// Proves the acceptance of every allotment: as many independent transfers as there are assets.
    ///
    /// # Errors
    /// [`LoadError`] if one cannot be proven.
    pub fn acceptances(
        &mut self,
        network: &dyn Network,
        prover: &Prover<Transfer>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<TransferTransaction>, LoadError> {
        self.holder.sync(network, &mut |_| {}).map_err(LoadError::new)?;
        let open: Vec<_> = self
            .holder
            .received()
            .iter()
            .filter(|one| one.state == ReceivedState::Open)
            .map(|one| Request::accept(one.asset, one.cm, LockConsent::Given))
            .collect();
        self.prove(prover, &open, progress)
    }

    /// Proves one payment from every position that was accepted.
    ///
    /// # Errors
    /// [`LoadError`] if one cannot be proven, as while its acceptance is not final.
    pub fn payments(
        &mut self,
        network: &dyn Network,
        prover: &Prover<Transfer>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<TransferTransaction>, LoadError> {
        let assets = self.assets.clone();
        self.pay(network, prover, &assets, progress)
    }

    /// Proves one payment, of the asset whose turn it is.
    ///
    /// # Errors
    /// As [`Self::payments`].
    pub fn payment(
        &mut self,
        network: &dyn Network,
        prover: &Prover<Transfer>,
        turn: usize,
    ) -> Result<Vec<TransferTransaction>, LoadError> {
        let assets: Vec<_> = self.assets.iter().copied().cycle().skip(turn).take(1).collect();
        self.pay(network, prover, &assets, &mut |_| {})
    }

    fn pay(
        &mut self,
        network: &dyn Network,
        prover: &Prover<Transfer>,
        assets: &[AssetId],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<TransferTransaction>, LoadError> {
        let tip = self.holder.sync(network, &mut |_| {}).map_err(LoadError::new)?;
        let amount = NonZeroU64::MIN;
        let payment = Payment { to: self.payee.address(), amount, deadline: tip.time + DEADLINE };
        let requests: Vec<_> = assets.iter().map(|asset| Request::send(*asset, payment)).collect();
        self.prove(prover, &requests, progress)
    }

    fn prove(
        &self,
        prover: &Prover<Transfer>,
        requests: &[Request],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<TransferTransaction>, LoadError> {
        let mut transfers = Vec::with_capacity(requests.len());
        for (done, request) in requests.iter().enumerate() {
            progress(done);
            let draft = self.holder.plan(request).map_err(LoadError::new)?;
            let prepared =
                draft.prepare(self.holder.chain(), &random()?).map_err(LoadError::new)?;
            let seed = ProofSeed::from_os().map_err(LoadError::new)?;
            transfers.push(prepared.prove(prover, seed, &mut |_| {}).map_err(LoadError::new)?);
        }
        let distinct: BTreeSet<_> = transfers.iter().map(|one| one.body.nf_position).collect();
        if distinct.len() != transfers.len() {
            return Err(LoadError::new("two transfers spend the same position"));
        }
        Ok(transfers)
    }
}
