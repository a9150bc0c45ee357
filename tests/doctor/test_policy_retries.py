"""What the doctor says of retries, and how often handlers run behind a real Envoy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2

from dubbo_mesh import EnvoyHeaders
from dubbo_mesh.v1 import options_pb2
from tests.doctor.cases import PORT, Case, Mesh, Outcome
from tests.sidecars.config import HTTP_OPTIONS

_SERVICE: Any = options_pb2.service
_METHOD: Any = options_pb2.method
QUICKLY = {"base_interval": "0.001s", "max_interval": "0.002s"}

NONE = EnvoyHeaders(timeout=0)
TWO = EnvoyHeaders(timeout=0, max_retries=2, retry_grpc_on="unavailable")


def asks(**fields: Any) -> EnvoyHeaders:
    """No timeout, and these retries."""
    return EnvoyHeaders(timeout=0, **fields)


def retries(retry_on: str, number: int | None = 2, **fields: Any) -> dict[str, Any]:
    """A message with this retry policy."""
    policy = {"retry_on": retry_on, "retry_back_off": QUICKLY, **fields}
    return {"retry_policy": policy if number is None else {"num_retries": number, **policy}}


def action(retry_on: str, number: int | None = 2, **fields: Any) -> dict[str, Any]:
    """A `RouteAction` without a timeout that has this retry policy."""
    return {"timeout": "0s", **retries(retry_on, number, **fields)}


def adds(name: str, value: str, how: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> dict[str, Any]:
    """A message that adds a header to requests."""
    return {"request_headers_to_add": [{"header": {"key": name, "value": value}, "append_action": how}]}


def thresholds(**fields: Any) -> dict[str, Any]:
    """A cluster with these circuit breakers."""
    return {"circuit_breakers": {"thresholds": [fields]}}


def described(
    package: str, level: int = 0, retry: options_pb2.Retry | None = None, *, as_default: bool = False
) -> Any:
    """The descriptor of a file with the service of a case.

    Args:
        package: Of the file.
        level: The `idempotency_level` of its rpc.
        retry: What the options of the rpc ask for.
        as_default: Whether that is a default of the service's instead.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.append("dubbo_mesh/v1/options.proto")
    file.message_type.add(name="Nothing")
    service = file.service.add(name="Test")
    method = service.method.add(name="unary")
    method.input_type = method.output_type = f".{package}.Nothing"
    method.options.idempotency_level = descriptor_pb2.MethodOptions.IdempotencyLevel.ValueType(level)
    if retry is not None and as_default:
        service.options.Extensions[_SERVICE].defaults.retry.CopyFrom(retry)
    elif retry is not None:
        method.options.Extensions[_METHOD].retry.CopyFrom(retry)
    pool = descriptor_pool.DescriptorPool()
    for each in (descriptor_pb2, duration_pb2, options_pb2):
        pool.AddSerializedFile(each.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool.FindFileByName(file.name)


BY_ROUTES = EnvoyHeaders(inherit_timeout=True)
RETRY = options_pb2.Retry(attempts=3, grpc_on=["UNAVAILABLE"], on=["RESET"])
SLOW: dict[str, Any] = {"per_try_timeout": "0.3s"}
IDLE: dict[str, Any] = {"per_try_idle_timeout": "0.3s"}

CASES = [
    Case(name="none", envoy=NONE),
    Case(name="asked", envoy=TWO),
    Case(name="asked-once", envoy=asks(max_retries=0), action=action("unavailable")),
    Case(name="asked-default", envoy=asks(retry_grpc_on="unavailable,internal")),
    Case(name="asked-more", envoy=TWO, action=action("internal", 1)),
    Case(name="dropped", envoy=TWO, obeyed=False, action={"timeout": "0s"}),
    Case(name="dropped-other", envoy=TWO, obeyed=False, action=action("unavailable,internal", 1)),
    Case(name="dropped-same", envoy=TWO, obeyed=False, action=action("unavailable")),
    Case(name="dropped-none", envoy=asks(max_retries=0), obeyed=False, action=action("unavailable")),
    Case(name="route", envoy=NONE, action=action("unavailable", 3)),
    Case(name="route-default", envoy=NONE, action=action("unavailable", None)),
    Case(name="route-zero", envoy=NONE, action=action("unavailable", 0)),
    Case(name="host", envoy=NONE, virtual_host=retries("unavailable")),
    Case(name="host-replaced", envoy=NONE, virtual_host=retries("unavailable"), action={"retry_policy": {}}),
    Case(
        name="cluster",
        envoy=NONE,
        action=action("unavailable", 3),
        cluster={"typed_extension_protocol_options": {HTTP_OPTIONS: retries("internal,reset")}},
    ),
    Case(
        name="cluster-slow",
        envoy=NONE,
        action=action("unavailable", 3, **SLOW),
        cluster={"typed_extension_protocol_options": {HTTP_OPTIONS: retries("internal,reset")}},
    ),
    Case(name="number-only", envoy=asks(max_retries=2)),
    Case(name="number-and-route", envoy=asks(max_retries=3), action=action("unavailable", 1)),
    Case(name="http", envoy=asks(max_retries=2, retry_on="5xx,retriable-status-codes")),
    Case(name="http-route", envoy=NONE, action=action("gateway-error")),
    Case(name="http-and-grpc", envoy=asks(max_retries=2, retry_on="5xx", retry_grpc_on="unavailable")),
    Case(name="by-header", envoy=NONE, action=action("retriable-headers", retriable_headers=[
        {"name": "grpc-status", "string_match": {"exact": "14"}}])),
    Case(name="unknown", envoy=NONE, action=action("unavaliable")),
    Case(name="breaker", envoy=TWO, cluster=thresholds(max_retries=0)),
    Case(name="breaker-high", envoy=TWO, action={"priority": "HIGH"}, cluster=thresholds(max_retries=0)),
    Case(name="high", envoy=TWO, action={"priority": "HIGH"}, cluster=thresholds(
        priority="HIGH", max_retries=0)),
    Case(name="budget", envoy=TWO, cluster=thresholds(retry_budget={"min_retry_concurrency": 0})),
    Case(name="budget-none", envoy=TWO, cluster=thresholds(
        retry_budget={"min_retry_concurrency": 0, "budget_percent": {"value": 0}})),
    Case(name="budget-enough", envoy=TWO, cluster=thresholds(retry_budget={})),
    Case(name="added", envoy=NONE, obeyed=False, action={"timeout": "0s"}, virtual_host=adds(
        "x-envoy-retry-grpc-on", "unavailable"), route=adds("x-envoy-max-retries", "2")),
    Case(name="replaced", envoy=TWO, route=adds("x-envoy-max-retries", "3"), virtual_host=adds(
        "x-envoy-max-retries", "1")),
    Case(name="appended", envoy=TWO, route=adds("x-envoy-max-retries", "4", "APPEND_IF_EXISTS_OR_ADD")),
    Case(name="conditions-appended", envoy=TWO, route=adds(
        "x-envoy-retry-grpc-on", "internal", "APPEND_IF_EXISTS_OR_ADD")),
    Case(name="not-replaced", envoy=TWO, route=adds("x-envoy-max-retries", "4", "ADD_IF_ABSENT")),
    Case(name="removed", envoy=TWO, virtual_host={"request_headers_to_remove": ["x-envoy-retry-grpc-on"]}),
    Case(name="some-requests", envoy=TWO, action={"timeout": "0s", "retry_policy": {
        "retriable_request_headers": [{"name": "x-again", "present_match": True}]}}),
    Case(name="buffer", envoy=TWO, virtual_host={"request_body_buffer_limit": 3}),
    Case(name="slow", envoy=asks(max_retries=2, retry_on="reset", per_try_timeout=0.3)),
    Case(name="slow-route", envoy=NONE, action=action("unavailable,reset", **SLOW)),
    Case(name="slow-not", envoy=NONE, action=action("unavailable", **SLOW)),
    Case(name="slow-alone", envoy=NONE, action={"retry_policy": SLOW}),
    Case(name="slow-ignored", envoy=EnvoyHeaders(timeout=0.8), action=action("reset", per_try_timeout="3s")),
    Case(name="slow-late", envoy=EnvoyHeaders(timeout=0.8, inherit_timeout=True),
        action=action("reset", per_try_timeout="3s")),
    Case(name="slow-hedged", envoy=asks(
        max_retries=2, retry_grpc_on="unavailable", per_try_timeout=0.3, hedge_on_per_try_timeout=True)),
    Case(name="slow-told", envoy=NONE, action={"max_grpc_timeout": "0s", **action("reset", **SLOW)}),
    Case(name="slow-told-too", envoy=NONE, action={
        "max_grpc_timeout": "0s", **action("reset,deadline-exceeded", **SLOW)}),
    Case(name="slow-idle", envoy=NONE, action=action("reset", **IDLE)),
    Case(name="slow-idle-alone", envoy=NONE, action={"timeout": "0s", "retry_policy": IDLE}),
    Case(name="idle-stream", rpc="watch", envoy=NONE, action=action("reset", **IDLE)),
    Case(name="slow-stream", rpc="watch", action=action("reset", **SLOW)),
    Case(name="stream", rpc="watch", envoy=TWO),
    Case(name="sending", rpc="collect", envoy=TWO),
    Case(name="risky", envoy=NONE, action=action("unavailable"), descriptor=described("risky", 0)),
    Case(name="safe", envoy=NONE, action=action("unavailable"), descriptor=described("safe", 2)),
    Case(name="harmless", envoy=NONE, action=action("connect-failure,refused-stream"),
        descriptor=described("harmless", 0)),
    Case(name="lost", envoy=BY_ROUTES, action={"timeout": "0s"}, descriptor=described("lost", retry=RETRY)),
    Case(name="lostdefault", envoy=BY_ROUTES, action=action("internal"),
        descriptor=described("lostdefault", retry=RETRY, as_default=True)),
    Case(name="kept", envoy=BY_ROUTES, action=action("connect-failure,reset,unavailable"),
        descriptor=described("kept", retry=RETRY)),
    Case(name="keptonce", envoy=BY_ROUTES, action={"timeout": "0s"},
        descriptor=described("keptonce", retry=options_pb2.Retry(attempts=1, grpc_on=["UNAVAILABLE"]))),
    Case(name="sent", envoy=TWO, action={"timeout": "0s"}, descriptor=described("sent", retry=RETRY)),
    Case(name="byroutes", envoy=EnvoyHeaders(inherit_timeout=True), action=action("unavailable"),
        descriptor=described("byroutes", 0)),
]  # fmt: skip

Row = tuple[str, str, int, set[str], str]

ROWS: list[Row] = [
    ("none", "fail:UNAVAILABLE", 1, set(), "no retries"),
    ("asked", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("asked", "fail:INTERNAL", 1, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("asked-once", "fail:UNAVAILABLE", 1, set(), "no retries (asked)"),
    ("asked-default", "fail:INTERNAL", 2, set(), "1 retry on unavailable, internal (asked, counts)"),
    ("asked-more", "fail:INTERNAL", 3, set(), "up to 2 retries on unavailable, internal (asked, and route)"),
    ("dropped", "fail:UNAVAILABLE", 1, {"DM316"},
     "no retries (asked for 2 on unavailable, but the headers are dropped)"),
    ("dropped-other", "fail:UNAVAILABLE", 2, {"DM316"},
     "1 retry on unavailable, internal (route; asked for 2 on unavailable, but the headers are dropped)"),
    ("dropped-same", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (route)"),
    ("dropped-none", "fail:UNAVAILABLE", 3, {"DM317"}, "up to 2 retries on unavailable (route"),
    ("route", "fail:UNAVAILABLE", 4, set(), "up to 3 retries on unavailable (route)"),
    ("route-default", "fail:UNAVAILABLE", 2, set(), "1 retry on unavailable (route)"),
    ("route-zero", "fail:UNAVAILABLE", 1, set(), "no retries (route)"),
    ("host", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (route)"),
    ("host-replaced", "fail:UNAVAILABLE", 1, set(), "no retries"),
    ("cluster", "fail:UNAVAILABLE", 1, set(), "up to 2 retries on internal, reset (cluster)"),
    ("cluster", "fail:INTERNAL", 3, set(), "up to 2 retries on internal, reset (cluster)"),
    ("cluster-slow", "slow", 3, set(),
     "300 ms for each attempt (route), up to 2 retries on internal, reset (cluster)"),
    ("number-only", "fail:UNAVAILABLE", 1, {"DM318"}, "no retries (2 asked for, but on no condition)"),
    ("number-and-route", "fail:UNAVAILABLE", 4, set(), "up to 3 retries on unavailable (asked, and route)"),
    ("http", "fail:UNAVAILABLE", 1, {"DM322"},
     "(asked, counts; of broken connections, not of statuses that handlers return)"),
    ("http-route", "fail:UNAVAILABLE", 1, {"DM322"}, "of broken connections, not of statuses"),
    ("http-and-grpc", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on 5xx, unavailable (asked, counts)"),
    ("by-header", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on retriable-headers (route)"),
    ("by-header", "fail:INTERNAL", 1, set(), "up to 2 retries on retriable-headers (route)"),
    ("unknown", "fail:UNAVAILABLE", 1, {"DM323"}, "no retries"),
    ("breaker", "fail:UNAVAILABLE", 1, {"DM305"},
     "no retries (2 on unavailable, but the circuit breaker of cluster breaker allows none)"),
    ("breaker-high", "fail:UNAVAILABLE", 3, set(),
     "up to 2 retries on unavailable (asked, counts), with high priority"),
    ("high", "fail:UNAVAILABLE", 1, {"DM305"}, "no retries (2 on unavailable, but the circuit breaker"),
    ("budget", "fail:UNAVAILABLE", 1, {"DM324"}, "up to 2 retries on unavailable"),
    ("budget-none", "fail:UNAVAILABLE", 1, {"DM305"}, "no retries (2 on unavailable, but the circuit"),
    ("budget-enough", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable"),
    ("added", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (route)"),
    ("replaced", "fail:UNAVAILABLE", 2, {"DM329"}, "1 retry on unavailable"),
    ("appended", "fail:UNAVAILABLE", 2, {"DM329"}, "1 retry on unavailable"),
    ("conditions-appended", "fail:INTERNAL", 3, {"DM329"}, "up to 2 retries on unavailable, internal"),
    ("conditions-appended", "fail:UNAVAILABLE", 3, {"DM329"}, "up to 2 retries on unavailable, internal"),
    ("not-replaced", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("removed", "fail:UNAVAILABLE", 1, {"DM329"}, "no retries"),
    ("some-requests", "fail:UNAVAILABLE", 1, {"DM328"},
     "no retries (the route retries only calls with certain headers)"),
    ("buffer", "fail:UNAVAILABLE", 1, {"DM326"},
     "up to 2 retries on unavailable (asked, counts; of requests up to 3"),
    ("slow", "slow", 3, set(),
     "300 ms for each attempt (asked, counts), up to 2 retries on reset (asked, counts)"),
    ("slow-route", "slow", 3, set(),
     "300 ms for each attempt (route), up to 2 retries on unavailable, reset (route)"),
    ("slow-not", "slow", 1, {"DM320"},
     "300 ms for each attempt (route), up to 2 retries on unavailable (route)"),
    ("slow-alone", "slow", 1, {"DM320"}, "300 ms for each attempt (route), no retries"),
    ("slow-ignored", "slow", 1, {"DM319"}, "800 ms (asked, counts), up to 2 retries on reset (route)"),
    ("slow-late", "slow", 1, {"DM321"}, "3 s for each attempt (route), up to 2 retries on reset (route)"),
    ("slow-hedged", "slow", 3, set(),
     "another attempt beside it after 300 ms (asked, counts), up to 2 retries on unavailable"),
    ("slow-told-too", "slow", 3, set(), "up to 2 retries on reset, deadline-exceeded (route)"),
    ("slow-idle", "slow", 3, set(),
     "each attempt ended when silent for 300 ms (route), up to 2 retries on reset (route)"),
    ("slow-idle-alone", "slow", 1, {"DM320"}, "ended when silent for 300 ms (route), no retries"),
    ("idle-stream", "slow", 3, {"DM320"}, "ended when silent for 300 ms (route), up to 2 retries"),
    ("idle-stream", "begin-slow", 1, {"DM320"}, "each attempt ended when silent for 300 ms (route)"),
    ("slow-stream", "slow", 3, set(), "300 ms for each attempt (route)"),
    ("slow-stream", "begin-slow", 1, set(), "300 ms for each attempt (route)"),
    ("stream", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("stream", "begin-fail:UNAVAILABLE", 1, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("sending", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("risky", "fail:UNAVAILABLE", 3, {"DM325"}, "up to 2 retries on unavailable (route)"),
    ("safe", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (route)"),
    ("harmless", "fail:UNAVAILABLE", 1, set(), "up to 2 retries on connect-failure, refused-stream (route)"),
    ("lost", "fail:UNAVAILABLE", 1, {"DM338"}, "no retries"),
    ("lostdefault", "fail:UNAVAILABLE", 1, {"DM338"}, "up to 2 retries on internal (route)"),
    ("kept", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on connect-failure, reset, unavailable (route)"),
    ("keptonce", "fail:UNAVAILABLE", 1, set(), "no retries"),
    ("sent", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (asked, counts)"),
    ("byroutes", "fail:UNAVAILABLE", 3, set(), "up to 2 retries on unavailable (route)"),
]  # fmt: skip
"""Cases, what their handlers do, how often they run, and what the doctor says and finds."""

OTHERS = {"DM308", "DM311", "DM312"}  # on timeouts


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh(CASES) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def outcomes(mesh: Mesh) -> Mapping[tuple[str, str], Outcome]:
    """How the calls ended, all of them made at the same time. The longest three attempts take 0.9 s."""
    limit = {"timeout": 3}
    bounded = {"slow-ignored", "slow-late"}
    return mesh.calls({(name, does): {} if name in bounded else limit for name, does, *_ in ROWS})


@pytest.mark.finds("DM305")
@pytest.mark.finds("DM316")
@pytest.mark.finds("DM317")
@pytest.mark.finds("DM318")
@pytest.mark.finds("DM319")
@pytest.mark.finds("DM320")
@pytest.mark.finds("DM321")
@pytest.mark.finds("DM322")
@pytest.mark.finds("DM323")
@pytest.mark.finds("DM324")
@pytest.mark.finds("DM325")
@pytest.mark.finds("DM326")
@pytest.mark.finds("DM328")
@pytest.mark.finds("DM329")
@pytest.mark.finds("DM338")
@pytest.mark.parametrize(("name", "behaviour", "runs", "ids", "said"), ROWS)
def test_handlers_run_as_often_as_the_doctor_says(
    mesh: Mesh,
    outcomes: Mapping[tuple[str, str], Outcome],
    name: str,
    behaviour: str,
    runs: int,
    ids: set[str],
    said: str,
) -> None:
    assert said in mesh.sentence(name)
    assert mesh.ids(name) - OTHERS == ids
    assert outcomes[name, behaviour].runs == runs


def test_a_call_with_the_header_that_the_route_asks_for_is_retried(mesh: Mesh) -> None:
    again = ("x-again", "1")
    assert mesh.call("some-requests", "fail:UNAVAILABLE", timeout=5, metadata=[again]).runs == 3
    found = mesh.examined([mesh.cases["some-requests"]], headers=[again])
    assert "DM328" not in {each.id for each in found}
    (said,) = [each.finding for each in found if each.check == "rpc"]
    assert "up to 2 retries on unavailable (asked, counts)" in said


def test_a_retry_that_succeeds(mesh: Mesh) -> None:
    assert mesh.call("asked", "once-fail:UNAVAILABLE", timeout=5)[:2] == (2, grpc.StatusCode.OK)


def test_attempts_that_are_silent(mesh: Mesh, outcomes: Mapping[tuple[str, str], Outcome]) -> None:
    ended = outcomes["slow-idle-alone", "slow"]
    assert (ended.code, ended.details) == (grpc.StatusCode.UNAVAILABLE, "upstream request timeout")
    assert outcomes["idle-stream", "begin-slow"].code is grpc.StatusCode.INTERNAL


@pytest.mark.finds("DM339")
def test_providers_that_end_attempts_themselves(mesh: Mesh) -> None:
    """Whether the provider or the sidecar is first is chance: this provider is."""
    assert mesh.ids("slow-told") - OTHERS == {"DM339"}
    assert mesh.call("slow-told", "fail:DEADLINE_EXCEEDED", timeout=5).runs == 1
    assert mesh.ids("slow-told-too") - OTHERS == set()
    assert mesh.call("slow-told-too", "fail:DEADLINE_EXCEEDED", timeout=5).runs == 3
    assert "DM339" not in mesh.ids("slow-route")


def test_it_is_not_known_whether_headers_count(mesh: Mesh, tmp_path: Path) -> None:
    """From saved files of a sidecar that intercepts connections: where these come from is not in there.

    What holds in one case only is said, and not reported.
    """
    case = mesh.cases["asked"]
    port = mesh.variables(case)["DUBBO_MESH_EGRESS"].rpartition(":")[2]
    files: list[Path] = []
    for number, path in enumerate(("/config_dump", "/clusters?format=json")):
        own = re.compile(rf'"address": "127.0.0.1",\s+"port_value": {port}')
        answer = own.sub(f'"address": "10.96.0.1", "port_value": {PORT}', mesh.envoy.admin.get(path))
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(answer)
    names = ["asked", "number-only", "breaker"]
    alike = [mesh.cases[name] for name in names]
    intercepted = {"DUBBO_MESH_EGRESS": "", "DUBBO_MESH_ADMIN": "", "POD_NAMESPACE": "default"}
    findings = mesh.examined(alike, intercepted, config_dumps=files)
    said = {each.subject: each.finding for each in findings if each.check == "rpc"}
    assert said[case.subject].endswith(
        ": if its headers count: ended after 5 min without an answer (stream_idle_timeout: Envoy's default), "
        "up to 2 retries on unavailable (asked, counts); if not: 15 s (Envoy's default), "
        "no retries (asked for 2 on unavailable, but the headers are dropped)"
    )
    ids = {each.id for each in findings if each.subject in {case.subject for case in alike}}
    assert ids <= {None, "DM231"}
