"""`foretide models evaluate` against LightGBM with its defaults and tuned rounds, on public frames.

    quality.py [--repeats N] [FRAME…]      FRAME is part of a frame's name

Both sides learn from the same rows and are judged on the same others. A frame without times is shuffled N times, whole groups
together, and the first seven tenths of its groups are learnt from; a table's figures are then means. LightGBM gets as many rounds
as its own cross-validation over groups finds best (five folds, up to 2,000, stopping after 100 without gain), and the columns of
text as its categories. Ends with 1 if the mean area of our boosted model is more than 0.005 below LightGBM's on any frame.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm
import numpy
import pandas
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from frames import JOURNEY, ROOT, SMALL, journeys

ALLOWED = 0.005
TRAINED = 0.7
SETTINGS = {"objective": "binary", "metric": "auc", "verbosity": -1, "num_threads": 2, "seed": 1, "deterministic": True}
OURS = Path(os.environ.get("FORETIDE", ROOT / "target/release/foretide"))


def shuffled(frame, seed):
    """`frame` with its groups in a drawn order, as their times; and the last time that is learnt from."""
    draws = numpy.random.default_rng(seed)
    groups = frame.group.unique()
    places = dict(zip(draws.permutation(groups), range(len(groups))))
    frame = frame.assign(time=frame.group.map(places)).sort_values("time", kind="stable")
    return frame, int(TRAINED * len(groups))


def lightgbm_auc(train, test):
    """The area on `test`, and the rounds."""
    columns = [name for name in train if name not in ("y", "group", "time")]
    texts = [name for name in columns if not pandas.api.types.is_numeric_dtype(train[name])]
    kinds = {name: pandas.CategoricalDtype(sorted(train[name].dropna().unique())) for name in texts}
    data = lightgbm.Dataset(train[columns].astype(kinds), train.y, free_raw_data=False)
    folds = list(GroupKFold(5, shuffle=True, random_state=1).split(train, train.y, train.group))
    tried = lightgbm.cv(SETTINGS, data, 2_000, folds=folds, callbacks=[lightgbm.early_stopping(100, verbose=False)])
    rounds = len(tried["valid auc-mean"])
    model = lightgbm.train(SETTINGS, data, rounds)
    return roc_auc_score(test.y, model.predict(test[columns].astype(kinds))), rounds


def our_aucs(file, until, after):
    """The area of each kind of model on rows after `after`, and the number of rows."""
    words = [OURS, "models", "evaluate", file, "--label", "y", "--group", "group", "--time", "time", "--train-until", str(until),
             "--test-after", str(after), "--kind", "both", "--json"]
    ran = subprocess.run(words, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"models evaluate: {ran.stderr[-400:]}")
    reports = [json.loads(line) for line in ran.stdout.splitlines() if line.strip()]
    return {report["kind"]: report["test_auc"] for report in reports}


def compared(frame, until, after):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frame.csv"
        frame.to_csv(file, index=False)
        ours = our_aucs(file, until, after)
    train, test = frame[frame.time <= until], frame[frame.time > after]
    theirs, rounds = lightgbm_auc(train, test)
    return {"lightgbm": theirs, "rounds": rounds, "train": len(train), "test": len(test), **ours}


def told(name, results):
    """Prints a row of the table; whether the goal is met."""
    mean = {key: numpy.mean([result[key] for result in results]) for key in results[0]}
    apart = [result["boosted"] - result["lightgbm"] for result in results]
    least = f"{numpy.mean(apart):+.4f} ({min(apart):+.4f} – {max(apart):+.4f})"
    print(f"| {name} | {mean['train']:.0f}, {mean['test']:.0f} | {len(results)} | {mean['rounds']:.0f} | {mean['lightgbm']:.4f} "
          f"| {mean['logistic']:.4f} | {mean['boosted']:.4f} | **{least}** | ≥ −{ALLOWED} |", flush=True)
    return numpy.mean(apart) >= -ALLOWED


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("frames", nargs="*", help="parts of names; all without any")
    asked = parser.parse_args()
    wanted = lambda name: not asked.frames or any(part in name for part in asked.frames)
    if not OURS.exists():
        sys.exit(f"there is no {OURS}: cargo build --release -p foretide, or name one in FORETIDE")
    print("| frame | rows learnt from, judged | splits | rounds | LightGBM | logistic | boosted | boosted − LightGBM (min – max) | goal |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    met = True
    with tempfile.TemporaryDirectory() as folder:
        found = journeys(Path(folder)) if any(map(wanted, JOURNEY)) else {}
        for name, (file, until, after) in found.items():
            if wanted(name):
                frame = pandas.read_csv(file).rename(columns={"shopper": "group", "day": "time"})
                met &= told(name, [compared(frame, until, after)])
    for name, load in SMALL.items():
        if wanted(name):
            frame = load()
            splits = [shuffled(frame, seed) for seed in range(asked.repeats)]
            met &= told(name, [compared(rows, until, until) for rows, until in splits])
    sys.exit(not met)


main()
