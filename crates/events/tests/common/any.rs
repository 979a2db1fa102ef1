//! Strategies for events of every kind.

use foretide_events::*;
use proptest::{collection::vec, option::of, prelude::*};

/// Any event that is as one from ingest: its shopper is that of its identity, its times can be written.
pub fn event() -> BoxedStrategy<Event> {
    let ids = ("\\PC{1,40}", of("\\PC{1,20}"), "\\PC{1,20}");
    (ids, instant(), instant(), identity(), action())
        .prop_map(
            |((id, session, source), at, received_at, identity, action)| Event {
                id: EventId::new(&id).unwrap(),
                at,
                received_at,
                shopper: identity.shopper().unwrap(),
                identity,
                session: session.map(|session| SessionId::new(&session).unwrap()),
                source: SourceId::new(&source).unwrap(),
                action,
            },
        )
        .boxed()
}

fn instant() -> BoxedStrategy<EpochMs> {
    (EpochMs::EARLIEST.0..=EpochMs::LATEST.0)
        .prop_map(EpochMs)
        .boxed()
}

fn identity() -> BoxedStrategy<Identity> {
    (of(shopper()), of(shopper()), shopper())
        .prop_map(|(user, anonymous, either)| match (user, anonymous) {
            (None, None) => Identity {
                user: Some(either),
                anonymous: None,
            },
            (user, anonymous) => Identity { user, anonymous },
        })
        .boxed()
}

fn shopper() -> BoxedStrategy<ShopperId> {
    any::<[u8; 16]>().prop_map(ShopperId).boxed()
}

fn text<const MAX: usize>() -> BoxedStrategy<Text<MAX>> {
    prop_oneof!["\\PC{0,12}", ".{0,8}"]
        .prop_map(|text| Text::new(&text).unwrap_or_else(|| Text::new("x").unwrap()))
        .boxed()
}

fn category() -> BoxedStrategy<Category> {
    "\\PC{1,20}"
        .prop_map(|text| Category::new(&text).unwrap())
        .boxed()
}

fn money() -> BoxedStrategy<Money> {
    let units = -1_000_000_000_000_000..=1_000_000_000_000_000_i64;
    (units, "EUR|USD|JPY|KWD|CLF")
        .prop_map(|(minor_units, code)| Money {
            minor_units,
            currency: code.parse().unwrap(),
        })
        .boxed()
}

fn finite() -> BoxedStrategy<Finite> {
    any::<f64>().prop_filter_map("finite", Finite::new).boxed()
}

fn fraction() -> BoxedStrategy<Fraction> {
    (0.0..=1.0)
        .prop_map(|value| Fraction::new(value).unwrap())
        .boxed()
}

fn list<T: Clone + std::fmt::Debug + 'static, const MAX: usize>(
    item: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<List<T, MAX>> {
    vec(item, 0..4)
        .prop_map(|items| List::new(items).unwrap())
        .boxed()
}

fn address() -> BoxedStrategy<Phrase> {
    "(/[a-z0-9._-]{1,8}){1,4}"
        .prop_map(|text| Text::new(&text).unwrap())
        .boxed()
}

fn product() -> BoxedStrategy<Product> {
    (
        (
            of(text()),
            of(text()),
            of(category()),
            of(text()),
            of(text()),
            of(text()),
        ),
        (
            of(money()),
            of(money()),
            of(any::<u32>()),
            of(text()),
            of(any::<u32>()),
        ),
    )
        .prop_map(
            |(
                (product_id, sku, category, name, brand, variant),
                (price, list_price, quantity, coupon, position),
            )| {
                Product {
                    product_id,
                    sku,
                    category,
                    name,
                    brand,
                    variant,
                    price,
                    list_price,
                    quantity,
                    coupon,
                    position,
                }
            },
        )
        .boxed()
}

fn filter() -> BoxedStrategy<Filter> {
    (text(), of(text()))
        .prop_map(|(kind, value)| Filter { kind, value })
        .boxed()
}

fn readings() -> BoxedStrategy<Readings> {
    list((text(), finite()).prop_map(|(name, value)| Reading { name, value })).boxed()
}

