//! The worker processes: as many as were asked for, one after another in the same place.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use crate::Failure;
use crate::database::Database;
use crate::ledger::Ledger;

/// How long a worker may take to stop when it was told to.
const STOPPING: Duration = Duration::from_secs(15);

pub(crate) struct Workers {
    database: String,
    ledgers: PathBuf,
    seed: u64,
    places: Vec<Place>,
}

/// Where one worker is at a time.
struct Place {
    label: String,
    generation: u32,
    child: Child,
    is: Is,
}

/// What was done to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Running,
    Frozen { until: Instant },
    Stopping { since: Instant },
    Killed,
}

impl Workers {
    pub(crate) fn start(database: &Database, ledgers: &Path, seed: u64, count: usize) -> io::Result<Self> {
        let (database, ledgers) = (database.url_of_workers().to_owned(), ledgers.to_owned());
        let mut workers = Self { database, ledgers, seed, places: vec![] };
        for place in 0..count {
            let label = format!("w{place}.0");
            let child = workers.spawn(&label)?;
            workers.places.push(Place { label, generation: 0, child, is: Is::Running });
        }
        Ok(workers)
    }

    fn spawn(&self, label: &str) -> io::Result<Child> {
        let log = File::create(self.ledgers.join(format!("{label}.log")))?;
        Command::new(env::current_exe()?)
            .args(["worker", "--database", &self.database, "--label", label])
            .args(["--seed", &self.seed.to_string()])
            .arg("--ledgers")
            .arg(&self.ledgers)
            // It ends when we do: see `worker`.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
    }

    pub(crate) const fn count(&self) -> usize {
        self.places.len()
    }

    /// `kill -9`, also of one that is frozen.
    pub(crate) fn kill(&mut self, place: usize) -> io::Result<String> {
        let place = &mut self.places[place];
        place.child.kill()?;
        place.is = Is::Killed;
        Ok(place.label.clone())
    }

    /// Freezes the one there, or another that runs. Answers whom; nobody, when it is the last one that does.
    pub(crate) fn freeze(&mut self, place: usize, length: Duration) -> io::Result<Option<String>> {
        let Some(place) = self.running_from(place) else { return Ok(None) };
        signal("STOP", &place.child)?;
        place.is = Is::Frozen { until: Instant::now() + length };
        Ok(Some(place.label.clone()))
    }

    /// Tells the one there, or another that runs, to stop. Answers whom; nobody, when it is the last one that does.
    pub(crate) fn stop(&mut self, place: usize) -> io::Result<Option<String>> {
        let Some(place) = self.running_from(place) else { return Ok(None) };
        signal("TERM", &place.child)?;
        place.is = Is::Stopping { since: Instant::now() };
        Ok(Some(place.label.clone()))
    }

    /// The first that runs, from that place on; none, when it is the last one.
    fn running_from(&mut self, place: usize) -> Option<&mut Place> {
        let running = self.places.iter().filter(|place| place.is == Is::Running).count();
        let (before, after) = self.places.split_at_mut(place);
        let mut found = after.iter_mut().chain(before).filter(|place| place.is == Is::Running);
        if running > 1 { found.next() } else { None }
    }

    /// Wakes the frozen whose time has come, and puts others in the places of those that ended.
    pub(crate) async fn tend(&mut self, database: &Database) -> Result<(), Failure> {
        for number in 0..self.places.len() {
            self.thaw(number, Instant::now())?;
            if let Some(status) = self.places[number].child.try_wait()? {
                self.note_crash(number, status, database).await?;
                let generation = self.places[number].generation + 1;
                let label = format!("w{number}.{generation}");
                let child = self.spawn(&label)?;
                self.places[number] = Place { label, generation, child, is: Is::Running };
            } else if matches!(self.places[number].is, Is::Stopping { since } if since.elapsed() > STOPPING) {
                let label = self.kill(number)?;
                database.note("crashed", &format!("{label} (did not stop)")).await?;
            }
        }
        Ok(())
    }

    fn thaw(&mut self, place: usize, by: Instant) -> io::Result<()> {
        let place = &mut self.places[place];
        if matches!(place.is, Is::Frozen { until } if until <= by) {
            signal("CONT", &place.child)?;
            place.is = Is::Running;
        }
        Ok(())
    }

    /// Whoever was not killed has to end well, and only when it was told to. It hears the signal by the time it has a
    /// ledger; before that the signal ends it.
    async fn note_crash(&self, place: usize, status: ExitStatus, database: &Database) -> Result<(), Failure> {
        let Place { label, is, .. } = &self.places[place];
        let is_well = match is {
            Is::Killed => true,
            Is::Stopping { .. } => status.success() || !Ledger::file(&self.ledgers, label).exists(),
            Is::Running | Is::Frozen { .. } => false,
        };
        if is_well { Ok(()) } else { database.note("crashed", &format!("{label} ({status})")).await }
    }

    /// Nobody is frozen any more.
    pub(crate) fn thaw_all(&mut self) -> io::Result<()> {
        let by = Instant::now() + Duration::from_secs(3_600);
        (0..self.places.len()).try_for_each(|place| self.thaw(place, by))
    }

    /// Tells all to stop, and waits until they have.
    pub(crate) async fn stop_all(&mut self, database: &Database) -> Result<(), Failure> {
        for place in &mut self.places {
            if place.is == Is::Running {
                signal("TERM", &place.child)?;
                place.is = Is::Stopping { since: Instant::now() };
            }
        }
        let since = Instant::now();
        for number in 0..self.places.len() {
            let status = loop {
                match self.places[number].child.try_wait()? {
                    Some(status) => break status,
                    None if since.elapsed() > STOPPING => {
                        self.places[number].child.kill()?;
                        break self.places[number].child.wait()?;
                    }
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            self.note_crash(number, status, database).await?;
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for place in &mut self.places {
            // It may have ended; whoever is frozen would not notice that we have.
            let _ = place.child.kill();
            let _ = place.child.wait();
        }
    }
}

/// Through the program of that name: the standard library sends no signal but one.
fn signal(name: &str, child: &Child) -> io::Result<()> {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -{name} failed: {status}"))) }
}
