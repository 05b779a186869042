//! Keys of a `handler_config` that its handler does not know: all of them, each at its place.

use crate::document::shape::Findings;
use crate::document::{Data, Mistake, Node};
use crate::{BuildError, Entry, HandlerName, Handlers, Misfit, StepName, variables};

/// Tells the unknown keys, and takes them out, so that whatever else is wrong is found too.
pub(super) fn check(root: &mut Node, handlers: &Handlers, findings: &mut Findings) {
    let Data::Map(pairs) = &mut root.data else { return };
    let steps = pairs.iter_mut().filter(|pair| pair.key == "step_templates");
    for step in steps.filter_map(|pair| list(&mut pair.node)).flatten() {
        let names = step.text("name").zip(step.text("handler_class"));
        let Some((name, handler)) =
            names.map(|(name, handler)| (StepName::from(name), HandlerName::from(handler)))
        else {
            continue;
        };
        if let (Ok(entry), Data::Map(pairs)) = (handlers.find(&name, &handler), &mut step.data)
            && let Some(config) = pairs.iter_mut().find(|pair| pair.key == "handler_config")
        {
            take_out(&name, entry, &mut config.node, findings);
        }
    }
}

fn list(node: &mut Node) -> Option<&mut Vec<Node>> {
    match &mut node.data {
        Data::List(items) => Some(items),
        _ => None,
    }
}

fn take_out(step: &StepName, entry: &Entry, config: &mut Node, findings: &mut Findings) {
    while let Some(misfit) = unknown_key(entry, config) {
        let Some(pair) = config.remove(&misfit.path) else { return };
        let error = BuildError::HandlerConfig { step: step.clone(), misfit };
        findings.unknown(Mistake::new(&pair.at, error));
    }
}

fn unknown_key(entry: &Entry, config: &Node) -> Option<Misfit> {
    let config = config.to_value();
    // A variable that is not set is told when the handler is made.
    let config = variables::resolve(&config, &variables::of_process).ok()?;
    entry.make(&config).err().filter(|misfit| misfit.unknown_key)
}