/// Any action: every kind is as likely as every other.
pub fn action() -> BoxedStrategy<Action> {
    prop_oneof![looking(), holding(), buying(), telling(), outside()].boxed()
}

fn looking() -> BoxedStrategy<Action> {
    let page = (
        of(text()),
        of(address()),
        of(text()),
        of(category()),
        of("[a-z.]{1,9}/[a-z]{0,9}".prop_map(|text| Text::new(&text).unwrap())),
        of(any::<u32>()),
        of(fraction()),
    )
        .prop_map(
            |(name, path, title, category, referrer, dwell_ms, scroll_depth)| {
                Action::PageView(PageView {
                    name,
                    path,
                    title,
                    category,
                    referrer,
                    dwell_ms,
                    scroll_depth,
                })
            },
        );
    let search = (
        of(text()),
        list(filter()),
        of(any::<u32>()),
        of(any::<u32>()),
    )
        .prop_map(|(query, filters, result_count, dwell_ms)| {
            Action::Search(Search {
                query,
                filters,
                result_count,
                dwell_ms,
            })
        });
    let list_view = (
        of(text()),
        of(category()),
        list(product()),
        of(any::<u32>()),
    )
        .prop_map(|(list_id, category, products, dwell_ms)| {
            Action::ProductListView(ProductListView {
                list_id,
                category,
                products,
                dwell_ms,
            })
        });
    let list_filter = (
        of(text()),
        of(category()),
        list(filter()),
        list(filter()),
        list(product()),
    )
        .prop_map(|(list_id, category, filters, sorts, products)| {
            Action::ProductListFilter(ProductListFilter {
                list_id,
                category,
                filters,
                sorts,
                products,
            })
        });
    let click = (product(), of(text()))
        .prop_map(|(product, list_id)| Action::ProductClick(ProductClick { product, list_id }));
    let view = (product(), list(text()), of(any::<u32>()), of(fraction())).prop_map(
        |(product, attributes, dwell_ms, scroll_depth)| {
            Action::ProductView(ProductView {
                product,
                attributes,
                dwell_ms,
                scroll_depth,
            })
        },
    );
    prop_oneof![page, search, list_view, list_filter, click, view].boxed()
}

fn holding() -> BoxedStrategy<Action> {
    let wish = || {
        (product(), of(text())).prop_map(|(product, wishlist_id)| WishlistChange {
            product,
            wishlist_id,
        })
    };
    prop_oneof![
        (
            product(),
            of(any::<u32>().boxed()),
            of(text()),
            any::<bool>()
        )
            .prop_map(|(product, quantity, cart_id, from_wishlist)| {
                Action::CartAdd(CartAdd {
                    product,
                    quantity,
                    cart_id,
                    from_wishlist,
                })
            }),
        (product(), of(any::<u32>().boxed()), of(text())).prop_map(
            |(product, quantity, cart_id)| {
                Action::CartRemove(CartRemove {
                    product,
                    quantity,
                    cart_id,
                })
            }
        ),
        (of(text()), list(product()))
            .prop_map(|(cart_id, products)| Action::CartView(CartView { cart_id, products })),
        wish().prop_map(Action::WishlistAdd),
        wish().prop_map(Action::WishlistRemove),
    ]
    .boxed()
}

fn order() -> BoxedStrategy<Order> {
    let basis = proptest::sample::select(vec![
        ValueBasis::Revenue,
        ValueBasis::Subtotal,
        ValueBasis::Total,
        ValueBasis::Value,
        ValueBasis::Products,
    ]);
    (
        (
            of(text()),
            of(text()),
            of(text()),
            of(text()),
            list(product()),
        ),
        (
            of(money()),
            of(basis),
            of(money()),
            of(money()),
            of(money()),
        ),
        (of(money()), of(money()), of(money())),
    )
        .prop_map(
            |(
                (order_id, checkout_id, affiliation, coupon, products),
                (value, value_basis, revenue, subtotal, total),
                (shipping, tax, discount),
            )| Order {
                order_id,
                checkout_id,
                affiliation,
                value,
                value_basis,
                revenue,
                subtotal,
                total,
                shipping,
                tax,
                discount,
                coupon,
                products,
            },
        )
        .boxed()
}

