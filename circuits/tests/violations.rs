//! Every clause broken alone: the native check names it, and in the circuit the violated rows are
//! rows of that clause.
//!
//! Most lies are consistent: after the witness is changed everything downstream is recomputed, so
//! that only the clause under test can object.

mod support;

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use placet_protocol::credential::{self, Categories, tombstone};
use placet_protocol::example::{Branches, Example, NOW, element, jurisdiction, secret_key};
use placet_protocol::field::{AttestorId, NoteRoot, RegistryRoot, SanctionsRoot};
use placet_protocol::keys::{NullifierKey, Scalar, SecretKey};
use placet_protocol::merkle::{NOTE_DEPTH, REGISTRY_DEPTH, SparseTree};
use placet_protocol::policy::{Rule, Rules};
use placet_protocol::sanctions::SanctionsList;
use placet_protocol::transfer::{HoldersDelta, Mode, Violation, check};
use support::{plain, violated_clauses};

/// Asserts that native check and circuit refuse for this clause, and for no other.
fn refused(example: &Example, violation: Violation) {
    assert_eq!(check(&example.public, &example.witness), Err(violation));
    let clauses = violated_clauses(example);
    assert_eq!(clauses.into_iter().collect::<Vec<_>>(), [format!("{violation:?}")]);
}

fn accepted(example: &Example) {
    assert_eq!(check(&example.public, &example.witness), Ok(()));
    assert!(violated_clauses(example).is_empty());
}

/// A valid example, changed and made consistent again.
fn lie(branches: Branches, change: impl FnOnce(&mut Example)) -> Example {
    let mut example = Example::new(branches);
    change(&mut example);
    example.rederive();
    example
}

/// Puts the changed credentials back into the registry, so that only their contents can object.
fn reregister(example: &mut Example) {
    let witness = &mut example.witness;
    let mut tree = SparseTree::<REGISTRY_DEPTH>::default();
    let identity = &mut witness.identity;
    tree.set(3, credential::leaf(identity.attestor, identity.credential.inner()));
    let investor = &mut witness.investor;
    tree.set(4, credential::leaf(investor.attestor, investor.credential.inner()));
    identity.path = tree.path(3);
    investor.path = tree.path(4);
    example.context.registry_root = RegistryRoot::new(tree.root());
}

/// Puts the changed position and delivery back into the note tree.
fn renote(example: &mut Example) {
    let evaluation = example.witness.evaluate(NOW, example.context.redeemed);
    let witness = &mut example.witness;
    let asset = witness.policy.asset;
    let mut tree = SparseTree::<NOTE_DEPTH>::default();
    let cm = witness.position.position.commit(asset, evaluation.holder, &evaluation.nk);
    tree.set(5, cm.get());
    let cm = witness.incoming.delivery.commit(asset);
    let leaf = match witness.incoming.mode {
        Mode::Settle => witness.incoming.key.receipt(cm),
        _ => cm,
    };
    tree.set(6, leaf.get());
    witness.position.path = tree.path(5);
    witness.incoming.path = tree.path(6);
    example.context.position_root = NoteRoot::new(tree.root());
    example.context.delivery_root = NoteRoot::new(tree.root());
}

/// Changes the rule of the holder's jurisdiction, in the policy too.
fn set_rule(example: &mut Example, rule: Rule) {
    let rules = Rules::new([(jurisdiction(), rule)].into());
    example.witness.rule = rule;
    example.witness.rule_path = rules.path(jurisdiction());
    example.witness.policy.rules_root = rules.root();
}

fn minus(value: u64) -> Fr {
    -Fr::from(value)
}

