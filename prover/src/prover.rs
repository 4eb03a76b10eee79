//! Check, synthesize, prove, self-verify.

use ark_bn254::Fr;
use ark_relations::gr1cs::SynthesisError;
use placet_circuits::circuit::{Circuit, Record, Shape, matrices, synthesize};
use placet_params::{CircuitDigest, ProvingKey};
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
    /// The finished proof does not verify: circuit and native check disagree, or the key is bad.
    #[error("the finished proof does not verify: {0}; check the proving key, and report it")]
    SelfVerify(#[source] VerifyError),
}

/// Makes proofs of `C`. Holds the key and the matrices; reusable and shareable between threads.
pub struct Prover<C> {
    key: ProvingKey<C>,
    verifier: PreparedVerifyingKey<C>,
    constraints: Constraints,
    backend: Box<dyn Backend>,
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
            matrices: matrices(&cs).map_err(KeyMismatch::Synthesis)?,
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
        Ok(Self { key, verifier, constraints, backend })
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
        let proof = self.prove_anything(public, witness, seed, observer)?;
        observer(Phase::SelfVerify);
        self.verifier.verify_decoded(public, &proof).map_err(ProveError::SelfVerify)?;
        Ok(proof)
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
        self.prove_anything(public, witness, seed, &mut |_| {})
    }

    /// The values of all wires: one, the public inputs, the witness.
    fn assignment(
        &self,
        public: &C::Public,
        witness: &C::Witness,
    ) -> Result<Zeroizing<Vec<Fr>>, ProveError<C::Violation>> {
        let cs = synthesize::<C>(public, witness, Record::AssignmentOnly)
            .map_err(ProveError::Synthesis)?;
        let mut cs = cs.borrow_mut().ok_or(ProveError::Wires)?;
        let instance = std::mem::take(&mut cs.assignments.instance_assignment);
        let private = Zeroizing::new(std::mem::take(&mut cs.assignments.witness_assignment));
        // The order of the public inputs exists once, in the statement.
        if instance[1..] != C::inputs(public)
            || instance.len() != self.constraints.instance
            || private.len() != self.constraints.witnesses
        {
            return Err(ProveError::Wires);
        }
        let mut all = Zeroizing::new(Vec::with_capacity(instance.len() + private.len()));
        all.extend_from_slice(&instance);
        all.extend_from_slice(&private);
        Ok(all)
    }

    fn prove_anything(
        &self,
        public: &C::Public,
        witness: &C::Witness,
        seed: ProofSeed,
        observer: &mut dyn FnMut(Phase),
    ) -> Result<Proof<C>, ProveError<C::Violation>> {
        observer(Phase::Synthesize);
        let assignment = self.assignment(public, witness)?;
        observer(Phase::Prove);
        let points = self
            .backend
            .prove(self.key.points(), &self.constraints, &assignment, seed.blinding())
            .map_err(ProveError::Synthesis)?;
        Proof::from_points(&points).map_err(ProveError::Points)
    }
}
