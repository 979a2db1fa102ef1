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
    state: Arc<RwLock<State>>,
}

#[derive(Debug)]
struct State {
    is_ready: bool,
    /// What is amiss: always something while it is not ready.
    cause: Option<String>,
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
    /// Why not; of one that is ready, what it does without.
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
            state: Arc::new(RwLock::new(State {
                is_ready: false,
                cause: Some("starting".to_owned()),
            })),
        }
    }

    /// It can do its work from now on. Returns whether that is news.
    pub fn ready(&self) -> bool {
        let mut state = self.state.write();
        state.is_ready = true;
        state.cause.take().is_some()
    }

    /// It can do its work from now on, though something is amiss: this `cause`.
    pub fn ready_despite(&self, cause: impl Into<String>) {
        *self.state.write() = State {
            is_ready: true,
            cause: Some(cause.into()),
        };
    }

    /// It cannot do its work, for this `cause`. Returns whether it could until now.
    pub fn not_ready(&self, cause: impl Into<String>) -> bool {
        let mut state = self.state.write();
        state.cause = Some(cause.into());
        std::mem::replace(&mut state.is_ready, false)
    }

    /// Whether it can do its work now.
    pub fn is_ready(&self) -> bool {
        self.state.read().is_ready
    }

    /// Why it cannot do its work, or what is amiss all the same; `None` when all is well.
    pub fn cause(&self) -> Option<String> {
        self.state.read().cause.clone()
    }

    fn report(&self) -> ComponentReport {
        let state = self.state.read();
        ComponentReport {
            ready: state.is_ready,
            cause: state.cause.clone(),
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
    fn a_component_may_be_ready_although_something_is_amiss_and_says_what() {
        let readiness = Readiness::new();
        let log = readiness.component("log");
        log.ready();
        log.ready_despite("the broker is away");
        assert!(readiness.is_ready());
        assert_eq!(
            serde_json::to_value(readiness.report()).unwrap(),
            serde_json::json!({"ready": true, "components": {
                "log": {"ready": true, "cause": "the broker is away"},
            }})
        );
        assert!(log.ready(), "that it is over is news");
        assert!(!log.ready());
        assert!(log.not_ready("the broker is away again"));
        assert!(!readiness.is_ready());
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
