//! The statistics of one shopper: the left fold of every observation that counts.

mod counts;
mod stored;

use foretide_events::{Currency, EpochMs, Money};

use crate::{
    Affinity, Cart, CategoryShare, Deed, FoldRules, HalfLife, Observation, Purchases, Session,
    Topic, Zone, affinity,
    baseline::Habits,
    brands::Brands,
    day::Day,
    half_life::{kept, left},
    moments::Moments,
    observation::{Bought, View},
    prices::{above_zero, ln_price},
    purchases::{Bookkeeping, major_units},
    ranking,
    recency::Recency,
    responses::{self, Part, Responses},
    seen::{Seen, product_hash},
    tally::{Tallies, Tally, Weights},
    visits,
};

/// The statistics of one shopper at an instant. It changes by [`fold`](Self::fold) alone, whose result depends on the
/// state, the observation and the rules, and on nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The instant all decayed values are as of: the time of the latest observation.
    pub(crate) as_of: EpochMs,
    pub(crate) first_seen: EpochMs,
    pub(crate) last_seen: EpochMs,
    pub(crate) actions: u64,
    pub(crate) sessions: u32,
    pub(crate) tallies: Tallies,
    pub(crate) latest_session: Session,
    pub(crate) purchases: Purchases,
    pub(crate) cart: Cart,
    pub(crate) affinity: Affinity,
    pub(crate) brands: Brands,
    /// What prices are in: the currency of the latest action with a price.
    pub(crate) currency: Option<Currency>,
    /// Squared distances of prices looked at from the mean of their category (natural logarithms, half-life 30 days).
    pub(crate) price_deviations: f64,
    pub(crate) seen: Seen,
    pub(crate) responses: Responses,
    pub(crate) gaps: Moments,
    pub(crate) habits: Habits,
    pub(crate) day: Day,
    pub(crate) recency: Recency,
    pub(crate) zone: Option<Zone>,
    /// Whether its sums were rounded since the last observation.
    pub(crate) rounded: bool,
}

