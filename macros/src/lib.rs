//! The macros of tasker: see the facade crate `tasker`.
