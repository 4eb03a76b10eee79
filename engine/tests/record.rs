//! Which losses of which record keep a node from voting, and for how long.

use std::sync::{Arc, Mutex};

use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use placet_consensus::Signing;
use placet_engine::record::{Guard, RecordError, RecordFile, Voted, VotingRecord};

/// Shared by clones; refuses to save while told to.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<(Option<Voted>, bool)>>);

impl VotingRecord for Paper {
    fn load(&self) -> Result<Option<Voted>, RecordError> {
        Ok(self.0.lock().unwrap().0)
    }
    fn save(&mut self, voted: &Voted) -> Result<(), RecordError> {
        let mut paper = self.0.lock().unwrap();
        if paper.1 {
            return Err(RecordError::Store("full".to_owned()));
        }
        paper.0 = Some(*voted);
        Ok(())
    }
}

async fn open(
    runtime: &deterministic::Context,
    store: &str,
    paper: &Paper,
    begun: Option<u64>,
) -> Result<Guard<deterministic::Context>, RecordError> {
    static OPENED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = OPENED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let runtime = runtime.child("guard").with_attribute("number", number);
    Guard::open(runtime, store, Box::new(paper.clone()), begun).await
}

fn lost(resumes: u64) -> Signing {
    Signing::RecordLost { resumes }
}

#[test]
fn a_crash_while_a_loss_is_noted_does_not_hide_it() {
    deterministic::Runner::default().start(|runtime| async move {
        let paper = Paper::default();
        paper.0.lock().unwrap().1 = true;
        assert!(open(&runtime, "store", &paper, Some(3)).await.is_err());
        paper.0.lock().unwrap().1 = false;
        let mut guard = open(&runtime, "store", &paper, Some(3)).await.unwrap();
        assert_eq!(guard.enter(3).await.unwrap(), lost(5));
        assert_eq!(guard.enter(4).await.unwrap(), lost(5));
        assert_eq!(guard.enter(5).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn an_old_store_without_its_record_is_a_loss() {
    deterministic::Runner::default().start(|runtime| async move {
        let mut guard = open(&runtime, "store", &Paper::default(), None).await.unwrap();
        assert_eq!(guard.enter(0).await.unwrap(), Signing::Yes);
        drop(guard);
        // The record is gone, but the store was the last one to vote.
        let mut guard = open(&runtime, "store", &Paper::default(), Some(0)).await.unwrap();
        assert_eq!(guard.enter(0).await.unwrap(), Signing::Yes);
        drop(guard);
        // The state went on without this store.
        let mut guard = open(&runtime, "store", &Paper::default(), Some(2)).await.unwrap();
        assert_eq!(guard.enter(2).await.unwrap(), lost(4));
        assert_eq!(guard.enter(4).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn an_old_record_beside_a_new_store_is_a_loss() {
    deterministic::Runner::default().start(|runtime| async move {
        let old = Voted { store: [7; 32], epoch: 2 };
        let paper = |voted| Paper(Arc::new(Mutex::new((Some(voted), false))));
        // The record knows of the epoch in which the state is: it is up to date.
        let mut guard = open(&runtime, "first", &paper(old), Some(2)).await.unwrap();
        assert_eq!(guard.enter(2).await.unwrap(), lost(3));
        assert_eq!(guard.enter(3).await.unwrap(), Signing::Yes);
        let mut guard = open(&runtime, "second", &paper(old), Some(4)).await.unwrap();
        assert_eq!(guard.enter(4).await.unwrap(), lost(6));
        assert_eq!(guard.enter(5).await.unwrap(), lost(6));
        assert_eq!(guard.enter(6).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn two_nodes_never_vote_by_one_record_in_one_epoch() {
    deterministic::Runner::default().start(|runtime| async move {
        let paper = Paper::default();
        let mut first = open(&runtime, "first", &paper, None).await.unwrap();
        assert_eq!(first.enter(0).await.unwrap(), Signing::Yes);
        let mut second = open(&runtime, "second", &paper, Some(0)).await.unwrap();
        assert_eq!(second.enter(0).await.unwrap(), lost(1));
        assert_eq!(first.enter(1).await.unwrap(), Signing::Yes);
        assert!(matches!(second.enter(1).await, Err(RecordError::Shared)));
        assert!(matches!(second.enter(2).await, Err(RecordError::Shared)));
        assert_eq!(first.enter(2).await.unwrap(), Signing::Yes);
    });
    let dir = tempfile::tempdir().unwrap();
    let file = RecordFile(dir.path().join("votes"));
    let held = file.lock().unwrap();
    assert!(matches!(file.lock(), Err(RecordError::Shared)));
    drop(held);
    file.lock().unwrap();
}
