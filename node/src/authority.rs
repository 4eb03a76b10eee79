//! One authority: its key, its mandates, its own replica of the ledger. Spec §9.

use placet_ledger::{ExecuteError, Ledger, LedgerError, TimeBound};
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::block::{Block, BlockSignature, CertifiedBlock, Entry, Header};
use placet_protocol::finality::{self, Certificate, Finality, Round};
use placet_protocol::signing::{SigningKey, VerifyKey};
use placet_protocol::transaction::Transaction;
use placet_protocol::transaction::registry::{Admission, Approval};
use placet_registry::store::StoreError;

/// Blocks for which an assertion can be relied on.
pub const ASSERTION_LIFETIME: u64 = 100;

/// A validator. Prints nothing of its key.
#[derive(Debug)]
pub struct Authority {
    key: SigningKey,
    ledger: Ledger,
}

impl Authority {
    /// An authority with its replica.
    pub fn new(key: SigningKey, ledger: Ledger) -> Self {
        Self { key, ledger }
    }

    /// Its public key, by which the genesis knows it.
    pub fn public(&self) -> VerifyKey {
        self.key.public()
    }

    /// Its replica.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Verifies a transfer's proof itself, checks what each of its mandates covers in the public
    /// context, and signs one assertion per mandate. Transactions that need no endorsement get
    /// none.
    ///
    /// # Errors
    /// [`ExecuteError`] if nothing could be found out; a reason to reject is not an error.
    pub fn judge(
        &self,
        tx: &Transaction,
        time: u64,
        bound: TimeBound,
    ) -> Result<Vec<SignedAssertion>, ExecuteError> {
        let Transaction::Transfer(transfer) = tx else { return Ok(Vec::new()) };
        let chain = self.ledger.chain();
        let Some(own) = self.ledger.genesis().authority(&self.public()) else {
            return Ok(Vec::new());
        };
        let judgement = self.ledger.judge(transfer, time, bound)?;
        let judged_at = judgement.height;
        let transaction = tx.id(&chain);
        let proof_hash = tx.proof_hash();
        let assertions = judgement
            .verdicts
            .into_iter()
            .filter(|(checkpoint, _)| own.mandates.contains(checkpoint))
            .map(|(checkpoint, refusal)| {
                let assertion = Assertion {
                    transaction,
                    proof_hash,
                    checkpoint,
                    verdict: match refusal {
                        None => Verdict::Approve,
                        Some(refusal) => Verdict::Reject(refusal.number()),
                    },
                    judged_at,
                    judged_time: judgement.time,
                    expires_at: judged_at + ASSERTION_LIFETIME,
                    discretionary: false,
                };
                SignedAssertion::new(assertion, &chain, &self.key)
            });
        Ok(assertions.collect())
    }

    /// Approves the admission of an attestor.
    pub fn approve(&self, admission: &Admission) -> Approval {
        admission.approve(&self.ledger.chain(), &self.key)
    }

    /// Executes what a proposer sent.
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub fn execute(
        &self,
        entries: Vec<Entry>,
        time: u64,
        bound: TimeBound,
    ) -> Result<placet_ledger::Executed, ExecuteError> {
        self.ledger.execute(entries, time, bound)
    }

    /// Votes to make a block final, in a round of its own. Call it only for a block that matches
    /// what was executed here.
    ///
    /// # Errors
    /// [`LedgerError`] if the replica does not know who validates in the block's epoch.
    pub fn sign(&self, block: &Block) -> Result<BlockSignature, LedgerError> {
        let chain = self.ledger.chain();
        let round = round(&block.header, self.ledger.genesis().params.epoch_length);
        let validators = self.ledger.validators(round.epoch)?;
        let validators = validators.ok_or(LedgerError::Store(StoreError::Corrupt))?;
        let id = block.header.id(&chain);
        Ok(finality::sign(&chain, &validators, &id, &round, &NO_CONTEXT, &self.key))
    }
}

/// The context of votes without a consensus engine.
pub(crate) const NO_CONTEXT: [u8; 32] = [0; 32];

/// Where a block is voted on without a consensus engine: every height is a view of its own.
pub(crate) fn round(header: &Header, epoch_length: u64) -> Round {
    let epoch = finality::epoch_of(header.height, epoch_length);
    Round { epoch, view: header.height, parent: header.height.saturating_sub(1) }
}

/// Puts votes of [`Authority::sign`] together.
pub fn certify(
    block: Block,
    mut signatures: Vec<BlockSignature>,
    epoch_length: u64,
) -> CertifiedBlock {
    signatures.sort_by_key(|signature| signature.authority);
    let round = round(&block.header, epoch_length);
    let certificate = Certificate { round, context: NO_CONTEXT, signatures };
    CertifiedBlock { block, finality: Finality { descendants: Vec::new(), certificate } }
}
