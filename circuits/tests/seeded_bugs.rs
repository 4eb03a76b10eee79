//! Every check of `placet_circuits::analysis` proven able to fail: each gadget here exists in a
//! sound form and with one classic mistake, and the test says which check finds it. Mistakes with
//! finitely many wrong solutions are invisible to a Jacobian; for those the companion is a
//! consistent lie: the witness generator lies, everything downstream is recomputed honestly, and
//! what the constraints accept is compared with what a native check accepts.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use ark_r1cs_std::fields::fp::FpVar;
use ark_r1cs_std::prelude::*;
use ark_relations::gr1cs::{ConstraintSystem, ConstraintSystemRef, Variable};
use placet_circuits::analysis::{Declaration, Finding, LocalMap, Matrices, audit};

/// A gadget under test with what it declares about its wires.
struct Gadget {
    cs: ConstraintSystemRef<Fr>,
    free: Vec<Variable>,
    ranged: Vec<Variable>,
    public: Vec<Variable>,
    equations: usize,
}

fn variable(value: &FpVar<Fr>) -> Variable {
    match value {
        FpVar::Var(allocated) => allocated.variable,
        FpVar::Constant(_) => panic!("only variables are declared"),
    }
}

impl Gadget {
    fn new(equations: usize) -> Self {
        let cs = ConstraintSystem::new_ref();
        Self { cs, free: vec![], ranged: vec![], public: vec![], equations }
    }
    /// A wire with no declaration.
    fn wire(&self, value: Fr) -> FpVar<Fr> {
        FpVar::new_witness(self.cs.clone(), || Ok(value)).unwrap()
    }
    fn output(&self, value: Fr) -> FpVar<Fr> {
        FpVar::new_input(self.cs.clone(), || Ok(value)).unwrap()
    }
    fn bit(&self, value: bool) -> Boolean<Fr> {
        Boolean::new_witness(self.cs.clone(), || Ok(value)).unwrap()
    }
    fn declare_free(&mut self, value: Fr) -> FpVar<Fr> {
        let wire = self.wire(value);
        self.free.push(variable(&wire));
        wire
    }
    /// Declared to have few values; the constraints that make it so are the gadget's affair.
    fn declare_ranged(&mut self, value: Fr) -> FpVar<Fr> {
        let wire = self.wire(value);
        self.ranged.push(variable(&wire));
        wire
    }
    /// Enforces `value < 2^bits`.
    fn range_check(&self, value: &FpVar<Fr>, bits: usize) {
        let integer = value.value().unwrap().into_bigint();
        let wires: Vec<_> = (0..bits).map(|i| self.bit(integer.get_bit(i))).collect();
        Boolean::le_bits_to_fp(&wires).unwrap().enforce_equal(value).unwrap();
    }
    fn matrices(&self) -> Matrices {
        Matrices::extract(&self.cs).unwrap()
    }
    fn accepts(&self) -> bool {
        let matrices = self.matrices();
        matrices.is_satisfied(matrices.assignment())
    }
    fn declaration(&self, matrices: &Matrices) -> Declaration {
        let columns =
            |list: &[Variable]| list.iter().map(|v| matrices.column(*v).unwrap()).collect();
        Declaration {
            free: columns(&self.free),
            ranged: columns(&self.ranged),
            hints: vec![],
            public: columns(&self.public),
            equations: self.equations,
        }
    }
    fn audit(&self) -> Vec<Finding> {
        let matrices = self.matrices();
        audit(&matrices, matrices.assignment(), &self.declaration(&matrices))
            .expect("the gadget is satisfied")
    }
}

/// Stands in for a hash: one output, nonlinear in both inputs.
fn mix(a: &FpVar<Fr>, b: &FpVar<Fr>) -> FpVar<Fr> {
    let s = a + b * Fr::from(3u8) + Fr::from(7u8);
    &s.square().unwrap().square().unwrap() * &s + a
}
fn mix_native(a: Fr, b: Fr) -> Fr {
    let s = a + b * Fr::from(3u8) + Fr::from(7u8);
    s.square().square() * s + a
}
fn f(value: u64) -> Fr {
    Fr::from(value)
}

/// A kind of finding, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    A,
    B,
    C,
    Public,
}

