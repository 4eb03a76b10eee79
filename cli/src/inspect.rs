//! `placet inspect`: says what a file or a text is and what is in it, without any key. Whatever is
//! secret stays sealed.

use std::path::Path;

use clap::Args;
use placet_circuits::circuit::blank_shape;
use placet_params::file::LoadError;
use placet_params::{CircuitDigest, KeyPolicy, Manifest, ManifestError, ProvingKey, VerifyingKey};
use placet_protocol::address::Address;
use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::block::{Block, CertifiedBlock};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::statement::{PROOF_BYTES, Statement};
use placet_protocol::transaction::asset::Officer;
use placet_protocol::transaction::{MAX_SANCTIONS_BYTES, Transaction};
use placet_protocol::transfer::Transfer;
use placet_protocol::wire::Wire;
use placet_wallet::keystore;
use serde_json::{Value, json};

use crate::amount;
use crate::app::{App, keystore_failure};
use crate::data::{DataDir, Party};
use crate::fail::{Exit, Failure, Result};
use crate::output::Report;
use crate::time;

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
        return Err(unknown(text, "there is no such file, and it is no address or hexadecimal"));
    };
    let json = json!({ "kind": found.kind, "content": found.content });
    Ok(Report::new(format!("{}\n{}", found.kind, render(&found.content, 1)), json))
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
        placet_node::files::read_genesis(&dir).ok().map(|genesis| describe_genesis(&genesis))
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
            placet_params::Origin::Ceremony { transcript } => format!("ceremony {transcript}"),
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
        return Ok(Some(Found { kind: "genesis", content: describe_genesis(&genesis) }));
    }
    match Manifest::from_json(text, placet_params::NetworkKind::Dev) {
        Ok(manifest) => {
            let content =
                serde_json::to_value(&manifest).map_err(|error| Failure::internal(&error))?;
            Ok(Some(Found { kind: "key manifest", content }))
        }
        Err(ManifestError::Json(_)) => Ok(None),
        Err(error) => Err(Failure::from_error(Exit::Input, "manifest", &error)),
    }
}

/// Without the network's attestors aliases cannot be looked up, so every one is taken to exist.
fn policy(text: &str) -> Result<Found> {
    use placet_wallet::policy_file::{AssetTerms, describe, read};
    let stand_in = |alias: &str| {
        let hash: [u8; 32] = std::array::from_fn(|i| alias.bytes().nth(i).unwrap_or(0) & 0x0f);
        placet_protocol::field::AttestorId::from_bytes(&hash).ok()
    };
    let terms =
        (!text.contains("[asset]")).then_some(AssetTerms { decimals: 0, count_holders: true });
    let file = read(text, terms, &stand_in)
        .map_err(|error| Failure::input("policy", &error, "correct the line and try again"))?;
    let shown = terms.or(file
        .asset
        .as_ref()
        .map(|asset| AssetTerms { decimals: asset.decimals, count_holders: asset.count_holders }));
    let plain =
        shown.map(|terms| describe(&file.policy, terms, &|_| Some("a named attestor".into())));
    let content = json!({
        "asset": file.asset.as_ref().map(|asset| asset.name.clone()),
        "jurisdictions": file.policy.rules.len(),
        "currency": file.currency,
        "in_words": plain.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()),
    });
    Ok(Found { kind: "policy file", content })
}

