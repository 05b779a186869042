//! Plays operations on two storages, and knows by number what their answers told of.

use std::fmt::Debug;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_engine::{
    Advance, Beat, BoundTemplate, Creation, Detail, NewTask, Progress, Rescue, Storage, StorageError,
    TaskRecord,
};

use super::super::fixture::{at, worker};
use super::super::{Scene, check};
use super::Difference;
use super::arguments::{Known, Told, chosen, definition, number_of};
use super::names::Names;
use super::operation::{Birth, Deed, Operation, Wave};

pub(super) struct World<'a> {
    one: &'a Scene,
    two: &'a Scene,
    /// The ids of each.
    names: (Names, Names),
    known: Known,
    /// How many tasks were created.
    created: usize,
    /// The last operation, and the arguments that would not come out the same a second time.
    before: Option<Operation>,
    requests: Vec<NewTask>,
    waves: Option<(Advance, Advance)>,
}

type Answer<T> = Result<T, StorageError>;

impl<'a> World<'a> {
    pub(super) fn new(one: &'a Scene, two: &'a Scene) -> Self {
        Self {
            one,
            two,
            names: Default::default(),
            known: Known { now: at(0), identities: 0, tasks: vec![], claims: vec![] },
            created: 0,
            before: None,
            requests: vec![],
            waves: None,
        }
    }

    pub(super) async fn play(&mut self, operation: &Operation) -> Result<(), Difference> {
        let again = *operation == Operation::Again;
        if !again {
            self.before = Some(operation.clone());
        }
        match self.before.clone() {
            None | Some(Operation::Again) => {}
            Some(Operation::Wait(millis)) => self.known.now = self.known.now + Duration::from_millis(millis),
            Some(Operation::Create(births)) => self.create(&births, again).await?,
            Some(Operation::Advance(wave)) => self.advance(&wave, again).await?,
            Some(Operation::Intervene(deed)) => self.intervene(&deed).await?,
            Some(Operation::Due { limit }) => self.due(limit).await?,
            Some(Operation::Sweep { after, limit }) => self.sweep(after, limit).await?,
            Some(Operation::LoseWake(task)) => self.lose_wake(task).await,
            Some(Operation::Beat { worker, held, older }) => self.beat(worker, held, older).await?,
            Some(Operation::Rescue { silent, limit }) => self.rescue(silent, limit).await?,
        }
        self.compare_tasks().await
    }

    async fn create(&mut self, births: &[Birth], again: bool) -> Result<(), Difference> {
        let definitions: Vec<_> = births.iter().map(|birth| definition(&birth.graph)).collect();
        let one = self.one.storage().learn(&definitions, self.known.now).await;
        same("learn", one, self.two.storage().learn(&definitions, self.known.now).await)?;
        if !again {
            let requests = births.iter().zip(&definitions);
            self.requests = requests.map(|(birth, definition)| self.request(birth, definition)).collect();
        }
        let one = self.one.storage().create(self.requests.clone(), self.known.now).await;
        let two = self.two.storage().create(self.requests.clone(), self.known.now).await;
        let renamed = |names: &mut Names, created: Answer<Vec<Creation>>| {
            created.map(|all| all.into_iter().map(|one| names.creation(one)).collect::<Vec<_>>())
        };
        let (one, two) = (renamed(&mut self.names.0, one), renamed(&mut self.names.1, two));
        let created = same("create", one, two)?.unwrap_or_default();
        self.created += created.iter().filter(|one| matches!(one, Creation::Created { .. })).count();
        Ok(())
    }

    fn request(&mut self, birth: &Birth, definition: &BoundTemplate) -> NewTask {
        let known = birth.identity.and_then(|number| number.checked_rem(self.known.tasks.len()));
        let identity = known.map(|place| self.known.tasks[place].identity_hash.clone());
        self.known.identities += 1;
        let number = self.known.identities;
        let steps = definition.steps().iter().enumerate();
        let bypassed = steps.filter(|(place, _)| chosen(birth.bypass.into(), *place));
        let mut request = self.one.request(definition);
        request.identity_hash = identity.unwrap_or_else(|| format!("random-{number}"));
        request.request.context = Arc::new(json!({ "number": number }));
        request.request.bypass_steps = bypassed.map(|(_, step)| step.name.clone()).collect();
        request
    }

    async fn advance(&mut self, wave: &Wave, again: bool) -> Result<(), Difference> {
        if !again {
            let (one, two) = (self.known.wave(wave, &self.names.0), self.known.wave(wave, &self.names.1));
            self.waves = Some((one, two));
        }
        let Some((one, two)) = self.waves.clone() else { return Ok(()) };
        let (one, two) = (self.one.storage().advance(one).await, self.two.storage().advance(two).await);
        let renamed = |names: &mut Names, progress: Answer<Vec<Progress>>| {
            progress.map(|all| all.into_iter().map(|one| names.progress(one)).collect::<Vec<_>>())
        };
        let (one, two) = (renamed(&mut self.names.0, one), renamed(&mut self.names.1, two));
        for progress in same("advance", one, two)?.unwrap_or_default() {
            for claim in &progress.claims {
                let (token, step, attempt) = (claim.token.0, claim.step.0, claim.attempt);
                if self.known.claims.iter().all(|told| told.token != token) {
                    self.known.claims.push(Told { task: progress.task.0, step, token, attempt });
                }
            }
        }
        Ok(())
    }

