//! The ids that events carry.

use serde_json::{Value, json};

use super::json::in_base;
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
        made(|to| self.write_user(shopper, to))
    }

    /// The id of one of a shopper's devices.
    pub fn device(&self, shopper: u32, device: u8) -> String {
        made(|to| self.write_device(shopper, device, to))
    }

    /// The number of the shopper of an account's id.
    pub fn shopper(&self, user_id: &str) -> Option<u32> {
        user_id.strip_prefix("shopper-")?.parse().ok()
    }

    /// The id of a visit.
    pub fn session(&self, shopper: u32, visit: u32) -> String {
        made(|to| self.write_tagged(&[shopper, visit], to))
    }

    /// The id of an event.
    pub fn event(&self, shopper: u32, visit: u32, number: u32) -> String {
        made(|to| self.write_tagged(&[shopper, visit, number], to))
    }

    /// The id of the order of a visit.
    pub fn order(&self, shopper: u32, visit: u32) -> String {
        format!("order-{}", self.session(shopper, visit))
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

    #[expect(
        clippy::unused_self,
        reason = "that a user's name has no tag is for this type to know"
    )]
    pub(super) fn write_user(&self, shopper: u32, to: &mut Vec<u8>) {
        to.extend_from_slice(b"shopper-");
        in_base(shopper.into(), 10, 6, to);
    }

    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn write_device(&self, shopper: u32, device: u8, to: &mut Vec<u8>) {
        to.extend_from_slice(b"device-");
        in_base(shopper.into(), 10, 6, to);
        to.push(b'-');
        in_base(device.into(), 10, 1, to);
    }

    /// The tag, then `numbers`: a shopper and a visit for the visit's id, and an action for the event's.
    pub(super) fn write_tagged(&self, numbers: &[u32], to: &mut Vec<u8>) {
        to.extend_from_slice(self.tag.as_bytes());
        for &number in numbers {
            to.push(b'-');
            in_base(number.into(), 16, 1, to);
        }
    }
}

fn made(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut text = Vec::with_capacity(48);
    write(&mut text);
    String::from_utf8(text).unwrap_or_default()
}
