//! What came in and was not looked at yet: a queue of its own for every source, so that whoever
//! floods waits behind itself only.
//!
//! Work is handed out in rounds. A source whose last proof was good gets a large share of a round;
//! one that is new a small one; one that sent a bad proof a single proof, until it sends a good one.
//! So the time that bad proofs can cost is bounded per round, whatever is sent.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use placet_protocol::signing::VerifyKey;

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A peer, authenticated.
    Peer(VerifyKey),
    /// A client of the HTTP API, by address; IPv6 by its network of 64 bits, which one client has.
    Client(IpAddr),
}

impl Source {
    /// A client.
    pub fn client(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Client(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                Self::Client(IpAddr::V6(network.into()))
            }
        }
    }
}

/// What a source's proofs were worth so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The last one was good.
    Good,
    /// None came yet.
    New,
    /// The last one was bad.
    Suspect,
}

impl Standing {
    /// Items of one source in one round.
    fn share(self) -> usize {
        match self {
            Self::Good => 64,
            Self::New => 8,
            Self::Suspect => 1,
        }
    }
}

/// Most items of new sources, and of suspect ones, in one round.
const MOST_NEW: usize = 16;
const MOST_SUSPECT: usize = 2;
/// Most items of one round, and most bytes of them but for the last.
const MOST: usize = 256;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Most sources of which anything is remembered.
const MAX_SOURCES: usize = 4096;

/// Bounds of one source's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Items.
    pub items: usize,
    /// Bytes.
    pub bytes: usize,
}

/// The queue is full; the source has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

struct Queue<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    standing: Standing,
}

impl<T> Queue<T> {
    fn new() -> Self {
        Self { items: VecDeque::new(), bytes: 0, standing: Standing::New }
    }
}

/// Queues by source.
pub struct Inbox<T> {
    queues: BTreeMap<Source, Queue<T>>,
    /// The last source that was served first.
    first: Option<Source>,
    peers: Bounds,
    clients: Bounds,
}

impl<T> Inbox<T> {
    /// Empty.
    pub fn new(peers: Bounds, clients: Bounds) -> Self {
        Self { queues: BTreeMap::new(), first: None, peers, clients }
    }

    /// Adds an item of `size` bytes.
    ///
    /// # Errors
    /// [`Full`] if the source has too much waiting, or there are too many sources.
    pub fn push(&mut self, source: Source, size: usize, item: T) -> Result<(), Full> {
        let bounds = match source {
            Source::Peer(_) => self.peers,
            Source::Client(_) => self.clients,
        };
        if !self.queues.contains_key(&source) {
            self.make_room()?;
        }
        let queue = self.queues.entry(source).or_insert_with(Queue::new);
        if queue.items.len() >= bounds.items || queue.bytes + size > bounds.bytes {
            return Err(Full);
        }
        queue.bytes += size;
        queue.items.push_back((size, item));
        Ok(())
    }

    /// Adds what this node had accepted before it stopped, beyond the bounds of a queue.
    pub fn restore(&mut self, source: Source, size: usize, item: T) {
        let queue = self.queues.entry(source).or_insert_with(Queue::new);
        queue.bytes += size;
        queue.items.push_back((size, item));
    }

    /// Forgets an idle source if there are too many; good ones last.
    fn make_room(&mut self) -> Result<(), Full> {
        if self.queues.len() < MAX_SOURCES {
            return Ok(());
        }
        let idle = |wanted: Standing| {
            let mut queues = self.queues.iter();
            queues
                .find(|(_, queue)| queue.items.is_empty() && queue.standing == wanted)
                .map(|(source, _)| *source)
        };
        let gone = idle(Standing::New).or_else(|| idle(Standing::Suspect));
        let gone = gone.or_else(|| idle(Standing::Good)).ok_or(Full)?;
        self.queues.remove(&gone);
        Ok(())
    }

