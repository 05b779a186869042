//! What goes wrong, and when: drawn from a seed, like cards from a deck, so that a short run sees of everything.

use std::time::Duration;

use crate::worker::LOST_AFTER;

/// Something that is done to the workers, the server or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A worker is killed: `kill -9`.
    Kill,
    /// A worker stands still, long enough to be taken for lost: `SIGSTOP`, and later `SIGCONT`.
    Freeze(Duration),
    /// A worker is told to stop: `SIGTERM`.
    Stop,
    /// Connections of workers are cut, so many at most.
    Cut(i64),
    /// The next reply of the server is lost, and its connection with it.
    LoseReply,
    /// The server crashes.
    Crash,
    /// An operator cancels a task.
    Cancel,
}

/// Draws deeds.
pub(crate) struct Deck {
    random: fastrand::Rng,
    cards: Vec<Deed>,
}

impl Deck {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), cards: vec![] }
    }

    /// The next deed, and how long to wait before it.
    pub(crate) fn draw(&mut self) -> (Duration, Deed) {
        let pause = Duration::from_millis(self.random.u64(50..450));
        loop {
            if let Some(deed) = self.cards.pop() {
                return (pause, deed);
            }
            self.shuffle();
        }
    }

    /// A number below that one, for whom it hits.
    pub(crate) fn number(&mut self, below: usize) -> usize {
        self.random.usize(..below.max(1))
    }

    fn shuffle(&mut self) {
        let kinds = [
            (8, Deed::Kill),
            (7, Deed::Freeze(LOST_AFTER)),
            (6, Deed::Cut(1)),
            (6, Deed::LoseReply),
            (4, Deed::Stop),
            (4, Deed::Cancel),
            (1, Deed::Crash),
        ];
        let cards = kinds.into_iter().flat_map(|(times, deed)| std::iter::repeat_n(deed, times));
        let mut cards: Vec<_> = cards.map(|deed| self.measured(deed)).collect();
        self.random.shuffle(&mut cards);
        self.cards = cards;
    }

    /// How long, or how many.
    fn measured(&mut self, deed: Deed) -> Deed {
        match deed {
            Deed::Freeze(least) => Deed::Freeze(least + self.longer()),
            Deed::Cut(least) => Deed::Cut(least + self.random.i64(0..3)),
            other => other,
        }
    }

    /// Until nobody has taken what it holds, or others run it, or are done with it. What was lost waits two seconds for
    /// its next attempt.
    fn longer(&mut self) -> Duration {
        let millis = match self.random.u8(..5) {
            0 => 100..1_000,
            4 => 4_000..6_000,
            _ => 2_000..4_000,
        };
        Duration::from_millis(self.random.u64(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_deeds() {
        let drawn = |seed| {
            let mut deck = Deck::new(seed);
            (0..100).map(|_| deck.draw()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn freezes_are_longer_than_it_takes_to_be_lost() {
        let mut deck = Deck::new(3);
        for _ in 0..200 {
            if let (_, Deed::Freeze(length)) = deck.draw() {
                assert!(length > LOST_AFTER);
            }
        }
    }
}
