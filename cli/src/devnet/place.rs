//! The directory of a development network: made once, opened by one command at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use placet_node::config::{Api, Config, Consensus, Passphrase, Peer};
use placet_node::files::{read_genesis, read_publisher};
use placet_node::{DevKeys, write_network};
use placet_protocol::genesis::{Authority, Checkpoint, Genesis, NetworkKind, NetworkParams};
use placet_protocol::signing::SigningKey;
use placet_wallet::files::{Existing, write_atomically};
use placet_wallet::remote::NodeUrl;
use serde::{Deserialize, Serialize};

use super::Clock;
use crate::data::make_private_dir;
use crate::fail::{Exit, Failure, Result};
use crate::local::file_failure;
use crate::progress::Progress;
use crate::{keyfiles, time};

/// Time for a running network to stop.
const STOP: Duration = Duration::from_secs(90);

/// What a network is started with.
pub struct Plan {
    /// Number of authorities.
    pub nodes: usize,
    /// Windows and epochs.
    pub params: NetworkParams,
    /// Whether clocks can be moved.
    pub clock: Clock,
}

/// One node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// As in the genesis.
    pub name: String,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where peers connect.
    pub p2p: SocketAddr,
    /// The process while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
}

impl Member {
    /// The API's address.
    pub fn url(&self) -> Result<NodeUrl> {
        let url = format!("http://{}", self.api).parse();
        url.map_err(|error| Failure::internal(&error))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    nodes: Vec<Member>,
}

/// The directory; while the lock is held nobody else starts nodes in it.
pub struct Place {
    root: PathBuf,
    _lock: Option<File>,
}

/// The genesis of a directory.
pub fn genesis_path(dir: &Path) -> PathBuf {
    dir.join("genesis.json")
}

/// Addresses of the nodes of a directory.
pub fn addresses(dir: &Path) -> Result<Vec<NodeUrl>> {
    Place::existing(dir)?.addresses()
}

impl Place {
    /// A directory that holds a network, to look at.
    pub fn existing(dir: &Path) -> Result<Self> {
        read_genesis(dir).map_err(|error| file_failure(&error))?;
        Ok(Self { root: dir.to_owned(), _lock: None })
    }

    /// Makes the network if there is none, takes the lock, chooses ports, writes configurations.
    pub fn open(dir: &Path, plan: &Plan, progress: Progress) -> Result<Self> {
        make_private_dir(dir)?;
        let root = dir.canonicalize().map_err(|error| Failure::file(dir, &error))?;
        let lock = Self::lock(&root)?.ok_or_else(|| {
            Failure::new(
                Exit::Busy,
                "busy",
                format!("the network in {} runs already", root.display()),
                "`placet devnet stop` stops it",
            )
        })?;
        let place = Self { root, _lock: Some(lock) };
        let _ = std::fs::remove_file(place.stop_file());
        let genesis = match read_genesis(&place.root) {
            Ok(genesis) => genesis,
            Err(placet_node::FileError::NoNetwork(_)) => place.make(plan, progress)?,
            Err(error) => return Err(file_failure(&error)),
        };
        if genesis.authorities.len() != plan.nodes {
            return Err(Failure::input(
                "exists",
                format!("the network there has {} authorities", genesis.authorities.len()),
                format!("start it with --nodes {}", genesis.authorities.len()),
            ));
        }
        let members = place.choose_ports(&genesis)?;
        place.write_configs(&genesis, &members, plan)?;
        place.save(&members)?;
        Ok(place)
    }

