"""What a mesh does with a call, by the routes in a file: as the Gateway API says, not as we write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

Resource = dict[str, Any]


class Routed(NamedTuple):
    """Where a call goes.

    Attributes:
        backend: the name of the Service.
        port: the port of that Service.
        timeout: of the call; None for none.
    """

    backend: str
    port: int
    timeout: str | None = None


def documents(text: str) -> list[Resource]:
    """The resources in a file."""
    return list(yaml.load_all(text, yaml.CSafeLoader))


def routes_of(file: list[Resource], port: int) -> list[Resource]:
    """The routes of a port."""
    return [
        each
        for each in file
        if each["kind"].endswith("Route") and each["spec"]["parentRefs"][0]["port"] == port
    ]


def routed(file: list[Resource], port: int, path: str) -> Routed:
    """Where a call goes by the most specific of all rules of all routes of a port."""
    found: list[tuple[tuple[int, int], Routed]] = []
    for route in routes_of(file, port):
        for rule in route["spec"]["rules"]:
            (backend,) = rule["backendRefs"]
            target = Routed(backend["name"], backend["port"], rule.get("timeouts", {}).get("request"))
            found += [(rank, target) for rank in _ranks(route["kind"], rule, path)]
    best = max(rank for rank, _ in found)
    (target,) = {target for rank, target in found if rank == best}
    return target


def _ranks(kind: str, rule: dict[str, Any], path: str) -> Iterator[tuple[int, int]]:
    """How specific the matches of a rule are that a path meets: exact ones, then the longest prefix."""
    for match in rule.get("matches", ({},)):
        if not match:
            yield 0, 0
        elif kind == "GRPCRoute":
            prefix = f"/{match['method']['service']}/"
            assert match["method"].keys() == {"service"}
            if path.startswith(prefix):
                yield 1, len(prefix)
        elif match["path"]["type"] == "Exact":
            if path == match["path"]["value"]:
                yield 2, 0
        elif _segments(path)[: len(_segments(match["path"]["value"]))] == _segments(match["path"]["value"]):
            assert match["path"]["type"] == "PathPrefix"
            yield 1, len(match["path"]["value"])


def _segments(path: str) -> Sequence[str]:
    return path.strip("/").split("/")
