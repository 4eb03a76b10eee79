//! What an authority does for the engine, and what the engine promises in return.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use placet_protocol::block::{Block, BlockId, CertifiedBlock};
use placet_protocol::genesis::ChainId;
use placet_protocol::signing::VerifyKey;

use crate::environment::Environment;

/// An answer that may take its time. The engine may drop it at any await.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The last block that is durably committed. Height 0 is the genesis, with
/// [`BlockId::genesis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its height.
    pub height: u64,
    /// Its id.
    pub id: BlockId,
}

/// A message under which one key contradicted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Two different blocks notarized in one view.
    ConflictingNotarize,
    /// Two different blocks finalized in one view.
    ConflictingFinalize,
    /// One view both abandoned and finalized.
    NullifyFinalize,
}

/// Proof that an authority signed two messages that exclude each other. The engine has verified
/// both signatures before it hands this over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Whose signatures they are.
    pub culprit: VerifyKey,
    /// The epoch of both messages.
    pub epoch: u64,
    /// The view of both messages.
    pub view: u64,
    /// How they contradict each other.
    pub kind: Fault,
    /// Both messages in the engine's encoding.
    pub proof: Vec<u8>,
}

/// The authority cannot continue: its store failed or its state contradicts a final block. The
/// process has to stop; whoever supervises it may start it again.
#[derive(Debug, thiserror::Error)]
#[error("the authority cannot continue and has to be stopped: {0}")]
pub struct Fatal(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl Fatal {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// An authority, or an observer, as the engine sees it.
///
/// The engine calls [`Self::connect`] once, before everything else. After that any method may be
/// called from any thread, [`Self::propose`] and [`Self::verify`] several at a time; commits come
/// one after the other.
pub trait Application: Send + Sync + 'static {
    /// The network this authority belongs to. Never changes.
    fn chain(&self) -> ChainId;

    /// Blocks in an epoch, at least 2. Height `h` belongs to epoch `h / epoch_length`; the genesis
    /// is height 0. Never changes.
    fn epoch_length(&self) -> u64;

    /// The last block that is durably committed.
    fn applied(&self) -> Applied;

    /// Keys, ascending, that make the blocks of `epoch` final. `None` until the last block of the
    /// epoch before is committed. The answer for an epoch never changes, and stays available for
    /// all past epochs: the engine needs it to verify certificates while it catches up.
    fn validators(&self, epoch: u64) -> Option<Vec<VerifyKey>>;

    /// How to reach the others, and the time.
    fn connect(&self, environment: Environment);

    /// A block on top of the last of `ancestors`, or on top of the committed tip if there are none.
    ///
    /// `ancestors` were not yet committed when the engine looked, oldest first, and the first
    /// continues the tip of that moment. The engine may commit some of them while the answer is
    /// being prepared: those are to be skipped.
    /// Without effects: the block may never become final. May be dropped at any await. The pace
    /// of the chain is kept here, by waiting for transactions, but for less than the engine's
    /// `leader_timeout`. `None` skips the turn: the others move on after their time-out, so an
    /// empty block is better than `None` where the chain should not wait.
    fn propose(&self, ancestors: Vec<Arc<Block>>) -> Answer<'_, Option<Block>>;

    /// Whether `block`, on top of `ancestors` as in [`Self::propose`], may become final.
    ///
    /// `false` says that the block is invalid for ever. While the verdict may still change (a time
    /// ahead of the clock, data not yet here), the answer has to stay pending instead. A pure
    /// function of block and ancestors. `leader` is who proposed it and is known to be the author
    /// of the message; the engine has checked that the header names it.
    fn verify(
        &self,
        leader: VerifyKey,
        ancestors: Vec<Arc<Block>>,
        block: Arc<Block>,
    ) -> Answer<'_, bool>;

    /// Makes a final block part of the durable state, in one step. Heights come in order and
    /// without gaps, each at least once; a block at or below [`Self::applied`] is to be ignored.
    /// The engine counts the block as delivered only after `Ok`, and its certificate has been
    /// verified.
    ///
    /// # Errors
    /// [`Fatal`] if the state cannot be made durable. The engine then stops.
    fn commit(&self, block: CertifiedBlock) -> Answer<'_, Result<(), Fatal>>;

    /// A message of another authority or observer. `from` is authenticated, the content is not
    /// checked. Has to return quickly.
    fn receive(&self, from: VerifyKey, message: Bytes);

    /// Somebody contradicted itself. May come more than once for the same messages.
    fn misbehaviour(&self, evidence: Evidence);
}
