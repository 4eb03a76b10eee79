//! Links between hosts: delay, loss, and who can reach whom.

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{Error, Link, Oracle};
use commonware_runtime::deterministic::Context;
use commonware_utils::Probability;
use std::time::Duration;

/// How good the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Mean delay of a message in milliseconds.
    pub latency: u64,
    /// Standard deviation of the delay in milliseconds.
    pub jitter: u64,
    /// Messages that get lost, of a thousand.
    pub loss: u64,
}

impl Quality {
    fn link(self) -> Link {
        Link {
            latency: Duration::from_millis(self.latency),
            jitter: Duration::from_millis(self.jitter),
            success_rate: Probability::new(1000 - self.loss.min(1000), 1000)
                .expect("at most a thousand of a thousand"),
        }
    }
}

/// Which messages cannot pass. Hosts are named by their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// These on one side, all others on the other: 2|2, 3|1.
    Apart(Vec<usize>),
    /// What these send reaches nobody else; they hear everything.
    Mute(Vec<usize>),
    /// What others send does not reach these; they are heard.
    Deaf(Vec<usize>),
    /// As `Apart`, but for one host of the first side that everybody can talk to.
    Bridge(Vec<usize>),
}

impl Cut {
    /// Whether a message from one host to another passes.
    pub fn passes(&self, from: usize, to: usize) -> bool {
        match self {
            Self::Apart(side) => side.contains(&from) == side.contains(&to),
            Self::Mute(side) => !side.contains(&from) || side.contains(&to),
            Self::Deaf(side) => !side.contains(&to) || side.contains(&from),
            Self::Bridge(side) => {
                let bridge = side.first();
                side.contains(&from) == side.contains(&to)
                    || bridge == Some(&from)
                    || bridge == Some(&to)
            }
        }
    }
}

/// The links between all hosts.
pub struct Links {
    oracle: Oracle<PublicKey, Context>,
    keys: Vec<PublicKey>,
    quality: Quality,
    up: Vec<Vec<bool>>,
}

impl Links {
    /// Connects everybody with everybody.
    pub async fn new(
        oracle: Oracle<PublicKey, Context>,
        keys: Vec<PublicKey>,
        quality: Quality,
    ) -> Self {
        let up = vec![vec![false; keys.len()]; keys.len()];
        let mut links = Self { oracle, keys, quality, up };
        links.apply(None).await;
        links
    }

    /// Lets pass what `cut` lets pass; everything without one.
    pub async fn apply(&mut self, cut: Option<&Cut>) {
        for from in 0..self.keys.len() {
            for to in (0..self.keys.len()).filter(|to| *to != from) {
                let passes = cut.is_none_or(|cut| cut.passes(from, to));
                if passes == self.up[from][to] {
                    continue;
                }
                let (a, b) = (self.keys[from].clone(), self.keys[to].clone());
                let done = if passes {
                    self.oracle.add_link(a, b, self.quality.link()).await
                } else {
                    self.oracle.remove_link(a, b).await
                };
                match done {
                    // A link can be gone already: the network drops those of removed peers.
                    Ok(()) | Err(Error::LinkMissing | Error::LinkExists) => {}
                    Err(error) => panic!("the simulated network refused to change a link: {error}"),
                }
                self.up[from][to] = passes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_separates_what_it_says() {
        let apart = Cut::Apart(vec![0, 1]);
        assert!(apart.passes(0, 1) && apart.passes(2, 3));
        assert!(!apart.passes(0, 2) && !apart.passes(3, 1));
        let mute = Cut::Mute(vec![2]);
        assert!(!mute.passes(2, 0) && mute.passes(0, 2));
        let deaf = Cut::Deaf(vec![2]);
        assert!(deaf.passes(2, 0) && !deaf.passes(0, 2));
        let bridge = Cut::Bridge(vec![1, 0]);
        assert!(bridge.passes(1, 3) && bridge.passes(3, 1) && !bridge.passes(0, 3));
    }
}
