//! Which losses of which record keep a node from voting, and for how long.

use std::sync::{Arc, Mutex};

use commonware_runtime::{Clock as _, Runner as _, Supervisor as _, deterministic};
use placet_consensus::Signing;
use placet_engine::record::{Guard, MARGIN, RecordError, RecordFile, Voted, VotingRecord};

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

/// Long after every loss here: the runtime's clock begins at 0.
const LATE: u64 = 1_000_000;

#[test]
fn a_crash_while_a_loss_is_noted_does_not_hide_it() {
    deterministic::Runner::default().start(|runtime| async move {
        let paper = Paper::default();
        paper.0.lock().unwrap().1 = true;
        assert!(open(&runtime, "store", &paper, Some(3)).await.is_err());
        paper.0.lock().unwrap().1 = false;
        let mut guard = open(&runtime, "store", &paper, Some(3)).await.unwrap();
        assert_eq!(guard.enter(3, LATE).await.unwrap(), lost(5));
        assert_eq!(guard.enter(4, LATE).await.unwrap(), lost(5));
        assert_eq!(guard.enter(5, LATE).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn an_old_store_without_its_record_is_a_loss() {
    deterministic::Runner::default().start(|runtime| async move {
        let mut guard = open(&runtime, "store", &Paper::default(), None).await.unwrap();
        assert_eq!(guard.enter(0, 0).await.unwrap(), Signing::Yes);
        drop(guard);
        // The record is gone, but the store was the last one to vote.
        let mut guard = open(&runtime, "store", &Paper::default(), Some(0)).await.unwrap();
        assert_eq!(guard.enter(0, 0).await.unwrap(), Signing::Yes);
        drop(guard);
        // The state went on without this store.
        let mut guard = open(&runtime, "store", &Paper::default(), Some(2)).await.unwrap();
        assert_eq!(guard.enter(2, LATE).await.unwrap(), lost(4));
        assert_eq!(guard.enter(4, LATE).await.unwrap(), Signing::Yes);
    });
}

/// As an operator does who keeps the record among the backups: nobody knows how old it is, and
/// the state may be gone as well.
#[test]
fn a_record_beside_a_new_store_vouches_for_no_epoch_that_began_before() {
    deterministic::Runner::default().start(|runtime| async move {
        let old = Voted { store: [7; 32], epoch: 2, lost: None };
        let paper = |voted| Paper(Arc::new(Mutex::new((Some(voted), false))));
        for (name, begun) in [("a", None), ("b", Some(1)), ("c", Some(2))] {
            let mut guard = open(&runtime, name, &paper(old), begun).await.unwrap();
            let now = runtime.current().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            // Whatever the number of the epoch: the old store may have voted in it.
            for epoch in [0, 2, 3, 4, 9] {
                let free = epoch.max(if begun == Some(2) { 3 } else { 2 }) + 1;
                assert_eq!(guard.enter(epoch, now + MARGIN).await.unwrap(), lost(free));
            }
            assert_eq!(guard.enter(9, now + MARGIN + 1).await.unwrap(), Signing::Yes);
            assert_eq!(guard.enter(9, now + MARGIN + 1).await.unwrap(), Signing::Yes);
            // Afterwards both know everything again.
            assert_eq!(guard.enter(10, 0).await.unwrap(), Signing::Yes);
        }
        // The state is far ahead: both epochs and time have to pass.
        let mut guard = open(&runtime, "d", &paper(old), Some(4)).await.unwrap();
        assert_eq!(guard.enter(5, LATE).await.unwrap(), lost(6));
        assert_eq!(guard.enter(6, LATE).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn a_loss_stays_noted_and_its_time_too() {
    deterministic::Runner::default().start(|runtime| async move {
        let old = Voted { store: [7; 32], epoch: 2, lost: None };
        let paper = Paper(Arc::new(Mutex::new((Some(old), false))));
        drop(open(&runtime, "store", &paper, Some(3)).await.unwrap());
        let noticed = paper.load().unwrap().unwrap();
        assert!(noticed.lost.is_some() && noticed.store != [7; 32]);
        runtime.sleep(std::time::Duration::from_secs(100)).await;
        // Later starts find the same loss, not a new one: it would never end.
        let mut guard = open(&runtime, "store", &paper, Some(4)).await.unwrap();
        assert_eq!(paper.load().unwrap(), Some(noticed));
        let free = noticed.lost.unwrap() + MARGIN + 1;
        assert_eq!(guard.enter(5, free - 1).await.unwrap(), lost(6));
        assert_eq!(guard.enter(6, free).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn store_and_record_of_different_moments_are_a_loss() {
    deterministic::Runner::default().start(|runtime| async move {
        let paper = Paper::default();
        let mut guard = open(&runtime, "store", &paper, None).await.unwrap();
        assert_eq!(guard.enter(3, 0).await.unwrap(), Signing::Yes);
        drop(guard);
        let own = paper.load().unwrap().unwrap();
        let newer = Voted { epoch: 5, ..own };
        let stranger = Voted { store: [9; 32], ..own };
        // An old copy of the store, another store's record, and a state ahead of both.
        for (voted, begun) in [(newer, Some(3)), (stranger, Some(3)), (own, Some(4))] {
            let paper = Paper(Arc::new(Mutex::new((Some(voted), false))));
            let mut guard = open(&runtime, "store", &paper, begun).await.unwrap();
            assert!(matches!(guard.enter(8, 0).await.unwrap(), Signing::RecordLost { .. }));
            assert!(paper.load().unwrap().unwrap().lost.is_some());
        }
        // What belongs together is none.
        let mut guard = open(&runtime, "store", &paper, Some(3)).await.unwrap();
        assert_eq!(guard.enter(3, 0).await.unwrap(), Signing::Yes);
        assert_eq!(guard.enter(4, 0).await.unwrap(), Signing::Yes);
    });
}

#[test]
fn two_nodes_never_vote_by_one_record() {
    deterministic::Runner::default().start(|runtime| async move {
        let paper = Paper::default();
        let mut first = open(&runtime, "first", &paper, None).await.unwrap();
        assert_eq!(first.enter(0, 0).await.unwrap(), Signing::Yes);
        let mut second = open(&runtime, "second", &paper, Some(0)).await.unwrap();
        assert_eq!(second.enter(0, 0).await.unwrap(), lost(2));
        // The record is the second one's now.
        assert!(matches!(first.enter(1, LATE).await, Err(RecordError::Shared)));
        assert_eq!(second.enter(2, LATE).await.unwrap(), Signing::Yes);
        assert!(matches!(first.enter(2, LATE).await, Err(RecordError::Shared)));
    });
    let dir = tempfile::tempdir().unwrap();
    let file = RecordFile(dir.path().join("votes"));
    let held = file.lock().unwrap();
    assert!(matches!(file.lock(), Err(RecordError::Shared)));
    drop(held);
    file.lock().unwrap();
}
