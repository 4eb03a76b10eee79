//! Network interfaces of simulated hosts. A host registers its channels once; what runs on it
//! plugs in and out as it crashes and comes back. Two programs with one key can plug in at the
//! same time, each in contact with a part of the network only: that is how equivocation comes
//! about. Every vote that is delivered is shown to the record on the way.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{self, Error, Oracle};
use commonware_p2p::{LimitedSender, Message, Receiver, Recipients};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{Quota, Spawner, Supervisor as _};
use commonware_utils::NZU32;
use commonware_utils::channel::mpsc;

/// Votes, certificates, resolver, backfill, blocks, gossip.
pub const CHANNELS: usize = 6;
/// The channel of votes.
pub const VOTES: usize = 0;
/// The channel on which a proposer sends its block.
pub const BLOCKS: usize = 4;

/// Who may be spoken to; `None` is everybody.
pub type Circle = Option<Arc<BTreeSet<PublicKey>>>;

/// What is told of every message that a host takes off a channel: receiver, channel, sender, bytes.
pub type Tap = Arc<dyn Fn(&PublicKey, usize, &PublicKey, &[u8]) + Send + Sync>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sending half of a channel.
#[derive(Clone, Debug)]
pub struct Outlet {
    inner: simulated::Sender<PublicKey, Context>,
    everybody: Arc<Vec<PublicKey>>,
    circle: Circle,
    /// Nothing goes out: how a proposer withholds its block.
    mute: bool,
}

impl LimitedSender for Outlet {
    type PublicKey = PublicKey;
    type Checked<'a> = <simulated::Sender<PublicKey, Context> as LimitedSender>::Checked<'a>;

    fn check(
        &mut self,
        recipients: Recipients<PublicKey>,
    ) -> Result<Self::Checked<'_>, SystemTime> {
        let reaches = |key: &PublicKey| {
            !self.mute && self.circle.as_ref().is_none_or(|circle| circle.contains(key))
        };
        let narrowed = match recipients {
            Recipients::All if !self.mute && self.circle.is_none() => Recipients::All,
            Recipients::All => Recipients::Some(
                self.everybody.iter().filter(|key| reaches(key)).cloned().collect(),
            ),
            Recipients::Some(keys) => Recipients::Some(keys.into_iter().filter(reaches).collect()),
            Recipients::One(key) if reaches(&key) => Recipients::One(key),
            Recipients::One(_) => Recipients::Some(Vec::new()),
        };
        self.inner.check(narrowed)
    }
}

/// The receiving half of a channel.
#[derive(Debug)]
pub struct Inlet {
    queue: mpsc::UnboundedReceiver<Message<PublicKey>>,
    capacity: NonZeroUsize,
}

impl Receiver for Inlet {
    type Error = Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, Error> {
        self.queue.recv().await.ok_or(Error::NetworkClosed)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.capacity
    }
}

/// One program's end of a channel.
struct Plug {
    circle: Circle,
    queue: mpsc::UnboundedSender<Message<PublicKey>>,
}

/// One channel of a host.
struct Socket {
    sender: simulated::Sender<PublicKey, Context>,
    capacity: NonZeroUsize,
    plugs: Arc<Mutex<Vec<Plug>>>,
}

/// A host's place in the network.
pub struct Host {
    everybody: Arc<Vec<PublicKey>>,
    sockets: Vec<Socket>,
}

impl Host {
    /// Registers the channels of `key`, and begins to hand out what comes in.
    pub async fn attach(
        runtime: &Context,
        oracle: &Oracle<PublicKey, Context>,
        key: PublicKey,
        everybody: Arc<Vec<PublicKey>>,
        tap: Tap,
    ) -> Self {
        let control = oracle.control(key.clone());
        let mut sockets = Vec::new();
        for channel in 0..CHANNELS {
            let (sender, receiver) = control
                .register(channel as u64, Quota::per_second(NZU32!(512)))
                .await
                .expect("the simulated network runs as long as the simulation");
            let plugs = Arc::<Mutex<Vec<Plug>>>::default();
            let capacity = receiver.capacity();
            let (key, tap, shared) = (key.clone(), tap.clone(), plugs.clone());
            runtime.child("socket").with_attribute("channel", channel).spawn(move |_| async move {
                distribute(receiver, key, channel, tap, shared).await;
            });
            sockets.push(Socket { sender, capacity, plugs });
        }
        Self { everybody, sockets }
    }

    /// Nothing that runs on the host is connected any longer.
    pub fn unplug(&self) {
        self.sockets.iter().for_each(|socket| locked(&socket.plugs).clear());
    }

    /// Both halves of every channel, for one program that is in contact with `circle` only. With
    /// `withhold` its blocks stay with it.
    pub fn plug(&self, circle: Circle, withhold: bool) -> Vec<(Outlet, Inlet)> {
        let pair = |(channel, socket): (usize, &Socket)| {
            let (queue, inbox) = mpsc::unbounded_channel();
            locked(&socket.plugs).push(Plug { circle: circle.clone(), queue });
            let outlet = Outlet {
                inner: socket.sender.clone(),
                everybody: self.everybody.clone(),
                circle: circle.clone(),
                mute: withhold && channel == BLOCKS,
            };
            (outlet, Inlet { queue: inbox, capacity: socket.capacity })
        };
        self.sockets.iter().enumerate().map(pair).collect()
    }
}

async fn distribute(
    mut receiver: simulated::Receiver<PublicKey>,
    key: PublicKey,
    channel: usize,
    tap: Tap,
    plugs: Arc<Mutex<Vec<Plug>>>,
) {
    while let Ok((from, message)) = receiver.recv().await {
        tap(&key, channel, &from, message.as_ref());
        locked(&plugs).retain(|plug| {
            let meant = plug.circle.as_ref().is_none_or(|circle| circle.contains(&from));
            // A closed queue belongs to a program that has stopped.
            !meant || plug.queue.send((from.clone(), message.clone())).is_ok()
        });
    }
}
