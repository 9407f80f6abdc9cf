//! A subject that holds what it was given.
