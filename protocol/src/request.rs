//! What authorities are asked to approve, and their approvals, as JSON files that go from hand to
//! hand: whoever approves reads them first. Spec §9, §13.

use serde::{Deserialize, Serialize};

use crate::circuit::CircuitId;
use crate::genesis::{Authority, ChainId, Sha256Digest, name_is_valid};
use crate::signing::{BadSignature, Context, SIGNATURE_BYTES, Signature, SigningKey, VerifyKey};
use crate::transaction::authority::{AuthorityChange, NumberedChange};
use crate::transaction::circuits::{CircuitChange, NewCircuit, NumberedCircuitChange};
use crate::transaction::registry::{Admission, Approval};
use crate::wire::Wire;

/// Longest file of this form, in bytes.
pub const MAX_FILE: usize = 256 * 1024;

/// A request to the authorities of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// To admit an attestor.
    AdmitAttestor {
        /// The network's chain id.
        chain: Sha256Digest,
        /// Name of the attestor.
        name: String,
        /// Its signing key.
        key: VerifyKey,
    },
    /// To appoint an authority, or to give a sitting one another name or other mandates.
    AppointAuthority {
        /// The network's chain id.
        chain: Sha256Digest,
        /// One more than the number of the last change of the authorities.
        number: u64,
        /// Who is appointed, with its mandates.
        authority: Authority,
        /// Its signature that shows possession of the key.
        possession: SignatureText,
    },
    /// To dismiss an authority.
    DismissAuthority {
        /// The network's chain id.
        chain: Sha256Digest,
        /// One more than the number of the last change of the authorities.
        number: u64,
        /// Its key.
        key: VerifyKey,
    },
    /// To add a circuit.
    AddCircuit {
        /// The network's chain id.
        chain: Sha256Digest,
        /// One more than the number of the last change of the circuits.
        number: u64,
        /// Its id, for those who compare it; it follows from the rest.
        id: CircuitId,
        /// Name of the statement.
        statement: String,
        /// Digest of the constraint matrices.
        circuit_digest: Sha256Digest,
        /// First height whose block may hold its proofs.
        activation: u64,
        /// The verifying key's points, as hexadecimal digits.
        points: HexBytes,
        /// The transcript of its ceremony, as hexadecimal digits; none on a development network.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<HexBytes>,
    },
    /// To deactivate a circuit.
    DeactivateCircuit {
        /// The network's chain id.
        chain: Sha256Digest,
        /// One more than the number of the last change of the circuits.
        number: u64,
        /// Its id.
        circuit: CircuitId,
        /// First height whose block may not hold its proofs any more.
        height: u64,
    },
}

/// Bytes as hexadecimal digits in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexBytes(pub Vec<u8>);

impl Serialize for HexBytes {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let wrong = |_| serde::de::Error::custom("bytes are written as pairs of hex digits");
        hex::decode(text).map(Self).map_err(wrong)
    }
}

/// A signature as 128 hexadecimal digits in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureText(pub Signature);

impl Serialize for SignatureText {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(self.0.0))
    }
}

impl<'de> Deserialize<'de> for SignatureText {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let bytes: Option<[u8; SIGNATURE_BYTES]> =
            hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let wrong = || serde::de::Error::custom("a signature is written as 128 hex digits");
        bytes.map(|bytes| Self(Signature(bytes))).ok_or_else(wrong)
    }
}

/// One authority's word on a request. It holds the request, so that it explains itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalFile {
    /// What is approved.
    pub approves: Request,
    /// By whom.
    pub authority: VerifyKey,
    /// The signature.
    pub signature: SignatureText,
}

/// Why a file is not a request or an approval.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// Far longer than it can be.
    #[error("the file is too long for a request or an approval; check that it is the right one")]
    TooLong,
    /// Not of this form.
    #[error("the file is no request and no approval ({0}); ask for it again")]
    Json(#[from] serde_json::Error),
    /// A name or LEI that no network takes.
    #[error(
        "a name in the file is empty, longer than 64 bytes or has control characters, or an LEI \
         has not 20 characters; have the request made again"
    )]
    Name,
    /// A circuit whose parts do not belong together.
    #[error(
        "the circuit in the file is for an unknown statement, is too long, or its id does not \
         follow from its key; have the request made again"
    )]
    Circuit,
    /// A signature that fails.
    #[error("a signature in the file does not verify; ask for the file again")]
    Signature(#[from] BadSignature),
}

