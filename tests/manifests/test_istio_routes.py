"""By the first entry that matches, each path meets what is configured for its rpc."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.istio.emitter import IstioEmitter
from protoc_gen_dubbo_mesh.mesh.grouping import Grouping
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Labels, Retry, RpcPolicy, ServicePolicy
from protoc_gen_dubbo_mesh.protoc.descriptors_pb2 import FileDescriptorProto
from tests.manifests.istio import Resource, emit, first_match, resources, seconds
from tests.manifests.services import rpc, service

ON = ["5xx", "gateway-error", "reset", "connect-failure", "refused-stream", "retriable-status-codes"]
GRPC_ON = ["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"]


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


RETRIES = st.tuples(
    st.none() | st.integers(1, 5),
    some(GRPC_ON),
    some(ON),
    st.none() | st.sampled_from([(503,), (429, 503)]),
).map(lambda fields: Retry(*fields))
POLICIES = st.tuples(
    st.none() | st.sampled_from([0.0, 0.5, 3.0, 90.0, 3661.007]),
    st.none() | st.sampled_from([0.001, 0.25]),
    st.none() | RETRIES,
).map(lambda fields: CallPolicy(*fields))
RPCS = st.builds(
    rpc,
    st.sampled_from("abcde"),
    POLICIES,
    server_streaming=st.booleans(),
    client_streaming=st.booleans(),
    idempotent=st.booleans(),
).flatmap(lambda each: st.sampled_from([each, each._replace(aliases=(f"{each.name}Too",))]))
LABELS = st.sampled_from([None, (("track", "x"),), (("track", "y"), ("version", "1.0"))])
SERVICES = st.lists(
    st.builds(
        service,
        st.sampled_from(["p.A", "p.AB", "q.A"]),
        st.lists(RPCS, max_size=4, unique_by=lambda each: each.name),
        labels=LABELS,
        port=st.sampled_from([50051, 50052]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda each: each.name,
)


def paths(of: ServicePolicy, each: RpcPolicy) -> list[str]:
    return [each.path, *(f"/{of.name}/{alias}" for alias in each.aliases)]


def pods(files: dict[str, str], entry: Resource) -> Labels | None:
    """The labels of the pods that an entry routes to."""
    [route] = entry["route"]
    subset = route["destination"].get("subset")
    if subset is None:
        return None
    [rule] = resources(files, "DestinationRule")
    [labels] = (each["labels"] for each in rule["spec"]["subsets"] if each["name"] == subset)
    return tuple(sorted(labels.items()))


def number_of_retries(call: CallPolicy) -> int:
    retry = call.retry
    if retry is None or retry.attempts == 1:
        return 0
    return 1 if retry.attempts is None else retry.attempts - 1


def conditions(retry: Retry) -> set[str]:
    """The conditions as Istio has them, where codes imply a condition."""
    found = {*(retry.on or ()), *(retry.grpc_on or ()), *map(str, retry.status_codes or ())}
    return found - ({"retriable-status-codes"} if retry.status_codes else set())


@settings(max_examples=60)
@given(SERVICES)
def test_routes_enforce_what_is_configured(services: list[ServicePolicy]) -> None:
    files = emit(services, "routes")
    [virtual_service] = resources(files, "VirtualService")
    for of in services:
        for each in of.rpcs:
            for path in paths(of, each):
                entry = first_match(virtual_service, path, of.identity.port)
                assert pods(files, entry) == of.identity.labels
                check(entry, each)
        unknown = first_match(virtual_service, f"/{of.name}/unknown", of.identity.port)
        assert pods(files, unknown) in {of.identity.labels, None}


def check(entry: Resource, each: RpcPolicy) -> None:
    """Checks that an entry enforces the policy of an rpc."""
    call, retries = each.call, entry["retries"]
    timeout, per_try = call.timeout or None, call.per_try_timeout or None
    if each.client_streaming or each.server_streaming:
        timeout = per_try = None
    assert retries["attempts"] == number_of_retries(call)
    if retries["attempts"]:
        assert call.retry is not None
        assert set(retries["retryOn"].split(",")) == conditions(call.retry)
        assert per_try == (seconds(retries["perTryTimeout"]) if "perTryTimeout" in retries else None)
    else:
        assert set(retries) == {"attempts"}  # Istio refuses more beside 0
        timeout = per_try or timeout
    assert timeout == (seconds(entry["timeout"]) if "timeout" in entry else None)


@settings(max_examples=60)
@given(SERVICES)
def test_headers_leave_istios_retries_to_what_may_run_twice(services: list[ServicePolicy]) -> None:
    files = emit(services, "headers")
    [virtual_service] = resources(files, "VirtualService")
    for of in services:
        for each in of.rpcs:
            for path in paths(of, each):
                entry = first_match(virtual_service, path, of.identity.port)
                assert pods(files, entry) == of.identity.labels
                assert "timeout" not in entry
                wants_none = each.call.retry is not None and each.call.retry.attempts == 1
                retried = each.idempotent and not wants_none
                assert entry.get("retries") == (None if retried else {"attempts": 0})


@settings(max_examples=30)
@given(SERVICES, st.sampled_from(["headers", "routes"]))
def test_destinations_name_one_of_several_ports(services: list[ServicePolicy], enforced_by: str) -> None:
    """Istio's analysis calls it an error if they do not (IST0112)."""
    [virtual_service] = resources(emit(services, enforced_by), "VirtualService")
    ports = {of.identity.port for of in services}
    for entry in virtual_service["spec"]["http"]:
        [route] = entry["route"]
        named = route["destination"].get("port", {}).get("number")
        assert (named is None) == (len(ports) == 1)
        assert {match.get("port") for match in entry.get("match", [{}])} == {named}
    for port in ports:
        rest = first_match(virtual_service, "/grpc.health.v1.Health/Check", port)
        assert rest["route"][0]["destination"].get("port", {"number": port}) == {"number": port}


