//! Transactions about the authorities themselves: appointment, dismissal, and conviction of a wrong
//! assertion. Spec §9, §10.

use super::TransferTransaction;
use super::registry::Approval;
use crate::assertion::SignedAssertion;
use crate::genesis::{Authority, ChainId, MAX_AUTHORITIES};
use crate::signing::{BadSignature, Context, Signature, SigningKey, VerifyKey};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// What changes among the authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityChange {
    /// A new authority sits, or a sitting one gets this name and these mandates.
    Appoint(Authority),
    /// The authority with this key sits no longer.
    Dismiss(VerifyKey),
}

impl AuthorityChange {
    /// Whom it is about.
    pub fn key(&self) -> VerifyKey {
        match self {
            Self::Appoint(authority) => authority.key,
            Self::Dismiss(key) => *key,
        }
    }
}

impl Wire for AuthorityChange {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Appoint(authority) => {
                out.u8(0);
                authority.write(out);
            }
            Self::Dismiss(key) => {
                out.u8(1);
                key.write(out);
            }
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.u8()? {
            0 => Ok(Self::Appoint(Authority::read(input)?)),
            1 => Ok(Self::Dismiss(VerifyKey::read(input)?)),
            _ => Err(DecodeError::UnknownTag),
        }
    }
}

/// A change with its number among all such changes, so that none is executed twice or out of order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedChange {
    /// One more than the last executed change's; the first is 1.
    pub number: u64,
    /// The change.
    pub change: AuthorityChange,
}

impl NumberedChange {
    /// A sitting authority's approval, to be collected in [`ChangeAuthorities::approvals`].
    pub fn approve(&self, chain: &ChainId, key: &SigningKey) -> Approval {
        Approval {
            authority: key.public(),
            signature: key.sign(chain, Context::ChangeAuthorities, &self.to_wire()),
        }
    }

    /// Shows that the appointed one holds its key.
    pub fn possession(&self, chain: &ChainId, key: &SigningKey) -> Signature {
        key.sign(chain, Context::AuthorityPossession, &self.to_wire())
    }
}

impl Wire for NumberedChange {
    fn write(&self, out: &mut Writer) {
        out.u64(self.number);
        self.change.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: input.u64()?, change: AuthorityChange::read(input)? })
    }
}

/// More than two thirds of the sitting authorities change who sits. Mandates follow with the next
/// block, validators with the next epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeAuthorities {
    /// The change.
    pub change: NumberedChange,
    /// The appointed one's signature; none for a dismissal.
    pub possession: Option<Signature>,
    /// Signatures of sitting authorities, in ascending order of their keys, each at most once.
    pub approvals: Vec<Approval>,
}

impl ChangeAuthorities {
    /// Sorts the approvals.
    pub fn new(
        change: NumberedChange,
        possession: Option<Signature>,
        mut approvals: Vec<Approval>,
    ) -> Self {
        approvals.sort_by_key(|approval| approval.authority);
        approvals.dedup_by_key(|approval| approval.authority);
        Self { change, possession, approvals }
    }

    /// Verifies every signature; whether the approving keys sit, and enough of them, is for the
    /// ledger to say.
    ///
    /// # Errors
    /// [`BadSignature`] if one fails, or possession is not shown exactly where it should be.
    pub fn verify(&self, chain: &ChainId) -> Result<(), BadSignature> {
        let message = self.change.to_wire();
        match (&self.change.change, &self.possession) {
            (AuthorityChange::Appoint(authority), Some(possession)) => {
                let context = Context::AuthorityPossession;
                authority.key.verify(chain, context, &message, possession)?;
            }
            (AuthorityChange::Dismiss(_), None) => {}
            _ => return Err(BadSignature),
        }
        self.approvals.iter().try_for_each(|approval| {
            let key = &approval.authority;
            key.verify(chain, Context::ChangeAuthorities, &message, &approval.signature)
        })
    }
}

impl Wire for ChangeAuthorities {
    fn write(&self, out: &mut Writer) {
        self.change.write(out);
        out.option(&self.possession);
        out.list(&self.approvals);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let change = NumberedChange::read(input)?;
        let possession = input.option()?;
        let approvals = input.list::<Approval>(MAX_AUTHORITIES)?;
        if !approvals.is_sorted_by(|a, b| a.authority < b.authority) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { change, possession, approvals })
    }
}

/// Shows that an authority signed a wrong verdict; anybody may send it. The verdict is judged again
/// on the same transfer, and the authority loses its mandates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvictAuthority {
    /// What was judged, with the proof bytes that the assertion names.
    pub transfer: TransferTransaction,
    /// The verdict.
    pub assertion: SignedAssertion,
}

impl Wire for ConvictAuthority {
    fn write(&self, out: &mut Writer) {
        self.transfer.write(out);
        self.assertion.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            transfer: TransferTransaction::read(input)?,
            assertion: SignedAssertion::read(input)?,
        })
    }
}
