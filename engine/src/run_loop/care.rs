//! Signs of life, and what is done for tasks that others left behind.

use std::time::Duration;

use super::{CARE_PAGE, DUE_PAGE, RunLoop, STORAGE_RETRY, SWEEP_EVERY};
use crate::{Beat, Clock, Due, EngineTypes, Rescue, Storage, StorageError, Timestamp};

impl<T: EngineTypes> RunLoop<T> {
    /// Where others share the storage, whoever waits for them also looks after what they left behind.
    pub(super) fn care_from_now_on(&mut self) {
        if self.care_at.is_none() && self.shared.settings.poll.is_some() {
            let now = self.shared.clock.now();
            self.heard_at = now;
            self.care_at = Some(now + self.shared.settings.worker_lost_after);
        }
    }

    /// Whoever holds nothing need not tell that he lives, and whoever waits for nobody need not look after others.
    pub(super) fn rest(&mut self) {
        if self.serving == 0 && self.elsewhere.is_empty() {
            self.care_at = None;
        }
        if self.running.is_empty() && self.beat_at.is_some() && self.shared.clock.now() >= self.beat_until {
            self.beat_at = None;
        }
    }

    /// Tells that this worker lives, and what it holds.
    pub(super) async fn beat(&mut self) {
        let now = self.shared.clock.now();
        let interval = self.shared.settings.heartbeat_interval;
        let held = self.running.keys().copied().chain(self.ended_here());
        let beat = Beat {
            worker: self.shared.settings.worker,
            label: self.shared.settings.label.clone(),
            held: held.collect(),
            hand_back_before: now - interval,
            now,
        };
        match self.shared.storage.beat(beat).await {
            Ok(handed_back) => {
                self.heard();
                self.shared.tell_handed_back(&handed_back, now).await;
                if !handed_back.is_empty() {
                    tracing::info!(claims = handed_back.len(), "handed back claims whose reply was lost");
                }
                if std::mem::take(&mut self.beat_unanswered) || !handed_back.is_empty() {
                    self.look_around();
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the storage did not take a sign of life"
                );
                self.beat_unanswered = true;
                self.beat_until = self.beat_until.max(now + 3 * interval);
            }
        }
        let goes_on = !self.running.is_empty() || now < self.beat_until;
        self.beat_at = goes_on.then(|| now + interval);
    }

    /// Takes steps from workers that stopped beating, and now and then wakes tasks that can move and have no wake.
    ///
    /// Whoever has not heard from the storage for so long that others cannot have beaten either, be it that the storage
    /// was away or that this process stood still, does not judge their silence, and gives them time to beat first. He
    /// asks something small meanwhile, so that he knows when the storage is there.
    ///
    /// The next round is so long after the end of this one that there is time for work, however long it took.
    pub(super) async fn take_care(&mut self) {
        let now = self.shared.clock.now();
        let lost_after = self.shared.settings.worker_lost_after;
        let may_judge = now >= self.judges_from && now.since(self.heard_at) <= self.silence_of_an_outage();
        let cared = if may_judge {
            let sweeps = self.rounds.is_multiple_of(SWEEP_EVERY);
            self.rounds = self.rounds.wrapping_add(1);
            self.care(now, now - lost_after, sweeps).await
        } else {
            self.shared.storage.due(now, 0).await.map(|_| false)
        };
        match cared {
            Ok(found) => {
                self.heard();
                if found {
                    self.look_around();
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the storage was not looked after");
            }
        }
        self.care_at = Some(self.shared.clock.now() + lost_after / 2);
    }

    /// Answers whether anything was found.
    async fn care(&self, now: Timestamp, lost_before: Timestamp, sweeps: bool) -> Result<bool, StorageError> {
        let rescued = self.rescue(now, lost_before).await?;
        let woken = if sweeps { self.sweep(now).await? } else { 0 };
        Ok(rescued + woken > 0)
    }

    async fn rescue(&self, now: Timestamp, lost_before: Timestamp) -> Result<usize, StorageError> {
        let mut rescued = 0;
        loop {
            let taken = self.shared.storage.rescue(Rescue { lost_before, limit: CARE_PAGE, now }).await?;
            self.shared.tell_rescued(&taken, now).await;
            self.shared.tell_hooks_of_rescue(&taken, now);
            let page = taken.len();
            if page > 0 {
                tracing::warn!(steps = page, "took steps from workers that stopped beating");
            }
            rescued += page;
            if page < CARE_PAGE {
                return Ok(rescued);
            }
        }
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize, StorageError> {
        let (mut woken, mut after) = (0, None);
        loop {
            let page = self.shared.storage.sweep(now, after, CARE_PAGE).await?;
            woken += page.woken;
            after = page.next;
            if after.is_none() {
                return Ok(woken);
            }
        }
    }

    /// The storage has answered.
    pub(super) fn heard(&mut self) {
        let now = self.shared.clock.now();
        self.pause = STORAGE_RETRY.0;
        let silent = now.since(std::mem::replace(&mut self.heard_at, now));
        if silent > self.silence_of_an_outage() {
            self.judges_from = now + self.shared.settings.worker_lost_after;
        }
    }

    /// When to ask a storage again that did not answer.
    pub(super) fn try_again_at(&mut self) -> Timestamp {
        let pause = self.pause;
        self.pause = (pause * 2).min(STORAGE_RETRY.1);
        self.shared.clock.now() + pause
    }

    /// A worker that lives beats within an interval, and once more when a beat is lost. Who was not heard for that much
    /// less than it takes to be lost may have lived all the time. Rounds of care are closer together.
    fn silence_of_an_outage(&self) -> Duration {
        let settings = &self.shared.settings;
        let lost_after = settings.worker_lost_after;
        lost_after.saturating_sub(2 * settings.heartbeat_interval).max(lost_after * 5 / 8)
    }

    /// There may be more to do than was known.
    fn look_around(&mut self) {
        self.wanted.extend(self.waiting.keys());
        if self.serving > 0 {
            self.ask_soon();
        }
    }

    /// Asks the storage for what other processes, or an earlier life of this one, left to do.
    pub(super) async fn ask_for_due(&mut self) {
        let now = self.shared.clock.now();
        // What waits for a handler's room here is due as well, and must not hide what could run.
        let page = DUE_PAGE + self.rooms.waiting();
        match self.shared.storage.due(now, page).await {
            Ok(Due { wakes, next }) => {
                self.heard();
                let full = wakes.len() == page;
                let tasks = wakes.into_iter().map(|wake| wake.task);
                let tasks = tasks.filter(|task| !self.for_others.contains_key(task));
                let ours: Vec<_> = tasks.filter(|task| !self.rooms.is_waiting(*task)).collect();
                let poll = self.shared.settings.poll.map(|interval| now + interval);
                // A page of nothing but what others may take is no reason to ask at once.
                let more = full && !ours.is_empty();
                self.ask_at = if more { Some(now) } else { next.into_iter().chain(poll).min() };
                self.wanted.extend(ours);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the storage did not tell what is due"
                );
                self.ask_at = Some(self.try_again_at());
            }
        }
    }
}
