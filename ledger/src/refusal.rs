//! Why a transaction is refused: one variant per rule, each with a stable code, a stable number for
//! assertions, and a sentence that says which rule and what to do. Spec §11.
//!
//! Public rules have codes of their own. Whatever is wrong with a witness is `proof-invalid`: the
//! ledger cannot know more, and the wallet's native check names the clause.

use std::num::NonZeroU16;

use placet_protocol::genesis::Checkpoint;

/// Defines the enum with its codes, numbers and the checkpoints whose business each rule is.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident, $number:literal, $code:literal, $judges:expr, $text:literal;)*) => {
        /// A rule that a transaction breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
        pub enum Refusal {
            $(
                $(#[$doc])*
                #[error($text)]
                $name,
            )*
        }

        impl Refusal {
            /// Every refusal, in order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Stable code for scripts.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Stable number, the reason in a rejecting assertion.
            pub const fn number(self) -> NonZeroU16 {
                let number: u16 = match self { $(Self::$name => $number,)* };
                match NonZeroU16::new(number) {
                    Some(number) => number,
                    None => panic!("numbers begin at 1"),
                }
            }

            /// The checkpoints whose holders reject a transfer for this reason.
            pub fn checkpoints(self) -> &'static [Checkpoint] {
                match self { $(Self::$name => $judges,)* }
            }
        }
    };
}

const ALL: &[Checkpoint] = &Checkpoint::ALL;
const NONE: &[Checkpoint] = &[];
const IDENTITY: &[Checkpoint] = &[Checkpoint::Identity];
const SANCTIONS: &[Checkpoint] = &[Checkpoint::Sanctions];
const POLICY: &[Checkpoint] =
    &[Checkpoint::Jurisdiction, Checkpoint::Accreditation, Checkpoint::Capital, Checkpoint::Risk];
const OWNERSHIP: &[Checkpoint] = &[Checkpoint::Ownership];

