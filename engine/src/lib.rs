//! Consensus and network of the authorities.
