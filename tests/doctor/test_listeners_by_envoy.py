"""Which listener and which filter chain a connection gets: the doctor's answer beside a real Envoy's."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, cast

import pytest

from dubbo_mesh._doctor.envoy.configuration.snapshot import Snapshot
from dubbo_mesh._doctor.envoy.connection import Connection
from dubbo_mesh._doctor.envoy.entering.listeners import (
    Closed,
    Listener,
    Manager,
    TcpProxy,
    handler_of,
    listener_of,
)
from dubbo_mesh._doctor.envoy.unknown import Unknown
from localmesh import ReservedPort
from tests.doctor.proxy_protocol import LISTENER_FILTER, header
from tests.doctor.routing import RoutingEnvoy, Sent
from tests.sidecars.config import Json, typed

SEED = 14
REQUEST = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/a/b")]

HTTP_INSPECTOR: Json = {
    "name": "envoy.filters.listener.http_inspector",
    "typed_config": typed("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"),
}
TLS_INSPECTOR: Json = {
    "name": "envoy.filters.listener.tls_inspector",
    "typed_config": typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"),
}
PORTS = (50051, 50052, 80)
DESTINATIONS = ("10.96.0.1", "10.96.0.2", "10.97.1.1", "127.0.0.1", "fd00::1", "fd00::2", "::1")
SOURCES = ("10.1.0.1", "10.96.0.1", "127.0.0.1", "127.0.0.9", "8.8.8.8", "fd00::1", "fd01::1", "::1")


def ranges(random: Random, addresses: Sequence[str]) -> list[Json]:
    """Ranges around addresses, none twice."""
    found: dict[str, Json] = {}
    for address in random.sample(addresses, k=random.randint(1, 2)):
        length = random.choice([8, 16, 24, 32] if "." in address else [8, 16, 64, 128])
        prefix = str(ipaddress.ip_network(f"{address}/{length}", strict=False).network_address)
        found[prefix] = {"address_prefix": prefix, "prefix_len": length}
    return list(found.values())


def match_at_random(random: Random) -> dict[str, Any]:
    """A `FilterChainMatch`."""
    fields: Mapping[str, tuple[float, Callable[[], object]]] = {
        "destination_port": (0.4, lambda: random.choice(PORTS)),
        "prefix_ranges": (0.4, lambda: ranges(random, DESTINATIONS)),
        "server_names": (0.1, lambda: random.choice([["a"], ["*.test", "b"]])),
        "transport_protocol": (0.4, lambda: random.choice(["raw_buffer", "raw_buffer", "tls"])),
        "application_protocols": (
            0.4,
            lambda: random.choice([["h2c"], ["http/1.1", "h2c"], ["http/1.1"], ["h2"]]),
        ),
        "source_type": (0.3, lambda: random.choice(["SAME_IP_OR_LOOPBACK", "EXTERNAL"])),
        "source_prefix_ranges": (0.3, lambda: ranges(random, SOURCES)),
    }
    return {name: make() for name, (share, make) in fields.items() if random.random() < share}


def inspectors(random: Random) -> list[Json]:
    """Listener filters, some of which are disabled for a port."""
    found: list[Json] = [LISTENER_FILTER]
    if random.random() < 0.7:
        inspector = dict(HTTP_INSPECTOR)
        if random.random() < 0.4:
            only: Json = {"destination_port_range": {"start": 50051, "end": 50052}}
            inspector["filter_disabled"] = random.choice(
                [only, {"not_match": only}, {"any_match": True}, {"or_match": {"rules": [only, only]}}]
            )
        found.append(inspector)
    if random.random() < 0.3:
        found.append(TLS_INSPECTOR)
    return found


def listener_at_random(number: int) -> dict[str, Any]:
    """A listener with several filter chains. Envoy refuses two that match the same."""
    random = Random(f"{SEED} {number}")
    chains: list[Json] = []
    seen: list[Json] = []
    for index in range(random.randint(2, 7)):
        match = match_at_random(random)
        if not any(_overlap(match, each) for each in seen):
            seen.append(match)
            chains.append({"name": f"l{number}/{index}", "filter_chain_match": match})
    listener: dict[str, Any] = {"filter_chains": chains, "listener_filters": inspectors(random)}
    if random.random() < 0.5:
        listener["default_filter_chain"] = {"name": f"l{number}/default"}
    return listener


def _overlap(one: Json, other: Json) -> bool:
    """Whether Envoy refuses the two beside each other: some value of each field is that of the other."""

    def values(match: Json, name: str) -> set[str]:
        given: Any = match.get(name)
        return set(map(str, cast("list[object]", given))) if isinstance(given, list) else {str(given)}

    return all(values(one, name) & values(other, name) for name in {*one, *other})


NUMBERED = {f"l{number}": listener_at_random(number) for number in range(60)}

KINDS: Json = {
    "listener_filters": [LISTENER_FILTER],
    "filter_chains": [
        {"name": "local", "filter_chain_match": {"source_type": "SAME_IP_OR_LOOPBACK"}},
        {"name": "any", "filter_chain_match": {"destination_port": 80}},
        {"name": "all"},
    ],
}
"""Chains for local connections, and for others."""

CLUSTER = typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="tcp", cluster="nobody")
UNBOUND: Json = {"bind_to_port": False}


def at(host: str, port: int, **more: Any) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port, **more}}


def unbound(name: str, host: str, port: int, **more: Any) -> dict[str, Any]:
    """A listener that only gets connections that another one hands over."""
    address = at(host, port, **more.pop("socket", {}))
    return {"address": address, "bind_to_port": False, "filter_chains": [{"name": name}], **more}


INTERCEPTION: Mapping[str, Json] = {
    "redirect": {
        "use_original_dst": True,
        "traffic_direction": "OUTBOUND",
        "listener_filters": [LISTENER_FILTER],
        "filter_chains": [
            {"name": "port-15001", "filter_chain_match": {"destination_port": 15001}},
            {"name": "past", "filter_chain_match": {"destination_port": 443}, "filters": []},
        ],
        "default_filter_chain": {"name": "redirect"},
    },
    "service": unbound("service", "10.96.0.1", 50051),
    "any": unbound("any", "0.0.0.0", 50051),
    "several": unbound(
        "several", "10.96.0.2", 50051, additional_addresses=[{"address": at("10.96.0.3", 80)}]
    ),
    "any-80": unbound("any-80", "0.0.0.0", 80),
    "six": unbound("six", "fd00::1", 50051),
    "any-six": unbound("any-six", "::", 50052),
    "both": unbound("both", "::", 50053, socket={"ipv4_compat": True}),
    "inbound": unbound("inbound", "10.96.0.9", 50051, traffic_direction="INBOUND"),
    "closing": {
        **unbound("closing", "10.96.0.4", 50051),
        "filter_chains": [{"name": "closing", "filter_chain_match": {"destination_port": 1}}],
    },
}
INTERCEPTED: Sequence[tuple[str, int]] = [
    *((f"10.96.0.{last}", port) for last in range(10) for port in (50051, 80, 50052, 50053, 15001, 1)),
    *((host, port) for host in ("fd00::1", "fd00::2") for port in (50051, 50052, 50053, 80)),
]


class Meeting(NamedTuple):
    """A listener's port, in all its addresses."""

    port: ReservedPort
    other: ReservedPort


