//! A node's configuration: one TOML file. Paths in it are relative to the file. Every error names
//! the key and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use placet_protocol::genesis::{Checkpoint, Genesis, NetworkKind, name_is_valid};
use placet_protocol::signing::VerifyKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::checkpoint::{Place, Settings as RuleSettings};
use crate::mempool::Capacity;
use crate::node::Settings;

/// Longest configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Reading failed.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML of the right shape; the message names key and line.
    #[error("{path}: {source}")]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A value out of its bounds.
    #[error("{key}: {problem}")]
    Value {
        /// The key, as in `api.timeout-seconds`.
        key: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The genesis.
    #[error("genesis: {path} cannot be used: {problem}")]
    Genesis {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

fn value(key: impl Into<String>, problem: &'static str) -> ConfigError {
    ConfigError::Value { key: key.into(), problem }
}

/// Where the passphrase of the key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passphrase {
    /// Asked on the terminal.
    #[default]
    Prompt,
    /// The first line of a file that only its owner may read.
    File(PathBuf),
    /// An environment variable. Other processes of the user can see it: prefer a file.
    Env(String),
}

impl Passphrase {
    /// Reads it from where it is.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be had.
    pub fn read(&self) -> Result<Zeroizing<String>, ConfigError> {
        match self {
            Self::Prompt => rpassword::prompt_password("Passphrase of the node's key: ")
                .map(Zeroizing::new)
                .map_err(|_| value("passphrase", "cannot be asked here; give a file instead")),
            Self::File(path) => {
                let problem = "is missing, or others may read it; make it chmod 600";
                crate::keys::exposed(path).map_err(|_| value("passphrase.file", problem))?;
                let text = std::fs::read_to_string(path)
                    .map(Zeroizing::new)
                    .map_err(|source| ConfigError::Io { path: path.clone(), source })?;
                Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
            }
            Self::Env(name) => std::env::var(name)
                .map(Zeroizing::new)
                .map_err(|_| value("passphrase.env", "names a variable that is not set; set it")),
        }
    }
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Peer {
    /// For logs.
    pub name: String,
    /// Its public key.
    pub key: VerifyKey,
    /// `IP:PORT` or `HOST:PORT`.
    pub address: String,
}

/// The HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Most connections.
    pub max_connections: usize,
    /// Most connections of one address.
    pub max_connections_per_address: usize,
    /// Most requests that are answered at a time.
    pub max_requests: usize,
    /// Requests a second of one address, on the average; 0 for no limit.
    pub requests_per_second: u32,
    /// Requests of one address at once.
    pub burst: u32,
    /// Seconds for one request.
    pub timeout_seconds: u64,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7780)),
            max_connections: 1024,
            max_connections_per_address: 64,
            max_requests: 256,
            requests_per_second: 100,
            burst: 400,
            timeout_seconds: 30,
        }
    }
}

/// Bounds of the mempool and the pace of proposals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Transactions that may wait.
    pub transactions: usize,
    /// Megabytes of transactions that may wait.
    pub megabytes: usize,
    /// Milliseconds for which a proposer gathers transactions.
    pub gather_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { transactions: 10_000, megabytes: 128, gather_ms: 60 }
    }
}

/// The consensus engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Consensus {
    /// Where it listens for peers.
    pub listen: SocketAddr,
    /// Whether peers may have private addresses.
    pub allow_private_addresses: bool,
    /// Milliseconds for which the others wait for a leader.
    pub leader_timeout_ms: u64,
    /// Milliseconds for a view until it is abandoned.
    pub certification_timeout_ms: u64,
    /// Most nodes of the network, with observers.
    pub max_peers: usize,
    /// Threads.
    pub threads: usize,
}

impl Default for Consensus {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 7700)),
            allow_private_addresses: false,
            leader_timeout_ms: 2000,
            certification_timeout_ms: 4000,
            max_peers: 16,
            threads: 2,
        }
    }
}

