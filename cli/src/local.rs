//! The embedded network of a data directory: four authorities inside of this command.

use std::cell::RefCell;

use placet_node::files::read_genesis;
use placet_node::{Clock, Embedded, FileError, KeySource, NodeError, SubmitError as NodeSubmit};
use placet_protocol::block::{BlockId, CertifiedBlock};
use placet_protocol::genesis::{Genesis, NetworkKind, PinnedCircuit};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::Transaction;
use placet_protocol::transfer::Transfer;
use placet_prover::Prover;
use placet_prover::kernel::Tables;
use placet_wallet::network::{Network, NetworkError, Rejection, Status, SubmitError, Submitted};

use crate::data::DataDir;
use crate::fail::{Exit, Failure, Result};
use crate::keyfiles;
use crate::progress::Progress;
use crate::refusals::rejected;
use crate::time;

/// Seconds by which the last block may be ahead of the clock before time is taken to stand still.
const AHEAD: u64 = placet_node::embedded::DRIFT;

/// An open network.
pub struct Local {
    node: Embedded,
    keys: std::path::PathBuf,
    progress: Progress,
    tables: Tables,
    /// Why the node failed, behind the seam's plain word for it.
    failed: RefCell<Option<NodeError>>,
}

impl Local {
    /// Opens the network of a data directory and moves its time where it should be.
    pub fn open(
        data: &DataDir,
        progress: Progress,
        tables: Tables,
        block_time: Option<u64>,
    ) -> Result<Self> {
        let dir = data.network();
        let genesis = read_genesis(&dir).map_err(|error| file_failure(&error))?;
        if genesis.kind != NetworkKind::Dev {
            return Err(Failure::input(
                "not-dev",
                "only development networks run embedded in this command",
                "use a data directory made by `placet network init`",
            ));
        }
        let working = progress.spinner("opening the network");
        let (key, _) = keyfiles::verifying(std::slice::from_ref(&dir), &genesis)?;
        let open = |clock| Embedded::open(&dir, &key, KeySource::Stored, clock);
        let mut node = open(Clock::System).map_err(|error| node_failure(&error))?;
        let tip = node.tip().map_err(|error| node_failure(&error))?.time;
        let target = match block_time {
            Some(time) if time < tip => return Err(before_tip(time, tip)),
            Some(time) => Some(time),
            // Somebody moved this network's time ahead: it stands still until the clock is there.
            None if tip > time::now()?.saturating_add(AHEAD) => Some(tip),
            None => None,
        };
        if let Some(target) = target {
            drop(node);
            node = open(Clock::Manual).map_err(|error| node_failure(&error))?;
            if target > tip {
                node.advance_time(target - tip).map_err(|error| node_failure(&error))?;
            }
        }
        drop(working);
        Ok(Self { node, keys: dir, progress, tables, failed: RefCell::default() })
    }

    /// The four authorities.
    pub fn node(&self) -> &Embedded {
        &self.node
    }

    /// Makes a block if the last one is too old to prove against.
    pub fn freshen(&self) -> Result<()> {
        self.node.heartbeat().map_err(|error| node_failure(&error))
    }

    /// Sends a transaction that carries no proof and waits until it is final.
    pub fn execute(&self, transaction: &Transaction) -> Result<Submitted> {
        let _working = self.progress.spinner("waiting for the authorities");
        self.submit(transaction).map_err(|error| self.submit_failure(&error))
    }

    /// The authorities' keys.
    pub fn authority_keys(&self) -> Result<Vec<SigningKey>> {
        placet_node::files::stored_keys(&self.keys, self.node.genesis())
            .map_err(|error| file_failure(&error))
    }

    /// The key that signs sanctions lists.
    pub fn publisher(&self) -> Result<SigningKey> {
        placet_node::files::read_publisher(&self.keys, self.node.genesis())
            .map_err(|error| file_failure(&error))
    }

    /// The prover of one of this network's circuits.
    pub fn prover(&self, circuit: &PinnedCircuit) -> Result<Prover<Transfer>> {
        let (places, kind) = (std::slice::from_ref(&self.keys), self.node.genesis().kind);
        keyfiles::prover(places, kind, circuit, self.tables, self.progress)
    }

