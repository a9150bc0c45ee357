"""Real dumps with random values in random places: every check comes to its end, and none fails by itself."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh import EnvoyHeaders
from tests import sidecars
from tests.doctor.running import examined, ids
from tests.doctor.upstreams import NOBODY, PORT, checks, service, serving
from tests.sidecars.config import Json, merged

ROUNDS = 25

NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    -0.0,
    "",
    "*",
    "x" * 5000,
    "\x00\x1b[31m\u202e\ud800\n",
    "-5s",
    "999999999999s",
    "1e9s",
    "١٢٣",
    "(((((a*)*)*)*)*)*b",
    "[",
    "{}",
    "::1",
    [],
    {},
    [[]],
    [None, 1, "x", {}],
    {"value": {}},
    {"value": "NaN"},
    {"": {"": []}},
    {"@type": "HttpConnectionManager"},
    {"@type": 5, "name": ["x"], "prefix": "/", "route": "cluster"},
]
"""Values of wrong types, and values that are right but for what they say."""


DEEP = "<deep>"
"""Stands for what is nested so deeply that Python could not walk through it recursively."""

_LEVELS = 450
_NESTED = '{"and_rules": {"rules": [' * _LEVELS + '"x"' + "]}}" * _LEVELS


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """All containers in a document, each with one of its keys."""
    waiting: list[Any] = [node]
    while waiting:
        at = waiting.pop()
        keys: Any = list(cast("Any", at)) if isinstance(at, dict) else range(len(at))
        for key in keys:
            yield at, key
            if isinstance(at[key], (dict, list)):
                waiting.append(at[key])


def _copied(value: Any) -> Any:
    """A value that shares nothing; not a large one, or a document would grow without end."""
    text = json.dumps(value)
    return json.loads(text) if len(text) < 20_000 else DEEP


def mutated(document: str, dice: random.Random) -> str:
    """A document in which some values are others: nasty ones, or such as stand elsewhere in it."""
    mutant = json.loads(document)
    for _ in range(dice.randrange(1, 12)):
        known = list(places(mutant))
        owner, key = dice.choice(known)
        kind = dice.randrange(5)
        if kind == 0:
            other, name = dice.choice(known)
            owner[key] = _copied(other[name])
        elif kind == 1:
            owner[key] = [_copied(owner[key]) for _ in range(dice.randrange(1, 4))]
        elif kind == 2 and isinstance(key, str):
            owner[dice.choice(["name", "prefix", "", "@type", "value"])] = owner.pop(key)
        else:
            owner[key] = _copied(dice.choice([*NASTY, DEEP]))
    return json.dumps(mutant).replace(json.dumps(DEEP), _NESTED)


class Recorded(NamedTuple):
    """What an Envoy has answered.

    Attributes:
        egress: the address of its listener for outbound calls.
        documents: its answers.
    """

    egress: str
    documents: list[str]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """Of an Envoy that has a bit of everything."""
    retries: Json = {"retry_on": "5xx,reset", "num_retries": 2, "per_try_timeout": "0.5s"}
    match: Json = {
        "safe_regex": {"regex": "/test.Echo/(unary|bidi)"},
        "headers": [
            {"name": "dubbo.tag", "present_match": True, "invert_match": True},
            {"name": "grpc-timeout", "string_match": {"suffix": "m"}},
        ],
        "runtime_fraction": {"default_value": {"numerator": 5}},
    }
    split: Json = {"clusters": [{"name": "echo", "weight": 90}, {"name": "other", "weight": 10}]}
    routes = [
        {"name": "a", "match": match, "route": {"weighted_clusters": split, "timeout": "3s"}},
        {"name": "b", "match": {"path": "/test.Echo/bidi"}, "direct_response": {"status": 403}},
        {"name": "c", "match": {"path_separated_prefix": "/test.Echo"}, "redirect": {"path_redirect": "/"}},
        {"name": "d", "match": {"prefix": "/"}, "route": {"cluster": "echo", "retry_policy": retries}},
    ]
    with serving() as server:
        echo = service("echo", server, NOBODY, health_checks=checks(grpc_health_check={}))
        services = [echo, service("other", NOBODY, outlier_detection={})]
        hosts = [merged(echo.virtual_host(), {"routes": routes}), services[1].virtual_host()]
        egress = sidecars.Egress(services, connection_manager={"route_config": {"virtual_hosts": hosts}})
        with sidecars.Sidecar("everything", ingress=server, egress=egress) as sidecar:
            paths = ("/config_dump?include_eds", "/clusters?format=json", "/server_info")
            return Recorded(sidecar.egress, [sidecar.admin.get(path) for path in paths])


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked = EnvoyHeaders(retry_grpc_on=["unavailable"], max_retries=2, timeout=3)
    rpcs = [
        dubbo_mesh.Method("/test.Echo/unary", StringValue, StringValue, envoy=asked),
        dubbo_mesh.Method("/test.Echo/bidi", StringValue, StringValue, server_streaming=True),
    ]
    module: Any = ModuleType("everything_mesh")
    declared = {"__mesh__": dubbo_mesh.Service("test.Echo", *rpcs, app="echo", port=PORT)}
    module.EchoStub = type("EchoStub", (dubbo_mesh.Stub,), declared)
    monkeypatch.setitem(sys.modules, "everything_mesh", module)
    return ["everything_mesh", f"other:{PORT}"]


def found(documents: Sequence[str], egress: str, targets: list[str], directory: Path) -> set[str]:
    """The ids of what is found. That no check fails by itself (DM001) is checked as well."""
    files = [directory / str(number) for number in range(len(documents))]
    for file, document in zip(files, documents, strict=True):
        file.write_text(document)
    findings = examined(*targets, config_dumps=files, variables={"DUBBO_MESH_EGRESS": egress})
    assert all(len(each.finding) < 2000 for each in findings)
    return ids(findings)


def test_the_dump_itself(recorded: Recorded, targets: list[str], tmp_path: Path) -> None:
    ids = found(recorded.documents, recorded.egress, targets, tmp_path)
    assert ids >= {"DM208", "DM217"}


@pytest.mark.parametrize("seed", range(2))
def test_mutations(recorded: Recorded, targets: list[str], tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(ROUNDS):
        documents = [mutated(each, dice) if dice.random() < 0.8 else each for each in recorded.documents]
        found(documents, recorded.egress, targets, tmp_path)