/// The authority's own checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnCheckpoint {
    /// A program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Or an HTTP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Mandates under which it has a word; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub checkpoints: BTreeSet<Checkpoint>,
    /// Milliseconds that it may take.
    #[serde(default = "OwnCheckpoint::default_timeout")]
    pub timeout_ms: u64,
    /// Cases judged at a time.
    #[serde(default = "OwnCheckpoint::default_concurrency")]
    pub concurrency: usize,
}

impl OwnCheckpoint {
    const fn default_timeout() -> u64 {
        5000
    }
    const fn default_concurrency() -> usize {
        4
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The log, on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Log {
    /// Its form.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`, or by module as in `info,placet_node=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info,commonware=warn".to_owned() }
    }
}

/// A node's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The network's genesis.
    pub genesis: PathBuf,
    /// The verifying key that the genesis pins. Unless the network is for development, the
    /// transcript of the key's ceremony lies beside it, with the extension `transcript`.
    pub verifying_key: PathBuf,
    /// Directory of the node's data.
    pub data: PathBuf,
    /// The node's key.
    pub key: PathBuf,
    /// Where its passphrase comes from.
    #[serde(default)]
    pub passphrase: Passphrase,
    /// Whether the clock may be moved; development networks only.
    #[serde(default)]
    pub dev_clock: bool,
    /// Consensus and peers.
    #[serde(default)]
    pub consensus: Consensus,
    /// The HTTP API.
    #[serde(default)]
    pub api: Api,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Own checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<OwnCheckpoint>,
    /// The log.
    #[serde(default)]
    pub log: Log,
    /// The other authorities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// Nodes that follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observers: Vec<Peer>,
}

impl Config {
    /// Reads and checks a file; paths come back relative to where the program runs.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let io = |source| ConfigError::Io { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(io)?.len() > MAX_FILE {
            return Err(value(
                "configuration",
                "the file is longer than 1 MiB; give the right one",
            ));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        let mut config: Self = toml::from_str(&text).map_err(|source| ConfigError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        for file in
            [&mut config.genesis, &mut config.verifying_key, &mut config.data, &mut config.key]
        {
            *file = base.join(&*file);
        }
        if let Passphrase::File(file) = &mut config.passphrase {
            *file = base.join(&*file);
        }
        if let Some(program) = config.checkpoint.as_mut().and_then(|own| own.program.as_mut()) {
            // A bare name is looked up where programs are.
            if program.components().count() > 1 {
                *program = base.join(&*program);
            }
        }
        config.check()?;
        Ok(config)
    }