    /// The next round, sources in turn, with the standing each has now.
    pub fn round(&mut self) -> Vec<(Source, Standing, T)> {
        let mut sources: Vec<_> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.items.is_empty())
            .map(|(source, _)| *source)
            .collect();
        // Another source is first each time, so that bounds over all sources starve nobody.
        let start = self.first.map_or(0, |first| sources.partition_point(|s| *s <= first));
        if !sources.is_empty() {
            let start = start % sources.len();
            sources.rotate_left(start);
        }
        self.first = sources.first().copied();
        let (mut new, mut suspect) = (MOST_NEW, MOST_SUSPECT);
        let (mut round, mut bytes) = (Vec::new(), 0);
        for source in sources {
            let queue = self.queues.get_mut(&source).expect("it was just listed");
            let left = MOST - round.len();
            let share = match queue.standing {
                Standing::Good => queue.standing.share().min(left),
                Standing::New => queue.standing.share().min(new).min(left),
                Standing::Suspect => queue.standing.share().min(suspect).min(left),
            };
            for _ in 0..share {
                if bytes >= MOST_BYTES {
                    break;
                }
                let Some((size, item)) = queue.items.pop_front() else { break };
                queue.bytes -= size;
                bytes += size;
                match queue.standing {
                    Standing::Good => {}
                    Standing::New => new -= 1,
                    Standing::Suspect => suspect -= 1,
                }
                round.push((source, queue.standing, item));
            }
        }
        round
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.items.is_empty())
    }

    /// What a proof of the source turned out to be.
    pub fn judge(&mut self, source: Source, good: bool) {
        if let Some(queue) = self.queues.get_mut(&source) {
            queue.standing = if good { Standing::Good } else { Standing::Suspect };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { items: 100, bytes: 1000 };

    fn client(n: u8) -> Source {
        Source::client(IpAddr::from([10, 0, 0, n]))
    }

    #[test]
    fn a_flood_waits_behind_itself_only() {
        let mut inbox = Inbox::new(BOUNDS, BOUNDS);
        for n in 0..100 {
            inbox.push(client(1), 1, n).unwrap();
        }
        assert_eq!(inbox.push(client(1), 1, 100), Err(Full));
        inbox.judge(client(1), false);
        inbox.push(client(2), 1, 1000).unwrap();
        inbox.judge(client(2), true);
        inbox.push(client(2), 1, 1001).unwrap();
        let round = inbox.round();
        let of = |source| round.iter().filter(|(s, _, _)| *s == source).count();
        assert_eq!((of(client(1)), of(client(2))), (1, 2));
    }

    #[test]
    fn many_suspects_share_a_small_part_and_each_has_its_turn() {
        let mut inbox = Inbox::new(BOUNDS, BOUNDS);
        for n in 0..50 {
            for _ in 0..4 {
                inbox.push(client(n), 1, n).unwrap();
            }
            inbox.judge(client(n), false);
        }
        let mut served = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let round = inbox.round();
            assert!(round.len() <= MOST_SUSPECT);
            served.extend(round.into_iter().map(|(source, _, _)| source));
        }
        assert_eq!(served.len(), 50);
    }

    #[test]
    fn queues_are_bounded_by_bytes_and_order_is_kept() {
        let mut inbox = Inbox::new(BOUNDS, BOUNDS);
        inbox.push(client(1), 600, 1).unwrap();
        assert_eq!(inbox.push(client(1), 600, 2), Err(Full));
        inbox.push(client(1), 300, 3).unwrap();
        let items: Vec<_> = inbox.round().into_iter().map(|(_, _, item)| item).collect();
        assert_eq!(items, [1, 3]);
        assert!(inbox.is_empty());
        inbox.push(client(1), 1000, 4).unwrap();
    }

    #[test]
    fn a_round_takes_a_bounded_number_of_bytes_and_everybody_has_its_turn() {
        let wide = Bounds { items: 100, bytes: 1 << 30 };
        let mut inbox = Inbox::new(wide, wide);
        for n in 0..4 {
            for _ in 0..8 {
                inbox.push(client(n), MOST_BYTES / 2, n).unwrap();
            }
            inbox.judge(client(n), true);
        }
        let mut served = std::collections::BTreeSet::new();
        for _ in 0..16 {
            let round = inbox.round();
            assert_eq!(round.len(), 2);
            served.extend(round.into_iter().map(|(_, _, n)| n));
        }
        assert!(inbox.is_empty() && served.len() == 4);
        // However long, one goes.
        inbox.push(client(1), 5 * MOST_BYTES, 1).unwrap();
        assert_eq!(inbox.round().len(), 1);
    }

    #[test]
    fn what_was_accepted_before_a_stop_is_all_restored() {
        let mut inbox = Inbox::new(BOUNDS, BOUNDS);
        for n in 0..300 {
            inbox.restore(client(1), 600, n);
        }
        inbox.judge(client(1), true);
        let mut items = Vec::new();
        while !inbox.is_empty() {
            items.extend(inbox.round().into_iter().map(|(_, _, item)| item));
        }
        assert!(items.into_iter().eq(0..300));
        inbox.push(client(1), 1000, 0).unwrap();
    }

    #[test]
    fn one_client_of_ipv6_is_one_source() {
        let of = |text: &str| Source::client(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), client(1));
    }
}