    /// A failed question, with the node's own reason if it gave one.
    pub fn network_failure(&self, error: &NetworkError) -> Failure {
        match self.failed.take() {
            Some(reason) => node_failure(&reason),
            None => Failure::internal(error),
        }
    }

    /// A refused or failed submission.
    pub fn submit_failure(&self, error: &SubmitError) -> Failure {
        match error {
            SubmitError::Rejected(rejection) => rejected(rejection),
            SubmitError::Network(error) => self.network_failure(error),
        }
    }

    fn answer<T>(
        &self,
        answer: std::result::Result<T, NodeError>,
    ) -> std::result::Result<T, NetworkError> {
        answer.map_err(|error| {
            self.failed.replace(Some(error));
            NetworkError::Failed
        })
    }
}

impl Network for Local {
    fn genesis(&self) -> std::result::Result<Genesis, NetworkError> {
        Ok(self.node.genesis().clone())
    }

    fn status(&self) -> std::result::Result<Status, NetworkError> {
        let tip = self.answer(self.node.tip())?;
        Ok(Status { height: tip.height, time: tip.time, id: BlockId(tip.block) })
    }

    fn blocks(
        &self,
        from: u64,
        max: usize,
    ) -> std::result::Result<Vec<CertifiedBlock>, NetworkError> {
        let view = self.answer(self.node.view())?;
        let store =
            |error| self.answer(Err(NodeError::Ledger(placet_ledger::LedgerError::from(error))));
        let mut blocks = Vec::new();
        for height in from..from.saturating_add(max as u64) {
            match view.block(height).or_else(store)? {
                Some(block) => blocks.push(block),
                None => break,
            }
        }
        Ok(blocks)
    }

    fn submit(&self, transaction: &Transaction) -> std::result::Result<Submitted, SubmitError> {
        match self.node.submit(transaction) {
            Ok(receipt) => Ok(Submitted { id: receipt.id, height: receipt.height }),
            Err(NodeSubmit::Refused(refusal)) => Err(SubmitError::Rejected(Rejection {
                code: refusal.code().to_owned(),
                message: refusal.to_string(),
                opinions: Vec::new(),
            })),
            Err(NodeSubmit::Node(error)) => Ok(self.answer(Err(error))?),
        }
    }
}

/// Makes a development network: keys from the cache or made now, a genesis, four authorities.
pub fn init(data: &DataDir, progress: Progress, name: &str, time: u64) -> Result<Genesis> {
    let dir = data.network();
    if read_genesis(&dir).is_ok() {
        return Err(Failure::input(
            "exists",
            format!("{} holds a network already; it was not touched", dir.display()),
            "use another directory with --data",
        ));
    }
    let (proving, verifying) = keyfiles::development(progress)?;
    let mut seed = zeroize::Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut_slice())?;
    let pins = vec![placet_node::pin(&verifying)];
    let (genesis, secrets) = placet_node::dev_network(name, time, Default::default(), pins, &seed)
        .map_err(|error| Failure::from_error(Exit::Input, "genesis", &error))?;
    std::fs::create_dir_all(&dir).map_err(|error| Failure::file(&dir, &error))?;
    // The network keeps its own copy: a cache may be cleared, and other keys would be other ones.
    keyfiles::save(&dir, &proving, &verifying)?;
    placet_node::write_network(&dir, &genesis, Some(&secrets))
        .map_err(|error| file_failure(&error))?;
    Ok(genesis)
}

/// The network's files.
pub fn file_failure(error: &FileError) -> Failure {
    match error {
        FileError::NoNetwork(dir) => Failure::input(
            "no-network",
            format!("there is no network in {}", dir.display()),
            "`placet network init` makes a development network here, `placet network join` uses one \
             that runs elsewhere; see also --data",
        ),
        other => Failure::from_error(Exit::Input, "network-file", other),
    }
}

/// The node as a whole.
pub fn node_failure(error: &NodeError) -> Failure {
    match error {
        NodeError::File(error) => file_failure(error),
        NodeError::Key(error) => Failure::from_error(Exit::Input, "verifying-key", error),
        other => Failure::internal(other),
    }
}

fn before_tip(time: u64, tip: u64) -> Failure {
    Failure::input(
        "block-time",
        format!(
            "--block-time {} is before the last block, {}",
            time::format(time),
            time::format(tip)
        ),
        "time only moves forward: choose a later one",
    )
}
