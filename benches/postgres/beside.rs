//! What stands beside ours: the floor, and commits of one row.

use std::time::{Duration, Instant};

use tasker::postgres::sqlx::{query, query_scalar};

use super::Bench;
use crate::report::{Measured, a_second, millis_each};

/// The length of the floor's chains.
const LENGTH: i32 = 10;

impl Bench {
    /// The floor: that many chains, so many tasks in a commit.
    pub(crate) fn floor(&self, tasks: usize, batch: usize) -> Measured {
        self.floor_made(tasks);
        a_second(self.floor_run(batch), tasks * 10)
    }

    /// What one step of a lone chain costs at least.
    pub(crate) fn floor_of_one_step(&self, chains: usize) -> Measured {
        self.floor_made(chains);
        millis_each(self.floor_run(1), chains * 10)
    }

    /// The floor of creating chains, a hundred tasks in a commit.
    pub(crate) fn floor_creates(&self, tasks: usize) -> Measured {
        let took = self.floor_made(tasks);
        self.floor_run(500);
        a_second(took, tasks)
    }

    pub(super) fn floor_made(&self, tasks: usize) -> Duration {
        let pool = self.pool.clone();
        self.run(async move {
            let began = Instant::now();
            query("CALL bench_floor_create($1, $2, 100)")
                .bind(count(tasks))
                .bind(LENGTH)
                .execute(&pool)
                .await
                .expect("the floor creates");
            began.elapsed()
        })
    }

    /// Runs what was made, and then looks whether each step ran once.
    pub(super) fn floor_run(&self, batch: usize) -> Duration {
        let pool = self.pool.clone();
        self.run(async move {
            let began = Instant::now();
            query("CALL bench_floor_run($1)").bind(count(batch)).execute(&pool).await.expect("the floor");
            let took = began.elapsed();
            let open: i64 = query_scalar(
                "SELECT count(*) FROM tasker_workflow_steps JOIN tasker_named_steps USING (named_step_id)
                 WHERE name LIKE 'floor%' AND NOT (processed AND attempts = 1)",
            )
            .fetch_one(&pool)
            .await
            .expect("a count");
            assert_eq!(open, 0, "the floor runs every step once");
            took
        })
    }

    /// Durable commits of one row, one after the other on one connection.
    pub(crate) fn commits(&self, commits: usize) -> Measured {
        let times = self.commit_times(commits);
        a_second(times.iter().sum(), commits)
    }

    pub(super) fn commit_times(&self, commits: usize) -> Vec<Duration> {
        let pool = self.pool.clone();
        self.run(async move {
            let mut connection = pool.acquire().await.expect("a connection");
            let mut times = Vec::with_capacity(commits);
            for _ in 0..commits {
                let began = Instant::now();
                query("INSERT INTO bench_commits (at) VALUES (now() AT TIME ZONE 'UTC')")
                    .execute(&mut *connection)
                    .await
                    .expect("a commit");
                times.push(began.elapsed());
            }
            times
        })
    }
}

fn count(number: usize) -> i32 {
    number.try_into().expect("counts of a bench are small")
}
