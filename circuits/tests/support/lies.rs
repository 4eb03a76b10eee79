//! Random changes of valid statements.

use ark_bn254::Fr;
use ark_std::UniformRand;
use ark_std::rand::seq::{IteratorRandom, SliceRandom};
use ark_std::rand::{Rng, rngs::StdRng};
use placet_protocol::example::Example;
use placet_protocol::transfer::{HoldersDelta, Mode, Witness};

/// A value near `old`, near an edge, or anywhere.
fn perturb(old: Fr, rng: &mut StdRng) -> Fr {
    let two = Fr::from(2u8);
    let power = |bits: u64| ark_ff::Field::pow(&two, [bits]);
    match rng.gen_range(0..8) {
        0 => old + Fr::from(1u8),
        1 => old - Fr::from(1u8),
        2 => -old,
        3 => Fr::from(0u8),
        4 => old + power(*[8, 12, 16, 22, 32, 40, 41, 64, 65, 96, 248, 253].choose(rng).unwrap()),
        5 => {
            power(*[8, 12, 16, 22, 32, 40, 41, 64, 65, 96, 248].choose(rng).unwrap())
                - Fr::from(1u8)
        }
        6 => Fr::from(rng.r#gen::<u64>() >> rng.gen_range(0..64)),
        _ => Fr::rand(rng),
    }
}

/// Changes one thing. The credentials' holder is left out: the circuit has no such wire, it always
/// takes the prover's own key.
pub fn mutate(example: &mut Example, rng: &mut StdRng) {
    let w = &mut example.witness;
    let fields: &mut [&mut Fr] = &mut [
        &mut w.identity.credential.subject,
        &mut w.identity.credential.jurisdiction,
        &mut w.identity.credential.risk,
        &mut w.identity.credential.expires_at,
        &mut w.identity.credential.salt,
        &mut w.identity.path.siblings[4][3],
        &mut w.gap.lo,
        &mut w.gap.hi,
        &mut w.gap_path.siblings[0][0],
        &mut w.position.position.balance,
        &mut w.position.position.in_flight,
        &mut w.position.position.locked,
        &mut w.position.position.unlock_at,
        &mut w.position.position.rho,
        &mut w.position.path.siblings[9][6],
        &mut w.incoming.delivery.amount,
        &mut w.incoming.delivery.unlock_at,
        &mut w.incoming.delivery.deadline,
        &mut w.incoming.delivery.owner_tag,
        &mut w.incoming.delivery.refund_tag,
        &mut w.incoming.path.siblings[1][2],
        &mut w.rule_path.siblings[3][1],
        &mut w.investor.credential.categories,
        &mut w.investor.credential.capital,
        &mut w.investor.credential.expires_at,
        &mut w.investor.path.siblings[8][0],
        &mut w.outgoing.to,
        &mut w.outgoing.amount,
        &mut w.outgoing.deadline,
    ];
    let choice = rng.gen_range(0..fields.len() + 12);
    if let Some(field) = fields.get_mut(choice) {
        **field = perturb(**field, rng);
        return;
    }
    match choice - fields.len() {
        9..=11 => mutate_rule_or_index(w, rng),
        0 => w.key_bits[rng.gen_range(0..251)] ^= true,
        1 => w.position.genesis ^= true,
        2 => {
            let modes = [Mode::Absent, Mode::Accept, Mode::Refund, Mode::Settle];
            w.incoming.mode = *modes.choose(rng).unwrap();
        }
        3 => w.rule.any_of.0 ^= 1 << rng.gen_range(0..16),
        4 => w.rule.max_holding = rng.r#gen::<u64>() >> rng.gen_range(0..64),
        5 => w.policy.count_holders ^= true,
        6 => w.policy.max_risk = rng.r#gen(),
        7 => example.context.redeemed = rng.r#gen::<u64>() >> rng.gen_range(0..64),
        _ => example.context.now = example.context.now.wrapping_add(rng.gen_range(0..1000)) - 500,
    }
}

/// The rule's other fields, and places in trees, within them and beyond.
fn mutate_rule_or_index(w: &mut Witness, rng: &mut StdRng) {
    let paths = [
        &mut w.identity.path.index,
        &mut w.gap_path.index,
        &mut w.position.path.index,
        &mut w.incoming.path.index,
        &mut w.rule_path.index,
        &mut w.investor.path.index,
    ];
    match rng.gen_range(0..3) {
        0 => w.rule.allowed ^= true,
        1 => w.rule.lockup = rng.r#gen::<u32>() >> rng.gen_range(0..32),
        _ => *paths.into_iter().choose(rng).unwrap() ^= 1 << rng.gen_range(0..34),
    }
}

/// Public values that do not follow from the witness.
pub fn mutate_public(example: &mut Example, rng: &mut StdRng) {
    let deltas = [HoldersDelta::Minus, HoldersDelta::Zero, HoldersDelta::Plus];
    match rng.gen_range(0..4) {
        0 => example.public.holders_delta = *deltas.choose(rng).unwrap(),
        1 => {
            let i = rng.gen_range(0..3);
            example.public.disclosure[i] = perturb(example.public.disclosure[i], rng);
        }
        2 => example.public.redeemed = example.public.redeemed.wrapping_add(1),
        _ => example.public.now += rng.gen_range(0..100),
    }
}
