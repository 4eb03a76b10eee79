//! Conviction: a signed verdict is judged again, and a wrong one costs its author the mandates.
//! Spec §9.
//!
//! Only what is a function of signed data, and of state that keeps its history, can be judged
//! again. Nobody is convicted of the rest: an honest authority must never be at risk because the
//! state has moved on.

use placet_protocol::assertion::{Assertion, Verdict};
use placet_protocol::genesis::Authority;
use placet_protocol::transaction::{ConvictAuthority, Transaction, TransferTransaction};
use placet_registry::store::StoreError;
use redb::WriteTransaction;

use crate::authorities;
use crate::circuits;
use crate::execute::{Context, Failure};
use crate::proofs::ProofCheck;
use crate::refusal::Refusal;
use crate::state::{self, AUTHORITIES, COMMITMENTS, Journal, TIMES, has};
use crate::transfer::{
    commitments_doubled, expired, has_empty_leaf, now_is_within, nullifiers_equal,
};

/// The rules that can be judged again, the proof last: it costs most.
const DECIDABLE: [Refusal; 7] = [
    Refusal::Expired,
    Refusal::CircuitNotActive,
    Refusal::NowOutsideWindow,
    Refusal::NullifiersEqual,
    Refusal::NullifierSpent,
    Refusal::CommitmentExists,
    Refusal::ProofInvalid,
];

pub(crate) fn convict(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    proofs: &dyn ProofCheck,
    tx: &ConvictAuthority,
) -> Result<(), Failure> {
    let said = &tx.assertion.assertion;
    let key = tx.assertion.authority.to_bytes();
    let mut author: Authority =
        state::read(txn, AUTHORITIES, &key)?.ok_or(Refusal::UnknownAuthority)?;
    if author.mandates.is_empty() {
        return Err(Refusal::AuthorityUnmandated.into());
    }
    let judged = Transaction::Transfer(tx.transfer.clone());
    if said.transaction != judged.id(&context.chain) || said.proof_hash != judged.proof_hash() {
        return Err(Refusal::EvidenceMismatch.into());
    }
    let case = Evidence { txn, context, proofs, said, transfer: &tx.transfer };
    if said.discretionary || said.judged_at >= context.height {
        return Err(Refusal::EvidenceUndecidable.into());
    }
    tx.assertion.verify(&context.chain).map_err(|_| Refusal::SignatureInvalid)?;
    if !case.has_an_impossible_time()? {
        case.shows_a_wrong_verdict()?;
    }

    author.mandates.clear();
    Ok(authorities::put(txn, journal, &author)?)
}

/// A verdict with what it was given on.
struct Evidence<'a> {
    txn: &'a WriteTransaction,
    context: &'a Context<'a>,
    proofs: &'a dyn ProofCheck,
    said: &'a Assertion,
    transfer: &'a TransferTransaction,
}

impl Evidence<'_> {
    /// Whether the block that was judged is later than the time with which it was judged. No honest
    /// verdict has such a time, and it must not save its author: the verdict counts in blocks as any
    /// other does.
    fn has_an_impossible_time(&self) -> Result<bool, StoreError> {
        let key = self.said.judged_at.to_be_bytes();
        let time: u64 = state::read(self.txn, TIMES, &key)?.ok_or(StoreError::Corrupt)?;
        Ok(time > self.said.judged_time)
    }

    /// # Errors
    /// The verdict was right, or it cannot be decided.
    fn shows_a_wrong_verdict(&self) -> Result<(), Failure> {
        match self.said.verdict {
            Verdict::Approve => {
                for rule in DECIDABLE {
                    let concerns = rule.checkpoints().contains(&self.said.checkpoint);
                    if concerns && self.was_broken(rule)? == Some(true) {
                        return Ok(());
                    }
                }
                Err(Refusal::AssertionWasRight.into())
            }
            Verdict::Reject(number) => {
                let broken = match Refusal::from_number(number) {
                    Some(rule) => self.was_broken(rule)?,
                    None => None,
                };
                match broken {
                    Some(false) => Ok(()),
                    Some(true) => Err(Refusal::AssertionWasRight.into()),
                    None => Err(Refusal::EvidenceUndecidable.into()),
                }
            }
        }
    }

    /// Whether the transfer broke a rule on the state and at the time that were judged; `None` if
    /// that cannot be found out any more.
    fn was_broken(&self, rule: Refusal) -> Result<Option<bool>, Failure> {
        let (said, body) = (self.said, &self.transfer.body);
        Ok(match rule {
            // A transfer is judged for the block after the one whose state is looked at.
            Refusal::Expired => Some(expired(body, said.judged_at + 1)),
            // Changes bind for heights above their block's alone, so the state now says what held
            // then. Which of the three it was, is not held against anybody.
            Refusal::CircuitUnknown | Refusal::CircuitNotActive | Refusal::CircuitDeactivated => {
                let entry = circuits::entry(self.txn, &body.circuit)?;
                Some(circuits::refusal(entry.as_ref(), said.judged_at + 1).is_some())
            }
            Refusal::NowOutsideWindow => {
                let window = self.context.genesis.params.root_window;
                Some(!now_is_within(body, said.judged_time, window))
            }
            Refusal::NullifiersEqual => Some(nullifiers_equal(body)),
            Refusal::NullifierSpent => {
                let mut spent = false;
                for nullifier in [body.nf_position, body.nf_delivery] {
                    let height = state::spent(self.txn, nullifier)?;
                    spent |= height.is_some_and(|height| height <= said.judged_at);
                }
                Some(spent)
            }
            Refusal::CommitmentExists => {
                let mut known = false;
                for leaf in body.leaves() {
                    known |= has(self.txn, COMMITMENTS, &leaf.to_bytes())?;
                }
                // The tree never forgets: what is not in it now was not in it then. When a leaf
                // that is there came is not kept.
                match (commitments_doubled(body), known) {
                    (true, _) => Some(true),
                    (false, false) => Some(false),
                    (false, true) => None,
                }
            }
            Refusal::ProofInvalid => {
                // The key of a circuit that was switched off since is kept.
                match circuits::item(self.txn, self.context, self.transfer)? {
                    Some(item) => {
                        Some(has_empty_leaf(body) || !self.proofs.bad(&[item])?.is_empty())
                    }
                    None => has_empty_leaf(body).then_some(true),
                }
            }
            _ => None,
        })
    }
}
