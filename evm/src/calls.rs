//! Calls of the contracts, by the contract ABI. Everything here has a fixed layout but the lists at
//! the end of a call, so the encoding is written out.

use crate::address::Address;
use crate::binding::TokenTransfer;
use crate::proof::{INPUT_WORDS, PROOF_WORDS};
use crate::signing::Signature;
use crate::typed::{Adapter, Roots, SignerChange};
use crate::word::{WORD_BYTES, Word, keccak256};

/// Of `PlacetVerifier`.
pub const VERIFY: &str = "verify(uint256[8],uint256[17])";
/// Of `PlacetCompliance`.
pub const AUTHORISE: &str = "authorise(uint256[8],uint256[17],address,address,uint256,uint64)";
/// Of `PlacetCompliance`.
pub const POST_ROOTS: &str =
    "postRoots((uint64,uint64,uint64,uint256,uint256,uint256,uint256),(bytes32,bytes32,uint8)[])";
/// Of `PlacetCompliance`.
pub const CHANGE_SIGNERS: &str = "changeSigners(uint64,address[],(bytes32,bytes32,uint8)[])";

/// The first four bytes of a call.
pub fn selector(signature: &str) -> [u8; 4] {
    keccak256(&[signature.as_bytes()])[..4].try_into().expect("four of 32 bytes")
}

/// A call whose arguments all have fixed size.
pub fn call(signature: &str, words: &[Word]) -> Vec<u8> {
    let mut out = selector(signature).to_vec();
    out.extend(words.iter().flat_map(|word| word.0));
    out
}

/// `PlacetVerifier.verify`.
pub fn verify(proof: &[Word; PROOF_WORDS], inputs: &[Word; INPUT_WORDS]) -> Vec<u8> {
    call(VERIFY, &[&proof[..], inputs].concat())
}

/// `PlacetCompliance.authorise`.
pub fn authorise(
    proof: &[Word; PROOF_WORDS],
    inputs: &[Word; INPUT_WORDS],
    transfer: &TokenTransfer,
) -> Vec<u8> {
    let rest =
        [transfer.from.word(), transfer.to.word(), transfer.amount, transfer.deadline.into()];
    call(AUTHORISE, &[&proof[..], inputs, &rest].concat())
}

/// `PlacetCompliance.postRoots`; the signatures in the order of
/// [`assemble`](crate::signing::assemble).
pub fn post_roots(roots: &Roots, signatures: &[Signature]) -> Vec<u8> {
    let mut words = roots.words().to_vec();
    words.push(offset(words.len() + 1));
    push_list(&mut words, signatures.iter().map(Signature::words));
    call(POST_ROOTS, &words)
}

/// `PlacetCompliance.changeSigners`; the signatures in the order of
/// [`assemble`](crate::signing::assemble).
pub fn change_signers(change: &SignerChange, signatures: &[Signature]) -> Vec<u8> {
    const HEAD: usize = 3;
    let mut words = vec![change.number.into(), offset(HEAD)];
    words.push(offset(HEAD + 1 + change.signers.len()));
    push_list(&mut words, change.signers.iter().map(|signer| [signer.word()]));
    push_list(&mut words, signatures.iter().map(Signature::words));
    call(CHANGE_SIGNERS, &words)
}

/// The arguments of `PlacetCompliance`'s constructor, to stand behind its bytecode.
pub fn constructor(
    verifier: Address,
    token: Address,
    adapter: &Adapter,
    window: u64,
    signers: &[Address],
) -> Vec<u8> {
    let mut words = vec![
        verifier.word(),
        token.word(),
        Word(adapter.chain.0),
        Word::from(&adapter.asset.get()),
        window.into(),
    ];
    words.push(offset(words.len() + 1));
    push_list(&mut words, signers.iter().map(|signer| [signer.word()]));
    words.iter().flat_map(|word| word.0).collect()
}

/// Where a list begins, counted from the first argument.
fn offset(words: usize) -> Word {
    Word::from((words * WORD_BYTES) as u64)
}

fn push_list<const N: usize>(
    words: &mut Vec<Word>,
    items: impl ExactSizeIterator<Item = [Word; N]>,
) {
    words.push(Word::from(items.len() as u64));
    words.extend(items.flatten());
}
