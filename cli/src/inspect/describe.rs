//! The public content of what crosses a trust border, as JSON and as indented lines.

use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::block::{Block, CertifiedBlock};
use placet_protocol::finality::Finality;
use placet_protocol::genesis::Genesis;
use placet_protocol::receipt::Receipt;
use placet_protocol::request::Request;
use placet_protocol::transaction::asset::Officer;
use placet_protocol::transaction::{
    AuthorityChange, CircuitChange, NumberedChange, NumberedCircuitChange, Transaction,
};
use serde_json::{Value, json};

use crate::{amount, time};

/// Adds the fields of one object to another.
pub fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// The public part of a transaction: everything there is to see.
pub fn transaction(tx: &Transaction) -> Value {
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
                "circuit": body.circuit.to_string(),
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
        Transaction::ChangeAuthorities(tx) => {
            let mut content = authority_change(&tx.change);
            merge(&mut content, json!({ "approvals": tx.approvals.len() }));
            content
        }
        Transaction::ChangeCircuits(tx) => {
            let mut content = circuit_change(&tx.change);
            merge(&mut content, json!({ "approvals": tx.approvals.len() }));
            content
        }
        Transaction::ConvictAuthority(tx) => json!({
            "authority": tx.assertion.authority.to_string(), "verdict": assertion(&tx.assertion),
        }),
    };
    merge(&mut content, json!({ "transaction": tx.kind() }));
    content
}

/// A change among the authorities, with its number.
pub fn authority_change(change: &NumberedChange) -> Value {
    match &change.change {
        AuthorityChange::Appoint(authority) => json!({
            "number": change.number, "change": "appoint", "name": authority.name,
            "authority": authority.key.to_string(),
            "mandates": authority.mandates.iter().map(|m| m.name()).collect::<Vec<_>>(),
        }),
        AuthorityChange::Dismiss(key) => json!({
            "number": change.number, "change": "dismiss", "authority": key.to_string(),
        }),
    }
}

/// A change among the circuits, with its number.
pub fn circuit_change(numbered: &NumberedCircuitChange) -> Value {
    match &numbered.change {
        CircuitChange::Add(new) => json!({
            "number": numbered.number, "change": "add",
            "circuit": new.id().map(|id| id.to_string()), "statement": new.statement,
            "circuit_digest": new.circuit_digest.to_string(), "activation": new.activation,
            "transcript": new.transcript_hash().map(|hash| hash.to_string()),
        }),
        CircuitChange::Deactivate { circuit, height } => json!({
            "number": numbered.number, "change": "deactivate", "circuit": circuit.to_string(),
            "deactivation": height,
        }),
    }
}

/// A final block with its transactions and the authorities that signed it.
pub fn certified(certified: &CertifiedBlock) -> Value {
    let mut content = block(&certified.block);
    merge(&mut content, finality(&certified.finality));
    content
}

/// The votes under a block.
pub fn finality(finality: &Finality) -> Value {
    let certificate = &finality.certificate;
    let signers: Vec<_> =
        certificate.signatures.iter().map(|signature| signature.authority.to_string()).collect();
    json!({
        "epoch": certificate.round.epoch, "view": certificate.round.view,
        "blocks_between": finality.descendants.len(), "signed_by": signers,
    })
}

/// What a receipt says, which is not checked here.
pub fn receipt(receipt: &Receipt) -> Value {
    let mut content = json!({
        "transaction_id": receipt.entry.transaction.to_string(),
        "height": receipt.header.height, "time": time::format(receipt.header.time),
        "place": receipt.index, "of": receipt.entries,
        "changes_of_validators": receipt.handoffs.len(),
        "assertions": receipt.entry.assertions.iter().map(assertion).collect::<Vec<_>>(),
    });
    merge(&mut content, finality(&receipt.finality));
    content
}

/// A request to the authorities.
pub fn request(request: &Request) -> Value {
    let mut content = match (request.as_admission(), request.as_change()) {
        (Some(admission), _) => json!({
            "asks": "to admit an attestor", "name": admission.name,
            "key": admission.key.to_string(),
            "attestor": admission.key.attestor_id().to_string(),
        }),
        (None, Some((change, _))) => authority_change(&change),
        (None, None) => match request.as_circuits() {
            Some(change) => circuit_change(&change),
            None => json!({}),
        },
    };
    merge(&mut content, json!({ "chain": request.chain().to_string() }));
    content
}

/// A block with its transactions.
pub fn block(block: &Block) -> Value {
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

/// A verdict.
pub fn assertion(signed: &SignedAssertion) -> Value {
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

/// A genesis.
pub fn genesis(genesis: &Genesis) -> Value {
    json!({
        "name": genesis.name, "kind": genesis.kind, "chain": genesis.chain_id().to_string(),
        "time": time::format(genesis.time), "root_window": genesis.params.root_window,
        "authorities": genesis.authorities.iter().map(|a| a.name.clone()).collect::<Vec<_>>(),
        "circuits": genesis.circuits.iter().map(|c| json!({
            "statement": c.statement, "circuit": c.circuit_digest.to_string(),
            "verifying_key": c.verifying_key.to_string(),
            "transcript": c.transcript.map(|hash| hash.to_string()),
        })).collect::<Vec<_>>(),
    })
}

/// JSON as indented lines of `name: value`.
pub fn render(value: &Value, depth: usize) -> String {
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
