//! A typed workflow engine.