/// No variant of `Violation` without a test: adding one stops this from compiling.
#[expect(dead_code, reason = "its match is the check")]
fn test_of(violation: Violation) -> fn() {
    match violation {
        Violation::PolicyOpening => rejects_another_policy as fn(),
        Violation::HolderKey => rejects_degenerate_keys,
        Violation::IdentityMember => rejects_identity_not_in_the_registry,
        Violation::IdentityAttestorTrusted => rejects_untrusted_identity_attestor,
        Violation::IdentityNotExpired => rejects_expired_identity,
        Violation::RiskAcceptable => rejects_risk_out_of_range,
        Violation::NotSanctioned => rejects_sanctioned_subjects,
        Violation::PositionMember => rejects_position_not_in_the_tree,
        Violation::DeliveryMember => rejects_delivery_not_in_the_tree,
        Violation::DeliveryAuthorised => rejects_other_peoples_deliveries,
        Violation::ReceiptOpening => rejects_wrong_receipts,
        Violation::ValueConserved => rejects_value_from_nothing,
        Violation::LockRespected => rejects_moving_locked_units,
        Violation::JurisdictionAllowed => rejects_barred_jurisdictions,
        Violation::InvestorEligible => rejects_wrong_categories,
        Violation::InvestorMember => rejects_investor_not_in_the_registry,
        Violation::InvestorAttestorTrusted => rejects_untrusted_investor_attestor,
        Violation::InvestorNotExpired => rejects_expired_investor,
        Violation::CapitalSufficient => rejects_too_little_capital,
        Violation::HoldingWithinLimit => rejects_holding_above_the_limit,
        Violation::HoldersDelta => rejects_wrong_holder_counts,
        Violation::PositionOpening => rejects_wrong_new_positions,
        Violation::DeliveryOpening => rejects_wrong_new_deliveries,
        Violation::DeadlineBounded => rejects_deadlines_out_of_bounds,
        Violation::Disclosure => rejects_wrong_disclosures,
    }
}

#[test]
fn rejects_another_policy() {
    let mut example = Example::new(plain(Mode::Accept));
    // The published policy is another one; the proven one is more lenient.
    example.witness.policy.max_risk = 4;
    refused(&example, Violation::PolicyOpening);
}

#[test]
fn rejects_degenerate_keys() {
    // 2ℓ − 2, 2ℓ − 1, 2ℓ and 2ℓ + 1 are the representatives of −2, −1, 0 and 1.
    for offset in [-2i8, -1, 0, 1] {
        let mut t = Scalar::MODULUS;
        t.mul2();
        let magnitude = offset.unsigned_abs().into();
        if offset < 0 {
            t.sub_with_borrow(&magnitude);
        } else {
            t.add_with_carry(&magnitude);
        }
        let mut example = lie(plain(Mode::Absent), |example| {
            example.witness.key_bits = std::array::from_fn(|i| t.get_bit(i));
        });
        assert_eq!(check(&example.public, &example.witness), Err(Violation::HolderKey));
        // No slope satisfies the row, so whatever follows from it is wrong as well.
        assert!(violated_clauses(&example).contains("HolderKey"), "2ℓ + {offset}");
        // Not even when the prover fits all public outputs to what the circuit computed.
        example.witness.identity.credential.holder = Fr::from(0u8);
        assert!(violated_clauses(&example).contains("HolderKey"), "2ℓ + {offset}");
    }
}

#[test]
fn edge_keys_have_one_nullifier_whatever_their_representative() {
    // Neighbours of the degenerate keys, and ℓ + 2, which is 2.
    for scalar in
        [2u64, 3, 4].map(Scalar::from).into_iter().chain([3u64, 4].map(|x| -Scalar::from(x)))
    {
        let key = SecretKey::from_scalar(scalar).unwrap();
        let smallest = key.representative_bits();
        let mut example = Example::new(Branches { genesis: true, ..plain(Mode::Absent) });
        example.witness.key_bits = smallest;
        example.witness.identity.credential.holder = key.public().x();
        example.witness.investor.credential.holder = key.public().x();
        reregister(&mut example);
        example.rederive();
        accepted(&example);

        // The next representative, if it fits, opens the same statement with the same outputs.
        let mut next = <Scalar as PrimeField>::BigInt::from(0u8);
        next.0[3] = 1 << (251 - 192);
        for (i, bit) in smallest.iter().enumerate() {
            if *bit {
                next.0[i / 64] |= 1 << (i % 64);
            }
        }
        next.add_with_carry(&Scalar::MODULUS);
        if next.num_bits() == 252 {
            example.witness.key_bits = std::array::from_fn(|i| next.get_bit(i));
            accepted(&example);
        }
    }
}

