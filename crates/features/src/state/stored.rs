//! The stored form of a state.

use foretide_events::EpochMs;

use super::State;
use crate::{
    Affinity, Cart, DecodeError, Purchases, Session, Zone,
    baseline::Habits,
    brands::Brands,
    codec::{Precision, Reader, Writer},
    day::Day,
    half_life::{halved, kept},
    moments::Moments,
    ranking::Ranking,
    recency::{Latest, Recency},
    responses::Responses,
    seen::Seen,
    tally::{Tallies, Tally},
};

impl State {
    /// Writes all but the instant it is as of and whether it is rounded.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.varint(self.actions);
        writer.varint(u64::from(self.sessions));
        self.latest_session.write(writer, self.as_of);
        let last = self.latest_session.last();
        writer.time(last, self.last_seen);
        writer.time(last, self.first_seen);
        self.day.write(writer, last);
        self.recency.write(writer, last);
        let filled = self.recency.of(Latest::CartAdd).unwrap_or(last);
        self.purchases.write(writer, filled);
        writer.varint(self.habits.counts());
        let precision = precision(self.rounded);
        let mut sums = writer.sums(precision);
        let once = |tally| once(tally, &self.recency, &self.purchases, self.as_of);
        self.tallies.write(&mut sums, once);
        self.responses.write(&mut sums);
        self.gaps.write(&mut sums);
        self.habits.write(&mut sums);
        self.day.write_sum(&mut sums);
        sums.sum_or_zero(self.price_deviations);
        sums.end();
        writer.currency(self.currency);
        let ordered = self.purchases.last_at();
        self.cart
            .write(writer, ordered.map_or(filled, |at| at.max(filled)));
        self.affinity.0.write(writer, precision);
        self.brands.write(writer, precision);
        self.seen.write(writer);
        Zone::write(self.zone.as_ref(), writer);
    }

    /// Reads what was written of a state that was rounded or not.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        as_of: EpochMs,
        rounded: bool,
    ) -> Result<Self, DecodeError> {
        let (actions, sessions) = (reader.varint()?, reader.number()?);
        let latest_session = Session::read(reader, as_of)?;
        let last = latest_session.last();
        let (last_seen, first_seen) = (reader.time(last)?, reader.time(last)?);
        let mut day = Day::read(reader, last)?;
        let recency = Recency::read(reader, last)?;
        let filled = recency.of(Latest::CartAdd).unwrap_or(last);
        let purchases = Purchases::read(reader, filled)?;
        let ordered = purchases.last_at();
        let habit_counts = reader.varint()?;
        let precision = precision(rounded);
        let mut sums = reader.sums(precision);
        let tallies = Tallies::read(&mut sums, |tally| once(tally, &recency, &purchases, as_of))?;
        let responses = Responses::read(&mut sums)?;
        let gaps = Moments::read(&mut sums)?;
        let habits = Habits::read(&mut sums, habit_counts)?;
        day.read_sum(&mut sums)?;
        let price_deviations = sums.sum_or_zero()?;
        sums.end()?;
        Ok(Self {
            as_of,
            first_seen,
            last_seen,
            actions,
            sessions,
            tallies,
            latest_session,
            responses,
            gaps,
            habits,
            day,
            recency,
            price_deviations,
            rounded,
            purchases,
            currency: reader.currency()?,
            cart: Cart::read(reader, ordered.map_or(filled, |at| at.max(filled)))?,
            affinity: Affinity(Ranking::read(reader, precision)?),
            brands: Brands::read(reader, precision)?,
            seen: Seen::read(reader)?,
            zone: Zone::read(reader)?,
        })
    }
}

fn precision(rounded: bool) -> Precision {
    if rounded {
        Precision::Rounded
    } else {
        Precision::Exact
    }
}

/// What `tally` is, rounded, if it counts nothing but the latest of what it counts: where that is known, most rare things need no sum.
fn once(tally: Tally, recency: &Recency, purchases: &Purchases, as_of: EpochMs) -> Option<f64> {
    let (at, amount) = match tally {
        Tally::Searches1d | Tally::Searches7d | Tally::Searches30d => {
            (recency.of(Latest::Search)?, 1.0)
        }
        Tally::CartAdds1d | Tally::CartAdds7d | Tally::CartAdds30d => {
            (recency.of(Latest::CartAdd)?, 1.0)
        }
        Tally::WishlistAdds7d | Tally::WishlistAdds30d => (recency.of(Latest::WishlistAdd)?, 1.0),
        Tally::ContentClicks7d | Tally::ContentClicks30d => {
            (recency.of(Latest::ContentClick)?, 1.0)
        }
        Tally::Purchases30d => (purchases.last_at()?, 1.0),
        Tally::Spend30d if purchases.count() == 1 => {
            let spent = purchases.value()?.minor_units;
            (purchases.last_at()?, spent as f64)
        }
        _ => return None,
    };
    let half_life = tally.half_life();
    let sum = kept(amount * half_life.weight(at));
    Some(halved(sum, half_life.halvings(at, as_of)))
}
