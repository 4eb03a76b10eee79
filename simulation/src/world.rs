//! What all parts of a run share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use placet_node::Node;
use placet_protocol::genesis::Genesis;

use crate::history::History;
use crate::invariants::Invariant;
use crate::parties::START;
use crate::plan::Plan;

/// The shared part of a run.
pub struct World {
    /// What happens.
    pub plan: Plan,
    /// The bug that is planted, by the invariant that it breaks.
    pub planted: Option<Invariant>,
    /// The network.
    pub genesis: Genesis,
    history: Mutex<History>,
    /// What runs on each host at the moment.
    nodes: Mutex<Vec<Option<Arc<Node>>>>,
}

impl World {
    /// Before anything runs.
    pub fn new(plan: Plan, planted: Option<Invariant>, genesis: Genesis, history: History) -> Self {
        let nodes = Mutex::new(vec![None; plan.hosts()]);
        Self { plan, planted, genesis, history: Mutex::new(history), nodes }
    }

    /// What was seen.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs on a host.
    pub fn node(&self, host: usize) -> Option<Arc<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[host].clone()
    }

    /// Something else runs on a host now.
    pub fn set_node(&self, host: usize, node: Option<Arc<Node>>) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[host] = node;
    }

    /// Whether a host runs what it should.
    pub fn is_honest(&self, host: usize) -> bool {
        !self.plan.faulty.contains_key(&host)
    }

    /// Honest hosts on which something runs, with the greatest height first among equals by number.
    pub fn running(&self) -> Vec<(usize, Arc<Node>)> {
        (0..self.plan.hosts())
            .filter(|host| self.is_honest(*host))
            .filter_map(|host| Some((host, self.node(host)?)))
            .collect()
    }

    /// Milliseconds since the beginning where the clock of a host shows `now`.
    pub fn since_start(&self, host: usize, now: u64) -> u64 {
        let skew = self.plan.skew.get(host).copied().unwrap_or(0);
        now.saturating_add_signed(-skew).saturating_sub(START * 1000)
    }

    /// The median of the honest clocks, in milliseconds since the Unix epoch.
    pub fn honest_clock(&self, at: u64) -> u64 {
        let truth = START * 1000 + at;
        if self.planted == Some(Invariant::TimeBounded) {
            return truth;
        }
        let mut skews: Vec<i64> = (0..self.plan.authorities)
            .filter(|host| self.is_honest(*host))
            .map(|host| self.plan.skew[host])
            .collect();
        skews.sort_unstable();
        let median = skews.get(skews.len() / 2).copied().unwrap_or(0);
        truth.saturating_add_signed(median)
    }
}
