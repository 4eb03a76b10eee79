//! What of somebody's block is looked at before any of its proofs is verified, so that a leader
//! cannot make the others work for a block that a cheap rule refuses. Spec §11.
//!
//! Everything here only hastens a verdict that execution would reach as well.

use placet_protocol::block::Entry;
use placet_protocol::genesis::ChainId;
use placet_protocol::transaction::Transaction;
use redb::WriteTransaction;

use crate::execute::{
    Context, Failure, Look, check_before_proof, check_form, check_unendorsed, proof_item,
};
use crate::proofs::ProofItem;
use crate::refusal::Refusal;
use crate::transfer::check_wording;

/// The first entry whose form, or whose assertions' form, is not as it should be in a block of this
/// height. No state is needed.
pub(crate) fn check_forms(
    chain: &ChainId,
    height: u64,
    entries: &[Entry],
) -> Result<(), (usize, Refusal)> {
    for (index, entry) in entries.iter().enumerate() {
        let assertions = || match &entry.transaction {
            tx @ Transaction::Transfer(_) => check_wording(chain, height, tx, &entry.assertions),
            _ => check_unendorsed(entry),
        };
        let sound = check_form(&entry.transaction).and_then(|()| assertions());
        sound.map_err(|refusal| (index, refusal))?;
    }
    Ok(())
}

/// Indices of transfers with what there is to verify, or the first refusal that lasts.
type Screened = Result<Vec<(usize, ProofItem)>, (usize, Refusal)>;

/// Tries every rule before the proof on the state before the block. Gives the transfers that pass
/// all of them. The forms were checked before.
pub(crate) fn screen(
    txn: &WriteTransaction,
    context: &Context<'_>,
    entries: &[Entry],
) -> Result<Screened, Failure> {
    let mut passed = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let Transaction::Transfer(tx) = &entry.transaction else { continue };
        match check_before_proof(txn, context, entry, tx, 0, Look::Standing) {
            Ok(_) => passed.push((index, proof_item(txn, context, tx)?)),
            Err(Failure::Refused(refusal)) if lasts(refusal) => {
                return Ok(Err((index, refusal)));
            }
            // An earlier transaction of the block may set it right; when its turn comes, it is
            // refused before its proof is looked at, or verified alone.
            Err(Failure::Refused(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(Ok(passed))
}

/// Whether a rule that is broken on the state before a block is broken in the block, whatever
/// stands before the transfer: it depends on the header, on who sat before, or on what only grows
/// or only changes when the block is closed or for later heights. An asset, its policy, a freeze, a counter, the
/// registry's root and that of the sanctions list can change within the block.
fn lasts(refusal: Refusal) -> bool {
    use Refusal as R;
    matches!(
        refusal,
        R::Malformed
            | R::TooLarge
            | R::Expired
            | R::CircuitUnknown
            | R::CircuitNotActive
            | R::CircuitDeactivated
            | R::NowOutsideWindow
            | R::NoteRootUnknown
            | R::NullifiersEqual
            | R::NullifierSpent
            | R::CommitmentExists
            | R::NoteTreeFull
            | R::AssertionInvalid
            | R::ProofInvalid
    )
}
