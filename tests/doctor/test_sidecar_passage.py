"""What calls meet in a sidecar before they are sent on: listeners, virtual hosts and routes of one Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests import sidecars
from tests.doctor.running import examined, ids
from tests.doctor.upstreams import INTERNAL, PORT, bad, call, service, serving, with_rpc
from tests.sidecars.config import Json, cluster, http_listener, merged, typed

ONLY = {"drain_type": "MODIFY_ONLY"}
"""What a listener for outbound calls should have, so that the doctor finds nothing to say about it."""

BLACK_HOLE: Json = {"name": "BlackHoleCluster", "type": "STATIC", "connect_timeout": "1s"}
PASSTHROUGH: Json = {
    "name": "PassthroughCluster",
    "type": "ORIGINAL_DST",
    "connect_timeout": "1s",
    "lb_policy": "CLUSTER_PROVIDED",
}


class Mesh:
    """An Envoy with a listener for each kind of fault.

    Attributes:
        envoy: the Envoy.
        addresses: where its listeners are, by their names.
    """

    def __init__(self, server: str, stack: ExitStack) -> None:
        self.addresses: dict[str, str] = {}
        self._stack = stack
        listeners = [
            self._http("well", _virtual_hosts()),
            self._http("draining", _virtual_hosts(), drain_type="DEFAULT"),
            self._tcp("tcp", "well"),
            self._tcp("inner", "to-inner"),
            self._tcp("closed", "BlackHoleCluster"),
            self._tcp("past", "PassthroughCluster"),
            self._http("allowing", [_any("allow_any", _to("PassthroughCluster"))]),
            self._http("blocking", [_any("block_all", {"direct_response": {"status": 502}})]),
            self._http("secure", _virtual_hosts(), filter_chains=None),
        ]
        secure = listeners[-1]
        secure["filter_chains"] = [{**listeners[0]["filter_chains"][0], "transport_socket": _tls()}]
        clusters = [cluster("well", [server]), _to_an_internal_listener(), BLACK_HOLE, PASSTHROUGH]
        self.envoy = stack.enter_context(sidecars.StaticEnvoy("passage", listeners, clusters))

    def doctor(self, listener: str, target: str = f"well:{PORT}") -> list[Finding]:
        variables = {
            "DUBBO_MESH_EGRESS": self.addresses[listener],
            "DUBBO_MESH_ADMIN": self.envoy.admin_address,
        }
        return examined(target, variables=variables)

    def call(self, listener: str, app: str = "well", **options: Any) -> str:
        return call(self.addresses[listener], app, **options)

    def _address(self, name: str) -> str:
        self.addresses[name] = self._stack.enter_context(ReservedPort()).address
        return self.addresses[name]

    def _http(self, name: str, virtual_hosts: list[Json], **over: Any) -> dict[str, Any]:
        manager = {**INTERNAL, "route_config": {"name": "routes", "validate_clusters": False}}
        return http_listener(
            name,
            self._address(name),
            virtual_hosts,
            connection_manager=manager,
            listener={**ONLY, **over},
        )

    def _tcp(self, name: str, to: str) -> dict[str, Any]:
        proxy = typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix=name, cluster=to)
        chain = {"filters": [{"name": "tcp", "typed_config": proxy}]}
        return http_listener(name, self._address(name), [], listener={**ONLY, "filter_chains": [chain]})


def _virtual_hosts() -> list[Json]:
    named = {"name": "only-this", "match": {"path": "/test.Echo/other"}, "route": {"cluster": "well"}}
    return [
        *(service(app).virtual_host() for app in ("well", "unknown-cluster")),
        merged(service("other-rpcs").virtual_host(), {"routes": [named]}),
        merged(service("no-routes").virtual_host(), {"routes": []}),
        merged(service("answering").virtual_host(), {"routes": [_answer(403)]}),
        merged(service("redirecting").virtual_host(), {"routes": [_redirect()]}),
    ]


def _to_an_internal_listener() -> Json:
    """A cluster for connections that the Envoy makes to itself. Nobody listens there."""
    address = {"envoy_internal_address": {"server_listener_name": "inner"}}
    hosts = {"endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
    return {"name": "to-inner", "load_assignment": {"cluster_name": "to-inner", **hosts}}


def _any(name: str, does: Json) -> Json:
    return {"name": name, "domains": ["*"], "routes": [{"name": name, "match": {"prefix": "/"}, **does}]}


def _to(name: str) -> Json:
    return {"route": {"cluster": name}}


def _answer(status: int) -> Json:
    return {"name": "deny", "match": {"prefix": "/"}, "direct_response": {"status": status}}


def _redirect() -> Json:
    return {"name": "moved", "match": {"prefix": "/"}, "redirect": {"host_redirect": "elsewhere"}}


def _tls() -> Json:
    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate = {
        "certificate_chain": {"inline_string": issued.cert_chain_pems[0].bytes().decode()},
        "private_key": {"inline_string": issued.private_key_pem.bytes().decode()},
    }
    context = typed(
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={"tls_certificates": [certificate]},
    )
    return {"name": "tls", "typed_config": context}


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack.enter_context(serving()), stack)


def test_all_is_well(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    for target in (f"well:{PORT}", with_rpc("well", monkeypatch)):
        assert bad(mesh.doctor("well", target)) == set()
    assert mesh.call("well") == "OK"


@pytest.mark.finds("DM204")
def test_no_listener(mesh: Mesh) -> None:
    with ReservedPort() as nobody:
        mesh.addresses["none"] = nobody.address
        [found] = [each for each in mesh.doctor("none") if each.id == "DM204"]
        assert f"no listener for port {nobody.number}; it has 127.0.0.1:" in found.finding
        assert "DUBBO_MESH_ADMIN to the admin endpoint of the same sidecar" in found.remedy
    assert "DM204" not in ids(mesh.doctor("well"))


@pytest.mark.parametrize(
    ("listener", "id", "seen", "called"),
    [
        pytest.param("tcp", "DM205", "on to well, without HTTP", "OK", marks=pytest.mark.finds("DM205")),
        pytest.param(
            "closed", "DM222", "on to BlackHoleCluster", "UNAVAILABLE", marks=pytest.mark.finds("DM222")
        ),
        pytest.param(
            "past", "DM221", "on to PassthroughCluster", "UNAVAILABLE", marks=pytest.mark.finds("DM221")
        ),
        ("allowing", "DM221", "sends it to PassthroughCluster", "UNAVAILABLE"),
        ("blocking", "DM222", "only the virtual host block_all", "UNAVAILABLE"),
        pytest.param("secure", "DM244", "has a TLS context", "UNAVAILABLE", marks=pytest.mark.finds("DM244")),
    ],
)
def test_listeners(mesh: Mesh, listener: str, id: str, seen: str, called: str) -> None:
    """Without iptables, an original destination is not known: then a passthrough fails too."""
    findings = mesh.doctor(listener)
    assert {each for each in bad(findings) if each and each.startswith("DM2")} == {id}
    assert any(each.id == id and seen in each.finding for each in findings), findings
    assert mesh.call(listener, wait=False).startswith(called)
    assert id not in ids(mesh.doctor("well"))


def test_an_internal_listener(mesh: Mesh) -> None:
    [found] = [each for each in mesh.doctor("inner") if each.check == "listener"]
    assert (found.status, found.id) == ("skipped", None)
    assert "internal listener" in found.finding


@pytest.mark.finds("DM231")
def test_the_drain_type(mesh: Mesh) -> None:
    [found] = [each for each in mesh.doctor("draining") if each.id == "DM231"]
    assert "draining" in found.finding
    assert bad(mesh.doctor("draining")) == set()
    assert "DM231" not in ids(mesh.doctor("well"))


@pytest.mark.parametrize(
    ("app", "id", "seen", "called"),
    [
        pytest.param(
            "nobody",
            "DM206",
            f"no virtual host of routes matches nobody.default.svc.cluster.local:{PORT}",
            "UNIMPLEMENTED",
            marks=pytest.mark.finds("DM206"),
        ),
        pytest.param(
            "other-rpcs",
            "DM207",
            "no route of virtual host other-rpcs matches it: it has one",
            "UNIMPLEMENTED",
            marks=pytest.mark.finds("DM207"),
        ),
        ("no-routes", "DM207", "it has none", "UNIMPLEMENTED"),
        pytest.param(
            "answering",
            "DM208",
            "route deny answers HTTP 403 itself: callers get PERMISSION_DENIED",
            "PERMISSION_DENIED",
            marks=pytest.mark.finds("DM208"),
        ),
        ("redirecting", "DM208", "route moved redirects it", "UNKNOWN"),
        pytest.param(
            "unknown-cluster",
            "DM209",
            "names the cluster unknown-cluster, which does not exist",
            "UNAVAILABLE",
            marks=pytest.mark.finds("DM209"),
        ),
    ],
)
def test_routes(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, app: str, id: str, seen: str, called: str
) -> None:
    findings = mesh.doctor("well", with_rpc(app, monkeypatch))
    assert bad(findings) == {id}
    assert any(each.id == id and seen in each.finding for each in findings), findings
    assert mesh.call("well", app).startswith(called)
    assert id not in ids(mesh.doctor("well", with_rpc("well", monkeypatch)))