/// Canonical encodings, most specific first; decoding is strict, so at most one fits.
fn wire(bytes: &[u8]) -> Option<Found> {
    if let Ok(tx) = Transaction::from_wire(bytes) {
        let mut content = json!({ "bytes": bytes.len() });
        merge(&mut content, transaction(&tx));
        return Some(Found { kind: "transaction", content });
    }
    if let Ok(certified) = CertifiedBlock::from_wire(bytes) {
        let mut content = block(&certified.block);
        let signers: Vec<_> =
            certified.signatures.iter().map(|s| s.authority.to_string()).collect();
        merge(&mut content, json!({ "signed_by": signers }));
        return Some(Found { kind: "certified block", content });
    }
    if let Ok(found) = Block::from_wire(bytes) {
        return Some(Found { kind: "block", content: block(&found) });
    }
    if let Ok(signed) = SignedAssertion::from_wire(bytes) {
        return Some(Found { kind: "assertion", content: assertion(&signed) });
    }
    if let Ok(genesis) = Genesis::from_wire(bytes) {
        return Some(Found { kind: "genesis", content: describe_genesis(&genesis) });
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

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// The public part of a transaction: everything there is to see.
fn transaction(tx: &Transaction) -> Value {
    let mut content = match tx {
        Transaction::AdmitAttestor(tx) => json!({
            "name": tx.admission.name, "attestor": tx.admission.key.attestor_id().to_string(),
            "approvals": tx.approvals.len(),
        }),
        Transaction::IssueCredential(tx) => json!({
            "attestor": tx.message.attestor.to_string(), "sequence": tx.message.sequence,
            "inner": tx.message.inner.to_string(),
            "subject_tags": tx.message.tags.as_ref().map_or(0, |tags| tags.subjects.len()),
        }),
        Transaction::RevokeCredential(tx) => json!({
            "attestor": tx.message.attestor.to_string(), "sequence": tx.message.sequence,
            "leaf": tx.message.leaf, "urgent": tx.message.urgent,
        }),
        Transaction::PublishSanctions(tx) => json!({
            "version": tx.message.version, "urgent": tx.message.urgent,
            "entries": tx.message.subjects.len(),
        }),
        Transaction::RegisterAsset(tx) => {
            let asset = &tx.registration;
            json!({
                "name": asset.metadata.name,
                "isin": asset.metadata.isin.map(|isin| isin.to_string()),
                "issuer": asset.issuer.to_string(),
                "authorised_supply":
                    amount::format(asset.authorised_supply, asset.metadata.decimals),
                "count_holders": asset.count_holders, "jurisdictions": asset.policy.rules.len(),
            })
        }
        Transaction::SetPolicy(tx) => json!({
            "asset": tx.message.asset.to_string(), "version": tx.message.version,
            "urgent": tx.message.urgent, "jurisdictions": tx.message.policy.rules.len(),
        }),
        Transaction::Mint(tx) => json!({
            "asset": tx.allotment.asset.to_string(), "amount": tx.allotment.amount,
            "unlock_at": tx.allotment.unlock_at,
            "delivery": tx.allotment.commitment().to_string(),
        }),
        Transaction::Transfer(tx) => {
            let body = &tx.body;
            json!({
                "asset": body.asset.to_string(), "time": time::format(body.now),
                "policy": body.policy.to_string(),
                "position_root": body.position_root.to_string(),
                "delivery_root": body.delivery_root.to_string(),
                "registry_root": body.registry_root.to_string(),
                "sanctions_root": body.sanctions_root.to_string(),
                "nf_position": body.nf_position.to_string(),
                "nf_delivery": body.nf_delivery.to_string(),
                "cm_position": body.cm_position.to_string(),
                "cm_delivery": body.cm_delivery.to_string(), "receipt": body.receipt.to_string(),
                "redeemed": body.redeemed(), "expiry_height": body.expiry_height,
                "proof": hex::encode(tx.proof.0),
            })
        }
        Transaction::FreezeNullifiers(tx) => json!({
            "asset": tx.message.asset.to_string(), "sequence": tx.message.sequence,
            "nullifiers": tx.message.nullifiers.len(),
        }),
        Transaction::ReleaseNullifiers(tx) => json!({
            "asset": tx.message.asset.to_string(), "sequence": tx.message.sequence,
            "nullifiers": tx.message.nullifiers.len(),
        }),
        Transaction::PauseAsset(tx) => json!({
            "asset": tx.message.asset.to_string(), "paused": tx.message.paused,
            "by": match tx.message.by { Officer::Issuer => "issuer", Officer::Agent => "agent" },
        }),
        Transaction::RotateAgentKey(tx) => json!({
            "asset": tx.rotation.asset.to_string(), "signing": tx.rotation.signing.to_string(),
        }),
    };
    merge(&mut content, json!({ "transaction": tx.kind() }));
    content
}

fn block(block: &Block) -> Value {
    let header = &block.header;
    json!({
        "height": header.height, "time": time::format(header.time),
        "parent": header.parent.to_string(), "state": hex::encode(header.state),
        "proposer": header.proposer.to_string(),
        "transactions": block.entries.iter().map(|entry| {
            let mut content = transaction(&entry.transaction);
            merge(&mut content, json!({ "assertions": entry.assertions.len() }));
            content
        }).collect::<Vec<_>>(),
    })
}

fn assertion(signed: &SignedAssertion) -> Value {
    let assertion = &signed.assertion;
    json!({
        "transaction": assertion.transaction.to_string(),
        "checkpoint": assertion.checkpoint.name(),
        "verdict": match assertion.verdict {
            Verdict::Approve => "approve".to_owned(),
            Verdict::Reject(reason) => match placet_ledger::Refusal::from_number(reason) {
                Some(refusal) => format!("reject: {}", refusal.code()),
                None => format!("reject: reason {reason}"),
            },
        },
        "authority": signed.authority.to_string(),
        "judged_at": assertion.judged_at, "expires_at": assertion.expires_at,
        "discretionary": assertion.discretionary,
    })
}

fn describe_genesis(genesis: &Genesis) -> Value {
    let chain: ChainId = genesis.chain_id();
    json!({
        "name": genesis.name, "kind": genesis.kind, "chain": chain.to_string(),
        "time": time::format(genesis.time), "root_window": genesis.params.root_window,
        "authorities": genesis.authorities.iter().map(|a| a.name.clone()).collect::<Vec<_>>(),
        "circuits": genesis.circuits.iter().map(|c| json!({
            "statement": c.statement, "circuit": c.circuit_digest.to_string(),
            "verifying_key": c.verifying_key.to_string(),
        })).collect::<Vec<_>>(),
    })
}

/// JSON as indented lines of `name: value`.
fn render(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth);
    let inline = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_flat = |value: &Value| !matches!(value, Value::Object(_) | Value::Array(_));
    let lines: Vec<String> = match value {
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| {
                let name = name.replace('_', " ");
                match value {
                    value if is_flat(value) => format!("{pad}{name}: {}", inline(value)),
                    Value::Array(items) if items.is_empty() => format!("{pad}{name}: none"),
                    value => format!("{pad}{name}:\n{}", render(value, depth + 1)),
                }
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| match is_flat(item) {
                true => format!("{pad}- {}", inline(item)),
                false => format!("{pad}-\n{}", render(item, depth + 1)),
            })
            .collect(),
        flat => vec![format!("{pad}{}", inline(flat))],
    };
    lines.join("\n")
}
