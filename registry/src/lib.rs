//! Persistent Merkle trees, root windows, credentials and the sanctions list
