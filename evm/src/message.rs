//! Signed messages as files that authorities hand around until there are enough of them. JSON,
//! because people compare them; what is signed is the typed data.

use placet_protocol::circuit::CircuitId;
use placet_protocol::field::{FieldError, NoteRoot, PolicyHash, RegistryRoot, SanctionsRoot};
use placet_protocol::genesis::ChainId;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::calls;
use crate::signing::{QuorumError, Signature, SignatureError, SigningKey, assemble};
use crate::typed::{Adapter, Digest, Roots, SignerChange};

/// Longest file that is read, in bytes: 64 signers fit ten times over.
pub const MAX_BYTES: usize = 64 * 1024;

/// Why a file is no signed message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Too long.
    #[error("the file is longer than {MAX_BYTES} bytes; name a file that `placet evm` signed")]
    TooLong,
    /// No such JSON.
    #[error("{0}; name a file that `placet evm` signed")]
    Json(#[from] serde_json::Error),
    /// An id or a root in it is none.
    #[error("`{field}` is not 64 hexadecimal digits of a value in range; sign again")]
    Value {
        /// Which.
        field: &'static str,
    },
    /// The signature in it is none.
    #[error("{0}; sign again")]
    Signature(#[from] SignatureError),
}

/// Why messages do not make one call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// Nothing was given.
    #[error("no signed message was given; name the files")]
    None,
    /// They are about different things.
    #[error(
        "message {index} is about something else than the first one; all must name the same adapter, block and values"
    )]
    Differs {
        /// Which, from 0.
        index: usize,
    },
    /// The signatures are no quorum.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
}

/// What is signed for an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Roots of a final block.
    Roots(Roots),
    /// A change of the signers.
    Signers(SignerChange),
}

/// One authority's signature over what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// For which adapter.
    pub adapter: Adapter,
    /// What it says.
    pub content: Content,
    /// By whom, as recovered.
    pub signature: Signature,
}

impl Message {
    /// Signs.
    pub fn sign(adapter: Adapter, content: Content, key: &SigningKey) -> Self {
        let signature = key.sign(&digest(&adapter, &content));
        Self { adapter, content, signature }
    }

    /// Who signed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn signer(&self) -> Result<Address, SignatureError> {
        self.signature.signer(&digest(&self.adapter, &self.content))
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let Adapter { evm_chain, address, chain, asset, circuit } = &self.adapter;
        let content = match &self.content {
            Content::Roots(roots) => ContentText::Roots {
                height: roots.height,
                time: roots.time,
                oldest: roots.oldest,
                note_root: roots.note_root.to_string(),
                registry_root: roots.registry_root.to_string(),
                sanctions_root: roots.sanctions_root.to_string(),
                policy: roots.policy.to_string(),
            },
            Content::Signers(change) => {
                ContentText::Signers { number: change.number, signers: change.signers.clone() }
            }
        };
        let text = MessageText {
            evm_chain: *evm_chain,
            adapter: *address,
            chain: chain.to_string(),
            asset: asset.to_string(),
            circuit: *circuit,
            says: content,
            signature: self.signature.to_string(),
        };
        let mut json = serde_json::to_string_pretty(&text).expect("texts and numbers are JSON");
        json.push('\n');
        json
    }

    /// Reads a file strictly. The signature is checked where the message is used.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_BYTES {
            return Err(MessageError::TooLong);
        }
        let text: MessageText = serde_json::from_slice(bytes)?;
        let chain = hex::decode(&text.chain).ok().and_then(|bytes| bytes.try_into().ok());
        let adapter = Adapter {
            evm_chain: text.evm_chain,
            address: text.adapter,
            chain: ChainId(chain.ok_or(MessageError::Value { field: "chain" })?),
            asset: value(&text.asset, "asset")?,
            circuit: text.circuit,
        };
        let content = match text.says {
            ContentText::Roots {
                height,
                time,
                oldest,
                note_root,
                registry_root,
                sanctions_root,
                policy,
            } => Content::Roots(Roots {
                height,
                time,
                oldest,
                note_root: value::<NoteRoot>(&note_root, "note_root")?,
                registry_root: value::<RegistryRoot>(&registry_root, "registry_root")?,
                sanctions_root: value::<SanctionsRoot>(&sanctions_root, "sanctions_root")?,
                policy: value::<PolicyHash>(&policy, "policy")?,
            }),
            ContentText::Signers { number, signers } => {
                Content::Signers(SignerChange { number, signers })
            }
        };
        Ok(Self { adapter, content, signature: text.signature.parse()? })
    }
}

