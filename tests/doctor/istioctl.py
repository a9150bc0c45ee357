"""What `istioctl proxy-config … -o json` would print of an Envoy: its messages in protobuf's own JSON.

Tests of the doctor with Istio itself compare this with what istioctl's code prints.
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory


def lists(config_dump: Any, clusters: Any) -> dict[str, Any]:
    """The lists of listeners, routes, clusters and endpoints.

    Args:
        config_dump: what Envoy answers to `/config_dump`.
        clusters: what it answers to `/clusters?format=json`.
    """
    sections = {each["@type"].rpartition(".")[2]: each for each in config_dump["configs"]}
    listeners = sections["ListenersConfigDump"]["static_listeners"]
    routes = sections["RoutesConfigDump"]["static_route_configs"]
    named = sections["ClustersConfigDump"]["static_clusters"]
    statuses = camel_case({"@type": "type.googleapis.com/envoy.admin.v3.Clusters", **clusters})
    return {
        "listeners": [camel_case(each["listener"]) for each in listeners],
        "routes": [camel_case(each["route_config"]) for each in routes],
        "clusters": [camel_case(each["cluster"]) for each in named],
        "endpoints": [each for each in statuses["clusterStatuses"] if each.get("hostStatuses")],
    }


def save(config_dump: Any, clusters: Any, directory: Path) -> list[Path]:
    """Writes these lists to files."""
    files: list[Path] = []
    for name, content in lists(config_dump, clusters).items():
        files.append(directory / f"{name}.json")
        files[-1].write_text(json.dumps(content, indent=4))
    return files


def camel_case(message: Any) -> Any:
    """A message with its type, as protobuf's own JSON has it."""
    for name in set(re.findall(r"type\.googleapis\.com/([\w.]+)", json.dumps(message))):
        _import(name.rpartition(".")[0])
    kind = message["@type"].rpartition("/")[2]
    found = descriptor_pool.Default().FindMessageTypeByName(kind)
    parsed = message_factory.GetMessageClass(found)()
    json_format.ParseDict({key: value for key, value in message.items() if key != "@type"}, parsed)
    return json_format.MessageToDict(parsed)


@functools.cache
def _import(package: str) -> None:
    """Imports what `xds-protos` has of a package, so that its messages are known."""
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(folder.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{module.name}")
