//! Handlers of every kind, most of them in modules that nobody else can name.

mod billing;
mod mail;
mod stock;

/// What the workflow works on.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Order {
    /// In cents.
    pub total: u64,
}
