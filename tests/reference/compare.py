"""Compares the features that Foretide computes with those computed anew here, from the same events.

    compare.py EVENTS COMMAND INSTANT... [--reference FILE]

EVENTS are stored events, one JSON object a line in the order of the log. COMMAND prints, given an instant and the events on its
standard input, one line {"shopper": …, "features": {…}} of each shopper (`cargo run --example features` of crates/features does).
Whole numbers must be equal, others to 1e-9 of themselves; those that tell how far something is from the usual, which is a
difference of two numbers that may be as good as equal, to 1e-9 of one (standard deviation, or unit of a logarithm). Ends
with 1 if anything differs, and says of each feature what.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections import defaultdict

from features import PRIOR, Shopper
from history import History, milliseconds, owner

RELATIVE = 1e-9
DISTANCES = {"visit_overdue", "viewed_price_level", "viewed_price_spread", "bought_price_level", "price_elasticity"}


def reference(path):
    """A reference as Foretide writes it, as it is used here."""
    if path is None:
        return PRIOR
    with open(path) as file:
        read = json.load(file)
    spread = lambda name: (read[name]["location"], read[name]["scale"])
    return {
        "levels": {(level["category"], level["currency"]): level["mean_ln_price"] for level in read["levels"]},
        "review_cart_share": read["review_cart_share"],
        "visit_gap": spread("ln_visit_gap_hours"),
        "engagement": spread("ln_daily_engagement"),
        "session_length": spread("ln_session_seconds"),
        "basket": spread("ln_basket"),
        "mix": spread("category_mix_divergence"),
    }


def computed(lines, now, reference):
    """The features of every shopper at `now`, of the events up to then."""
    histories = defaultdict(History)
    for line in lines:
        event = json.loads(line)
        if milliseconds(event["at"]) <= now:
            histories[owner(event)].add(event)
    found = {}
    for name, history in histories.items():
        shopper = Shopper()
        for event in history.until(now):
            shopper.fold(event)
        found[name] = shopper.features(now, reference)
    return found


def exported(command, instant, path, events):
    arguments = [*shlex.split(command), instant, *([path] if path else [])]
    with open(events) as file:
        printed = subprocess.run(arguments, stdin=file, stdout=subprocess.PIPE, check=True, text=True).stdout
    return {row["shopper"]: row["features"] for row in map(json.loads, printed.splitlines())}


def agree(name, ours, theirs):
    if ours is None or theirs is None:
        return ours is theirs
    if float(ours).is_integer() and float(theirs).is_integer():
        return ours == theirs
    least = 1.0 if name in DISTANCES or name.endswith("deviation") else 0.0
    return abs(ours - theirs) <= RELATIVE * max(abs(ours), abs(theirs), least)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events")
    parser.add_argument("command")
    parser.add_argument("instants", nargs="+")
    parser.add_argument("--reference")
    given = parser.parse_args()
    with open(given.events) as file:
        lines = file.readlines()
    values, missing, differing = 0, 0, defaultdict(list)
    for instant in given.instants:
        ours = computed(lines, milliseconds(instant), reference(given.reference))
        theirs = exported(given.command, instant, given.reference, given.events)
        if ours.keys() != theirs.keys():
            sys.exit(f"{instant}: {len(ours)} shoppers here, {len(theirs)} exported")
        for shopper, features in ours.items():
            if features.keys() != theirs[shopper].keys():
                sys.exit(f"only one side has {sorted(features.keys() ^ theirs[shopper].keys())}")
            for name, value in features.items():
                values += 1
                missing += value is None
                if not agree(name, value, theirs[shopper][name]):
                    differing[name].append((shopper, instant, value, theirs[shopper][name]))
    print(f"{values} values compared, {missing} of them missing; {len(differing)} features differ")
    for name, found in sorted(differing.items()):
        print(f"{name}: {len(found)} differ")
        for shopper, instant, here, there in found[:3]:
            print(f"    {shopper} at {instant}: {here!r} here, {there!r} exported")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