/// The call that a quorum's messages make: `postRoots` or `changeSigners`.
///
/// # Errors
/// [`CombineError`]; the adapter would refuse the same.
pub fn combine(messages: &[Message], signers: &[Address]) -> Result<Vec<u8>, CombineError> {
    let first = messages.first().ok_or(CombineError::None)?;
    let differs =
        |message: &Message| message.adapter != first.adapter || message.content != first.content;
    if let Some(index) = messages.iter().position(differs) {
        return Err(CombineError::Differs { index });
    }
    let signatures: Vec<Signature> = messages.iter().map(|message| message.signature).collect();
    let signatures = assemble(&digest(&first.adapter, &first.content), &signatures, signers)?;
    Ok(match &first.content {
        Content::Roots(roots) => calls::post_roots(roots, &signatures),
        Content::Signers(change) => calls::change_signers(change, &signatures),
    })
}

fn digest(adapter: &Adapter, content: &Content) -> Digest {
    match content {
        Content::Roots(roots) => roots.digest(adapter),
        Content::Signers(change) => change.digest(adapter),
    }
}

fn value<T: std::str::FromStr<Err = FieldError>>(
    text: &str,
    field: &'static str,
) -> Result<T, MessageError> {
    text.parse().map_err(|_| MessageError::Value { field })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageText {
    evm_chain: u64,
    adapter: Address,
    chain: String,
    asset: String,
    circuit: CircuitId,
    says: ContentText,
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum ContentText {
    Roots {
        height: u64,
        time: u64,
        oldest: u64,
        note_root: String,
        registry_root: String,
        sanctions_root: String,
        policy: String,
    },
    Signers {
        number: u64,
        signers: Vec<Address>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_protocol::example::element;
    use placet_protocol::field::AssetId;

    fn adapter() -> Adapter {
        Adapter {
            evm_chain: 1,
            address: Address([7; 20]),
            chain: ChainId([8; 32]),
            asset: AssetId::new(element("asset", 0)),
            circuit: CircuitId([9; 32]),
        }
    }

    fn roots() -> Roots {
        Roots {
            height: 7,
            time: 8,
            oldest: 6,
            note_root: NoteRoot::new(element("root", 0)),
            registry_root: RegistryRoot::new(element("root", 1)),
            sanctions_root: SanctionsRoot::new(element("root", 2)),
            policy: PolicyHash::new(element("root", 3)),
        }
    }

    fn keys() -> Vec<SigningKey> {
        (1..=4).map(|i| SigningKey::from_bytes(&[i; 32]).unwrap()).collect()
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        let key = &keys()[0];
        let change = SignerChange { number: 1, signers: vec![Address([1; 20]), Address([2; 20])] };
        for content in [Content::Roots(roots()), Content::Signers(change)] {
            let message = Message::sign(adapter(), content, key);
            let json = message.to_json();
            let again = Message::from_json(json.as_bytes()).unwrap();
            assert_eq!(again, message);
            assert_eq!(again.signer(), Ok(key.address()));
            // Nothing is passed over, and what is altered is somebody else's or nobody's.
            let more = json.replacen('{', "{\"more\": 1,", 1);
            assert!(matches!(Message::from_json(more.as_bytes()), Err(MessageError::Json(_))));
            let altered = json.replacen("\"evm_chain\": 1", "\"evm_chain\": 2", 1);
            let altered = Message::from_json(altered.as_bytes()).unwrap();
            assert_ne!(altered.signer().ok(), Some(key.address()));
        }
        let long = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(Message::from_json(&long), Err(MessageError::TooLong)));
        let json = Message::sign(adapter(), Content::Roots(roots()), key).to_json();
        let out_of_range = json.replace(&roots().policy.to_string(), &"f".repeat(64));
        let refused = Message::from_json(out_of_range.as_bytes());
        assert!(matches!(refused, Err(MessageError::Value { field: "policy" })));
    }

    #[test]
    fn only_messages_about_one_thing_make_a_call() {
        let keys = keys();
        let signers: Vec<Address> = keys.iter().map(SigningKey::address).collect();
        let sign =
            |key: &SigningKey, roots: Roots| Message::sign(adapter(), Content::Roots(roots), key);
        let mut messages: Vec<Message> = keys[..3].iter().map(|key| sign(key, roots())).collect();
        let call = combine(&messages, &signers).unwrap();
        assert_eq!(call[..4], calls::selector(calls::POST_ROOTS));
        let few = Err(CombineError::Quorum(QuorumError::TooFew { found: 2, needed: 3 }));
        assert_eq!(combine(&messages[..2], &signers), few);
        assert_eq!(combine(&[], &signers), Err(CombineError::None));
        messages[2] = sign(&keys[2], Roots { height: 9, ..roots() });
        assert_eq!(combine(&messages, &signers), Err(CombineError::Differs { index: 2 }));
    }
}
