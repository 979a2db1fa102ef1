"""Prints made-up events, one JSON object a line, of kinds that a simulated shop does not have: several currencies, prices of nothing,
products without ids, orders that come twice, zones that are none, more categories and brands than are kept.

    made_up.py SHOPPERS EVENTS_OF_EACH > events.jsonl
"""

import json
import random
import sys
from datetime import datetime, timedelta, timezone

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
MINUTE = 60_000


def maybe(draw, share, value):
    return value() if draw.random() < share else None


def price(draw):
    return {
        "minor_units": draw.choice([0, 1, 999, 1000, 1004, 1006, 1200, 25_000, draw.randrange(10**9)]),
        "currency": draw.choices(["EUR", "USD", "JPY", "KWD"], [20, 1, 1, 1])[0],
    }


def product(draw):
    number = draw.randrange(16)
    fields = {
        "product_id": maybe(draw, 0.8, lambda: f"p{number}"),
        "sku": maybe(draw, 0.3, lambda: f"s{number}"),
        "category": maybe(draw, 0.8, lambda: f"category {int(draw.expovariate(0.15))}"),
        "brand": maybe(draw, 0.7, lambda: f"Brand {int(draw.expovariate(0.3))}"),
        "price": maybe(draw, 0.8, lambda: price(draw)),
        "list_price": maybe(draw, 0.4, lambda: price(draw)),
        "quantity": maybe(draw, 0.2, lambda: draw.randrange(4)),
    }
    return {name: value for name, value in fields.items() if value is not None}


def action(draw):
    kinds = {
        "product_view": 40, "page_view": 8, "search": 8, "product_list_view": 4, "product_list_filter": 4, "product_click": 4,
        "cart_add": 14, "cart_remove": 3, "cart_view": 2, "wishlist_add": 4, "wishlist_remove": 1, "coupon_attempt": 4,
        "content_interaction": 6, "checkout_start": 2, "checkout_step": 2, "payment_info": 2, "purchase": 5, "refund": 1, "cancel": 1,
        "order_update": 1, "identify": 2, "share": 1, "review": 1,
    }  # fmt: skip
    kind = draw.choices([*kinds], [*kinds.values()])[0]
    choice = lambda: [{"kind": draw.choice(["colour", "price", "Sale-PRICE", "size"])} for _ in range(draw.randrange(3))]
    fields = {}
    if kind in ("product_view", "page_view", "search", "product_list_view"):
        fields["dwell_ms"] = maybe(draw, 0.7, lambda: draw.randrange(700_000))
    if kind in ("product_view", "page_view"):
        fields["scroll_depth"] = maybe(draw, 0.5, lambda: draw.choice([0.0, 0.25, 1.0, draw.random()]))
    if kind in ("page_view", "product_list_view"):
        fields["category"] = maybe(draw, 0.6, lambda: f"category {draw.randrange(20)}")
    if kind in ("product_view", "product_click", "cart_add", "cart_remove", "wishlist_add", "wishlist_remove"):
        fields["product"] = product(draw)
    if kind in ("cart_add", "cart_remove"):
        fields["quantity"] = maybe(draw, 0.5, lambda: draw.randrange(5))
    if kind in ("search", "product_list_filter"):
        fields["filters"] = choice()
    if kind == "product_list_filter":
        fields["sorts"] = choice()
    if kind == "coupon_attempt":
        fields["outcome"] = draw.choice(["entered", "applied", "denied", "removed"])
    if kind == "content_interaction":
        fields |= {"content_id": "c", "kind": "banner", "interaction": draw.choice(["impression", "click", "dismiss"])}
    if kind in ("checkout_step", "payment_info"):
        fields["step"] = maybe(draw, 0.8, lambda: draw.randrange(300))
    if kind == "identify":
        fields["time_zone"] = draw.choice(["Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Nowhere/City"])
    if kind in ("cart_view", "purchase", "refund"):
        fields["products"] = [product(draw) for _ in range(draw.randrange(4))]
    if kind in ("purchase", "refund"):
        fields |= {"order_id": maybe(draw, 0.8, lambda: f"order {draw.randrange(3)}"), "value": maybe(draw, 0.8, lambda: price(draw))}
    return {"type": kind} | {name: value for name, value in fields.items() if value is not None}


def text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def main():
    shoppers, events = map(int, sys.argv[1:])
    arrivals = []
    for shopper in range(shoppers):
        draw = random.Random(shopper)
        moment = START + timedelta(days=draw.random())
        pace = draw.choice([5, 120, 3000])
        for number in range(draw.randrange(1, events + 1)):
            moment += timedelta(milliseconds=int(draw.choice([0, 1, draw.expovariate(1 / pace)]) * MINUTE))
            event = {
                "v": 1,
                "id": f"{shopper}-{number}",
                "at": text(moment),
                "received_at": text(moment),
                "shopper": {"anonymous": f"{shopper:032x}"},
                "source": "key:made-up",
            } | action(draw)
            delay = timedelta(minutes=draw.choice([0, 0, draw.randrange(24 * 60), 25 * 60 * (draw.random() < 0.05)]))
            arrivals.append((moment + delay, len(arrivals), event))
    for _, _, event in sorted(arrivals, key=lambda arrival: arrival[:2]):
        print(json.dumps(event, separators=(",", ":")))


if __name__ == "__main__":
    main()