impl Request {
    /// The request to change the authorities.
    pub fn change(
        chain: &ChainId,
        change: NumberedChange,
        possession: Option<Signature>,
    ) -> Option<Self> {
        let (chain, number) = (Sha256Digest(chain.0), change.number);
        match (change.change, possession) {
            (AuthorityChange::Appoint(authority), Some(possession)) => {
                let possession = SignatureText(possession);
                Some(Self::AppointAuthority { chain, number, authority, possession })
            }
            (AuthorityChange::Dismiss(key), None) => {
                Some(Self::DismissAuthority { chain, number, key })
            }
            _ => None,
        }
    }

    /// The request to admit an attestor.
    pub fn admission(chain: &ChainId, admission: Admission) -> Self {
        let Admission { name, key } = admission;
        Self::AdmitAttestor { chain: Sha256Digest(chain.0), name, key }
    }

    /// The request to change the circuits; `None` for a circuit of a statement that this version
    /// does not know.
    pub fn circuits(chain: &ChainId, change: NumberedCircuitChange) -> Option<Self> {
        let (chain, number) = (Sha256Digest(chain.0), change.number);
        Some(match change.change {
            CircuitChange::Add(new) => Self::AddCircuit {
                chain,
                number,
                id: new.id()?,
                statement: new.statement,
                circuit_digest: new.circuit_digest,
                activation: new.activation,
                points: HexBytes(new.points),
                transcript: new.transcript.map(HexBytes),
            },
            CircuitChange::Deactivate { circuit, height } => {
                Self::DeactivateCircuit { chain, number, circuit, height }
            }
        })
    }

