//! Proofs, true and forged, and how they reach the authorities: through the wallet, or past it.

use std::time::Instant;

use placet_ledger::{Refusal, TimeBound};
use placet_protocol::transaction::{Transaction, TransferTransaction, TxId};
use placet_prover::{Phase, ProofSeed};
use placet_wallet::holder::{Draft, Prepared, Request};
use placet_wallet::network::{Network, Rejection, SubmitError};

use super::cast::Person;
use super::stage::{Done, Stage, fault, random, surprise};
use crate::fail::Result;

impl Stage {
    /// Plans, has a redemption countersigned, proves; the proof is timed and verified once more.
    pub fn prove(&mut self, person: Person, request: &Request) -> Result<TransferTransaction> {
        let draft = self.plan(person, request)?.map_err(|error| {
            surprise(format!("{}'s wallet refused an honest transfer: {error}", person.first()))
        })?;
        self.prove_draft(draft)
    }

    /// The same from a statement that holds.
    pub fn prove_draft(&mut self, draft: Draft) -> Result<TransferTransaction> {
        let mut prepared = self.prepare(draft)?;
        if prepared.body.redemption.is_some() {
            self.sync_officers()?;
            let (_, signature) =
                self.agent.countersign_redemption(&prepared.body).map_err(fault)?;
            prepared = prepared.countersigned(signature);
        }
        let working = self.progress.spinner("proving");
        let mut observer = |phase: Phase| {
            working.says(match phase {
                Phase::Check => "checking every clause",
                Phase::Synthesize => "computing the circuit's wires",
                Phase::Prove => "proving",
                Phase::SelfVerify => "verifying the own proof",
            });
        };
        let begun = Instant::now();
        let transaction =
            prepared.prove(&self.prover, ProofSeed::from_os()?, &mut observer).map_err(fault)?;
        self.proving.push(begun.elapsed());
        let begun = Instant::now();
        self.prover.verifier().verify(&prepared.public, &transaction.proof).map_err(fault)?;
        self.verifying.push(begun.elapsed());
        if let Some(export) = self.export.take() {
            self.exported = Some(export.write(self, &prepared, &transaction)?);
        }
        Ok(transaction)
    }

    /// A proof of a statement that the attacker wrote, by a prover that checks nothing.
    pub fn forge(&mut self, mut draft: Draft) -> Result<TransferTransaction> {
        // Whatever the lie leads to is what is published: nothing but the witness is wrong.
        draft.rederive();
        if draft.check().is_ok() {
            return Err(surprise("a statement meant to be false holds"));
        }
        let prepared = self.prepare(draft)?;
        let _working = self.progress.spinner("forging a proof");
        let proof = self
            .prover
            .forge(&prepared.public, &prepared.witness, ProofSeed::from_os()?)
            .map_err(fault)?;
        self.forged += 1;
        Ok(prepared.with_proof(proof.to_bytes()))
    }

    fn prepare(&self, draft: Draft) -> Result<Prepared> {
        draft.prepare(&self.chain_id(), &random()?).map_err(fault)
    }

    /// Journals and submits through the wallet, and waits until it is final.
    pub fn submit(&mut self, person: Person, transaction: TransferTransaction) -> Result<TxId> {
        let _working = self.progress.spinner("waiting for the authorities");
        let holder = &mut self.holders[person as usize];
        let submitted = holder.submit(&self.chain, transaction).map_err(|error| {
            surprise(format!("{}'s honest transfer was not executed: {error}", person.first()))
        })?;
        Ok(submitted.id)
    }

    /// Past the wallet, straight at the ledger: the refusal, or `None` if it was executed.
    pub fn attack(&self, transaction: &TransferTransaction) -> Result<Option<Rejection>> {
        let _working = self.progress.spinner("straight at the ledger");
        match self.chain.submit(&Transaction::Transfer(transaction.clone())) {
            Ok(_) => Ok(None),
            Err(SubmitError::Rejected(rejection)) => Ok(Some(rejection)),
            Err(SubmitError::Network(error)) => Err(self.chain.network_failure(&error)),
        }
    }

    /// Whether every public rule holds for a transaction and only its proof is invalid: each
    /// checkpoint's first reason to reject it is the proof.
    pub fn is_wrong_in_its_proof_only(&self, transaction: &TransferTransaction) -> Result<bool> {
        let proposer = self.chain.node().authorities().first();
        let ledger = proposer.ok_or_else(|| surprise("there is no authority"))?.ledger();
        let judged = ledger.judge(transaction, self.now()?, TimeBound::Any).map_err(fault)?;
        Ok(judged.verdicts.iter().all(|(_, refusal)| *refusal == Some(Refusal::ProofInvalid)))
    }

    /// The digest of the whole state, if all replicas have the same.
    pub fn common_state(&self) -> Result<Option<[u8; 32]>> {
        let _working = self.progress.spinner("comparing the replicas");
        let mut digests = Vec::new();
        for authority in self.chain.node().authorities() {
            let view = authority.ledger().view().map_err(fault)?;
            digests.push(view.full_digest().map_err(fault)?);
        }
        digests.dedup();
        Ok(if digests.len() == 1 { digests.pop() } else { None })
    }

    /// Plans, proves and submits through the wallet.
    pub fn transfer(&mut self, person: Person, request: &Request) -> Result<Done> {
        let begun = Instant::now();
        let transaction = self.prove(person, request)?;
        let id = self.submit(person, transaction)?;
        Ok(Done { id, took: begun.elapsed() })
    }
}
