//! The one place where the engine's parts note where they stand.

use std::sync::Arc;

use placet_consensus::{Leader, Signing, Status};
use placet_protocol::signing::VerifyKey;
use tokio::sync::watch;

/// Notes changes for whoever watches. Cheap to clone.
#[derive(Clone)]
pub struct Board(Arc<watch::Sender<Status>>);

impl Default for Board {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Status::default())))
    }
}

impl Board {
    /// Watches the status.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    /// The status now.
    pub fn read(&self) -> Status {
        self.0.borrow().clone()
    }

    fn set(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    pub(crate) fn running(&self, running: bool) {
        self.set(|status| status.running = running);
    }

    pub(crate) fn epoch(&self, epoch: u64, signing: Signing) {
        self.set(|status| {
            if status.epoch != epoch {
                status.view = 0;
                status.leader = None;
            }
            status.epoch = epoch;
            status.signing = signing;
        });
    }

    pub(crate) fn view(&self, epoch: u64, view: u64) {
        self.set(|status| {
            if status.epoch == epoch {
                status.view = status.view.max(view);
            }
        });
    }

    pub(crate) fn leads(&self, leader: Leader) {
        self.set(|status| {
            if status.leader.is_none_or(|last| last.view < leader.view) {
                status.leader = Some(leader);
            }
        });
    }

    pub(crate) fn committed(&self, height: u64) {
        self.set(|status| {
            status.height = status.height.max(height);
            status.final_height = status.final_height.max(height);
        });
    }

    pub(crate) fn final_tip(&self, height: u64) {
        self.set(|status| status.final_height = status.final_height.max(height));
    }

    pub(crate) fn peers(&self, peers: Vec<VerifyKey>) {
        self.set(|status| status.peers = peers);
    }
}
