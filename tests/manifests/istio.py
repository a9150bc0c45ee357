"""What is emitted for Istio, parsed, and read as Istio reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from protoc_gen_dubbo_mesh.istio.emitter import IstioEmitter
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.policy import config_file
from protoc_gen_dubbo_mesh.policy.model import ServicePolicy

Resource = Mapping[str, Any]


def emit(
    services: Iterable[ServicePolicy], enforced_by: str = "headers", config: Path | None = None
) -> dict[str, str]:
    """The files for these services, by path."""
    settings = None if config is None else config_file.read(str(config))
    mesh = Grouping(settings, enforced_by).group(services)
    return {file.path: file.content for file in IstioEmitter().emit(mesh)}


def resources(files: Mapping[str, str], kind: str) -> list[Resource]:
    """The resources of a kind."""
    documents = (document for text in files.values() for document in yaml.load_all(text, yaml.CSafeLoader))
    return [document for document in documents if document["kind"] == kind]


def first_match(virtual_service: Resource, path: str, port: int | None = None) -> Resource:
    """The entry that Istio routes a call to a path by, and to a port if there are several."""

    def matches(match: Resource) -> bool:
        uri: Mapping[str, str] = match.get("uri", {"prefix": "/"})
        [(kind, text)] = uri.items()
        meets = {"exact": path == text, "prefix": path.startswith(text)}[kind]
        return meets and match.get("port", port) == port

    entries = virtual_service["spec"]["http"]
    return next(entry for entry in entries if "match" not in entry or any(map(matches, entry["match"])))


def seconds(duration: str) -> float:
    """A duration as Go reads it."""
    sizes = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"([0-9]+)(h|ms|m|s)", duration)
    assert "".join(number + unit for number, unit in parts) == duration
    return sum(int(number) * sizes[unit] for number, unit in parts)
