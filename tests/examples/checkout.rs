//! `checkout`: hundreds of orders at once, and the same counts every time.

use std::fs;
use std::path::Path;

use crate::tools::{ROOT, Run, file, run};

/// Of the orders that come with the program, with the seed that it has by default. The reasons that lie in the orders
/// were counted without this engine.
const COUNTS: &str = "\
orders: 560
complete: 459
blocked_bad_quantity: 8
blocked_card_declined: 37
blocked_empty_cart: 17
blocked_out_of_stock: 14
blocked_unavailable: 8
blocked_unknown_product: 17
malformed: 0
retries: 220
steps: 2917
";

#[test]
fn two_runs_give_the_same_counts_and_every_order_is_in_them() {
    let runs = [run("checkout", &[]), run("checkout", &[])];
    for run in &runs {
        assert_eq!((run.code, &*run.stderr, counts(run)), (0, "", COUNTS), "{run:?}");
    }
    let run = &runs[0];
    let blocked = run.stdout.lines().filter(|line| line.starts_with("blocked_"));
    let blocked: usize = blocked.map(|line| line.split_once(": ").unwrap().1.parse::<usize>().unwrap()).sum();
    assert_eq!(run.number("complete") + blocked, orders().lines().count());
    assert!(run.number("steps_per_second") > 0, "{run:?}");
    let (table, _) = run.stdout.split_once("\n\n").unwrap();
    assert!(table.contains("│ complete "), "{table}");
    assert!(table.contains("│ blocked: card declined "), "{table}");
}

#[test]
fn another_seed_changes_what_does_not_answer_and_nothing_else() {
    let (one, two) = (run("checkout", &[]), run("checkout", &["--seed", "2"]));
    assert_eq!(two.code, 0, "{two:?}");
    for key in ["orders", "blocked_empty_cart", "blocked_unknown_product", "blocked_out_of_stock"] {
        assert_eq!(one.value(key), two.value(key), "{key}");
    }
    assert_ne!(one.value("retries"), two.value("retries"));
}