/// The sums that hold money of the shopper's currency or count prices in it.
const MONEY: [Tally; 5] = [
    Tally::PricedViews30d,
    Tally::DiscountedViews30d,
    Tally::ViewedValue30d,
    Tally::CartValueAdded30d,
    Tally::WishlistValue30d,
];

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
        (self.actions > 0).then_some(self.last_seen)
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

    /// What prices are in: the currency of the latest action with a price.
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// The shopper's time zone, as the shop told last.
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// Takes in one observation. Observations must come in canonical order.
    pub fn fold(&mut self, observation: &Observation, rules: &FoldRules) {
        self.fold_at(observation.key.at, observation, rules);
    }

    /// Takes in one observation as if it had been made at `at`.
    pub(crate) fn fold_at(&mut self, at: EpochMs, observation: &Observation, rules: &FoldRules) {
        if self.is_pausing(at, rules) {
            self.round();
        }
        self.rounded = false;
        self.move_to(at);
        let weights = Weights::at(at);
        let deed = &observation.deed;
        let present = deed.is_presence();
        if present {
            self.reach(at, rules, &weights);
        }
        self.go_by_currency_of(deed);
        if present {
            self.be_present(at, deed, rules, &weights);
        }
        self.tallies.add(counts::of(deed), 1.0, &weights);
        self.recency.fold(at, deed);
        match deed {
            Deed::ProductView(view) => self.view(view, &weights),
            Deed::CartAdd(Some(line)) => {
                self.add_value(
                    Tally::CartValueAdded30d,
                    line.price,
                    line.quantity,
                    &weights,
                );
                if line.is_named() {
                    self.take(product_hash(line.product), &weights);
                }
            }
            Deed::WishlistAdd(price) => {
                let price = price.as_deref().copied();
                self.add_value(Tally::WishlistValue30d, price, None, &weights);
            }
            Deed::Purchase(bought) => self.buy(at, bought, &weights),
            Deed::Zone(zone) => self.zone = Some(zone.clone()),
            _ => {}
        }
        self.attend(observation, rules, &weights);
        self.cart.fold(at, deed);
    }

    /// Whether the shopper is away at `at`.
    pub(crate) fn is_pausing(&self, at: EpochMs, rules: &FoldRules) -> bool {
        !self.latest_session.is_open(at, rules)
    }

    /// Rounds all sums to what is kept of them. It is done when a session is over: then the same observations give the same state,
    /// stored in between or not, and a profile is stored in little.
    pub(crate) fn round(&mut self) {
        if self.rounded {
            return;
        }
        self.tallies.round();
        self.affinity.0.round();
        self.brands.round();
        self.responses.round();
        self.gaps.round();
        self.habits.round();
        self.day.round();
        self.price_deviations = kept(self.price_deviations);
        self.rounded = true;
    }

    /// Forgets what would be nothing at `at` for sure, where nothing happened until then.
    pub(crate) fn forget_visit(&mut self, at: EpochMs) {
        if self.tallies.visit_is_forgotten(self.as_of, at) {
            self.tallies.forget_visit();
        }
    }

    /// Decays everything to `at`.
    pub(crate) fn move_to(&mut self, at: EpochMs) {
        if HalfLife::no_period_begins(self.as_of, at) {
            self.as_of = at;
            return;
        }
        self.tallies.move_to(self.as_of, at);
        self.affinity.0.move_to(self.as_of, at);
        self.brands.move_to(self.as_of, at);
        self.responses.move_to(self.as_of, at);
        let halvings = visits::HALF_LIFE.halvings(self.as_of, at);
        if halvings > 0 {
            self.gaps.halve(halvings);
            self.price_deviations = if self.tallies.get(Tally::PricedViews30d) > 0.0 {
                left(self.price_deviations, halvings)
            } else {
                0.0
            };
        }
        self.as_of = at;
    }

    /// The shopper is there at `at`: ends the session and the day before, if they are over.
    fn reach(&mut self, at: EpochMs, rules: &FoldRules, weights: &Weights) {
        if !self.latest_session.is_open(at, rules) {
            if self.actions > 0 {
                self.habits.end_session(self.latest_session.lasted_ms());
                let gap = visits::ln_gap(at.since(self.latest_session.last()));
                self.gaps.add(gap, weights.of(visits::HALF_LIFE));
                self.seen.end_session();
            }
            self.latest_session.begin(at);
            self.sessions = self.sessions.saturating_add(1);
            self.tallies.add(&[Tally::Sessions30d], 1.0, weights);
        }
        if let Some(engagement) = self.day.reach(at) {
            self.habits.end_day(engagement);
        }
    }

    /// Money is kept in one currency: a price in another starts all that depends on prices anew.
    fn go_by_currency_of(&mut self, deed: &Deed) {
        let price = match deed {
            Deed::ProductView(view) => view.price,
            Deed::CartAdd(line) => line.as_deref().and_then(|line| line.price),
            Deed::WishlistAdd(price) => price.as_deref().copied(),
            Deed::Purchase(bought) => bought.value,
            _ => None,
        };
        let Some(price) = above_zero(price) else {
            return;
        };
        if self.currency != Some(price.currency) {
            self.forget_prices();
            self.currency = Some(price.currency);
        }
    }

    pub(crate) fn forget_prices(&mut self) {
        for tally in MONEY {
            self.tallies.clear(tally);
        }
        self.affinity.clear_prices();
        self.price_deviations = 0.0;
        self.responses = Responses::default();
        self.seen.clear_prices();
    }

    /// `price` in minor units of the shopper's currency.
    fn minor_units(&self, price: Option<Money>) -> Option<i64> {
        let price = above_zero(price)?;
        (self.currency == Some(price.currency)).then_some(price.minor_units)
    }

    fn add_value(
        &mut self,
        tally: Tally,
        price: Option<Money>,
        quantity: Option<u32>,
        weights: &Weights,
    ) {
        if let Some(price) = self.minor_units(price) {
            let value = price as f64 * f64::from(quantity.unwrap_or(1));
            self.tallies.add(&[tally], value, weights);
        }
    }

    fn be_present(&mut self, at: EpochMs, deed: &Deed, rules: &FoldRules, weights: &Weights) {
        if self.actions == 0 {
            self.first_seen = at;
        }
        self.last_seen = at;
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
            self.tallies
                .add(&[Tally::FollowedSearches30d], 1.0, weights);
        }
    }

    /// A product's page: what it costs, and what it cost before.
    fn view(&mut self, view: &View, weights: &Weights) {
        let price = self.minor_units(view.price);
        if let Some(product) = view.product {
            let again = self.seen.view(product, price);
            if let Some(change) = again.change {
                self.responses
                    .view(change, weights.of(responses::HALF_LIFE));
            }
            if again.in_session {
                self.latest_session.count_repeat();
            }
        }
        if let Some(price) = price {
            self.tallies.add(&[Tally::PricedViews30d], 1.0, weights);
            self.tallies
                .add(&[Tally::ViewedValue30d], price as f64, weights);
            if view.discounted {
                self.tallies.add(&[Tally::DiscountedViews30d], 1.0, weights);
            }
        }
    }

    /// A product was put into the cart or bought.
    fn take(&mut self, product: u32, weights: &Weights) {
        if let Some(change) = self.seen.take(product) {
            self.responses
                .take(change, weights.of(responses::HALF_LIFE));
        }
    }

    /// Dwell, engagement (M2), attention to a category (M3) and to a brand.
    fn attend(&mut self, observation: &Observation, rules: &FoldRules, weights: &Weights) {
        let topic = observation.topic.as_ref();
        let deed = &observation.deed;
        let (sent_ms, relevance, worth) = match deed {
            Deed::PageView { dwell_ms, .. } if topic.is_some() => {
                (*dwell_ms, rules.relevance_category_page, 0.0)
            }
            Deed::PageView { dwell_ms, .. } => (*dwell_ms, rules.relevance_other_page, 0.0),
            Deed::ProductListView { dwell_ms } => (*dwell_ms, rules.relevance_list, 0.0),
            Deed::Search { dwell_ms, .. } => (
                *dwell_ms,
                rules.relevance_search,
                rules.engagement_per_search,
            ),
            Deed::ProductView(view) => {
                let worth = rules.engagement_per_product_view;
                (view.dwell_ms, rules.relevance_product, worth)
            }
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
        let engagement = worth + dwell_s / 60.0 * rules.engagement_per_minute * relevance;
        if engagement > 0.0 {
            let engagements = [
                Tally::Engagement30m,
                Tally::Engagement1d,
                Tally::Engagement7d,
                Tally::Engagement30d,
            ];
            self.tallies.add(&engagements, engagement, weights);
            self.day.add(engagement);
        }
        let attention = rules.attention_per_view_s + dwell_s;
        let viewed = match deed {
            Deed::ProductView(view) => Some(view),
            _ => None,
        };
        if let Some(topic) = topic {
            let price = viewed.and_then(|view| self.minor_units(view.price));
            let weighed = attention * weights.of(ranking::HALF_LIFE);
            if let Some(interest) = self.affinity.0.add(topic, weighed) {
                interest.see(attention * weights.of(affinity::RECENT));
                if let Some(price) = price {
                    let weight = weights.of(HalfLife::Month);
                    self.price_deviations += interest.prices.view(ln_price(price), weight);
                }
            }
        }
        if let Some(brand) = viewed.and_then(|view| view.brand.as_ref()) {
            let weighed = attention * weights.of(ranking::HALF_LIFE);
            self.brands.add(brand, weighed);
        }
    }

    fn buy(&mut self, at: EpochMs, bought: &Bought, weights: &Weights) {
        for product in bought.lines.iter().filter_map(|line| line.product) {
            self.take(product, weights);
        }
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
            self.habits.clear_basket();
        }
        self.tallies.add(&[Tally::Purchases30d], 1.0, weights);
        let spent = minor_units.unwrap_or(0) as f64;
        self.tallies.add(&[Tally::Spend30d], spent, weights);
        if let Some(value) = bought.value {
            self.habits.order(major_units(spent, value.currency));
        }
        for (topic, price) in bought.lines.iter().filter_map(|line| line.priced.as_ref()) {
            let price = self.minor_units(Some(*price));
            if let Some((interest, price)) = self.affinity.0.beside_mut(topic).zip(price) {
                let weight = weights.of(HalfLife::Month);
                interest.prices.buy(ln_price(price), weight);
            }
        }
    }

    /// The mean squared distance of prices looked at from the mean of their category, in natural logarithms.
    pub(crate) fn price_variance(&self) -> f64 {
        let views = self.tallies.get(Tally::PricedViews30d);
        if views > 0.0 {
            self.price_deviations / views
        } else {
            0.0
        }
    }

    /// What 1 in a sum with a half-life of 30 days is worth when the state is as of.
    pub(crate) fn month_worth(&self) -> f64 {
        HalfLife::Month.worth(self.as_of, self.as_of)
    }

    /// How far the last day's mix of categories is from the usual one, in bits.
    pub(crate) fn mix_divergence(&self, now: EpochMs) -> Option<f64> {
        self.affinity
            .divergence(affinity::RECENT.worth(self.as_of, now))
    }

    /// Views of products at the price they had before, and how many of the products were taken.
    pub(crate) fn same_price_views(&self) -> (f64, f64) {
        let worth = self.month_worth();
        let (views, taken) = (Part::SameViews, Part::SameTaken);
        (
            self.responses.get(views) * worth,
            self.responses.get(taken) * worth,
        )
    }

    /// The topic of that hash, if it is kept already: its text need not be kept twice.
    pub(crate) fn kept_topic(&self, hash: u64) -> Option<&Topic> {
        self.affinity.0.names().find(|kept| kept.hash == hash)
    }
}