#[test]
fn the_opposite_key_is_another_holder() {
    let example = lie(plain(Mode::Absent), |example| {
        let bits = &example.witness.key_bits;
        let scalar = bits.iter().rev().fold(Scalar::from(1u8), |acc, bit| {
            acc * Scalar::from(2u8) + Scalar::from(u8::from(*bit))
        });
        example.witness.key_bits = SecretKey::from_scalar(-scalar).unwrap().representative_bits();
    });
    // S.x is shared by S and its mirror image only through the same x: nk differs, and so the
    // position and the credential of the first key do not open.
    assert_eq!(check(&example.public, &example.witness), Err(Violation::IdentityMember));
    let clauses = violated_clauses(&example);
    assert!(clauses.contains("IdentityMember") && clauses.contains("PositionMember"));
}

#[test]
fn rejects_identity_not_in_the_registry() {
    // Revoked: the slot holds the tombstone.
    let example = lie(plain(Mode::Absent), |example| {
        let mut tree = SparseTree::<REGISTRY_DEPTH>::default();
        tree.set(0, tombstone());
        tree.set(1, element("other", 0));
        example.witness.identity.path = tree.path(0);
        example.context.registry_root = RegistryRoot::new(tree.root());
    });
    refused(&example, Violation::IdentityMember);
    // Swapped siblings.
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.identity.path.siblings[2].swap(0, 1);
        example.witness.identity.path.siblings[2][0] += Fr::from(1u8);
    });
    refused(&example, Violation::IdentityMember);
    // Another place of the same tree.
    let example = lie(plain(Mode::Absent), |example| example.witness.identity.path.index ^= 1);
    refused(&example, Violation::IdentityMember);
    // A leaf that names another attestor than the one who signed.
    let example = lie(plain(Mode::Absent), |example| {
        let other = AttestorId::new(element("attestor", 77));
        example.witness.identity.attestor = other;
        example.witness.policy.attestors.identity[1] = other;
    });
    refused(&example, Violation::IdentityMember);
    // A jurisdiction of more than 12 bits cannot be spent, wherever it came from.
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.identity.credential.jurisdiction = Fr::from(4096u64 + 250);
        reregister(example);
    });
    refused(&example, Violation::IdentityMember);
}

#[test]
fn rejects_someone_elses_credential() {
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.identity.credential.holder = secret_key("somebody else").public().x();
        reregister(example);
    });
    refused(&example, Violation::IdentityMember);
}

#[test]
fn rejects_untrusted_identity_attestor() {
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.identity.attestor = AttestorId::new(element("attestor", 77));
        reregister(example);
    });
    refused(&example, Violation::IdentityAttestorTrusted);
    // Trusted for investor credentials is not trusted for identity.
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.identity.attestor = example.witness.investor.attestor;
        reregister(example);
    });
    refused(&example, Violation::IdentityAttestorTrusted);
}

#[test]
fn rejects_expired_identity() {
    let expiring = |at: Fr| {
        lie(plain(Mode::Absent), |example| {
            example.witness.identity.credential.expires_at = at;
            reregister(example);
        })
    };
    accepted(&expiring(Fr::from(NOW + 1)));
    accepted(&expiring(Fr::from(NOW + (1 << 40))));
    refused(&expiring(Fr::from(NOW)), Violation::IdentityNotExpired);
    refused(&expiring(Fr::from(0u8)), Violation::IdentityNotExpired);
    refused(&expiring(Fr::from(NOW + (1 << 40) + 1)), Violation::IdentityNotExpired);
    refused(&expiring(minus(1)), Violation::IdentityNotExpired);
}

#[test]
fn rejects_risk_out_of_range() {
    let with_risk = |risk: Fr| {
        lie(plain(Mode::Absent), |example| {
            example.witness.identity.credential.risk = risk;
            reregister(example);
        })
    };
    accepted(&with_risk(Fr::from(3u8)));
    refused(&with_risk(Fr::from(4u8)), Violation::RiskAcceptable);
    refused(&with_risk(Fr::from(255u8)), Violation::RiskAcceptable);
    // r − 3 is a negative risk: the difference alone would be small.
    refused(&with_risk(minus(3)), Violation::RiskAcceptable);
}

