//! A proof for a token transfer, from a wallet's credential and present position. Nothing goes to
//! Placet's ledger; the position is not spent there.

use placet_evm::{Address, TokenTransfer, Word, calls, inputs, proof_words};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::Transfer;
use placet_prover::ProofSeed;
use placet_wallet::holder::{PlanError, Request};
use serde_json::json;

use crate::app::App;
use crate::data::Name;
use crate::evm::Target;
use crate::fail::{Exit, Failure, Result};
use crate::lookup;
use crate::output::Report;
use crate::time;
use crate::wallet::{Purpose, Wallet};

/// The token transfer that is to be permitted.
pub struct Wish {
    /// The token.
    pub token: Address,
    /// Who sends.
    pub from: Address,
    /// Who receives.
    pub to: Address,
    /// The token's smallest units.
    pub amount: Word,
    /// Seconds from the newest block for which the permission is good.
    pub duration: u64,
}

/// Proves and prints the call of the adapter.
pub fn run(app: &mut App, name: &Name, target: &Target, wish: &Wish) -> Result<Report> {
    let wallet = Wallet::open(app, name, Purpose::Move)?;
    let asset = lookup::asset(&wallet.holder.read()?, &target.asset)?;
    let adapter = super::adapter(&wallet.chain, target, asset.id)?;
    // Nothing is sent, so the slot settles what is to be settled or stays empty. `plan` would refuse
    // the empty one, because a ledger has no use for it.
    let mut draft = wallet.holder.draft(&Request::settle(asset.id))?;
    let known = wallet.holder.circuits()?;
    let active = known.active(Transfer::NAME, draft.anchor_height + 1);
    let circuit = active.iter().find(|entry| entry.id == adapter.circuit).ok_or_else(|| {
        Failure::input(
            "circuit",
            format!("circuit {} is not active on this network", adapter.circuit),
            "the adapter's verifier is for another circuit: ask whoever runs the token",
        )
    })?;
    let transfer = TokenTransfer {
        adapter,
        token: wish.token,
        from: wish.from,
        to: wish.to,
        amount: wish.amount,
        deadline: draft.public.now.saturating_add(wish.duration),
    };
    draft.public.binding = transfer.binding(&draft.public);
    draft.check().map_err(|violation| Failure::from(PlanError::Violated(violation)))?;
    let prover = wallet.chain.prover(&circuit.pin())?;
    let proof = {
        let _working = app.progress.spinner("proving");
        prover.prove(&draft.public, &draft.witness, ProofSeed::from_os()?)?.to_bytes()
    };
    let words = proof_words(&proof)
        .map_err(|error| Failure::from_error(Exit::Internal, "proof", &error))?;
    let call = calls::authorise(&words, &inputs(&draft.public), &transfer);
    let calldata = format!("0x{}", hex::encode(call));
    let text = format!(
        "{calldata}\n\nsend this call to the adapter {} before {}; anybody may send it\nit needs the roots behind block {} to be posted there",
        adapter.address,
        time::format(transfer.deadline),
        draft.anchor_height,
    );
    let json = json!({
        "to": adapter.address, "calldata": calldata, "deadline": transfer.deadline,
        "height": draft.anchor_height, "now": draft.public.now,
    });
    Ok(Report::new(text, json))
}
