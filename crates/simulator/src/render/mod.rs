//! Actions as the JSON that a shop would send.
//!
//! Both formats say the same with nearly the same members: [`fields`] writes those, [`goods`] products and amounts, which
//! differ most, and `native` and `segment` what stands around them.

mod fields;
mod goods;
mod json;
mod names;
mod native;
mod segment;

use foretide_events::EpochMs;

use self::json::Json;
pub use self::names::Names;
use crate::{Action, Settings, Shop, Simulator};

/// The two ways to write an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// As `POST /v1/actions` takes it.
    Native,
    /// As a call of Segment's API, with the names of its e-commerce specification.
    Segment,
}

/// Writes actions.
#[derive(Clone, Copy)]
struct Writer<'a> {
    shop: &'a Shop,
    names: &'a Names,
    settings: &'a Settings,
    format: Format,
}

impl Simulator {
    /// Appends `action` to `to` as `POST /v1/actions` takes it: one JSON object, without a line end. After another item of a
    /// list it puts the comma.
    pub fn write_native(&self, action: &Action, to: &mut Vec<u8>) {
        self.write_native_at(action, action.at, to);
    }

    /// The same, said to have happened at `at`.
    pub fn write_native_at(&self, action: &Action, at: EpochMs, to: &mut Vec<u8>) {
        self.writer(Format::Native)
            .native(action, at, &mut Json::new(to));
    }

    /// Appends `action` to `to` as one item of the `batch` that `POST /v1/batch` takes: a call of `track`, `page` or
    /// `identify`.
    pub fn write_segment(&self, action: &Action, to: &mut Vec<u8>) {
        self.write_segment_at(action, action.at, to);
    }

    /// The same, said to have happened at `at`.
    pub fn write_segment_at(&self, action: &Action, at: EpochMs, to: &mut Vec<u8>) {
        self.writer(Format::Segment)
            .segment(action, at, &mut Json::new(to));
    }

    fn writer(&self, format: Format) -> Writer<'_> {
        Writer {
            shop: self.shop(),
            names: self.names(),
            settings: self.settings(),
            format,
        }
    }
}