@pytest.fixture(scope="module")
def ports() -> Iterator[Meeting]:
    with ReservedPort() as port, ReservedPort() as other:
        yield Meeting(port, other)


@pytest.fixture(scope="module")
def envoy(ports: Meeting) -> Iterator[RoutingEnvoy]:
    number, other = ports.port.number, ports.other.number
    own: dict[str, Json] = {
        "one": {"address": at("127.0.0.1", number), "filter_chains": [{"name": "one"}]},
        "all": {"address": at("0.0.0.0", number), "filter_chains": [{"name": "all"}]},
        "more": {
            "address": at("127.0.0.3", number),
            "additional_addresses": [{"address": at("127.0.0.4", other)}, {"address": at("::1", other)}],
            "filter_chains": [{"name": "more"}],
        },
        "direct": {
            "address": at("127.0.0.5", other),
            "filter_chains": [
                {
                    "name": "from-2",
                    "filter_chain_match": {
                        "direct_source_prefix_ranges": [{"address_prefix": "127.0.0.2", "prefix_len": 32}]
                    },
                },
                {"name": "from-all"},
            ],
        },
    }
    over = {**NUMBERED, **INTERCEPTION, **own, "kinds": KINDS}
    over["redirect"] = {
        **over["redirect"],
        "filter_chains": [
            {**each, "filters": [{"name": "tcp", "typed_config": CLUSTER}]} if "filters" in each else each
            for each in over["redirect"]["filter_chains"]
        ],
    }
    with RoutingEnvoy(dict.fromkeys(over, NO_ROUTES), over=over) as envoy:
        yield envoy


