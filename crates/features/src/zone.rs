//! The shopper's time zone.

use foretide_events::EpochMs;
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::{
    DecodeError,
    codec::{Reader, Writer},
};

/// A zone of the IANA database. (The database is compiled in: no file is read, so machines agree, and all shoppers
/// of a zone share what is known of it.)
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone called `name`, such as `Europe/Berlin`; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What clocks there show at `at`; `None` for years that no calendar has.
    pub(crate) fn local(&self, at: EpochMs) -> Option<DateTime> {
        let at = Timestamp::from_millisecond(at.0).ok()?;
        Some(self.0.to_datetime(at))
    }

    /// Writes the number of a common zone, from 2; 1 and the name of another; or 0.
    pub(crate) fn write(zone: Option<&Self>, writer: &mut Writer<'_>) {
        let Some(zone) = zone else {
            return writer.length(NONE);
        };
        if let Some(place) = COMMON.iter().position(|common| *common == zone.name()) {
            return writer.length(place + FIRST_COMMON);
        }
        writer.length(SPELT_OUT);
        writer.free_text(zone.name());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let unknown = || DecodeError::Corrupt("not a time zone");
        let zone = match reader.length(FIRST_COMMON + COMMON.len())? {
            NONE => return Ok(None),
            SPELT_OUT => reader.with_free_text(|name| Self::named(name).ok_or_else(unknown))?,
            common => {
                let name = COMMON.get(common - FIRST_COMMON).ok_or_else(unknown)?;
                Self::named(name).ok_or_else(unknown)?
            }
        };
        Ok(Some(zone))
    }
}

const NONE: usize = 0;
const SPELT_OUT: usize = 1;
const FIRST_COMMON: usize = 2;

/// Zones that many people live in, which are stored as their number here. It never changes: others may follow.
static COMMON: [&str; 62] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Amsterdam",
    "Europe/Brussels",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/Warsaw",
    "Europe/Prague",
    "Europe/Copenhagen",
    "Europe/Stockholm",
    "Europe/Oslo",
    "Europe/Helsinki",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Athens",
    "Europe/Budapest",
    "Europe/Bucharest",
    "Europe/Istanbul",
    "Europe/Kiev",
    "Europe/Kyiv",
    "Europe/Moscow",
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Toronto",
    "America/Vancouver",
    "America/Mexico_City",
    "America/Bogota",
    "America/Lima",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "America/Buenos_Aires",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "Asia/Bangkok",
    "Asia/Calcutta",
    "Asia/Kolkata",
    "Asia/Dhaka",
    "Asia/Dubai",
    "Asia/Ho_Chi_Minh",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Jerusalem",
    "Asia/Karachi",
    "Asia/Manila",
    "Asia/Riyadh",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
];

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_show_the_local_hour_in_winter_and_summer() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let hour = |text: &str| {
            let local = berlin.local(EpochMs::parse(text).unwrap()).unwrap();
            (local.hour(), local.weekday().to_monday_one_offset())
        };
        assert_eq!(hour("2026-11-22T23:30:00Z"), (0, 1), "Monday already");
        assert_eq!(hour("2026-07-01T10:00:00Z"), (12, 3));
        assert_eq!(berlin.local(EpochMs(i64::MAX)), None);
    }

    #[test]
    fn every_zone_survives_being_stored_and_a_common_one_takes_a_byte() {
        let stored = |zone: Option<&Zone>| {
            let mut bytes = Vec::new();
            Zone::write(zone, &mut Writer::new(&mut bytes));
            assert_eq!(Zone::read(&mut Reader::new(&bytes)).unwrap().as_ref(), zone);
            bytes.len()
        };
        for name in COMMON {
            assert_eq!(stored(Zone::named(name).as_ref()), 1, "{name}");
        }
        assert_eq!(stored(None), 1);
        assert_eq!(stored(Zone::named("Indian/Maldives").as_ref()), 17);
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for name in [
            "",
            "Europe/Nowhere",
            "+02:00",
            "Etc/Unknown",
            "../etc/passwd",
        ] {
            assert!(Zone::named(name).is_none(), "{name}");
        }
        assert_eq!(Zone::named("UTC").unwrap().name(), "UTC");
    }
}
