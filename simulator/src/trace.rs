//! What happened, in order, one line each: always as a hash, and as text where somebody wants to read it.

use std::fmt::{self, Write as _};

use tasker_engine::Timestamp;

/// The moment at which simulations begin: 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// Events so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    line: String,
    /// `None` when nobody will read it.
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(is_kept: bool) -> Self {
        // The offset basis of FNV-1a: a hash that is the same everywhere, for ever.
        Self { hash: 0xcbf2_9ce4_8422_2325, line: String::new(), lines: is_kept.then(Vec::new) }
    }

    /// What stands before everything else, for whoever reads it.
    pub(crate) fn begin(&mut self, what: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(what.to_string());
        }
    }

    pub(crate) fn note(&mut self, at: Timestamp, what: fmt::Arguments<'_>) {
        let micros = at.since(BEGIN).as_micros();
        self.line.clear();
        write!(self.line, "{:>6}.{:06}  {what}", micros / 1_000_000, micros % 1_000_000)
            .expect("a text takes whatever is written");
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