fn kinds(findings: &[Finding]) -> Vec<Check> {
    findings
        .iter()
        .map(|finding| match finding {
            Finding::Undetermined(_) => Check::A,
            Finding::Freedom { .. } => Check::B,
            Finding::NotRanged(_) => Check::C,
            Finding::UnusedPublic(_) => Check::Public,
        })
        .collect()
}

/// Name, gadget (with the bug or without), the checks that find the bug.
type Case = (&'static str, fn(bool) -> Gadget, &'static [Check]);

const CASES: &[Case] = &[
    ("missing range check", missing_range_check, &[Check::C, Check::B]),
    ("nullifier from a free copy of the key", free_key_copy, &[Check::A, Check::B]),
    ("bit that is not Boolean", non_boolean_bit, &[Check::C, Check::B]),
    ("assigned but not constrained", assigned_not_constrained, &[Check::A, Check::B]),
    ("loose inverse", loose_inverse, &[Check::A, Check::B]),
    ("root computed but not compared", missing_root_equality, &[Check::Public, Check::A, Check::B]),
    ("zero test without its second constraint", loose_is_zero, &[Check::A, Check::B]),
    ("addition of equal points by the chord", chord_of_equal_points, &[Check::A]),
    ("gate on one of two values", gate_on_one_side, &[Check::B]),
    ("first position with a free seed", free_genesis_seed, &[Check::B]),
    ("quotient of zero by zero", zero_by_zero, &[Check::A]),
    ("binding that binds nothing", unbound_binding, &[Check::Public]),
    ("two outputs compared by their sum", outputs_compared_by_sum, &[Check::A, Check::B]),
    ("gate that is always closed", closed_gate, &[Check::B]),
];

#[test]
fn sound_gadgets_raise_no_alarm() {
    for (name, gadget, _) in CASES {
        assert_eq!(gadget(false).audit(), [], "{name}");
    }
}

#[test]
fn every_seeded_bug_is_found() {
    for (name, gadget, expected) in CASES {
        assert_eq!(kinds(&gadget(true).audit()), *expected, "{name}");
    }
}

#[test]
fn redundant_rows_are_those_whose_deletion_changes_nothing() {
    let (mut bearing, mut redundant) = (0, 0);
    for (name, gadget, _) in CASES {
        let matrices = gadget(false).matrices();
        let map = LocalMap::at(&matrices, matrices.assignment()).unwrap();
        let public: Vec<usize> = matrices.public_columns().collect();
        let found = map.redundant_rows(&public);
        for row in 0..matrices.rows() {
            assert_eq!(map.is_load_bearing(row, &public), !found.contains(&row), "{name} {row}");
        }
        bearing += matrices.rows() - found.len();
        redundant += found.len();
    }
    assert!(bearing > 4 * redundant, "{bearing} bear load, {redundant} do not");
    assert!(redundant > 0, "both answers occur");
}

#[test]
fn the_kernel_names_the_free_wires() {
    let gadget = free_key_copy(true);
    let matrices = gadget.matrices();
    let Some(Finding::Undetermined(wires)) = gadget.audit().into_iter().next() else {
        panic!("the free copy is found");
    };
    // The copy itself is the second witness wire, behind the key; the nullifier moves with it.
    let copy = matrices.witness_columns().start + 1;
    assert!(wires.contains(&copy) && wires.contains(&1), "{wires:?}");
    assert!(!wires.contains(&(copy - 1)), "the key itself stands still");
}

#[test]
fn an_assignment_that_violates_a_constraint_is_not_analysed() {
    let matrices = free_key_copy(false).matrices();
    let mut assignment = matrices.assignment().to_vec();
    *assignment.last_mut().unwrap() += f(1);
    assert!(matrices.first_violation(&assignment).is_some());
    assert!(LocalMap::at(&matrices, &assignment).is_none());
}

#[test]
fn wires_connected_to_nothing_are_idle() {
    let gadget = free_key_copy(false);
    let wire = gadget.wire(f(9));
    let matrices = gadget.matrices();
    let map = LocalMap::at(&matrices, matrices.assignment()).unwrap();
    assert_eq!(map.idle(), [matrices.column(variable(&wire)).unwrap()]);
    let key = matrices.witness_columns().start;
    assert_eq!(map.undetermined(&[key]), map.idle());

    // A finding, unless it is declared to be a hint.
    let mut declaration = gadget.declaration(&matrices);
    let audit =
        |declaration: &Declaration| audit(&matrices, matrices.assignment(), declaration).unwrap();
    assert_eq!(kinds(&audit(&declaration)), [Check::A, Check::B]);
    declaration.hints = map.idle();
    assert_eq!(audit(&declaration), []);
}