    /// Everything that can be said without other files.
    fn check(&self) -> Result<(), ConfigError> {
        let positive = |key: &str, number: usize| match number {
            0 => Err(value(key, "must be at least 1; set it higher or leave it out")),
            _ => Ok(()),
        };
        positive("api.max-connections", self.api.max_connections)?;
        positive("api.max-connections-per-address", self.api.max_connections_per_address)?;
        positive("api.max-requests", self.api.max_requests)?;
        if self.api.requests_per_second > 0 {
            positive("api.burst", self.api.burst as usize)?;
        }
        if !(1..=600).contains(&self.api.timeout_seconds) {
            return Err(value("api.timeout-seconds", "must be 1 to 600; set it within"));
        }
        positive("limits.transactions", self.limits.transactions)?;
        if self.limits.megabytes < 16 {
            return Err(value("limits.megabytes", "must be at least 16; a sanctions list takes 9"));
        }
        let consensus = &self.consensus;
        positive("consensus.max-peers", consensus.max_peers)?;
        positive("consensus.threads", consensus.threads)?;
        if !(100..=60_000).contains(&consensus.leader_timeout_ms) {
            return Err(value(
                "consensus.leader-timeout-ms",
                "must be 100 to 60000; set it within",
            ));
        }
        if consensus.certification_timeout_ms <= consensus.leader_timeout_ms {
            let problem = "must be longer than consensus.leader-timeout-ms; double that";
            return Err(value("consensus.certification-timeout-ms", problem));
        }
        if self.limits.gather_ms >= consensus.leader_timeout_ms / 4 {
            let problem = "must be below a quarter of consensus.leader-timeout-ms; set it lower";
            return Err(value("limits.gather-ms", problem));
        }
        let mut keys = BTreeMap::new();
        let lists = [("peers", &self.peers), ("observers", &self.observers)];
        for (list, peers) in lists {
            for (index, peer) in peers.iter().enumerate() {
                let key = |field| format!("{list}[{index}].{field}");
                if !name_is_valid(&peer.name) {
                    return Err(value(
                        key("name"),
                        "must be 1 to 64 characters; give a short name",
                    ));
                }
                if peer.address.rsplit_once(':').is_none() {
                    return Err(value(key("address"), "must be HOST:PORT; add the port"));
                }
                if keys.insert(peer.key, ()).is_some() {
                    return Err(value(key("key"), "stands there twice; name each node once"));
                }
            }
        }
        if let Passphrase::Env(name) = &self.passphrase
            && name.is_empty()
        {
            return Err(value("passphrase.env", "is empty; name the variable"));
        }
        if let Some(own) = &self.checkpoint {
            if own.program.is_some() == own.url.is_some() {
                let problem = "needs either `program` or `url`; set one of them";
                return Err(value("checkpoint", problem));
            }
            let http = |url: &String| url.starts_with("http://") || url.starts_with("https://");
            if !own.url.as_ref().is_none_or(http) {
                return Err(value("checkpoint.url", "must begin with http:// or https://"));
            }
            if !(10..=60_000).contains(&own.timeout_ms) {
                return Err(value("checkpoint.timeout-ms", "must be 10 to 60000; set it within"));
            }
            if !(1..=64).contains(&own.concurrency) {
                return Err(value("checkpoint.concurrency", "must be 1 to 64; set it within"));
            }
        }
        if self.log.level.parse::<tracing_subscriber::filter::Targets>().is_err() {
            let problem = "must be error, warn, info, debug or trace, or as info,placet_node=debug";
            return Err(value("log.level", problem));
        }
        Ok(())
    }

    /// Reads the genesis and checks what depends on it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load_genesis(&self) -> Result<Genesis, ConfigError> {
        let wrong = |problem: String| ConfigError::Genesis { path: self.genesis.clone(), problem };
        let text = std::fs::read(&self.genesis).map_err(|error| wrong(error.to_string()))?;
        let genesis: Genesis =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        genesis.validate().map_err(|error| wrong(error.to_string()))?;
        if self.dev_clock && genesis.kind != NetworkKind::Dev {
            let problem = "is for development networks only; remove it";
            return Err(value("dev-clock", problem));
        }
        Ok(genesis)
    }

    /// The passphrase of the key.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be had.
    pub fn passphrase(&self) -> Result<Zeroizing<String>, ConfigError> {
        self.passphrase.read()
    }

    /// How the node uses its machine.
    pub fn settings(&self) -> Settings {
        let limits = &self.limits;
        let capacity =
            Capacity { count: limits.transactions, bytes: limits.megabytes * 1024 * 1024 };
        Settings {
            capacity,
            gather: Duration::from_millis(limits.gather_ms),
            patience: Duration::from_millis(self.consensus.leader_timeout_ms * 3 / 4),
            senders: self.consensus.max_peers,
            ..Settings::default()
        }
    }

    /// The own checkpoint, if there is one.
    pub fn rule(&self) -> Option<RuleSettings> {
        let own = self.checkpoint.as_ref()?;
        let place = match (&own.program, &own.url) {
            (Some(program), _) => {
                Place::Program { program: program.clone(), arguments: own.arguments.clone() }
            }
            (None, Some(url)) => Place::Http(url.clone()),
            (None, None) => return None,
        };
        let all = || Checkpoint::ALL.into_iter().collect();
        let named = Some(&own.checkpoints).filter(|named| !named.is_empty());
        Some(RuleSettings {
            place,
            checkpoints: named.cloned().unwrap_or_else(all),
            timeout: Duration::from_millis(own.timeout_ms),
            concurrency: own.concurrency,
        })
    }

    /// The file's text.
    ///
    /// # Errors
    /// If a value cannot be written in TOML, as a path that is not text.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_protocol::signing::SigningKey;

    const MINIMAL: &str = r#"
