//! Reads WfFormat 1.5: a scientific workflow, and how long each of its steps took when it was run.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::micros::Micros;

/// A published execution, in the order of its file.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) steps: Vec<Step>,
}

/// A task of the file.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// The ids of the tasks that it waits for.
    pub(crate) parents: Vec<String>,
    /// How long it took.
    pub(crate) runtime: Micros,
}

impl Instance {
    /// Reads the text of a file. Whether the parents of a step exist, and wait for nothing that waits for them, is left
    /// to the definition.
    ///
    /// # Errors
    /// All mistakes, each with its place; only the first where the text has another form.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let file = File::parse(text).map_err(|mistake| vec![mistake])?;
        let mut mistakes = vec![];
        let Workflow { specification, execution } = file.workflow;
        let specified: HashSet<String> = specification.tasks.iter().map(|task| task.id.clone()).collect();
        let runtimes = runtimes(&execution.tasks, &specified, &mut mistakes);
        let mut steps = vec![];
        for (place, Specified { id, parents }) in specification.tasks.into_iter().enumerate() {
            match runtimes.get(&*id) {
                Some(runtime) => steps.push(Step { id, parents, runtime: *runtime }),
                None => mistakes.push(format!(
                    "workflow.specification.tasks[{place}]: `{id}` is not in workflow.execution.tasks"
                )),
            }
        }
        if mistakes.is_empty() { Ok(Self { steps }) } else { Err(mistakes) }
    }

    /// Where in the file the steps of that id stand.
    pub(crate) fn places_of(&self, id: &str) -> String {
        let steps = self.steps.iter().enumerate().filter(|(_, step)| step.id == id);
        let places: Vec<_> =
            steps.map(|(place, _)| format!("workflow.specification.tasks[{place}]")).collect();
        places.join(" and ")
    }
}

fn runtimes<'a>(
    tasks: &'a [Executed<'_>],
    specified: &HashSet<String>,
    mistakes: &mut Vec<String>,
) -> HashMap<&'a str, Micros> {
    let mut runtimes = HashMap::new();
    for (place, task) in tasks.iter().enumerate() {
        let (at, id, number) =
            (format!("workflow.execution.tasks[{place}]"), &*task.id, task.runtime_in_seconds.get());
        let runtime = Micros::of_seconds(number);
        if runtime.is_none() {
            mistakes.push(format!(
                "{at}.runtimeInSeconds: {number} of `{id}` is not a length of time in seconds"
            ));
        }
        if !specified.contains(id) {
            mistakes.push(format!("{at}: `{id}` is not in workflow.specification.tasks"));
        }
        // What cannot be read has been told; it need not be missed as well.
        if runtimes.insert(id, runtime.unwrap_or(Micros(0))).is_some() {
            mistakes.push(format!("{at}: `{id}` stands there twice"));
        }
    }
    runtimes
}

/// The part of the format that is needed here. Edges stand twice in a file, as `parents` and as `children`; the figures
/// that are published go by the former.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    workflow: Workflow<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    schema_version: String,
}

#[derive(Deserialize)]
struct Workflow<'a> {
    specification: Specification,
    #[serde(borrow)]
    execution: Execution<'a>,
}

#[derive(Deserialize)]
struct Specification {
    tasks: Vec<Specified>,
}

#[derive(Deserialize)]
struct Specified {
    id: String,
    #[serde(default)]
    parents: Vec<String>,
}

#[derive(Deserialize)]
struct Execution<'a> {
    #[serde(borrow)]
    tasks: Vec<Executed<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed<'a> {
    id: String,
    /// As text, for a number that was once a binary fraction is no longer exact.
    #[serde(borrow)]
    runtime_in_seconds: &'a RawValue,
}

impl<'a> File<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        // The version first: another one may have another form.
        let version: Version = decoded(text)?;
        match version.schema_version {
            known if known == "1.5" => decoded(text),
            other => Err(format!("schemaVersion: `{other}` is not understood, only `1.5` is")),
        }
    }
}

fn decoded<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string() {
            // Where there is no path, the text is no JSON, and the place is in the message.
            nowhere if nowhere == "." || nowhere == "?" => error.inner().to_string(),
            path => format!("{path}: {}", error.inner()),
        })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(specified: &str, executed: &str) -> String {
        format!(
            r#"{{"schemaVersion": "1.5", "workflow": {{
                "specification": {{"tasks": [{specified}]}},
                "execution": {{"tasks": [{executed}]}}}}}}"#
        )
    }

    #[test]
    fn a_runtime_is_read_from_its_digits() {
        let executed =
            r#"{"id": "b", "runtimeInSeconds": 0.1}, {"id": "a", "runtimeInSeconds": 9007199254.740993}"#;
        let text = file(r#"{"id": "a"}, {"id": "b", "parents": ["a"]}"#, executed);
        let instance = Instance::parse(&text).unwrap();
        assert_eq!(instance.places_of("b"), "workflow.specification.tasks[1]");
        let Instance { steps } = instance;
        assert_eq!((&*steps[0].id, steps[0].runtime), ("a", Micros(9_007_199_254_740_993)));
        assert_eq!(
            (&*steps[1].id, steps[1].runtime, &*steps[1].parents),
            ("b", Micros(100_000), &["a".to_owned()][..])
        );
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let executed = r#"{"id": "b", "runtimeInSeconds": "1"}, {"id": "c", "runtimeInSeconds": 1},
            {"id": "b", "runtimeInSeconds": 1}"#;
        let mistakes = Instance::parse(&file(r#"{"id": "a"}, {"id": "b"}"#, executed)).unwrap_err();
        assert_eq!(
            mistakes,
            [
                "workflow.execution.tasks[0].runtimeInSeconds: \"1\" of `b` is not a length of time in seconds",
                "workflow.execution.tasks[1]: `c` is not in workflow.specification.tasks",
                "workflow.execution.tasks[2]: `b` stands there twice",
                "workflow.specification.tasks[0]: `a` is not in workflow.execution.tasks",
            ]
        );
    }

    #[test]
    fn another_form_is_told_with_its_place() {
        for (text, says) in [
            (&*(file("", "") + "}"), "trailing characters at line 3 column"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            (r#"{"schemaVersion": "1.4"}"#, "schemaVersion: `1.4` is not understood, only `1.5` is"),
            (&file(r#"{"id": 7}"#, ""), "workflow.specification.tasks[0].id: invalid type: integer `7`"),
            (
                &file("", r#"{"id": "a"}"#),
                "workflow.execution.tasks[0]: missing field `runtimeInSeconds` at line 3",
            ),
        ] {
            let mistakes = Instance::parse(text).unwrap_err();
            assert!(matches!(&mistakes[..], [one] if one.starts_with(says)), "{mistakes:?}");
        }
    }
}