// --- mistakes that leave a direction free ---

fn missing_range_check(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let commitment = g.output(mix_native(f(1_000), f(77)));
    let amount = g.declare_ranged(f(1_000));
    let salt = g.declare_free(f(77));
    if !bug {
        g.range_check(&amount, 64);
    }
    mix(&amount, &salt).enforce_equal(&commitment).unwrap();
    g
}

fn free_key_copy(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let nullifier = g.output(mix_native(f(5), f(6)));
    let key = g.declare_free(f(5));
    let used = if bug { g.wire(f(5)) } else { key.clone() };
    mix(&used, &FpVar::constant(f(6))).enforce_equal(&nullifier).unwrap();
    key.enforce_not_equal(&FpVar::constant(f(0))).unwrap();
    g
}

fn non_boolean_bit(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let root = g.output(mix_native(f(20), f(10)));
    let bit = g.declare_ranged(f(1));
    let leaf = g.declare_free(f(10));
    let sibling = g.declare_free(f(20));
    if !bug {
        bit.mul_equals(&(FpVar::one() - &bit), &FpVar::zero()).unwrap();
    }
    let swap = &bit * (&sibling - &leaf);
    mix(&(&leaf + &swap), &(&sibling - &swap)).enforce_equal(&root).unwrap();
    g
}

fn assigned_not_constrained(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let commitment = g.output(mix_native(f(6), f(3)));
    let a = g.declare_free(f(2));
    let b = g.declare_free(f(3));
    let product = g.wire(f(6));
    if !bug {
        a.mul_equals(&b, &product).unwrap();
    }
    mix(&product, &b).enforce_equal(&commitment).unwrap();
    g
}

/// "The inverse of x, or 0 if x is 0" feeds the output; the bug forgets to pin it at 0.
fn loose_inverse(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let commitment = g.output(mix_native(f(0), f(11)));
    let x = g.declare_ranged(f(0));
    g.range_check(&x, 8);
    let salt = g.declare_free(f(11));
    let inverse = g.wire(f(0));
    let is_zero = FpVar::one() - &x * &inverse;
    x.mul_equals(&is_zero, &FpVar::zero()).unwrap();
    if !bug {
        inverse.mul_equals(&is_zero, &FpVar::zero()).unwrap();
    }
    mix(&inverse, &salt).enforce_equal(&commitment).unwrap();
    g
}

fn missing_root_equality(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let root = g.output(mix_native(f(10), f(20)));
    let leaf = g.declare_free(f(10));
    let sibling = g.declare_free(f(20));
    let computed = mix(&leaf, &sibling);
    if !bug {
        computed.enforce_equal(&root).unwrap();
    }
    g
}

/// `is_zero = 1 − x·hint`, `x·is_zero = 0`; the bug forgets the second half.
fn loose_is_zero(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let commitment = g.output(mix_native(f(0), f(11)));
    let x = g.declare_free(f(8));
    let salt = g.declare_free(f(11));
    let hint = g.wire(f(8).inverse().unwrap());
    let is_zero = FpVar::one() - &x * &hint;
    if !bug {
        x.mul_equals(&is_zero, &FpVar::zero()).unwrap();
    }
    mix(&is_zero, &salt).enforce_equal(&commitment).unwrap();
    g
}

/// Chord addition on `y² = x³ + 3`. The sound form refuses points with equal x.
fn chord(p: (Fr, Fr), q: (Fr, Fr), slope: Fr, bug: bool) -> Gadget {
    let mut g = Gadget::new(3);
    let x3 = g.output(slope.square() - p.0 - q.0);
    let [x1, y1, x2, y2] = [p.0, p.1, q.0, q.1].map(|value| g.declare_free(value));
    for (x, y) in [(&x1, &y1), (&x2, &y2)] {
        let cube = x.square().unwrap() * x;
        y.mul_equals(y, &(cube + f(3))).unwrap();
    }
    let lambda = g.wire(slope);
    lambda.mul_equals(&(&x2 - &x1), &(&y2 - &y1)).unwrap();
    if !bug {
        let hint = g.wire((q.0 - p.0).inverse().unwrap_or_default());
        hint.mul_equals(&(&x2 - &x1), &FpVar::one()).unwrap();
    }
    (lambda.square().unwrap() - &x1 - &x2).enforce_equal(&x3).unwrap();
    g
}

