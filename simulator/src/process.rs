//! A process: an engine with a runtime of its own, whose tasks are run one at a time, and which can die at any of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tasker_engine::{
    Busy, Clock as _, Definition, Engine, Handled, Handlers, Interest, MemoryQueue, Parts, Queue as _,
    Settings, TaskId, Timestamp, WorkerId,
};
use tokio::sync::oneshot;

use crate::client::{Client, Hints, Listener, Simulated};
use crate::clock::Ahead;
use crate::handlers::{definition, entry};
use crate::network::ProcessId;
use crate::plan::{Kind, Plan, Slot};
use crate::turns::{Restless, Turns};
use crate::world::World;

/// A process that lives.
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    pub(crate) engine: Engine<Simulated>,
    /// Where hints come to it.
    pub(crate) hints: MemoryQueue,
    turns: Turns,
    /// It stands still until then.
    frozen_until: Timestamp,
    stop: Option<oneshot::Sender<()>>,
    /// Whether it knows its workflows.
    is_up: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
}

impl Process {
    /// One that does nothing by itself.
    pub(crate) fn idle(world: &Arc<World>, plan: &Plan, id: ProcessId) -> Self {
        let settings = Settings { concurrency: 1, ..settings(id, plan) };
        let (engine, hints) = engine(world, id, settings, Duration::ZERO);
        Self::new(id, engine, hints)
    }

    /// One that works, as its slot says.
    pub(crate) fn start(world: &Arc<World>, plan: &Plan, slot: &Slot, id: ProcessId) -> Self {
        let settings = Settings {
            concurrency: slot.concurrency,
            batch_outcomes: slot.batch_outcomes,
            poll: slot.poll,
            ..settings(id, plan)
        };
        let (mut engine, hints) = engine(world, id, settings, slot.ahead);
        if slot.has_names {
            let mut handlers = Handlers::new();
            handlers.insert_entry(entry(world, id, None));
            engine = engine.handlers(handlers);
        }
        let mut process = Self::new(id, engine.clone(), hints.clone());
        let (stop, stopped) = oneshot::channel();
        process.stop = Some(stop);
        let definitions: Vec<_> =
            slot.knows.iter().map(|place| definition(world, id, &plan.workflows[*place])).collect();
        let (kind, grace) = (slot.kind, slot.grace);
        let (is_up, has_ended) = (Arc::clone(&process.is_up), Arc::clone(&process.has_ended));
        process.spawn(async move {
            let busy = learn(&engine, &definitions).await;
            is_up.store(true, Ordering::Relaxed);
            let stopped = async { drop(stopped.await) };
            let work = async {
                match kind {
                    Kind::Worker => engine.worker().grace(grace).run_until(stopped).await,
                    Kind::Bystander => stopped.await,
                    Kind::Host => tokio::select! {
                        biased;
                        () = stopped => {}
                        () = host(&engine, &hints) => {}
                    },
                }
            };
            let ((), busy) = busy.wait_for(work).await;
            has_ended.store(true, Ordering::Relaxed);
            drop(busy);
        });
        process
    }

    fn new(id: ProcessId, engine: Engine<Simulated>, hints: Hints) -> Self {
        let (is_up, has_ended) = Default::default();
        Self {
            id,
            engine,
            hints: hints.arrived,
            turns: Turns::new(),
            frozen_until: Timestamp::EPOCH,
            stop: None,
            is_up,
            has_ended,
        }
    }

    /// Runs something there.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.turns.spawn(work);
    }

    /// Whether it has something to do, and does it.
    pub(crate) fn is_ready(&self, now: Timestamp) -> bool {
        self.frozen_until <= now && self.turns.is_due()
    }

    /// Lets it stand still.
    pub(crate) const fn freeze(&mut self, until: Timestamp) {
        self.frozen_until = until;
    }

    /// Polls one task.
    pub(crate) fn step(&mut self) {
        self.turns.step();
    }

    /// Polls tasks until there is nothing to do.
    pub(crate) fn run_to_rest(&mut self) -> Result<(), Restless> {
        self.turns.run_to_rest()
    }

    /// Tells it to stop; answers whether it was not told before.
    pub(crate) fn stop(&mut self) -> bool {
        self.stop.take().is_some_and(|stop| stop.send(()).is_ok())
    }

    /// Whether it was told to stop.
    pub(crate) const fn is_stopping(&self) -> bool {
        self.stop.is_none()
    }

    /// Whether it can be asked for something.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Whether it has stopped.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

/// Who a process is, towards the storage.
pub(crate) fn worker_of(id: ProcessId) -> WorkerId {
    WorkerId::numbered(id.0 as u128)
}

fn settings(id: ProcessId, plan: &Plan) -> Settings {
    Settings {
        worker: worker_of(id),
        label: id.to_string(),
        seed: id.0 as u64,
        max_concurrent_steps_limit: plan.per_task,
        ..Settings::default()
    }
}

fn engine(
    world: &Arc<World>,
    id: ProcessId,
    settings: Settings,
    ahead: Duration,
) -> (Engine<Simulated>, Hints) {
    let hints = Hints::new(world);
    let parts = Parts {
        storage: Client { world: Arc::clone(world), process: id },
        queue: hints.clone(),
        clock: Ahead { clock: world.clock.clone(), by: ahead },
        events: Listener { world: Arc::clone(world) },
    };
    (Engine::new(parts, settings).expect("the settings that are drawn are sound"), hints)
}

/// A process that cannot reach the storage yet tries again.
async fn learn(engine: &Engine<Simulated>, definitions: &[Definition]) -> Busy {
    let clock = engine.clock();
    let mut busy = clock.busy();
    for definition in definitions {
        while engine.learn(definition).await.is_err() {
            let sleep = clock.sleep_until(clock.now() + Duration::from_secs(1));
            drop(busy);
            busy = sleep.await;
        }
    }
    busy
}

/// Workers of a foreign framework, which call the engine for each hint.
async fn host(engine: &Engine<Simulated>, hints: &Hints) {
    let clock = engine.clock();
    loop {
        match hints.receive(Interest::of(10)).await {
            Ok(delivery) => {
                for wake in &delivery.wakes {
                    tokio::spawn(passes(engine.clone(), wake.task));
                }
            }
            Err(_) => drop(clock.sleep_until(clock.now() + Duration::from_secs(1)).await),
        }
    }
}

/// As many passes as a job of such a framework makes.
async fn passes(engine: Engine<Simulated>, task: TaskId) {
    let clock = engine.clock().clone();
    for pass in 1..=10_u32 {
        let wait = match engine.handle(task, Duration::from_millis(700) * pass).await {
            Ok(Handled::RunAgain) => continue,
            Ok(Handled::WakeAt(moment)) => moment,
            Ok(Handled::Waiting) => clock.now() + Duration::from_secs(10),
            Ok(Handled::Settled(_) | Handled::Gone) | Err(_) => return,
        };
        drop(clock.sleep_until(wait).await);
    }
}
