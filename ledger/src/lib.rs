//! The replicated state machine
