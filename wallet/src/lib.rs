//! Everything that holds a secret and talks to a network
