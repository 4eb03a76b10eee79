//! Finds wires that the constraints leave free, at a given satisfying witness.
//!
//! A satisfying assignment `z` of a rank-1 system is a point on the variety `(Az)∘(Bz) = Cz`. The
//! Jacobian `J = diag(Bz)·A + diag(Az)·B − C` there says in which directions the assignment may
//! move while every constraint stays satisfied to first order: the kernel of `J` over the columns
//! not held fixed. A wire that a sound circuit determines does not move. [`audit`] states the
//! exact checks; `tests/seeded_bugs.rs` shows for each kind of mistake which check finds it.
//!
//! The method is blind to ambiguities with finitely many solutions (a sign, an alias `x + r`, a
//! Boolean nobody ties down): those need tests that lie consistently, with [`Matrices`] as judge.
//!
//! This module is no part of any statement. It is compiled with the feature `analysis` only.

mod audit;
mod elimination;
mod matrices;

pub use audit::{Declaration, Finding, LocalMap, audit};
pub use matrices::{Matrices, MatricesError};
