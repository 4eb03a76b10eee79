//! Watches what the engine reports: how far it is, and who contradicts itself.

use std::sync::Arc;

use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Attributable as _};
use commonware_consensus::{Epochable as _, Reporter, Viewable as _};
use commonware_cryptography::sha256::Digest;
use placet_consensus::{Application, Evidence, Fault};
use placet_protocol::signing::VerifyKey;

use crate::status::Board;

/// What simplex reports.
pub(crate) type Reported = Activity<Scheme, Digest>;

/// Passes everything on to `inner`, and contradictions to `convict` as well.
#[derive(Clone)]
pub(crate) struct Watch<R, C> {
    pub inner: R,
    pub convict: C,
    pub board: Board,
}

impl<R, C> Reporter for Watch<R, C>
where
    R: Reporter<Activity = Reported>,
    C: Reporter<Activity = Reported>,
{
    type Activity = Reported;

    fn report(&mut self, activity: Reported) -> Feedback {
        match &activity {
            Activity::ConflictingNotarize(_)
            | Activity::ConflictingFinalize(_)
            | Activity::NullifyFinalize(_) => {
                self.convict.report(activity.clone());
            }
            Activity::Notarization(_) | Activity::Nullification(_) | Activity::Finalization(_) => {
                self.board.view(activity.epoch().get(), activity.view().get());
            }
            _ => {}
        }
        self.inner.report(activity)
    }
}

/// Hands verified contradictions to the application.
#[derive(Clone)]
pub(crate) struct Convict {
    pub application: Arc<dyn Application>,
    pub validators: Arc<[VerifyKey]>,
}

impl Reporter for Convict {
    type Activity = Reported;

    fn report(&mut self, activity: Reported) -> Feedback {
        let (signer, kind, proof) = match &activity {
            Activity::ConflictingNotarize(pair) => {
                (pair.signer(), Fault::ConflictingNotarize, pair.encode())
            }
            Activity::ConflictingFinalize(pair) => {
                (pair.signer(), Fault::ConflictingFinalize, pair.encode())
            }
            Activity::NullifyFinalize(pair) => {
                (pair.signer(), Fault::NullifyFinalize, pair.encode())
            }
            _ => return Feedback::Ok,
        };
        if let Some(&culprit) = self.validators.get(usize::from(signer)) {
            let (epoch, view) = (activity.epoch().get(), activity.view().get());
            tracing::error!(%culprit, epoch, view, ?kind, "an authority contradicted itself");
            let proof = proof.to_vec();
            self.application.misbehaviour(Evidence { culprit, epoch, view, kind, proof });
        }
        Feedback::Ok
    }
}
