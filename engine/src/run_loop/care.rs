//! Signs of life, and what is done for tasks that others left behind.

use super::{CARE_PAGE, DUE_PAGE, RunLoop, STORAGE_RETRY};
use crate::{Beat, Clock, Due, EngineTypes, Rescue, Storage, StorageError, Timestamp};

impl<T: EngineTypes> RunLoop<T> {
    /// Where others share the storage, whoever wants tasks to go on also looks after what others left behind.
    pub(super) fn care_from_now_on(&mut self) {
        if self.care_at.is_none() && self.shared.settings.poll.is_some() {
            self.care_at = Some(self.shared.clock.now() + self.shared.settings.worker_lost_after);
        }
    }

    /// Whoever holds nothing need not tell that he lives.
    pub(super) fn rest(&mut self) {
        if self.serving == 0 && self.waiting.is_empty() {
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
        let held =
            self.running.keys().copied().chain(self.finished.iter().map(|finished| finished.outcome.token));
        let beat = Beat {
            worker: self.shared.settings.worker,
            label: self.shared.settings.label.clone(),
            held: held.collect(),
            hand_back_before: now - interval,
            now,
        };
        match self.shared.storage.beat(beat).await {
            Ok(handed_back) if !handed_back.is_empty() => {
                tracing::info!(claims = handed_back.len(), "handed back claims whose reply was lost");
                self.wanted.extend(self.waiting.keys());
                self.ask_at = self.ask_at.map(|_| now);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the storage did not take a sign of life"
                );
                self.beat_until = self.beat_until.max(now + 3 * interval);
            }
        }
        let goes_on = !self.running.is_empty() || now < self.beat_until;
        self.beat_at = goes_on.then(|| now + interval);
    }

    /// Takes steps from workers that stopped beating, and wakes tasks that can move and have no wake.
    pub(super) async fn take_care(&mut self) {
        let now = self.shared.clock.now();
        let lost_after = self.shared.settings.worker_lost_after;
        self.care_at = Some(now + lost_after / 2);
        match self.care(now, now - lost_after).await {
            Ok(true) => {
                self.wanted.extend(self.waiting.keys());
                self.ask_at = self.ask_at.map(|_| now);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the storage was not looked after");
            }
        }
    }

    /// Answers whether anything was found.
    pub(super) async fn care(&self, now: Timestamp, lost_before: Timestamp) -> Result<bool, StorageError> {
        let storage = &self.shared.storage;
        let rescued = storage.rescue(Rescue { lost_before, limit: CARE_PAGE, now }).await?;
        if !rescued.is_empty() {
            tracing::warn!(steps = rescued.len(), "took steps from workers that stopped beating");
        }
        let mut woken = 0;
        let mut after = None;
        loop {
            let swept = storage.sweep(now, after, CARE_PAGE).await?;
            woken += swept.woken;
            after = swept.next;
            if after.is_none() {
                return Ok(woken + rescued.len() > 0);
            }
        }
    }

    /// Asks the storage for what other processes, or an earlier life of this one, left to do.
    pub(super) async fn ask_for_due(&mut self) {
        let now = self.shared.clock.now();
        match self.shared.storage.due(now, DUE_PAGE).await {
            Ok(Due { wakes, next }) => {
                let full = wakes.len() == DUE_PAGE;
                self.wanted.extend(wakes.into_iter().map(|wake| wake.task));
                let poll = self.shared.settings.poll.map(|interval| now + interval);
                self.ask_at = if full { Some(now) } else { next.into_iter().chain(poll).min() };
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the storage did not tell what is due"
                );
                self.ask_at = Some(now + STORAGE_RETRY.1);
            }
        }
    }
}
