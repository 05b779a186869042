//! What is told of what an engine serves, uses and runs on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Facts;
use crate::engine::Shared;
use crate::events::payload::{Registered, RegistryRound, RegistryStats, Unregistered, ValidationFailed};
use crate::{Definition, EngineTypes, EventName, Fact, RegistryCounts};

/// Something that is registered.
pub(crate) struct Entity {
    pub(crate) registry: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) id: Arc<str>,
    pub(crate) class: Arc<str>,
    pub(crate) options: Value,
}

impl Entity {
    /// A workflow, by the reference's id: `namespace/name/version`.
    pub(crate) fn handler(definition: &Definition) -> Self {
        let template = definition.template();
        let (namespace, name, version) = (&template.namespace_name, &template.name, template.version);
        Self {
            registry: "handler_factory",
            kind: "handler",
            id: format!("{namespace}/{name}/{version}").into(),
            class: name.as_str().into(),
            options: json!({ "namespace_name": namespace, "version": version }),
        }
    }

    /// A policy, a strategy or a sink.
    pub(crate) fn plugin(kind: &'static str, id: impl Into<Arc<str>>, class: impl Into<Arc<str>>) -> Self {
        let (id, class) = (id.into(), class.into());
        Self { registry: "plugin_registry", kind, id, class, options: json!({}) }
    }

    /// Somebody who is told of events.
    pub(crate) fn subscriber(name: &str, class: &str, events: &[String]) -> Self {
        let options = json!({ "events": events });
        Self {
            registry: "subscriber_registry",
            kind: "subscriber",
            id: name.into(),
            class: class.into(),
            options,
        }
    }
}

impl Facts {
    pub(crate) fn registered(&mut self, name: EventName, entity: &Entity) {
        self.add_of_engine(name, |registered_at| {
            let registered = Box::new(Registered {
                registry_name: entity.registry,
                entity_type: entity.kind,
                entity_id: Arc::clone(&entity.id),
                entity_class: Arc::clone(&entity.class),
                options: entity.options.clone(),
                registered_at,
            });
            match name {
                EventName::PluginRegistered => Fact::PluginRegistered(registered),
                EventName::SubscriberRegistered => Fact::SubscriberRegistered(registered),
                _ => Fact::HandlerRegistered(registered),
            }
        });
    }

    pub(crate) fn unregistered(&mut self, name: EventName, entity: &Entity) {
        self.add_of_engine(name, |unregistered_at| {
            let unregistered = Box::new(Unregistered {
                registry_name: entity.registry,
                entity_type: entity.kind,
                entity_id: Arc::clone(&entity.id),
                entity_class: Arc::clone(&entity.class),
                unregistered_at,
            });
            match name {
                EventName::PluginUnregistered => Fact::PluginUnregistered(unregistered),
                EventName::SubscriberUnregistered => Fact::SubscriberUnregistered(unregistered),
                _ => Fact::HandlerUnregistered(unregistered),
            }
        });
    }

    pub(crate) fn refused(&mut self, name: EventName, entity: &Entity, why: &str) {
        self.add_of_engine(name, |failed_at| {
            let refused = Box::new(ValidationFailed {
                registry_name: entity.registry,
                entity_type: entity.kind,
                entity_id: Arc::clone(&entity.id),
                entity_class: Arc::clone(&entity.class),
                validation_error: why.into(),
                failed_at,
            });
            match name {
                EventName::PluginValidationFailed => Fact::PluginValidationFailed(refused),
                EventName::SubscriberValidationFailed => Fact::SubscriberValidationFailed(refused),
                _ => Fact::HandlerValidationFailed(refused),
            }
        });
    }
}

impl<T: EngineTypes> Shared<T> {
    /// Tells what an engine was built with.
    pub(crate) fn tell_built(&self) {
        self.tell_of_engine(|facts| {
            let strategy = self.settings.identity.typetag_name();
            let strategy = Entity::plugin("identity_strategy", strategy, strategy);
            facts.registered(EventName::PluginRegistered, &strategy);
            let class = std::any::type_name::<T::Events>();
            facts.registered(EventName::PluginRegistered, &Entity::plugin("sink", "events", class));
        });
    }

    /// Tells how far the reading of a registry is.
    pub(crate) fn tell_of_registry(&self, name: EventName, count: usize) {
        self.tell_of_engine(|facts| {
            facts.add_of_engine(name, |timestamp| {
                let round = Box::new(RegistryRound { registry_name: "handler_factory", count, timestamp });
                match name {
                    EventName::RegistrySyncRequested => Fact::RegistrySyncRequested(round),
                    EventName::RegistryHealthCheck => Fact::RegistryHealthCheck(round),
                    EventName::RegistryCrossDiscovery => Fact::RegistryCrossDiscovery(round),
                    _ => Fact::RegistryCoordinationComplete(round),
                }
            });
        });
    }

    /// Tells that somebody asked for counts.
    pub(crate) fn tell_stats(&self, stats: &RegistryCounts) {
        self.tell_of_engine(|facts| {
            facts.add_of_engine(EventName::RegistryStatsCollected, |collected_at| {
                let stats = json!(stats);
                Fact::RegistryStatsCollected(Box::new(RegistryStats {
                    registry_name: "handler_factory",
                    stats,
                    collected_at,
                }))
            });
        });
    }
}
