//! Who is told of an engine's events, besides the sink that it was made with: sinks that are attached to it, and
//! subscribers. Each has a name; what comes and goes is itself told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::events::Counter;
use crate::telling::Entity;
use crate::{
    Engine, EngineTypes, Event, EventName, EventNames, EventSink, Filtered, PatternError, SinkCounts,
};

/// Is told of events, one after the other, in a task of its own. What it does is collateral: whatever has to succeed for a
/// workflow to be done is a step.
///
/// ```
/// # use tasker::prelude::*;
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use tasker::{Event, Subscriber};
///
/// struct Alerts(Arc<AtomicU32>);
///
/// #[async_trait::async_trait]
/// impl Subscriber for Alerts {
///     async fn on_event(&self, _: &Event) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::in_memory();
/// engine.subscribe("alerts", ["task.failed", "workflow.step_failed"], Alerts(Arc::default()))?;
/// let unknown = engine.subscribe("more", ["task.faild"], Alerts(Arc::default())).unwrap_err();
/// assert_eq!(unknown.to_string(), "subscriber `more`: there is no event `task.faild`; did you mean `task.failed`?");
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Subscriber: Send + Sync + 'static {
    /// Takes one event.
    async fn on_event(&self, event: &Event);
}

/// Why nobody was attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The name is taken, or blank.
    #[error("the name `{0}` is blank, or somebody has it; detach him first")]
    Name(String),
    /// A pattern means no event.
    #[error("subscriber `{name}`: {error}")]
    Pattern {
        /// Who.
        name: String,
        /// Why.
        #[source]
        error: PatternError,
    },
}

/// How many events wait for a subscriber at most.
const WAITING: usize = 10_000;

/// A sink with its name.
pub(crate) struct Attached {
    name: String,
    class: &'static str,
    /// What a subscriber asked for; none for a sink.
    patterns: Option<Vec<String>>,
    pub(crate) sink: Arc<dyn EventSink>,
    /// Of what the sink was given; of a subscriber, of what he took.
    pub(crate) counter: Arc<Counter>,
}

impl Attached {
    fn entity(&self) -> Entity {
        match &self.patterns {
            Some(patterns) => Entity::subscriber(&self.name, self.class, patterns),
            None => Entity::plugin("sink", self.name.as_str(), self.class),
        }
    }

    const fn names(&self) -> [EventName; 2] {
        match self.patterns {
            Some(_) => [EventName::SubscriberRegistered, EventName::SubscriberUnregistered],
            None => [EventName::PluginRegistered, EventName::PluginUnregistered],
        }
    }
}

impl<T: EngineTypes> Engine<T> {
    /// Gives the events of this engine to one more sink, under a name.
    ///
    /// # Errors
    /// When the name is blank or taken.
    pub fn attach<S: EventSink>(&self, name: &str, sink: S) -> Result<(), SubscribeError> {
        self.add(Attached {
            name: name.to_owned(),
            class: std::any::type_name::<S>(),
            patterns: None,
            sink: Arc::new(sink),
            counter: Arc::default(),
        })
    }

