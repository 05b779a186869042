//! What the simulator found, each as the smallest scene in which it happens; in memory, as the simulator has it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{
    Advance, Beat, BoundTemplate, Clock, Creation, Detail, Due, EventSink, Intervened, Intervention,
    MemoryEventLog, MemoryQueue, MemoryStorage, NewTask, Parts, Progress, Rescue, Rescued, Settings, Storage,
    StorageError, Swept, TaskId, TaskRecord, Timestamp, Token,
};
use tokio::sync::oneshot;

/// Loses the replies that it is told to.
struct Lossy<L> {
    inner: MemoryStorage,
    loses: Mutex<L>,
}

/// A call whose reply may be lost.
enum Asked<'a> {
    Advance(&'a Advance),
    Beat,
    Intervene,
}

impl<L: FnMut(Asked<'_>) -> bool> Lossy<L> {
    fn loses(&self, asked: Asked<'_>) -> bool {
        self.loses.lock().unwrap()(asked)
    }
}

fn lost() -> StorageError {
    StorageError::Unavailable("the reply was lost".into())
}

#[deny(clippy::missing_trait_methods)]
impl<L: FnMut(Asked<'_>) -> bool + Send + 'static> Storage for Lossy<L> {
    async fn learn(&self, definitions: &[Arc<BoundTemplate>], now: Timestamp) -> Result<(), StorageError> {
        self.inner.learn(definitions, now).await
    }
    async fn create(&self, tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<Creation>, StorageError> {
        self.inner.create(tasks, now).await
    }
    async fn advance(&self, call: Advance) -> Result<Vec<Progress>, StorageError> {
        let is_lost = self.loses(Asked::Advance(&call));
        let progress = self.inner.advance(call).await;
        if is_lost { Err(lost()) } else { progress }
    }
    async fn intervene(&self, act: Intervention) -> Result<Intervened, StorageError> {
        let done = self.inner.intervene(act).await;
        if self.loses(Asked::Intervene) { Err(lost()) } else { done }
    }
    async fn beat(&self, beat: Beat) -> Result<Vec<Token>, StorageError> {
        let handed_back = self.inner.beat(beat).await;
        if self.loses(Asked::Beat) { Err(lost()) } else { handed_back }
    }
    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        self.inner.rescue(rescue).await
    }
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        self.inner.due(now, limit).await
    }
    async fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        self.inner.sweep(now, after, limit).await
    }
    async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
        self.inner.load(tasks, detail).await
    }
    fn records(&self) -> Option<&dyn tasker::records::Records> {
        self.inner.records()
    }
}

