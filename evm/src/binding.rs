//! What ties a proof to one transfer of one token. Spec §12.7; the same bytes are hashed by
//! `bindingOf` of `contracts/PlacetCompliance.sol`.

use ark_bn254::Fr;
use placet_protocol::field::from_digest_248;
use placet_protocol::transfer::PublicInputs;
use sha2::{Digest as _, Sha256};

use crate::address::Address;
use crate::typed::Adapter;
use crate::word::Word;

/// Begins what is hashed, so that no transfer on Placet's ledger has the same binding.
pub const BINDING_TAG: &[u8] = b"placet.evm.binding.v1";

/// The token transfer that a proof is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTransfer {
    /// The adapter that is asked.
    pub adapter: Adapter,
    /// The token that asks it.
    pub token: Address,
    /// Who sends.
    pub from: Address,
    /// Who receives.
    pub to: Address,
    /// The token's smallest units.
    pub amount: Word,
    /// Last second, since the Unix epoch, at which the permission is good.
    pub deadline: u64,
}

impl TokenTransfer {
    /// The last public input of a proof for this transfer. It takes nullifiers, commitments and
    /// receipt from `public` and ignores the rest of it, its present binding too.
    pub fn binding(&self, public: &PublicInputs) -> Fr {
        let mut hash = Sha256::new();
        hash.update(BINDING_TAG);
        hash.update(Word::from(self.adapter.evm_chain).0);
        for address in [self.adapter.address, self.token, self.from, self.to] {
            hash.update(address.0);
        }
        hash.update(self.amount.0);
        hash.update(self.deadline.to_be_bytes());
        hash.update(self.adapter.chain.0);
        hash.update(Word::from(&self.adapter.asset.get()).0);
        hash.update(self.adapter.circuit.0);
        for element in [
            public.nf_position.get(),
            public.nf_delivery.get(),
            public.cm_position.get(),
            public.cm_delivery.get(),
            public.receipt.get(),
        ] {
            hash.update(Word::from(&element).0);
        }
        from_digest_248(&hash.finalize().into())
    }
}
