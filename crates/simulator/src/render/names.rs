//! The ids that events carry.

use serde_json::{Value, json};

use crate::{Identity, Settings};

/// How shoppers, visits and events are named. Ids of visits and events begin with a tag of the seed and the opening, so
/// that two runs that differ in either never share one, while the shoppers of one seed keep their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    tag: String,
}

impl Names {
    pub(crate) fn of(settings: &Settings) -> Self {
        let opened_s = settings.start_at.0.div_euclid(1000);
        Self {
            tag: format!("sim-{:x}-{opened_s:x}", settings.seed),
        }
    }

    /// The account's id.
    pub fn user(&self, shopper: u32) -> String {
        format!("shopper-{shopper:06}")
    }

    /// The id of one of a shopper's devices.
    pub fn device(&self, shopper: u32, device: u8) -> String {
        format!("device-{shopper:06}-{device}")
    }

    /// The number of the shopper of an account's id.
    pub fn shopper(&self, user_id: &str) -> Option<u32> {
        user_id.strip_prefix("shopper-")?.parse().ok()
    }

    /// The id of a visit.
    pub fn session(&self, shopper: u32, visit: u32) -> String {
        format!("{}-{shopper:x}-{visit:x}", self.tag)
    }

    /// The id of an event.
    pub fn event(&self, shopper: u32, visit: u32, number: u32) -> String {
        format!("{}-{shopper:x}-{visit:x}-{number:x}", self.tag)
    }

    /// The id of the order of a visit.
    pub fn order(&self, shopper: u32, visit: u32) -> String {
        format!("order-{}-{shopper:x}-{visit:x}", self.tag)
    }

    /// One shopper as a request names them: by the account, or else the device.
    pub fn who(&self, identity: Identity) -> Value {
        match identity.device {
            Some(device) if !identity.user => {
                json!({ "anonymous_id": self.device(identity.shopper, device) })
            }
            _ => json!({ "user_id": self.user(identity.shopper) }),
        }
    }
}
