//! The program: what it prints, and that it shows a seed that breaks a rule the same way every time.

use std::process::{Command, Output};

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulate")).args(arguments).output().expect("it was built")
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it prints text")
}

#[test]
fn seeds_that_break_no_rule_are_counted() {
    let output = simulate(&["--seed", "3", "--seeds", "2"]);
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.parse::<u64>().ok()).unwrap_or_else(|| panic!("{name} in {text}"))
    };
    assert_eq!((number("seeds: "), number("violations: ")), (2, 0));
    assert!(number("events: ") > 0 && number("handlers: ") > 0);
}

#[test]
fn a_trace_is_shown_and_the_same_every_time() {
    let [one, two] = [(); 2].map(|()| printed(&simulate(&["--seed", "3", "--trace"])));
    assert!(one.lines().count() > 50, "{one}");
    assert_eq!(one, two);
}

#[test]
fn a_seed_that_breaks_a_rule_is_shown_and_replayed_exactly() {
    let defect = ["--defect", "backoff-ignored"];
    let found = simulate(&[&defect[..], &["--seeds", "1000", "--threads", "1"]].concat());
    assert_eq!(found.status.code(), Some(1));
    let found = printed(&found);
    let (_, again) =
        found.split_once("\nagain: scripts/simulate --seed ").expect("it says how to see it again");
    let seed = again.split_whitespace().next().expect("a seed");
    let again = printed(&simulate(&[&defect[..], &["--seed", seed]].concat()));
    let trace = |text: &str| text.split("\nseeds: ").next().map(str::to_owned);
    assert_eq!(trace(&found), trace(&again));
    assert!(found.contains("violations: 1") && again.contains("broken: "), "{again}");
}

#[test]
fn a_mistake_that_is_not_known_is_refused_with_those_that_are() {
    let output = simulate(&["--defect", "none-such"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("NoFence") && text.contains("MostRecentDoubled"), "{text}");
}