#[test]
fn rejects_sanctioned_subjects() {
    // On the list: both gaps beside it touch it.
    for shift in [0u64, 1] {
        let example = lie(plain(Mode::Absent), |example| {
            let subject =
                placet_protocol::field::Subject::new(example.witness.identity.credential.subject);
            let list = SanctionsList::new([subject]).unwrap();
            let (_, path) = list.witness(subject);
            let gap = if shift == 0 {
                placet_protocol::sanctions::Gap { lo: Fr::from(0u8), hi: subject.get() }
            } else {
                placet_protocol::sanctions::Gap {
                    lo: subject.get(),
                    hi: placet_protocol::sanctions::upper_sentinel(),
                }
            };
            let mut tree = SparseTree::default();
            tree.set(path.index, gap.leaf());
            example.witness.gap = gap;
            example.witness.gap_path = tree.path(path.index);
            example.context.sanctions_root = SanctionsRoot::new(tree.root());
        });
        refused(&example, Violation::NotSanctioned);
    }
    // A gap that is not on the published list.
    let mut example = Example::new(plain(Mode::Absent));
    example.witness.gap.lo += Fr::from(1u8);
    refused(&example, Violation::NotSanctioned);
    // A subject of more than 248 bits.
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.identity.credential.subject =
            placet_protocol::sanctions::upper_sentinel() + Fr::from(5u8);
        reregister(example);
    });
    refused(&example, Violation::NotSanctioned);
}

#[test]
fn rejects_position_not_in_the_tree() {
    let mut example = Example::new(plain(Mode::Absent));
    example.context.position_root = NoteRoot::new(element("another root", 0));
    example.rederive();
    refused(&example, Violation::PositionMember);

    // A richer position than the committed one.
    let example = lie(plain(Mode::Absent), |example| {
        example.witness.position.position.balance += Fr::from(1_000_000u64);
    });
    refused(&example, Violation::PositionMember);

    // A nullifier of the prover's choice.
    let mut example = Example::new(plain(Mode::Absent));
    example.public.nf_position = placet_protocol::field::Nullifier::new(element("free", 0));
    assert_eq!(check(&example.public, &example.witness), Err(Violation::PositionMember));
    assert!(violated_clauses(&example).contains("PositionMember"));
}

#[test]
fn genesis_adds_constraints_and_leaves_nothing_free() {
    let genesis = Branches { genesis: true, ..plain(Mode::Absent) };
    let mutations: [fn(&mut placet_protocol::position::Position); 5] = [
        |p| p.balance = Fr::from(1u8),
        |p| p.in_flight = Fr::from(1u8),
        |p| p.locked = Fr::from(1u8),
        |p| p.unlock_at = Fr::from(NOW - 1),
        |p| p.rho += Fr::from(1u8),
    ];
    for mutate in mutations {
        let example = lie(genesis, |example| mutate(&mut example.witness.position.position));
        assert_eq!(check(&example.public, &example.witness), Err(Violation::PositionMember));
        assert!(violated_clauses(&example).contains("PositionMember"));
    }
}

#[test]
fn rejects_delivery_not_in_the_tree() {
    for mode in [Mode::Accept, Mode::Refund, Mode::Settle] {
        let example = lie(plain(mode), |example| {
            example.witness.incoming.delivery.deadline -= Fr::from(1u8);
        });
        refused(&example, Violation::DeliveryMember);
        // The nullifier of the prover's choice.
        let mut example = Example::new(plain(mode));
        example.public.nf_delivery = placet_protocol::field::Nullifier::new(element("free", 0));
        refused(&example, Violation::DeliveryMember);
    }
    // Settling needs the receipt: the delivery itself is not one.
    let example = lie(plain(Mode::Accept), |example| {
        example.witness.incoming.mode = Mode::Settle;
        example.witness.position.position.in_flight = Fr::from(1_000u64);
        let key = example.witness.incoming.key;
        let nk = example.witness.evaluate(NOW, 0).nk;
        example.witness.incoming.delivery.refund_tag = key.refund_tag(&nk).get();
        example.witness.incoming.mode = Mode::Accept;
        renote(example);
        example.witness.incoming.mode = Mode::Settle;
    });
    refused(&example, Violation::DeliveryMember);
}

