//! Check, assign, prove, self-verify.

use std::marker::PhantomData;
use std::sync::Arc;

use ark_bn254::Fr;
use ark_relations::gr1cs::{Matrix, SynthesisError};
use placet_circuits::Assignment;
use placet_circuits::circuit::{Circuit, Record, Shape, matrices, synthesize};
use placet_kernel::Kernel;
use placet_params::{CircuitDigest, ProvingKey, VerifyingKey};
use placet_verifier::{PreparedVerifyingKey, Proof, ProofError, VerifyError};
use zeroize::Zeroizing;

use crate::backend::{Backend, Constraints, Reference};
use crate::seed::ProofSeed;

/// The steps of a proof, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The native check of every clause.
    Check,
    /// Computing the assignment of all wires.
    Synthesize,
    /// The Groth16 computation.
    Prove,
    /// Verifying the own proof.
    SelfVerify,
}

/// Why a key cannot serve this circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// The key is for another version of the circuit.
    #[error(
        "the proving key is for circuit {key}, this software has {circuit}; load the key of this circuit, or update Placet"
    )]
    Circuit {
        /// What the key says.
        key: CircuitDigest,
        /// What this software has.
        circuit: CircuitDigest,
    },
    /// The digest fits but the lengths do not: the key's header lies.
    #[error("the proving key's size does not fit its circuit; get the key again from its source")]
    Size,
    /// The tables are of another key or circuit.
    #[error("the prover's tables are of another key; build them again for this one")]
    Tables,
    /// The circuit could not be synthesized with its filler values.
    #[error("the circuit cannot be built: {0}; this is a fault of this software, report it")]
    Synthesis(#[source] SynthesisError),
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError<V: std::error::Error + 'static> {
    /// The statement is false; the source names the clause.
    #[error("the statement does not hold: {0}")]
    Violated(#[source] V),
    /// The circuit could not compute its wires.
    #[error(
        "the circuit cannot compute its wires: {0}; this is a fault of this software, report it"
    )]
    Synthesis(#[source] SynthesisError),
    /// The circuit's wires are not those of the blank circuit or of the public inputs.
    #[error(
        "the circuit and the statement disagree about the wires; this is a fault of this software, report it"
    )]
    Wires,
    /// The kernel returned a point that no proof may have.
    #[error("the prover made an unusable point: {0}; try again, and report it if it happens twice")]
    Points(#[source] ProofError),
    /// What was prepared is not of this prover.
    #[error("this was prepared by another prover; prepare it again with this one")]
    Prepared,
    /// The finished proof does not verify: circuit and native check disagree, or the key is bad.
    #[error("the finished proof does not verify: {0}; check the proving key, and report it")]
    SelfVerify(#[source] VerifyError),
}

/// Why there is no proof from given values of all wires.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentError {
    /// Too few or too many values.
    #[error("there are {found} values for {expected} wires; use an assignment of this circuit")]
    Length {
        /// Wires of the circuit.
        expected: usize,
        /// Values that were given.
        found: usize,
    },
    /// The first value is not one.
    #[error("the assignment does not begin with the constant one; make it again")]
    One,
    /// The values contradict the circuit.
    #[error("the values violate constraint {row} of the circuit; make the assignment again")]
    Violated {
        /// The first such constraint.
        row: usize,
    },
    /// The kernel failed.
    #[error("the proof cannot be computed: {0}; this is a fault of this software, report it")]
    Synthesis(#[source] SynthesisError),
    /// The kernel returned a point that no proof may have.
    #[error("the prover made an unusable point: {0}; try again, and report it if it happens twice")]
    Points(#[source] ProofError),
    /// The finished proof does not verify: the key is bad.
    #[error("the finished proof does not verify: {0}; check the proving key, and report it")]
    SelfVerify(#[source] VerifyError),
}

/// Makes proofs of `C`. Holds the key and the matrices; reusable and shareable between threads.
pub struct Prover<C> {
    key: ProvingKey<C>,
    verifier: PreparedVerifyingKey<C>,
    constraints: Arc<Constraints>,
    backend: Box<dyn Backend>,
    /// Nobody else has this one.
    identity: Arc<()>,
}

/// What [`Prover::prepare`] computed from a guess. As secret as a witness; its memory is wiped when
/// it is dropped.
pub struct Prepared<C> {
    ahead: Option<placet_kernel::Prepared>,
    prover: Arc<()>,
    circuit: PhantomData<fn() -> C>,
}

impl<C: Circuit> std::fmt::Debug for Prepared<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({})", C::NAME)
    }
}

impl<C: Circuit> std::fmt::Debug for Prover<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prover({})", C::NAME)
    }
}

