"""Routes that are never reached, and virtual hosts that an authority misses by little, in a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dubbo_mesh._doctor.envoy.routing.hiding import covers
from dubbo_mesh._doctor.envoy.routing.near_misses import near_misses
from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests import sidecars
from tests.doctor.running import examined
from tests.doctor.upstreams import PORT, call, serving, with_rpc
from tests.sidecars.config import Json, cluster, http_listener

INTERNAL: Json = {
    "use_remote_address": True,
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
}
DENY: Json = {"direct_response": {"status": 403}}
"""What a hidden route does: calls that get through show that it is never reached."""

RPC = "/test.Echo/unary"


def forward(**over: Any) -> dict[str, Any]:
    return {"route": {"cluster": "echo", "timeout": "0s", **over}}


def route(name: str, match: Json, action: Json) -> dict[str, Any]:
    return {"name": name, "match": match, **action}


ONE = {"name": "x-a", "string_match": {"exact": "1"}}

HIDDEN: dict[str, tuple[Json, Json]] = {
    "prefix-exact": ({"prefix": "/test.Echo/"}, {"path": RPC}),
    "prefix-prefix": ({"prefix": "/test."}, {"prefix": "/test.Echo/u"}),
    "all-all": ({"prefix": "/"}, {"prefix": "/"}),
    "all-regex": ({"prefix": "/"}, {"safe_regex": {"regex": "/test.*"}}),
    "all-separated": ({"prefix": "/"}, {"path_separated_prefix": "/test.Echo"}),
    "separated-exact": ({"path_separated_prefix": "/test.Echo"}, {"path": RPC}),
    "exact-exact": ({"path": RPC}, {"path": RPC}),
    "regex-exact": ({"safe_regex": {"regex": r"/test\.\w+/.*"}}, {"path": RPC}),
    "fewer-headers": ({"path": RPC}, {"path": RPC, "grpc": {}}),
    "any-case": ({"prefix": "/TEST", "case_sensitive": False}, {"path": RPC}),
}
"""A route that takes the call, and one behind it that is never reached."""

REACHED: dict[str, tuple[Json, Json]] = {
    "exact-prefix": ({"path": RPC}, {"prefix": "/test.Echo/"}),
    "header": ({"prefix": "/", "headers": [ONE]}, {"path": RPC}),
    "case": ({"prefix": "/test"}, {"path": RPC, "case_sensitive": False}),
    "other-rpc": ({"path": RPC}, {"path": "/test.Echo/bidi"}),
    "share": ({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 99}}}, {"path": RPC}),
    "part-of-name": ({"path_separated_prefix": "/test.Echo"}, {"prefix": "/test.Echo"}),
}


def virtual_host(app: str, *routes: Json, domain: str | None = None) -> Json:
    host = domain or f"{app}.default.svc.cluster.local:{PORT}"
    return {"name": app, "domains": [host], "routes": list(routes)}


HOSTS = [
    *(
        virtual_host(app, route("first", first, forward()), route("second", second, DENY))
        for app, (first, second) in {**HIDDEN, **REACHED}.items()
    ),
    {**virtual_host("external", route("all", {"prefix": "/"}, forward())), "require_tls": "EXTERNAL_ONLY"},
    {**virtual_host("secure", route("all", {"prefix": "/"}, forward())), "require_tls": "ALL"},
    virtual_host(
        "alike", route("first", {"prefix": "/"}, forward()), route("second", {"path": RPC}, forward())
    ),
    *(
        virtual_host(domain, route("all", {"prefix": "/"}, forward()), domain=domain)
        for domain in (
            "shop.default.svc.cluster.local:50052",
            f"basket.prod.svc.cluster.local:{PORT}",
            f"cart.default.svc.corp.example:{PORT}",
            "bare.default.svc.cluster.local",
            f"dotted.default.svc.cluster.local.:{PORT}",
            f"check-out.default.svc.cluster.local:{PORT}",
        )
    ),
]


class Mesh:
    """An Envoy with these virtual hosts."""

    def __init__(self, server: str, stack: ExitStack) -> None:
        self.egress = stack.enter_context(ReservedPort()).address
        listener = http_listener(
            "egress",
            self.egress,
            HOSTS,
            connection_manager=INTERNAL,
            listener={"drain_type": "MODIFY_ONLY"},
        )
        self.envoy = stack.enter_context(
            sidecars.StaticEnvoy("hidden", [listener], [cluster("echo", [server])])
        )

    def doctor(self, target: str) -> list[Finding]:
        variables = {"DUBBO_MESH_EGRESS": self.egress, "DUBBO_MESH_ADMIN": self.envoy.admin_address}
        return examined(target, variables=variables)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack.enter_context(serving()), stack)


@pytest.mark.finds("DM345")
@pytest.mark.parametrize("app", HIDDEN)
def test_hidden_routes(mesh: Mesh, app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = [each for each in mesh.doctor(with_rpc(app, monkeypatch)) if each.id == "DM345"]
    assert f"route second of virtual host {app} is hidden by route first" in found.finding
    assert call(mesh.egress, app) == "OK"


@pytest.mark.parametrize("app", [*REACHED, "alike"])
def test_routes_that_are_not_hidden(mesh: Mesh, app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "DM345" not in {each.id for each in mesh.doctor(with_rpc(app, monkeypatch))}


def test_calls_in_plaintext_are_redirected(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = [each for each in mesh.doctor(with_rpc("secure", monkeypatch)) if each.id == "DM208"]
    assert "virtual host secure redirects every call to https (require_tls)" in found.finding
    assert found.remedy == "remove require_tls from the virtual host"
    assert call(mesh.egress, "secure").startswith("UNKNOWN")
    assert "DM208" not in {each.id for each in mesh.doctor(with_rpc("external", monkeypatch))}
    assert call(mesh.egress, "external") == "OK"


@pytest.mark.parametrize(("first", "second"), REACHED.values(), ids=REACHED)
def test_what_does_not_cover(first: Json, second: Json) -> None:
    assert not covers(first, second)


@pytest.mark.parametrize(
    ("app", "what", "remedy"),
    [
        ("shop", "shop.default.svc.cluster.local:50052 is there: with port 50052", "port"),
        ("basket", f"basket.prod.svc.cluster.local:{PORT} is there: in namespace prod", "POD_NAMESPACE"),
        ("cart", "is there: with the cluster domain corp.example", "CLUSTER_DOMAIN"),
        ("bare", "bare.default.svc.cluster.local is there: without a port", "ignore_port_in_host_matching"),
        ("dotted", "is there: with a dot at its end", "strip_trailing_host_dot"),
        ("checkout", "is there: app check-out", "app"),
    ],
)
def test_the_nearest_virtual_host_is_named(mesh: Mesh, app: str, what: str, remedy: str) -> None:
    [found] = [each for each in mesh.doctor(f"{app}:{PORT}") if each.id == "DM206"]
    assert what in found.finding
    assert remedy in found.remedy
    assert call(mesh.egress, app).startswith("UNIMPLEMENTED")


def test_nothing_is_near() -> None:
    routes = {"virtual_hosts": HOSTS}
    assert near_misses(routes, f"completely-other.default.svc.cluster.local:{PORT}") == []
    assert near_misses({"virtual_hosts": [{"domains": ["*", "", ".", 7]}]}, "") == []
    assert len(near_misses({"virtual_hosts": [{"domains": [f"a:{n}" for n in range(99)]}]}, "a")) == 3
