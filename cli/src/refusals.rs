//! The errors of the wallet library as failures of a command: which exit code and which stable code
//! each has.

use placet_protocol::transfer::Violation;
use placet_prover::ProveError;
use placet_registry::store::StoreError;
use placet_wallet::agent::AgentError;
use placet_wallet::attestor::AttestorError;
use placet_wallet::client::{OpenError, RoleError, SyncError};
use placet_wallet::explain::{clause, remedy};
use placet_wallet::holder::{ImportError, PlanError, SendError};
use placet_wallet::issuer::IssuerError;
use placet_wallet::network::Rejection;

use crate::chain::Chain;
use crate::fail::{Exit, Failure};

/// The clause that the native check names.
pub fn violated(violation: Violation) -> Failure {
    Failure::new(Exit::Clause, clause(violation), violation, remedy(violation))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<RoleError> for Failure {
    fn from(error: RoleError) -> Self {
        match &error {
            RoleError::Vault(_) => Self::from_error(Exit::Input, "vault", &error),
            _ => Self::internal(&error),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse => Self::from_error(Exit::Busy, "busy", &error),
            OpenError::WrongNetwork => Self::from_error(Exit::Input, "wrong-network", &error),
            OpenError::Role(error) => error.into(),
            OpenError::Store(error) => error.into(),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Violated(violation) => violated(violation),
            PlanError::Store(error) => error.into(),
            // What the wallet refuses on behalf of a public rule is refused before proving, too.
            PlanError::Paused | PlanError::Frozen | PlanError::TooManyHolders => {
                Self::from_error(Exit::Clause, error.code(), &error)
            }
            other => Self::from_error(Exit::Input, other.code(), &other),
        }
    }
}

impl From<ProveError<Violation>> for Failure {
    fn from(error: ProveError<Violation>) -> Self {
        match error {
            ProveError::Violated(violation) => violated(violation),
            other => Self::internal(&other),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Role(error) => error.into(),
            other => Self::from_error(Exit::Input, "credential", &other),
        }
    }
}

impl From<AttestorError> for Failure {
    fn from(error: AttestorError) -> Self {
        match error {
            AttestorError::Role(error) => error.into(),
            AttestorError::NotOurs => Self::from_error(Exit::Input, "not-found", &error),
            AttestorError::Control(_) => Self::from_error(Exit::Input, "control-refused", &error),
            AttestorError::AlreadyRevoked => {
                Self::input("already-revoked", error, "nothing is left to do")
            }
            other => Self::from_error(Exit::Input, "findings", &other),
        }
    }
}

impl From<IssuerError> for Failure {
    fn from(error: IssuerError) -> Self {
        match error {
            IssuerError::Store(error) => error.into(),
            IssuerError::NotOurs => Self::from_error(Exit::Input, "not-found", &error),
            IssuerError::UnsoundPolicy => Self::from_error(Exit::Input, "policy", &error),
            IssuerError::SupplyExceeded => {
                Self::input("supply-exceeded", error, "`placet asset show` shows what is left")
            }
            other => Self::from_error(Exit::Input, "issuer", &other),
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Store(error) => error.into(),
            AgentError::NotOurs | AgentError::UnknownHolder | AgentError::UnknownDelivery => {
                Self::from_error(Exit::Input, "not-found", &error)
            }
            AgentError::NotFrozen => Self::input("not-frozen", error, "nothing is left to do"),
            other => Self::from_error(Exit::Input, "agent", &other),
        }
    }
}

/// The authorities' word.
pub fn rejected(rejection: &Rejection) -> Failure {
    let (message, help) =
        rejection.message.split_once("; ").unwrap_or((&rejection.message, "see the rule's code"));
    let message = format!("the ledger refused: {message}");
    let failure = Failure::new(Exit::Ledger, &rejection.code, message, help);
    rejection.opinions.iter().fold(failure, |failure, opinion| failure.with(&opinion.to_string()))
}

/// Following the network stopped.
pub fn sync_failure(chain: &Chain, error: SyncError) -> Failure {
    match error {
        SyncError::Network(error) => chain.network_failure(&error),
        SyncError::WrongNetwork => Failure::from_error(Exit::Input, "wrong-network", &error),
        SyncError::Role(error) => error.into(),
        SyncError::View(ref lie) if lie.is_lie() => {
            Failure::from_error(Exit::Evidence, "not-final", &error)
        }
        SyncError::View(_) => Failure::internal(&error),
    }
}

/// A transfer was not executed.
pub fn send_failure(chain: &Chain, error: SendError) -> Failure {
    match error {
        SendError::Rejected(rejection) => rejected(&rejection),
        SendError::Unknown(error) => chain.network_failure(&error).kept(),
        SendError::Role(error) => error.into(),
    }
}
