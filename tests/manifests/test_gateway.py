"""Routes of the Gateway API say what is configured, and warnings say the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.gateway.emitter import GatewayEmitter
from protoc_gen_dubbo_mesh.mesh import durations
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Retry, RpcPolicy, ServicePolicy
from tests.manifests.gateway_routing import Resource, Routed, documents, routed, routes_of
from tests.manifests.services import rpc, service

RETRIES = (
    "test.proto: Istio retries rpc a.A.x twice unless it is told not to, and routes of the Gateway API "
    "cannot tell it"
)


def emit(
    *services: ServicePolicy, policy: str = "routes", with_istio: bool = False
) -> tuple[dict[str, str], list[str]]:
    """The files by path, and the warnings."""
    emitter = GatewayEmitter(with_istio=with_istio)
    files = emitter.emit(Grouping(None, policy).group(services))
    return {path: content for path, content, _ in files}, emitter.warnings


def resources(*services: ServicePolicy, policy: str = "routes") -> list[Resource]:
    """What is in the only file."""
    files, _ = emit(*services, policy=policy)
    assert list(files) == ["gateway/demo.yaml"]
    return documents(files["gateway/demo.yaml"])


def timed(name: str, seconds: float, *, stream: bool = False) -> RpcPolicy:
    return rpc(name, CallPolicy(timeout=seconds), server_streaming=stream)


def kinds(file: list[Resource], port: int) -> set[str]:
    return {route["kind"] for route in routes_of(file, port)}


class TestKinds:
    def test_grpc_routes_unless_there_is_a_timeout(self) -> None:
        file = resources(
            service("a.A", [timed("x", 1)], port=1),
            service("a.B", [rpc("x")], port=2),
            service("a.C", [timed("x", 1, stream=True)], port=3),
        )
        assert [kinds(file, port) for port in (1, 2, 3)] == [{"HTTPRoute"}, {"GRPCRoute"}, {"GRPCRoute"}]

    def test_grpc_routes_where_headers_ask_for_the_timeout(self) -> None:
        assert kinds(resources(service("a.A", [timed("x", 1)]), policy="headers"), 80) == {"GRPCRoute"}

    def test_every_reference_has_a_port(self) -> None:
        file = resources(service("a.A", [timed("x", 1)], port=1), service("a.B", [rpc("x")], port=2))
        assert [(route["metadata"]["name"], route["spec"]["parentRefs"][0]) for route in file] == [
            ("demo.1", {"group": "", "kind": "Service", "name": "demo", "port": 1}),
            ("demo.2", {"group": "", "kind": "Service", "name": "demo", "port": 2}),
        ]
        assert routed(file, 2, "/a.B/x") == Routed("demo", 2)


class TestRules:
    def test_health_checks_and_unknown_rpcs_are_routed(self) -> None:
        file = resources(service("a.A", [timed("x", 1), rpc("y")]))
        assert routed(file, 80, "/grpc.health.v1.Health/Watch") == Routed("demo", 80)
        assert routed(file, 80, "/a.A/x") == Routed("demo", 80, "1s")

    def test_one_timeout_for_all_rpcs_is_one_prefix(self) -> None:
        (route,) = resources(service("a.A", [timed(name, 1) for name in "xyz"]), service("a.AB"))
        first, rest = route["spec"]["rules"]
        assert first["matches"] == [{"path": {"type": "PathPrefix", "value": "/a.A"}}]
        assert rest.keys() == {"backendRefs"}

    def test_differences_that_no_route_can_express_need_no_rule(self) -> None:
        retried = rpc("x", CallPolicy(retry=Retry(attempts=3), per_try_timeout=1.0))
        (route,) = resources(service("a.A", [retried, rpc("y"), rpc("z", idempotent=True)]))
        assert len(route["spec"]["rules"]) == 1

    def test_aliases_have_the_timeout_too(self) -> None:
        aliased = rpc("X", CallPolicy(timeout=1.0), aliases=("x",))
        file = resources(service("a.A", [aliased, rpc("Y"), rpc("Z")], aliases=("lower-first",)))
        assert routed(file, 80, "/a.A/x") == routed(file, 80, "/a.A/X") == Routed("demo", 80, "1s")


_SERVICES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from([0, 0.001, 1, 2, 3.5, 90, *range(100, 130)]), st.booleans()),
            max_size=80,
        ),
        st.sampled_from([1, 2]),
        st.sampled_from([None, (("version", "v1"),), (("version", "v2"),)]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40)
@given(_SERVICES)
def test_calls_are_routed_as_configured_and_within_the_limits(
    drawn: list[tuple[list[tuple[float, bool]], int, tuple[tuple[str, str], ...] | None]],
) -> None:
    services = [
        service(
            f"a.S{number}",
            [timed(f"r{each}", seconds, stream=stream) for each, (seconds, stream) in enumerate(rpcs)],
            port=port,
            labels=labels,
        )
        for number, (rpcs, port, labels) in enumerate(drawn)
    ]
    file = resources(*services)
    # If all have the same labels, they are in the selector of the app's own Service.
    differ = len({each.identity.labels for each in services}) > 1
    for each in services:
        port, labels = each.identity.port or 80, each.identity.labels
        backend = f"demo-{labels[0][1]}" if labels and differ else "demo"
        for one in each.rpcs:
            timeout = durations.kubernetes(one.call.timeout or 0)
            expected = None if one.server_streaming or timeout == "0s" else timeout
            assert routed(file, port, one.path) == Routed(backend, port, expected)
    for port in {each.identity.port or 80 for each in services}:
        assert len(kinds(file, port)) == 1
        for route in routes_of(file, port):
            rules = route["spec"]["rules"]
            assert len(rules) <= 16
            assert sum(len(rule.get("matches", "*")) for rule in rules) <= 128
            assert all(1 <= len(rule.get("matches", "*")) <= 64 for rule in rules)


class TestBackends:
    def test_a_service_for_the_pods_with_further_labels(self) -> None:
        file = resources(service("a.A", [rpc("x")]), service("a.B", [rpc("x")], labels=(("version", "v2"),)))
        own, _ = file
        assert own["metadata"]["name"] == "demo-v2"
        assert own["spec"]["selector"] == {"app": "demo", "version": "v2"}
        assert routed(file, 80, "/a.B/x") == routed(file, 80, "/a.B/unknown") == Routed("demo-v2", 80)
        assert routed(file, 80, "/a.A/x") == Routed("demo", 80)

    def test_none_where_all_pods_have_the_labels(self) -> None:
        (route,) = resources(service("a.A", [rpc("x")], labels=(("version", "v2"),)))
        assert route["kind"] == "GRPCRoute"

    def test_names_are_unique_among_all_apps(self) -> None:
        with pytest.raises(GenerationError, match=r"Service a-b-c .* in subset b-c: use other"):
            emit(
                service("a.A", app="a"),
                service("a.B", app="a", labels=(("version", "b-c"),)),
                service("a.C", app="a-b"),
                service("a.D", app="a-b", labels=(("version", "c"),)),
            )

    def test_the_same_name_in_another_namespace_is_another_service(self) -> None:
        files, _ = emit(
            service("a.A", app="a", namespace="x"),
            service("a.B", app="a", namespace="x", labels=(("version", "b"),)),
            service("a.C", app="a-b", namespace="y"),
        )
        assert list(files) == ["gateway/a.yaml", "gateway/a-b.yaml"]


class TestLimits:
    def test_long_service_names(self) -> None:
        long = "a." + "A" * 1023
        with pytest.raises(GenerationError, match=r"^test.proto: service a\.A{58}… has 1025 characters"):
            emit(service(long, labels=(("version", "v2"),)), service("a.B"))

    def test_long_paths(self) -> None:
        with pytest.raises(
            GenerationError, match=r"path /a\.A/x+… has 1025 characters, and a match of a HTTP"
        ):
            emit(service("a.A", [timed("x" * 1020, 1), rpc("y"), rpc("z")]))


class TestWarnings:
    def test_istios_own_retries(self) -> None:
        for policy in ("headers", "routes"):
            _, warnings = emit(service("a.A", [rpc("x")]), policy=policy)
            assert warnings == [
                f"{RETRIES}: use emit=istio, or set meshConfig.defaultHttpRetryPolicy.attempts to 0"
            ]

    def test_none_of_them_for_idempotent_rpcs(self) -> None:
        _, warnings = emit(service("a.A", [rpc("x", idempotent=True)]), policy="headers")
        assert not any("Istio retries" in warning for warning in warnings)

    def test_both_are_emitted(self) -> None:
        files, warnings = emit(service("a.A", [rpc("x")]), service("a.B", app="other"), with_istio=True)
        assert f"{RETRIES}: use istio/demo.yaml instead" in warnings[0]
        assert sum("apply only one of the two" in warning for warning in warnings) == 1
        assert "# Apply either this file or istio/demo.yaml: " in files["gateway/demo.yaml"]

    def test_headers_that_istio_does_not_heed(self) -> None:
        _, warnings = emit(
            service("a.A", [timed("x", 1)], app="one"), service("b.B", [timed("x", 1)]), policy="headers"
        )
        assert [warning for warning in warnings if "by headers" in warning] == [
            "test.proto: stubs ask by headers for what is configured of rpc b.B.x and 1 more, and routes of "
            "the Gateway API cannot make Istio heed them: use policy=routes, or emit=istio for "
            "istio/internal-addresses.yaml"
        ]

    def test_none_where_no_headers_are_sent(self) -> None:
        _, warnings = emit(service("a.A", [rpc("x", idempotent=False)]), policy="headers")
        assert not any("by headers" in warning for warning in warnings)
