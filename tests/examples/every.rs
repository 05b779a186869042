//! What every example does.

use std::process::Command;

use crate::build_order::package;
use crate::tools::{file, program, run, say};
use crate::wfformat::bread;

#[test]
fn help_says_what_it_is_for_and_what_the_exit_codes_mean() {
    for (name, words) in [
        (
            "build_order",
            ["Usage: build_order [OPTIONS] [Cargo.lock]", "--database <URL|temporary>", "Exit code: 0"],
        ),
        ("wfformat", ["Usage: wfformat [OPTIONS] <FILE>...", "--audit <FILE>", "Exit code: 0"]),
    ] {
        let run = run(name, &["--help"]);
        assert_eq!((run.code, &*run.stderr), (0, ""));
        words.iter().for_each(|word| assert!(run.stdout.contains(word), "{word} in {run:?}"));
    }
}

/// The program may have been built with the feature, though this test was not.
#[test]
fn a_database_that_cannot_be_meant_is_refused() {
    for (name, input) in [("build_order", None), ("checkout", None), ("wfformat", Some(bread()))] {
        let arguments: Vec<_> = ["--database", "nowhere"].into_iter().chain(input.as_deref()).collect();
        let run = run(name, &arguments);
        run.is_refused_with("invalid value 'nowhere' for '--database <URL|temporary>': ");
        let says = ["build it with `--features postgres`", "neither `temporary` nor a URL"];
        assert!(says.iter().any(|says| run.stderr.contains(says)), "{run:?}");
    }
}

#[test]
fn a_diagram_is_mermaid_and_nothing_else() {
    let lock = file("diagram.lock", &(package("a", &["b"]) + &package("b", &[])));
    for (name, input, line) in
        [("build_order", &*lock, "    s1 --> s0"), ("wfformat", &bread(), "    s12[\"cool\"]:::done")]
    {
        let run = run(name, &["--diagram", input]);
        assert_eq!((run.code, &*run.stderr), (0, ""));
        assert!(run.stdout.starts_with("flowchart TD\n"), "{run:?}");
        assert!(run.stdout.lines().any(|found| found == line), "{run:?}");
        assert!(!run.stdout.contains("steps:") && !run.stdout.contains("packages:"), "{run:?}");
    }
}

#[test]
fn what_is_piped_has_neither_colours_nor_a_bar() {
    for run in [run("build_order", &[]), run("wfformat", &[&bread()]), run("wfformat", &["no/such.json"])] {
        assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'), "{run:?}");
        assert_eq!(run.stderr.is_empty(), run.code == 0, "{run:?}");
    }
}

#[test]
fn on_a_terminal_there_is_a_bar_and_colour_unless_unwanted() {
    if !cfg!(target_os = "linux") || Command::new("script").arg("--version").output().is_err() {
        return say("terminals not tried: there is no program `script` from util-linux here");
    }
    for (wish, coloured) in [("", true), ("1", false)] {
        let mut script = Command::new("script");
        script.args(["-qec", program("build_order").to_str().unwrap(), "/dev/null"]);
        let output =
            script.env("NO_COLOR", wish).env("TERM", "xterm-256color").env_remove("CLICOLOR_FORCE").output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(text.contains("building ") && text.contains("░"), "a bar in {text}");
        assert!(text.contains("order: verified"), "{text}");
        assert_eq!(
            text.contains("\x1b[32m") || text.contains("\x1b[38;"),
            coloured,
            "NO_COLOR={wish} {text}"
        );
    }
}
