//! A small circuit, the genuine powers of tau of 2^8, and a finished ceremony to damage.

#![allow(dead_code)] // every test file uses a part of it

#[path = "../../../params/tests/support/square_chain.rs"]
pub mod square_chain;

use std::io::Cursor;
use std::sync::OnceLock;

use placet_params::transcript::PtauHash;
use placet_setup::ceremony::{
    Beacon, Entropy, close, constraints_of, contribute, initial_key, unwatched,
};
use placet_snarkjs::ptau::{self, Ptau};
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::Zkey;
use square_chain::SquareChain;

/// The public ceremony's file for 2^8 rows.
pub const PTAU: &[u8] = include_bytes!("../data/powersOfTau28_hez_final_08.ptau");

pub fn open() -> Ptau<Cursor<&'static [u8]>> {
    Ptau::open(Cursor::new(PTAU)).unwrap()
}

pub fn ptau_hash() -> PtauHash {
    ptau::hash(PTAU, &mut |_| {}).unwrap()
}

pub fn circuit() -> &'static R1cs {
    static CIRCUIT: OnceLock<R1cs> = OnceLock::new();
    CIRCUIT.get_or_init(|| constraints_of::<SquareChain>().unwrap())
}

pub fn initial() -> Zkey {
    static INITIAL: OnceLock<Zkey> = OnceLock::new();
    INITIAL.get_or_init(|| initial_key(circuit(), &mut open(), &unwatched).unwrap()).clone()
}

/// Adds a contribution that depends on `seed` only.
pub fn add(key: &mut Zkey, name: &str, seed: u8) {
    contribute(key, name, Entropy::mix(&[seed; 64], b"text"), &unwatched).unwrap();
}

pub fn beacon() -> Beacon {
    Beacon::new((1..=32).collect(), 10).unwrap()
}

/// Initial key, after one, two and three contributions, and closed.
pub fn stages() -> &'static [Zkey; 5] {
    static STAGES: OnceLock<[Zkey; 5]> = OnceLock::new();
    STAGES.get_or_init(|| {
        let mut key = initial();
        let mut stages = vec![key.clone()];
        for (name, seed) in [("one", 1), ("two", 2), ("three", 3)] {
            add(&mut key, name, seed);
            stages.push(key.clone());
        }
        close(&mut key, "beacon", &beacon(), &unwatched).unwrap();
        stages.push(key);
        stages.try_into().unwrap()
    })
}

/// The finished ceremony.
pub fn finished() -> Zkey {
    stages()[4].clone()
}
