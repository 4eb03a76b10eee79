//! The statement `transfer`: public inputs, witness, and the native check with one error variant
//! per clause. Spec §7. Twin: `circuits/src/transfer.rs`.

mod public;
mod witness;
mod evaluate;
mod disclosure;
mod check;

pub use check::{CAPITAL_BITS, CAPITAL_SCALE, Violation, check};
pub use disclosure::{Disclosed, disclosure_pads};
pub use evaluate::{Evaluation, two_to};
pub use public::{Context, HoldersDelta, PublicInputs};
pub use witness::{
    IdentityOpening, Incoming, InvestorOpening, Mode, Outgoing, PositionOpening, Witness,
};

use ark_bn254::Fr;

use crate::statement::Statement;

/// The statement `transfer`.
#[derive(Debug)]
pub struct Transfer;

impl Statement for Transfer {
    const NAME: &'static str = "transfer";
    const ID: u32 = 1;
    const PUBLIC_INPUTS: usize = 17;
    type Public = PublicInputs;
    type Witness = Witness;
    type Violation = Violation;

    fn inputs(public: &PublicInputs) -> Vec<Fr> {
        vec![
            public.position_root.get(),
            public.delivery_root.get(),
            public.registry_root.get(),
            public.sanctions_root.get(),
            public.policy.get(),
            Fr::from(public.now),
            public.nf_position.get(),
            public.nf_delivery.get(),
            public.cm_position.get(),
            public.cm_delivery.get(),
            public.receipt.get(),
            public.holders_delta.field(),
            Fr::from(public.redeemed),
            public.disclosure[0],
            public.disclosure[1],
            public.disclosure[2],
            public.binding,
        ]
    }

    fn check(public: &PublicInputs, witness: &Witness) -> Result<(), Violation> {
        check(public, witness)
    }
}
