//! What the examples share: where they keep their tasks, how they end, what they print, a bar that shows them at work,
//! and a graph to compare with.
#![allow(dead_code, unused_imports, reason = "each of them uses what it needs")]

pub(crate) mod audit;
mod database;
mod failure;
mod graph;
mod output;
mod progress;

pub(crate) use database::{Backend, Database, Kept};
pub(crate) use failure::{Failure, completed, ended};
pub(crate) use graph::Graph;
pub(crate) use output::{Column, lines, print, table, verdict};
pub(crate) use progress::Progress;
