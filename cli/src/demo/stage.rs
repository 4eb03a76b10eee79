//! The network, the parties' clients, and what each scene of the demo does with them: issue, mint,
//! plan. The honest path uses what every user has, the wallet's library.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use placet_ledger::Status;
use placet_protocol::address::Address;
use placet_protocol::credential::Categories;
use placet_protocol::field::{AssetId, AttestorId, Commitment};
use placet_protocol::genesis::ChainId;
use placet_protocol::sealed::Claims;
use placet_protocol::tags::{FederationKey, Identifier};
use placet_protocol::transaction::asset::Registration;
use placet_protocol::transaction::{PublishedPolicy, Transaction, TxId};
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use placet_prover::kernel::Tables;
use placet_registry::sanctions::{OFAC_SDN_CSV, list_from_csv};
use placet_wallet::account::Holding;
use placet_wallet::agent::{Agent, Register};
use placet_wallet::attestor::{Attestor, IdentityFindings, InvestorFindings};
use placet_wallet::holder::{
    Draft, Holder, LockConsent, Payment, PlanError, ReceivedState, Request, Slot,
};
use placet_wallet::issuer::Issuer;
use placet_wallet::seed::{Phrase, Seed};

use super::cast::{self, ACCREDITOR, IDENTITY_PROVIDER, Person, START, days};
use super::export::{Export, Exported};
use super::report::money;
use crate::data::DataDir;
use crate::fail::{Exit, Failure, Result};
use crate::local::{self, Local, node_failure};
use crate::progress::Progress;

/// A failure that is no refusal: the demo cannot go on.
pub fn fault(error: impl std::error::Error + 'static) -> Failure {
    Failure::internal(&error)
}

/// The demo's own expectation does not hold.
pub fn surprise(what: impl Into<String>) -> Failure {
    Failure::new(
        Exit::Internal,
        "demo-differs",
        what.into(),
        "something that the demo relies on did not happen: report it",
    )
}

/// Bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn seed() -> Result<Seed> {
    Ok(Phrase::from_entropy(random()?).seed())
}

/// What an executed transaction leaves behind.
#[derive(Clone, Copy)]
pub struct Done {
    /// Its id.
    pub id: TxId,
    /// From the wish to the final block.
    pub took: Duration,
}

/// The asset's public state after a step.
#[derive(Clone, Copy)]
pub struct PublicState {
    /// Number of holders.
    pub holders: u64,
    /// Units in circulation.
    pub supply: u64,
}

/// Everything that takes part.
pub struct Stage {
    /// The four authorities.
    pub chain: Local,
    /// Number of distinct sanctioned documents.
    pub sanctions_entries: usize,
    /// The asset.
    pub asset: AssetId,
    /// How long each proof took, native check and self-verification included.
    pub proving: Vec<Duration>,
    /// How long verifying each of them took.
    pub verifying: Vec<Duration>,
    /// How many proofs of false or refused statements were made.
    pub forged: usize,
    /// Constraints of the statement with its instance variables.
    pub rows: usize,
    /// Where the next transfer that is proven is left for others to check.
    pub(super) export: Option<Export>,
    /// The one that was.
    pub(super) exported: Option<Exported>,
    directory: PathBuf,
    pub(super) prover: Prover<Transfer>,
    pub(super) progress: Progress,
    agent_seed: Seed,
    seeds: Vec<Seed>,
    pub(super) holders: Vec<Holder>,
    identity: Attestor,
    accreditor: Attestor,
    issuer: Issuer,
    pub(super) agent: Agent,
}

/// Where the demo's files are; a temporary directory disappears with this value.
pub struct Place {
    /// The directory.
    pub path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    /// The directory that was named, or a temporary one.
    pub fn new(named: Option<&Path>) -> Result<Self> {
        match named {
            Some(path) => Ok(Self { path: path.to_owned(), _temporary: None }),
            None => {
                let temporary = tempfile::Builder::new().prefix("placet-demo-").tempdir()?;
                Ok(Self { path: temporary.path().to_owned(), _temporary: Some(temporary) })
            }
        }
    }
}

