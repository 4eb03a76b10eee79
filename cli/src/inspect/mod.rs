//! `placet inspect`: says what a file or a text is and what is in it, without any key. Whatever is
//! secret stays sealed.

pub mod describe;

use std::cell::RefCell;
use std::path::Path;

use ark_bn254::Fr;
use clap::Args;
use placet_circuits::circuit::blank_shape;
use placet_params::file::LoadError;
use placet_params::{CircuitDigest, KeyPolicy, ProvingKey, VerifyingKey};
use placet_protocol::address::Address;
use placet_protocol::assertion::SignedAssertion;
use placet_protocol::block::{Block, CertifiedBlock};
use placet_protocol::field::AttestorId;
use placet_protocol::genesis::Genesis;
use placet_protocol::receipt::Receipt;
use placet_protocol::request::{ApprovalFile, Request};
use placet_protocol::statement::{PROOF_BYTES, Statement};
use placet_protocol::transaction::{MAX_SANCTIONS_BYTES, Transaction};
use placet_protocol::transfer::Transfer;
use placet_protocol::wire::Wire;
use placet_wallet::keystore;
use placet_wallet::policy_file::{self, AssetTerms, Mistake};
use serde_json::{Value, json};

use crate::app::{App, keystore_failure};
use crate::data::{DataDir, Party};
use crate::fail::{Exit, Failure, Result};
use crate::output::Report;

/// Largest file that is read whole.
const MAX_BYTES: u64 = 1 << 30;
/// A development proving key takes seconds to check; anything else of that size is no text.
const MAX_TEXT: usize = 2 * MAX_SANCTIONS_BYTES + 1024;

/// What to look at.
#[derive(Args)]
pub struct Inspect {
    /// A file, a data directory, an address, or bytes in hexadecimal
    what: String,
}

/// What it turned out to be.
struct Found {
    kind: &'static str,
    content: Value,
}

/// Looks at it.
pub fn run(app: &App, inspect: &Inspect) -> Result<Report> {
    let text = inspect.what.trim();
    let path = Path::new(text);
    let found = if path.is_dir() {
        directory(path)?
    } else if path.exists() {
        file(app, path)?
    } else if let Some(found) = plain_text(text)? {
        found
    } else {
        return Err(unknown(
            text,
            "no file has this name, and it is no address, policy, JSON or hexadecimal of a known form",
        ));
    };
    let json = json!({ "kind": found.kind, "content": found.content });
    Ok(Report::new(format!("{}\n{}", found.kind, describe::render(&found.content, 1)), json))
}

fn unknown(what: &str, why: &str) -> Failure {
    Failure::input(
        "unknown-format",
        format!("`{}` is nothing that Placet writes: {why}", short(what)),
        "give a transaction, block, key file, keystore, genesis, policy, address or data directory",
    )
}

/// Long arguments are not repeated whole.
fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn directory(path: &Path) -> Result<Found> {
    let data = DataDir::new(Some(path.to_owned()))?;
    let network = [data.network(), path.to_owned()].into_iter().find_map(|dir| {
        placet_node::files::read_genesis(&dir).ok().map(|genesis| describe::genesis(&genesis))
    });
    let mut parties = serde_json::Map::new();
    for party in [Party::Wallet, Party::Attestor, Party::Issuer, Party::Agent] {
        let homes = data.homes(party)?;
        if !homes.is_empty() {
            let names: Vec<_> = homes.iter().map(|home| home.name.to_string()).collect();
            parties.insert(format!("{}s", party.noun()), json!(names));
        }
    }
    if network.is_none() && parties.is_empty() {
        return Err(unknown(
            &path.display().to_string(),
            "the directory holds no network and no keys",
        ));
    }
    parties.insert("network".into(), network.unwrap_or(Value::Null));
    Ok(Found { kind: "data directory", content: parties.into() })
}

