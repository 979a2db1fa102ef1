"""The peer of the fold over Kafka, in Quix Streams: engagement and attention to categories per shopper, exactly once, with the
state in RocksDB and its changelog.

    folding.py BROKERS GROUP INPUT OUTPUT STATE_DIRECTORY

The formulas are those of Foretide's crate `features` (`State::attend`, `Affinity`), as in `../kafka_streams/Shopper.java`.
"""

import sys
from datetime import datetime

from quixstreams import Application

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
HALF_LIVES_MS = (30 * MINUTE_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS)
WEEK = 2

DWELL_CAP_MS = 5 * MINUTE_MS
ATTENTION_PER_VIEW_S = 10.0
# A decayed sum below this is zero.
NEGLIGIBLE = 1e-9
CATEGORIES = 16

# What an action of a kind is worth beside its dwell. A page view counts only where the page has a category.
WORTH = {"page_view": 0.0, "product_list_view": 0.0, "search": 1.0, "product_view": 1.0}


def decayed(total, factor):
    left = total * factor
    return 0.0 if left < NEGLIGIBLE else left


def move_to(shopper, at):
    elapsed = at - shopper["as_of"]
    shopper["as_of"] = at
    if elapsed <= 0:
        return
    factors = [2.0 ** (-elapsed / half_life) for half_life in HALF_LIVES_MS]
    shopper["engagement"] = [decayed(total, factor) for total, factor in zip(shopper["engagement"], factors)]
    week = factors[WEEK]
    attention = ([category, decayed(seconds, week), decayed(error, week)] for category, seconds, error in shopper["attention"])
    shopper["attention"] = [entry for entry in attention if entry[1] > 0.0]


def attend(attention, category, seconds):
    """Weighted Space-Saving: a seventeenth category takes the place of the least, and remembers its attention as error."""
    for entry in attention:
        if entry[0] == category:
            entry[1] += seconds
            return
    if len(attention) < CATEGORIES:
        attention.append([category, seconds, 0.0])
        return
    place = min(range(CATEGORIES), key=lambda place: attention[place][1])
    least = attention[place][1]
    attention[place] = [category, least + seconds, least]


def fold(action, state):
    at = round(datetime.fromisoformat(action["at"]).timestamp() * 1000)
    shopper = state.get("shopper") or {"as_of": at, "engagement": [0.0] * 4, "attention": []}
    move_to(shopper, at)
    kind = action["type"]
    worth = WORTH.get(kind)
    if worth is not None:
        about = action.get("product") or {} if kind == "product_view" else action
        category = None if kind == "search" else about.get("category")
        dwell_s = min(action.get("dwell_ms", 0), DWELL_CAP_MS) / 1000.0
        if kind != "page_view" or category is not None:
            shopper["engagement"] = [total + worth + dwell_s / 60.0 for total in shopper["engagement"]]
        if category is not None:
            attend(shopper["attention"], category, ATTENTION_PER_VIEW_S + dwell_s)
    state.set("shopper", shopper)
    return shopper


def main(brokers, group, source, target, state_directory):
    application = Application(
        broker_address=brokers,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=state_directory,
        producer_extra_config={"compression.type": "lz4"},
        loglevel="WARNING",
    )
    actions = application.topic(source, key_deserializer="bytes", value_deserializer="json")
    shoppers = application.topic(target, key_serializer="bytes", value_serializer="json")
    stream = application.dataframe(actions)
    stream.apply(fold, stateful=True).to_topic(shoppers)
    application.run()


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
