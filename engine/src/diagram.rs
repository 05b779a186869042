//! A workflow as a picture: Mermaid text, which many pages and editors draw.

use std::collections::HashMap;
use std::fmt::Write;

use crate::{StepPhase, StepRecord, TaskRecord, Template};

/// A flow chart of a template.
pub(crate) fn mermaid(template: &Template) -> String {
    let steps = &template.step_templates;
    let places: HashMap<_, _> = steps.iter().enumerate().map(|(place, step)| (&step.name, place)).collect();
    let mut chart = Chart::new();
    for (place, step) in steps.iter().enumerate() {
        let parents = step.dependencies().into_iter().filter_map(|name| places.get(name).copied());
        chart.step(place, &step.name, parents, None);
    }
    chart.text()
}

/// A flow chart of a task, its steps coloured by what they are doing.
pub(crate) fn mermaid_of_task(task: &TaskRecord, phase_of: impl Fn(&StepRecord) -> StepPhase) -> String {
    let mut chart = Chart::new();
    for (place, step) in task.steps.iter().enumerate() {
        let parents = step.parents.iter().filter_map(|parent| task.position(*parent));
        chart.step(place, &step.name, parents, Some(phase_of(step)));
    }
    chart.text()
}

struct Chart {
    nodes: String,
    edges: String,
    coloured: bool,
}

impl Chart {
    fn new() -> Self {
        Self { nodes: String::from("flowchart TD\n"), edges: String::new(), coloured: false }
    }

    fn step(
        &mut self,
        place: usize,
        name: &str,
        parents: impl Iterator<Item = usize>,
        phase: Option<StepPhase>,
    ) {
        let class = phase.map_or(String::new(), |phase| format!(":::{}", class_of(phase)));
        self.coloured |= phase.is_some();
        // Writing to a String cannot fail.
        let _ = writeln!(self.nodes, "    s{place}[\"{}\"]{class}", escaped(name));
        for parent in parents {
            let _ = writeln!(self.edges, "    s{parent} --> s{place}");
        }
    }

    fn text(self) -> String {
        let Self { nodes, edges, coloured } = self;
        nodes + &edges + if coloured { CLASSES } else { "" }
    }
}

const CLASSES: &str = concat!(
    "    classDef done fill:#d5f5d5,stroke:#2e7d32\n",
    "    classDef failed fill:#f8d7da,stroke:#b71c1c\n",
    "    classDef active fill:#d6e8fa,stroke:#1565c0\n",
    "    classDef waiting fill:#fff4d6,stroke:#b58900\n",
    "    classDef idle fill:#eeeeee,stroke:#888888\n",
);

const fn class_of(phase: StepPhase) -> &'static str {
    match phase {
        StepPhase::Completed | StepPhase::ResolvedManually => "done",
        StepPhase::Failed => "failed",
        StepPhase::Running | StepPhase::Ready => "active",
        StepPhase::WaitingForRetry => "waiting",
        StepPhase::Pending | StepPhase::Skipped | StepPhase::Cancelled => "idle",
    }
}

/// Mermaid takes entities in labels, so that a name can be any text.
pub(crate) fn escaped(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            '"' | '<' | '>' | '#' | '&' | '`' | ';' => format!("#{};", u32::from(letter)),
            letter if letter.is_control() => " ".to_owned(),
            letter => letter.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StepName, StepTemplate, Version};

    #[test]
    fn names_are_escaped_and_edges_drawn() {
        let mut template = Template::new("n", "w", Version(1, 0, 0));
        let child =
            StepTemplate { depends_on_steps: vec![StepName::from("a\"<b")], ..StepTemplate::new("c", "h") };
        template.step_templates = vec![StepTemplate::new("a\"<b", "h"), child];
        let text = mermaid(&template);
        assert_eq!(text, "flowchart TD\n    s0[\"a#34;#60;b\"]\n    s1[\"c\"]\n    s0 --> s1\n");
    }
}
