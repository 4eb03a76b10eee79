//! The statements of Placet as rank-1 constraint systems
