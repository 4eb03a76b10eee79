//! What a violated clause means for the holder, and what to do about it. The clause itself says
//! what is wrong; this adds the remedy.

use placet_protocol::transfer::Violation;

/// The name of the clause, as in spec §7 and in the output for scripts.
pub fn clause(violation: Violation) -> &'static str {
    use Violation as V;
    match violation {
        V::PolicyOpening => "policy-opening",
        V::HolderKey => "holder-key",
        V::IdentityMember => "identity-member",
        V::IdentityAttestorTrusted => "identity-attestor-trusted",
        V::IdentityNotExpired => "identity-not-expired",
        V::RiskAcceptable => "risk-acceptable",
        V::NotSanctioned => "not-sanctioned",
        V::PositionMember => "position-member",
        V::DeliveryMember => "delivery-member",
        V::DeliveryAuthorised => "delivery-authorised",
        V::ReceiptOpening => "receipt-opening",
        V::ValueConserved => "value-conserved",
        V::LockRespected => "lock-respected",
        V::JurisdictionAllowed => "jurisdiction-allowed",
        V::InvestorEligible => "investor-eligible",
        V::InvestorMember => "investor-member",
        V::InvestorAttestorTrusted => "investor-attestor-trusted",
        V::InvestorNotExpired => "investor-not-expired",
        V::CapitalSufficient => "capital-sufficient",
        V::HoldingWithinLimit => "holding-within-limit",
        V::HoldersDelta => "holders-delta",
        V::PositionOpening => "position-opening",
        V::DeliveryOpening => "delivery-opening",
        V::DeadlineBounded => "deadline-bounded",
        V::Disclosure => "disclosure",
    }
}

/// What the holder can do about a violated clause.
pub fn remedy(violation: Violation) -> &'static str {
    use Violation as V;
    match violation {
        V::PolicyOpening => "the issuer changed the policy: sync the wallet and try again",
        V::HolderKey => "make a new wallet: this key cannot be used",
        V::IdentityMember => {
            "obtain an identity credential from an attestor, or a new one if yours was revoked, \
             then sync the wallet"
        }
        V::IdentityAttestorTrusted => {
            "obtain an identity credential from one of the attestors named in the asset's policy"
        }
        V::IdentityNotExpired => "have your attestor renew the identity credential, then sync",
        V::RiskAcceptable => {
            "ask your attestor to review your risk class, or ask the issuer about its limit"
        }
        V::NotSanctioned => {
            "if this is not you, ask your attestor to re-issue your credential with a document \
             that is not on the list; nothing can be moved while it is"
        }
        V::PositionMember => "sync the wallet; if it persists, restore it from the seed phrase",
        V::DeliveryMember => {
            "sync the wallet: the delivery is unknown to the ledger, or was already taken in or \
             taken back"
        }
        V::DeliveryAuthorised => {
            "only the receiver may accept; only the sender may take back, and only after the \
             deadline"
        }
        V::ValueConserved => "send less: units in flight cannot be sent again",
        V::LockRespected => "send less, or wait until the lock ends",
        V::JurisdictionAllowed => {
            "residents of your jurisdiction may not acquire this asset; the sender gets it back \
             after the deadline"
        }
        V::InvestorEligible => {
            "obtain an investor credential for one of the categories that the policy asks for"
        }
        V::InvestorMember => {
            "obtain an investor credential from an attestor, or a new one if yours was revoked, \
             then sync the wallet"
        }
        V::InvestorAttestorTrusted => {
            "obtain an investor credential from one of the attestors named in the asset's policy"
        }
        V::InvestorNotExpired => "have your attestor renew the investor credential, then sync",
        V::CapitalSufficient => "accept less in total, or have your attestor certify more capital",
        V::HoldingWithinLimit => {
            "accept less in total: what you sent and is not yet accepted counts as yours; wait \
             until it is accepted and settled"
        }
        V::DeadlineBounded => "choose a deadline between now and 48 days from now",
        V::ReceiptOpening
        | V::HoldersDelta
        | V::PositionOpening
        | V::DeliveryOpening
        | V::Disclosure => "this is a fault of the program, not yours: please report it",
    }
}

/// One paragraph: what failed, then what to do.
pub fn explain(violation: Violation) -> String {
    format!("{violation}; {}", remedy(violation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_says_what_failed_and_what_to_do() {
        assert_eq!(
            explain(Violation::IdentityNotExpired),
            "the identity credential has expired; have your attestor renew the identity \
             credential, then sync"
        );
    }
}
