//! Simulates as many seeds as one likes, and shows the first that breaks a rule.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tasker_simulator::{Counts, Run, simulate_with};
use tasker_storage::memory::defects::Defect;

/// Runs whole engines on a faulty storage and queue, from a seed, and checks every rule after every event.
///
/// A seed that breaks a rule is shown with everything that happened; `--seed` alone runs it again, exactly.
#[derive(Parser)]
#[command(name = "simulate", after_help = AFTER_HELP)]
struct Arguments {
    /// How many seeds, one after the other; 1 where `--seed` says which
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,

    /// The first seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// How many run at a time; as many as there are cores
    #[arg(long, value_name = "THREADS")]
    threads: Option<NonZeroUsize>,

    /// Show what happens although no rule is broken
    #[arg(long)]
    trace: bool,

    /// Let the storage make a mistake, to see it found
    #[arg(long, value_name = "MISTAKE", value_parser = mistake)]
    defect: Option<Defect>,
}

/// A mistake by its name, in any case and with dashes or without.
fn mistake(text: &str) -> Result<Defect, String> {
    let wanted = text.replace('-', "").to_ascii_lowercase();
    let named = |defect: &Defect| format!("{defect:?}").to_ascii_lowercase() == wanted;
    Defect::ALL.into_iter().find(named).ok_or_else(|| format!("choose one of {:?}", Defect::ALL))
}

const AFTER_HELP: &str = "\
Exit code: 0 when no rule was broken, 1 when one was, 2 for arguments that cannot be used.";

/// Where neither `--seeds` nor `--seed` says how many.
const SEEDS: u64 = 1_000;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let first = arguments.seed.unwrap_or(0);
    let seeds = arguments.seeds.unwrap_or(if arguments.seed.is_some() { 1 } else { SEEDS });
    let threads =
        arguments.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let simulation = Simulation { defect: arguments.defect };
    let total = simulation.all(first, seeds, threads, arguments.trace);
    match simulation.report(&total) {
        Ok(()) if total.broken.is_none() => ExitCode::SUCCESS,
        // Nobody is there to read, or a rule was broken.
        _ => ExitCode::FAILURE,
    }
}

/// What came of all seeds.
#[derive(Default)]
struct Total {
    seeds: u64,
    counts: Counts,
    /// Of those that broke a rule, the first.
    broken: Option<Run>,
}

/// What is run for each seed.
struct Simulation {
    defect: Option<Defect>,
}

impl Simulation {
    fn run(&self, seed: u64, keeps_trace: bool) -> Run {
        simulate_with(self.defect, seed, keeps_trace)
    }

    fn all(&self, first: u64, seeds: u64, threads: usize, shows: bool) -> Total {
        let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        let total = Mutex::new(Total::default());
        let progress = ProgressBar::new(seeds).with_style(style());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        if place >= seeds {
                            break;
                        }
                        let run = self.run(first.wrapping_add(place), false);
                        is_over.fetch_or(run.violation.is_some(), Ordering::Relaxed);
                        total.lock().expect("nothing panics while it adds").add(run);
                        progress.inc(1);
                    }
                });
            }
        });
        progress.finish_and_clear();
        let mut total = total.into_inner().expect("nothing panics while it adds");
        if shows && seeds == 1 && total.broken.is_none() {
            print_lines(&self.run(first, true).trace);
        }
        // The same once more, with everything that happened.
        total.broken = total.broken.map(|run| self.run(run.seed, true));
        total
    }

    fn report(&self, total: &Total) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if let Some(Run { seed, violation: Some(violation), trace, .. }) = &total.broken {
            for line in trace {
                writeln!(out, "{line}")?;
            }
            let with = self.defect.map(|defect| format!(" --defect {defect:?}")).unwrap_or_default();
            writeln!(out, "\nseed {seed}\n{violation}\nagain: scripts/simulate --seed {seed}{with}\n")?;
        }
        let Counts { events, faults, crashes, runs, simulated, met } = &total.counts;
        writeln!(out, "seeds: {}", total.seeds)?;
        writeln!(out, "events: {events}")?;
        writeln!(out, "handlers: {runs}")?;
        writeln!(out, "faults: {faults}")?;
        writeln!(out, "crashes: {crashes}")?;
        writeln!(out, "simulated: {} h", simulated.as_secs() / Duration::from_hours(1).as_secs())?;
        writeln!(out, "met: {met}")?;
        writeln!(out, "violations: {}", u8::from(total.broken.is_some()))?;
        out.flush()
    }
}

impl Total {
    fn add(&mut self, run: Run) {
        self.seeds += 1;
        self.counts += &run.counts;
        let is_first = self.broken.as_ref().is_none_or(|broken| run.seed < broken.seed);
        if run.violation.is_some() && is_first {
            self.broken = Some(run);
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} seeds, {per_sec}, {eta} left");
    style.expect("the template is sound")
}

fn print_lines(lines: &[String]) {
    let mut out = io::stdout().lock();
    for line in lines {
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
}