    /// Reads a file and checks names and the signature of whoever is appointed.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn from_json(text: &[u8]) -> Result<Self, BadFile> {
        if text.len() > MAX_FILE {
            return Err(BadFile::TooLong);
        }
        let request: Self = serde_json::from_slice(text)?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), BadFile> {
        match self {
            Self::AdmitAttestor { name, .. } if !name_is_valid(name) => Err(BadFile::Name),
            Self::AppointAuthority { authority, possession, .. } => {
                let bounded = name_is_valid(&authority.name)
                    && authority.lei.as_ref().is_none_or(|lei| lei.len() == 20);
                if !bounded || Authority::from_wire(&authority.to_wire()).is_err() {
                    return Err(BadFile::Name);
                }
                let context = Context::AuthorityPossession;
                Ok(authority.key.verify(&self.chain(), context, &self.message(), &possession.0)?)
            }
            Self::AddCircuit { id, .. } => {
                let change = self.as_circuits().ok_or(BadFile::Circuit)?;
                let bounded = NumberedCircuitChange::from_wire(&change.to_wire()).is_ok();
                match change.change {
                    CircuitChange::Add(new) if bounded && new.id() == Some(*id) => Ok(()),
                    _ => Err(BadFile::Circuit),
                }
            }
            Self::AdmitAttestor { .. }
            | Self::DismissAuthority { .. }
            | Self::DeactivateCircuit { .. } => Ok(()),
        }
    }

    /// The network.
    pub fn chain(&self) -> ChainId {
        let (Self::AdmitAttestor { chain, .. }
        | Self::AppointAuthority { chain, .. }
        | Self::DismissAuthority { chain, .. }
        | Self::AddCircuit { chain, .. }
        | Self::DeactivateCircuit { chain, .. }) = self;
        ChainId(chain.0)
    }

    /// The admission, if it is about one.
    pub fn as_admission(&self) -> Option<Admission> {
        match self {
            Self::AdmitAttestor { name, key, .. } => {
                Some(Admission { name: name.clone(), key: *key })
            }
            _ => None,
        }
    }

    /// The change of the authorities, if it is about one, and the appointed one's signature.
    pub fn as_change(&self) -> Option<(NumberedChange, Option<Signature>)> {
        match self {
            Self::AdmitAttestor { .. }
            | Self::AddCircuit { .. }
            | Self::DeactivateCircuit { .. } => None,
            Self::AppointAuthority { number, authority, possession, .. } => {
                let change = AuthorityChange::Appoint(authority.clone());
                Some((NumberedChange { number: *number, change }, Some(possession.0)))
            }
            Self::DismissAuthority { number, key, .. } => {
                let change = AuthorityChange::Dismiss(*key);
                Some((NumberedChange { number: *number, change }, None))
            }
        }
    }

    /// The change of the circuits, if it is about one.
    pub fn as_circuits(&self) -> Option<NumberedCircuitChange> {
        let (number, change) = match self {
            Self::AddCircuit {
                number,
                statement,
                circuit_digest,
                activation,
                points,
                transcript,
                ..
            } => {
                let new = NewCircuit {
                    statement: statement.clone(),
                    circuit_digest: *circuit_digest,
                    points: points.0.clone(),
                    transcript: transcript.as_ref().map(|bytes| bytes.0.clone()),
                    activation: *activation,
                };
                (number, CircuitChange::Add(new))
            }
            Self::DeactivateCircuit { number, circuit, height, .. } => {
                (number, CircuitChange::Deactivate { circuit: *circuit, height: *height })
            }
            _ => return None,
        };
        Some(NumberedCircuitChange { number: *number, change })
    }

    /// What an approval is a signature for.
    const fn context(&self) -> Context {
        match self {
            Self::AdmitAttestor { .. } => Context::AdmitAttestor,
            Self::AppointAuthority { .. } | Self::DismissAuthority { .. } => {
                Context::ChangeAuthorities
            }
            Self::AddCircuit { .. } | Self::DeactivateCircuit { .. } => Context::ChangeCircuits,
        }
    }

    /// What is signed.
    fn message(&self) -> Vec<u8> {
        match self {
            Self::AdmitAttestor { name, key, .. } => {
                Admission { name: name.clone(), key: *key }.to_wire()
            }
            Self::AppointAuthority { number, authority, .. } => {
                let change = AuthorityChange::Appoint(authority.clone());
                NumberedChange { number: *number, change }.to_wire()
            }
            Self::DismissAuthority { number, key, .. } => {
                let change = AuthorityChange::Dismiss(*key);
                NumberedChange { number: *number, change }.to_wire()
            }
            Self::AddCircuit { .. } | Self::DeactivateCircuit { .. } => {
                self.as_circuits().map(|change| change.to_wire()).unwrap_or_default()
            }
        }
    }

    /// An authority's approval.
    pub fn approve(&self, key: &SigningKey) -> ApprovalFile {
        let signature = SignatureText(key.sign(&self.chain(), self.context(), &self.message()));
        ApprovalFile { approves: self.clone(), authority: key.public(), signature }
    }
}

