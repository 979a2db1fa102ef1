//! Whether the process can do its work now, component by component: what `/readyz` tells.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use serde::Serialize;

/// The readiness of all components of a process. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    components: Arc<RwLock<BTreeMap<&'static str, Component>>>,
}

/// What a component says of itself. Clones share one state.
#[derive(Clone, Debug)]
pub struct Component {
    /// Why it is not ready; `None` when it is.
    cause: Arc<RwLock<Option<String>>>,
}

/// The readiness of a process, as `/readyz` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadinessReport {
    /// Whether every component is ready.
    pub ready: bool,
    /// Each component, by name.
    pub components: BTreeMap<&'static str, ComponentReport>,
}

/// The readiness of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentReport {
    /// Whether it can do its work now.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Readiness {
    /// Knows no component yet, and is ready therefore.
    pub fn new() -> Self {
        Self::default()
    }

    /// The component `name`, which is not ready ("starting") until it says so. Asked again, the same one.
    pub fn component(&self, name: &'static str) -> Component {
        self.components
            .write()
            .entry(name)
            .or_insert_with(Component::starting)
            .clone()
    }

    /// Whether every component is ready.
    pub fn is_ready(&self) -> bool {
        self.components.read().values().all(Component::is_ready)
    }

    /// Every component with its cause.
    pub fn report(&self) -> ReadinessReport {
        let components: BTreeMap<_, _> = self
            .components
            .read()
            .iter()
            .map(|(name, component)| (*name, component.report()))
            .collect();
        ReadinessReport {
            ready: components.values().all(|component| component.ready),
            components,
        }
    }
}

impl Component {
    fn starting() -> Self {
        Self {
            cause: Arc::new(RwLock::new(Some("starting".to_owned()))),
        }
    }

    /// It can do its work from now on. Returns whether that is news.
    pub fn ready(&self) -> bool {
        self.cause.write().take().is_some()
    }

    /// It cannot do its work, for this `cause`. Returns whether it could until now.
    pub fn not_ready(&self, cause: impl Into<String>) -> bool {
        self.cause.write().replace(cause.into()).is_none()
    }

    /// Whether it can do its work now.
    pub fn is_ready(&self) -> bool {
        self.cause.read().is_none()
    }

    /// Why it cannot do its work; `None` when it can.
    pub fn cause(&self) -> Option<String> {
        self.cause.read().clone()
    }

    fn report(&self) -> ComponentReport {
        let cause = self.cause();
        ComponentReport {
            ready: cause.is_none(),
            cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_each_of_its_components_is() {
        let readiness = Readiness::new();
        let (log, profiles) = (readiness.component("log"), readiness.component("profiles"));
        assert!(!readiness.is_ready());
        assert!(log.ready());
        assert!(!readiness.is_ready());
        assert!(profiles.ready());
        assert!(readiness.is_ready());
        assert!(readiness.component("log").not_ready("the broker is away"));
        assert!(!readiness.is_ready() && !log.is_ready());
    }

    #[test]
    fn the_report_names_each_component_and_its_cause() {
        let readiness = Readiness::new();
        readiness.component("profiles").ready();
        readiness.component("log").not_ready("the broker is away");
        assert_eq!(
            serde_json::to_value(readiness.report()).unwrap(),
            serde_json::json!({"ready": false, "components": {
                "log": {"ready": false, "cause": "the broker is away"},
                "profiles": {"ready": true},
            }})
        );
    }
}