impl<C: Circuit> Prover<C> {
    /// Prepares the key for the reference backend. Synthesizes the circuit once, to keep its
    /// matrices and to make sure that the key is for this circuit.
    pub fn new(key: ProvingKey<C>) -> Result<Self, KeyMismatch> {
        Self::with_backend(key, Box::new(Reference))
    }

    /// As [`Self::new`], with another backend.
    pub fn with_backend(
        key: ProvingKey<C>,
        backend: Box<dyn Backend>,
    ) -> Result<Self, KeyMismatch> {
        let (public, witness) = C::blank();
        let cs = synthesize::<C>(&public, &witness, Record::Constraints)
            .map_err(KeyMismatch::Synthesis)?;
        let shape = Shape::of(&cs).map_err(KeyMismatch::Synthesis)?;
        let circuit = CircuitDigest(shape.digest);
        if key.circuit() != circuit {
            return Err(KeyMismatch::Circuit { key: key.circuit(), circuit });
        }
        let constraints = Constraints {
            rows: matrices(&cs).map_err(KeyMismatch::Synthesis)?,
            instance: shape.public_inputs + 1,
            witnesses: shape.witnesses,
        };
        let points = key.points();
        if points.a_query.len() != constraints.instance + constraints.witnesses
            || points.h_query.len() + 1 != shape.rows.next_power_of_two()
        {
            return Err(KeyMismatch::Size);
        }
        let verifier = PreparedVerifyingKey::from(key.verifying_key());
        let (constraints, identity) = (Arc::new(constraints), Arc::new(()));
        Ok(Self { key, verifier, constraints, backend, identity })
    }

    /// Proves with a kernel from now on, which was made from [`Self::key`] and
    /// [`Self::constraints`].
    ///
    /// # Errors
    /// If it was made from others.
    pub fn with_kernel(self, kernel: Kernel) -> Result<Self, KeyMismatch> {
        if kernel.source() != placet_kernel::source(self.key.points(), &self.constraints) {
            return Err(KeyMismatch::Tables);
        }
        Ok(Self { backend: Box::new(kernel), identity: Arc::new(()), ..self })
    }

    /// The key whose proofs it makes.
    pub fn key(&self) -> &ProvingKey<C> {
        &self.key
    }

    /// The verifying key of the proofs it makes.
    pub fn verifier(&self) -> &PreparedVerifyingKey<C> {
        &self.verifier
    }

    /// Checks, proves, verifies. A false statement is refused with the clause it violates.
    pub fn prove(
        &self,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        self.prove_observed(public, witness, seed, &mut |_| {})
    }

    /// As [`Self::prove`]; says when each phase begins, for progress bars and benches.
    pub fn prove_observed(
        &self,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        observer(Phase::Check);
        C::check(public, witness).map_err(ProveError::Violated)?;
        let proof = self.prove_anything(None, public, witness, seed, observer)?;
        observer(Phase::SelfVerify);
        self.verifier.verify_decoded(public, &proof).map_err(ProveError::SelfVerify)?;
        Ok(proof)
    }

    /// Does what can be done before the last values of a statement are known, from a guess of it.
    /// The guess need not be true: the more of its wires turn out to be right, the quicker is
    /// [`Self::prove_prepared`]. The reference backend prepares nothing.
    pub fn prepare(
        &self,
        public: &C::Public,
        witness: &C::Witness,
    ) -> Result<Prepared<C>, ProveError<C::Violation>> {
        let guess = self.assignment(public, witness)?;
        let (ahead, prover) = (self.backend.prepare(&guess), self.identity.clone());
        Ok(Prepared { ahead, prover, circuit: PhantomData })
    }

    /// As [`Self::prove`], with what was prepared: checks, proves, verifies. The proof is the same
    /// as one without.
    pub fn prove_prepared(
        &self,
        prepared: &Prepared<C>,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        self.prove_prepared_observed(prepared, public, witness, seed, &mut |_| {})
    }

    /// As [`Self::prove_prepared`]; says when each phase begins.
    pub fn prove_prepared_observed(
        &self,
        prepared: &Prepared<C>,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        if !Arc::ptr_eq(&prepared.prover, &self.identity) {
            return Err(ProveError::Prepared);
        }
        observer(Phase::Check);
        C::check(public, witness).map_err(ProveError::Violated)?;
        let proof =
            self.prove_anything(prepared.ahead.as_ref(), public, witness, seed, observer)?;
        observer(Phase::SelfVerify);
        self.verifier.verify_decoded(public, &proof).map_err(ProveError::SelfVerify)?;
        Ok(proof)
    }

