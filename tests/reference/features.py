"""Every feature of Foretide's catalogue, computed anew from a shopper's events: simple, slow, and sharing no code with Foretide.

`crates/features/CATALOGUE.md` says what each is. Nothing here is incremental: for each instant all events are walked again.
"""

from datetime import datetime, timezone
from math import exp2, expm1, log, log1p, log2, sqrt
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
HALF_LIVES = {"30m": 30 * MINUTE, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
SESSION_GAP, DWELL_CAP = 30 * MINUTE, 5 * MINUTE
VIEW_SECONDS = 10.0
RELEVANCE = {"product": 1.0, "list": 1.0, "search": 1.0, "category_page": 1.0, "other_page": 0.0}
WORTH = {"product_view": 1.0, "search": 1.0}
NOTHING = 1e-3
VERY_LITTLE = 1e-9
FEW = 1e-6
ABSENT = {"refund", "cancel", "order_update", "conversion", "enrichment"}
PRIOR = {
    "levels": {},
    "review_cart_share": 0.1,
    "visit_gap": (log1p(72.0), 1.0),
    "engagement": (log1p(8.0), 1.0),
    "session_length": (log1p(300.0), 1.2),
    "basket": (log1p(60.0), 0.8),
    "mix": (0.15, 0.15),
}
MINOR_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "KWD": 3, "BHD": 3, "TND": 3}


def decay(value, before, now, half_life, least=NOTHING):
    """What is left of a sum. One that was worth less than the least when the present period of one half-life began is nothing."""
    left = value * exp2(-(now - before) / half_life)
    begun = now // half_life > before // half_life
    return 0.0 if begun and left * exp2(now % half_life / half_life) < least else left


# Numbers that may be small from the start.
LEAST = dict.fromkeys(["same_n", "same_y", "drop_n", "rise_n"], VERY_LITTLE) | dict.fromkeys(
    ["drop_x", "drop_xx", "drop_xy", "rise_x", "rise_xx", "rise_xy"], 0.0
)


class Sums:
    """Decayed sums by name, all moved on together with every event."""

    def __init__(self, half_life):
        self.half_life = HALF_LIVES[half_life]
        self.values = {}

    def move(self, before, now):
        self.values = {
            name: decay(value, before, now, self.half_life, LEAST.get(name, NOTHING)) for name, value in self.values.items()
        }

    def add(self, name, amount=1.0):
        self.values[name] = self.values.get(name, 0.0) + amount

    def clear(self, *names):
        for name in names:
            self.values.pop(name, None)

    def at(self, name, before, now):
        """The sum after the latest event, read later."""
        return decay(self.values.get(name, 0.0), before, max(before, now), self.half_life, LEAST.get(name, NOTHING))


class Shares:
    """The keys that got most attention (Space-Saving), with what else is kept of each."""

    def __init__(self, limit):
        self.limit = limit
        self.entries = {}

    def move(self, before, now):
        for entry in self.entries.values():
            for name, half_life in {"attention": "7d", "error": "7d", "recent": "1d"}.items():
                entry[name] = decay(entry[name], before, now, HALF_LIVES[half_life])
        self.entries = {key: entry for key, entry in self.entries.items() if entry["attention"] > 0}
        if now // HALF_LIVES["7d"] > before // HALF_LIVES["7d"]:
            least = sum(self.of("attention")) * 0.02
            self.entries = {key: entry for key, entry in self.entries.items() if entry["attention"] >= least}

    def add(self, key, amount):
        if amount <= 0:
            return
        if key not in self.entries:
            inherited = 0.0
            if len(self.entries) == self.limit:
                least = min(self.entries, key=lambda k: self.entries[k]["attention"])
                # The new one takes its place in the list.
                keys = [key if k == least else k for k in self.entries]
                inherited = self.entries[least]["attention"]
                self.entries = {k: self.entries.get(k) for k in keys}
            self.entries[key] = {"attention": inherited, "error": inherited, "recent": 0.0, "viewed": [], "bought": []}
        self.entries[key]["attention"] += amount
        self.entries[key]["recent"] += amount

    def of(self, name):
        return [entry[name] for entry in self.entries.values()]

    def shares(self):
        total = sum(self.of("attention"))
        return [attention / total for attention in self.of("attention")]

    def entropy(self):
        return -sum(share * log2(share) for share in self.shares()) if self.entries else None