impl Stage {
    /// Keys, four authorities, clients with fresh keys, the OFAC list, two attestors.
    pub fn set_up(place: &Place, tables: Tables, progress: Progress) -> Result<Self> {
        let data = DataDir::new(Some(place.path.clone()))?;
        let genesis = local::init(&data, progress, "placet-demo", START)?;
        let chain = Local::open(&data, progress, tables, Some(START))?;
        let pin =
            genesis.circuits.first().ok_or_else(|| surprise("the network pins no circuit"))?;
        let prover = chain.prover(pin)?;
        let shape = placet_circuits::circuit::blank_shape::<Transfer>().map_err(fault)?;
        let file = |name: &str| place.path.join(format!("{name}.redb"));
        let federation = FederationKey::from_bytes(random()?);
        let attestor = |name: &str| {
            Attestor::open(&file(name), &genesis, &seed()?, federation.clone()).map_err(fault)
        };
        let identity = attestor("identity-provider")?;
        let accreditor = attestor("accreditor")?;
        let issuer = Issuer::open(&file("issuer"), &genesis, &seed()?).map_err(fault)?;
        let agent_seed = seed()?;
        let agent = Agent::open(&file("agent"), &genesis, &agent_seed).map_err(fault)?;
        let seeds = Person::ALL.iter().map(|_| seed()).collect::<Result<Vec<_>>>()?;
        let holders = Person::ALL
            .iter()
            .zip(&seeds)
            .map(|(person, seed)| {
                let path = file(&format!("holder-{}", *person as usize));
                Holder::open(&path, &genesis, seed).map_err(fault)
            })
            .collect::<Result<Vec<_>>>()?;
        let mut stage = Self {
            chain,
            sanctions_entries: 0,
            asset: placet_protocol::transaction::asset::asset_id(&genesis.chain_id(), 0),
            proving: Vec::new(),
            verifying: Vec::new(),
            forged: 0,
            rows: shape.rows,
            export: None,
            exported: None,
            directory: place.path.clone(),
            prover,
            progress,
            agent_seed,
            seeds,
            holders,
            identity,
            accreditor,
            issuer,
            agent,
        };
        stage.publish_sanctions()?;
        stage.admit_attestors()?;
        Ok(stage)
    }

    fn publish_sanctions(&mut self) -> Result<()> {
        let _working = self.progress.spinner("publishing the OFAC list");
        let list = list_from_csv(OFAC_SDN_CSV).map_err(fault)?;
        self.sanctions_entries = list.len();
        let published = self.chain.node().publish_sanctions(list.subjects().collect(), false);
        published.map_err(fault)?;
        Ok(())
    }

    fn admit_attestors(&self) -> Result<()> {
        let named = [(&self.identity, IDENTITY_PROVIDER), (&self.accreditor, ACCREDITOR)];
        for (attestor, name) in named {
            let admission = attestor.admission(name);
            let approvals = self.chain.node().approvals(&admission);
            self.chain.execute(&attestor.admit(admission, approvals))?;
        }
        Ok(())
    }

    pub(super) fn chain_id(&self) -> ChainId {
        self.chain.node().chain()
    }

    /// Time of the last block.
    pub fn now(&self) -> Result<u64> {
        Ok(self.chain.node().tip().map_err(|error| node_failure(&error))?.time)
    }

    /// Moves the block time, which only a development network allows.
    pub fn advance(&self, seconds: u64) -> Result<()> {
        self.chain.node().advance_time(seconds).map_err(|error| node_failure(&error))
    }

    /// What anybody sees of the asset.
    pub fn public_state(&self) -> Result<PublicState> {
        let view = self.chain.node().view().map_err(|error| node_failure(&error))?;
        let asset = view.asset(self.asset).map_err(fault)?;
        let asset = asset.ok_or_else(|| surprise("the asset is not registered"))?;
        Ok(PublicState { holders: asset.holders, supply: asset.outstanding() })
    }

    /// An executed transaction, as the authorities keep it.
    pub fn executed(&self, id: TxId) -> Result<Status> {
        let view = self.chain.node().view().map_err(|error| node_failure(&error))?;
        let status = view.status(id).map_err(fault)?;
        status.ok_or_else(|| surprise("an executed transaction is not on the chain"))
    }

    /// What the chain shows of an executed transaction, in one line.
    pub fn shows(&self, id: TxId) -> Result<String> {
        let status = self.executed(id)?;
        let state = self.public_state()?;
        Ok(match &status.entry.transaction {
            Transaction::Mint(mint) => format!(
                "{} units for a hidden holder; {} in circulation",
                money(mint.allotment.amount),
                money(state.supply)
            ),
            Transaction::Transfer(tx) => {
                let before = state.holders.saturating_add_signed(-tx.body.holders_delta.signed());
                let holders = match tx.body.holders_delta.signed() {
                    0 => format!("still {before} holders"),
                    _ => format!("from {before} to {} holders", state.holders),
                };
                let redeemed = match tx.body.redeemed() {
                    0 => String::new(),
                    units => format!(", {} units redeemed", money(units)),
                };
                format!("two nullifiers, three commitments, {holders}{redeemed}")
            }
            other => other.kind().to_owned(),
        })
    }

    // --- attestors ---