genesis = "genesis.json"
verifying-key = "transfer.vk"
data = "data"
key = "authority.key"
"#;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn a_minimal_file_is_enough_and_paths_are_relative_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, MINIMAL).unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.key, dir.path().join("authority.key"));
        assert_eq!(config.passphrase, Passphrase::Prompt);
        // What is written is read again.
        std::fs::write(&path, config.to_toml().unwrap()).unwrap();
        assert_eq!(Config::read(&path).unwrap(), config);
    }

    #[test]
    fn mistakes_are_named_by_their_key() {
        let key = SigningKey::from_seed(&[1; 32]).public();
        let peer = format!("[[peers]]\nname = 'b'\nkey = '{key}'\naddress = 'b.example:7700'\n");
        for (more, named) in [
            ("colour = 'red'", "colour"),
            ("[api]\nlisten = 'nowhere'", "listen"),
            ("[api]\ntimeout-seconds = 0", "api.timeout-seconds"),
            ("[api]\nmax-connections = 0", "api.max-connections"),
            ("[consensus]\nleader-timeout-ms = 5", "consensus.leader-timeout-ms"),
            ("[consensus]\ncertification-timeout-ms = 5", "consensus.certification-timeout-ms"),
            ("[limits]\nmegabytes = 1", "limits.megabytes"),
            ("[limits]\ngather-ms = 1000", "limits.gather-ms"),
            ("[log]\nlevel = 'a=b=c'", "log.level"),
            ("[checkpoint]\ntimeout-ms = 100", "checkpoint"),
            ("[checkpoint]\nurl = 'ftp://x'", "checkpoint.url"),
            ("[checkpoint]\nprogram = 'x'\ntimeout-ms = 1", "checkpoint.timeout-ms"),
            ("[checkpoint]\nprogram = 'x'\nconcurrency = 0", "checkpoint.concurrency"),
            ("[[peers]]\nname = 'b'\nkey = '00'\naddress = 'b:1'", "key"),
            (&format!("{peer}{peer}"), "peers[1].key"),
            (&peer.replace(":7700", ""), "peers[0].address"),
            ("passphrase = { env = '' }", "passphrase.env"),
        ] {
            let error = read(&format!("{MINIMAL}\n{more}")).unwrap_err().to_string();
            assert!(error.contains(named), "{more}: {error}");
        }
        assert!(read(&format!("{MINIMAL}\n{peer}")).is_ok());
    }

    #[test]
    fn the_clock_is_moved_on_development_networks_only() {
        let dir = tempfile::tempdir().unwrap();
        let (mut genesis, _) =
            crate::dev_network("x", 1_800_000_000, Default::default(), Vec::new(), &[1; 32])
                .unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, format!("dev-clock = true\n{MINIMAL}")).unwrap();
        let config = Config::read(&path).unwrap();
        let write = |genesis: &Genesis| {
            std::fs::write(&config.genesis, serde_json::to_vec(genesis).unwrap()).unwrap();
        };
        write(&genesis);
        config.load_genesis().unwrap();
        genesis.kind = NetworkKind::Other;
        write(&genesis);
        let error = config.load_genesis().unwrap_err().to_string();
        assert!(error.contains("dev-clock"), "{error}");
    }
}