NO_ROUTES: Json = {}


@pytest.fixture(scope="module")
def snapshot(envoy: RoutingEnvoy) -> Snapshot:
    """What the doctor reads of it."""
    snapshot = Snapshot()
    snapshot.add(envoy.envoy.admin.config_dump())
    return snapshot


def ours(snapshot: Snapshot, listener: Listener | Unknown | None, connection: Connection) -> str | None:
    """The name of the filter chain; None if the connection is closed."""
    assert isinstance(listener, Listener), listener
    handler = handler_of(snapshot, listener, connection)
    if isinstance(handler, Manager):
        assert handler.routes is not None
        return str(handler.routes["virtual_hosts"][0]["routes"][0]["name"])
    assert isinstance(handler, Closed), handler
    return None


def sent(envoy: RoutingEnvoy, listener: str, source: str, host: str, port: int) -> Sent | None:
    """A request on a connection; None if Envoy closes it."""
    try:
        return envoy.send(listener, [REQUEST], preface=header(source, host, port))
    except ConnectionError:
        return None


def chain_of(envoy: RoutingEnvoy, request: Sent | None) -> str | None:
    """The name of the filter chain that a request came by; None if the connection was closed."""
    return None if request is None else envoy.answers(request)[0].route


@pytest.mark.parametrize("tenth", range(10))
def test_filter_chains(envoy: RoutingEnvoy, snapshot: Snapshot, tenth: int) -> None:
    random = Random(f"{SEED} {tenth}")
    messages = {each["name"]: each for each in snapshot.listeners}
    asked: list[tuple[str, str, str, int, Sent | None]] = []
    for number in range(tenth * 6, tenth * 6 + 6):
        name = f"l{number}"
        for _ in range(10):
            host, port = random.choice(DESTINATIONS), random.choice(PORTS)
            source = random.choice([each for each in SOURCES if (":" in each) == (":" in host)])
            asked.append((name, source, host, port, sent(envoy, name, source, host, port)))
    wrong: list[object] = []
    found: set[str | None] = set()
    for name, source, host, port, request in asked:
        answer = ours(snapshot, Listener.of(messages[name]), Connection(host, port, source))
        real = chain_of(envoy, request)
        found.add(real)
        if answer != real:
            wrong.append((NUMBERED[name], source, host, port, answer, real))
    assert wrong == []
    assert len(found) > 5


@pytest.mark.parametrize(
    ("source", "port", "chain"),
    [
        ("127.0.0.1", 1, "local"),
        ("10.96.0.1", 1, "local"),
        ("127.0.0.9", 1, "all"),
        ("8.8.8.8", 1, "all"),
        ("127.0.0.1", 80, "any"),
    ],
)
def test_local_connections(
    envoy: RoutingEnvoy, snapshot: Snapshot, source: str, port: int, chain: str
) -> None:
    [message] = [each for each in snapshot.listeners if each["name"] == "kinds"]
    connection = Connection("10.96.0.1", port, source)
    assert ours(snapshot, Listener.of(message), connection) == chain
    assert chain_of(envoy, sent(envoy, "kinds", source, "10.96.0.1", port)) == chain


