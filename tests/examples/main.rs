//! Holds the examples to what they promise: their output, their exit codes, and what they say of bad input.
//!
//! The programs are run as a user would run them. Those of their parts that have tests of their own are compiled in, for
//! cargo runs no tests of examples unless it is asked to.

mod build_order;
#[path = "../../examples/checkout/chance.rs"]
mod chance;
mod checkout;
#[cfg(feature = "toml")]
mod configuration;
#[cfg(feature = "postgres")]
mod databases;
mod every;
#[cfg(feature = "yaml")]
mod from_yaml;
#[path = "../../examples/common/graph.rs"]
mod graph;
#[path = "../../examples/wfformat/instance.rs"]
mod instance;
#[path = "../../examples/build_order/lock.rs"]
mod lock;
#[path = "../../examples/wfformat/micros.rs"]
mod micros;
#[path = "../../examples/checkout/orders.rs"]
mod orders;
mod published;
mod records;
mod slots;
mod tools;
mod wfformat;
#[cfg(all(feature = "postgres", unix))]
mod worker;
