"""Reads features with Feast's client of remote online stores.

    FORETIDE_ADMIN_KEY=… read.py URL <QUESTIONS >ANSWERS

The feature view and the feature service are made from what the server lists at /v1/features, and put into a registry in the
current directory. Standard input is a JSON list of questions:

    {"path": online store's path, URL by default, "entity": kind of id, "ids": […],
     "features": [names; the feature service by default], "full": whether names are full, "rows": ask as for rows instead}

The last line of standard output is a list of answers: {"values": {name: […]}, "statuses": {name: […]}}; to a question for
rows [{name: value}, …].
"""

import json
import os
import sys
import urllib.request

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.online_stores.remote import RemoteOnlineStore
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float64, String

url = sys.argv[1]
DTYPES = {"float64": Float64}


def listing():
    request = urllib.request.Request(f"{url}/v1/features")
    request.add_header("Authorization", "Bearer " + os.environ["FORETIDE_ADMIN_KEY"])
    return json.load(urllib.request.urlopen(request))


def definitions(catalogue, kind):
    entity = Entity(name=kind, join_keys=[kind], value_type=ValueType.STRING)
    fields = [
        Field(name=feature["name"], dtype=DTYPES[feature["type"]], description=feature["meaning"])
        for feature in catalogue["features"]
    ]
    view = FeatureView(
        name=catalogue["feature_view"],
        entities=[entity],
        schema=[Field(name=kind, dtype=String), *fields],
        # Only materialising would read it, which a store that is already filled has no need of.
        source=FileSource(name="foretide", path="none.parquet", timestamp_field="event_timestamp"),
    )
    return entity, view, FeatureService(name=catalogue["feature_service"], features=[view])


def store_of(number, path, kind):
    config = RepoConfig(
        project="foretide",
        provider="local",
        registry=f"registry-{number}.db",
        online_store={"type": "remote", "path": path},
        auth={"type": "oidc", "token_env_var": "FORETIDE_ADMIN_KEY"},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    store.apply([*definitions(listing(), kind)])
    return store


def answer(number, question):
    kind, ids = question["entity"], question["ids"]
    store = store_of(number, question.get("path", url), kind)
    catalogue = listing()
    view = store.get_feature_view(catalogue["feature_view"])
    if question.get("rows"):
        keys = [EntityKey(join_keys=[kind], entity_values=[Value(string_val=one)]) for one in ids]
        rows = RemoteOnlineStore().online_read(store.config, view, keys, question["features"])
        return [{name: number_of(value) for name, value in row.items()} for _, row in rows]
    features = store.get_feature_service(catalogue["feature_service"])
    if "features" in question:
        features = [f"{view.name}:{name}" for name in question["features"]]
    response = store.get_online_features(
        features=features,
        entity_rows=[{kind: one} for one in ids],
        full_feature_names=question.get("full", False),
    )
    columns = zip(response.proto.metadata.feature_names.val, response.proto.results)
    return {
        "values": response.to_dict(),
        "statuses": {name: [FieldStatus.Name(status) for status in column.statuses] for name, column in columns},
    }


def number_of(value):
    return value.double_val if value.WhichOneof("val") else None


questions = json.load(sys.stdin)
print(json.dumps([answer(number, question) for number, question in enumerate(questions)]))