refusals! {
    // Form.
    /// The bytes are not a canonical transaction.
    Malformed, 1, "malformed", ALL,
        "the bytes are not a canonical transaction of this version (rule 1); encode it again with a current wallet";
    /// The encoding is longer than any transaction of its kind.
    TooLarge, 2, "too-large", ALL,
        "the transaction is longer than its kind allows (rule 1); split it";
    /// The same transaction was executed before.
    AlreadyExecuted, 3, "already-executed", ALL,
        "this transaction was executed before; nothing is left to do";
    /// The block's height is above the expiry height.
    Expired, 4, "expired", ALL,
        "the transaction's expiry height has passed; build and prove it again";

    // Transfers, in the order of rule 2 to 7.
    /// No such asset.
    UnknownAsset, 10, "unknown-asset", ALL,
        "no asset has this id on this network (rule 2); check the id";
    /// The asset is paused.
    AssetPaused, 11, "asset-paused", ALL,
        "issuer or agent paused this asset (rule 2); wait until it is resumed";
    /// Neither current nor superseded within the window.
    PolicyNotInForce, 12, "policy-not-in-force", POLICY,
        "the policy that was proven is no longer in force (rule 2); sync and prove again";
    /// Redeemed without the agent's signature.
    RedemptionUnsigned, 13, "redemption-unsigned", OWNERSHIP,
        "a redemption needs the transfer agent's signature over this very transfer (rule 2); ask the agent";
    /// `now` outside `[block time - root_window, block time]`.
    NowOutsideWindow, 14, "now-outside-window", ALL,
        "the transfer's time is not within the root window before the block (rule 2); sync and prove again";
    /// A note root that is not known or too old.
    NoteRootUnknown, 15, "note-root-unknown", OWNERSHIP,
        "a note root is not one of this ledger's last day (rule 3); sync and prove again";
    /// A registry root that is not known or too old.
    RegistryRootUnknown, 16, "registry-root-unknown", IDENTITY,
        "the registry root is not current and its window has closed (rule 3); sync and prove again";
    /// A sanctions root that is not known or too old.
    SanctionsRootUnknown, 17, "sanctions-root-unknown", SANCTIONS,
        "the sanctions root is not current and its window has closed (rule 3); sync and prove again";
    /// Twice the same nullifier in one transaction.
    NullifiersEqual, 18, "nullifiers-equal", OWNERSHIP,
        "the transfer spends the same thing twice (rule 4); build it again";
    /// Spent before.
    NullifierSpent, 19, "nullifier-spent", OWNERSHIP,
        "the position or delivery was spent before (rule 4); sync and build the transfer again";
    /// Frozen by the agent.
    NullifierFrozen, 20, "nullifier-frozen", OWNERSHIP,
        "the transfer agent froze this position or delivery (rule 4); contact the agent";
    /// A commitment that exists.
    CommitmentExists, 21, "commitment-exists", OWNERSHIP,
        "a commitment of this transaction is in the note tree already or occurs twice (rule 4); build it again with a fresh secret";
    /// The number of holders would rise above the maximum.
    TooManyHolders, 22, "too-many-holders", OWNERSHIP,
        "the asset has its maximum number of holders (rule 5); wait until one leaves or ask the issuer";
    /// The number of holders would fall below zero: no honest proof does this.
    HolderCount, 23, "holder-count", OWNERSHIP,
        "the number of holders would fall below zero (rule 5); sync and build the transfer again";
    /// More redeemed than outstanding.
    SupplyExceeded, 24, "supply-exceeded", OWNERSHIP,
        "units outstanding would leave the range from zero to the authorised supply (rule 5); lower the amount";
    /// An assertion that is not what it should be.
    AssertionInvalid, 25, "assertion-invalid", NONE,
        "an assertion is forged, doubled, expired, without mandate or for another transaction (rule 6); collect assertions again";
    /// Too few approvals at a checkpoint.
    EndorsementMissing, 26, "endorsement-missing", NONE,
        "too few authorities approved at a checkpoint of the asset's endorsement rule (rule 6); read their reasons";
    /// The proof does not verify.
    ProofInvalid, 27, "proof-invalid", ALL,
        "the proof does not verify for this transaction (rule 7); prove again with a wallet that checks before it proves";
    /// The note tree is full.
    NoteTreeFull, 28, "note-tree-full", OWNERSHIP,
        "the note tree has no free slots left; the network has to begin a new tree";

    /// No such circuit.
    CircuitUnknown, 29, "circuit-unknown", ALL,
        "this network knows no circuit with this id (rule 2); prove with a key of this network, `placet circuits list` shows them";
    /// Its activation height is not reached.
    CircuitNotActive, 30, "circuit-not-active", ALL,
        "the proof's circuit is not active yet (rule 2); wait for its activation height, or prove with an active circuit";
    /// Switched off.
    CircuitDeactivated, 31, "circuit-deactivated", ALL,
        "the proof's circuit is switched off (rule 2); prove again with an active circuit, `placet circuits list` shows them";

    // Signatures.
    /// A signature of issuer, agent, attestor, publisher or authority fails.
    SignatureInvalid, 40, "signature-invalid", NONE,
        "a signature does not verify under the key that this network knows; sign with the right key for this network";
    /// A message was seen before or came after a later one.
    SequenceReplayed, 41, "sequence-replayed", NONE,
        "the message's sequence number is not above the last one; sign a new message with a higher number";
    /// A sequence number that would use up too many others.
    SequenceTooFar, 42, "sequence-too-far", NONE,
        "the message's sequence number is above the last one by more than 2^20; sign a new message with the last number plus one";

    // Registry.
    /// Too few sitting authorities approve.
    NoMajority, 50, "no-majority", NONE,
        "an attestor is admitted by more than half of the sitting authorities; collect more approvals";
    /// Name or key is taken.
    AttestorExists, 51, "attestor-exists", NONE,
        "an attestor with this name or key was admitted before; choose others";
    /// No such attestor, or dismissed.
    UnknownAttestor, 52, "unknown-attestor", NONE,
        "no attestor with this id is admitted; have it admitted first";
    /// The same commitment again.
    CredentialExists, 53, "credential-exists", NONE,
        "this credential was issued before; issue a new one with a fresh salt";
    /// No leaf there.
    UnknownCredential, 54, "unknown-credential", NONE,
        "no credential was issued at this index; check the index";
    /// Somebody else's leaf.
    NotTheIssuingAttestor, 55, "not-the-issuing-attestor", NONE,
        "only the attestor that issued a credential may revoke it; ask that one";
    /// Revoked before.
    AlreadyRevoked, 56, "already-revoked", NONE,
        "this credential is revoked already; nothing is left to do";
    /// Quota used up.
    UrgentQuotaExhausted, 57, "urgent-quota-exhausted", NONE,
        "the attestor's urgent revocations of this epoch are used up; revoke without urgency, which binds within the root window";
    /// A live tag with another key.
    SecondKey, 58, "second-key", NONE,
        "this person already has a live key; issue to that key, or wait until its tags have expired";
    /// The key was replaced.
    HolderRetired, 59, "holder-retired", NONE,
        "this key was replaced and is retired for good; issue to a new key";
    /// A tag that is over before it begins.
    TagValidity, 60, "tag-validity", NONE,
        "an identity needs a subject tag, and every tag must be valid beyond the block's time; extend valid_until";
    /// All slots used.
    RegistryFull, 61, "registry-full", NONE,
        "the registry has no free slots and never reuses one; the network needs a new registry";
    /// Not the next version.
    SanctionsVersion, 62, "sanctions-version", NONE,
        "a sanctions list must carry the version that follows the one in force; take the next number";
    /// A tag that would bind a person for too long.
    TagTooLong, 63, "tag-too-long", NONE,
        "a subject tag is valid for at most 2^29 seconds, about 17 years, beyond the block's time; set an earlier valid_until";

    // Assets.
    /// Registered before.
    AssetExists, 70, "asset-exists", NONE,
        "this very registration was executed before; change its document or name to register another asset";
    /// `max_holders` without a count.
    PolicyUnenforceable, 71, "policy-unenforceable", NONE,
        "max_holders needs an asset that counts its holders; leave it out or register the asset with count_holders";
    /// A policy trusts an attestor that is not admitted.
    PolicyAttestorUnknown, 72, "policy-attestor-unknown", NONE,
        "the policy trusts an attestor that is not admitted; have it admitted first or leave it out";
    /// Not the next version.
    PolicyVersion, 73, "policy-version", NONE,
        "a policy must carry the version that follows the one in force; take the next number";
    /// Not frozen.
    NotFrozen, 74, "not-frozen", NONE,
        "no nullifier in the list is frozen for this asset; check the list";
    /// Frozen already.
    AlreadyFrozen, 75, "already-frozen", NONE,
        "every nullifier in the list is frozen already or spent; nothing is left to freeze";
    /// No change.
    PauseUnchanged, 76, "pause-unchanged", NONE,
        "the asset is in this state already; nothing is left to do";

    // Authorities.
    /// Not the number after the last change's.
    AuthorityChangeNumber, 80, "authority-change-number", NONE,
        "a change of the authorities must carry the number after the last one's; take the next number and collect approvals for it";
    /// Too few sitting authorities approve.
    NoQuorum, 81, "no-quorum", NONE,
        "authorities and circuits are changed by more than two thirds of the sitting authorities and nobody else; collect more approvals of sitting ones";
    /// Another sitting authority has the name.
    AuthorityNameTaken, 82, "authority-name-taken", NONE,
        "another sitting authority has this name; choose another";
    /// 64 sit.
    TooManyAuthorities, 83, "too-many-authorities", NONE,
        "at most 64 authorities sit; dismiss one first";
    /// The only one.
    LastAuthority, 84, "last-authority", NONE,
        "the only sitting authority cannot be dismissed; appoint another first";
    /// The key is no sitting authority's.
    UnknownAuthority, 85, "unknown-authority", NONE,
        "no sitting authority has this key; check the key";
    /// Transfer and assertion do not belong together.
    EvidenceMismatch, 86, "evidence-mismatch", NONE,
        "the assertion is not about this transfer with these proof bytes on this network; send the transfer that it names";
    /// Nobody can judge the verdict again.
    EvidenceUndecidable, 87, "evidence-undecidable", NONE,
        "whether this verdict was wrong cannot be found out from signed data and kept state; only proof, time, expiry, nullifiers and doubled commitments can be judged again, send evidence about those";
    /// The verdict was right.
    AssertionWasRight, 88, "assertion-was-right", NONE,
        "nothing that can be judged again shows this assertion to be wrong; keep it, there is nothing to convict";
    /// Nothing is left to take.
    AuthorityUnmandated, 89, "authority-unmandated", NONE,
        "this authority has no mandates left to lose; nothing is left to do";

    // Circuits.
    /// Not the number after the last change's.
    CircuitChangeNumber, 90, "circuit-change-number", NONE,
        "a change of the circuits must carry the number after the last one's; take the next number and collect approvals for it";
    /// Known already.
    CircuitKnown, 91, "circuit-known", NONE,
        "this circuit is known already, and what is switched off stays off; make new keys in a ceremony to add another";
    /// Not in the future, or later than decided before.
    CircuitHeight, 92, "circuit-height", NONE,
        "a circuit's height must lie above the block's, and a deactivation is brought forward, never put off; take another height";
    /// A statement that this version does not know.
    CircuitStatement, 93, "circuit-statement", NONE,
        "no such statement is known to this version of the ledger; add circuits of known statements, as `transfer`";
    /// Points that are no verifying key.
    CircuitKey, 94, "circuit-key", NONE,
        "the circuit's points are no verifying key of its statement; take them from the key file that the ceremony made";
    /// Missing, not wanted, or not of this key.
    CircuitTranscript, 95, "circuit-transcript", NONE,
        "a circuit needs the transcript of the ceremony that made its key, and on a development network none; take the file beside the key";
    /// As many as a ledger keeps.
    TooManyCircuits, 96, "too-many-circuits", NONE,
        "the network knows 64 circuits, and never forgets one; a further one needs another network";
}

impl Refusal {
    /// The refusal with this number.
    pub fn from_number(number: NonZeroU16) -> Option<Self> {
        Self::ALL.iter().copied().find(|refusal| refusal.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_and_numbers_are_distinct_and_well_formed() {
        let codes: BTreeSet<_> = Refusal::ALL.iter().map(|r| r.code()).collect();
        let numbers: BTreeSet<_> = Refusal::ALL.iter().map(|r| r.number()).collect();
        assert_eq!((codes.len(), numbers.len()), (Refusal::ALL.len(), Refusal::ALL.len()));
        for refusal in Refusal::ALL {
            assert!(refusal.code().bytes().all(|b| b == b'-' || b.is_ascii_lowercase()));
            assert_eq!(Refusal::from_number(refusal.number()), Some(*refusal));
            assert!(refusal.to_string().contains(';'), "says what to do: {refusal}");
        }
    }
}