#[test]
fn rejects_two_modes_at_once() {
    // No typed witness says so: tamper with the assignment itself.
    let example = Example::new(plain(Mode::Accept));
    let (matrices, trace) = support::circuit();
    let accepted = support::assign(&example);
    let settled =
        support::assign(&lie(plain(Mode::Accept), |e| e.witness.incoming.mode = Mode::Settle));
    let refunded =
        support::assign(&lie(plain(Mode::Accept), |e| e.witness.incoming.mode = Mode::Refund));
    // The mode bits are where accept has 1, refund 0, settle 0, and so on.
    let one = Fr::from(1u8);
    let zero = Fr::from(0u8);
    let bit = |yes: &[Fr], no: [&[Fr]; 2]| {
        (0..matrices.columns())
            .find(|&i| yes[i] == one && no.iter().all(|a| a[i] == zero))
            .expect("each mode has its bit")
    };
    let accept = bit(&accepted, [&settled, &refunded]);
    let settle = bit(&settled, [&accepted, &refunded]);
    assert!(accept < settle);
    let mut both = accepted.clone();
    both[settle] = one;
    let clauses: Vec<_> =
        matrices.violations(&both).map(|row| trace.clause_of(row).unwrap()).collect();
    assert!(clauses.contains(&"DeliveryMember"));
    let mut half = accepted.clone();
    half[accept] = Fr::from(2u8);
    assert!(!matrices.is_satisfied(&half));
}

#[test]
fn rejects_other_peoples_deliveries() {
    let example = lie(plain(Mode::Accept), |example| {
        let key = example.witness.incoming.key;
        let other = secret_key("somebody else").public().holder();
        example.witness.incoming.delivery.owner_tag = key.owner_tag(other).get();
        renote(example);
    });
    refused(&example, Violation::DeliveryAuthorised);
    for mode in [Mode::Refund, Mode::Settle] {
        let example = lie(plain(mode), |example| {
            let key = example.witness.incoming.key;
            let other = NullifierKey::from_parts(element("nk", 0));
            example.witness.incoming.delivery.refund_tag = key.refund_tag(&other).get();
            renote(example);
        });
        refused(&example, Violation::DeliveryAuthorised);
    }
    // Taken back too early; exactly at the deadline is fine.
    let due = |deadline: u64| {
        lie(plain(Mode::Refund), |example| {
            example.witness.incoming.delivery.deadline = Fr::from(deadline);
            renote(example);
        })
    };
    accepted(&due(NOW));
    refused(&due(NOW + 1), Violation::DeliveryAuthorised);
}

#[test]
fn rejects_wrong_receipts() {
    for mode in [Mode::Absent, Mode::Accept, Mode::Refund, Mode::Settle] {
        let mut example = Example::new(plain(mode));
        example.public.receipt = placet_protocol::field::Commitment::new(element("free", 0));
        refused(&example, Violation::ReceiptOpening);
    }
    // A refund must not leave a receipt: with it the sender could settle what it took back.
    let mut example = Example::new(plain(Mode::Refund));
    let cm = example.witness.evaluate(NOW, 0).cm_incoming;
    example.public.receipt = example.witness.incoming.key.receipt(cm);
    refused(&example, Violation::ReceiptOpening);
}

#[test]
fn rejects_value_from_nothing() {
    let sending = |amount: Fr| {
        lie(plain(Mode::Absent), |example| {
            example.witness.position.position.locked = Fr::from(0u8);
            renote(example);
            example.witness.outgoing.amount = amount;
        })
    };
    accepted(&sending(Fr::from(970u64)));
    // One more than the balance less what is redeemed. What is left is negative, so the lock
    // rule, which compares with it, objects as well.
    for amount in [Fr::from(971u64), minus(1), minus(400), Fr::from(u64::MAX) + Fr::from(1u8)] {
        let example = sending(amount);
        assert_eq!(check(&example.public, &example.witness), Err(Violation::ValueConserved));
        assert!(violated_clauses(&example).contains("ValueConserved"));
    }
    // Settling more than is in flight.
    let example = lie(plain(Mode::Settle), |example| {
        example.witness.incoming.delivery.amount = Fr::from(551u64);
        renote(example);
    });
    refused(&example, Violation::ValueConserved);
}

#[test]
fn parking_in_flight_still_counts_as_held() {
    // 49,600 parked in flight: the balance alone would allow 250 more, what is held does not.
    let parked = |in_flight: u64| {
        lie(plain(Mode::Accept), |example| {
            example.witness.position.position.balance = Fr::from(200u64);
            example.witness.position.position.in_flight = Fr::from(in_flight);
            renote(example);
            example.witness.outgoing.amount = Fr::from(0u8);
        })
    };
    accepted(&parked(50_000 - 200 - 250 + 30));
    refused(&parked(50_000 - 200 - 250 + 31), Violation::HoldingWithinLimit);
}

