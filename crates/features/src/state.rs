//! The statistics of one shopper: the left fold of every observation that counts.

use foretide_events::EpochMs;

use crate::{
    Affinity, Cart, CategoryShare, DecodeError, Deed, FoldRules, Observation, Purchases, Session,
    Topic, affinity,
    codec::{Reader, Writer},
    observation::Bought,
    purchases::Bookkeeping,
    tally::{Tallies, Tally, Weights},
};

/// The statistics of one shopper at an instant. It changes by [`fold`](Self::fold) alone, whose result depends on the
/// state, the observation and the rules, and on nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The instant all decayed values are as of: the time of the latest observation.
    pub(crate) as_of: EpochMs,
    first_seen: EpochMs,
    actions: u64,
    sessions: u32,
    pub(crate) tallies: Tallies,
    latest_session: Session,
    purchases: Purchases,
    cart: Cart,
    affinity: Affinity,
}

impl State {
    /// When the latest event of any kind happened, the shopper's doing or not.
    pub fn as_of(&self) -> EpochMs {
        self.as_of
    }

    /// When the shopper was first there.
    pub fn first_seen(&self) -> Option<EpochMs> {
        (self.actions > 0).then_some(self.first_seen)
    }

    /// When the shopper was last there.
    pub fn last_seen(&self) -> Option<EpochMs> {
        (self.actions > 0).then_some(self.latest_session.last())
    }

    /// Number of actions so far.
    pub fn actions(&self) -> u64 {
        self.actions
    }

    /// Number of sessions so far.
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    /// The session that goes on at `now`, if one does.
    pub fn session(&self, now: EpochMs, rules: &FoldRules) -> Option<&Session> {
        self.latest_session
            .is_open(now, rules)
            .then_some(&self.latest_session)
    }

    /// The latest session, open or not.
    pub fn latest_session(&self) -> Option<&Session> {
        (self.actions > 0).then_some(&self.latest_session)
    }

    /// What lies in the cart.
    pub fn cart(&self) -> &Cart {
        &self.cart
    }

    /// What was bought so far.
    pub fn purchases(&self) -> &Purchases {
        &self.purchases
    }

    /// Attention by category.
    pub fn affinity(&self) -> &Affinity {
        &self.affinity
    }

    /// The `n` categories with the largest shares of attention, largest first.
    pub fn top_categories(&self, n: usize) -> Vec<CategoryShare> {
        self.affinity.top(n)
    }

    /// Takes in one observation. Observations must come in canonical order.
    pub fn fold(&mut self, observation: &Observation, rules: &FoldRules) {
        let at = observation.key.at;
        self.move_to(at);
        let weights = Weights::at(at);
        let deed = &observation.deed;
        if deed.is_presence() {
            self.be_present(at, deed, rules, &weights);
        }
        self.tallies.add(counts(deed), 1.0, &weights);
        self.attend(observation, rules, &weights);
        if let Deed::Purchase(bought) = deed {
            self.buy(at, bought, &weights);
        }
        self.cart.fold(at, deed);
    }

    fn move_to(&mut self, at: EpochMs) {
        self.tallies.move_to(self.as_of, at);
        self.affinity.move_to(self.as_of, at);
        self.as_of = at;
    }

    fn be_present(&mut self, at: EpochMs, deed: &Deed, rules: &FoldRules, weights: &Weights) {
        if self.actions == 0 {
            self.first_seen = at;
        }
        self.actions = self.actions.saturating_add(1);
        self.tallies.add(
            &[
                Tally::Actions30m,
                Tally::Actions1d,
                Tally::Actions7d,
                Tally::Actions30d,
            ],
            1.0,
            weights,
        );
        if self.latest_session.fold(at, deed, rules) {
            self.sessions = self.sessions.saturating_add(1);
            self.tallies.add(&[Tally::Sessions30d], 1.0, weights);
        }
    }

