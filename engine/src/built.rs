//! Definitions that were put together from stored templates: once for each template, not once for each task.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::{BuildErrors, CacheCounts, Definition, DefinitionHash};

/// A template never changes under its hash, so nothing in here is ever over; other handlers make it void.
#[derive(Default)]
pub(crate) struct Built {
    /// Held for a look or a change, not while one is built.
    definitions: Mutex<HashMap<DefinitionHash, Definition>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Built {
    /// The definition of that template. Of two that are built at once one is kept.
    pub(crate) fn get_or(
        &self,
        hash: &DefinitionHash,
        build: impl FnOnce() -> Result<Definition, BuildErrors>,
    ) -> Result<Definition, BuildErrors> {
        if let Some(definition) = self.definitions().get(hash) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(definition.clone());
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let definition = build()?;
        Ok(self.definitions().entry(hash.clone()).or_insert(definition).clone())
    }

    pub(crate) fn forget(&self) {
        self.definitions().clear();
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheCounts { hits: read(&self.hits), misses: read(&self.misses), failures: 0 }
    }

    fn definitions(&self) -> MutexGuard<'_, HashMap<DefinitionHash, Definition>> {
        self.definitions.lock().expect("nothing panics while it looks up a definition")
    }
}
