//! `from_yaml`: a workflow from a file, and every mistake of a bad one.

use crate::tools::{ROOT, Run, file, run};

fn data(name: &str) -> String {
    format!("{ROOT}/examples/data/{name}")
}

#[test]
fn a_template_in_the_references_keys_runs() {
    let run = run("from_yaml", &[&data("order_processing.yaml")]);
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
    assert_eq!(run.value("workflow"), "ecommerce/process_order 1.0.0");
    assert_eq!((run.value("state"), run.number("steps"), run.number("retries")), ("complete", 5, 1));
    assert_eq!(run.number("total_cents"), 12_476);
    assert!(run.value("order").starts_with("ORD-tasker-"), "{run:?}");
}

#[test]
fn an_environment_is_chosen_by_name() {
    let template = data("order_processing.yaml");
    let ok = run("from_yaml", &["--check", "--environment", "development", &template]);
    assert_eq!((ok.code, &*ok.stdout), (0, "ecommerce/process_order 1.0.0: 5 steps, no mistakes\n"));
    let unset = run("from_yaml", &["--check", "--environment", "production", &template]);
    unset.is_refused_with("handler_config: `gateway`: the environment variable `PAYMENT_HOST` is not set");
}

#[test]
fn a_context_that_does_not_fit_is_refused_with_pointers() {
    let context =
        file("context.json", r#"{"cart_items": [], "payment_info": {"token": 1}, "priority": "now"}"#);
    let run = run("from_yaml", &["--context", &context, &data("order_processing.yaml")]);
    for pointer in ["`/cart_items`", "`/payment_info/token`", "`/priority`", "customer_info"] {
        run.is_refused_with(pointer);
    }
}

/// The mistakes of a file: its lines that name it.
fn mistakes(name: &str) -> Vec<String> {
    let run: Run = run("from_yaml", &["--check", &data(name)]);
    assert_eq!((run.code, &*run.stdout), (2, ""), "{run:?}");
    let of_file = run.stderr.lines().filter_map(|line| line.split_once(&format!("{name}:")));
    of_file.map(|(_, mistake)| mistake.to_owned()).collect()
}

fn are_told(name: &str, starts: &[&str]) {
    let told = mistakes(name);
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (mistake, start) in told.iter().zip(starts) {
        assert!(mistake.starts_with(start), "{mistake}\n{start}");
    }
}

#[test]
fn every_mistake_of_a_bad_template_is_told_with_its_place() {
    are_told(
        "bad/misspelt.yaml",
        &[
            "3:1: `namespace` is not a key of a template; did you mean `namespace_name`?",
            "4:10: version `v1.0` is not three dotted numbers",
            "7:20: step `validate_cart`: no handler `validate_card` (did you mean `validate_cart`?)",
            "10:22: step `process_payment` waits for `validate_crat`",
            "11:5: `retry_limit` is not a key of a step; did you mean `default_retry_limit`?",
            "12:21: step `process_payment`: handler_config: missing field `gateway`",
            "12:23: step `process_payment`: handler_config: `gatway`: no such key in the configuration of this handler; did you mean `gateway`?",
            "15:23: `depends_on_steps` must be a list (write [process_payment])",
            "16:16: `skippable` must be true or false (write `true`)",
        ],
    );
    are_told(
        "bad/cycle.yaml",
        &[
            "5:84: steps wait for each other: validate_cart → update_inventory → create_order → validate_cart",
            "6:101: step `create_order` waits for `send_mail`",
            "7:86: step `send_confirmation` waits for itself",
            "9:13: two steps are named `refund`",
        ],
    );
}

#[test]
fn bombs_and_what_is_no_yaml_are_refused_at_once() {
    are_told("bad/bomb.yaml", &["7:"]);
    are_told("bad/syntax.yaml", &["6:"]);
    assert_eq!(mistakes("bad/values.yaml").len(), 11, "{:#?}", mistakes("bad/values.yaml"));
}
