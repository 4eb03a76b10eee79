//! Certificates made with the engine's own scheme are those of the protocol, and both judge every
//! one alike.

mod common;

use common::{CHAIN, key, public_keys};
use commonware_codec::types::lazy::Lazy;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Context, Finalization, Finalize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::ed25519::Signature as EngineSignature;
use commonware_cryptography::{Digestible as _, sha256::Digest};
use commonware_parallel::Sequential;
use commonware_utils::{non_empty, test_rng};
use placet_engine::block::ProposedBlock;
use placet_engine::{certificate, keys};
use placet_protocol::block::{Block, BlockId, Header, body_hash};
use placet_protocol::finality::{Finality, Validators, namespace, vote};

const LENGTH: u64 = 100;

fn validators() -> Validators {
    Validators::new(public_keys(4)).unwrap()
}

fn signer(i: u8) -> Scheme {
    let set = keys::set(validators().keys());
    Scheme::signer(&namespace(&CHAIN, &validators()), set, keys::private(&key(i))).unwrap()
}

fn header(height: u64) -> Header {
    Header {
        height,
        parent: BlockId([7; 32]),
        time: 1,
        state: [1; 32],
        body: body_hash(&CHAIN, &[]),
        validators: [2; 32],
        proposer: key(0).public(),
    }
}

fn proposed(height: u64) -> ProposedBlock {
    let context = Context {
        round: Round::new(Epoch::new(1), View::new(300)),
        leader: keys::public(&key(0).public()),
        parent: (View::new(299), Digest([9; 32])),
    };
    ProposedBlock::new(&CHAIN, context, Block { header: header(height), entries: Vec::new() })
}

fn finalization(block: &ProposedBlock, signers: &[u8]) -> Finalization<Scheme, Digest> {
    let round = Round::new(Epoch::new(1), View::new(300));
    let proposal = Proposal::new(round, View::new(299), block.digest());
    let votes: Vec<_> =
        signers.iter().map(|i| Finalize::sign(&signer(*i), proposal.clone()).unwrap()).collect();
    Finalization::from_finalizes(&signer(0), non_empty![@votes.iter()], &Sequential).unwrap()
}

/// The verdict of the engine and the verdict of the protocol.
fn verdicts(block: &ProposedBlock, finalization: &Finalization<Scheme, Digest>) -> (bool, bool) {
    let engine = finalization.verify(&mut test_rng(), &signer(0), &Sequential);
    let ours = certificate::convert(finalization, block.context_hash(), &validators()).is_some_and(
        |certificate| {
            Finality { descendants: vec![], certificate }
                .check(&CHAIN, block.header(), &validators(), LENGTH)
                .is_ok()
        },
    );
    (engine, ours)
}

#[test]
fn a_finalization_of_the_engine_is_a_certificate() {
    let block = proposed(150);
    for signers in [&[0, 1, 2][..], &[3, 1, 0], &[0, 1, 2, 3]] {
        assert_eq!(verdicts(&block, &finalization(&block, signers)), (true, true));
    }
}

#[test]
fn a_finalization_by_a_part_of_another_set_is_refused_by_both() {
    let block = proposed(150);
    let good = finalization(&block, &[0, 1, 2, 3]);
    let five = Validators::new(public_keys(5)).unwrap();
    let scheme = Scheme::verifier(&namespace(&CHAIN, &five), keys::set(five.keys()));
    let engine = good.verify(&mut test_rng(), &scheme, &Sequential);
    let certificate = certificate::convert(&good, block.context_hash(), &validators()).unwrap();
    let finality = Finality { descendants: vec![], certificate };
    let ours = finality.check(&CHAIN, block.header(), &five, LENGTH).is_ok();
    assert_eq!((engine, ours), (false, false));
}

#[test]
fn an_altered_finalization_is_refused_by_both() {
    let block = proposed(150);
    let good = finalization(&block, &[0, 1, 2]);
    let mut altered = good.clone();
    altered.proposal.parent = View::new(298);
    assert_eq!(verdicts(&block, &altered), (false, false), "the parent's view");
    let mut altered = good.clone();
    altered.proposal.round = Round::new(Epoch::new(1), View::new(301));
    assert_eq!(verdicts(&block, &altered), (false, false), "the view");
    let mut altered = good.clone();
    altered.certificate.signatures.swap(0, 1);
    assert_eq!(verdicts(&block, &altered), (false, false), "another's signature");
    // The protocol derives the payload, so another block is refused there.
    let other = proposed(151);
    assert_eq!(verdicts(&other, &good), (true, false), "another block");
    let encoded = good.encode();
    let mut refused = 0;
    for i in 0..encoded.len() {
        let mut bytes = encoded.to_vec();
        bytes[i] ^= 1;
        let Ok(decoded) = Finalization::<Scheme, Digest>::decode_cfg(Copying(&bytes[..]), &4)
        else {
            continue;
        };
        let (engine, ours) = verdicts(&block, &decoded);
        assert!(!engine, "byte {i}");
        // The payload is not in our certificate; everything else is.
        let payload_only = decoded.proposal.payload != good.proposal.payload
            && decoded.certificate == good.certificate;
        assert_eq!(ours, payload_only, "byte {i}");
        refused += 1;
    }
    assert!(refused > 200, "only {refused} alterations could be decoded");
}

