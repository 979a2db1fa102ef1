"""Prints what a Parquet file holds as one line of JSON.

`types` are those of pyarrow by column, `metadata` is what the file says of itself, `rows` are its rows, with instants in
RFC 3339. Both libraries must read the same.
"""

import json
import sys

import polars
import pyarrow.compute as compute
import pyarrow.parquet as parquet
from pyarrow import types


def main(path):
    table = parquet.read_table(path)
    arrow_types = {field.name: str(field.type) for field in table.schema}
    for place, field in enumerate(table.schema):
        if types.is_timestamp(field.type):
            table = table.set_column(place, field.name, compute.strftime(table.column(place), "%Y-%m-%dT%H:%M:%SZ"))
    rows = table.to_pylist()
    frame = polars.read_parquet(path).with_columns(polars.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    if frame.to_dicts() != rows:
        sys.exit("polars and pyarrow read different rows")
    metadata = parquet.read_metadata(path).metadata or {}
    texts = {key.decode(): value.decode() for key, value in metadata.items()}
    print(json.dumps({"types": arrow_types, "metadata": texts, "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1])
