//! A workflow as a picture: Mermaid text, which many pages and editors draw.

use std::collections::HashMap;
use std::fmt::Write;

use crate::{StepPhase, StepTemplate, Template};

/// A flow chart of a template; steps whose phase is known are coloured by it.
pub(crate) fn mermaid(template: &Template, phase_of: impl Fn(&StepTemplate) -> Option<StepPhase>) -> String {
    let steps = &template.step_templates;
    let places: HashMap<_, _> = steps.iter().enumerate().map(|(place, step)| (&step.name, place)).collect();
    let mut text = String::from("flowchart TD\n");
    for (place, step) in steps.iter().enumerate() {
        let class = phase_of(step).map_or(String::new(), |phase| format!(":::{}", class_of(phase)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    s{place}[\"{}\"]{class}", escaped(&step.name));
    }
    for (place, step) in steps.iter().enumerate() {
        for parent in step.dependencies().into_iter().filter_map(|name| places.get(name)) {
            let _ = writeln!(text, "    s{parent} --> s{place}");
        }
    }
    if steps.iter().any(|step| phase_of(step).is_some()) {
        text.push_str(CLASSES);
    }
    text
}

const CLASSES: &str = "    classDef done fill:#d5f5d5,stroke:#2e7d32\n    classDef failed fill:#f8d7da,stroke:#b71c1c\n    \
                       classDef active fill:#d6e8fa,stroke:#1565c0\n    classDef waiting fill:#fff4d6,stroke:#b58900\n    \
                       classDef idle fill:#eeeeee,stroke:#888888\n";

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
fn escaped(name: &str) -> String {
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
    use crate::{StepName, Version};

    #[test]
    fn names_are_escaped_and_edges_drawn() {
        let mut template = Template::new("n", "w", Version(1, 0, 0));
        let child =
            StepTemplate { depends_on_steps: vec![StepName::from("a\"<b")], ..StepTemplate::new("c", "h") };
        template.step_templates = vec![StepTemplate::new("a\"<b", "h"), child];
        let text = mermaid(&template, |_| None);
        assert_eq!(text, "flowchart TD\n    s0[\"a#34;#60;b\"]\n    s1[\"c\"]\n    s0 --> s1\n");
    }
}
