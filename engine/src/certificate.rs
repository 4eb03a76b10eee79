//! Finalizations of the engine as certificates of the protocol. Spec §9.

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_cryptography::sha256::Digest;
use placet_protocol::block::BlockSignature;
use placet_protocol::finality::{Certificate, Round, Validators};
use placet_protocol::signing::{SIGNATURE_BYTES, Signature};

/// The engine's finalization in the protocol's bytes. `context` is the hash of the context of the
/// block that it finalizes, `validators` are those of its epoch. `None` for one that names signers
/// outside of them or has malformed signatures, which the engine lets nobody finalize with.
pub fn convert(
    finalization: &Finalization<Scheme, Digest>,
    context: [u8; 32],
    validators: &Validators,
) -> Option<Certificate> {
    let proposal = &finalization.proposal;
    let certificate = &finalization.certificate;
    // Both orders are by the keys' encodings, so the signatures come out sorted.
    let signatures = certificate
        .signers
        .iter()
        .zip(&certificate.signatures)
        .map(|(signer, signature)| {
            let authority = *validators.keys().get(usize::from(signer))?;
            let bytes: [u8; SIGNATURE_BYTES] = signature.get()?.as_ref().try_into().ok()?;
            Some(BlockSignature { authority, signature: Signature(bytes) })
        })
        .collect::<Option<Vec<_>>>()?;
    let round = Round {
        epoch: proposal.round.epoch().get(),
        view: proposal.round.view().get(),
        parent: proposal.parent.get(),
    };
    Some(Certificate { round, context, signatures })
}
