//! The rules of registry transactions: attestors, credentials, the sanctions list. Spec §4.

use placet_protocol::field::AttestorId;
use placet_protocol::transaction::registry::{
    AdmitAttestor, IssueCredential, PublishSanctions, RevokeCredential,
};
use placet_protocol::wire::Wire;
use placet_registry::credentials::{self, CredentialError, Issuance, Quota, Revocation, Urgency};
use placet_registry::persons::PersonError;
use placet_registry::roots::NETWORK;
use placet_registry::store::StoreError;
use redb::WriteTransaction;

use crate::execute::{Context, Failure, advance};
use crate::refusal::Refusal;
use crate::state::{
    self, ASSETS, ATTESTOR_NAMES, ATTESTORS, AssetRecord, AttestorRecord, Journal, POLICIES,
    REGISTRY_ROOTS, SANCTIONS, SANCTIONS_ROOTS, has,
};

pub(crate) fn admit(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &AdmitAttestor,
) -> Result<(), Failure> {
    let id = tx.admission.key.attestor_id();
    let name = tx.admission.name.as_bytes();
    if has(txn, ATTESTORS, &id.to_bytes())? || has(txn, ATTESTOR_NAMES, name)? {
        return Err(Refusal::AttestorExists.into());
    }
    let sitting =
        tx.approvals.iter().filter(|a| context.sitting.authority(&a.authority).is_some()).count();
    if sitting < context.sitting.majority() || sitting != tx.approvals.len() {
        return Err(Refusal::NoMajority.into());
    }
    tx.verify(&context.chain).map_err(|_| Refusal::SignatureInvalid)?;

    let record = AttestorRecord {
        name: tx.admission.name.clone(),
        key: tx.admission.key,
        admitted_at: context.height,
        dismissed: false,
    };
    journal.put(txn, ATTESTORS, &id.to_bytes(), &record.to_wire())?;
    journal.put(txn, ATTESTOR_NAMES, name, &id.to_bytes())?;
    Ok(())
}

/// The admitted attestor with this id.
fn sitting_attestor(txn: &WriteTransaction, id: AttestorId) -> Result<AttestorRecord, Failure> {
    let record = state::attestor(txn, id)?.filter(|record| !record.dismissed);
    record.ok_or(Refusal::UnknownAttestor.into())
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        use CredentialError as C;
        let refusal = match error {
            C::Replayed => Refusal::SequenceReplayed,
            C::SequenceTooFar => Refusal::SequenceTooFar,
            C::Duplicate => Refusal::CredentialExists,
            C::Nobody => Refusal::UnknownAttestor,
            C::Full => Refusal::RegistryFull,
            C::NoSuchCredential => Refusal::UnknownCredential,
            C::NotTheIssuer => Refusal::NotTheIssuingAttestor,
            C::AlreadyRevoked => Refusal::AlreadyRevoked,
            C::QuotaExhausted => Refusal::UrgentQuotaExhausted,
            C::Person(PersonError::NoSubject | PersonError::BadValidity) => Refusal::TagValidity,
            C::Person(PersonError::ValidTooLong) => Refusal::TagTooLong,
            C::Person(PersonError::HolderRetired) => Refusal::HolderRetired,
            C::Person(PersonError::SecondKey) => Refusal::SecondKey,
            C::Person(PersonError::Store(error)) | C::Store(error) => return error.into(),
        };
        refusal.into()
    }
}

pub(crate) fn issue(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &IssueCredential,
) -> Result<(), Failure> {
    let message = &tx.message;
    let attestor = sitting_attestor(txn, message.attestor)?;
    tx.verify(&context.chain, &attestor.key).map_err(|_| Refusal::SignatureInvalid)?;
    let issuance = Issuance {
        attestor: message.attestor,
        sequence: message.sequence,
        inner: message.inner,
        tags: message.tags.as_ref(),
    };
    let index = journal.credentials.issue(txn, &issuance, context.time)?;
    journal.note(b"credential-issued", &index.to_be_bytes());
    Ok(())
}

