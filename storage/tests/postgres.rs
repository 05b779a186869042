//! The PostgreSQL backend: that it keeps the contract (the conformance suite, at the end), and what only it can show.

#[path = "postgres/adoption.rs"]
mod adoption;
#[path = "postgres/catalogue.rs"]
mod catalogue;
#[cfg(all(feature = "conformance", feature = "memory"))]
#[path = "postgres/contract.rs"]
mod contract;
#[path = "postgres/fixture.rs"]
mod fixture;
#[path = "postgres/interleavings.rs"]
mod interleavings;
#[cfg(all(feature = "conformance", feature = "memory"))]
#[path = "postgres/queue.rs"]
mod queue;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/schema.rs"]
mod schema;
#[path = "postgres/statements.rs"]
mod statements;