fn file(app: &App, path: &Path) -> Result<Found> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(unknown(
            &path.display().to_string(),
            "it is larger than anything Placet writes",
        ));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    if bytes.starts_with(b"PLACETKS") {
        let role = keystore::role_of(path).map_err(keystore_failure)?;
        let content = json!({ "role": role.to_string(), "bytes": bytes.len(), "secret": "sealed" });
        return Ok(Found { kind: "keystore", content });
    }
    if bytes.starts_with(b"PLACETKY") {
        return key_file(app, &bytes);
    }
    if bytes.starts_with(b"redb") {
        let content =
            json!({ "bytes": bytes.len(), "note": "the store of a role or of an authority" });
        return Ok(Found { kind: "redb database", content });
    }
    if let Some(found) = wire(&bytes) {
        return Ok(found);
    }
    let text = (bytes.len() <= MAX_TEXT).then(|| std::str::from_utf8(&bytes).ok()).flatten();
    match text.map(str::trim) {
        Some(text) => plain_text(text)?,
        None => None,
    }
    .ok_or_else(|| unknown(&path.display().to_string(), "its content has no known form"))
}

/// A key file, checked in full against this program's circuit.
fn key_file(app: &App, bytes: &[u8]) -> Result<Found> {
    let _working = app.progress.spinner("checking the key file");
    let shape = blank_shape::<Transfer>().map_err(|error| Failure::internal(&error))?;
    let circuit = CircuitDigest(shape.digest);
    let refused = |error: LoadError| Failure::from_error(Exit::Input, "key-file", &error);
    let (kind, key) =
        match VerifyingKey::<Transfer>::from_file_bytes(bytes, &circuit, KeyPolicy::Dev) {
            Ok(key) => ("verifying key", key),
            Err(LoadError::WrongKind { .. }) => {
                let key = ProvingKey::<Transfer>::from_file_bytes(bytes, &circuit, KeyPolicy::Dev)
                    .map_err(refused)?;
                ("proving key", key.verifying_key().clone())
            }
            Err(error) => return Err(refused(error)),
        };
    let content = json!({
        "statement": Transfer::NAME,
        "circuit": key.circuit().to_string(),
        "verifying_key": key.hash().to_string(),
        "origin": match key.origin() {
            placet_params::Origin::Dev => "development: whoever made it can forge proofs".to_owned(),
            placet_params::Origin::Ceremony { transcript } => format!(
                "claims the ceremony of transcript {transcript}, which was not looked at"
            ),
        },
        "bytes": bytes.len(),
        "checked": "checksums, every point, this program's circuit",
    });
    Ok(Found { kind, content })
}

/// Text: an address, hexadecimal, JSON, or a policy.
fn plain_text(text: &str) -> Result<Option<Found>> {
    if text.to_ascii_lowercase().starts_with("placet1") {
        let address: Address =
            text.parse().map_err(|error| Failure::from_error(Exit::Input, "address", &error))?;
        let content = json!({
            "holder": address.holder().to_string(),
            "viewing_key": hex::encode(address.viewing().to_bytes()),
            "address": address.to_string(),
        });
        return Ok(Some(Found { kind: "address", content }));
    }
    if let Ok(bytes) = hex::decode(text.strip_prefix("0x").unwrap_or(text)) {
        return Ok(wire(&bytes).or_else(|| small(&bytes)));
    }
    if text.starts_with('{') {
        return json_text(text);
    }
    if text.contains('[') && text.contains('=') {
        return policy(text).map(Some);
    }
    Ok(None)
}

fn json_text(text: &str) -> Result<Option<Found>> {
    if let Ok(genesis) = serde_json::from_str::<Genesis>(text) {
        genesis.validate().map_err(|error| Failure::from_error(Exit::Input, "genesis", &error))?;
        return Ok(Some(Found { kind: "genesis", content: describe::genesis(&genesis) }));
    }
    if let Ok(request) = Request::from_json(text.as_bytes()) {
        let content = describe::request(&request);
        return Ok(Some(Found { kind: "request to the authorities", content }));
    }
    if let Ok(approval) = ApprovalFile::from_json(text.as_bytes()) {
        let content = json!({
            "authority": approval.authority.to_string(),
            "approves": describe::request(&approval.approves),
        });
        return Ok(Some(Found { kind: "approval of an authority", content }));
    }
    Ok(None)
}