/// Two different points of `y² = x³ + 3` over the scalar field, found by trial.
fn points() -> [(Fr, Fr); 2] {
    let mut found = (2u64..).filter_map(|x| {
        let x = f(x);
        Some((x, (x.square() * x + f(3)).sqrt()?))
    });
    [found.next().unwrap(), found.next().unwrap()]
}

fn chord_of_equal_points(bug: bool) -> Gadget {
    let [p, q] = points();
    if bug { chord(p, p, f(123_456), true) } else { chord(p, q, (q.1 - p.1) / (q.0 - p.0), false) }
}

#[test]
fn the_sound_chord_refuses_equal_points() {
    let [p, _] = points();
    assert!(chord(p, p, f(123_456), true).accepts());
    assert!(!chord(p, p, f(123_456), false).accepts());
}

/// A first position must be empty: `g·balance = g·in_flight = 0`.
fn gate_on_one_side(bug: bool) -> Gadget {
    let mut g = Gadget::new(3);
    let commitment = g.output(mix_native(mix_native(f(0), f(0)), f(31)));
    let genesis = g.declare_ranged(f(1));
    genesis.mul_equals(&genesis, &genesis).unwrap();
    let [balance, in_flight] = [f(0), f(0)].map(|value| g.declare_free(value));
    let salt = g.declare_free(f(31));
    genesis.mul_equals(&balance, &FpVar::zero()).unwrap();
    let other = if bug { &balance } else { &in_flight };
    genesis.mul_equals(other, &FpVar::zero()).unwrap();
    mix(&mix(&balance, &in_flight), &salt).enforce_equal(&commitment).unwrap();
    g
}

/// A first position needs no membership, but its seed must be the constant: it feeds the
/// nullifier.
fn free_genesis_seed(bug: bool) -> Gadget {
    let mut g = Gadget::new(2);
    let seed_constant = f(1_234);
    let nullifier = g.output(mix_native(f(5), seed_constant));
    let genesis = g.declare_ranged(f(1));
    genesis.mul_equals(&genesis, &genesis).unwrap();
    let key = g.declare_free(f(5));
    let seed = g.declare_free(seed_constant);
    if !bug {
        genesis.mul_equals(&(&seed - seed_constant), &FpVar::zero()).unwrap();
    }
    mix(&key, &seed).enforce_equal(&nullifier).unwrap();
    g
}

/// `quotient·divisor = dividend`; the sound form shows that the divisor is not zero.
fn zero_by_zero(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let (n, d, q) = if bug { (f(0), f(0), f(55)) } else { (f(12), f(4), f(3)) };
    let commitment = g.output(mix_native(q, n));
    let dividend = g.declare_free(n);
    let divisor = g.declare_free(d);
    let quotient = g.wire(q);
    quotient.mul_equals(&divisor, &dividend).unwrap();
    if !bug {
        let hint = g.wire(d.inverse().unwrap());
        hint.mul_equals(&divisor, &FpVar::one()).unwrap();
    }
    mix(&quotient, &dividend).enforce_equal(&commitment).unwrap();
    g
}

fn unbound_binding(bug: bool) -> Gadget {
    let mut g = free_key_copy(false);
    let binding = g.output(f(99));
    g.public.push(variable(&binding));
    if !bug {
        let _square = binding.square().unwrap();
    }
    g
}

fn outputs_compared_by_sum(bug: bool) -> Gadget {
    let mut g = Gadget::new(2);
    let (first, second) = (mix_native(f(1), f(2)), mix_native(f(2), f(1)));
    let outputs = [g.output(first), g.output(second)];
    let [a, b] = [f(1), f(2)].map(|value| g.declare_free(value));
    let computed = [mix(&a, &b), mix(&b, &a)];
    if bug {
        let [x, y] = &computed;
        (x + y).enforce_equal(&(&outputs[0] + &outputs[1])).unwrap();
    } else {
        for (x, output) in computed.iter().zip(&outputs) {
            x.enforce_equal(output).unwrap();
        }
    }
    g
}

