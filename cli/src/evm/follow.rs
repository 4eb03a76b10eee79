//! The state behind one final block. Authorities that sign the roots of one block must find the same
//! ones, wherever the chain has got to meanwhile: so a view of its own is kept, which is followed no
//! further than that block.

use placet_protocol::block::CertifiedBlock;
use placet_protocol::genesis::Genesis;
use placet_protocol::transaction::Transaction;
use placet_wallet::client::Client;
use placet_wallet::issuer::Watch;
use placet_wallet::network::{Network, NetworkError, Status, SubmitError, Submitted};
use placet_wallet::view::Anchor;

use crate::app::App;
use crate::chain::Chain;
use crate::fail::{Failure, Result};
use crate::refusals::sync_failure;

/// A view that stands at a block.
pub struct Seen {
    /// The view.
    pub client: Client<Watch>,
    /// The block, and the roots behind it.
    pub anchor: Anchor,
}

/// Follows the chain, checking every certificate, up to a height or to its newest block.
pub fn at(app: &App, chain: &Chain, height: Option<u64>) -> Result<Seen> {
    let directory = match chain {
        Chain::Local(_) => app.data.network(),
        Chain::Nodes(_) => app.data.remote(),
    };
    let mut client = Client::open(&directory.join("evm.redb"), chain.genesis(), Watch)?;
    let task = app.progress.bar("following the ledger");
    let until = Until { chain, last: height.unwrap_or(u64::MAX) };
    client
        .sync(&until, &mut |step| task.at(step.height, step.of.min(until.last)))
        .map_err(|error| sync_failure(chain, error))?;
    let anchor = client.anchor(&client.read()?)?;
    match height {
        Some(height) if anchor.height < height => Err(Failure::input(
            "height",
            format!("the newest block has height {}, not {height}", anchor.height),
            "wait for the block, or name a lower height",
        )),
        Some(height) if anchor.height > height => Err(Failure::input(
            "height",
            format!("block {} was signed or followed for signing already", anchor.height),
            "adapters take newer roots only: name that height or a higher one",
        )),
        _ => Ok(Seen { client, anchor }),
    }
}

/// A network whose blocks above a height do not exist yet.
struct Until<'a> {
    chain: &'a Chain,
    last: u64,
}

impl Network for Until<'_> {
    fn genesis(&self) -> std::result::Result<Genesis, NetworkError> {
        Network::genesis(self.chain)
    }
    fn status(&self) -> std::result::Result<Status, NetworkError> {
        self.chain.status()
    }
    fn blocks(
        &self,
        from: u64,
        max: usize,
    ) -> std::result::Result<Vec<CertifiedBlock>, NetworkError> {
        let room = match self.last.checked_sub(from) {
            None => return Ok(Vec::new()),
            Some(more) => usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1),
        };
        self.chain.blocks(from, max.min(room))
    }
    fn submit(&self, transaction: &Transaction) -> std::result::Result<Submitted, SubmitError> {
        self.chain.submit(transaction)
    }
    fn distrust(&self) -> bool {
        self.chain.distrust()
    }
}