pub(crate) fn revoke(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &RevokeCredential,
) -> Result<(), Failure> {
    let message = &tx.message;
    let attestor = sitting_attestor(txn, message.attestor)?;
    tx.verify(&context.chain, &attestor.key).map_err(|_| Refusal::SignatureInvalid)?;
    let params = &context.genesis.params;
    let quota = Quota { per_epoch: params.urgent_quota, epoch_seconds: params.urgent_epoch };
    let revocation = Revocation {
        attestor: message.attestor,
        sequence: message.sequence,
        index: message.leaf,
        urgency: if message.urgent { Urgency::Urgent(quota) } else { Urgency::Ordinary },
    };
    // The credential may be one of this block.
    journal.credentials.append(txn)?;
    credentials::revoke(txn, &revocation, context.time)?;
    journal.note(b"credential-revoked", &message.leaf.to_be_bytes());
    if message.urgent {
        let root = credentials::root(txn)?.to_bytes();
        advance(txn, REGISTRY_ROOTS, &NETWORK, &root, context.time, true)?;
    }
    Ok(())
}

pub(crate) fn publish_sanctions(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &PublishSanctions,
) -> Result<(), Failure> {
    let message = &tx.message;
    // The signature first: the version in force stands in a list of up to 8 MiB.
    tx.verify(&context.chain, &context.genesis.sanctions_publisher)
        .map_err(|_| Refusal::SignatureInvalid)?;
    if Some(message.version) != state::sanctions(txn)?.version.checked_add(1) {
        return Err(Refusal::SanctionsVersion.into());
    }
    // The decoder bounds the list; one built by hand may still be too long.
    let root = context.roots.sanctions_root(&message.subjects);
    let root = root.map_err(|_| Refusal::Malformed)?.to_bytes();

    journal.put(txn, SANCTIONS, b"current", &message.to_wire())?;
    advance(txn, SANCTIONS_ROOTS, &NETWORK, &root, context.time, message.urgent)
}

/// Dismisses an attestor: it may neither issue nor revoke any more, and NOBODY takes its place in
/// every policy, at once for an urgent dismissal. No transaction calls this yet: dismissal is a
/// decision of governance (spec §10).
///
/// # Errors
/// [`Refusal::UnknownAttestor`] if there is no such sitting attestor.
#[cfg_attr(not(test), allow(dead_code))] // governance will call it; its tests do today
pub(crate) fn dismiss_attestor(
    txn: &WriteTransaction,
    journal: &mut Journal,
    time: u64,
    id: AttestorId,
    urgent: bool,
) -> Result<(), Failure> {
    let mut attestor = sitting_attestor(txn, id)?;
    attestor.dismissed = true;
    journal.put(txn, ATTESTORS, &id.to_bytes(), &attestor.to_wire())?;
    let assets: Vec<AssetRecord> = state::all(txn, ASSETS)?;
    for mut asset in assets {
        let before = asset.registration.policy.clone();
        asset.registration.policy.dismiss(id);
        if asset.registration.policy != before {
            state::put_asset(txn, journal, &asset)?;
            let hash = asset.proven_policy().hash().to_bytes();
            advance(txn, POLICIES, &asset.id.to_bytes(), &hash, time, urgent)?;
        }
    }
    Ok(())
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use placet_protocol::transaction::Transaction;

    use crate::common::{World, attestor};
    use crate::refusal::Refusal;

    #[test]
    fn a_dismissed_attestor_leaves_every_policy_and_issues_nothing() {
        for urgent in [false, true] {
            let mut world = World::memory();
            let assets = [world.asset("A"), world.asset("B")];
            let transfer = world.transfer(assets[0]);
            let id = attestor().public().attestor_id();
            world.ledger.dismiss_for_test(id, urgent).unwrap();
            let view = world.ledger.view().unwrap();
            for asset in assets {
                let record = view.asset(asset).unwrap().unwrap();
                assert!(record.registration.policy.identity_attestors.is_empty());
                let proven = record.proven_policy();
                assert_eq!(view.policy_hash(asset).unwrap(), Some(proven.hash()));
                assert!(!proven.attestors.identity.contains(&id));
            }
            let issue = world.issue(1, None);
            assert_eq!(world.refusal(issue), Some(Refusal::UnknownAttestor));
            // Proofs in flight survive an ordinary dismissal, not an urgent one.
            let expected = urgent.then_some(Refusal::PolicyNotInForce);
            assert_eq!(world.refusal(Transaction::Transfer(transfer)), expected);
        }
    }
}