/// An engine on a simulated clock that loses those replies, and what it tells of itself.
fn losing(
    loses: impl FnMut(Asked<'_>) -> bool + Send + 'static,
    settings: Settings,
) -> (Engine, MemoryEventLog) {
    let (clock, events) = (SimulatedClock::new(Timestamp::EPOCH), MemoryEventLog::new());
    let parts = Parts {
        storage: Arc::new(Lossy { inner: MemoryStorage::new(), loses: Mutex::new(loses) })
            as Arc<dyn tasker::DynStorage>,
        queue: Arc::new(MemoryQueue::new(Arc::new(clock.clone()))) as Arc<dyn tasker::DynQueue>,
        clock: Arc::new(clock) as Arc<dyn tasker::DynClock>,
        events: Arc::new(events.clone()) as Arc<dyn EventSink>,
    };
    (Engine::new(parts, settings).unwrap(), events)
}

fn the_first_with_outcomes() -> impl FnMut(Asked<'_>) -> bool + Send + 'static {
    let mut was_lost = false;
    move |asked| {
        let brings = matches!(asked, Asked::Advance(call) if !call.outcomes.is_empty());
        brings && !std::mem::replace(&mut was_lost, true)
    }
}

/// The first reply to a wave, which tells of a claim, and the replies to so many beats.
fn the_first_claim_and_beats(mut beats: usize) -> impl FnMut(Asked<'_>) -> bool + Send + 'static {
    let mut waves = 1;
    move |asked| {
        let left = match asked {
            Asked::Advance(_) => &mut waves,
            Asked::Beat => &mut beats,
            Asked::Intervene => return false,
        };
        let is_lost = *left > 0;
        *left = left.saturating_sub(1);
        is_lost
    }
}

/// What comes within an hour of simulated time.
async fn within_an_hour<T>(engine: &Engine, awaited: impl Future<Output = T>) -> T {
    let hour = engine.clock().now() + Duration::from_secs(3600);
    let too_late = engine.clock().sleep_until(hour);
    tokio::select! {
        biased;
        output = awaited => output,
        _ = too_late => panic!("nobody came back for it"),
    }
}

/// A step that takes so long.
fn takes(seconds: u64) -> impl tasker::IntoHandler {
    handler_fn(move |call: Call| async move {
        call.sleep(Duration::from_secs(seconds)).await;
        Ok(json!(call.attempt()))
    })
}

/// A repeated wave is told of all that the worker holds; it had told of some of that before.
#[tokio::test]
async fn claim_that_is_told_again_is_announced_once() {
    let (engine, events) = losing(the_first_with_outcomes(), Settings::default());
    let builder = Definition::builder("tests", "two", "1.0.0").step("short", takes(1)).step("long", takes(9));
    let task = engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let mut announced = BTreeMap::new();
    for event in events.all() {
        *announced.entry((event.name.as_str(), event.step, event.transition)).or_insert(0) += 1;
    }
    assert!(announced.values().all(|times| *times == 1), "{announced:#?}");
}

/// A repeated wave is told of the claims whose reply was lost, and claims as much again for the tasks that it wants.
#[tokio::test]
async fn claims_that_are_told_again_keep_to_the_room() {
    let (engine, _) = losing(the_first_with_outcomes(), Settings { concurrency: 1, ..Settings::default() });
    let running = Arc::new(AtomicUsize::new(0));
    let alone = |running: &Arc<AtomicUsize>| {
        let running = Arc::clone(running);
        handler_fn(move |call: Call| {
            let running = Arc::clone(&running);
            async move {
                assert_eq!(running.fetch_add(1, Ordering::Relaxed), 0, "there is room for one");
                call.sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok(json!(call.attempt()))
            }
        })
    };
    let builder = Definition::builder("tests", "chain", "1.0.0").step("a", alone(&running));
    let chain = builder.step("b", alone(&running)).after(["a"]).build().unwrap();
    let single = Definition::builder("tests", "single", "1.0.0").step("c", alone(&running)).build().unwrap();
    let chain = engine.start_definition(&chain, json!({})).await.unwrap();
    let single = engine.start_definition(&single, json!({})).await.unwrap();
    let (chain, single) = tokio::join!(biased; chain.finished(), single.finished());
    for report in [chain.unwrap(), single.unwrap()] {
        assert!(report.is_complete());
        assert!(
            report.steps().iter().all(|step| step.attempts == 1),
            "nothing failed: {:#?}",
            report.steps()
        );
    }
}

/// A beat hands back a claim whose reply was lost, also when the reply to the beat is lost; what is handed back can run.
#[tokio::test]
async fn claim_that_an_unanswered_beat_handed_back_is_run() {
    // The second beat is the first that may hand back.
    let (engine, _) = losing(the_first_claim_and_beats(2), Settings::default());
    let definition = Definition::builder("tests", "one", "1.0.0").step("a", takes(1)).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let report = within_an_hour(&engine, task.finished()).await.unwrap();
    assert_eq!((report.is_complete(), report.steps()[0].attempts), (true, 1));
}

/// A worker for whose tasks nobody waits comes back for what its beat handed back, too.
#[tokio::test]
async fn claim_that_was_handed_back_is_run_by_a_worker_that_does_not_poll() {
    for beats in [0, 2] {
        let (engine, _) = losing(the_first_claim_and_beats(beats), Settings::default());
        let (done, is_done) = oneshot::channel::<()>();
        let done = Mutex::new(Some(done));
        let tells = handler_fn(move |call: Call| {
            drop(done.lock().unwrap().take());
            async move { Ok(json!(call.attempt())) }
        });
        let definition = Definition::builder("tests", "one", "1.0.0").step("a", tells).build().unwrap();
        engine.start_definition(&definition, json!({})).await.unwrap();
        let worker = engine.worker().run_until(std::future::pending());
        let works = async {
            tokio::select! {
                biased;
                _ = is_done => {}
                () = worker => {}
            }
        };
        within_an_hour(&engine, works).await;
    }
}

/// An operator's act whose reply was lost was made all the same, and whoever waits for the task goes on with it.
#[tokio::test]
async fn task_that_was_resumed_without_a_reply_goes_on() {
    let mut acts = 0;
    let the_second_act = move |asked: Asked<'_>| {
        acts += u32::from(matches!(asked, Asked::Intervene));
        matches!(asked, Asked::Intervene) && acts == 2
    };
    let (engine, _) = losing(the_second_act, Settings::default());
    let definition = Definition::builder("tests", "one", "1.0.0").step("a", takes(1)).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    task.pause("ada", None).await.unwrap();
    let later = async {
        // Only then, for until then whoever waits has looked and found it paused.
        let _busy = engine.clock().sleep_until(Timestamp::EPOCH + Duration::from_secs(1)).await;
        assert!(task.resume("ada").await.is_err(), "the reply is lost");
    };
    let both = async { tokio::join!(biased; task.finished(), later).0 };
    assert!(within_an_hour(&engine, both).await.unwrap().is_complete());
}
