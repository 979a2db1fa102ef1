//! Actions as the JSON that a shop would send.

mod json;
mod names;
mod native;
mod segment;

use foretide_events::EpochMs;

pub use self::names::Names;
use self::{json::Json, native::Native, segment::Segment};
use crate::{Action, Simulator};

/// The attributes a product's page offers to be examined.
const ATTRIBUTES: [&str; 4] = ["reviews", "size-chart", "materials", "delivery"];

impl Simulator {
    /// Appends `action` to `to` as `POST /v1/actions` takes it: one JSON object, without a line end. After another item of a
    /// list it puts the comma.
    pub fn write_native(&self, action: &Action, to: &mut Vec<u8>) {
        self.write_native_at(action, action.at, to);
    }

    /// The same, said to have happened at `at`.
    pub fn write_native_at(&self, action: &Action, at: EpochMs, to: &mut Vec<u8>) {
        let native = Native {
            shop: self.shop(),
            names: self.names(),
            settings: self.settings(),
        };
        native.write(action, at, &mut Json::new(to));
    }

    /// Appends `action` to `to` as one item of the `batch` that `POST /v1/batch` takes: a call of `track`, `page` or
    /// `identify`.
    pub fn write_segment(&self, action: &Action, to: &mut Vec<u8>) {
        self.write_segment_at(action, action.at, to);
    }

    /// The same, said to have happened at `at`.
    pub fn write_segment_at(&self, action: &Action, at: EpochMs, to: &mut Vec<u8>) {
        let segment = Segment {
            shop: self.shop(),
            names: self.names(),
            settings: self.settings(),
        };
        segment.write(action, at, &mut Json::new(to));
    }
}
