"""Configurations in which anything may be of a wrong type: matching answers, whatever they have."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest

from dubbo_mesh._doctor.envoy.configuration.snapshot import Snapshot
from dubbo_mesh._doctor.envoy.connection import Connection
from dubbo_mesh._doctor.envoy.entering.arrival import arrived
from dubbo_mesh._doctor.envoy.entering.listeners import Listener, Manager, handler_of, listener_of, outbound
from dubbo_mesh._doctor.envoy.entering.meddling import meddling
from dubbo_mesh._doctor.envoy.entering.trust import trust
from dubbo_mesh._doctor.envoy.request import Request
from dubbo_mesh._doctor.envoy.routing.hiding import hidden_routes
from dubbo_mesh._doctor.envoy.routing.matching import redirects_to_https, routes_of, unknown_routes
from dubbo_mesh._doctor.envoy.routing.near_misses import near_misses
from dubbo_mesh._doctor.envoy.routing.virtual_hosts import virtual_host_of
from dubbo_mesh._doctor.envoy.unknown import Unknown
from tests.doctor import routes_at_random
from tests.doctor.test_headers import FILTERS, mutations
from tests.doctor.test_listeners_by_envoy import listener_at_random
from tests.doctor.test_trust_by_envoy import FURTHER, INTERNAL
from tests.sidecars.config import http_listener

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    float("nan"),
    "",
    "x" * 300,
    "\ud800",
    "9" * 400,
    [],
    {},
    [[]],
    [{}],
    {"a": {}},
    "(",
)


def spoiled(random: Random, node: Any, share: float) -> Any:
    """The message with junk in some places."""
    if random.random() < share:
        return random.choice(JUNK)
    if isinstance(node, dict):
        fields = cast("dict[str, Any]", node)
        return {name: spoiled(random, value, share) for name, value in fields.items()}
    if isinstance(node, list):
        return [spoiled(random, each, share) for each in cast("list[object]", node)]
    return node


def listener(random: Random) -> Any:
    hosts = [routes_at_random.virtual_host(random, "v", [routes_at_random.domain(random), "a.test*"])]
    filters = [*random.choice(list(FILTERS.values())), mutations({"remove": "x-a"})]
    manager = {**random.choice([*INTERNAL.values(), *FURTHER.values()])}
    message = http_listener("l", "127.0.0.1:80", hosts, http_filters=filters, connection_manager=manager)
    if random.random() < 0.5:
        return message
    chains = listener_at_random(random.randint(0, 99))["filter_chains"]
    for chain in chains:
        chain["filters"] = message["filter_chains"][0]["filters"]
    return {**message, "filter_chains": [*chains, *message["filter_chains"]]}


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_raised(seed: int) -> None:
    random = Random(seed)
    reached = 0
    for _ in range(40):
        share = random.choice([0.002, 0.01, 0.05])
        snapshot = Snapshot(
            listeners=[spoiled(random, listener(random), share) or {}],
            bootstrap=spoiled(random, {"layered_runtime": {"layers": [{"static_layer": {"a": 1}}]}}, 0.1)
            or {},
            version=random.choice([None, (1, 32), (1, 40)]),
        )
        snapshot.listeners = [each for each in snapshot.listeners if isinstance(each, dict)]
        connection = Connection(
            random.choice([None, "127.0.0.1", "::1"]),
            80,
            random.choice([None, "127.0.0.1"]),
            random.random() < 0.3,
        )
        for found in [listener_of(snapshot, connection), *outbound(snapshot)]:
            if isinstance(found, Listener):
                reached += follow(snapshot, found, connection)
    assert reached > 10


def follow(snapshot: Snapshot, found: Listener, connection: Connection) -> bool:
    """Follows a request as far as it goes; returns whether it came to the routes."""
    handler = handler_of(snapshot, found, connection)
    if not isinstance(handler, Manager):
        return False
    list(meddling(handler.message))
    verdict = trust(handler, connection.source, "10.0.0.1", snapshot)
    sent = Request("a.test:80", "/a/b?q=a", {"x-a": "1", "content-type": "application/grpc"}, {"x-b": "a"})
    request = arrived(handler, verdict, connection, sent, snapshot.version)
    if handler.routes is None:
        return False
    near_misses(handler.routes, request.authority)
    host = virtual_host_of(handler.routes, request.authority)
    if host is None or isinstance(host, Unknown):
        return False
    unknown_routes(host)
    redirects_to_https(host, internal=False)
    list(routes_of(host, request, snapshot.runtime))
    list(hidden_routes(host, request, snapshot.runtime))
    return True