#[test]
fn accepting_and_sending_in_one_transfer_still_counts_as_held() {
    let through = |amount: u64| {
        lie(plain(Mode::Accept), |example| {
            example.witness.incoming.delivery.amount = Fr::from(amount);
            renote(example);
            example.witness.outgoing.amount = Fr::from(amount);
        })
    };
    // Held before: 1,400, redeemed: 30.
    accepted(&through(50_000 - 1_370));
    refused(&through(50_000 - 1_369), Violation::HoldingWithinLimit);
}

#[test]
fn rejects_moving_locked_units() {
    let locked = |locked: u64, unlock_at: u64| {
        lie(plain(Mode::Absent), |example| {
            example.witness.position.position.locked = Fr::from(locked);
            example.witness.position.position.unlock_at = Fr::from(unlock_at);
            renote(example);
        })
    };
    // 1,000 less 150 sent less 30 redeemed.
    accepted(&locked(820, NOW + 1));
    refused(&locked(821, NOW + 1), Violation::LockRespected);
    // The lock ends at its time, not a second later.
    accepted(&locked(1_000, NOW));
    // What arrives locked does not go out again.
    let arriving = |rule_lockup: u32, unlock_at: u64, out: u64| {
        lie(Branches { genesis: true, ..plain(Mode::Accept) }, |example| {
            set_rule(example, Rule { lockup: rule_lockup, ..example.witness.rule });
            example.witness.incoming.delivery.unlock_at = Fr::from(unlock_at);
            renote(example);
            example.witness.outgoing.amount = Fr::from(out);
        })
    };
    accepted(&arriving(0, 0, 250));
    accepted(&arriving(1, 0, 0));
    accepted(&arriving(0, NOW + 1, 0));
    refused(&arriving(1, 0, 1), Violation::LockRespected);
    refused(&arriving(0, NOW + 1, 1), Violation::LockRespected);
    accepted(&arriving(0, NOW, 1));
    // A lock time beyond 40 bits would not fit the disclosure.
    let example = arriving(0, (1 << 40) + NOW, 0);
    assert_eq!(check(&example.public, &example.witness), Err(Violation::LockRespected));
    assert!(violated_clauses(&example).contains("LockRespected"));
}

#[test]
fn a_new_lock_extends_the_one_in_force_and_keeps_what_was_locked() {
    for (old, new, expected) in [(500u64, 900u64, 900u64), (900, 500, 900)] {
        let example = lie(plain(Mode::Accept), |example| {
            example.witness.position.position.unlock_at = Fr::from(NOW + old);
            example.witness.incoming.delivery.unlock_at = Fr::from(NOW + new);
            renote(example);
        });
        accepted(&example);
        let next = example.witness.evaluate(NOW, example.context.redeemed).next;
        assert_eq!(next.unlock_at, Fr::from(NOW + expected));
        assert_eq!(next.locked, Fr::from(100u64 + 250));
    }
}

#[test]
fn rejects_barred_jurisdictions() {
    let barred = Rule { allowed: false, ..Example::new(plain(Mode::Accept)).witness.rule };
    let example = lie(plain(Mode::Accept), |example| set_rule(example, barred));
    refused(&example, Violation::JurisdictionAllowed);
    // Barred residents may still sell, take back and settle.
    for mode in [Mode::Absent, Mode::Refund, Mode::Settle] {
        accepted(&lie(plain(mode), |example| set_rule(example, barred)));
    }
    // The rule of another jurisdiction.
    let example = lie(plain(Mode::Accept), |example| example.witness.rule.lockup += 1);
    assert_eq!(check(&example.public, &example.witness), Err(Violation::JurisdictionAllowed));
    assert!(violated_clauses(&example).contains("JurisdictionAllowed"));
}

#[test]
fn rejects_wrong_categories() {
    let with = |categories: u16, any_of: u16| {
        lie(plain(Mode::Accept), |example| {
            set_rule(example, Rule { any_of: Categories(any_of), ..example.witness.rule });
            example.witness.investor.credential.categories = Fr::from(categories);
            reregister(example);
        })
    };
    accepted(&with(0x8000, 0xffff));
    accepted(&with(0, 0));
    refused(&with(0, 1), Violation::InvestorEligible);
    refused(&with(0x00ff, 0xff00), Violation::InvestorEligible);
}