/// A clause for acceptance only (`accept·(tag − expected) = 0`); the bug enforces it always.
fn closed_gate(bug: bool) -> Gadget {
    let mut g = Gadget::new(1);
    let commitment = g.output(mix_native(f(8), f(9)));
    let accept = g.declare_ranged(f(0));
    accept.mul_equals(&accept, &accept).unwrap();
    let [tag, salt] = [f(8), f(9)].map(|value| g.declare_free(value));
    let gate = if bug { FpVar::one() } else { accept };
    gate.mul_equals(&(&tag - f(8)), &FpVar::zero()).unwrap();
    mix(&tag, &salt).enforce_equal(&commitment).unwrap();
    g
}

// --- mistakes with finitely many wrong solutions: the companion is a consistent lie ---

/// What the witness generator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generator {
    Honest,
    Lying,
}

/// Name, gadget (with the bug or without, by an honest or a lying generator). A native check
/// would accept the honest statement and refuse the lie.
type Lie = (&'static str, fn(bool, Generator) -> Gadget);

const LIES: &[Lie] = &[
    ("the two sides of a swap use two bits", two_selection_bits),
    ("decomposition of x + r", decomposition_alias),
    ("Boolean zero test without its second constraint", claimed_zero),
    ("two modes at once", two_modes),
    ("other square root", other_root),
    ("negative amount in a difference that is ranged on one side", negative_amount),
    ("same scalar by other bits", other_bits_of_the_scalar),
];

#[test]
fn consistent_lies_pass_the_bug_and_fail_the_sound_gadget() {
    for (name, gadget) in LIES {
        assert!(gadget(false, Generator::Honest).accepts(), "{name}: sound, honest");
        assert!(!gadget(false, Generator::Lying).accepts(), "{name}: sound, lying");
        assert!(gadget(true, Generator::Honest).accepts(), "{name}: bug, honest");
        assert!(gadget(true, Generator::Lying).accepts(), "{name}: the bug lets the lie through");
    }
}

#[test]
fn the_jacobian_alone_is_blind_to_these() {
    for (name, gadget) in LIES {
        assert_eq!(gadget(true, Generator::Honest).audit(), [], "{name}");
    }
}

/// The lie claims a root in which the leaf stands on both sides.
fn two_selection_bits(bug: bool, generator: Generator) -> Gadget {
    let lying = generator == Generator::Lying;
    let mut g = Gadget::new(1);
    let (leaf, sibling) = (f(10), f(20));
    let root = g.output(mix_native(leaf, if lying { leaf } else { sibling }));
    let leaf = g.declare_free(leaf);
    let sibling = g.declare_free(sibling);
    let left_bit = g.bit(false);
    let right_bit = if bug || lying { g.bit(lying) } else { left_bit.clone() };
    if !bug {
        right_bit.enforce_equal(&left_bit).unwrap();
    }
    let left = left_bit.select(&sibling, &leaf).unwrap();
    let right = right_bit.select(&leaf, &sibling).unwrap();
    mix(&left, &right).enforce_equal(&root).unwrap();
    g
}

/// 254 bits that recompose to `x` are also those of `x + r` unless they are compared with `r`.
/// The output depends on the lowest bit.
fn decomposition_alias(bug: bool, generator: Generator) -> Gadget {
    let mut g = Gadget::new(0);
    let x = f(6);
    let mut integer = x.into_bigint();
    if generator == Generator::Lying {
        integer.add_with_carry(&Fr::MODULUS);
    }
    let parity = g.output(f(u64::from(integer.is_odd())));
    let wire = g.declare_ranged(x);
    let bits: Vec<_> = (0..254).map(|i| g.bit(integer.get_bit(i))).collect();
    // Not `le_bits_to_fp`, which compares with the modulus by itself.
    let powers = std::iter::successors(Some(f(1)), |power| Some(power.double()));
    let sum: FpVar<Fr> = bits.iter().zip(powers).map(|(b, p)| FpVar::from(b.clone()) * p).sum();
    sum.enforce_equal(&wire).unwrap();
    if !bug {
        Boolean::enforce_in_field_le(&bits).unwrap();
    }
    FpVar::from(bits[0].clone()).enforce_equal(&parity).unwrap();
    g
}

/// As [`loose_is_zero`] with the result a Boolean: then only two values remain, both allowed.
fn claimed_zero(bug: bool, generator: Generator) -> Gadget {
    let claim = generator == Generator::Lying;
    let mut g = Gadget::new(0);
    let published = g.output(f(u64::from(claim)));
    let x = g.declare_free(f(8));
    let hint = g.wire(if claim { f(0) } else { f(8).inverse().unwrap() });
    let is_zero = g.bit(claim);
    let as_field = FpVar::from(is_zero);
    x.mul_equals(&hint, &(FpVar::one() - &as_field)).unwrap();
    if !bug {
        x.mul_equals(&as_field, &FpVar::zero()).unwrap();
    }
    as_field.enforce_equal(&published).unwrap();
    g
}

/// Accept and refund in one: the amount comes in twice.
fn two_modes(bug: bool, generator: Generator) -> Gadget {
    let lying = generator == Generator::Lying;
    let g = Gadget::new(0);
    let balance = g.output(f(if lying { 200 } else { 100 }));
    let amount = FpVar::constant(f(100));
    let [accept, refund] = [true, lying].map(|mode| FpVar::from(g.bit(mode)));
    if !bug {
        accept.mul_equals(&refund, &FpVar::zero()).unwrap();
    }
    ((&accept + &refund) * &amount).enforce_equal(&balance).unwrap();
    g
}

/// A point by its x coordinate: −P has the same one. The sound form fixes the parity of y.
fn other_root(bug: bool, generator: Generator) -> Gadget {
    let mut g = Gadget::new(1);
    let [(x, root), _] = points();
    let even = if root.into_bigint().is_odd() { -root } else { root };
    let y = if generator == Generator::Lying { -even } else { even };
    let published = g.output(mix_native(y, x));
    let x = g.declare_free(x);
    let y_wire = g.wire(y);
    y_wire.mul_equals(&y_wire, &(x.square().unwrap() * &x + f(3))).unwrap();
    if !bug {
        let bits = y_wire.to_bits_le().unwrap();
        bits[0].enforce_equal(&Boolean::FALSE).unwrap();
    }
    mix(&y_wire, &x).enforce_equal(&published).unwrap();
    g
}

/// `balance' = balance − amount` fits 64 bits, and so does −5.
fn negative_amount(bug: bool, generator: Generator) -> Gadget {
    let mut g = Gadget::new(0);
    let amount = if generator == Generator::Lying { -f(5) } else { f(5) };
    let published = g.output(f(100) - amount);
    let balance = g.declare_ranged(f(100));
    let amount = g.declare_ranged(amount);
    g.range_check(&balance, 64);
    if !bug {
        g.range_check(&amount, 64);
    }
    let after = &balance - &amount;
    g.range_check(&after, 64);
    after.enforce_equal(&published).unwrap();
    g
}

/// In a group of order 11, `key = 2^scalar mod 23` does not tell 3 from 14, but the number made
/// of the bits does. The sound form bounds the scalar by the order.
fn other_bits_of_the_scalar(bug: bool, generator: Generator) -> Gadget {
    let g = Gadget::new(0);
    let scalar = if generator == Generator::Lying { 14u64 } else { 3 };
    let key = g.output(f(8));
    let nullifier = g.output(mix_native(f(scalar), f(1)));
    let bits: Vec<_> = (0..4).map(|i| g.bit(scalar >> i & 1 == 1)).collect();
    // 2^scalar mod 23 from a table of sixteen, selected by the bits.
    let mut table: Vec<_> = (0..16u32).map(|e| FpVar::constant(f(2u64.pow(e) % 23))).collect();
    for bit in &bits {
        table = table.chunks(2).map(|pair| bit.select(&pair[1], &pair[0]).unwrap()).collect();
    }
    table[0].enforce_equal(&key).unwrap();
    let number = Boolean::le_bits_to_fp(&bits).unwrap();
    if !bug {
        // scalar ≤ 10: the difference fits four bits.
        g.range_check(&(FpVar::constant(f(10)) - &number), 4);
    }
    mix(&number, &FpVar::one()).enforce_equal(&nullifier).unwrap();
    g
}
