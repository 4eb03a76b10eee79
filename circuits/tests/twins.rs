//! Every gadget computes what its native twin computes, on random values.

use ark_bn254::Fr;
use ark_relations::gr1cs::ConstraintSystem;
use ark_std::UniformRand;
use ark_std::rand::{SeedableRng, rngs::StdRng};
use placet_circuits::builder::{Builder, Var};
use placet_circuits::credential::{IdentityVar, InvestorVar};
use placet_circuits::delivery::DeliveryVar;
use placet_circuits::keys::KeyVar;
use placet_circuits::merkle::{index_bits, root};
use placet_circuits::policy::{PolicyVar, RuleVar};
use placet_circuits::poseidon;
use placet_circuits::position::PositionVar;
use placet_protocol::example::{Branches, Example};
use placet_protocol::field::{AssetId, AttestorId, HolderId};
use placet_protocol::keys::{NullifierKey, SecretKey};
use placet_protocol::merkle::Path;
use placet_protocol::tag::Tag;
use placet_protocol::{credential, merkle, poseidon as native};

/// Runs a gadget, checks that its rows hold, and returns what it gave and its row count.
fn run<T>(gadget: impl FnOnce(&Builder) -> T) -> (T, usize) {
    let cs = ConstraintSystem::new_ref();
    let result = gadget(&Builder::new(cs.clone()));
    assert!(cs.is_satisfied().unwrap());
    (result, cs.num_constraints())
}

fn random<const N: usize>(rng: &mut StdRng) -> [Fr; N] {
    std::array::from_fn(|_| Fr::rand(rng))
}

