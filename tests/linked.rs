//! Handlers of a crate that is only linked.
