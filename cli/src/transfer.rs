//! From a wish to a final transaction: plan, check, prove, send, follow. Used by every command that
//! moves units.

use std::num::NonZeroU64;
use std::sync::Arc;

use placet_protocol::address::Address;
use placet_protocol::circuit::{CircuitEntry, CircuitId};
use placet_protocol::field::{AssetId, Commitment};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use placet_prover::{Phase, ProofSeed, Prover};
use placet_wallet::agent::Agent;
use placet_wallet::holder::{
    Draft, LockConsent, Payment, PlanError, Prepared, Received, Request, Start,
};
use placet_wallet::network::Submitted;
use serde_json::json;

use crate::app::App;
use crate::data::Name;
use crate::fail::{Failure, Result};
use crate::output::Report;
use crate::refusals::{send_failure, sync_failure};
use crate::shell::Background;
use crate::wallet::{Wallet, genesis};
use crate::{agent, lookup, time};

/// What a holder wants.
pub enum Wish {
    /// Send units.
    Send {
        /// Of what.
        asset: AssetId,
        /// To whom.
        to: Address,
        /// How many smallest units.
        units: NonZeroU64,
        /// Seconds after which they can be taken back.
        deadline: u64,
    },
    /// Accept a delivery.
    Accept {
        /// Which.
        delivery: Received,
        /// Whether a longer lock is fine.
        consent: bool,
    },
    /// Take a delivery back.
    Refund {
        /// Of what.
        asset: AssetId,
        /// Which.
        delivery: Commitment,
    },
    /// Redeem units.
    Redeem {
        /// Of what.
        asset: AssetId,
        /// How many smallest units.
        units: NonZeroU64,
        /// Who countersigns.
        agent: Option<Name>,
    },
}

impl Wish {
    fn request(&self, now: u64) -> Request {
        match self {
            Self::Send { asset, to, units, deadline } => {
                let deadline = now.saturating_add(*deadline);
                Request::send(*asset, Payment { to: *to, amount: *units, deadline })
            }
            Self::Accept { delivery, consent } => {
                let lock = if *consent { LockConsent::Given } else { LockConsent::Ask };
                Request::accept(delivery.asset, delivery.cm, lock)
            }
            Self::Refund { asset, delivery } => Request::refund(*asset, *delivery),
            Self::Redeem { asset, units, .. } => Request::redeem(*asset, *units),
        }
    }
}

/// What proves: a prover once it was needed, and what was prepared for it.
#[derive(Default)]
pub struct Proving {
    loaded: Option<(CircuitId, Arc<Prover<Transfer>>)>,
    ahead: Option<Arc<Background>>,
}

impl Proving {
    /// Proves from what `background` has prepared.
    pub fn ahead(background: Arc<Background>) -> Self {
        Self { loaded: None, ahead: Some(background) }
    }

    /// Loads a prover of a circuit that the next block accepts and whose key is at hand: the one
    /// that was loaded before, or of the active ones the first whose key is there, those that became
    /// active last first.
    pub fn choose(&mut self, wallet: &Wallet) -> Result<(CircuitEntry, Arc<Prover<Transfer>>)> {
        let known = wallet.holder.circuits()?;
        let active = known.active(Transfer::NAME, wallet.holder.anchor()?.height + 1);
        if let Some((id, prover)) = &self.loaded
            && let Some(entry) = active.iter().find(|entry| entry.id == *id)
        {
            return Ok(((*entry).clone(), prover.clone()));
        }
        let mut missing = None;
        for entry in active {
            match wallet.chain.prover(&entry.pin()) {
                Ok(found) => {
                    let found = Arc::new(found);
                    self.loaded = Some((entry.id, found.clone()));
                    return Ok((entry.clone(), found));
                }
                Err(failure) => {
                    missing.get_or_insert(failure.with(&format!("for circuit {}", entry.id)));
                }
            }
        }
        Err(missing.unwrap_or_else(|| PlanError::NoCircuit.into()))
    }
}

/// Fulfils wishes one after the other and reports each.
pub fn run(
    app: &mut App,
    wallet: &mut Wallet,
    proving: &mut Proving,
    wishes: Vec<(String, Wish)>,
) -> Result<Report> {
    let (mut lines, mut done) = (Vec::new(), Vec::new());
    for (title, wish) in wishes {
        let fulfilled = fulfil(app, wallet, proving, &wish);
        let Done { delivery, submitted, circuit, start } =
            fulfilled.map_err(|failure| failure.after(done.len()))?;
        lines
            .push(format!("{title}\n  transaction {} in block {}", submitted.id, submitted.height));
        if let Some(end) = circuit.deactivation {
            lines.push(format!(
                "  note: this network takes proofs of circuit {} up to height {}, and not later",
                &circuit.id.to_string()[..16],
                end.saturating_sub(1),
            ));
        }
        let mut entry = json!({
            "did": title, "transaction": submitted.id.to_string(), "height": submitted.height,
            "circuit": circuit.id.to_string(), "circuit_ends": circuit.deactivation,
            "prepared": start == Start::Warm,
        });
        if matches!(wish, Wish::Send { .. }) {
            entry["delivery"] = json!(delivery.to_string());
        }
        done.push(entry);
    }
    let json = match done.as_slice() {
        [one] => one.clone(),
        _ => done.clone().into(),
    };
    Ok(Report::new(lines.join("\n"), json))
}

