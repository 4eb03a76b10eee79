//! A machine with the committed bytecode on it, and proofs by the key that the committed verifier
//! was written for.
#![allow(dead_code)] // every test program uses a part

use std::sync::OnceLock;

use placet_evm::word::{Word, keccak256};
use placet_evm::{
    Adapter, Address, Roots, Signature, SigningKey, TokenTransfer, assemble, calls, inputs,
    proof_words,
};
use placet_params::ProvingKey;
use placet_protocol::circuit::CircuitId;
use placet_protocol::example::{Branches, Example, NOW, element};
use placet_protocol::field::AssetId;
use placet_protocol::genesis::ChainId;
use placet_protocol::transfer::{Mode, PublicInputs, Transfer};
use placet_prover::{ProofSeed, Prover};
use placet_setup::{SetupSeed, generate};
use revm::context::result::ExecutionResult;
use revm::context::{Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::EthPrecompiles;
use revm::precompile::Precompiles;
use revm::primitives::{Bytes, TxKind, U256, hardfork::SpecId};
use revm::{DatabaseCommit, ExecuteEvm, MainBuilder, MainContext};

/// The chain of the tests. Not 1, so that a chain id that is forgotten somewhere shows.
pub const EVM_CHAIN: u64 = 31_337;
/// Enough for every call, and less than a transaction may have.
const GAS: u64 = 10_000_000;
/// Seconds.
pub const WINDOW: u64 = 3_600;

/// The key pair that the committed verifier belongs to. See `examples/test_verifier.rs`.
pub fn key() -> &'static ProvingKey<Transfer> {
    static KEY: OnceLock<ProvingKey<Transfer>> = OnceLock::new();
    KEY.get_or_init(|| generate(SetupSeed::from_bytes([0x45; 32])).unwrap())
}

pub fn prover() -> &'static Prover<Transfer> {
    static PROVER: OnceLock<Prover<Transfer>> = OnceLock::new();
    PROVER.get_or_init(|| Prover::new(key().clone()).unwrap())
}

/// A committed artifact.
pub fn artifact(name: &str) -> serde_json::Value {
    let path = format!("{}/artifacts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn bytecode(name: &str) -> Vec<u8> {
    hex::decode(artifact(name)["bytecode"].as_str().unwrap()).unwrap()
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Returned(Vec<u8>),
    Reverted(Vec<u8>),
    /// Out of gas and the like.
    Halted,
}

/// A chain in memory.
pub struct Machine {
    db: CacheDB<EmptyDB>,
    pub evm_chain: u64,
    /// Block time.
    pub time: u64,
    /// Gas of the last call, the 21,000 of the transaction and its calldata included.
    pub gas: u64,
    /// A chain without the contracts of EIP-196 and EIP-197.
    pub without_pairing: bool,
}

pub fn account(number: u8) -> Address {
    Address([number; 20])
}

impl Machine {
    pub fn new() -> Self {
        Self {
            db: CacheDB::default(),
            evm_chain: EVM_CHAIN,
            time: NOW,
            gas: 0,
            without_pairing: false,
        }
    }

    fn transact(&mut self, from: Address, kind: TxKind, data: Vec<u8>) -> ExecutionResult {
        let context = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = self.evm_chain;
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| block.timestamp = U256::from(self.time));
        let mut evm = context.build_mainnet();
        if self.without_pairing {
            evm.precompiles =
                EthPrecompiles { precompiles: Precompiles::homestead(), spec: SpecId::default() };
        }
        let transaction = TxEnv {
            caller: from.0.into(),
            gas_limit: GAS,
            kind,
            data: Bytes::from(data),
            chain_id: Some(self.evm_chain),
            ..TxEnv::default()
        };
        let done = evm.transact(transaction).unwrap();
        self.gas = done.result.tx_gas_used();
        self.db.commit(done.state);
        done.result
    }

    pub fn deploy(&mut self, from: Address, code: Vec<u8>) -> Address {
        let result = self.transact(from, TxKind::Create, code);
        assert!(result.is_success(), "{result:?}");
        Address(result.created_address().unwrap().into_array())
    }

    pub fn deployment(&mut self, from: Address, code: Vec<u8>) -> Outcome {
        outcome(self.transact(from, TxKind::Create, code))
    }

    pub fn call(&mut self, from: Address, to: Address, data: Vec<u8>) -> Outcome {
        outcome(self.transact(from, TxKind::Call(to.0.into()), data))
    }

    /// Calls and asserts success.
    pub fn done(&mut self, from: Address, to: Address, data: Vec<u8>) -> Vec<u8> {
        match self.call(from, to, data) {
            Outcome::Returned(output) => output,
            other => panic!("{other:?}"),
        }
    }
}