impl ApprovalFile {
    /// Reads a file and verifies its signatures; whether the key is a sitting authority's is for the
    /// ledger to say.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn from_json(text: &[u8]) -> Result<Self, BadFile> {
        if text.len() > MAX_FILE {
            return Err(BadFile::TooLong);
        }
        let file: Self = serde_json::from_slice(text)?;
        file.approves.check()?;
        let context = file.approves.context();
        let (chain, message) = (file.approves.chain(), file.approves.message());
        file.authority.verify(&chain, context, &message, &file.signature.0)?;
        Ok(file)
    }

    /// What the transaction carries.
    pub fn approval(&self) -> Approval {
        Approval { authority: self.authority, signature: self.signature.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::authority::ChangeAuthorities;
    use crate::transaction::circuits::ChangeCircuits;
    use crate::transaction::registry::AdmitAttestor;

    const CHAIN: ChainId = ChainId([3; 32]);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32])
    }

    fn circuit_request(change: CircuitChange) -> Request {
        Request::circuits(&CHAIN, NumberedCircuitChange { number: 3, change }).unwrap()
    }

    fn requests() -> [Request; 5] {
        let authority = Authority {
            name: "fifth".into(),
            lei: None,
            key: key(5).public(),
            mandates: Default::default(),
        };
        let appoint = NumberedChange { number: 1, change: AuthorityChange::Appoint(authority) };
        let possession = appoint.possession(&CHAIN, &key(5));
        let change = AuthorityChange::Dismiss(key(1).public());
        [
            Request::admission(&CHAIN, Admission { name: "KYC".into(), key: key(7).public() }),
            Request::change(&CHAIN, appoint, Some(possession)).unwrap(),
            Request::change(&CHAIN, NumberedChange { number: 2, change }, None).unwrap(),
            circuit_request(CircuitChange::Add(NewCircuit {
                statement: "transfer".into(),
                circuit_digest: Sha256Digest([4; 32]),
                points: vec![5; 1600],
                transcript: Some(vec![6; 900]),
                activation: 77,
            })),
            circuit_request(CircuitChange::Deactivate { circuit: CircuitId([8; 32]), height: 9 }),
        ]
    }

    #[test]
    fn files_are_read_again_and_carry_what_the_ledger_verifies() {
        for request in requests() {
            let text = serde_json::to_vec(&request).unwrap();
            assert_eq!(Request::from_json(&text).unwrap(), request);
            let approvals: Vec<_> = [1, 2, 3]
                .map(|i| serde_json::to_vec(&request.approve(&key(i))).unwrap())
                .iter()
                .map(|text| ApprovalFile::from_json(text).unwrap().approval())
                .collect();
            match (request.as_admission(), request.as_change()) {
                (None, None) => {
                    let change = request.as_circuits().expect("it is about one of three");
                    ChangeCircuits::new(change, approvals).verify(&CHAIN)
                }
                (Some(admission), None) => {
                    AdmitAttestor::new(admission, approvals, &CHAIN, &key(7)).verify(&CHAIN)
                }
                (None, Some((change, possession))) => {
                    ChangeAuthorities::new(change, possession, approvals).verify(&CHAIN)
                }
                _ => panic!("a request is about one thing"),
            }
            .unwrap();
        }
    }

    #[test]
    fn altered_files_are_refused() {
        let [admission, appointment, _, addition, deactivation] = requests();
        let altered = |file: &ApprovalFile, from: &str, to: &str| {
            let text = serde_json::to_string(file).unwrap();
            assert!(text.contains(from), "{text}");
            ApprovalFile::from_json(text.replace(from, to).as_bytes()).unwrap_err()
        };
        let file = admission.approve(&key(1));
        assert!(matches!(altered(&file, "KYC", "KYD"), BadFile::Signature(_)));
        assert!(matches!(altered(&file, "KYC", ""), BadFile::Name));
        assert!(matches!(altered(&file, "\"authority\"", "\"whoever\""), BadFile::Json(_)));
        let long = "x".repeat(65);
        assert!(matches!(altered(&file, "KYC", &long), BadFile::Name));
        let file = addition.approve(&key(1));
        assert!(matches!(altered(&file, "0505", "0506"), BadFile::Circuit));
        assert!(matches!(altered(&file, "transfer", "transfers"), BadFile::Circuit));
        assert!(matches!(altered(&file, ":77", ":78"), BadFile::Signature(_)));
        assert!(matches!(altered(&file, "0606", "0607"), BadFile::Signature(_)));
        let file = deactivation.approve(&key(1));
        assert!(matches!(altered(&file, ":9}", ":8}"), BadFile::Signature(_)));
        let file = appointment.approve(&key(1));
        assert!(matches!(altered(&file, "fifth", "sixth"), BadFile::Signature(_)));
        let elsewhere = hex::encode([4; 32]);
        assert!(matches!(altered(&file, &hex::encode([3; 32]), &elsewhere), BadFile::Signature(_)));
        assert!(matches!(Request::from_json(&vec![b' '; MAX_FILE + 1]), Err(BadFile::TooLong)));
    }
}
