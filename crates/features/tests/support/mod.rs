//! Made-up events for the tests of the fold.

#![allow(dead_code, reason = "each test uses some of it")]

use foretide_events::*;
use foretide_features::{Applied, FoldRules, Observation, Profile, State};
use proptest::prelude::*;

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
pub const SHOPPER: ShopperId = ShopperId([7; 16]);

/// 2026-11-22T00:00:00Z.
pub const START: EpochMs = EpochMs(1_795_305_600_000);

pub fn event(id: &str, at: EpochMs, action: Action) -> Event {
    Event {
        id: EventId::new(id).unwrap(),
        at,
        received_at: at.plus(40),
        shopper: SHOPPER,
        identity: Identity {
            user: Some(SHOPPER),
            anonymous: None,
        },
        session: None,
        source: SourceId::new("key:0123abcd").unwrap(),
        action,
    }
}

pub fn product(
    id: &str,
    category: Option<&str>,
    cents: Option<i64>,
    quantity: Option<u32>,
) -> Product {
    Product {
        product_id: Text::new(id),
        category: category.map(|name| Category::new(name).unwrap()),
        price: cents.map(|minor_units| Money {
            minor_units,
            currency: Currency::EUR,
        }),
        quantity,
        ..Product::default()
    }
}

pub fn product_view(id: &str, category: &str, dwell_ms: Option<u32>) -> Action {
    Action::ProductView(ProductView {
        product: product(id, Some(category), None, None),
        dwell_ms,
        ..ProductView::default()
    })
}

pub fn cart_add(id: &str, cents: i64, quantity: u32) -> Action {
    Action::CartAdd(CartAdd {
        product: product(id, None, Some(cents), Some(quantity)),
        ..CartAdd::default()
    })
}

pub fn purchase(order: &str, cents: i64, currency: &str) -> Action {
    let value = Some(Money {
        minor_units: cents,
        currency: currency.parse().unwrap(),
    });
    Action::Purchase(Order {
        order_id: Text::new(order),
        value,
        ..Order::default()
    })
}

/// Applies `events` in turn, at offsets from 0.
pub fn profile_of<'a>(events: impl IntoIterator<Item = &'a Event>) -> (Profile, Vec<Applied>) {
    let (mut profile, rules) = (Profile::new(SHOPPER), FoldRules::default());
    let applied = events
        .into_iter()
        .zip(0..)
        .map(|(event, offset)| profile.apply(event, offset, &rules).unwrap());
    let applied = applied.collect();
    (profile, applied)
}

/// The plain left fold of `events` in canonical order, without any of the profile's machinery.
pub fn plain_fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> State {
    let mut observations: Vec<_> = events.into_iter().map(Observation::of).collect();
    observations.sort_by_key(Observation::key);
    let (mut state, rules) = (State::default(), FoldRules::default());
    for observation in &observations {
        state.fold(observation, &rules);
    }
    state
}

/// Of each id the copy that counts.
pub fn distinct(events: &[Event]) -> Vec<&Event> {
    let mut events: Vec<_> = events.iter().collect();
    events.sort_by_key(|event| {
        (
            event.id.clone(),
            event.at,
            Observation::of(event).payload_hash(),
        )
    });
    events.dedup_by(|later, kept| later.id == kept.id);
    events
}

/// The bits of a state: equal only if every number is, to the last bit.
pub fn bits(state: &State) -> String {
    format!("{state:?}")
}

pub fn any_money() -> impl Strategy<Value = Money> {
    let minor_units = prop_oneof![4 => 0_i64..100_000, 1 => any::<i64>()];
    let currency = prop::sample::select(vec!["EUR", "USD", "JPY", "KWD"]);
    (minor_units, currency).prop_map(|(minor_units, currency)| Money {
        minor_units,
        currency: currency.parse().unwrap(),
    })
}

fn any_category() -> impl Strategy<Value = Option<Category>> {
    prop::option::of((0..24_u8).prop_map(|n| Category::new(&format!("category {n}")).unwrap()))
}

fn any_dwell() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(prop_oneof![4 => 0..600_000_u32, 1 => any::<u32>()])
}

pub fn any_product() -> impl Strategy<Value = Product> {
    let quantity = prop_oneof![4 => 0..4_u32, 1 => any::<u32>()];
    let price = prop_oneof![
        3 => (0..2000_i64).prop_map(|cents| Some(Money { minor_units: cents, currency: Currency::EUR })),
        1 => prop::option::of(any_money()),
    ];
    (
        prop::option::of(0..16_u8),
        any_category(),
        price,
        prop::option::of(any_money()),
        prop::option::of(quantity),
        prop::option::of(0..12_u8),
    )
        .prop_map(
            |(id, category, price, list_price, quantity, brand)| Product {
                product_id: id.and_then(|id| Text::new(&format!("product-{id}"))),
                category,
                price,
                list_price,
                quantity,
                brand: brand.and_then(|brand| Text::new(&format!("Brand {brand}"))),
                ..Product::default()
            },
        )
}

fn any_scroll() -> impl Strategy<Value = Option<Fraction>> {
    let depth = prop_oneof![
        (0..=100_u8).prop_map(|percent| f64::from(percent) / 100.0),
        0.0..=1.0
    ];
    prop::option::of(depth.prop_map(|depth| Fraction::new(depth).unwrap()))
}

fn any_filters() -> impl Strategy<Value = Filters> {
    let kind = prop::sample::select(vec!["colour", "Sale-PRICE"]);
    prop::collection::vec(kind, 0..2).prop_map(|kinds| {
        let filter = |kind| Filter {
            kind: Text::new(kind).unwrap(),
            value: None,
        };
        List::new(kinds.into_iter().map(filter).collect()).unwrap()
    })
}