fn outcome(result: ExecutionResult) -> Outcome {
    match result {
        ExecutionResult::Success { output, .. } => Outcome::Returned(output.into_data().to_vec()),
        ExecutionResult::Revert { output, .. } => Outcome::Reverted(output.to_vec()),
        ExecutionResult::Halt { .. } => Outcome::Halted,
    }
}

/// A custom error without arguments.
pub fn error(name: &str) -> Outcome {
    Outcome::Reverted(calls::selector(&format!("{name}()")).to_vec())
}

pub fn yes() -> Outcome {
    Outcome::Returned(Word::from(1).0.to_vec())
}

pub fn no() -> Outcome {
    Outcome::Returned(Word::from(0).0.to_vec())
}

/// A proof in the verifier's form.
#[derive(Clone, Debug)]
pub struct Proven {
    pub proof: [Word; 8],
    pub inputs: [Word; 17],
    pub public: PublicInputs,
}

pub fn prove(example: &Example) -> Proven {
    let seed = ProofSeed::from_os().unwrap();
    let proof = prover().prove(&example.public, &example.witness, seed).unwrap().to_bytes();
    Proven {
        proof: proof_words(&proof).unwrap(),
        inputs: inputs(&example.public),
        public: example.public.clone(),
    }
}

/// A statement that redeems nothing.
pub fn example(mode: Mode, genesis: bool) -> Example {
    let mut example = Example::new(Branches {
        genesis,
        mode,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: true,
    });
    example.context.redeemed = 0;
    example.rederive();
    example
}

pub const OWNER: u8 = 0xA0;
pub const ALICE: u8 = 0xA1;
pub const BOB: u8 = 0xB0;
pub const CAROL: u8 = 0xC0;
pub const RELAY: u8 = 0xD0;

pub fn signing_keys() -> Vec<SigningKey> {
    let mut keys: Vec<_> = (1..=4).map(|i| SigningKey::from_bytes(&[i; 32]).unwrap()).collect();
    keys.sort_by_key(SigningKey::address);
    keys
}

/// Token, verifier and adapter, bound to each other, with Alice's thousand units.
pub struct World {
    pub machine: Machine,
    pub verifier: Address,
    pub token: Address,
    pub adapter: Adapter,
    pub signers: Vec<SigningKey>,
}

impl World {
    pub fn new() -> Self {
        Self::on(EVM_CHAIN)
    }

    pub fn on(evm_chain: u64) -> Self {
        let mut machine = Machine::new();
        machine.evm_chain = evm_chain;
        let owner = account(OWNER);
        let verifier = machine.deploy(owner, bytecode("PlacetVerifier"));
        let token = machine.deploy(owner, bytecode("TestToken"));
        let mut world = Self {
            machine,
            verifier,
            token,
            adapter: Adapter {
                evm_chain,
                address: Address::ZERO,
                chain: ChainId(keccak256(&[b"a network"])),
                asset: AssetId::new(element("asset", 0)),
                circuit: CircuitId(key().verifying_key().hash().0),
            },
            signers: signing_keys(),
        };
        world.adapter.address = world.deploy_adapter(token);
        world.bind(world.adapter.address);
        world.mint(account(ALICE), 1_000);
        world
    }

