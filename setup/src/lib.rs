//! Key generation for development networks
