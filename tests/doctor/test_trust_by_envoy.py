"""Whether requests are internal, and what routes see of them: the doctor's answer beside a real Envoy's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

import pytest

from dubbo_mesh._doctor.envoy.configuration.snapshot import Snapshot
from dubbo_mesh._doctor.envoy.connection import Connection
from dubbo_mesh._doctor.envoy.entering.arrival import arrived
from dubbo_mesh._doctor.envoy.entering.listeners import Manager
from dubbo_mesh._doctor.envoy.entering.trust import Cause, trust
from dubbo_mesh._doctor.envoy.request import Beginning, Request
from localmesh import ReservedPort
from tests.doctor.http2 import Headers
from tests.doctor.proxy_protocol import LISTENER_FILTER, header
from tests.doctor.routing import RoutingEnvoy, answer
from tests.sidecars.config import Json, merged, typed

ROUTES: Json = {
    "name": "routes",
    "internal_only_headers": ["x-secret"],
    "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer("all", {"prefix": "/"})]}],
}


def ranges(*each: str, lengths: bool = True) -> dict[str, list[dict[str, object]]]:
    """A message with `cidr_ranges`."""
    found: list[dict[str, object]] = []
    for one in each:
        prefix, _, length = one.partition("/")
        found.append({"address_prefix": prefix, **({"prefix_len": int(length)} if lengths else {})})
    return {"cidr_ranges": found}


def xff(**fields: object) -> Json:
    """The extension for `x-forwarded-for`."""
    config = typed("envoy.extensions.http.original_ip_detection.xff.v3.XffConfig", **fields)
    return {"original_ip_detection_extensions": [{"name": "xff", "typed_config": config}]}


INTERNAL: Mapping[str, Json] = {
    "unset": {},
    "empty": {"internal_address_config": {}},
    "unix": {"internal_address_config": {"unix_sockets": True}},
    "loopback": {"internal_address_config": ranges("127.0.0.0/8")},
    "private": {"internal_address_config": ranges("10.0.0.0/8", "fd00::/8", "::1/128")},
    "one": {"internal_address_config": ranges("10.1.2.3/32")},
    "not-a-prefix": {"internal_address_config": ranges("10.9.9.9/8", "2001:db8::5/32")},
    "without-length": {"internal_address_config": ranges("10.0.0.1", lengths=False)},
    "mapped": {"internal_address_config": ranges("::ffff:0:0/96")},
}
REMOTE: Json = {"use_remote_address": True}
PROXIES = ranges("127.0.0.0/8", "10.0.0.0/16")["cidr_ranges"]
FURTHER: Mapping[str, Json] = {
    "hops": {"xff_num_trusted_hops": 1},
    "two-hops": {"xff_num_trusted_hops": 2},
    "hops-remote": {"xff_num_trusted_hops": 1, **REMOTE},
    "skip-remote": {"skip_xff_append": True, **REMOTE},
    "extension": xff(),
    "extension-hops": xff(xff_num_trusted_hops=1),
    "extension-proxies": xff(xff_trusted_cidrs={"cidrs": PROXIES}),
}
MANAGERS: Mapping[str, Json] = {
    **INTERNAL,
    **{f"{name}-remote": {**each, **REMOTE} for name, each in INTERNAL.items()},
    **{name: {**INTERNAL["private"], **each} for name, each in FURTHER.items()},
    "proxies-loopback": {**INTERNAL["loopback"], **FURTHER["extension-proxies"]},
}

SOURCES = ("127.0.0.1", "10.1.2.3", "10.0.0.1", "172.16.0.1", "172.32.0.1", "8.8.8.8", "::1", "fd00::5")

FORWARDED_FOR: Sequence[str | None] = [
    *(
        None,
        "",
        "127.0.0.1",
        "10.1.2.3",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.0.1",
        "8.8.8.8",
        "::1",
        "fd00::1",
    ),
    *(
        "[::1]",
        "::ffff:127.0.0.1",
        "10.0.0.1:80",
        "127.0.0.1,10.0.0.1",
        "10.0.0.1, 127.0.0.1",
        "8.8.8.8,10.0.0.1",
    ),
    *(
        "127.0.0.1,",
        "10.0.0.1,",
        ",127.0.0.1",
        ",,10.0.0.1",
        ",",
        "garbage",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
    ),
    *("10.0.0.256", "2130706433", "127.0.0.01", "fe80::1%eth0", "::1%lo", "10.0.0.1;", "127.0.0.1 10.0.0.1"),
    *("10.0.0.1,garbage", "garbage,10.0.0.1", "10.0.0.1,8.8.8.8,10.0.0.1", "10.0.0.1,10.0.0.2,127.0.0.1"),
]

# -- what routes see

ARRIVALS: Mapping[str, Json] = {
    "plain": {},
    "remote": REMOTE,
    "remote-skip": {**REMOTE, "skip_xff_append": True},
    "remote-hops": {**REMOTE, "xff_num_trusted_hops": 1},
    "remote-keep-id": {**REMOTE, "preserve_external_request_id": True},
    "remote-port": {**REMOTE, "append_x_forwarded_port": True},
    "no-id": {"generate_request_id": False},
    "via": {"via": "me"},
    "agent": {"add_user_agent": True},
    "strip": {"strip_any_host_port": True},
    "certificate": {"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"},
}
ENVOY_HEADERS = (
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-max-retries",
    "x-envoy-original-dst-host",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-overloaded",
    "x-envoy-peer-metadata",
    "x-envoy-ratelimited",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-service-time",
    "x-envoy-upstream-stream-duration-ms",
)

SENT: Mapping[str, str] = {
    **dict.fromkeys(ENVOY_HEADERS, "1"),
    "content-type": "application/grpc",
    "grpc-timeout": "1S",
    "te": "trailers",
    "user-agent": "grpc-python/1",
    "via": "him",
    "x-client-trace-id": "c",
    "x-envoy-attempt-count": "4",
    "x-envoy-external-address": "1.1.1.1",
    "x-envoy-internal": "true",
    "x-forwarded-client-cert": "By=x",
    "x-other": "o",
    "x-secret": "s",
}
"""Headers that Envoy may remove or change."""

TOLD = sorted(
    {
        *SENT,
        *(":authority", ":path", ":scheme", ":method", "host"),
        *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-host", "x-request-id"),
    }
)
UUID = "aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa"


@pytest.fixture(scope="module")
def envoy() -> Iterator[RoutingEnvoy]:
    managers = {name: {**each, "route_config": ROUTES} for name, each in MANAGERS.items()}
    managers |= {
        name: {**INTERNAL["private"], **each, "route_config": ROUTES} for name, each in ARRIVALS.items()
    }
    over: dict[str, Json] = {name: {"listener_filters": [LISTENER_FILTER]} for name in managers}
    with RoutingEnvoy(managers, tell=TOLD, over=over) as envoy:
        yield envoy


def headers_of(others: Mapping[str, str]) -> Headers:
    pseudo = {":method": "POST", ":scheme": "http", ":authority": "A.b:80", ":path": "/x"}
    return list({**pseudo, **others}.items())


def preface(source: str) -> bytes:
    """What has Envoy believe that a connection comes from an address."""
    return header(source, "127.0.0.1" if ipaddress.ip_address(source).version == 4 else "::1", 1234)


@pytest.mark.parametrize("name", MANAGERS)
def test_trust(envoy: RoutingEnvoy, name: str) -> None:
    manager = Manager(name, None, "", MANAGERS[name])
    # If it goes by the connection, it only matters whether there is such a header.
    values = FORWARDED_FOR[:4] if MANAGERS[name].get("use_remote_address") else FORWARDED_FOR
    asked = [
        headers_of({"x-envoy-retry-on": "reset", "x-envoy-decorator-operation": "d"} | _forwarded(each))
        for each in values
    ]
    sent = {source: envoy.send(name, asked, preface=preface(source)) for source in SOURCES}
    wrong: list[object] = []
    for source, requests in sent.items():
        for forwarded_for, its in zip(values, envoy.answers(requests), strict=True):
            ours = trust(manager, source, forwarded_for)
            obeyed = its.headers["x-envoy-retry-on"] is not None
            edge = its.headers["x-envoy-decorator-operation"] is None
            assert ours.cause is not Cause.UNKNOWN
            if (ours.internal, ours.edge) != (obeyed, edge):
                wrong.append((source, forwarded_for, ours, obeyed, edge))
    assert wrong == []


def _forwarded(value: str | None) -> dict[str, str]:
    return {} if value is None else {"x-forwarded-for": value}


OTHERS: Sequence[Mapping[str, str]] = [
    {},
    {"x-forwarded-for": "10.0.0.1"},
    {"x-forwarded-for": "8.8.8.8"},
    {"x-request-id": "mine", "x-forwarded-proto": "https"},
    {"x-request-id": UUID},
]


@pytest.mark.parametrize("name", ARRIVALS)
def test_what_routes_see(envoy: RoutingEnvoy, name: str) -> None:
    manager = Manager(name, ROUTES, "", merged(INTERNAL["private"], ARRIVALS[name]))
    asked = [headers_of({**SENT, **others}) for others in OTHERS]
    sources = ("10.1.1.1", "8.8.8.8", "127.0.0.1", "127.0.0.2", "::1")
    sent = {source: envoy.send(name, asked, preface=preface(source)) for source in sources}
    wrong: list[object] = []
    for source, requests in sent.items():
        connection = Connection("127.0.0.1", 1234, source)
        for headers, its in zip(asked, envoy.answers(requests), strict=True):
            request = Request("A.b:80", "/x", dict(headers))
            verdict = trust(manager, source, request.headers.get("x-forwarded-for"))
            ours = arrived(manager, verdict, connection, request, (1, 40))
            if its.headers["x-request-id"] == request.headers.get("x-request-id"):
                assert "x-request-id" not in ours.unsure
            wrong += [
                (source, each, its.headers[each], ours.values(each))
                for each in TOLD
                if not agrees(its.headers[each], ours.values(each))
            ]
    assert wrong == []


def agrees(its: str | None, ours: Sequence[str | Beginning]) -> bool:
    """Whether a value is what the doctor says, as far as it says anything."""
    if its is None or not ours:
        return its is None and not ours
    return its.startswith(ours[0].text) if isinstance(ours[0], Beginning) else its == ours[0]


def test_addresses_of_ipv4_on_a_socket_of_ipv6() -> None:
    """Such a connection comes from an address of IPv4, not from `::ffff:127.0.0.1`."""
    with ReservedPort() as port:
        over = {
            "address": {
                "socket_address": {"address": "::", "port_value": port.number, "ipv4_compat": True},
            }
        }
        managers = {
            "both": {**INTERNAL["loopback"], **REMOTE, "route_config": ROUTES},
        }
        with RoutingEnvoy(managers, tell=["x-envoy-internal"], over={"both": over}) as envoy:
            envoy.listen("both", port.address)
            (its,) = envoy.ask("both", [headers_of({})])
    ours = trust(Manager("both", None, "", managers["both"]), "::ffff:127.0.0.1", None)
    assert ours.internal
    assert its.headers["x-envoy-internal"] == "true"


@pytest.mark.parametrize(
    ("version", "runtime", "internal"),
    [
        ((1, 32), {}, True),
        ((1, 32), {"envoy.reloadable_features.explicit_internal_address_config": True}, False),
        ((1, 33), {}, False),
        ((1, 35), {"envoy.reloadable_features.explicit_internal_address_config": "false"}, True),
        ((1, 36), {"envoy.reloadable_features.explicit_internal_address_config": False}, False),
        (None, {}, False),
    ],
)
def test_versions(version: tuple[int, int] | None, runtime: Json, internal: bool) -> None:
    """From Envoy's source and its release notes; of the later ones, `test_trust` has the real behaviour."""
    layers = [{"name": "static", "static_layer": runtime}]
    snapshot = Snapshot(version=version, bootstrap={"layered_runtime": {"layers": layers}})
    manager = Manager("x", None, "", REMOTE)
    assert trust(manager, "10.0.0.7", None, snapshot).internal == internal
    assert not trust(manager, "8.8.8.8", None, snapshot).internal


def test_other_extensions_cannot_be_known() -> None:
    config = typed("envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig")
    message = {
        **INTERNAL["private"],
        "original_ip_detection_extensions": [{"name": "x", "typed_config": config}],
    }
    found = trust(Manager("x", None, "", message), "10.0.0.1", "10.0.0.1")
    assert found.cause is Cause.UNKNOWN
    assert "CustomHeaderConfig" in found.why
