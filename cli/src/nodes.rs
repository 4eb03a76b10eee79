//! A network that runs elsewhere: which nodes a data directory uses, and transactions on their way.
//!
//! ```text
//! remote/genesis.json   the genesis that the user trusts
//! remote/nodes.json     addresses, and where key files are
//! remote/outbox/ID      transactions that were sent and whose end is not known yet
//! ```

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use placet_node::FileError;
use placet_node::files::{read_genesis, read_publisher};
use placet_protocol::block::CertifiedBlock;
use placet_protocol::genesis::{Genesis, NetworkKind, PinnedCircuit};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::Transaction;
use placet_protocol::transfer::Transfer;
use placet_protocol::wire::Wire;
use placet_prover::Prover;
use placet_prover::kernel::Tables;
use placet_wallet::files::{Existing, write_atomically};
use placet_wallet::network::{Network, NetworkError, Status, SubmitError, Submitted};
use placet_wallet::remote::{NodeUrl, Patience, Remote, Timer};
use serde::{Deserialize, Serialize};

use crate::data::{DataDir, make_private_dir};
use crate::fail::{Exit, Failure, Result};
use crate::keyfiles;
use crate::local::file_failure;
use crate::progress::Progress;
use crate::refusals::rejected;

/// Longest genesis that is read.
const MAX_GENESIS: u64 = 1 << 20;

/// What a data directory knows of its network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// Addresses of nodes.
    pub nodes: Vec<NodeUrl>,
    /// Where key files of the proof system are, besides the user's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// The directory of a development network on this machine, with its authorities' keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devnet: Option<PathBuf>,
}

/// Time for waiting.
pub struct RealTime(Instant);

impl RealTime {
    /// From now on.
    pub fn start() -> Box<dyn Timer> {
        Box::new(Self(Instant::now()))
    }
}

impl Timer for RealTime {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// Reads a genesis file.
pub fn genesis_file(path: &Path) -> Result<Genesis> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let wrong = |why: String| {
        let message = format!("{} is no genesis: {why}", path.display());
        Failure::input("genesis", message, "get the file from whoever runs the network")
    };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_GENESIS {
        return Err(wrong("it is too long".into()));
    }
    let text = std::fs::read(path).map_err(failed)?;
    let genesis: Genesis =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    genesis.validate().map_err(|error| wrong(error.to_string()))?;
    Ok(genesis)
}

/// Nodes of a network, with what the data directory keeps about it.
pub struct Nodes {
    remote: Remote,
    genesis: Genesis,
    joined: Joined,
    dir: PathBuf,
    progress: Progress,
    tables: Tables,
}

impl Nodes {
    /// Whether a data directory uses nodes elsewhere.
    pub fn are_used(data: &DataDir) -> bool {
        read_genesis(&data.remote()).is_ok()
    }

    /// The nodes of a data directory, or the named ones instead.
    pub fn open(
        data: &DataDir,
        named: &[NodeUrl],
        progress: Progress,
        tables: Tables,
    ) -> Result<Self> {
        let dir = data.remote();
        let genesis = read_genesis(&dir).map_err(|error| file_failure(&error))?;
        let path = dir.join("nodes.json");
        let text = std::fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
        let mut joined: Joined = serde_json::from_slice(&text).map_err(|error| {
            let message = format!("{} is damaged: {error}", path.display());
            Failure::input("file", message, "join the network again: `placet network join`")
        })?;
        if !named.is_empty() {
            joined.nodes = named.to_vec();
        }
        Ok(Self::new(genesis, joined, dir, progress, tables))
    }

    fn new(
        genesis: Genesis,
        joined: Joined,
        dir: PathBuf,
        progress: Progress,
        tables: Tables,
    ) -> Self {
        let remote = Remote::new(
            genesis.clone(),
            joined.nodes.iter().cloned(),
            Patience::default(),
            RealTime::start(),
        );
        Self { remote, genesis, joined, dir, progress, tables }
    }

    /// Has a data directory use these nodes from now on. One of them has to run the network of the
    /// genesis.
    pub fn join(
        data: &DataDir,
        genesis: Genesis,
        joined: Joined,
        progress: Progress,
    ) -> Result<Self> {
        if read_genesis(&data.network()).is_ok() {
            return Err(Failure::input(
                "exists",
                format!("{} holds an embedded network", data.root().display()),
                "use another directory with --data",
            ));
        }
        let dir = data.remote();
        let known = read_genesis(&dir).ok();
        if known.as_ref().is_some_and(|known| known.chain_id() != genesis.chain_id()) {
            return Err(Failure::input(
                "wrong-network",
                format!("{} uses another network already", data.root().display()),
                "use another directory with --data",
            ));
        }
        let nodes = Self::new(genesis, joined, dir, progress, Tables::default());
        let asked = nodes.remote.genesis();
        asked.map_err(|error| nodes.network_failure(&error))?;
        make_private_dir(&nodes.dir)?;
        let write = |name: &str, text: Vec<u8>| -> Result<()> {
            let path = nodes.dir.join(name);
            write_atomically(&path, &text, Existing::Replace)
                .map_err(|error| Failure::file(&path, &error))
        };
        let json = |error: serde_json::Error| Failure::internal(&error);
        write("nodes.json", serde_json::to_vec_pretty(&nodes.joined).map_err(json)?)?;
        // Last: without it the directory uses no nodes.
        write("genesis.json", serde_json::to_vec_pretty(&nodes.genesis).map_err(json)?)?;
        Ok(nodes)
    }