    /// Has a subscriber told of events that meet one of these patterns: see [`Pattern`](crate::Pattern). Ten thousand
    /// events wait for him at most; what comes then is dropped and counted. When he panics that event is lost to him, and
    /// counted.
    ///
    /// # Errors
    /// When the name is blank or taken, or a pattern means no event.
    pub fn subscribe<'a, S: Subscriber>(
        &self,
        name: &str,
        patterns: impl IntoIterator<Item = &'a str>,
        subscriber: S,
    ) -> Result<(), SubscribeError> {
        self.subscribe_boxed(name, patterns, std::any::type_name::<S>(), Box::new(subscriber))
    }

    fn subscribe_boxed<'a>(
        &self,
        name: &str,
        patterns: impl IntoIterator<Item = &'a str>,
        class: &'static str,
        subscriber: Box<dyn Subscriber>,
    ) -> Result<(), SubscribeError> {
        let patterns: Vec<&str> = patterns.into_iter().collect();
        let counter = Arc::new(Counter::default());
        let told = Told { subscriber: subscriber.into(), to: OnceLock::new(), counter: Arc::clone(&counter) };
        let owned = || patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        match Filtered::by(patterns.iter().copied(), told) {
            Ok(sink) => self.add(Attached {
                name: name.to_owned(),
                class,
                patterns: Some(owned()),
                sink: Arc::new(sink),
                counter,
            }),
            Err(error) => {
                let entity = Entity::subscriber(name, class, &owned());
                let error = SubscribeError::Pattern { name: name.to_owned(), error };
                self.tell_refused(EventName::SubscriberValidationFailed, &entity, &error);
                Err(error)
            }
        }
    }

    /// Tells him, or it, nothing more; what waits for a subscriber he still gets. Answers whether there was one.
    pub fn detach(&self, name: &str) -> bool {
        let shared = &self.shared;
        let mut attached = shared.attached.write().expect("nothing panics while it attaches a sink");
        let Some(place) = attached.iter().position(|other| other.name == name) else { return false };
        let mut left: Vec<_> = attached.iter().cloned().collect();
        let gone = left.remove(place);
        *attached = left.into();
        drop(attached);
        let [_, unregistered] = gone.names();
        shared.tell_of_engine(|facts| facts.unregistered(unregistered, &gone.entity()));
        true
    }

    /// What became of the events: of the sink that the engine was made with first, under no name; then of those that were
    /// attached, in their order.
    pub fn sink_counts(&self) -> Vec<(String, SinkCounts)> {
        let attached = self.shared.attached();
        let own = (String::new(), self.shared.sink.counts());
        let others = attached.iter().map(|other| (other.name.clone(), other.counter.counts()));
        std::iter::once(own).chain(others).collect()
    }

    fn add(&self, new: Attached) -> Result<(), SubscribeError> {
        let mut attached = self.shared.attached.write().expect("nothing panics while it attaches a sink");
        let entity = new.entity();
        let [registered, _] = new.names();
        if new.name.trim().is_empty() || attached.iter().any(|other| other.name == new.name) {
            drop(attached);
            let failed = match new.patterns {
                Some(_) => EventName::SubscriberValidationFailed,
                None => EventName::PluginValidationFailed,
            };
            let error = SubscribeError::Name(new.name);
            self.tell_refused(failed, &entity, &error);
            return Err(error);
        }
        *attached = attached.iter().cloned().chain([Arc::new(new)]).collect();
        drop(attached);
        self.shared.tell_of_engine(|facts| facts.registered(registered, &entity));
        Ok(())
    }

    fn tell_refused(&self, name: EventName, entity: &Entity, error: &SubscribeError) {
        self.shared.tell_of_engine(|facts| facts.refused(name, entity, &error.to_string()));
    }
}

/// Tells a subscriber in a task of the runtime, which begins with the first event and ends when he is detached.
struct Told {
    subscriber: Arc<dyn Subscriber>,
    /// To the task; full when the subscriber is too slow.
    to: OnceLock<mpsc::Sender<Event>>,
    counter: Arc<Counter>,
}

impl EventSink for Told {
    fn publish(&self, events: &[Event]) {
        let to = self.to.get_or_init(|| {
            let (to, from) = mpsc::channel(WAITING);
            tokio::spawn(tell(Arc::clone(&self.subscriber), from, Arc::clone(&self.counter)));
            to
        });
        for event in events {
            if to.try_send(event.clone()).is_err() {
                self.counter.dropped(1, event.at, "a subscriber was too slow");
            }
        }
    }

    fn wanted(&self) -> EventNames {
        EventNames::FACTS
    }

    fn counts_itself(&self) -> bool {
        true
    }
}

async fn tell(subscriber: Arc<dyn Subscriber>, mut from: mpsc::Receiver<Event>, counter: Arc<Counter>) {
    while let Some(event) = from.recv().await {
        let mut future: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        let told = std::future::poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| {
                future.get_or_insert_with(|| subscriber.on_event(&event)).as_mut().poll(context)
            }));
            polled.map_or(Poll::Ready(false), |polled| polled.map(|()| true))
        });
        match told.await {
            true => counter.delivered(1),
            false => counter.panicked(1, event.at, "a subscriber panicked"),
        }
    }
}