fn poseidon_pair<const N: usize>(rng: &mut StdRng) {
    let (tag, inputs) = (Fr::rand(rng), random::<N>(rng));
    let expected = native::cells(tag, &inputs);
    for variable_tag in [false, true] {
        let (cells, rows) = run(|b| {
            let tag = if variable_tag { b.input(tag).unwrap() } else { Var::constant(tag) };
            let vars: Vec<_> = inputs.iter().map(|x| b.input(*x).unwrap()).collect();
            let cells = poseidon::cells(b, &tag, &vars.iter().collect::<Vec<_>>()).unwrap();
            cells.iter().map(|cell| cell.value().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(cells, expected);
        let boxes = native::FULL_ROUNDS * (N + 1) + native::PARTIAL_ROUNDS[N - 1];
        assert_eq!(rows, 3 * (boxes - usize::from(!variable_tag)), "three rows an S-box");
    }
}

#[test]
fn poseidon_at_every_width() {
    let rng = &mut StdRng::seed_from_u64(1);
    macro_rules! widths { ($($n:literal)*) => { $(poseidon_pair::<$n>(rng);)* } }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

#[test]
fn poseidon_outputs_are_constrained_not_only_assigned() {
    let rng = &mut StdRng::seed_from_u64(2);
    let inputs = random::<2>(rng);
    let cs = ConstraintSystem::new_ref();
    let b = Builder::new(cs.clone());
    let vars: Vec<_> = inputs.iter().map(|x| b.input(*x).unwrap()).collect();
    let out = poseidon::hash(&b, Tag::Gap, &vars.iter().collect::<Vec<_>>()).unwrap();
    out.enforce_equal(&Var::constant(native::hash(Tag::Gap, inputs) + Fr::from(1u8))).unwrap();
    assert!(!cs.is_satisfied().unwrap());
}

#[test]
fn keys_and_shared_secret() {
    let rng = &mut StdRng::seed_from_u64(3);
    for round in 0u8..8 {
        let secret = |byte| SecretKey::from_uniform_bytes(&[byte; 64]).unwrap();
        let (holder, agent) = (secret(2 * round + 1), secret(2 * round + 2).public());
        let asset = AssetId::new(Fr::rand(rng));
        let ((pk, nk), _) = run(|b| {
            let key = KeyVar::new(b, &holder.representative_bits()).unwrap();
            let pk = key.public_x(b).unwrap();
            let [x, y] = [agent.x(), agent.y()].map(|v| b.input(v).unwrap());
            let shared = key.agree_x(b, &x, &y).unwrap();
            let asset = b.input(asset.get()).unwrap();
            let nk = poseidon::hash(b, Tag::NullifierKey, &[&shared, &asset]).unwrap();
            (pk.value().unwrap(), nk.value().unwrap())
        });
        assert_eq!(pk, holder.public().x());
        assert_eq!(nk, NullifierKey::derive(&holder.agree(&agent), asset).expose());
    }
}

#[test]
fn merkle_paths_at_every_place() {
    let rng = &mut StdRng::seed_from_u64(4);
    for index in 0..64 {
        let path = Path::<2> { index, siblings: std::array::from_fn(|_| random(rng)) };
        let leaf = Fr::rand(rng);
        let (found, rows) = run(|b| {
            let bits = index_bits(b, &path).unwrap();
            root(b, &b.input(leaf).unwrap(), &path, &bits).unwrap().value().unwrap()
        });
        assert_eq!(found, path.root(leaf));
        assert_eq!(rows, 2 * (3 + 7 + 402));
    }
    assert_eq!(merkle::empty(1), merkle::node([Fr::from(0u8); 8]));
}

#[test]
fn credentials_policies_positions_and_deliveries() {
    let rng = &mut StdRng::seed_from_u64(5);
    for branches in Branches::all().step_by(31) {
        let example = Example::new(branches);
        let w = &example.witness;
        let attestor = AttestorId::new(Fr::rand(rng));
        let holder = w.identity.credential.holder;
        let [asset, nk] = random::<2>(rng);

        let (leaf, _) = run(|b| {
            let var = IdentityVar::new(b, &w.identity.credential).unwrap();
            let [holder, attestor] = [holder, attestor.get()].map(|v| b.input(v).unwrap());
            var.leaf(b, &holder, &attestor).unwrap().value().unwrap()
        });
        assert_eq!(leaf, credential::leaf(attestor, w.identity.credential.inner()));

        let (leaf, _) = run(|b| {
            let var = InvestorVar::new(b, &w.investor.credential).unwrap();
            let [holder, attestor] = [holder, attestor.get()].map(|v| b.input(v).unwrap());
            var.leaf(b, &holder, &attestor).unwrap().value().unwrap()
        });
        assert_eq!(leaf, credential::leaf(attestor, w.investor.credential.inner()));

        let (hash, _) =
            run(|b| PolicyVar::new(b, &w.policy).unwrap().hash(b).unwrap().value().unwrap());
        assert_eq!(hash, w.policy.hash().get());

        let (parts, _) = run(|b| {
            let rule = RuleVar::new(b, &w.rule).unwrap();
            [rule.leaf(), rule.allowed(), rule.lockup(), rule.max_holding()]
                .map(|v| v.value().unwrap())
        });
        assert_eq!(
            parts,
            [
                w.rule.pack(),
                Fr::from(w.rule.allowed),
                Fr::from(w.rule.lockup),
                Fr::from(w.rule.max_holding)
            ]
        );

        let position = &w.position.position;
        let ((cm, nf), _) = run(|b| {
            let var = PositionVar::new(b, position).unwrap();
            let [asset, holder, nk] = [asset, holder, nk].map(|v| b.input(v).unwrap());
            let cm = var.commit(b, &asset, &holder, &nk).unwrap();
            (cm.value().unwrap(), var.nullifier(b, &nk).unwrap().value().unwrap())
        });
        let nk = NullifierKey::from_parts(nk);
        assert_eq!(cm, position.commit(AssetId::new(asset), HolderId::new(holder), &nk).get());
        assert_eq!(nf, position.nullifier(&nk).get());

        let (cm, _) = run(|b| {
            let var = DeliveryVar::new(b, &w.incoming.delivery).unwrap();
            var.commit(b, &b.input(asset).unwrap()).unwrap().value().unwrap()
        });
        assert_eq!(cm, w.incoming.delivery.commit(AssetId::new(asset)).get());
    }
}