def test_intercepted_connections(envoy: RoutingEnvoy, snapshot: Snapshot) -> None:
    wrong: list[object] = []
    found: set[str | None] = set()
    relevant = [each for each in snapshot.listeners if each["name"] in INTERCEPTION]
    asked: list[tuple[str, int, str, Sent | None]] = []
    for host, port in INTERCEPTED:
        source = "fd00::9" if ":" in host else "10.1.1.1"
        asked.append((host, port, source, sent(envoy, "redirect", source, host, port)))
    for host, port, source, request in asked:
        connection = Connection(host, port, source, intercepted=True)
        listener = listener_of(Snapshot(listeners=relevant), connection)
        answer = ours(snapshot, listener, connection)
        real = chain_of(envoy, request)
        found.add(real)
        if answer != real:
            wrong.append((host, port, answer, real))
    assert wrong == []
    assert found >= {None, "redirect", "port-15001", "service", "any", "several", "any-80", "six", "both"}


def test_a_connection_that_is_passed_on(snapshot: Snapshot) -> None:
    connection = Connection("10.99.0.1", 443, "10.1.1.1", intercepted=True)
    listener = listener_of(snapshot, connection)
    assert isinstance(listener, Listener)
    assert listener.name == "redirect"
    handler = handler_of(snapshot, listener, connection)
    assert isinstance(handler, TcpProxy)
    assert handler.clusters == ("nobody",)


@pytest.mark.parametrize(
    ("host", "other", "chain"),
    [
        ("127.0.0.1", False, "one"),
        ("127.0.0.2", False, "all"),
        ("127.0.0.3", False, "more"),
        ("127.0.0.4", False, "all"),
        ("127.0.0.4", True, "more"),
        ("::1", True, "more"),
    ],
)
def test_listeners(
    envoy: RoutingEnvoy, snapshot: Snapshot, ports: Meeting, host: str, other: bool, chain: str
) -> None:
    port = (ports.other if other else ports.port).number
    connection = Connection(host, port, host)
    assert ours(snapshot, listener_of(snapshot, connection), connection) == chain
    envoy.listen("asked", f"{host}:{port}")
    (answer,) = envoy.ask("asked", [REQUEST])
    assert answer.route == chain


@pytest.mark.parametrize(("source", "chain"), [("127.0.0.2", "from-2"), ("127.0.0.7", "from-all")])
def test_the_address_that_connections_come_from(
    envoy: RoutingEnvoy, snapshot: Snapshot, ports: Meeting, source: str, chain: str
) -> None:
    connection = Connection("127.0.0.5", ports.other.number, source)
    assert ours(snapshot, listener_of(snapshot, connection), connection) == chain
    envoy.listen("asked", f"127.0.0.5:{ports.other.number}")
    (answer,) = envoy.answers(envoy.send("asked", [REQUEST], source=source))
    assert answer.route == chain
    unknown = Connection("127.0.0.5", ports.other.number)
    listener = listener_of(snapshot, unknown)
    assert isinstance(listener, Listener)
    assert isinstance(handler_of(snapshot, listener, unknown), Unknown)


def test_what_cannot_be_known(snapshot: Snapshot, ports: Meeting) -> None:
    several = listener_of(snapshot, Connection(None, ports.port.number))
    assert isinstance(several, Unknown)
    assert "all, more, one" in several.why
    only = listener_of(snapshot, Connection(None, 50053))
    assert isinstance(only, Listener)
    assert only.name == "both"
    assert listener_of(snapshot, Connection(None, 2)) is None
    assert listener_of(snapshot, Connection("127.0.0.1", 2)) is None
    tree = Listener.of({"name": "tree", "filter_chain_matcher": {}, "filter_chains": [{}]})
    assert isinstance(handler_of(snapshot, tree, Connection("127.0.0.1", 2, "127.0.0.1")), Unknown)
    by_port = {"filter_chains": [{"filter_chain_match": {"source_ports": [1]}}, {}]}
    assert isinstance(handler_of(snapshot, Listener.of(by_port), Connection("127.0.0.1", 2)), Unknown)
