use foretide_events::{CartAdd, EventId, Identity, List, Order, ProductView, ShopperId, SourceId};
use proptest::prelude::*;

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn product(id: &str, category: Option<&str>) -> Product {
    Product {
        product_id: ShopId::new(id),
        category: category.map(|name| Category::new(name).unwrap()),
        ..Product::default()
    }
}

fn event(at: EpochMs, action: Action) -> Event {
    let shopper = ShopperId([1; 16]);
    Event {
        id: EventId::new("e").unwrap(),
        at,
        received_at: at,
        shopper,
        identity: Identity {
            user: Some(shopper),
            anonymous: None,
        },
        session: None,
        source: SourceId::new("key:test").unwrap(),
        action,
    }
}

fn view(at_day: i64, product: Product) -> Event {
    let seen = ProductView {
        product,
        ..ProductView::default()
    };
    event(EpochMs(at_day * DAY_MS), Action::ProductView(seen))
}

fn seen(events: &[Event]) -> Popularity {
    let mut popularity = Popularity::new(PopularityRules::default());
    for event in events {
        popularity.observe(event);
    }
    popularity
}

fn tastes(of: &[(&str, f64)]) -> Vec<(Category, f64)> {
    of.iter()
        .map(|(name, share)| (Category::new(name).unwrap(), *share))
        .collect()
}

fn ids(recommended: &[Recommended]) -> Vec<&str> {
    recommended
        .iter()
        .map(|product| &*product.product_id)
        .collect()
}

fn none() -> HashSet<ShopId> {
    HashSet::new()
}

#[test]
fn buying_counts_more_than_a_cart_and_a_cart_more_than_a_view() {
    let add = CartAdd {
        product: product("in-carts", Some("c")),
        ..CartAdd::default()
    };
    let order = Order {
        products: List::new(vec![product("bought", Some("c"))]).unwrap(),
        ..Order::default()
    };
    let popularity = seen(&[
        view(1, product("viewed", Some("c"))),
        event(EpochMs(DAY_MS), Action::CartAdd(add)),
        event(EpochMs(DAY_MS), Action::Purchase(order)),
    ]);
    let best = popularity.recommend(&tastes(&[("c", 1.0)]), &none(), 3);
    assert_eq!(ids(&best), ["bought", "in-carts", "viewed"]);
}

#[test]
fn what_was_popular_long_ago_gives_way_to_what_is_popular_now() {
    let mut events = vec![view(0, product("old", Some("c"))); 20];
    events.extend(vec![view(60, product("new", Some("c"))); 2]);
    let best = seen(&events).recommend(&tastes(&[("c", 1.0)]), &none(), 2);
    assert_eq!(ids(&best), ["new", "old"]);
}

#[test]
fn the_shoppers_own_categories_come_first_and_the_rest_of_the_shop_fills_up() {
    let mut events = vec![view(1, product("elsewhere", Some("shoes"))); 50];
    events.push(view(1, product("mine", Some("hats"))));
    events.push(view(1, product("no-category", None)));
    let best = seen(&events).recommend(&tastes(&[("hats", 0.9), ("unheard-of", 0.1)]), &none(), 10);
    assert_eq!(ids(&best), ["mine", "elsewhere", "no-category"]);
    assert_eq!(best[0].category, Some(Category::new("hats").unwrap()));
    assert_eq!(best[1].category, None);
}

#[test]
fn what_is_excluded_is_never_recommended_and_nothing_twice() {
    let events = ["a", "b", "c"].map(|id| view(1, product(id, Some("hats"))));
    let exclude = HashSet::from([ShopId::new("b").unwrap()]);
    let best = seen(&events).recommend(&tastes(&[("hats", 1.0)]), &exclude, 10);
    assert_eq!(ids(&best), ["a", "c"]);
}

#[test]
fn it_stays_bounded_and_keeps_the_categories_in_use() {
    let rules = PopularityRules {
        max_categories: 3,
        ..PopularityRules::default()
    };
    let mut popularity = Popularity::new(rules);
    for day in 0..100 {
        popularity.observe(&view(day, product("p", Some(&format!("c{day}")))));
    }
    assert_eq!(popularity.categories.len(), 3);
    assert!(
        popularity
            .categories
            .contains_key(&Category::new("c99").unwrap())
    );
}

proptest! {
    #[test]
    fn at_most_as_many_as_asked_for_and_all_different(
        products in prop::collection::vec((0_u8..30, 0_u8..4), 0..80), count in 0_usize..12,
    ) {
        let events: Vec<Event> = products
            .iter()
            .map(|(id, category)| view(1, product(&format!("p{id}"), Some(&format!("c{category}")))))
            .collect();
        let best = seen(&events).recommend(&tastes(&[("c1", 0.6), ("c2", 0.4)]), &none(), count);
        let different: HashSet<_> = best.iter().map(|product| &product.product_id).collect();
        prop_assert_eq!(different.len(), best.len());
        let known: HashSet<_> = products.iter().map(|(id, _)| id).collect();
        prop_assert_eq!(best.len(), count.min(known.len()));
    }
}
