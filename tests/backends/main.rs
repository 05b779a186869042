//! Whole workflows on every backend: each claim is tested in memory and, with the feature `postgres`, on PostgreSQL.

#[path = "../odd/mod.rs"]
mod odd;
#[path = "../world/mod.rs"]
mod world;

mod acts;
mod correlation;
mod events;
mod hooks;
mod host;
mod phases;
mod queues;
mod retries;
#[cfg(feature = "postgres")]
mod skipping;