#[test]
fn a_malformed_line_is_reported_with_its_number_and_the_others_run() {
    let orders = orders();
    let mut lines: Vec<_> = orders.lines().take(5).collect();
    let late = lines[2].replace("\"id\"", "\"ident\"");
    lines[2] = &late;
    lines[4] = "{\"id\":\"W-1\", ";
    let path = file("malformed.jsonl", &lines.join("\n"));
    let run = run("checkout", &["--orders", &path]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!((run.number("orders"), run.number("malformed")), (3, 2));
    assert_eq!((run.number("complete"), run.number("blocked_empty_cart")), (2, 1), "{run:?}");
    let warnings: Vec<_> = run.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{run:?}");
    for (warning, says) in
        warnings.iter().zip(["line 3: `ident`: unknown field `ident`", "line 5: EOF while parsing"])
    {
        assert!(warning.starts_with(&format!("warning: {path}: {says}")), "{warning}");
    }
}

#[test]
fn a_file_without_a_single_order_is_refused() {
    let path = file("prose.jsonl", "Dear reader,\nthese are no orders.\n");
    run("checkout", &["--orders", &path])
        .is_refused_with(&format!("error: {path}: there is no order in it; line 1: expected value"));
    run("checkout", &["--orders", "no/such.jsonl"]).is_refused_with("error: no/such.jsonl: ");
    run("checkout", &["--order", "W-0"]).is_refused_with("there is no order `W-0`");
    run("checkout", &["--seed", "many"]).is_refused_with("--seed <N>");
    let empty = run("checkout", &["--orders", &file("empty.jsonl", "\n\n")]);
    assert_eq!(
        (empty.code, empty.value("orders"), empty.value("steps_per_second")),
        (0, "0", "0"),
        "{empty:?}"
    );
}

#[test]
fn one_order_is_shown_with_every_row_of_its_trail() {
    let run = run("checkout", &["--order", "W-40132"]);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let (table, lines) = run.stdout.split_once("\n\n").unwrap();
    assert_eq!(
        lines,
        "order: W-40132\ntask: 1\nstate: error\nresult: charge: mastercard …0027 was declined: it has expired\nretries: 0\n"
    );
    let rows: Vec<Vec<_>> =
        table.lines().skip(1).map(|line| line.split(['│', '┆']).map(str::trim).collect()).collect();
    let rows = rows.iter().filter(|cells| cells.len() > 5);
    let mut moves: Vec<_> = rows.clone().map(|cells| cells[1..4].join(" ")).collect();
    // Two that run at the same time end in either order.
    moves[4..8].sort();
    assert_eq!(
        moves,
        [
            "step from to",
            "(the order) pending in_progress",
            "validate pending in_progress",
            "validate in_progress complete",
            "price in_progress complete",
            "price pending in_progress",
            "reserve in_progress complete",
            "reserve pending in_progress",
            "charge pending in_progress",
            "charge in_progress error",
            "(the order) in_progress error",
        ]
    );
    let (at, says): (Vec<_>, Vec<_>) = rows.map(|cells| (cells[4], cells[5])).skip(1).unzip();
    assert!(at.is_sorted(), "{at:?}");
    assert!(
        says[8].contains("error_code: CARD_DECLINED, error_message: mastercard …0027 was declined"),
        "{says:?}"
    );
    assert!(says[9].contains("error_steps: [\"charge\"]"), "{says:?}");
}

#[test]
fn an_order_whose_gateway_did_not_answer_is_tried_again_until_no_attempt_is_left() {
    let run = run("checkout", &["--order", "W-40131"]);
    assert_eq!((run.value("retries"), run.value("state")), ("2", "error"), "{run:?}");
    for says in
        ["backoff_seconds: 0.01,", "backoff_seconds: 0.02,", "attempt_number: 3, ", "retry_available: false"]
    {
        assert!(run.stdout.contains(says), "{says} in {run:?}");
    }
}

#[test]
fn the_diagram_is_of_the_workflow_or_of_what_became_of_one_order() {
    let workflow = run("checkout", &["--diagram"]);
    let expected = "\
flowchart TD
    s0[\"validate\"]
    s1[\"price\"]
    s2[\"reserve\"]
    s3[\"charge\"]
    s4[\"ship\"]
    s5[\"notify\"]
    s0 --> s1
    s0 --> s2
    s1 --> s3
    s2 --> s3
    s3 --> s4
    s3 --> s5
    s4 --> s5
";
    assert_eq!((workflow.code, &*workflow.stdout, &*workflow.stderr), (0, expected, ""));
    let order = run("checkout", &["--diagram", "--order", "W-40157"]);
    assert_eq!((order.code, &*order.stderr), (0, ""));
    let steps: Vec<_> =
        order.stdout.lines().filter_map(|line| line.split_once("]:::")).map(|(_, is)| is).collect();
    assert_eq!(steps, ["done", "done", "failed", "idle", "idle", "idle"], "{order:?}");
    assert!(!order.stdout.contains("state:"), "{order:?}");
}

#[test]
fn help_says_what_it_is_for_and_what_the_exit_codes_mean() {
    let run = run("checkout", &["--help"]);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    for word in [
        "Usage: checkout [OPTIONS]",
        "--orders <FILE>",
        "--order <ID>",
        "--seed <N>",
        "--database <URL|temporary>",
        "Exit code: 0",
    ] {
        assert!(run.stdout.contains(word), "{word} in {run:?}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_database_gives_the_same_counts() {
    let run = run("checkout", &["--database", "temporary"]);
    assert_eq!((run.code, &*run.stderr, counts(&run)), (0, "", COUNTS), "{run:?}");
    let gone = crate::tools::run("checkout", &["--database", "postgres://nobody@127.0.0.1:1/shop"]);
    assert_eq!((gone.code, &*gone.stdout), (1, ""), "{gone:?}");
}

/// The lines that are the same in every run.
fn counts(run: &Run) -> &str {
    let (_, lines) = run.stdout.split_once("\n\n").unwrap();
    lines.split_once("steps_per_second: ").unwrap().0
}

fn orders() -> String {
    fs::read_to_string(Path::new(ROOT).join("examples/data/orders.jsonl")).unwrap()
}
