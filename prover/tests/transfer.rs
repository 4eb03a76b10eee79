//! The real statement, end to end: development keys, proofs of every mode, forgeries refused.

use std::sync::OnceLock;

use placet_params::{KeyPolicy, ProvingKey};
use placet_protocol::example::{Branches, Example};
use placet_protocol::statement::Statement;
use placet_protocol::transfer::{Mode, Transfer, Violation};
use placet_prover::kernel::Tables;
use placet_prover::kernel::file::{file_name, ready};
use placet_prover::{ProofSeed, ProveError, Prover};
use placet_setup::{default_cache_dir, development_keys, key_dir};
use placet_verifier::{BatchError, OsCoefficients, VerifyError, verify_batch};

/// Keys from the user's cache: generating them takes a while, and every test program shares them.
fn prover() -> &'static Prover<Transfer> {
    static PROVER: OnceLock<Prover<Transfer>> = OnceLock::new();
    PROVER.get_or_init(|| {
        let cache = default_cache_dir().unwrap();
        let (key, _) = development_keys::<Transfer>(&cache, &mut |_| {}).unwrap();
        Prover::new(key).unwrap()
    })
}

fn branches(mode: Mode) -> Branches {
    Branches {
        genesis: false,
        mode,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: true,
    }
}

fn seed() -> ProofSeed {
    ProofSeed::from_os().unwrap()
}

#[test]
fn every_mode_is_proven_and_verified_in_one_batch() {
    let modes = [Mode::Absent, Mode::Accept, Mode::Refund, Mode::Settle];
    let examples = modes.map(|mode| Example::new(branches(mode)));
    let proofs = examples.each_ref().map(|example| {
        prover().prove(&example.public, &example.witness, seed()).unwrap().to_bytes()
    });
    let mut items: Vec<_> = examples.iter().map(|example| &example.public).zip(proofs).collect();
    assert_eq!(verify_batch(prover().verifier(), &items, &mut OsCoefficients), Ok(()));
    // A proof belongs to its own public inputs.
    items.swap(0, 1);
    (items[0].1, items[1].1) = (items[1].1, items[0].1);
    let refused = vec![(0, VerifyError::Invalid), (1, VerifyError::Invalid)];
    let verdict = verify_batch(prover().verifier(), &items, &mut OsCoefficients);
    assert_eq!(verdict, Err(BatchError::Refused(refused)));
}

/// The tables of the key, as commands make them in the user's cache: other tests use them too.
#[test]
fn mapped_tables_make_the_library_s_proofs() {
    let cache = default_cache_dir().unwrap();
    let (key, _) = development_keys::<Transfer>(&cache, &mut |_| {}).unwrap();
    let id = key.verifying_key().hash().to_string();
    let ours = Prover::new(key).unwrap();
    let path = key_dir(&cache).with_file_name("tables").join(file_name(&id, Tables::Full));
    let kernel = ready(&path, ours.key().points(), ours.constraints(), Tables::Full, &|_| {});
    let ours = ours.with_kernel(kernel.unwrap()).unwrap();
    let example = Example::new(branches(Mode::Accept));
    let seed = |byte| ProofSeed::from_bytes([byte; 32]);
    let Example { public, witness, .. } = &example;
    let expected = prover().prove(public, witness, seed(1)).unwrap();
    assert_eq!(ours.prove(public, witness, seed(1)).unwrap(), expected);
    let guess = Example::new(branches(Mode::Absent));
    let prepared = ours.prepare(&guess.public, &guess.witness).unwrap();
    let warm = ours.prove_prepared(&prepared, public, witness, seed(1)).unwrap();
    assert_eq!(warm, expected);
}

#[test]
fn every_public_input_is_bound() {
    let example = Example::new(branches(Mode::Accept));
    let proof = prover().prove(&example.public, &example.witness, seed()).unwrap().to_bytes();
    let honest = Transfer::inputs(&example.public);
    let mut changed = 0;
    // Each edit moves one typed field; together they move every input.
    let one = ark_bn254::Fr::from(1u8);
    use placet_protocol::field::{
        Commitment, NoteRoot, Nullifier, PolicyHash, RegistryRoot, SanctionsRoot,
    };
    use placet_protocol::transfer::{HoldersDelta, PublicInputs};
    let edits: [fn(&mut PublicInputs, ark_bn254::Fr); 17] = [
        |p, one| p.position_root = NoteRoot::new(p.position_root.get() + one),
        |p, one| p.delivery_root = NoteRoot::new(p.delivery_root.get() + one),
        |p, one| p.registry_root = RegistryRoot::new(p.registry_root.get() + one),
        |p, one| p.sanctions_root = SanctionsRoot::new(p.sanctions_root.get() + one),
        |p, one| p.policy = PolicyHash::new(p.policy.get() + one),
        |p, _| p.now += 1,
        |p, one| p.nf_position = Nullifier::new(p.nf_position.get() + one),
        |p, one| p.nf_delivery = Nullifier::new(p.nf_delivery.get() + one),
        |p, one| p.cm_position = Commitment::new(p.cm_position.get() + one),
        |p, one| p.cm_delivery = Commitment::new(p.cm_delivery.get() + one),
        |p, one| p.receipt = Commitment::new(p.receipt.get() + one),
        |p, _| {
            p.holders_delta = match p.holders_delta {
                HoldersDelta::Plus => HoldersDelta::Zero,
                _ => HoldersDelta::Plus,
            }
        },
        |p, _| p.redeemed += 1,
        |p, one| p.disclosure[0] += one,
        |p, one| p.disclosure[1] += one,
        |p, one| p.disclosure[2] += one,
        |p, one| p.binding += one,
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut public = example.public.clone();
        edit(&mut public, one);
        let inputs = Transfer::inputs(&public);
        let moved: Vec<usize> = (0..inputs.len()).filter(|i| inputs[*i] != honest[*i]).collect();
        assert_eq!(moved, [index], "the edits are in the statement's order");
        changed += 1;
        let verdict = prover().verifier().verify(&public, &proof);
        assert_eq!(verdict, Err(VerifyError::Invalid), "input {index}");
    }
    assert_eq!(changed, Transfer::PUBLIC_INPUTS);
}

#[test]
fn a_false_transfer_is_refused_natively_and_its_forgery_by_the_verifier() {
    let mut example = Example::new(branches(Mode::Accept));
    // The credential expired a second before.
    example.witness.identity.credential.expires_at = (example.public.now - 1).into();
    let error = prover().prove(&example.public, &example.witness, seed()).unwrap_err();
    assert!(matches!(
        error,
        ProveError::Violated(Violation::IdentityMember | Violation::IdentityNotExpired)
    ));
    let forged = prover().forge(&example.public, &example.witness, seed()).unwrap().to_bytes();
    let verdict = prover().verifier().verify(&example.public, &forged);
    assert_eq!(verdict, Err(VerifyError::Invalid));
}

#[test]
fn the_production_key_survives_its_file() {
    let cache = default_cache_dir().unwrap();
    let (key, _) = development_keys::<Transfer>(&cache, &mut |_| {}).unwrap();
    let bytes = key.to_file_bytes();
    let again = ProvingKey::<Transfer>::from_file_bytes(&bytes, &key.circuit(), KeyPolicy::Dev);
    assert!(again.unwrap().points() == key.points());
}