    /// The name of an attestor of the demo.
    pub fn attestor_name(&self, id: AttestorId) -> Option<&'static str> {
        let named = [(self.identity.id(), IDENTITY_PROVIDER), (self.accreditor.id(), ACCREDITOR)];
        named.into_iter().find(|(known, _)| *known == id).map(|(_, name)| name)
    }

    /// The identity provider identifies a person, who shows control of the key, and issues.
    pub fn identify(&mut self, person: Person) -> Result<()> {
        let _working = self.progress.spinner("issuing an identity credential");
        let profile = person.profile();
        let (to, now) = (self.address(person), self.now()?);
        let challenge = random()?;
        let (chain, attestor) = (self.chain_id(), self.identity.id());
        let seed = &self.seeds[person as usize];
        let answer = seed.answer(&chain, attestor, &challenge, &random()?);
        self.identity.check_control(&to, &challenge, &answer).map_err(fault)?;
        let document = profile.document();
        let findings = IdentityFindings {
            to,
            screened: &document,
            person: Identifier::Document(&document),
            documents: &[],
            bound_until: now + days(3 * 365),
            jurisdiction: profile.jurisdiction(),
            risk: 1,
            expires_at: now + days(profile.identity_days),
            reference: profile.name,
        };
        self.identity.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        let issue = self.identity.issue_identity(&findings, &random()?).map_err(fault)?;
        self.chain.execute(&issue)?;
        Ok(())
    }

    /// The accreditation verifier attests categories and capital.
    pub fn accredit(&mut self, person: Person, categories: Categories, capital: u64) -> Result<()> {
        let findings = InvestorFindings {
            to: self.address(person),
            categories,
            capital,
            expires_at: self.now()? + days(3 * 365),
            reference: person.profile().name,
        };
        self.accreditor.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        let issue = self.accreditor.issue_investor(&findings, &random()?).map_err(fault)?;
        self.chain.execute(&issue)?;
        Ok(())
    }

    /// The identity provider takes a person's credential back, without urgency.
    pub fn revoke(&mut self, person: Person) -> Result<()> {
        self.identity.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        let to = self.address(person);
        let issued = self.identity.issued().iter().rev().find(|issued| issued.to == to);
        let index = issued.and_then(|issued| issued.index);
        let index = index.ok_or_else(|| surprise("there is no credential to revoke"))?;
        let revoke = self.identity.revoke(index, false).map_err(fault)?;
        self.chain.execute(&revoke)?;
        Ok(())
    }

    // --- issuer and transfer agent ---

    /// Issuer and agent register the asset; returns the policy.
    pub fn register(&mut self) -> Result<PublishedPolicy> {
        let file = cast::policy(self.identity.id(), self.accreditor.id()).map_err(fault)?;
        let asset = file.asset.ok_or_else(|| surprise("the policy file has no [asset]"))?;
        let registration = Registration {
            issuer: self.issuer.key(),
            agent: self.agent.keys(),
            metadata: placet_protocol::transaction::asset::Metadata {
                name: asset.name,
                isin: asset.isin,
                legend: asset.legend,
                document_hash: asset.document_hash.unwrap_or_default(),
                decimals: asset.decimals,
            },
            authorised_supply: asset.authorised_supply,
            count_holders: asset.count_holders,
            policy: file.policy.clone(),
        };
        let consent = self.agent.consent(&registration, &random()?).map_err(fault)?;
        let register = self.issuer.register(registration, consent).map_err(fault)?;
        self.chain.execute(&register)?;
        Ok(file.policy)
    }

    /// The issuer replaces the policy.
    pub fn set_policy(&mut self, policy: PublishedPolicy) -> Result<()> {
        self.sync_officers()?;
        let change = self.issuer.set_policy(self.asset, policy, false).map_err(fault)?;
        self.chain.execute(&change)?;
        Ok(())
    }

    /// The issuer allots units and the agent countersigns after checking the opening.
    pub fn mint(&mut self, to: Person, amount: u64) -> Result<Done> {
        let begun = Instant::now();
        self.sync_officers()?;
        let address = self.address(to);
        let allotment = self
            .issuer
            .allot(self.asset, &address, positive(amount)?, 0, &random()?)
            .map_err(fault)?;
        let (seen, signature) = self.agent.countersign_mint(&allotment).map_err(fault)?;
        if seen != address.holder() {
            return Err(surprise("the agent read another receiver in the allotment"));
        }
        let mint = self.issuer.mint(allotment, signature);
        let id = self.chain.execute(&mint)?.id;
        Ok(Done { id, took: begun.elapsed() })
    }

    /// The agent freezes a person's position, or releases it.
    pub fn set_frozen(&mut self, person: Person, frozen: bool) -> Result<()> {
        self.sync_officers()?;
        let holder = self.address(person).holder();
        let order = match frozen {
            true => self.agent.freeze(self.asset, holder, 1),
            false => self.agent.release(self.asset, holder),
        };
        self.chain.execute(&order.map_err(fault)?)?;
        Ok(())
    }

    pub(super) fn sync_officers(&mut self) -> Result<()> {
        self.issuer.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        self.agent.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        Ok(())
    }

    /// The agent's register, made anew from its seed and the blocks alone.
    pub fn rebuilt_register(&self) -> Result<Register> {
        let _working = self.progress.spinner("rebuilding the register from the blocks");
        let path = self.directory.join("agent-rebuilt.redb");
        let genesis = self.chain.node().genesis();
        let mut agent = Agent::open(&path, genesis, &self.agent_seed).map_err(fault)?;
        agent.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        agent.register(self.asset).map_err(fault)
    }

    /// What a wallet holds that was restored from its seed and the blocks alone.
    pub fn restored_holding(&self, person: Person) -> Result<Option<Holding>> {
        let _working = self.progress.spinner("restoring a wallet from its seed");
        let path = self.directory.join(format!("holder-{}-restored.redb", person as usize));
        let genesis = self.chain.node().genesis();
        let seed = &self.seeds[person as usize];
        let mut wallet = Holder::open(&path, genesis, seed).map_err(fault)?;
        wallet.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        Ok(wallet.account(self.asset).map(|account| account.holding))
    }

    // --- holders ---

    /// Where a person receives.
    pub fn address(&self, person: Person) -> Address {
        self.holders[person as usize].address()
    }

    /// A person's wallet, up to date.
    pub fn holder(&mut self, person: Person) -> Result<&mut Holder> {
        let holder = &mut self.holders[person as usize];
        holder.sync(&self.chain, &mut |_| {}).map_err(fault)?;
        Ok(holder)
    }

    /// The newest open delivery to a person.
    pub fn delivery_to(&mut self, person: Person) -> Result<Commitment> {
        let received = self.holder(person)?.received();
        let open = received.iter().rev().find(|one| one.state == ReceivedState::Open);
        open.map(|one| one.cm).ok_or_else(|| surprise("no delivery arrived"))
    }

    /// To accept the newest delivery.
    pub fn acceptance(&mut self, person: Person) -> Result<Request> {
        Ok(Request::accept(self.asset, self.delivery_to(person)?, LockConsent::Ask))
    }

    /// To send units, which may be taken back after seven days.
    pub fn payment(&self, to: Person, amount: u64) -> Result<Request> {
        let payment = Payment {
            to: self.address(to),
            amount: positive(amount)?,
            deadline: self.now()? + days(7),
        };
        Ok(Request::send(self.asset, payment))
    }

    /// To take a delivery back.
    pub fn refund(&self, delivery: Commitment) -> Request {
        Request::refund(self.asset, delivery)
    }

    /// To settle the oldest delivery that was accepted.
    pub fn settlement(&self) -> Request {
        Request::settle(self.asset)
    }

    /// To redeem units.
    pub fn redemption(&self, amount: u64) -> Result<Request> {
        Ok(Request::redeem(self.asset, positive(amount)?))
    }

    /// The newest delivery that a person made.
    pub fn last_sent(&mut self, person: Person) -> Result<Commitment> {
        let asset = self.asset;
        let sent = self.holder(person)?.account(asset).and_then(|account| account.sent.last());
        sent.map(|sent| sent.cm).ok_or_else(|| surprise("nothing was sent"))
    }

    /// To do nothing at all: the frame for an attacker's statement.
    pub fn nothing(&self) -> Request {
        let settle = Request::settle(self.asset);
        Request { slot: Slot::Empty, ..settle }
    }

    /// What the wallet says to a request.
    pub fn plan(
        &mut self,
        person: Person,
        request: &Request,
    ) -> Result<std::result::Result<Draft, PlanError>> {
        let _working = self.progress.spinner("checking every clause");
        Ok(self.holder(person)?.plan(request))
    }

    /// The statement of a request, judged by nobody: where an attacker begins.
    pub fn draft(&mut self, person: Person, request: &Request) -> Result<Draft> {
        self.holder(person)?.draft(request).map_err(fault)
    }

    /// A person's identity credential, as it lies in the wallet.
    pub fn identity_of(&mut self, person: Person) -> Result<placet_protocol::sealed::Credential> {
        let credentials = self.holder(person)?.credentials();
        let identity = credentials
            .iter()
            .map(|held| &held.credential)
            .find(|credential| matches!(credential.claims, Claims::Identity(_)));
        identity.cloned().ok_or_else(|| surprise("the wallet has no identity credential"))
    }
}

/// Amounts in the demo are not zero.
fn positive(amount: u64) -> Result<NonZeroU64> {
    NonZeroU64::new(amount).ok_or_else(|| surprise("an amount is zero"))
}