fn step() -> BoxedStrategy<CheckoutStep> {
    let progress = proptest::sample::select(vec![StepProgress::Viewed, StepProgress::Completed]);
    (
        of(text()),
        of(text()),
        of(any::<u32>()),
        of(progress),
        of(text()),
        of(text()),
    )
        .prop_map(
            |(checkout_id, order_id, step, progress, shipping_method, payment_method)| {
                CheckoutStep {
                    checkout_id,
                    order_id,
                    step,
                    progress,
                    shipping_method,
                    payment_method,
                }
            },
        )
        .boxed()
}

fn buying() -> BoxedStrategy<Action> {
    prop_oneof![
        order().prop_map(Action::CheckoutStart),
        step().prop_map(Action::CheckoutStep),
        step().prop_map(Action::PaymentInfo),
        order().prop_map(Action::Purchase),
        order().prop_map(Action::OrderUpdate),
        order().prop_map(Action::Refund),
        order().prop_map(Action::Cancel),
    ]
    .boxed()
}

fn telling() -> BoxedStrategy<Action> {
    let outcome = proptest::sample::select(vec![
        CouponOutcome::Entered,
        CouponOutcome::Applied,
        CouponOutcome::Denied,
        CouponOutcome::Removed,
    ]);
    let coupon = (
        outcome,
        of(text()),
        of(text()),
        of(text()),
        of(text()),
        of(money()),
        of(text()),
    )
        .prop_map(
            |(outcome, coupon_id, coupon_name, order_id, cart_id, discount, reason)| {
                Action::CouponAttempt(CouponAttempt {
                    outcome,
                    coupon_id,
                    coupon_name,
                    order_id,
                    cart_id,
                    discount,
                    reason,
                })
            },
        );
    let kind = proptest::sample::select(vec![
        ContentKind::Recommendation,
        ContentKind::Banner,
        ContentKind::Offer,
        ContentKind::Message,
        ContentKind::Assistance,
        ContentKind::Other,
    ]);
    let interaction = proptest::sample::select(vec![
        Interaction::Impression,
        Interaction::Click,
        Interaction::Dismiss,
    ]);
    let content = (
        text(),
        kind,
        interaction,
        of(text()),
        of(text()),
        of(text()),
        of(text()),
    )
        .prop_map(
            |(content_id, kind, interaction, creative, name, position, product_id)| {
                Action::ContentInteraction(ContentInteraction {
                    content_id,
                    kind,
                    interaction,
                    creative,
                    name,
                    position,
                    product_id,
                })
            },
        );
    let share = (of(product()), of(text()), of(text())).prop_map(|(product, cart_id, via)| {
        Action::Share(Share {
            product,
            cart_id,
            via,
        })
    });
    let review =
        (of(text()), of(text()), of(finite())).prop_map(|(product_id, review_id, rating)| {
            Action::Review(Review {
                product_id,
                review_id,
                rating,
            })
        });
    prop_oneof![coupon, content, share, review].boxed()
}

fn outside() -> BoxedStrategy<Action> {
    let identify = (of(text()), of(text()), of(text()), of(text())).prop_map(
        |(country, language, time_zone, plan)| {
            Action::Identify(Identify {
                country,
                language,
                time_zone,
                plan,
            })
        },
    );
    prop_oneof![
        identify,
        shopper().prop_map(|group| Action::Group(Group { group })),
        (shopper(), shopper()).prop_map(|(previous_user, previous_anonymous)| {
            Action::Alias(Alias {
                previous_user,
                previous_anonymous,
            })
        }),
        (text(), of(money()), of(text())).prop_map(|(kind, value, reference)| Action::Conversion(
            Conversion {
                kind,
                value,
                reference
            }
        )),
        (text(), text(), readings()).prop_map(|(kind, purpose, values)| Action::Enrichment(
            Enrichment {
                kind,
                purpose,
                values
            }
        )),
        (text(), readings()).prop_map(|(name, values)| Action::Custom(Custom { name, values })),
    ]
    .boxed()
}