    fn lock(root: &Path) -> Result<Option<File>> {
        let path = root.join("lock");
        let failed = |error: std::io::Error| Failure::file(&path, &error);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn make(&self, plan: &Plan, progress: Progress) -> Result<Genesis> {
        let (proving, verifying) = keyfiles::development(progress)?;
        let random_key = || -> Result<SigningKey> {
            let mut seed = zeroize::Zeroizing::new([0u8; 32]);
            getrandom::fill(seed.as_mut_slice())?;
            Ok(SigningKey::from_seed(&seed))
        };
        let keys = (0..plan.nodes).map(|_| random_key()).collect::<Result<Vec<_>>>()?;
        let publisher = random_key()?;
        let genesis = Genesis {
            name: "devnet".to_owned(),
            kind: NetworkKind::Dev,
            time: time::now()?,
            authorities: authorities(&keys),
            sanctions_publisher: publisher.public(),
            params: plan.params,
            circuits: vec![placet_node::pin(&verifying)],
        };
        keyfiles::save(&self.root, &proving, &verifying)?;
        let secrets = DevKeys { authorities: keys, publisher };
        write_network(&self.root, &genesis, Some(&secrets))
            .map_err(|error| file_failure(&error))?;
        Ok(genesis)
    }

    /// The ports of last time if they are free, or else others.
    fn choose_ports(&self, genesis: &Genesis) -> Result<Vec<Member>> {
        let known = self.members().unwrap_or_default();
        let free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
        if known.len() == genesis.authorities.len()
            && known.iter().all(|member| free(&member.api) && free(&member.p2p))
        {
            return Ok(known);
        }
        // All are bound at once, so that none is chosen twice, and let go before the nodes start.
        let mut held = Vec::new();
        let mut port = || -> Result<SocketAddr> {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let address = listener.local_addr()?;
            held.push(listener);
            Ok(address)
        };
        let member = |authority: &Authority| -> Result<Member> {
            let (api, p2p) = (port()?, port()?);
            Ok(Member { name: authority.name.clone(), api, p2p, process: None })
        };
        genesis.authorities.iter().map(member).collect()
    }

    fn write_configs(&self, genesis: &Genesis, members: &[Member], plan: &Plan) -> Result<()> {
        let verifying_key = keyfiles::verifying_path(&self.root, genesis)?;
        for (index, member) in members.iter().enumerate() {
            let others = genesis.authorities.iter().zip(members).enumerate();
            let peers = others
                .filter(|(other, _)| *other != index)
                .map(|(_, (authority, member))| Peer {
                    name: authority.name.clone(),
                    key: authority.key,
                    address: member.p2p.to_string(),
                })
                .collect();
            let own = self.root.join(&member.name);
            let config = Config {
                genesis: genesis_path(&self.root),
                verifying_key: verifying_key.clone(),
                data: own.join("data"),
                key: own.join("signing.key"),
                passphrase: Passphrase::default(),
                dev_clock: plan.clock == Clock::Manual,
                consensus: Consensus {
                    listen: member.p2p,
                    allow_private_addresses: true,
                    ..Consensus::default()
                },
                // One machine asks for everybody here.
                api: Api { listen: member.api, requests_per_second: 0, ..Api::default() },
                limits: Default::default(),
                checkpoint: None,
                log: Default::default(),
                peers,
                observers: Vec::new(),
            };
            let text = config.to_toml().map_err(|error| Failure::internal(&error))?;
            let path = self.config(&member.name);
            write_atomically(&path, text.as_bytes(), Existing::Replace)
                .map_err(|error| Failure::file(&path, &error))?;
        }
        Ok(())
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The genesis file.
    pub fn genesis_path(&self) -> PathBuf {
        genesis_path(&self.root)
    }

    /// The genesis.
    pub fn genesis(&self) -> Result<Genesis> {
        read_genesis(&self.root).map_err(|error| file_failure(&error))
    }

    /// The key that signs sanctions lists.
    pub fn publisher(&self, genesis: &Genesis) -> Result<SigningKey> {
        read_publisher(&self.root, genesis).map_err(|error| file_failure(&error))
    }

    /// A node's configuration.
    pub fn config(&self, name: &str) -> PathBuf {
        self.root.join(name).join("node.toml")
    }

    /// A node's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join(name).join("node.log")
    }

    fn state_file(&self) -> PathBuf {
        self.root.join("devnet.json")
    }

    fn stop_file(&self) -> PathBuf {
        self.root.join("stop")
    }

    /// The nodes, in the order of the genesis.
    pub fn members(&self) -> Result<Vec<Member>> {
        let path = self.state_file();
        let text = std::fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
        let state: State = serde_json::from_slice(&text).map_err(|error| {
            let message = format!("{} is damaged: {error}", path.display());
            Failure::input("file", message, "delete it and start the network again")
        })?;
        Ok(state.nodes)
    }

    /// Addresses of the nodes.
    pub fn addresses(&self) -> Result<Vec<NodeUrl>> {
        self.members()?.iter().map(Member::url).collect()
    }

    fn save(&self, members: &[Member]) -> Result<()> {
        let state = State { nodes: members.to_vec() };
        let text = serde_json::to_vec_pretty(&state).map_err(|error| Failure::internal(&error))?;
        let path = self.state_file();
        write_atomically(&path, &text, Existing::Replace)
            .map_err(|error| Failure::file(&path, &error))
    }

    /// Writes down which process is which node.
    pub fn remember_processes(&self, ids: &[u32]) -> Result<()> {
        let mut members = self.members()?;
        for (member, id) in members.iter_mut().zip(ids) {
            member.process = Some(*id);
        }
        self.save(&members)
    }

    /// They have ended.
    pub fn forget_processes(&self) -> Result<()> {
        let mut members = self.members()?;
        members.iter_mut().for_each(|member| member.process = None);
        self.save(&members)
    }

    /// Whether a command runs the nodes of this directory.
    pub fn is_running(&self) -> Result<bool> {
        Ok(Self::lock(&self.root)?.is_none())
    }

    /// Whether another command wants this one to end.
    pub fn stop_is_asked(&self) -> bool {
        self.stop_file().exists()
    }

    /// Asks the command that runs the nodes to stop them, and waits for that. Says whether one ran.
    pub fn ask_to_stop(&self) -> Result<bool> {
        if !self.is_running()? {
            return Ok(false);
        }
        let path = self.stop_file();
        File::create(&path).map_err(|error| Failure::file(&path, &error))?;
        let begin = Instant::now();
        while self.is_running()? {
            if begin.elapsed() > STOP {
                return Err(Failure::new(
                    Exit::Internal,
                    "not-stopped",
                    "the nodes have not stopped in time",
                    format!("see the logs in {}", self.root.display()),
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = std::fs::remove_file(&path);
        Ok(true)
    }
}

/// All of them judge everything, so that a policy that asks for a majority at each checkpoint can be
/// met while one of four is down.
fn authorities(keys: &[SigningKey]) -> Vec<Authority> {
    let authority = |(index, key): (usize, &SigningKey)| Authority {
        name: format!("authority-{index}"),
        lei: None,
        key: key.public(),
        mandates: Checkpoint::ALL.into_iter().collect(),
    };
    keys.iter().enumerate().map(authority).collect()
}