    pub fn addresses(&self) -> Vec<Address> {
        self.signers.iter().map(SigningKey::address).collect()
    }

    pub fn deploy_adapter(&mut self, token: Address) -> Address {
        let signers = self.addresses();
        let arguments = calls::constructor(self.verifier, token, &self.adapter, WINDOW, &signers);
        self.machine.deploy(account(OWNER), [bytecode("PlacetCompliance"), arguments].concat())
    }

    pub fn bind(&mut self, adapter: Address) {
        let call = calls::call("setCompliance(address)", &[adapter.word()]);
        self.machine.done(account(OWNER), self.token, call);
    }

    pub fn mint(&mut self, to: Address, amount: u64) {
        let call = calls::call("mint(address,uint256)", &[to.word(), amount.into()]);
        self.machine.done(account(OWNER), self.token, call);
    }

    pub fn balance(&mut self, of: Address) -> u64 {
        let call = calls::call("balanceOf(address)", &[of.word()]);
        let word = self.machine.done(account(RELAY), self.token, call);
        u64::from_be_bytes(word[24..].try_into().unwrap())
    }

    /// The roots under which the examples of this branch are true.
    pub fn roots(&self, example: &Example) -> Roots {
        Roots {
            height: 10,
            time: NOW,
            oldest: 0,
            note_root: example.public.position_root,
            registry_root: example.public.registry_root,
            sanctions_root: example.public.sanctions_root,
            policy: example.public.policy,
        }
    }

    pub fn signatures(&self, roots: &Roots) -> Vec<Signature> {
        let digest = roots.digest(&self.adapter);
        let all: Vec<_> = self.signers.iter().map(|key| key.sign(&digest)).collect();
        assemble(&digest, &all[..3], &self.addresses()).unwrap()
    }

    pub fn post(&mut self, roots: &Roots) -> Outcome {
        let call = calls::post_roots(roots, &self.signatures(roots));
        self.machine.call(account(RELAY), self.adapter.address, call)
    }

    /// Alice to Bob, 100 units, for an hour less a minute.
    pub fn transfer(&self) -> TokenTransfer {
        TokenTransfer {
            adapter: self.adapter,
            token: self.token,
            from: account(ALICE),
            to: account(BOB),
            amount: Word::from(100),
            deadline: NOW + WINDOW - 60,
        }
    }

    pub fn authorise(&mut self, proven: &Proven, transfer: &TokenTransfer) -> Outcome {
        let call = calls::authorise(&proven.proof, &proven.inputs, transfer);
        self.machine.call(account(RELAY), self.adapter.address, call)
    }

    pub fn can_transfer(&mut self, from: Address, to: Address, amount: u64) -> Outcome {
        let words = [from.word(), to.word(), amount.into()];
        let call = calls::call("canTransfer(address,address,uint256)", &words);
        self.machine.call(account(RELAY), self.adapter.address, call)
    }

    pub fn move_tokens(&mut self, from: Address, to: Address, amount: u64) -> Outcome {
        let call = calls::call("transfer(address,uint256)", &[to.word(), amount.into()]);
        self.machine.call(from, self.token, call)
    }
}

/// The same statement, with the binding of a token transfer, proven.
pub fn prove_for(mut example: Example, transfer: &TokenTransfer) -> Proven {
    example.public.binding = transfer.binding(&example.public);
    prove(&example)
}

/// Alice to Bob in a fresh world, by a holder who accepts a delivery. Proven once per program:
/// everything in a fresh world has the same address every time.
pub fn ordinary() -> (&'static Example, &'static Proven) {
    static PROVEN: OnceLock<(Example, Proven)> = OnceLock::new();
    let (example, proven) = PROVEN.get_or_init(|| {
        let example = example(Mode::Accept, false);
        let proven = prove_for(example.clone(), &World::new().transfer());
        (example, proven)
    });
    (example, proven)
}
