//! A shopper: who, with which tastes, where, on which devices, and how engaged when. All of it follows from the seed
//! and the shopper's number, so nothing is kept of shoppers who are not in the shop.

use foretide_events::EpochMs;

use crate::{
    Settings, Temperament,
    draws::{Draws, Purpose, whole},
};

const DAY_MS: f64 = 86_400_000.0;
/// IANA time zones with their winter distance from UTC in hours, and the country.
const PLACES: [(&str, i64, &str, &str); 6] = [
    ("Europe/Berlin", 1, "DE", "de"),
    ("Europe/Lisbon", 0, "PT", "pt"),
    ("Europe/Dublin", 0, "IE", "en"),
    ("Europe/Helsinki", 2, "FI", "fi"),
    ("Europe/Paris", 1, "FR", "fr"),
    ("America/New_York", -5, "US", "en"),
];

/// One shopper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shopper {
    pub(crate) number: u32,
    pub(crate) temperament: Temperament,
    /// The categories liked, the most liked first.
    pub(crate) tastes: [usize; 3],
    /// The part of a shelf that suits the purse: 0 the cheapest, 1 the dearest.
    pub(crate) purse: f64,
    place: usize,
    /// How much later than others this one's day goes, in hours.
    pub(crate) late_hours: f64,
    /// Whether there is a second device.
    pub(crate) two_devices: bool,
    /// From which visit on the shopper signs in, on each device; `None` for never.
    sign_in_from: Option<[u32; 2]>,
    /// Visits a day when engaged.
    pub(crate) visits_per_day: f64,
    /// When engagement begins to fall.
    pub(crate) drifts_at: Option<EpochMs>,
}

/// Who an event says did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Number of the shopper.
    pub shopper: u32,
    /// Whether the account's id is told.
    pub user: bool,
    /// The device whose id is told, if one is.
    pub device: Option<u8>,
}

impl Shopper {
    pub(crate) fn of(settings: &Settings, number: u32) -> Self {
        let mut draws = Draws::of(settings.seed, Purpose::Traits, [number.into(), 0]);
        let kinds: [_; 5] = std::array::from_fn(|i| (Temperament::ALL[i], settings.mix[i]));
        let temperament = draws.weighted(&kinds, Temperament::Browser);
        let habits = temperament.habits();
        let (earliest, latest) = settings.drift_after_days;
        let drifts_after = earliest + (latest - earliest) * draws.unit();
        let drifts = temperament == Temperament::Drifting;
        let account = draws.chance(habits.account);
        let first = draws.between(0, 1);
        let second = draws.between(0, 3);
        let visits = |number: i64| u32::try_from(number).unwrap_or(0);
        let let_in = if number < settings.established {
            settings.start_at
        } else {
            settings.newcomers_from
        };
        Self {
            number,
            temperament,
            tastes: [(); 3].map(|()| draws.below(crate::shop::CATEGORIES)),
            purse: draws.unit(),
            place: draws.below(PLACES.len()),
            late_hours: 4.0 * draws.unit() - 1.5,
            two_devices: temperament != Temperament::Bot && draws.chance(0.4),
            sign_in_from: account.then(|| [visits(first), visits(second)]),
            visits_per_day: habits.visits_per_day * (0.6 + 0.8 * draws.unit()),
            drifts_at: drifts.then(|| let_in.plus(whole(drifts_after * DAY_MS))),
        }
    }

    pub(crate) fn has_account(&self) -> bool {
        self.sign_in_from.is_some()
    }

    /// The IANA name of the time zone.
    pub(crate) fn time_zone(&self) -> &'static str {
        PLACES[self.place].0
    }

    pub(crate) fn country(&self) -> &'static str {
        PLACES[self.place].2
    }

    pub(crate) fn language(&self) -> &'static str {
        PLACES[self.place].3
    }

    /// Distance of the shopper's clock from UTC, in hours.
    pub(crate) fn utc_offset_hours(&self) -> f64 {
        PLACES[self.place].1 as f64
    }

    /// How engaged the shopper is at `at`: 1 as ever, less while drifting. `won_back_at` is when recommendations last
    /// won the shopper back, if they did.
    pub(crate) fn engagement(
        &self,
        settings: &Settings,
        at: EpochMs,
        won_back_at: Option<EpochMs>,
    ) -> f64 {
        let Some(first) = self.drifts_at else {
            return 1.0;
        };
        let stays = whole(settings.effects.recovered_days * DAY_MS);
        let since = won_back_at.map_or(first, |won| first.max(won.plus(stays)));
        let days = at.since(since).max(0) as f64 / DAY_MS;
        libm::exp2(-days / settings.drift_half_life_days).max(settings.least_engagement)
    }

    /// The device used on visit number `visit`.
    fn device(&self, seed: u64, visit: u32) -> u8 {
        let other =
            || Draws::of(seed, Purpose::Device, [self.number.into(), visit.into()]).chance(0.35);
        u8::from(self.two_devices && other())
    }

    /// How visit number `visit` begins, and whether the shopper signs in during it: on each device unknown at first,
    /// then known.
    pub(crate) fn identity(&self, seed: u64, visit: u32) -> (Identity, bool) {
        let device = self.device(seed, visit);
        let unknown = Identity {
            shopper: self.number,
            user: false,
            device: Some(device),
        };
        let Some(from) = self.sign_in_from.map(|from| from[usize::from(device)]) else {
            return (unknown, false);
        };
        let signed_in_before = (from..visit).any(|earlier| self.device(seed, earlier) == device);
        if signed_in_before {
            let known = Identity {
                user: true,
                device: None,
                ..unknown
            };
            return (known, false);
        }
        (unknown, visit >= from)
    }
}
