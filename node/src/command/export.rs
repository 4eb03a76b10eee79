//! `export`: blocks in a file, from a stopped node's ledger or from a running node's API.

use std::io::BufWriter;
use std::path::PathBuf;

use clap::Args;
use placet_protocol::api::{MAX_PAGE, PAGE_BYTES, Status, path};
use placet_protocol::block::{CertifiedBlock, MAX_BLOCK_BYTES};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::wire::Reader;

use super::status::{base, get};
use super::{CONFIG, CommandError, Report, io};
use crate::config::Config;
use crate::export::{ExportError, write};
use crate::service::open_ledger;

/// Longest page of blocks, in bytes.
const MAX_PAGE_BYTES: u64 = (PAGE_BYTES + 2 * MAX_BLOCK_BYTES) as u64;
/// Longest answer in JSON, in bytes.
const MAX_JSON: u64 = 1024 * 1024;

/// Which blocks, and where to.
#[derive(Debug, Args)]
pub struct Export {
    /// The configuration of a node that is stopped
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Or the address of a running node's API
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    api: Option<String>,
    /// First height
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Last height; the last block that there is if it is left out
    #[arg(long)]
    to: Option<u64>,
    /// A new file
    #[arg(value_name = "FILE")]
    out: PathBuf,
}

/// Blocks over HTTP, a page at a time.
struct Pages {
    base: String,
    next: u64,
    last: u64,
    page: std::vec::IntoIter<CertifiedBlock>,
}

impl Pages {
    fn next(&mut self) -> Result<CertifiedBlock, CommandError> {
        if self.page.len() == 0 {
            let max = (self.last - self.next + 1).min(MAX_PAGE);
            let query = format!("{}?from={}&max={max}", path::BLOCKS, self.next);
            let bytes = get(&self.base, &query, MAX_PAGE_BYTES)?;
            let mut input = Reader::new(&bytes);
            let blocks = input.list::<CertifiedBlock>(MAX_PAGE as usize);
            let blocks = blocks.ok().filter(|blocks| !blocks.is_empty() && input.end().is_ok());
            let blocks = blocks.ok_or_else(|| CommandError::Garbage(self.base.clone()))?;
            self.page = blocks.into_iter();
        }
        self.next += 1;
        self.page.next().ok_or_else(|| CommandError::Garbage(self.base.clone()))
    }
}

impl Export {
    pub(super) fn run(&self) -> Result<Report, CommandError> {
        let from = self.from.max(1);
        let count = match &self.api {
            Some(_) => {
                let base = base(self.api.as_ref(), &self.config)?;
                let garbage = || CommandError::Garbage(base.clone());
                let genesis: Genesis =
                    serde_json::from_slice(&get(&base, path::GENESIS, MAX_JSON)?)
                        .map_err(|_| garbage())?;
                let status: Status = serde_json::from_slice(&get(&base, path::STATUS, MAX_JSON)?)
                    .map_err(|_| garbage())?;
                let last = self.to.unwrap_or(status.height);
                let page = Vec::new().into_iter();
                let mut pages = Pages { base: base.clone(), next: from, last, page };
                self.write(genesis.chain_id(), from, last, |_| pages.next())?
            }
            None => {
                let config = Config::read(&self.config)?;
                let (ledger, _) = open_ledger(&config)?;
                let last = match self.to {
                    Some(to) => to,
                    None => ledger.tip().map_err(ExportError::from)?.height,
                };
                self.write(ledger.chain(), from, last, |height| {
                    let block = ledger.block(height).map_err(ExportError::from)?;
                    Ok(block.ok_or(ExportError::Missing(height))?)
                })?
            }
        };
        let text = format!("{count} blocks from {from} on in {}", self.out.display());
        let json = serde_json::json!({ "blocks": count, "from": from, "file": self.out });
        Ok(Report { text, json })
    }

    fn write(
        &self,
        chain: ChainId,
        from: u64,
        to: u64,
        block: impl FnMut(u64) -> Result<CertifiedBlock, CommandError>,
    ) -> Result<u64, CommandError> {
        let file = std::fs::File::create_new(&self.out).map_err(io(&self.out))?;
        write(&chain, from, to, block, BufWriter::new(file))
    }
}