class Baseline:
    """A running location and scale that single extraordinary values hardly move."""

    def __init__(self, first_scale):
        self.first_scale = first_scale
        self.n, self.location, self.scale = 0, 0.0, 0.0

    def add(self, value):
        if self.n == 0:
            self.n, self.location, self.scale = 1, value, self.first_scale
            return
        weight = 1.0 / min(self.n + 1, 20)
        off = max(-3 * self.scale, min(3 * self.scale, value - self.location))
        self.location += weight * off
        self.scale = max(self.scale + weight * (abs(off) * 1.2533141373155003 - self.scale), 0.05)
        self.n = min(self.n + 1, 20)

    def deviation(self, value, prior):
        location = (self.n * self.location + 3 * prior[0]) / (self.n + 3)
        scale = max((self.n * self.scale + 3 * prior[1]) / (self.n + 3), 0.1)
        return clamp((value - location) / scale)


def clamp(value):
    return max(-10.0, min(10.0, value))


def major(minor, currency):
    return minor / 10 ** MINOR_DIGITS.get(currency, 2)


def ratio(numerator, divisor):
    return numerator / divisor if divisor >= FEW else None


def share(part, whole):
    """A ratio of sums of which one is part of the other, but may have decayed less."""
    found = ratio(part, whole)
    return None if found is None else min(found, 1.0)


def spread_of(values, now):
    """Weight, mean and the weighted squares around any centre of (time, value) with a half-life of 30 days."""
    weighed = [(exp2(-(now - at) / HALF_LIVES["30d"]), value) for at, value in values]
    n = sum(weight for weight, _ in weighed)
    first = values[0][1] if values else 0.0
    # Around the first value, so that equal values have no spread at all.
    mean = first + sum(weight * (value - first) for weight, value in weighed) / n if n else first
    return n, mean, lambda centre: sum(weight * (value - centre) ** 2 for weight, value in weighed)


def price_of(product):
    price = product.get("price")
    return price if price and price["minor_units"] > 0 else None


def product_key(product):
    return product.get("product_id") or product.get("sku")