@pytest.mark.parametrize(("enforced_by", "entries"), [("headers", 1), ("routes", 2)])
def test_a_thousand_equal_rpcs_are_one_entry(enforced_by: str, entries: int) -> None:
    call = CallPolicy(timeout=3.0, retry=Retry(attempts=2, grpc_on=("unavailable",)))
    many = service("a.B", [rpc(f"r{number}", call) for number in range(1000)])
    [virtual_service] = resources(emit([many], enforced_by), "VirtualService")
    found = [[*map(str, entry.get("match", []))] for entry in virtual_service["spec"]["http"]]
    assert found == [["{'uri': {'prefix': '/a.B/'}}"], []][-entries:]


def test_a_file_for_each_host_and_short_names() -> None:
    files = emit([service("a.A", app="one", namespace="n"), service("a.B", app="two")], "routes")
    assert sorted(files) == ["istio/one.yaml", "istio/two.yaml"]
    found = [
        (each["metadata"], each["spec"]["hosts"], each["spec"]["http"][0]["route"])
        for each in resources(files, "VirtualService")
    ]
    assert found == [
        ({"name": "one", "namespace": "n"}, ["one"], [{"destination": {"host": "one"}}]),
        ({"name": "two"}, ["two"], [{"destination": {"host": "two"}}]),
    ]
    rules = [(each["metadata"], each["spec"]["host"]) for each in resources(files, "DestinationRule")]
    assert rules == [({"name": "one", "namespace": "n"}, "one"), ({"name": "two"}, "two")]


@pytest.mark.parametrize(
    "name", ["a: b #.proto", "a\n---\nkind: Secret\n#.proto", "a\u2028b\x85.proto", "'\"{%}[]&*!|>.proto"]
)
def test_names_of_files_are_comments_and_nothing_else(name: str) -> None:
    call = CallPolicy(timeout=3.0)
    plain = service("a.B", [rpc("r", call)])
    hostile = plain._replace(
        declaration=plain.declaration._replace(file=FileDescriptorProto(name=name)),
        rpcs=tuple(
            each._replace(declaration=each.declaration._replace(file=FileDescriptorProto(name=name)))
            for each in plain.rpcs
        ),
    )
    expected, found = emit([plain], "routes"), emit([hostile], "routes")
    assert found != expected
    for path, text in found.items():
        assert [*yaml.safe_load_all(text)] == [*yaml.safe_load_all(expected[path])]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (CallPolicy(timeout=0.0005), "timeout of rpc a.B.r must be whole milliseconds"),
        (CallPolicy(per_try_timeout=0.0015), "per_try_timeout of rpc a.B.r must be whole milliseconds"),
        (CallPolicy(retry=Retry(on=("retriable-headers",))), "retry.on of rpc a.B.r must not hold"),
        (CallPolicy(retry=Retry(header_names=("x",))), "retry.header_names of rpc a.B.r cannot be expressed"),
        (
            CallPolicy(retry=Retry(status_codes=(599,))),
            "retry.status_codes of rpc a.B.r must be status codes",
        ),
    ],
)
def test_what_istio_lacks_is_an_error_in_routes_only(call: CallPolicy, message: str) -> None:
    of = service("a.B", [rpc("r", call)])
    with pytest.raises(GenerationError, match=f"^test.proto: {message}"):
        emit([of], "routes")
    assert emit([of], "headers")


def test_what_kubectl_apply_refuses_is_applied_on_the_servers_side() -> None:
    """`kubectl apply` copies objects into an annotation, which gets too long."""

    def emitted(number: int) -> tuple[str, list[str]]:
        rpcs = [rpc(f"rpc{each}", CallPolicy(timeout=1 + each / 1000)) for each in range(number)]
        emitter = IstioEmitter()
        [file] = emitter.emit(Grouping(None, "routes").group([service("a.B", rpcs, app="big")]))
        return file.content, emitter.warnings

    content, warnings = emitted(300)
    assert "#     kubectl apply --namespace NAMESPACE -f istio/big.yaml\n" in content
    assert warnings == []
    content, warnings = emitted(1000)
    assert "#     kubectl apply --server-side --namespace NAMESPACE -f istio/big.yaml\n" in content
    [warning] = warnings
    assert warning.startswith("test.proto: istio/big.yaml has 2")
    assert "API server refuses" not in warning
    [warning] = emitted(6000)[1]
    assert "; the API server refuses what is larger than about 1400 kB" in warning
