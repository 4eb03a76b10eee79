//! What a node is told about itself and its peers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use commonware_utils::Hostname;
use placet_protocol::signing::VerifyKey;

use crate::run::Timeouts;

/// Where a peer listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port. Connections of the peer have to come from that IP address.
    Socket(SocketAddr),
    /// A host name and a port. The name is looked up before each attempt to connect; connections
    /// of the peer may come from anywhere, since only its key says who it is.
    Name(Hostname, u16),
}

/// Text that names no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address: write IP:PORT, [IPv6]:PORT or HOST:PORT")]
pub struct BadAddress;

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Ok(socket) = text.parse() {
            return Ok(Self::Socket(socket));
        }
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(BadAddress)?;
        // An all-numeric last label is a mistyped IP address.
        let label = host.rsplit('.').next().unwrap_or_default();
        if label.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadAddress);
        }
        Ok(Self::Name(Hostname::new(host).map_err(|_| BadAddress)?, port))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(socket) => socket.fmt(f),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub key: VerifyKey,
    /// Where it listens.
    pub address: Address,
}

/// What [`start`](crate::start()) needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine's directory. Made if it is missing. Only one process may use it; never copy it
    /// back after the node has run on.
    pub storage: PathBuf,
    /// The voting record, beside the key and outside of `storage`. Made at the first vote.
    pub record: PathBuf,
    /// Where to listen for peers.
    pub listen: SocketAddr,
    /// Every authority and every observer that may connect. The node's own key is ignored. A
    /// peer that is no validator follows: so an authority is there before it is admitted, and
    /// learns of its removal.
    pub peers: Vec<Peer>,
    /// Whether private and loopback addresses may be used.
    pub allow_private_ips: bool,
    /// How long to wait for leaders and views.
    pub timeouts: Timeouts,
    /// Most nodes in the network, this one included. Inboxes are sized by it: 16 take about 120 MB,
    /// in proportion beyond.
    pub max_peers: usize,
    /// Messages a second, per peer and channel.
    pub messages_per_second: u32,
    /// Threads of the engine's runtime.
    pub threads: usize,
}

impl Config {
    /// With everything but the addresses at what was measured to work.
    pub fn new(storage: PathBuf, record: PathBuf, listen: SocketAddr, peers: Vec<Peer>) -> Self {
        Self {
            storage,
            record,
            listen,
            peers,
            allow_private_ips: false,
            timeouts: Timeouts {
                leader: Duration::from_secs(2),
                certification: Duration::from_secs(4),
            },
            max_peers: 16,
            messages_per_second: 512,
            threads: 2,
        }
    }
}