class Shopper:
    """All that is known of a shopper after some events."""

    def __init__(self):
        self.as_of = None
        self.sums = {half_life: Sums(half_life) for half_life in HALF_LIVES}
        self.categories, self.brands = Shares(16), Shares(4)
        self.daily, self.length, self.basket = Baseline(0.7), Baseline(1.0), Baseline(0.6)
        self.first = self.last = self.zone = self.money = self.session = None
        self.actions = self.sessions = 0
        self.latest = {}
        self.day, self.day_engagement = None, 0.0
        self.seen = {}
        self.gaps = []
        self.within = []
        self.cart, self.cart_since, self.cart_currency = {}, None, None
        self.orders, self.order_id, self.order_currency = 0, None, None

    # Folding

    def fold(self, event):
        kind, at = event["type"], event["ms"]
        before = at if self.as_of is None else self.as_of
        for group in self.sums.values():
            group.move(before, at)
        self.categories.move(before, at)
        self.brands.move(before, at)
        if not self.sums["30d"].values.get("priced_views"):
            self.within = []
        month = self.sums["30d"].values
        if not month.get("drop_n") and not month.get("rise_n"):
            self.sums["30d"].clear(*(f"{kind}_{part}" for kind in ("drop", "rise") for part in ("x", "xx", "xy")))
        self.as_of = at
        if kind not in ABSENT:
            self.be_there(at)
        handle = getattr(self, kind, None)
        if handle:
            handle(event)
        if kind in ("refund", "cancel"):
            self.count("refunds", "30d")

    def count(self, name, *half_lives, amount=1.0):
        for half_life in half_lives or HALF_LIVES:
            self.sums[half_life].add(name, amount)

    def be_there(self, at):
        if self.session is None or at - self.session["last"] > SESSION_GAP:
            self.begin_session(at)
        day = at // DAY
        if self.day is not None and day > self.day:
            self.daily.add(log1p(self.day_engagement))
            self.day_engagement = 0.0
        self.day = day
        self.first = at if self.first is None else self.first
        self.last = self.session["last"] = at
        self.actions += 1
        self.session["actions"] += 1
        self.count("actions")

    def begin_session(self, at):
        if self.session is not None:
            self.length.add(log1p((self.session["last"] - self.session["start"]) / 1000))
            self.gaps.append((at, log1p((at - self.session["last"]) / HOUR)))
        names = "actions pages product_views searches cart_adds cart_removes coupon_denials purchases step payment repeat followed coupons"
        self.session = {"start": at, "last": at, "dwell": 0.0, "scrolls": [], "pending": False, **dict.fromkeys(names.split(), 0)}
        for product in self.seen.values():
            product["awaits"], product["in_session"] = None, False
        self.sessions += 1
        self.count("sessions", "30d")

    def look(self, event, relevance, category=None):
        dwell = min(event.get("dwell_ms", 0), DWELL_CAP) / 1000
        self.session["pages"] += 1
        self.session["dwell"] += dwell
        if "scroll_depth" in event:
            self.session["scrolls"].append(event["scroll_depth"])
        self.count("dwell", amount=dwell)
        engagement = WORTH.get(event["type"], 0.0) + dwell / 60 * RELEVANCE[relevance]
        self.count("engagement", amount=engagement)
        self.day_engagement += engagement
        if category is not None:
            self.categories.add(category, VIEW_SECONDS + dwell)
        return dwell

    def page_view(self, event):
        category = event.get("category")
        self.look(event, "other_page" if category is None else "category_page", category)
        self.count("page_views", "7d")

    def product_list_view(self, event):
        self.look({k: v for k, v in event.items() if k != "scroll_depth"}, "list", event.get("category"))
        self.count("product_list_views", "7d")

    def search(self, event):
        self.look(event, "search")
        self.session["searches"] += 1
        self.session["pending"] = True
        self.latest["search"] = event["ms"]
        self.count("searches", "1d", "7d", "30d")
        self.filtering(event)

    def product_list_filter(self, event):
        self.count("product_list_filters", "7d", "30d")
        self.filtering(event)

    def filtering(self, event):
        kinds = [choice["kind"].lower() for choice in [*event.get("filters", []), *event.get("sorts", [])]]
        if any("price" in kind for kind in kinds):
            self.count("price_filters", "30d")

    def follow(self):
        if self.session["pending"]:
            self.session["pending"] = False
            self.session["followed"] += 1
            self.count("followed_searches", "30d")

    def product_click(self, event):
        self.count("product_clicks", "7d")
        self.follow()

    def product_view(self, event):
        product = event["product"]
        price = self.use_currency(price_of(product))
        if product_key(product):
            self.see(product_key(product), price)
        category = product.get("category")
        dwell = self.look(event, "product", category)
        if product.get("brand") is not None:
            self.brands.add(product["brand"], VIEW_SECONDS + dwell)
        self.session["product_views"] += 1
        self.latest["product_view"] = event["ms"]
        self.count("product_views", "1d", "7d", "30d")
        self.follow()
        if price:
            self.count("priced_views", "30d")
            self.count("viewed_value", "30d", amount=price["minor_units"])
            before = product.get("list_price")
            if before and before["currency"] == price["currency"] and before["minor_units"] > price["minor_units"]:
                self.count("discounted_views", "30d")
            if category is not None:
                self.note_price(category, price, "viewed", event["ms"])

    def note_price(self, category, price, kind, at):
        if category in self.categories.entries:
            prices, price = self.categories.entries[category][kind], log(price["minor_units"])
            if kind == "viewed":
                n, mean, _ = spread_of(prices, at)
                self.within.append((at, (price - mean) ** 2 * n / (n + 1)))
            prices.append((at, price))

    def see(self, key, price):
        known = self.seen.pop(key, {"price": None, "awaits": None, "in_session": False})
        self.session["repeat"] += known["in_session"]
        if price:
            if known["price"]:
                change = log(price["minor_units"] / known["price"])
                change = 0.0 if abs(change) < 0.005 else change
                kind = "same" if change == 0 else "drop" if change < 0 else "rise"
                self.count(f"{kind}_n", "30d")
                self.count(f"{kind}_x", "30d", amount=abs(change))
                self.count(f"{kind}_xx", "30d", amount=change * change)
                known["awaits"] = change
            known["price"] = price["minor_units"]
        known["in_session"] = True
        self.seen[key] = known
        if len(self.seen) > 6:
            self.seen.pop(next(iter(self.seen)))

    def respond(self, key):
        known = self.seen.get(key)
        if known and known["awaits"] is not None:
            change, known["awaits"] = known["awaits"], None
            if change == 0:
                self.count("same_y", "30d")
            else:
                self.count("drop_xy" if change < 0 else "rise_xy", "30d", amount=abs(change))

    def use_currency(self, price):
        if price and price["currency"] != self.money:
            self.money = price["currency"]
            names = "viewed_value cart_value_added wishlist_value priced_views discounted_views same_n same_y"
            changes = [f"{kind}_{part}" for kind in ("drop", "rise") for part in ("n", "x", "xx", "xy")]
            self.sums["30d"].clear(*names.split(), *changes)
            for entry in self.categories.entries.values():
                entry["viewed"], entry["bought"] = [], []
            self.within = []
            for known in self.seen.values():
                known["price"] = known["awaits"] = None
        return price

    def cart_add(self, event):
        price = self.use_currency(price_of(event["product"]))
        quantity = event.get("quantity", event["product"].get("quantity"))
        self.session["cart_adds"] += 1
        self.latest["cart_add"] = event["ms"]
        self.count("cart_adds", "1d", "7d", "30d")
        if price:
            pieces = 1 if quantity is None else quantity
            self.count("cart_value_added", "30d", amount=price["minor_units"] * pieces)
        if product_key(event["product"]):
            self.respond(product_key(event["product"]))
            self.put(event["product"], quantity, event["ms"])

    def put(self, product, quantity, at):
        quantity = 1 if quantity is None else quantity
        if not self.cart:
            self.cart_since = at
        if quantity == 0:
            return
        price = product.get("price")
        self.cart_currency = price["currency"] if price else self.cart_currency
        item = self.cart.setdefault(product_key(product), {"quantity": 0, "price": None})
        item["quantity"] += quantity
        item["price"] = price or item["price"]
        if len(self.cart) > 200:
            self.cart.pop(next(iter(self.cart)))

    def cart_remove(self, event):
        self.session["cart_removes"] += 1
        self.count("cart_removes", "7d")
        key = product_key(event["product"])
        quantity = event.get("quantity", event["product"].get("quantity"))
        if key in self.cart:
            item = self.cart[key]
            item["quantity"] = 0 if quantity is None else item["quantity"] - quantity
            if item["quantity"] <= 0:
                del self.cart[key]
        if not self.cart:
            self.cart_currency = None

    def cart_view(self, event):
        self.count("cart_views", "7d")
        products = [product for product in event.get("products", []) if product_key(product)]
        if products:
            since = self.cart_since if self.cart else event["ms"]
            self.cart = {}
            for product in products:
                self.put(product, product.get("quantity"), event["ms"])
            self.cart_since = since
            if not self.cart:
                self.cart_currency = None

    def wishlist_add(self, event):
        price = self.use_currency(price_of(event["product"]))
        self.latest["wishlist_add"] = event["ms"]
        self.count("wishlist_adds", "7d", "30d")
        if price:
            self.count("wishlist_value", "30d", amount=price["minor_units"])

    def coupon_attempt(self, event):
        outcome = event["outcome"]
        if outcome in ("applied", "denied"):
            self.session["coupons"] += 1
            self.session["coupon_denials"] += outcome == "denied"
            self.count(f"coupons_{outcome}", "7d", "30d")

    def content_interaction(self, event):
        name = {"impression": "impressions", "click": "clicks", "dismiss": "dismissals"}[event["interaction"]]
        self.count(f"content_{name}", "7d", "30d")
        if name == "clicks":
            self.latest["content_click"] = event["ms"]

    def checkout_start(self, event):
        self.count("checkout_starts", "7d")
        self.session["step"] = max(self.session["step"], 1)

    def checkout_step(self, event):
        self.session["step"] = max(self.session["step"], min(event.get("step", 0), 255), 1)

    def payment_info(self, event):
        self.checkout_step(event)
        self.session["payment"] = 1

    def purchase(self, event):
        value = event.get("value")
        self.use_currency(value if value and value["minor_units"] > 0 else None)
        self.session["step"] = self.session["payment"] = 0
        for product in event.get("products", []):
            self.respond(product_key(product))
        new = event.get("order_id") is None or event["order_id"] != self.order_id
        if new:
            self.buy(event, value)
        self.cart, self.cart_currency = {}, None

    def buy(self, event, value):
        self.orders += 1
        self.order_id = event.get("order_id")
        self.latest["purchase"] = event["ms"]
        self.session["purchases"] += 1
        if value:
            if value["currency"] != self.order_currency:
                self.order_currency = value["currency"]
                self.sums["30d"].clear("spend")
                self.basket = Baseline(0.6)
            worth = max(value["minor_units"], 0)
            self.count("spend", "30d", amount=worth)
            if worth > 0:
                self.basket.add(log1p(major(worth, value["currency"])))
        self.count("purchases", "30d")
        for product in event.get("products", []):
            price = price_of(product)
            if price and price["currency"] == self.money and product.get("category") is not None:
                self.note_price(product["category"], price, "bought", event["ms"])

    def share(self, event):
        self.count("shares", "7d")

    def review(self, event):
        self.count("reviews", "7d")

    def identify(self, event):
        try:
            self.zone = ZoneInfo(event["time_zone"])
        except (KeyError, ValueError, OSError):
            pass

    # Reading

    def features(self, now, reference=PRIOR):
        """Every feature at an instant, `None` where it is missing."""
        before = now if self.as_of is None else self.as_of
        month = lambda name: self.sums["30d"].at(name, before, now)
        found = {
            "seconds_since_seen": None if self.last is None else max(0, now - self.last) / 1000,
            "days_since_first_seen": None if self.first is None else max(0, now - self.first) / DAY,
            "actions_total": self.actions,
            "sessions_total": self.sessions,
            "cart_items": len(self.cart),
            "cart_pieces": sum(item["quantity"] for item in self.cart.values()),
            "cart_value": self.cart_value(),
            "cart_age_seconds": max(0, now - self.cart_since) / 1000 if self.cart else None,
            "purchases_total": self.orders,
            "spend_30d": None if self.order_currency is None else major(month("spend"), self.order_currency),
        }
        found |= self.counted(before, now)
        found |= self.interest(now, before)
        found |= self.prices(month, now, before, reference)
        found |= self.rhythm(now, month, reference)
        found |= self.in_session(now)
        found |= self.deviations(now, before, found, reference)
        return found

    def cart_value(self):
        prices = [(item["price"], item["quantity"]) for item in self.cart.values() if item["price"]]
        if self.cart_currency is None:
            return None
        minor = sum(price["minor_units"] * pieces for price, pieces in prices if price["currency"] == self.cart_currency)
        return major(max(minor, 0), self.cart_currency)

    def counted(self, before, now):
        names = {
            "30m": "actions dwell engagement",
            "1d": "actions searches product_views cart_adds dwell engagement",
            "7d": "actions page_views searches product_list_views product_list_filters product_clicks product_views cart_adds"
            " cart_removes cart_views wishlist_adds coupons_applied coupons_denied content_impressions content_clicks"
            " content_dismissals checkout_starts shares reviews dwell engagement",
            "30d": "actions sessions searches product_views cart_adds purchases refunds dwell engagement wishlist_adds"
            " content_clicks price_filters",
        }
        found = {}
        for half_life, listed in names.items():
            for name in listed.split():
                public = {"dwell": "dwell_seconds"}.get(name, name)
                found[f"{public}_{half_life}"] = self.sums[half_life].at(name, before, now)
        usual = found["engagement_30d"]
        for half_life, days in {"1d": 1, "7d": 7}.items():
            trend = min(found[f"engagement_{half_life}"] / usual, 1.0) * 30 / days if usual > FEW else None
            found[f"engagement_trend_{half_life}"] = trend
        return found

    def interest(self, now, before):
        categories, brands = self.categories, self.brands
        shares, total = categories.shares(), sum(categories.of("attention"))
        days = lambda name: max(0, now - self.latest[name]) / DAY if name in self.latest else None
        found = {f"days_since_{name}": days(name) for name in "product_view search cart_add wishlist_add content_click purchase".split()}
        return found | {
            "categories": len(categories.entries),
            "top_category_share": max(shares, default=None),
            "category_focus": min(1.0, sum(share * share for share in shares)) if shares else None,
            "category_entropy": categories.entropy(),
            "category_error_share": sum(categories.of("error")) / total if shares else None,
            "attention_seconds_7d": decay(total, before, max(before, now), HALF_LIVES["7d"]),
            "brands": len(brands.entries),
            "top_brand_share": max(brands.shares(), default=None),
            "brand_entropy": brands.entropy(),
        }

    def prices(self, month, now, before, reference):
        money = lambda name: major(month(name), self.money) if self.money else 0.0
        attempts = month("coupons_applied") + month("coupons_denied")
        mean_order = ratio(major(month("spend"), self.order_currency), month("purchases")) if self.order_currency else None
        return self.levels(now, before, reference) | {
            "mean_viewed_price_30d": ratio(money("viewed_value"), month("priced_views")),
            "mean_order_value_30d": mean_order,
            "discounted_view_share_30d": share(month("discounted_views"), month("priced_views")),
            "price_filter_share_30d": share(month("price_filters"), month("product_list_filters") + month("searches")),
            "coupon_attempts_30d": attempts,
            "coupon_success_share_30d": share(month("coupons_applied"), attempts),
            "price_drops_seen_30d": month("drop_n"),
            "price_rises_seen_30d": month("rise_n"),
            "price_elasticity": self.elasticity(month, reference),
            "viewed_value_30d": money("viewed_value"),
            "cart_value_added_30d": money("cart_value_added"),
            "wishlist_value_30d": money("wishlist_value"),
        }

    def levels(self, now, before, reference):
        found = {"viewed_price_level": None, "viewed_price_spread": None, "bought_price_level": None}
        now = max(now, self.as_of or now)
        known = [
            (reference["levels"][category, self.money], entry)
            for category, entry in self.categories.entries.items()
            if (category, self.money) in reference["levels"]
        ]
        for kind in ("viewed", "bought"):
            parts = [(level, *spread_of(entry[kind], now)) for level, entry in known]
            n = sum(weight for _, weight, _, _ in parts)
            if n < FEW:
                continue
            above = sum(weight * (mean - level) for level, weight, mean, _ in parts) / n
            found[f"{kind}_price_level"] = above
            if kind == "viewed":
                between = sum(weight * (mean - level - above) ** 2 for level, weight, mean, _ in parts) / n
                found["viewed_price_spread"] = sqrt(self.variance(before) + between)
        return found

    def variance(self, before):
        """The mean squared distance of prices from the mean of their category when they were looked at. It does not change with time."""
        views = self.sums["30d"].values.get("priced_views", 0.0)
        within = sum(exp2(-(before - at) / HALF_LIVES["30d"]) * squares for at, squares in self.within)
        return within / views if views else 0.0

    def elasticity(self, month, reference):
        if month("drop_n") + month("rise_n") < FEW:
            return None
        usual = (month("same_y") + 4 * reference["review_cart_share"]) / (month("same_n") + 4)
        responses = month("rise_xy") - month("drop_xy")
        changes = month("rise_x") - month("drop_x")
        return -(responses - usual * changes) / (month("drop_xx") + month("rise_xx") + 0.1)

    def rhythm(self, now, month, reference):
        n, mean, around = spread_of(self.gaps, max(now, self.as_of or now))
        usual, spread = reference["visit_gap"]
        location = (n * mean + 3 * usual) / (n + 3)
        variance = (around(location) + 3 * spread**2) / (n + 3)
        overdue = None
        if self.last is not None:
            gap = log1p(max(0, now - self.last) / HOUR)
            overdue = clamp((gap - location) / max(sqrt(max(variance, 0.0)), 0.1))
        return {
            "visit_gap_hours": expm1(mean) if n >= FEW else None,
            "visit_gap_spread": sqrt(around(mean) / n) if n >= FEW else None,
            "visit_overdue": overdue,
            "search_follow_share_30d": share(month("followed_searches"), month("searches")),
            "content_click_share_30d": share(month("content_clicks"), month("content_impressions")),
        }

    def open_session(self, now):
        return self.session if self.session and now - self.session["last"] <= SESSION_GAP else None

    def in_session(self, now):
        names = {
            "session_actions": "actions",
            "session_pages": "pages",
            "session_dwell_seconds": "dwell",
            "session_product_views": "product_views",
            "session_searches": "searches",
            "session_cart_adds": "cart_adds",
            "session_cart_removes": "cart_removes",
            "session_coupon_denials": "coupon_denials",
            "session_checkout_step": "step",
            "session_payment_entered": "payment",
            "session_purchases": "purchases",
            "session_repeat_views": "repeat",
            "session_coupon_attempts": "coupons",
        }
        others = "session_seconds session_actions_per_minute session_scroll session_scroll_max session_searches_without_view"
        found = dict.fromkeys([*names, *others.split()])
        session = self.open_session(now)
        if session:
            seconds = max(0, now - session["start"]) / 1000
            scrolls = session["scrolls"]
            found = {public: session[name] for public, name in names.items()} | {
                "session_seconds": seconds,
                "session_actions_per_minute": session["actions"] / max(1.0, seconds / 60),
                "session_scroll": sum(scrolls) / len(scrolls) if scrolls else None,
                "session_scroll_max": max(scrolls, default=None),
                "session_searches_without_view": session["searches"] - session["followed"],
            }
        local = datetime.fromtimestamp(now / 1000, timezone.utc).astimezone(self.zone) if self.zone else None
        return found | {
            "local_hour": local and local.hour,
            "local_weekday": local and local.isoweekday(),
        }

    def deviations(self, now, before, found, reference):
        session = self.open_session(now)
        cart = found["cart_value"]
        same = self.order_currency in (None, self.cart_currency)
        parts = {
            "engagement_deviation": self.daily.deviation(log1p(found["engagement_1d"] * log(2)), reference["engagement"])
            if self.actions
            else None,
            "session_length_deviation": self.length.deviation(
                log1p(max(0, now - session["start"]) / 1000), reference["session_length"]
            )
            if session
            else None,
            "basket_deviation": self.basket.deviation(log1p(cart), reference["basket"]) if cart and same else None,
            "category_mix_deviation": self.mix(now - before, reference),
        }
        if session:
            parts = {
                name: value if value is None or name == "category_mix_deviation" else max(0.0, value)
                for name, value in parts.items()
            }
        present = [value for value in parts.values() if value is not None]
        overall = None
        if present:
            size = sqrt(sum(value * value for value in present) / len(present))
            overall = -size if sum(present) < 0 else size
        found = parts | {"deviation": overall}
        return dict.fromkeys(found) if now - before > DAY else found

    def mix(self, since, reference):
        recent = [amount * exp2(-max(since, 0) / DAY) for amount in self.categories.of("recent")]
        if sum(recent) < 1.0:
            return None
        divergence = 0.0
        for now, usual in zip((amount / sum(recent) for amount in recent), self.categories.shares()):
            middle = (now + usual) / 2
            divergence += sum(share * log2(share / middle) / 2 for share in (now, usual) if share > 0)
        location, scale = reference["mix"]
        return clamp((divergence - location) / scale)
