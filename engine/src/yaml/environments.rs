//! What differs in an environment, laid over the rest of a template.

use crate::document::shape::Findings;
use crate::document::{Data, Fault, Mistake, Node, Pair};
use crate::template::nearest;
use crate::{BuildError, StepName};

/// The template as it is in that environment, without the others. Every environment is checked, whichever is wanted.
pub(super) fn apply(mut root: Node, wanted: Option<&str>, findings: &mut Findings) -> Node {
    let Some(environments) = take(&mut root, "environments") else { return root };
    check_steps(&root, &environments, findings);
    let Some(wanted) = wanted else { return root };
    match environments.get(wanted) {
        Some(overlay) => lay_over(&mut root, overlay),
        None => {
            let known = environments.pairs().iter().map(|pair| &*pair.key);
            let fault = Fault::UnknownEnvironment {
                name: wanted.to_owned(),
                nearest: nearest(wanted, known.clone()),
                known: known.map(ToOwned::to_owned).collect(),
            };
            findings.unknown(Mistake::new(&environments.at, fault));
        }
    }
    root
}

fn take(root: &mut Node, key: &str) -> Option<Node> {
    let Data::Map(pairs) = &mut root.data else { return None };
    let place = pairs.iter().position(|pair| pair.key == key)?;
    Some(pairs.remove(place).node)
}

fn steps(node: &Node) -> &[Node] {
    node.get("step_templates").map_or(&[], Node::items)
}

fn check_steps(root: &Node, environments: &Node, findings: &mut Findings) {
    let names: Vec<_> = steps(root).iter().filter_map(|step| step.text("name")).collect();
    for environment in environments.pairs() {
        for step in steps(&environment.node) {
            let Some(name) = step.text("name").filter(|name| !names.contains(name)) else { continue };
            let error = BuildError::UnknownStep {
                environment: environment.key.clone(),
                step: StepName::from(name),
                nearest: nearest(name, names.iter().copied()),
            };
            findings.mistake(&step.get("name").unwrap_or(step).at, error);
        }
    }
}

fn lay_over(root: &mut Node, overlay: &Node) {
    let Data::Map(pairs) = &mut root.data else { return };
    for pair in overlay.pairs() {
        match pairs.iter_mut().find(|own| own.key == pair.key) {
            Some(own) if pair.key == "step_templates" => steps_over(&mut own.node, &pair.node),
            Some(own) => merge(own, pair),
            None if pair.key == "step_templates" => {}
            None => pairs.push(pair.clone()),
        }
    }
}

fn steps_over(steps: &mut Node, overlay: &Node) {
    let Data::List(steps) = &mut steps.data else { return };
    for changed in overlay.items() {
        let named =
            |step: &&mut Node| step.text("name").is_some() && step.text("name") == changed.text("name");
        let Some(Data::Map(own)) = steps.iter_mut().find(named).map(|step| &mut step.data) else { continue };
        for pair in changed.pairs() {
            match own.iter_mut().find(|own| own.key == pair.key) {
                Some(own) => merge(own, pair),
                None => own.push(pair.clone()),
            }
        }
    }
}

/// Maps are merged, whatever else is replaced.
fn merge(own: &mut Pair, pair: &Pair) {
    match (&mut own.node.data, &pair.node.data) {
        (Data::Map(fields), Data::Map(more)) => {
            for pair in more {
                match fields.iter_mut().find(|own| own.key == pair.key) {
                    Some(own) => merge(own, pair),
                    None => fields.push(pair.clone()),
                }
            }
        }
        _ => *own = pair.clone(),
    }
}