fn any_identify() -> impl Strategy<Value = Action> {
    let zone = prop::sample::select(vec!["Europe/Berlin", "America/Sao_Paulo", "Nowhere"]);
    prop::option::of(zone).prop_map(|zone| {
        Action::Identify(Identify {
            time_zone: zone.and_then(Text::new),
            ..Identify::default()
        })
    })
}

fn any_content() -> impl Strategy<Value = Action> {
    let interaction = prop::sample::select(vec![Interaction::Impression, Interaction::Click]);
    interaction.prop_map(|interaction| {
        Action::ContentInteraction(ContentInteraction {
            kind: ContentKind::Banner,
            interaction,
            content_id: Text::new("banner").unwrap(),
            creative: None,
            name: None,
            product_id: None,
            position: None,
        })
    })
}

fn any_products() -> impl Strategy<Value = Products> {
    prop::collection::vec(any_product(), 0..5).prop_map(|products| List::new(products).unwrap())
}

fn any_order() -> impl Strategy<Value = Order> {
    (
        prop::option::of(0..3_u8),
        prop::option::of(any_money()),
        any_products(),
    )
        .prop_map(|(id, value, products)| Order {
            order_id: id.and_then(|id| Text::new(&format!("order-{id}"))),
            value,
            products,
            ..Order::default()
        })
}

pub fn any_action() -> impl Strategy<Value = Action> {
    let product_view =
        (any_product(), any_dwell(), any_scroll()).prop_map(|(product, dwell_ms, scroll_depth)| {
            Action::ProductView(ProductView {
                product,
                dwell_ms,
                scroll_depth,
                ..ProductView::default()
            })
        });
    let page_view = (any_category(), any_dwell(), any_scroll()).prop_map(
        |(category, dwell_ms, scroll_depth)| {
            Action::PageView(PageView {
                category,
                dwell_ms,
                scroll_depth,
                ..PageView::default()
            })
        },
    );
    let list_view = (any_category(), any_dwell()).prop_map(|(category, dwell_ms)| {
        Action::ProductListView(ProductListView {
            category,
            dwell_ms,
            ..ProductListView::default()
        })
    });
    let filter = any_filters().prop_map(|sorts| {
        Action::ProductListFilter(ProductListFilter {
            sorts,
            ..ProductListFilter::default()
        })
    });
    let search = (any_dwell(), any_filters()).prop_map(|(dwell_ms, filters)| {
        Action::Search(Search {
            dwell_ms,
            filters,
            ..Search::default()
        })
    });
    let outcome = prop::sample::select(vec![
        CouponOutcome::Entered,
        CouponOutcome::Applied,
        CouponOutcome::Denied,
    ]);
    let coupon = outcome.prop_map(|outcome| {
        let none = (None, None, None);
        let (coupon_id, order_id, cart_id) = none;
        Action::CouponAttempt(CouponAttempt {
            outcome,
            coupon_id,
            coupon_name: None,
            order_id,
            cart_id,
            discount: None,
            reason: None,
        })
    });
    let step = prop::option::of(prop_oneof![0..6_u32, any::<u32>()]);
    prop_oneof![
        6 => product_view,
        3 => page_view,
        1 => list_view,
        2 => search,
        2 => any_product().prop_map(|product| Action::CartAdd(CartAdd { product, ..CartAdd::default() })),
        1 => any_product().prop_map(|product| Action::CartRemove(CartRemove { product, ..CartRemove::default() })),
        1 => any_products().prop_map(|products| Action::CartView(CartView { products, cart_id: None })),
        1 => coupon,
        1 => filter,
        1 => any_identify(),
        1 => any_content(),
        1 => step.prop_map(|step| Action::CheckoutStep(CheckoutStep { step, ..CheckoutStep::default() })),
        1 => any_order().prop_map(Action::CheckoutStart),
        1 => any_order().prop_map(Action::Purchase),
        1 => any_order().prop_map(Action::Refund),
        1 => any_order().prop_map(Action::OrderUpdate),
        1 => any_product().prop_map(|product| Action::WishlistAdd(WishlistChange { product, wishlist_id: None })),
        1 => any_product().prop_map(|product| Action::ProductClick(ProductClick { product, list_id: None })),
    ]
}

/// Events over `span_ms`, some in several copies whose times lie within an hour and whose content may differ, in an
/// order in which nothing arrives 24 hours behind the newest.
pub fn arrivals(span_ms: i64) -> impl Strategy<Value = Vec<Event>> {
    let copy = || (0..=HOUR_MS, 0..DAY_MS, any_action());
    let copies = prop_oneof![5 => prop::collection::vec(copy(), 1..2), 1 => prop::collection::vec(copy(), 2..4)];
    // Times on a coarse grid, so that some fall together.
    let at = (0..=span_ms / (5 * MINUTE_MS)).prop_map(|step| START.plus(step * 5 * MINUTE_MS));
    prop::collection::vec((at, copies), 1..60).prop_map(|events| {
        let mut arrivals = Vec::new();
        for (number, (at, copies)) in events.into_iter().enumerate() {
            for (moved_ms, delay_ms, action) in copies {
                let at = at.plus(moved_ms / (10 * MINUTE_MS) * (10 * MINUTE_MS));
                arrivals.push((
                    at.plus(delay_ms),
                    event(&format!("event-{number}"), at, action),
                ));
            }
        }
        arrivals.sort_by_key(|(arrival, _)| *arrival);
        arrivals.into_iter().map(|(_, event)| event).collect()
    })
}
