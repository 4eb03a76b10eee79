//! The seam between an authority and the engine that orders its blocks. Spec §9, §11.
//!
//! An authority is an [`Application`]: it proposes blocks, judges those of others, and commits what
//! became final. An engine drives it and hands it an [`Environment`] to reach the other authorities
//! and the time. No type of any engine crosses this border, so that an engine can be replaced, and
//! an authority is tested without one.
//!
//! Everything here is object safe: the engine is compiled once, in its own crate, whatever the
//! authority is made of.

mod application;
mod environment;
mod status;

pub use application::{Answer, Application, Applied, Evidence, Fatal, Fault};
pub use environment::{Clock, Environment, Gossip, MAX_GOSSIP_BYTES};
pub use status::{Leader, Signing, Status};
