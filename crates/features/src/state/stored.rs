//! The stored form of a state.

use foretide_events::EpochMs;

use super::State;
use crate::{
    Affinity, Cart, DecodeError, Purchases, Session, Zone,
    baseline::Habits,
    brands::Brands,
    codec::{Reader, Writer},
    day::Day,
    moments::Moments,
    ranking::Ranking,
    recency::Recency,
    responses::Responses,
    seen::Seen,
    tally::Tallies,
};

impl State {
    /// Writes all but the instant it is as of.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.varint(self.actions);
        writer.varint(u64::from(self.sessions));
        self.latest_session.write(writer, self.as_of);
        let last = self.latest_session.last();
        writer.time(last, self.last_seen);
        writer.time(last, self.first_seen);
        self.day.write(writer, last);
        self.recency.write(writer, last);
        writer.varint(self.habits.counts());
        let mut sums = writer.sums();
        self.tallies.write(&mut sums);
        self.responses.write(&mut sums);
        self.gaps.write(&mut sums);
        self.habits.write(&mut sums);
        self.day.write_sum(&mut sums);
        sums.end();
        self.purchases.write(writer, last);
        writer.currency(self.currency);
        self.cart.write(writer, last);
        self.affinity.0.write(writer);
        self.brands.write(writer);
        self.seen.write(writer);
        Zone::write(self.zone.as_ref(), writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>, as_of: EpochMs) -> Result<Self, DecodeError> {
        let (actions, sessions) = (reader.varint()?, reader.number()?);
        let latest_session = Session::read(reader, as_of)?;
        let last = latest_session.last();
        let (last_seen, first_seen) = (reader.time(last)?, reader.time(last)?);
        let mut day = Day::read(reader, last)?;
        let (recency, habit_counts) = (Recency::read(reader, last)?, reader.varint()?);
        let mut sums = reader.sums();
        let tallies = Tallies::read(&mut sums)?;
        let responses = Responses::read(&mut sums)?;
        let gaps = Moments::read(&mut sums)?;
        let habits = Habits::read(&mut sums, habit_counts)?;
        day.read_sum(&mut sums)?;
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
            purchases: Purchases::read(reader, last)?,
            currency: reader.currency()?,
            cart: Cart::read(reader, last)?,
            affinity: Affinity(Ranking::read(reader)?),
            brands: Brands::read(reader)?,
            seen: Seen::read(reader)?,
            zone: Zone::read(reader)?,
        })
    }
}