/// A fulfilled wish.
struct Done {
    /// The delivery that was made; an empty one where nothing was sent.
    delivery: Commitment,
    /// Where it was executed.
    submitted: Submitted,
    /// What proved it.
    circuit: CircuitEntry,
    /// Whether the proof was begun beforehand.
    start: Start,
}

/// One wish. The native check comes before the key is loaded: a refusal should not take seconds.
fn fulfil(app: &mut App, wallet: &mut Wallet, proving: &mut Proving, wish: &Wish) -> Result<Done> {
    // Before the plan: what is planned has to be executed soon, and people type slowly.
    let agent = match wish {
        Wish::Redeem { asset, agent, .. } => {
            Some(countersigner(app, wallet, *asset, agent.as_ref())?)
        }
        _ => None,
    };
    let request = wish.request(wallet.holder.anchor()?.time);
    let mut draft = plan(wallet, &request)?;
    let (circuit, prover) = proving.choose(wallet)?;
    draft.circuit = circuit.id;
    let mut prepared = prepare(wallet, draft)?;
    if let Some(agent) = agent {
        let (_, signature) = agent.countersign_redemption(&prepared.body)?;
        prepared = prepared.countersigned(signature);
    }
    let delivery = prepared.body.cm_delivery;
    let ahead = proving.ahead.as_deref();
    let (submitted, start) = prove_and_send(app, wallet, &prover, ahead, &prepared)?;
    Ok(Done { delivery, submitted, circuit, start })
}

/// Settles everything that receivers have accepted, and says how much and what stood against the
/// rest: with an expired credential, say, it waits.
pub fn settle_all(
    app: &mut App,
    wallet: &mut Wallet,
    proving: &mut Proving,
) -> Result<(usize, Option<PlanError>)> {
    let mut settled = 0;
    let waiting = |wallet: &Wallet| {
        let mut accounts = wallet.holder.accounts().iter();
        accounts.find(|account| account.settleable().is_some()).map(|account| account.asset)
    };
    while let Some(asset) = waiting(wallet) {
        let draft = match wallet.holder.plan(&Request::settle(asset)) {
            Ok(draft) => draft,
            Err(PlanError::Store(error)) => return Err(error.into()),
            Err(hindrance) => return Ok((settled, Some(hindrance))),
        };
        let mut draft = draft;
        let (circuit, prover) = proving.choose(wallet)?;
        draft.circuit = circuit.id;
        let prepared = prepare(wallet, draft)?;
        prove_and_send(app, wallet, &prover, proving.ahead.as_deref(), &prepared)?;
        settled += 1;
    }
    Ok((settled, None))
}

fn plan(wallet: &Wallet, request: &Request) -> Result<Draft> {
    match wallet.holder.plan(request) {
        Err(PlanError::NeedsConfirmation(lock)) => Err(Failure::input(
            "needs-confirmation",
            format!(
                "accepting would keep units that you hold locked until {} instead of {}",
                time::format(lock.to),
                time::format(lock.from),
            ),
            "repeat with --longer-lock if you agree",
        )),
        other => Ok(other?),
    }
}

fn prepare(wallet: &Wallet, draft: Draft) -> Result<Prepared> {
    let mut random = zeroize::Zeroizing::new([0u8; 64]);
    getrandom::fill(random.as_mut_slice())?;
    draft.prepare(wallet.holder.chain(), &random).map_err(|error| Failure::internal(&error))
}

/// The transfer agent of an asset, from the same data directory.
fn countersigner(
    app: &mut App,
    wallet: &mut Wallet,
    asset: AssetId,
    named: Option<&Name>,
) -> Result<Agent> {
    let asset = lookup::asset(&wallet.holder.read()?, &asset.to_string())?;
    let home = agent::home_of(app, &asset, named)?;
    let seed = app.unlock(&home)?.phrase.seed();
    wallet.chain.freshen()?;
    wallet.sync(app)?;
    let mut agent = Agent::open(&home.store(), &genesis(&wallet.chain)?, &seed)?;
    agent.sync(&wallet.chain, &mut |_| {}).map_err(|error| sync_failure(&wallet.chain, error))?;
    Ok(agent)
}

fn prove_and_send(
    app: &App,
    wallet: &mut Wallet,
    prover: &Prover<Transfer>,
    ahead: Option<&Background>,
    prepared: &Prepared,
) -> Result<(Submitted, Start)> {
    let working = app.progress.spinner("proving");
    let mut observe = |phase| {
        working.says(match phase {
            Phase::Check => "checking every clause",
            Phase::Synthesize => "computing the witness",
            Phase::Prove => "proving",
            Phase::SelfVerify => "verifying the own proof",
        });
    };
    let seed = ProofSeed::from_os()?;
    let (transaction, start) = match ahead {
        Some(ahead) => ahead.prove(prover, prepared, seed, &mut observe)?,
        None => (prepared.prove(prover, seed, &mut observe)?, Start::Cold),
    };
    working.says("waiting for the authorities");
    let submitted = wallet
        .holder
        .submit(&wallet.chain, transaction)
        .map_err(|error| send_failure(&wallet.chain, error))?;
    drop(working);
    wallet.sync(app)?;
    Ok((submitted, start))
}
