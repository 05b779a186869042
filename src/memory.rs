//! Engines in the memory of this process: nothing to install, nothing left behind.

use std::sync::Arc;

use tasker_engine::{
    Clock, DynClock, Engine, Erased, EventSink, MemoryQueue, NoEvents, Parts, Settings, SettingsErrors,
    SimulatedClock, SystemClock,
};
use tasker_storage::memory::MemoryStorage;

/// Makes engines that keep their tasks in memory. In the [`prelude`](crate::prelude), so that `Engine::in_memory()`
/// reads as what it is.
pub trait InMemory: Sized {
    /// An engine on the system's clock.
    ///
    /// ```
    /// use serde_json::json;
    /// use tasker::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let greet = handler_fn(|call: Call| async move { Ok(json!(format!("hello {}", call.raw_context()["name"]))) });
    /// let definition = Definition::builder("docs", "greeting", "1.0.0").step("greet", greet).build()?;
    ///
    /// let engine = Engine::in_memory();
    /// let task = engine.start_definition(&definition, json!({ "name": "Ada" })).await?;
    /// let report = task.finished().await?;
    /// assert_eq!(report.output_of::<String>("greet")?, "hello \"Ada\"");
    /// # Ok(())
    /// # }
    /// ```
    fn in_memory() -> Self {
        Self::in_memory_with(SystemClock::default(), NoEvents, Settings::default()).expect(DEFAULTS)
    }

    /// An engine on a clock that jumps: hours of back-off pass in microseconds, the same way every time.
    fn simulated(clock: &SimulatedClock) -> Self {
        Self::in_memory_with(clock.clone(), NoEvents, Settings::default()).expect(DEFAULTS)
    }

    /// An engine with a clock, a sink of events and settings of your choice.
    ///
    /// # Errors
    /// When the settings cannot be used.
    fn in_memory_with(
        clock: impl Clock,
        events: impl EventSink,
        settings: Settings,
    ) -> Result<Self, SettingsErrors>;
}

const DEFAULTS: &str = "the settings that everybody gets can be used";

impl InMemory for Engine {
    fn in_memory_with(
        clock: impl Clock,
        events: impl EventSink,
        settings: Settings,
    ) -> Result<Self, SettingsErrors> {
        let clock: Arc<dyn DynClock> = Arc::new(clock);
        let parts: Parts<Erased> = Parts {
            storage: Arc::new(MemoryStorage::new()),
            queue: Arc::new(MemoryQueue::new(Arc::clone(&clock))),
            clock,
            events: Arc::new(events),
        };
        Self::new(parts, settings)
    }
}
