//! Whatever a stranger sends: never a panic, never half of a workflow.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tasker::{Registry, TemplateReader, UnknownKeys, YamlLimits};

use crate::{all_handlers, read};

const FILES: [&str; 5] = [
    "process_order.yaml",
    "customer_analytics.yaml",
    "integration_yaml_example.yaml",
    "refunds/customer_success.yaml",
    "shapes/mixed.yaml",
];

/// What is put in somewhere.
const PIECES: [&str; 24] = [
    "",
    " ",
    "\n",
    "\t",
    ":",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!map ",
    "<<: *a\n",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "|\n",
    "---\n",
    "${X}",
    "null",
    "\u{0}",
    "é\u{feff}",
    "a: &a [*a, *a]\n",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(usize, usize),
    Delete(usize, usize),
    Swap(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = 0..10_000_usize;
    prop_oneof![
        (at.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (at.clone(), 1..40_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (at.clone(), at).prop_map(|(one, other)| Mutation::Swap(one, other)),
    ]
}

fn mutated(text: &str, mutations: &[Mutation]) -> String {
    let mut text = text.to_owned();
    for mutation in mutations {
        let place = |at: usize, text: &str| text.floor_char_boundary(at % (text.len() + 1));
        match *mutation {
            Mutation::Insert(at, piece) => text.insert_str(place(at, &text), PIECES[piece]),
            Mutation::Delete(at, length) => {
                let from = place(at, &text);
                let to = text.ceil_char_boundary((from + length).min(text.len()));
                text.replace_range(from..to, "");
            }
            Mutation::Swap(one, other) => {
                let mut lines: Vec<_> = text.split('\n').collect();
                let count = lines.len();
                lines.swap(one % count, other % count);
                text = lines.join("\n");
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_mutated_template_is_read_whole_or_refused_with_places(
        file in 0..FILES.len(), mutations in prop::collection::vec(mutation(), 1..6), warn: bool,
    ) {
        let handlers = all_handlers();
        let text = mutated(&read(FILES[file]), &mutations);
        let unknown_keys = if warn { UnknownKeys::Warn } else { UnknownKeys::Refuse };
        let reader = TemplateReader::new(&handlers).unknown_keys(unknown_keys).environment("test");
        let lines = u32::try_from(text.lines().count()).unwrap();
        let limits = YamlLimits { values: 5_000, ..YamlLimits::default() };
        match reader.limits(limits).text("t", &text) {
            Ok(file) => prop_assert!(!file.definition.template().name.is_empty()),
            Err(errors) => {
                prop_assert!(!errors.mistakes.is_empty());
                for mistake in &errors.mistakes {
                    prop_assert!(mistake.at.line().unwrap_or(0) <= lines + 1, "{mistake}");
                }
            }
        }
    }

    #[test]
    fn of_a_directory_with_a_mutated_template_all_is_registered_or_nothing(
        file in 0..FILES.len(), mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("templates").join("mutated");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("a.yaml"), read("shapes/tree.yaml")).unwrap();
        fs::write(directory.join("b.yaml"), mutated(&read(FILES[file]), &mutations)).unwrap();
        let handlers = all_handlers();
        let mut registry = Registry::new();
        match TemplateReader::new(&handlers).environment("test").directory(&directory) {
            Ok(files) => {
                let workflows = files.into_iter().map(|file| (file.definition, file.at.to_string()));
                prop_assert!(registry.register_all(workflows).is_ok());
                prop_assert_eq!(registry.len(), 2);
            }
            Err(errors) => prop_assert!(!errors.mistakes.is_empty()),
        }
    }
}