#[test]
fn signatures_with_small_order_components_are_judged_alike() {
    let block = proposed(150);
    let good = finalization(&block, &[0, 1, 2, 3]);
    let round = placet_protocol::finality::Round { epoch: 1, view: 300, parent: 299 };
    let message = vote(&CHAIN, &validators(), &round, &good.proposal.payload.0);
    let place = validators().keys().binary_search(&key(2).public()).unwrap();
    let judge = |signature: &[u8; 64]| {
        let mut altered = good.clone();
        let signature = EngineSignature::decode(Copying(&signature[..])).unwrap();
        altered.certificate.signatures[place] = Lazy::from(signature);
        verdicts(&block, &altered)
    };
    for torsion in curve25519_dalek::constants::EIGHT_TORSION {
        let signature = with_torsion(&key(2), &message, torsion);
        // ZIP 215 accepts all eight; a strict or a cofactorless verifier accepts one.
        assert_eq!(judge(&signature), (true, true), "{torsion:?}");
        // A scalar that is not reduced says the same to a lax verifier.
        let mut unreduced = signature;
        add_order(&mut unreduced[32..]);
        assert_eq!(judge(&unreduced), (false, false), "unreduced with {torsion:?}");
        let mut wrong = signature;
        wrong[33] ^= 1;
        assert_eq!(judge(&wrong), (false, false), "wrong with {torsion:?}");
    }
}

/// An honest signature but for a small-order point added to R.
fn with_torsion(
    key: &placet_protocol::signing::SigningKey,
    message: &[u8],
    torsion: curve25519_dalek::EdwardsPoint,
) -> [u8; 64] {
    use curve25519_dalek::{EdwardsPoint, Scalar};
    use sha2::{Digest as _, Sha512};
    let hash = Sha512::digest(&key.to_seed()[..]);
    let mut secret: [u8; 32] = hash[..32].try_into().unwrap();
    secret[0] &= 248;
    secret[31] &= 127;
    secret[31] |= 64;
    let secret = Scalar::from_bytes_mod_order(secret);
    let nonce = Scalar::from(123_456_789u64);
    let r = (EdwardsPoint::mul_base(&nonce) + torsion).compress().to_bytes();
    let wide: [u8; 64] = Sha512::new()
        .chain_update(r)
        .chain_update(key.public().to_bytes())
        .chain_update(message)
        .finalize()
        .into();
    let s = nonce + Scalar::from_bytes_mod_order_wide(&wide) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s.to_bytes());
    signature
}

/// Adds the group's order to a little-endian number.
fn add_order(bytes: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0u16;
    for (byte, add) in bytes.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

#[test]
fn a_proposed_block_round_trips_and_is_what_its_header_says() {
    let block = proposed(150);
    let bytes = block.encode();
    let again = ProposedBlock::decode_cfg(bytes.clone(), &CHAIN).unwrap();
    assert_eq!((again.digest(), again.id()), (block.digest(), block.id()));
    assert_eq!(again.encode(), bytes);
    for cut in 0..bytes.len() {
        assert!(ProposedBlock::decode_cfg(bytes.slice(..cut), &CHAIN).is_err(), "cut at {cut}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(ProposedBlock::decode_cfg(Copying(&longer[..]), &CHAIN).is_err(), "trailing");
    // Every altered byte is refused or changes the digest that is voted on.
    for i in 0..bytes.len() {
        let mut altered = bytes.to_vec();
        altered[i] ^= 1;
        if let Ok(other) = ProposedBlock::decode_cfg(Copying(&altered[..]), &CHAIN) {
            assert_ne!(other.digest(), block.digest(), "byte {i}");
        }
    }
    let mut header = header(150);
    header.body[0] ^= 1;
    let context = commonware_consensus::CertifiableBlock::context(&block);
    let lying = ProposedBlock::new(&CHAIN, context, Block { header, entries: Vec::new() });
    assert!(ProposedBlock::decode_cfg(lying.encode(), &CHAIN).is_err(), "entries of another");
    let huge = [&bytes[..bytes.len() - block_length(&block) - 4], &[0xff; 4]].concat();
    assert!(ProposedBlock::decode_cfg(Copying(&huge[..]), &CHAIN).is_err(), "a length of 4 GiB");
}

fn block_length(block: &ProposedBlock) -> usize {
    use placet_protocol::wire::Wire as _;
    block.block().to_wire().len()
}