    async fn intervene(&mut self, deed: &Deed) -> Result<(), Difference> {
        let (one, two) = (self.known.act(deed, &self.names.0), self.known.act(deed, &self.names.1));
        let (Some(one), Some(two)) = (one, two) else { return Ok(()) };
        let (one, two) = (self.one.storage().intervene(one).await, self.two.storage().intervene(two).await);
        let one = one.map(|done| self.names.0.intervened(done));
        same("intervene", one, two.map(|done| self.names.1.intervened(done))).map(drop)
    }

    async fn due(&mut self, limit: usize) -> Result<(), Difference> {
        let one = self.one.storage().due(self.known.now, limit).await;
        let two = self.two.storage().due(self.known.now, limit).await;
        let one = one.map(|due| self.names.0.due(due));
        same("due", one, two.map(|due| self.names.1.due(due))).map(drop)
    }

    async fn sweep(&mut self, after: Option<usize>, limit: usize) -> Result<(), Difference> {
        let after = after.and_then(|task| self.known.task(task));
        let one =
            self.one.storage().sweep(self.known.now, after.map(|task| self.names.0.task(task)), limit).await;
        let two =
            self.two.storage().sweep(self.known.now, after.map(|task| self.names.1.task(task)), limit).await;
        let one = one.map(|swept| self.names.0.swept(swept));
        same("sweep", one, two.map(|swept| self.names.1.swept(swept))).map(drop)
    }

    async fn lose_wake(&mut self, task: usize) {
        if let Some(task) = self.known.task(task) {
            self.one.lose_wake(self.names.0.task(task)).await;
            self.two.lose_wake(self.names.1.task(task)).await;
        }
    }

    async fn beat(&mut self, number: u8, held: u32, older: u64) -> Result<(), Difference> {
        let held = self.known.held(held);
        let beat = |names: &Names| Beat {
            worker: worker(number.into()),
            label: "random".into(),
            held: held.iter().map(|token| names.token(*token)).collect(),
            hand_back_before: self.known.now - Duration::from_millis(older),
            now: self.known.now,
        };
        let one = self.one.storage().beat(beat(&self.names.0)).await;
        let two = self.two.storage().beat(beat(&self.names.1)).await;
        let one = one.map(|tokens| self.names.0.handed_back(tokens));
        same("beat", one, two.map(|tokens| self.names.1.handed_back(tokens))).map(drop)
    }

    async fn rescue(&mut self, silent: u64, limit: usize) -> Result<(), Difference> {
        let lost_before = self.known.now - Duration::from_millis(silent);
        let rescue = Rescue { lost_before, limit, now: self.known.now };
        let (one, two) = (self.one.storage().rescue(rescue).await, self.two.storage().rescue(rescue).await);
        let one = one.map(|all| all.into_iter().map(|one| self.names.0.rescued(one)).collect::<Vec<_>>());
        let two = two.map(|all| all.into_iter().map(|two| self.names.1.rescued(two)).collect::<Vec<_>>());
        same("rescue", one, two).map(drop)
    }

    /// Every task as it stands, with its audit trail.
    async fn compare_tasks(&mut self) -> Result<(), Difference> {
        let one = loaded(self.one.storage(), &mut self.names.0, self.created).await;
        let two = loaded(self.two.storage(), &mut self.names.1, self.created).await;
        for (one, two) in one.iter().zip(&two) {
            same(&format!("task {}", one.id), Ok(one), Ok(two))?;
        }
        self.known.tasks = one;
        Ok(())
    }
}

async fn loaded(storage: &impl Storage, names: &mut Names, tasks: usize) -> Vec<TaskRecord> {
    let ids: Vec<_> = (0..tasks).map(|task| names.task(number_of(task))).collect();
    let records = storage.load(&ids, Detail::Audit).await.expect("load");
    assert_eq!(records.len(), tasks, "every task that was created is loaded");
    records.iter().for_each(check::record);
    records.into_iter().map(|record| names.record(record)).collect()
}

/// The answer of both, or how they differ. Errors are the same when they are of one kind.
fn same<T: PartialEq + Debug>(what: &str, one: Answer<T>, two: Answer<T>) -> Result<Option<T>, Difference> {
    match (&one, &two) {
        (Ok(first), Ok(second)) if first == second => return Ok(one.ok()),
        (Err(first), Err(second)) if discriminant(first) == discriminant(second) && !first.is_transient() => {
            return Ok(None);
        }
        _ => {}
    }
    Err(Difference { at: 0, what: what.to_owned(), one: format!("{one:?}"), two: format!("{two:?}") })
}
