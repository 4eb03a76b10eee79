//! Who sits: the authorities in the state, the validators of each epoch, and the transaction that
//! changes them. Spec §9, §10.

use placet_protocol::finality::{Validators, ends_epoch, epoch_of, quorum};
use placet_protocol::genesis::{Authority, Checkpoint, MAX_AUTHORITIES};
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::{AuthorityChange, ChangeAuthorities};
use placet_protocol::wire::Wire;
use placet_registry::store::{StoreError, Transaction};
use redb::WriteTransaction;

use crate::execute::{Context, Failure};
use crate::refusal::Refusal;
use crate::state::{self, AUTHORITIES, HANDOFFS, Journal, META, VALIDATORS, meta};

/// The authorities that sit at the beginning of a block, in order of their keys. Changes within the
/// block bind from the next one on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitting(Vec<Authority>);

impl Sitting {
    /// Those in the state.
    pub(crate) fn load(txn: &impl Transaction) -> Result<Self, StoreError> {
        Ok(Self(state::all(txn, AUTHORITIES)?))
    }

    /// In order of their keys.
    pub fn authorities(&self) -> &[Authority] {
        &self.0
    }

    /// The one with this key.
    pub fn authority(&self, key: &VerifyKey) -> Option<&Authority> {
        self.0.iter().find(|authority| authority.key == *key)
    }

    /// How many have the mandate for a checkpoint.
    pub fn mandated(&self, checkpoint: Checkpoint) -> usize {
        self.0.iter().filter(|authority| authority.mandates.contains(&checkpoint)).count()
    }

    /// Approvals that admit an attestor: more than half.
    pub fn majority(&self) -> usize {
        self.0.len() / 2 + 1
    }

    /// Approvals that change the authorities: more than two thirds.
    pub fn quorum(&self) -> usize {
        quorum(self.0.len())
    }

    /// Their keys; an error if the rules for changes were not kept.
    pub(crate) fn validators(&self) -> Result<Validators, StoreError> {
        Validators::new(self.0.iter().map(|authority| authority.key)).ok_or(StoreError::Corrupt)
    }
}

/// Closes a block: at the end of an epoch those who sit become the next one's validators, and it is
/// noted if they are others than before. Returns
/// the keys sitting behind the block.
pub(crate) fn close(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
) -> Result<Validators, StoreError> {
    let validators = Sitting::load(txn)?.validators()?;
    let length = context.genesis.params.epoch_length;
    if ends_epoch(context.height, length) {
        let epoch = epoch_of(context.height, length);
        let next = (epoch + 1).to_be_bytes();
        let present = state::validators(txn, epoch)?.ok_or(StoreError::Corrupt)?;
        if validators != present {
            journal.put(txn, HANDOFFS, &next, &[])?;
        }
        journal.put(txn, VALIDATORS, &next, &validators.to_wire())?;
    }
    Ok(validators)
}

/// Number of the last change; 0 before the first.
pub(crate) fn last_change(txn: &impl Transaction) -> Result<u64, StoreError> {
    Ok(state::read(txn, META, meta::AUTHORITY_CHANGE)?.unwrap_or(0))
}

pub(crate) fn change(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &ChangeAuthorities,
) -> Result<(), Failure> {
    let number = tx.change.number;
    if last_change(txn)?.checked_add(1) != Some(number) {
        return Err(Refusal::AuthorityChangeNumber.into());
    }
    // Who may approve was settled with the block before; whom the change meets, a moment ago.
    let sitting = context.sitting;
    let strangers = tx.approvals.iter().any(|a| sitting.authority(&a.authority).is_none());
    if strangers || tx.approvals.len() < sitting.quorum() {
        return Err(Refusal::NoQuorum.into());
    }
    let present = Sitting::load(txn)?;
    let key = tx.change.change.key();
    let sits = present.authority(&key).is_some();
    match &tx.change.change {
        AuthorityChange::Appoint(authority) => {
            let mut others = present.authorities().iter().filter(|other| other.key != key);
            if others.any(|other| other.name == authority.name) {
                return Err(Refusal::AuthorityNameTaken.into());
            }
            if !sits && present.authorities().len() >= MAX_AUTHORITIES {
                return Err(Refusal::TooManyAuthorities.into());
            }
        }
        AuthorityChange::Dismiss(_) if !sits => return Err(Refusal::UnknownAuthority.into()),
        AuthorityChange::Dismiss(_) if present.authorities().len() == 1 => {
            return Err(Refusal::LastAuthority.into());
        }
        AuthorityChange::Dismiss(_) => {}
    }
    tx.verify(&context.chain).map_err(|_| Refusal::SignatureInvalid)?;

    journal.put(txn, META, meta::AUTHORITY_CHANGE, &number.to_le_bytes())?;
    match &tx.change.change {
        AuthorityChange::Appoint(authority) => put(txn, journal, authority)?,
        AuthorityChange::Dismiss(key) => journal.remove(txn, AUTHORITIES, &key.to_bytes())?,
    }
    Ok(())
}

/// Writes an authority's record.
pub(crate) fn put(
    txn: &WriteTransaction,
    journal: &mut Journal,
    authority: &Authority,
) -> Result<(), StoreError> {
    journal.put(txn, AUTHORITIES, &authority.key.to_bytes(), &authority.to_wire())
}

#[cfg(test)]
mod tests {
    use placet_protocol::transaction::{NumberedChange, Transaction as Tx};

    use super::*;
    use crate::common::{World, authority_keys};

    #[test]
    fn epochs_with_other_validators_are_noted_and_no_others() {
        let length = 4;
        let mut world = World::with_epochs_of(length);
        let keys = authority_keys();
        let renamed = |name: &str| {
            let mut authority = world.ledger.genesis().authorities[0].clone();
            authority.name = name.into();
            AuthorityChange::Appoint(authority)
        };
        // What changes in which epoch; another name is no change of validators.
        let (first, dismissed) = (renamed("first"), AuthorityChange::Dismiss(keys[3].public()));
        let changes = [(1, first), (3, dismissed), (5, renamed("second"))];
        for (number, (epoch, change)) in (1..).zip(changes) {
            while world.ledger.tip().unwrap().height / length < epoch {
                world.wait(1);
            }
            let change = NumberedChange { number, change };
            let approvals = keys[..3].iter().map(|key| change.approve(&world.chain, key)).collect();
            let appoints = matches!(change.change, AuthorityChange::Appoint(_));
            let possession = appoints.then(|| change.possession(&world.chain, &keys[0]));
            let tx = ChangeAuthorities::new(change, possession, approvals);
            world.accept(vec![Tx::ChangeAuthorities(tx)]);
        }
        while world.ledger.tip().unwrap().height / length < 7 {
            world.wait(1);
        }
        let txn = world.ledger.read().unwrap();
        assert_eq!(state::handoffs(&txn, u64::MAX, 10).unwrap(), [4]);
        assert_eq!(state::handoffs(&txn, 4, 10).unwrap(), [4]);
        assert_eq!(state::handoffs(&txn, 3, 10).unwrap(), [0; 0]);
        assert_eq!(state::handoffs(&txn, 4, 0).unwrap(), [0; 0]);
    }
}