#[test]
fn rejects_investor_not_in_the_registry() {
    let example = lie(plain(Mode::Accept), |example| {
        example.witness.investor.credential.capital += Fr::from(1u8);
    });
    refused(&example, Violation::InvestorMember);
    let example = lie(plain(Mode::Accept), |example| {
        example.witness.investor.credential.holder = secret_key("somebody else").public().x();
        reregister(example);
    });
    refused(&example, Violation::InvestorMember);
    // Needed by the capital rule alone, or by the category alone; not needed by neither.
    for (selective, capital_rule) in [(true, false), (false, true), (false, false)] {
        let branches = Branches { selective, capital_rule, ..plain(Mode::Accept) };
        let example =
            lie(branches, |example| example.witness.investor.path.siblings[0][0] += Fr::from(1u8));
        if selective || capital_rule {
            refused(&example, Violation::InvestorMember);
        } else {
            accepted(&example);
        }
    }
}

#[test]
fn rejects_untrusted_investor_attestor() {
    let example = lie(plain(Mode::Accept), |example| {
        example.witness.investor.attestor = example.witness.identity.attestor;
        reregister(example);
    });
    refused(&example, Violation::InvestorAttestorTrusted);
    // Whoever sells needs none.
    accepted(&lie(plain(Mode::Absent), |example| {
        example.witness.investor.attestor = example.witness.identity.attestor;
    }));
}

#[test]
fn rejects_expired_investor() {
    let expiring = |mode: Mode, at: u64| {
        lie(plain(mode), |example| {
            example.witness.investor.credential.expires_at = Fr::from(at);
            reregister(example);
        })
    };
    accepted(&expiring(Mode::Accept, NOW + 1));
    refused(&expiring(Mode::Accept, NOW), Violation::InvestorNotExpired);
    accepted(&expiring(Mode::Refund, NOW));
}

#[test]
fn rejects_too_little_capital() {
    // Held afterwards: 1,400 + 250 − 30 = 1,620 units at 1,000; a tenth of the capital.
    let with = |capital: Fr| {
        lie(plain(Mode::Accept), |example| {
            example.witness.investor.credential.capital = capital;
            reregister(example);
        })
    };
    accepted(&with(Fr::from(16_200_000u64)));
    refused(&with(Fr::from(16_199_999u64)), Violation::CapitalSufficient);
    refused(&with(Fr::from(0u8)), Violation::CapitalSufficient);
    // Switched off, no capital is needed.
    let example = lie(Branches { capital_rule: false, ..plain(Mode::Accept) }, |example| {
        example.witness.investor.credential.capital = Fr::from(0u8);
        reregister(example);
    });
    accepted(&example);
    // The largest values do not wrap.
    let example = lie(plain(Mode::Accept), |example| {
        example.witness.policy.unit_price = u64::MAX;
        example.witness.investor.credential.capital = Fr::from(u64::MAX);
        reregister(example);
    });
    refused(&example, Violation::CapitalSufficient);
}

#[test]
fn rejects_capital_of_more_than_64_bits() {
    let example = lie(plain(Mode::Accept), |example| {
        example.witness.investor.credential.capital = minus(1);
        reregister(example);
    });
    assert_eq!(check(&example.public, &example.witness), Err(Violation::InvestorMember));
    assert!(!violated_clauses(&example).is_empty());
}

#[test]
fn rejects_holding_above_the_limit() {
    // Held afterwards: 1,400 + 250 − 30.
    let limited = |max_holding: u64| {
        lie(plain(Mode::Accept), |example| {
            set_rule(example, Rule { max_holding, ..example.witness.rule });
        })
    };
    accepted(&limited(1_620));
    refused(&limited(1_619), Violation::HoldingWithinLimit);
    accepted(&limited(u64::MAX));
}

