//! What every command has at hand: the options that all share, the data directory, progress,
//! passphrases.

use std::path::PathBuf;

use clap::Args;
use placet_node::files::read_genesis;
use placet_prover::kernel::Tables;
use placet_wallet::files::Existing;
use placet_wallet::keystore::{self, Cost, KeystoreError, RoleKeys};
use placet_wallet::remote::NodeUrl;
use placet_wallet::seed::Phrase;

use crate::chain::Chain;
use crate::data::{DataDir, Home, Lock, Name, Party, Public};
use crate::fail::{Exit, Failure, Result};
use crate::local::{Local, file_failure};
use crate::nodes::Nodes;
use crate::progress::Progress;
use crate::secret::Passphrases;
use crate::time;

/// Options of every command.
#[derive(Args)]
pub struct Options {
    /// Directory that holds keys and the embedded network [default: the user's data directory]
    #[arg(long, global = true, env = "PLACET_DATA", value_name = "DIR", hide_env_values = true)]
    pub data: Option<PathBuf>,

    /// Ask this node instead of those that the data directory knows; repeat it for several
    #[arg(
        long = "node",
        global = true,
        env = "PLACET_NODES",
        value_name = "URL",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub nodes: Vec<NodeUrl>,

    /// Print one JSON value on standard output; errors as JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// Show no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Read passphrases from this file descriptor instead of asking: one line per keystore in the
    /// order in which the command opens them; the last line serves for all that follow
    #[arg(long, global = true, env = "PLACET_PASSPHRASE_FD", value_name = "N")]
    pub passphrase_fd: Option<u32>,

    /// Memory for tables of the proving key, which is kept in the cache and shared by all
    /// processes: `full` proves fastest, see `placet tables list` for sizes
    #[arg(
        long,
        global = true,
        env = "PLACET_TABLES",
        value_name = "none|small|full",
        default_value = "full",
        hide_env_values = true
    )]
    pub tables: Tables,

    /// Time of the next block instead of the clock's: development networks only, and never before
    /// the last block. As 2027-01-31, 2027-01-31T12:30:00Z or seconds since 1970, in UTC
    #[arg(long, global = true, value_name = "TIME", value_parser = time::parse)]
    pub block_time: Option<u64>,
}

/// One run of the program.
pub struct App {
    /// Where everything is.
    pub data: DataDir,
    /// Nodes that were named on the command line or in the environment.
    pub nodes: Vec<NodeUrl>,
    /// Progress on the terminal.
    pub progress: Progress,
    /// How the prover's tables are wanted.
    pub tables: Tables,
    /// Where passphrases come from.
    pub passphrases: Passphrases,
    /// Time of the next block, if it is not the clock's.
    pub block_time: Option<u64>,
    /// Whether the result is for a script.
    pub json: bool,
    lock: Option<Lock>,
}

impl App {
    /// From the command line's options.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self {
            data: DataDir::new(options.data)?,
            nodes: options.nodes,
            progress: Progress::new(options.quiet),
            tables: options.tables,
            passphrases: Passphrases::new(options.passphrase_fd),
            block_time: options.block_time,
            json: options.json,
            lock: None,
        })
    }

    /// Makes sure that no other command works on the data directory until this one ends.
    pub fn lock(&mut self) -> Result<()> {
        if self.lock.is_none() {
            self.lock = Some(self.data.lock()?);
        }
        Ok(())
    }

    /// Locks the data directory and opens its network: the one in it, or the nodes it uses.
    pub fn chain(&mut self) -> Result<Chain> {
        if Nodes::are_used(&self.data) {
            return self.nodes().map(|nodes| Chain::Nodes(Box::new(nodes)));
        }
        // Asked first: looking for a network in the wrong place should not leave a directory there.
        read_genesis(&self.data.network()).map_err(|error| file_failure(&error))?;
        if !self.nodes.is_empty() {
            return Err(Failure::input(
                "embedded",
                "this data directory holds an embedded network and uses no nodes",
                "leave --node and PLACET_NODES out, or use another directory with --data",
            ));
        }
        self.lock()?;
        let local = Local::open(&self.data, self.progress, self.tables, self.block_time)?;
        Ok(Chain::Local(Box::new(local)))
    }

    /// Locks the data directory and takes up what an earlier command has left unfinished.
    pub fn nodes(&mut self) -> Result<Nodes> {
        if self.block_time.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "usage",
                "--block-time is for networks embedded in the data directory",
                "`placet devnet advance` moves the time of running nodes",
            ));
        }
        self.lock()?;
        let nodes = Nodes::open(&self.data, &self.nodes, self.progress, self.tables)?;
        for news in nodes.take_up()? {
            // Standard error is for one JSON object then.
            if !self.json {
                self.progress.note(&news);
            }
        }
        Ok(nodes)
    }

    /// Makes a party with fresh keys, or with the keys of a phrase.
    pub fn new_party(
        &mut self,
        party: Party,
        name: &Name,
        keys: &RoleKeys,
        public: &Public,
    ) -> Result<Home> {
        self.lock()?;
        self.data.must_be_free(party, name)?;
        let passphrase = self.passphrases.fresh(&format!("{} {name}", party.noun()))?;
        let mut random = [0u8; keystore::RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        let _working = self.progress.spinner("encrypting the keystore");
        self.data.create(party, name, public, |path| {
            let cost = Cost::RECOMMENDED;
            keystore::write(path, keys, &passphrase, cost, &random, Existing::Refuse)
                .map_err(keystore_failure)
        })
    }

    /// Opens the keystore of a party.
    pub fn unlock(&mut self, home: &Home) -> Result<RoleKeys> {
        let passphrase = self.passphrases.known(&home.title())?;
        let _working = self.progress.spinner("opening the keystore");
        keystore::read(&home.keystore(), &passphrase).map_err(keystore_failure)
    }
}

/// A phrase from the operating system's randomness.
pub fn fresh_phrase() -> Result<Phrase> {
    let mut entropy = zeroize::Zeroizing::new([0u8; 32]);
    getrandom::fill(entropy.as_mut_slice())?;
    Ok(Phrase::from_entropy(*entropy))
}

/// A keystore was not opened or written.
pub fn keystore_failure(error: KeystoreError) -> Failure {
    match &error {
        KeystoreError::WrongPassphrase => Failure::new(
            Exit::Passphrase,
            "wrong-passphrase",
            "wrong passphrase",
            "try again; without it only the seed phrase brings the keys back",
        ),
        KeystoreError::Exists => Failure::from_error(Exit::Input, "exists", &error),
        KeystoreError::File(_) => Failure::from_error(Exit::Input, "file", &error),
        _ => Failure::from_error(Exit::Input, "keystore", &error),
    }
}
