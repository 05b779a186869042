//! The PostgreSQL backend: that it keeps the contract (the conformance suite, at the end), and what only it can show.

#[path = "postgres/adoption.rs"]
mod adoption;
#[cfg(all(feature = "conformance", feature = "memory"))]
#[path = "postgres/agreement.rs"]
mod agreement;
#[path = "postgres/analytics.rs"]
mod analytics;
#[path = "postgres/barrier.rs"]
mod barrier;
#[path = "postgres/catalogue.rs"]
mod catalogue;
#[path = "postgres/clock.rs"]
mod clock;
#[path = "postgres/contexts.rs"]
mod contexts;
#[cfg(all(feature = "conformance", feature = "memory"))]
#[path = "postgres/contract.rs"]
mod contract;
#[path = "postgres/cost.rs"]
mod cost;
#[path = "postgres/failures.rs"]
mod failures;
#[path = "postgres/fixture.rs"]
mod fixture;
#[path = "postgres/graphs.rs"]
mod graphs;
#[path = "postgres/interleavings.rs"]
mod interleavings;
#[cfg(all(feature = "conformance", feature = "memory"))]
#[path = "postgres/pooler.rs"]
mod pooler;
#[path = "postgres/prepared.rs"]
mod prepared;
#[cfg(all(feature = "conformance", feature = "memory"))]
#[path = "postgres/queue.rs"]
mod queue;
#[path = "postgres/raw.rs"]
mod raw;
#[path = "postgres/readiness.rs"]
mod readiness;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/schema.rs"]
mod schema;
#[path = "postgres/scopes.rs"]
mod scopes;
#[path = "postgres/sessions.rs"]
mod sessions;
#[path = "postgres/statements.rs"]
mod statements;
#[path = "postgres/taking_over.rs"]
mod taking_over;
#[path = "postgres/wire.rs"]
mod wire;
