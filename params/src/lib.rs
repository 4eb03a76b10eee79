//! Which keys exist, where they came from, how they are loaded and refused
