//! What authorities sign for the adapter: typed data of EIP-712. Spec §12.7. The same strings are
//! in `contracts/PlacetCompliance.sol`.

use placet_protocol::circuit::CircuitId;
use placet_protocol::field::{AssetId, NoteRoot, PolicyHash, RegistryRoot, SanctionsRoot};
use placet_protocol::genesis::ChainId;

use crate::address::Address;
use crate::word::{Word, keccak256};

/// Type of the domain.
pub const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
/// Name in the domain.
pub const DOMAIN_NAME: &str = "Placet";
/// Version in the domain.
pub const DOMAIN_VERSION: &str = "1";
/// Type of [`Roots`].
pub const ROOTS_TYPE: &str = "Roots(bytes32 chain,uint256 asset,bytes32 circuit,uint64 height,uint64 time,uint64 oldest,uint256 noteRoot,uint256 registryRoot,uint256 sanctionsRoot,uint256 policy)";
/// Type of [`SignerChange`].
pub const SIGNERS_TYPE: &str =
    "Signers(bytes32 chain,uint256 asset,uint64 number,address[] signers)";

/// What is signed in the end, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

/// One adapter: where it is, and the one network, asset and circuit that it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The EVM's chain id (EIP-155).
    pub evm_chain: u64,
    /// The adapter's address there.
    pub address: Address,
    /// Placet's chain id.
    pub chain: ChainId,
    /// Placet's id of the asset.
    pub asset: AssetId,
    /// Placet's name of statement, circuit and verifying key (spec §12.2).
    pub circuit: CircuitId,
}

/// What authorities say about one final block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// Height of the block.
    pub height: u64,
    /// Its time, seconds since the Unix epoch.
    pub time: u64,
    /// Roots of blocks below this height are acceptable no more; at most `height`.
    pub oldest: u64,
    /// Root of the note tree behind the block.
    pub note_root: NoteRoot,
    /// Root of the registry behind the block.
    pub registry_root: RegistryRoot,
    /// Root of the sanctions tree in force.
    pub sanctions_root: SanctionsRoot,
    /// The asset's policy in force.
    pub policy: PolicyHash,
}

/// A numbered change of an adapter's signers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerChange {
    /// One more than the last executed change, the first being 1.
    pub number: u64,
    /// 1 to 64 addresses, strictly ascending.
    pub signers: Vec<Address>,
}

impl Roots {
    /// The fields in the order of the contract's `Roots`.
    pub fn words(&self) -> [Word; 7] {
        [
            self.height.into(),
            self.time.into(),
            self.oldest.into(),
            Word::from(&self.note_root.get()),
            Word::from(&self.registry_root.get()),
            Word::from(&self.sanctions_root.get()),
            Word::from(&self.policy.get()),
        ]
    }

    /// What is signed to have these roots posted.
    pub fn digest(&self, adapter: &Adapter) -> Digest {
        let mut fields = vec![
            Word(keccak256(&[ROOTS_TYPE.as_bytes()])),
            Word(adapter.chain.0),
            Word::from(&adapter.asset.get()),
            Word(adapter.circuit.0),
        ];
        fields.extend(self.words());
        adapter.digest(&fields)
    }
}

impl SignerChange {
    /// What is signed to have the signers changed.
    pub fn digest(&self, adapter: &Adapter) -> Digest {
        let list: Vec<u8> = self.signers.iter().flat_map(|signer| signer.word().0).collect();
        adapter.digest(&[
            Word(keccak256(&[SIGNERS_TYPE.as_bytes()])),
            Word(adapter.chain.0),
            Word::from(&adapter.asset.get()),
            self.number.into(),
            Word(keccak256(&[&list])),
        ])
    }
}

impl Adapter {
    /// EIP-712's domain separator.
    pub fn domain(&self) -> [u8; 32] {
        domain(DOMAIN_NAME, DOMAIN_VERSION, self.evm_chain, self.address)
    }

    fn digest(&self, fields: &[Word]) -> Digest {
        let fields: Vec<u8> = fields.iter().flat_map(|field| field.0).collect();
        Digest(keccak256(&[&[0x19, 0x01], &self.domain(), &keccak256(&[&fields])]))
    }
}

fn domain(name: &str, version: &str, evm_chain: u64, address: Address) -> [u8; 32] {
    keccak256(&[
        &keccak256(&[DOMAIN_TYPE.as_bytes()]),
        &keccak256(&[name.as_bytes()]),
        &keccak256(&[version.as_bytes()]),
        &Word::from(evm_chain).0,
        &address.word().0,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_that_of_eip_712() {
        // The example of EIP-712: "Ether Mail", version 1, chain 1, contract 0xCcC…C.
        let address = "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC".parse().unwrap();
        let expected = "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f";
        assert_eq!(hex::encode(domain("Ether Mail", "1", 1, address)), expected);
    }
}
