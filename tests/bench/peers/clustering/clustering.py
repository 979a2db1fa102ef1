"""faiss and scikit-learn on matrices of 32-bit numbers that lie in files, row after row.

Reads a command a line from standard input, and answers each with a line of JSON:

    {"do": "assign", "rows": PATH, "points": PATH, "width": D, "labels": PATH}    faiss IndexFlatL2; writes labels (int32)
    {"do": "minibatch", "rows": PATH, "width": D, "k": K, "seed": S}              scikit-learn MiniBatchKMeans
    {"do": "kmeans", "rows": PATH, "width": D, "k": K, "seed": S, "starts": N}    scikit-learn KMeans

`seconds` is the time of the search or of the fit alone, without reading files; `inertia` that of a fit.
"""

import functools
import json
import os
import sys
import time

import faiss
import numpy
from sklearn.cluster import KMeans, MiniBatchKMeans

faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@functools.cache
def matrix(path, width):
    return numpy.fromfile(path, dtype=numpy.float32).reshape(-1, width)


def assign(command):
    rows = matrix(command["rows"], command["width"])
    points = matrix(command["points"], command["width"])
    index = faiss.IndexFlatL2(command["width"])
    index.add(points)
    start = time.perf_counter()
    _, nearest = index.search(rows, 1)
    seconds = time.perf_counter() - start
    nearest[:, 0].astype(numpy.int32).tofile(command["labels"])
    return {"seconds": seconds}


def fit(command, model):
    rows = matrix(command["rows"], command["width"])
    start = time.perf_counter()
    model.fit(rows)
    return {"seconds": time.perf_counter() - start, "inertia": float(model.inertia_)}


def minibatch(command):
    return fit(command, MiniBatchKMeans(command["k"], random_state=command["seed"]))


def kmeans(command):
    return fit(command, KMeans(command["k"], n_init=command["starts"], random_state=command["seed"]))


DO = {"assign": assign, "minibatch": minibatch, "kmeans": kmeans}

for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(DO[command["do"]](command)), flush=True)