    /// The connection.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The genesis that the user trusts.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Addresses.
    pub fn addresses(&self) -> &[NodeUrl] {
        &self.joined.nodes
    }

    fn outbox(&self) -> PathBuf {
        self.dir.join("outbox")
    }

    /// Sends a transaction and waits until it is final. It is on disk before it is sent, and stays
    /// there until its end is known: the next command takes it up again.
    pub fn execute(&self, transaction: &Transaction) -> Result<Submitted> {
        let _working = self.progress.spinner("waiting for the authorities");
        let path = self.outbox().join(transaction.id(self.remote.chain()).to_string());
        make_private_dir(&self.outbox())?;
        write_atomically(&path, &transaction.to_wire(), Existing::Replace)
            .map_err(|error| Failure::file(&path, &error))?;
        let submitted = self.remote.submit(transaction);
        if !matches!(submitted, Err(SubmitError::Network(_))) {
            std::fs::remove_file(&path).map_err(|error| Failure::file(&path, &error))?;
        }
        submitted.map_err(|error| match error {
            SubmitError::Rejected(rejection) => rejected(&rejection),
            SubmitError::Network(error) => self.network_failure(&error).kept(),
        })
    }

    /// Sends what an interrupted command left, and says what became of it, for people.
    pub fn take_up(&self) -> Result<Vec<String>> {
        let outbox = self.outbox();
        let entries = match std::fs::read_dir(&outbox) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::file(&outbox, &error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|error| Failure::file(&outbox, &error))?.path());
        }
        paths.sort();
        let mut news = Vec::new();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Temporary files of an interrupted write have no id for a name.
            if name.len() != 64 {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
            let Ok(transaction) = Transaction::from_wire(&bytes) else { continue };
            let what = format!("the {} {} of an earlier command", transaction.kind(), &name[..12]);
            match self.execute(&transaction) {
                Ok(done) => news.push(format!("{what} is final in block {}", done.height)),
                Err(failure) if failure.exit() == Exit::Ledger => {
                    news.push(format!("{what} was refused ({})", failure.code()));
                }
                Err(failure) if failure.code() == "undecided" => {
                    news.push(format!("{what} still waits for a decision"));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(news)
    }

    /// The prover of one of this network's circuits.
    pub fn prover(&self, circuit: &PinnedCircuit) -> Result<Prover<Transfer>> {
        keyfiles::prover(&self.key_places(), self.genesis.kind, circuit, self.tables, self.progress)
    }

    fn key_places(&self) -> Vec<PathBuf> {
        self.joined.keys.iter().chain(&self.joined.devnet).cloned().collect()
    }

    fn devnet(&self) -> Option<&Path> {
        self.joined.devnet.as_deref().filter(|_| self.genesis.kind == NetworkKind::Dev)
    }

    /// The authorities' keys of a development network on this machine.
    pub fn authority_keys(&self) -> Result<Option<Vec<SigningKey>>> {
        let Some(dir) = self.devnet() else { return Ok(None) };
        let keys = placet_node::files::stored_keys(dir, &self.genesis);
        keys.map(Some).map_err(|error| file_failure(&error))
    }

    /// The key for sanctions lists of a development network on this machine.
    pub fn publisher(&self) -> Result<Option<SigningKey>> {
        let Some(dir) = self.devnet() else { return Ok(None) };
        match read_publisher(dir, &self.genesis) {
            Ok(key) => Ok(Some(key)),
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(file_failure(&error)),
        }
    }

    /// Why no node had an answer, node by node.
    pub fn network_failure(&self, error: &NetworkError) -> Failure {
        let mut failure = Failure::from_error(Exit::Network, code(error), error);
        let troubles = self.remote.troubles();
        let said: Vec<_> = troubles.iter().map(|(url, why)| format!("{url} {why}")).collect();
        let opinions = self.remote.opinions();
        let opinions = opinions.iter().map(ToString::to_string);
        for detail in said.into_iter().chain(opinions) {
            failure = failure.with(&detail);
        }
        failure
    }
}

/// A stable code.
fn code(error: &NetworkError) -> &'static str {
    match error {
        NetworkError::Unreachable => "no-node",
        NetworkError::Malformed => "node-malformed",
        NetworkError::Failed => "node-failed",
        NetworkError::OtherNetwork => "wrong-network",
        NetworkError::Distrusted => "no-trusted-node",
        NetworkError::Undecided => "undecided",
    }
}

impl Network for Nodes {
    fn genesis(&self) -> std::result::Result<Genesis, NetworkError> {
        self.remote.genesis()
    }
    fn status(&self) -> std::result::Result<Status, NetworkError> {
        self.remote.status()
    }
    fn blocks(
        &self,
        from: u64,
        max: usize,
    ) -> std::result::Result<Vec<CertifiedBlock>, NetworkError> {
        self.remote.blocks(from, max)
    }
    fn submit(&self, transaction: &Transaction) -> std::result::Result<Submitted, SubmitError> {
        self.remote.submit(transaction)
    }
    fn distrust(&self) -> bool {
        self.remote.distrust()
    }
}
