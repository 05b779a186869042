//! A run: things go wrong for a while, then it is calm, then what is left is judged.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use crate::Failure;
use crate::act::{Deck, Deed};
use crate::arguments::Arguments;
use crate::database::Database;
use crate::judge::judge;
use crate::load::Load;
use crate::processes::Workers;

/// How often tasks are created and workers looked after.
const TICK: Duration = Duration::from_millis(40);

/// Says whether all is well.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed: {seed}");
    let ledgers = env::temp_dir().join(format!("tasker-chaos-{}", process::id()));
    fs::create_dir(&ledgers)?;
    let kept = Kept { ledgers: ledgers.clone(), keep: arguments.keep };
    let mut database = Database::start(&ledgers).await?;
    if let Some(sabotage) = arguments.sabotage {
        sabotage.commit(&database.pool).await?;
    }
    let mut workers = Workers::start(&database, &ledgers, seed, arguments.workers)?;

    rage(arguments, seed, &mut database, &mut workers).await?;
    let calmed = calm_down(arguments, &database, &mut workers).await?;
    let lines = judge(&database.pool, &ledgers).await?;

    lines.iter().for_each(|line| println!("{}", line.text));
    println!("calm_after: {:.1} s", calmed.as_secs_f64());
    if arguments.keep {
        println!(
            "database: {}/data (pg_ctl start -D it, as its owner; then psql -h {0} -U tasker postgres)",
            database.keep()?
        );
        println!("ledgers: {}", ledgers.display());
    }
    drop(kept);
    Ok(lines.iter().all(|line| !line.is_wrong))
}

/// Tasks are created, and things go wrong.
async fn rage(
    arguments: &Arguments,
    seed: u64,
    database: &mut Database,
    workers: &mut Workers,
) -> Result<(), Failure> {
    let mut deck = Deck::new(seed);
    let mut load = Load::new(database, seed)?;
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let (pause, mut deed) = deck.draw();
    let mut due = Instant::now() + pause;
    while Instant::now() < until {
        load.top_up(database).await?;
        workers.tend(database).await?;
        for _ in 0..database.proxy.take_lost() {
            database.note("lost", "a reply").await?;
        }
        if Instant::now() >= due {
            do_it(deed, &mut deck, &load, database, workers).await?;
            let (pause, next) = deck.draw();
            (deed, due) = (next, Instant::now() + pause);
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

async fn do_it(
    deed: Deed,
    deck: &mut Deck,
    load: &Load,
    database: &mut Database,
    workers: &mut Workers,
) -> Result<(), Failure> {
    let place = deck.number(workers.count());
    match deed {
        Deed::Kill => {
            let whom = workers.kill(place)?;
            database.note("killed", &whom).await
        }
        Deed::Freeze(length) => match workers.freeze(place, length)? {
            Some(whom) => database.note("frozen", &whom).await,
            None => Ok(()),
        },
        Deed::Stop => match workers.stop(place)? {
            Some(whom) => database.note("stopped", &whom).await,
            None => Ok(()),
        },
        Deed::Cut(most) => {
            for _ in 0..database.cut(most).await? {
                database.note("cut", "a connection").await?;
            }
            Ok(())
        }
        Deed::LoseReply => {
            database.proxy.lose_a_reply();
            Ok(())
        }
        Deed::Crash => {
            database.crash().await?;
            database.note("crashed the server", "").await
        }
        Deed::Cancel => match load.some_task(deck.number(usize::MAX)) {
            Some(task) if load.cancel(task).await => database.note("cancelled", &task.to_string()).await,
            _ => Ok(()),
        },
    }
}

/// Everybody runs, until every task is settled or the time is over; then everybody stops. Answers how long it took.
async fn calm_down(
    arguments: &Arguments,
    database: &Database,
    workers: &mut Workers,
) -> Result<Duration, Failure> {
    workers.thaw_all()?;
    let begun = Instant::now();
    while database.open_tasks().await? > 0 && begun.elapsed() < Duration::from_secs(arguments.calm) {
        workers.tend(database).await?;
        tokio::time::sleep(5 * TICK).await;
    }
    let calmed = begun.elapsed();
    workers.stop_all(database).await?;
    Ok(calmed)
}

/// The ledgers, removed unless they are to be kept.
struct Kept {
    ledgers: PathBuf,
    keep: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed must not hide the judgement.
            let _ = fs::remove_dir_all(&self.ledgers);
        }
    }
}
