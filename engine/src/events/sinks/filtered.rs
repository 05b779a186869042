use crate::{Event, EventName, EventNames, EventSink, Pattern, PatternError, Severity};

/// Passes on some events only: those that meet any of its patterns, and all of its other conditions. A fact that was
/// asked for under an alias is passed on under that, ahead of the fact itself where both were asked for.
///
/// ```
/// use tasker_engine::{Filtered, MemoryEventLog, Severity};
///
/// let alerts = Filtered::by(["task.failed", "workflow.step_failed", "worker.lost"], MemoryEventLog::new())?;
/// let of_shop = Filtered::by(["*"], MemoryEventLog::new())?.at_least(Severity::Warn).in_namespace("shop");
/// assert!(Filtered::by(["task.faild"], MemoryEventLog::new()).is_err());
/// # Ok::<(), tasker_engine::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filtered<S> {
    patterns: Vec<Pattern>,
    aliases: Vec<EventName>,
    facts: EventNames,
    namespace: Option<String>,
    severity: Severity,
    sink: S,
}

impl<S: EventSink> Filtered<S> {
    /// By patterns: see [`Pattern`].
    ///
    /// # Errors
    /// When one means no event.
    pub fn by<'a>(patterns: impl IntoIterator<Item = &'a str>, sink: S) -> Result<Self, PatternError> {
        let patterns: Vec<Pattern> = patterns.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        let facts = patterns.iter().fold(EventNames::NONE, |facts, pattern| facts.and(pattern.facts()));
        let aliases = patterns.iter().filter_map(Pattern::alias).collect();
        Ok(Self { patterns, aliases, facts, namespace: None, severity: Severity::Debug, sink })
    }

    /// Only events about tasks whose workflow is in that namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Only events that matter as much, or more.
    #[must_use]
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Whom they are passed on to.
    pub const fn sink(&self) -> &S {
        &self.sink
    }

    fn passes(&self, event: &Event) -> bool {
        event.severity() >= self.severity
            && self.namespace.as_ref().is_none_or(|wanted| {
                let subject = event.fact.subject();
                subject.and_then(|subject| subject.namespace_name.as_deref()) == Some(&**wanted)
            })
    }

    fn pass(&self, event: &Event, passed: &mut Vec<Event>) {
        if self.facts.contains(event.name) {
            let aliases = self.aliases.iter().filter_map(|alias| event.under_alias(*alias));
            passed.extend(aliases.filter(|alias| self.passes(alias)));
            if self.patterns.iter().any(|pattern| pattern.meets(event)) && self.passes(event) {
                passed.push(event.clone());
            }
        }
    }
}

impl<S: EventSink> EventSink for Filtered<S> {
    fn publish(&self, events: &[Event]) {
        let mut passed = vec![];
        events.iter().for_each(|event| self.pass(event, &mut passed));
        if !passed.is_empty() {
            self.sink.publish(&passed);
        }
    }

    fn wanted(&self) -> EventNames {
        self.facts
    }

    fn counts_itself(&self) -> bool {
        self.sink.counts_itself()
    }
}
