//! A queue in front of another that loses, doubles, delays and reorders what goes in and what comes out.

use std::sync::Mutex;
use std::time::Duration;

use tasker::{Delivery, Enqueue, Interest, Queue, QueueError, Wake};

/// As unreliable as a queue may be: of what it is told and of what it tells a third is lost, a third is doubled or kept
/// back, some is said to be due later, and all of it comes in another order. Half of what is acknowledged is not.
pub(crate) struct Odd<Q> {
    inner: Q,
    random: Mutex<fastrand::Rng>,
    /// Kept back until there is something else to tell.
    kept: Mutex<Vec<Wake>>,
}

impl<Q> Odd<Q> {
    pub(crate) fn new(inner: Q, seed: u64) -> Self {
        Self { inner, random: Mutex::new(fastrand::Rng::with_seed(seed)), kept: Mutex::default() }
    }

    fn mangle(&self, wakes: &[Wake]) -> Vec<Wake> {
        let mut random = self.random.lock().unwrap();
        let mut kept = self.kept.lock().unwrap();
        let mut out = std::mem::take(&mut *kept);
        for wake in wakes {
            match random.u32(..6) {
                0 | 1 => {}
                2 => out.extend([*wake, *wake]),
                3 => kept.push(*wake),
                4 => out.push(Wake { due: wake.due + Duration::from_secs(7), ..*wake }),
                _ => out.push(*wake),
            }
        }
        random.shuffle(&mut out);
        out
    }
}

impl<Q: Queue> Enqueue for Odd<Q> {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let odd = self.mangle(wakes);
        self.inner.enqueue(&odd).await
    }
}

impl<Q: Queue> Queue for Odd<Q> {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        loop {
            let Delivery { wakes, missed, busy } = self.inner.receive(interest.clone()).await?;
            let wakes = self.mangle(&wakes);
            if missed || !wakes.is_empty() {
                return Ok(Delivery { wakes, missed, busy });
            }
        }
    }

    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        let Delivery { wakes, missed, busy } = self.inner.try_receive(interest).await?;
        Ok(Delivery { wakes: self.mangle(&wakes), missed, busy })
    }

    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let heard = self.random.lock().unwrap().bool();
        if heard { self.inner.ack(wakes).await } else { Ok(()) }
    }

    fn finds_stored_wakes(&self) -> bool {
        self.inner.finds_stored_wakes()
    }
}