#[test]
fn rejects_wrong_holder_counts() {
    // Somebody who joins must say so.
    let joins = Branches { genesis: true, ..plain(Mode::Accept) };
    let mut example = Example::new(joins);
    assert_eq!(example.public.holders_delta, HoldersDelta::Plus);
    for wrong in [HoldersDelta::Zero, HoldersDelta::Minus] {
        example.public.holders_delta = wrong;
        refused(&example, Violation::HoldersDelta);
    }
    // Nobody leaves while something is in flight.
    let mut example = lie(plain(Mode::Absent), |example| {
        example.witness.position.position.locked = Fr::from(0u8);
        renote(example);
        example.witness.outgoing.amount = Fr::from(970u64);
    });
    assert_eq!(example.public.holders_delta, HoldersDelta::Zero);
    example.public.holders_delta = HoldersDelta::Minus;
    refused(&example, Violation::HoldersDelta);
    // Whoever settles the last unit leaves.
    let example = lie(plain(Mode::Settle), |example| {
        example.witness.position.position.balance = Fr::from(30u64);
        example.witness.position.position.locked = Fr::from(0u8);
        example.witness.position.position.in_flight = Fr::from(250u64);
        renote(example);
        example.witness.outgoing.amount = Fr::from(0u8);
    });
    assert_eq!(example.public.holders_delta, HoldersDelta::Minus);
    accepted(&example);
    // Where nobody counts, nothing is said.
    let mut example = Example::new(Branches { count_holders: false, ..joins });
    assert_eq!(example.public.holders_delta, HoldersDelta::Zero);
    example.public.holders_delta = HoldersDelta::Plus;
    refused(&example, Violation::HoldersDelta);
}

#[test]
fn rejects_wrong_new_positions() {
    let mut example = Example::new(plain(Mode::Accept));
    let mut richer = example.witness.evaluate(NOW, example.context.redeemed);
    richer.next.balance += Fr::from(1u8);
    example.public.cm_position =
        richer.next.commit(example.witness.policy.asset, richer.holder, &richer.nk);
    example.public.disclosure = repad(&example);
    refused(&example, Violation::PositionOpening);
}

#[test]
fn rejects_wrong_new_deliveries() {
    let evaluation = |example: &Example| example.witness.evaluate(NOW, example.context.redeemed);
    let changes: [fn(&mut placet_protocol::delivery::Delivery); 4] = [
        |made| made.amount += Fr::from(1u8),
        // A lock chosen by the sender would freeze the receiver's other shares.
        |made| made.unlock_at = Fr::from(NOW + 1_000),
        |made| made.refund_tag = Fr::from(0u8),
        |made| made.owner_tag = element("free", 0),
    ];
    for change in changes {
        let mut example = Example::new(plain(Mode::Accept));
        let mut made = evaluation(&example).made;
        change(&mut made);
        example.public.cm_delivery = made.commit(example.witness.policy.asset);
        example.public.disclosure = repad(&example);
        refused(&example, Violation::DeliveryOpening);
    }
}

/// The disclosure under the pads of the (changed) public commitments.
fn repad(example: &Example) -> [Fr; 3] {
    let honest = example.witness.evaluate(NOW, example.context.redeemed);
    let pads = placet_protocol::transfer::disclosure_pads;
    let old = pads(&honest.nk, honest.cm_position, honest.cm_delivery);
    let new = pads(&honest.nk, example.public.cm_position, example.public.cm_delivery);
    std::array::from_fn(|i| honest.disclosure[i] - old[i] + new[i])
}

#[test]
fn rejects_deadlines_out_of_bounds() {
    let with = |deadline: Fr| {
        lie(plain(Mode::Absent), |example| example.witness.outgoing.deadline = deadline)
    };
    accepted(&with(Fr::from(NOW)));
    accepted(&with(Fr::from(NOW + (1 << 22) - 1)));
    refused(&with(Fr::from(NOW - 1)), Violation::DeadlineBounded);
    refused(&with(Fr::from(NOW + (1 << 22))), Violation::DeadlineBounded);
}

#[test]
fn rejects_wrong_disclosures() {
    for i in 0..3 {
        let mut example = Example::new(plain(Mode::Accept));
        example.public.disclosure[i] += Fr::from(1u8);
        refused(&example, Violation::Disclosure);
    }
    // Another receiver, document or amount than the true one.
    let mut example = Example::new(plain(Mode::Accept));
    example.public.disclosure[1] += secret_key("straw man").public().x();
    refused(&example, Violation::Disclosure);
}

#[test]
fn the_binding_is_in_a_constraint() {
    // No witness can violate it; a proof for one binding fails for another because the input is
    // in the matrices.
    let (matrices, _) = support::circuit();
    let example = Example::new(plain(Mode::Absent));
    let mut assignment = support::assign(&example);
    assert!(matrices.is_satisfied(&assignment));
    let binding = matrices.public_columns().last().unwrap();
    assignment[binding] += Fr::from(1u8);
    assert!(!matrices.is_satisfied(&assignment));
}