/// Without a network attestors cannot be looked up, so every name is taken to exist.
fn policy(text: &str) -> Result<Found> {
    let names: RefCell<Vec<String>> = RefCell::default();
    let stand_in = |number: usize| AttestorId::new(Fr::from(number as u64 + 1));
    let by_name = |name: &str| {
        let mut names = names.borrow_mut();
        let known = names.iter().position(|known| known == name);
        let number = known.unwrap_or(names.len());
        if known.is_none() {
            names.push(name.to_owned());
        }
        Some(stand_in(number))
    };
    // A change of policy leaves the [asset] table out; these terms only decide how it is read.
    let without = AssetTerms { decimals: 0, count_holders: true };
    let file = match policy_file::read(text, None, &by_name) {
        Err(error) if error.mistake == Mistake::AssetMissing => {
            policy_file::read(text, Some(without), &by_name)
        }
        other => other,
    }
    .map_err(|error| Failure::input("policy", &error, "correct the line and try again"))?;
    let terms = file.asset.as_ref().map_or(without, |asset| AssetTerms {
        decimals: asset.decimals,
        count_holders: asset.count_holders,
    });
    let names = names.into_inner();
    let alias = |id| (0..names.len()).find(|i| stand_in(*i) == id).map(|i| names[i].clone());
    let words = policy_file::describe(&file.policy, terms, &alias);
    let content = json!({
        "asset": file.asset.as_ref().map(|asset| asset.name.clone()),
        "jurisdictions": file.policy.rules.len(),
        "currency": file.policy.currency.map(|currency| currency.to_string()),
        "in_words": words.lines().collect::<Vec<_>>(),
    });
    Ok(Found { kind: "policy file", content })
}

/// Canonical encodings, most specific first; decoding is strict, so at most one fits.
fn wire(bytes: &[u8]) -> Option<Found> {
    if let Ok(tx) = Transaction::from_wire(bytes) {
        let mut content = json!({ "bytes": bytes.len() });
        describe::merge(&mut content, describe::transaction(&tx));
        return Some(Found { kind: "transaction", content });
    }
    if let Ok(certified) = CertifiedBlock::from_wire(bytes) {
        return Some(Found { kind: "certified block", content: describe::certified(&certified) });
    }
    if let Ok(receipt) = Receipt::from_wire(bytes) {
        return Some(Found { kind: "receipt", content: describe::receipt(&receipt) });
    }
    if let Ok(found) = Block::from_wire(bytes) {
        return Some(Found { kind: "block", content: describe::block(&found) });
    }
    if let Ok(signed) = SignedAssertion::from_wire(bytes) {
        return Some(Found { kind: "assertion", content: describe::assertion(&signed) });
    }
    if let Ok(genesis) = Genesis::from_wire(bytes) {
        return Some(Found { kind: "genesis", content: describe::genesis(&genesis) });
    }
    None
}

/// What only its length tells.
fn small(bytes: &[u8]) -> Option<Found> {
    match bytes.len() {
        PROOF_BYTES => Some(Found {
            kind: "proof, probably",
            content: json!({ "a": hex::encode(&bytes[..32]), "b": hex::encode(&bytes[32..96]),
                "c": hex::encode(&bytes[96..]) }),
        }),
        32 => {
            let array: [u8; 32] = bytes.try_into().ok()?;
            let field = placet_protocol::field::from_bytes(&array).is_ok();
            let key = placet_protocol::signing::VerifyKey::from_bytes(&array).ok();
            let content = json!({
                "canonical_field_element": field,
                "signing_key_of_attestor": key.map(|key| key.attestor_id().to_string()),
                "note": "32 bytes: an id, a hash, a commitment, a nullifier or a key",
            });
            Some(Found { kind: "32 bytes", content })
        }
        _ => None,
    }
}
