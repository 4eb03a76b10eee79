//! A block as the engine moves it: the context in which it was proposed, and the protocol's bytes.
//!
//! The engine votes on a digest of the block's id and the context. The id covers the entries only
//! through the hash in the header, so decoding recomputes that hash: what has the digest that was
//! voted on is the block, whole.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error as CodecError, MaxEncodeSize as _, Read, ReadExt as _,
    Write,
};
use commonware_consensus::simplex::types::Context;
use commonware_consensus::types::{Height, Round, View};
use commonware_consensus::{Block as EngineBlock, BoundedBlock, CertifiableBlock, Heightable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{Digestible, sha256::Digest};
use placet_protocol::block::{Block, BlockId, Header, MAX_BLOCK_BYTES, body_hash};
use placet_protocol::finality::{Validators, payload};
use placet_protocol::genesis::ChainId;
use placet_protocol::wire::Wire as _;
use sha2::{Digest as _, Sha256};

use crate::keys;

/// Where the engine proposes: round, leader, parent.
pub type ProposalContext = Context<Digest, PublicKey>;

/// Longest header, in bytes, with room to spare.
const MAX_HEADER_BYTES: usize = 1024;
/// Longest encoding of the protocol's part, in bytes.
const MAX_WIRE_BYTES: usize = MAX_BLOCK_BYTES + MAX_HEADER_BYTES;
/// Longest encoding of a [`ProposedBlock`], in bytes.
pub const MAX_PROPOSED_BYTES: usize = ProposalContext::MAX_ENCODE_SIZE + 4 + MAX_WIRE_BYTES;

/// A block with the context in which it was proposed. Immutable; cheap to clone.
#[derive(Clone)]
pub struct ProposedBlock {
    context: ProposalContext,
    block: Arc<Block>,
    wire: Bytes,
    id: BlockId,
    context_hash: [u8; 32],
    digest: Digest,
}

impl std::fmt::Debug for ProposedBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProposedBlock({} {})", self.block.header.height, self.id)
    }
}

impl ProposedBlock {
    /// Puts a block into its context. The caller vouches for the hash of the body.
    pub fn new(chain: &ChainId, context: ProposalContext, block: Block) -> Self {
        let wire = Bytes::from(block.to_wire());
        Self::assemble(chain, context, block, wire)
    }

    fn assemble(chain: &ChainId, context: ProposalContext, block: Block, wire: Bytes) -> Self {
        // The genesis stands for block 0 under the chain's own id.
        let id =
            if block.header.height == 0 { BlockId::genesis(chain) } else { block.header.id(chain) };
        let context_hash: [u8; 32] = Sha256::digest(context.encode()).into();
        let digest = Digest(payload(chain, &id, &context_hash));
        Self { context, block: Arc::new(block), wire, id, context_hash, digest }
    }

    /// The engine's block 0: the same for every node of a network.
    pub fn genesis(chain: &ChainId, validators: &Validators) -> Self {
        let first = &validators.keys()[0];
        let header = Header {
            height: 0,
            parent: BlockId::genesis(chain),
            time: 0,
            state: [0; 32],
            body: body_hash(chain, &[]),
            validators: validators.hash(chain),
            proposer: *first,
        };
        let context = Context {
            round: Round::zero(),
            leader: keys::public(first),
            parent: (View::zero(), Digest(chain.0)),
        };
        Self::new(chain, context, Block { header, entries: Vec::new() })
    }

    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.block.header
    }

    /// Its id; at height 0 the one that stands for the genesis.
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// SHA-256 of the context's encoding.
    pub fn context_hash(&self) -> [u8; 32] {
        self.context_hash
    }
}

impl Write for ProposedBlock {
    fn write(&self, out: &mut impl BufMut) {
        self.context.write(out);
        out.put_u32(u32::try_from(self.wire.len()).expect("blocks are bounded far below 4 GiB"));
        out.put_slice(&self.wire);
    }
}

impl EncodeSize for ProposedBlock {
    fn encode_size(&self) -> usize {
        self.context.encode_size() + 4 + self.wire.len()
    }
}

impl Read for ProposedBlock {
    type Cfg = ChainId;

    fn read_cfg(input: &mut impl Buf, chain: &ChainId) -> Result<Self, CodecError> {
        let context = ProposalContext::read(input)?;
        let length = u32::read(input)? as usize;
        if length > MAX_WIRE_BYTES {
            return Err(CodecError::InvalidLength(length));
        }
        if input.remaining() < length {
            return Err(CodecError::EndOfBuffer);
        }
        let wire = input.copy_to_bytes(length);
        let block = Block::from_wire(&wire)
            .map_err(|_| CodecError::Invalid("ProposedBlock", "not the encoding of a block"))?;
        if block.header.body != body_hash(chain, &block.entries) {
            return Err(CodecError::Invalid("ProposedBlock", "entries of another header"));
        }
        Ok(Self::assemble(chain, context, block, wire))
    }
}

impl Digestible for ProposedBlock {
    type Digest = Digest;
    fn digest(&self) -> Digest {
        self.digest
    }
}

impl Heightable for ProposedBlock {
    fn height(&self) -> Height {
        Height::new(self.block.header.height)
    }
}

impl EngineBlock for ProposedBlock {
    fn parent(&self) -> Digest {
        self.context.parent.1
    }
}

impl CertifiableBlock for ProposedBlock {
    type Context = ProposalContext;
    fn context(&self) -> ProposalContext {
        self.context.clone()
    }
}

impl BoundedBlock for ProposedBlock {
    fn max_encode_size(_: &ChainId) -> usize {
        MAX_PROPOSED_BYTES
    }
}