    /// Dwell, engagement (M2) and attention to a category (M3). Relevant to engagement are pages about goods:
    /// products, lists, search results, and pages that have a category; not, say, the terms of delivery.
    fn attend(&mut self, observation: &Observation, rules: &FoldRules, weights: &Weights) {
        let topic = observation.topic.as_ref();
        let (sent_ms, relevant, worth) = match observation.deed {
            Deed::PageView { dwell_ms } => (dwell_ms, topic.is_some(), 0.0),
            Deed::ProductListView { dwell_ms } => (dwell_ms, true, 0.0),
            Deed::Search { dwell_ms } => (dwell_ms, true, rules.engagement_per_search),
            Deed::ProductView { dwell_ms } => (dwell_ms, true, rules.engagement_per_product_view),
            _ => return,
        };
        let dwell_s = rules.counted_dwell_s(sent_ms);
        self.tallies.add(
            &[
                Tally::Dwell30m,
                Tally::Dwell1d,
                Tally::Dwell7d,
                Tally::Dwell30d,
            ],
            dwell_s,
            weights,
        );
        if relevant {
            let engagement = worth + dwell_s / 60.0 * rules.engagement_per_minute;
            let engagements = [
                Tally::Engagement30m,
                Tally::Engagement1d,
                Tally::Engagement7d,
                Tally::Engagement30d,
            ];
            self.tallies.add(&engagements, engagement, weights);
        }
        if let Some(topic) = topic {
            let attention = rules.attention_per_view_s + dwell_s;
            let weight = weights.of(affinity::HALF_LIFE);
            self.affinity.add(topic, attention * weight);
        }
    }

    fn buy(&mut self, at: EpochMs, bought: &Bought, weights: &Weights) {
        let Bookkeeping::New {
            minor_units,
            currency_changed,
        } = self.purchases.fold(at, bought)
        else {
            return;
        };
        self.latest_session.count_purchase();
        if currency_changed {
            self.tallies.clear(Tally::Spend30d);
        }
        self.tallies.add(&[Tally::Purchases30d], 1.0, weights);
        let spent = minor_units.unwrap_or(0) as f64;
        self.tallies.add(&[Tally::Spend30d], spent, weights);
    }

    /// The text of `topic` that is kept already.
    pub(crate) fn kept_topic(&self, topic: &Topic) -> Option<&Topic> {
        self.affinity.kept(topic)
    }

    /// Writes all but the instant it is as of.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.time(self.as_of, self.first_seen);
        writer.varint(self.actions);
        writer.varint(u64::from(self.sessions));
        self.tallies.write(writer);
        self.latest_session.write(writer, self.as_of);
        self.purchases.write(writer, self.as_of);
        self.cart.write(writer, self.as_of);
        self.affinity.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>, as_of: EpochMs) -> Result<Self, DecodeError> {
        Ok(Self {
            as_of,
            first_seen: reader.time(as_of)?,
            actions: reader.varint()?,
            sessions: reader.number()?,
            tallies: Tallies::read(reader)?,
            latest_session: Session::read(reader, as_of)?,
            purchases: Purchases::read(reader, as_of)?,
            cart: Cart::read(reader, as_of)?,
            affinity: Affinity::read(reader)?,
        })
    }
}

/// The sums that a deed adds one to.
fn counts(deed: &Deed) -> &'static [Tally] {
    match deed {
        Deed::PageView { .. } => &[Tally::PageViews7d],
        Deed::Search { .. } => &[Tally::Searches1d, Tally::Searches7d, Tally::Searches30d],
        Deed::ProductListView { .. } => &[Tally::ProductListViews7d],
        Deed::ProductListFilter => &[Tally::ProductListFilters7d],
        Deed::ProductClick => &[Tally::ProductClicks7d],
        Deed::ProductView { .. } => &[
            Tally::ProductViews1d,
            Tally::ProductViews7d,
            Tally::ProductViews30d,
        ],
        Deed::CartAdd(_) => &[Tally::CartAdds1d, Tally::CartAdds7d, Tally::CartAdds30d],
        Deed::CartRemove(_) => &[Tally::CartRemoves7d],
        Deed::CartView(_) => &[Tally::CartViews7d],
        Deed::WishlistAdd => &[Tally::WishlistAdds7d],
        Deed::CouponApplied => &[Tally::CouponsApplied7d],
        Deed::CouponDenied => &[Tally::CouponsDenied7d],
        Deed::ContentImpression => &[Tally::ContentImpressions7d],
        Deed::ContentClick => &[Tally::ContentClicks7d],
        Deed::ContentDismissal => &[Tally::ContentDismissals7d],
        Deed::CheckoutStart => &[Tally::CheckoutStarts7d],
        Deed::Refund => &[Tally::Refunds30d],
        Deed::Share => &[Tally::Shares7d],
        Deed::Review => &[Tally::Reviews7d],
        Deed::WishlistRemove
        | Deed::CouponHandled
        | Deed::CheckoutStep { .. }
        | Deed::PaymentInfo { .. }
        | Deed::Purchase(_)
        | Deed::Account
        | Deed::Custom
        | Deed::Elsewhere => &[],
    }
}
