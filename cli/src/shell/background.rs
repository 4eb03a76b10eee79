//! Work on guesses beside the shell: one thread that prepares what the next transaction will need.
//! Everything secret is behind one lock, is wiped where it is dropped, and goes nowhere else.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use placet_protocol::transaction::TransferTransaction;
use placet_protocol::transfer::{Transfer, Violation};
use placet_prover::{Phase, ProofSeed, ProveError, Prover};
use placet_wallet::holder::{Guess, Preparations, Prepared, Start};

/// What a warm proof takes of the time of its preparation, until one was made and measured: what is
/// left are the quotient and the wires that depend on what is typed. `wallet/tests/ahead.rs`
/// measures it.
const SHARE: f64 = 0.55;

/// The thread with what it works on.
pub struct Background {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    preparations: Preparations<placet_prover::Prepared<Transfer>>,
    /// Whose preparations these are.
    prover: Weak<Prover<Transfer>>,
    queue: VecDeque<(Guess, Arc<Prover<Transfer>>)>,
    working: bool,
    stopping: bool,
    /// What the last preparation took.
    preparing: Option<Duration>,
    /// What the last warm proof took.
    proving: Option<Duration>,
}

/// How far preparations are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Transactions that are prepared.
    pub ready: usize,
    /// Transactions that could be asked for.
    pub wanted: usize,
    /// About how long the proof of a prepared one takes.
    pub about: Option<Duration>,
}

impl Background {
    /// Starts the thread. `ready` is called whenever nothing is left to prepare.
    pub fn start(ready: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let with = shared.clone();
        let thread = std::thread::Builder::new()
            .name("prepare".into())
            .spawn(move || work(&with, &ready))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes the guesses of now: prepares what is missing, drops what is stale.
    pub fn prepare(&self, prover: &Arc<Prover<Transfer>>, guesses: Vec<Guess>) {
        let mut state = self.state();
        // What another prover prepared is of no use to this one.
        if !Weak::ptr_eq(&state.prover, &Arc::downgrade(prover)) {
            state.preparations.clear();
            state.prover = Arc::downgrade(prover);
        }
        let missing = state.preparations.keep(guesses);
        state.queue = missing.into_iter().map(|guess| (guess, prover.clone())).collect();
        self.shared.changed.notify_all();
    }

    /// Drops everything that is secret. What is being worked on finds no place and is dropped too.
    pub fn clear(&self) {
        let mut state = self.state();
        state.queue.clear();
        state.preparations.clear();
        self.shared.changed.notify_all();
    }

    /// Waits until nothing is left to prepare.
    pub fn wait(&self) {
        let mut state = self.state();
        while state.working || !state.queue.is_empty() {
            let waited = self.shared.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How far it is.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        let (ready, wanted) = state.preparations.count();
        let about = state.proving.or(state.preparing.map(|took| took.mul_f64(SHARE)));
        Standing { ready, wanted, about }
    }

    /// Proves, from what was prepared if it fits.
    pub fn prove(
        &self,
        prover: &Prover<Transfer>,
        transaction: &Prepared,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<(TransferTransaction, Start), ProveError<Violation>> {
        let mut state = self.state();
        let begun = Instant::now();
        let proved = state.preparations.prove(prover, transaction, seed, observer)?;
        if proved.1 == Start::Warm {
            state.proving = Some(begun.elapsed());
        }
        Ok(proved)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let mut state = self.state();
        state.stopping = true;
        state.queue.clear();
        state.preparations.clear();
        drop(state);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic over there was reported there.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, ready: &dyn Fn()) {
    let mut state = shared.state();
    while !state.stopping {
        let Some((guess, prover)) = state.queue.pop_front() else {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        state.working = true;
        drop(state);
        let begun = Instant::now();
        // Whoever waits must not wait for ever, whatever went wrong here.
        let prepared = catch_unwind(AssertUnwindSafe(|| {
            guess.prepare(|public, witness| prover.prepare(public, witness))
        }));
        let took = begun.elapsed();
        state = shared.state();
        let State { preparations, prover: current, queue, working, preparing, .. } = &mut *state;
        *working = false;
        // A guess that cannot be worked on costs its proof the head start and nothing else.
        if let Ok(Ok(preparation)) = prepared
            && Weak::ptr_eq(current, &Arc::downgrade(&prover))
            && preparations.insert(preparation)
        {
            *preparing = Some(took);
            // It was asked for again while it was worked on.
            queue.retain(|(guess, _)| preparations.lacks(guess));
            if queue.is_empty() {
                ready();
            }
        }
        shared.changed.notify_all();
    }
}