    /// The values of all wires of a true statement: one, the public inputs, the witness. For files
    /// from which other software proves; they are as secret as the witness. A false statement is
    /// refused with the clause it violates.
    pub fn assign(
        &self,
        public: &C::Public,
        witness: &C::Witness,
    ) -> Result<Zeroizing<Vec<Fr>>, ProveError<C::Violation>> {
        C::check(public, witness).map_err(ProveError::Violated)?;
        Ok(Zeroizing::new(std::mem::take(&mut self.assignment(public, witness)?.wires)))
    }

    /// Proves from the values of all wires, which other software may have computed: checks every
    /// constraint, proves, verifies.
    pub fn prove_assignment(
        &self,
        assignment: &[Fr],
        seed: ProofSeed,
    ) -> Result<Proof<C>, AssignmentError> {
        let Constraints { rows: matrices, instance, witnesses } = &*self.constraints;
        let expected = instance + witnesses;
        if assignment.len() != expected {
            return Err(AssignmentError::Length { expected, found: assignment.len() });
        }
        if assignment[0] != Fr::from(1u8) {
            return Err(AssignmentError::One);
        }
        let complete =
            rows(matrices, assignment).map_err(|row| AssignmentError::Violated { row })?;
        let points = self
            .backend
            .prove(self.key.points(), &self.constraints, &complete, seed.blinding())
            .map_err(AssignmentError::Synthesis)?;
        let proof = Proof::from_points(&points).map_err(AssignmentError::Points)?;
        self.verifier
            .verify_elements(&assignment[1..*instance], &proof)
            .map_err(AssignmentError::SelfVerify)?;
        Ok(proof)
    }

    /// The verifying key as files hold it.
    pub fn verifying_key(&self) -> &VerifyingKey<C> {
        self.key.verifying_key()
    }

    /// The matrices for which it proves.
    pub fn constraints(&self) -> &Arc<Constraints> {
        &self.constraints
    }

    /// **Not for production.** Proves without the native check and without self-verification:
    /// from a false witness comes a proof that no verifier accepts. Shows in tests and in the
    /// demonstration that ledgers refuse forgeries.
    #[cfg(feature = "forge")]
    pub fn forge(
        &self,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        self.prove_anything(None, public, witness, seed, &mut |_| {})
    }

    /// The values of all wires and rows.
    fn assignment(
        &self,
        public: &C::Public,
        witness: &C::Witness,
    ) -> Result<Assignment, ProveError<C::Violation>> {
        let assignment = C::assign(public, witness).map_err(ProveError::Synthesis)?;
        let Constraints { rows: matrices, instance, witnesses } = &*self.constraints;
        let rows = matrices[0].len();
        // The order of the public inputs exists once, in the statement.
        if assignment.wires.len() != instance + witnesses
            || assignment.wires[1..*instance] != C::inputs(public)
            || (assignment.left.len(), assignment.right.len()) != (rows, rows)
        {
            return Err(ProveError::Wires);
        }
        Ok(assignment)
    }

    fn prove_anything(
        &self,
        ahead: Option<&placet_kernel::Prepared>,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        observer(Phase::Synthesize);
        let assignment = self.assignment(public, witness)?;
        observer(Phase::Prove);
        let (key, blinding) = (self.key.points(), seed.blinding());
        let points = match ahead {
            None => self.backend.prove(key, &self.constraints, &assignment, blinding),
            Some(ahead) => {
                self.backend.prove_prepared(ahead, key, &self.constraints, &assignment, blinding)
            }
        };
        let points = points.map_err(ProveError::Synthesis)?;
        Proof::from_points(&points).map_err(ProveError::Points)
    }
}

/// Computes the rows from the wires, or finds the first one that is violated. Not generic, so that
/// it is compiled here with this crate's optimisation.
fn rows(matrices: &[Matrix<Fr>; 3], wires: &[Fr]) -> Result<Assignment, usize> {
    let value = |matrix: usize, row: usize| -> Fr {
        matrices[matrix][row].iter().map(|(factor, wire)| wires[*wire] * factor).sum()
    };
    let count = matrices[0].len();
    let mut assignment = Assignment {
        wires: wires.to_vec(),
        left: Vec::with_capacity(count),
        right: Vec::with_capacity(count),
    };
    for row in 0..count {
        let (left, right) = (value(0, row), value(1, row));
        if left * right != value(2, row) {
            return Err(row);
        }
        assignment.left.push(left);
        assignment.right.push(right);
    }
    Ok(assignment)
}
