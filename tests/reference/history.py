"""What counts of a shopper's events, and in which order: late ones and copies left out, sorted by time and id."""

from datetime import datetime, timezone

import xxhash

HOUR_MS = 3_600_000
LATE_AFTER_MS = 24 * HOUR_MS
SETTLE_AFTER_MS = 25 * HOUR_MS
# The oldest of more settle early: what comes at or before them is late.
RECENT_LIMIT = 256


def milliseconds(text):
    """RFC 3339 in milliseconds since 1970."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def owner(event):
    """The shopper whose profile an event belongs to."""
    return event["shopper"].get("user") or event["shopper"]["anonymous"]


def key(event):
    """The canonical order."""
    return event["ms"], xxhash.xxh3_64_intdigest(event["id"].encode()) >> 24


class History:
    """The events of one shopper that count. Give them in the order in which they stand on the log."""

    def __init__(self):
        self.by_id = {}
        self.settled = []
        self.newest = None
        self.fates = {"folded": 0, "duplicate": 0, "late": 0}

    def add(self, event):
        event["ms"] = milliseconds(event["at"])
        fate = self._judge(event)
        self.fates[fate] += 1
        if fate == "duplicate":
            former = self.by_id[event["id"]]
            if event["ms"] < former["ms"]:
                self.by_id[event["id"]] = event
        elif fate == "folded":
            self.by_id[event["id"]] = event
        if fate != "late":
            self.newest = max(event["ms"], self.newest or event["ms"])
            self._settle()

    def until(self, now_ms):
        """The events up to an instant, in canonical order."""
        return sorted((e for e in [*self.settled, *self.by_id.values()] if e["ms"] <= now_ms), key=key)

    def _judge(self, event):
        if self.newest is not None and self.newest - event["ms"] > LATE_AFTER_MS:
            return "late"
        if self.settled and key(event) <= key(self.settled[-1]):
            return "late"
        return "duplicate" if event["id"] in self.by_id else "folded"

    def _settle(self):
        for event in sorted(self.by_id.values(), key=key):
            if self.newest - event["ms"] <= SETTLE_AFTER_MS and len(self.by_id) <= RECENT_LIMIT:
                break
            self.settled.append(self.by_id.pop(event["id"]))
