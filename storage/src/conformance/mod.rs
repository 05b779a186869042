//! The suite that defines what a storage is.
