"""What else the doctor says of routes: faults, limits, rewriting, copies, shares of calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from dubbo_mesh import EnvoyHeaders
from tests.doctor.cases import PORT, Case, Mesh
from tests.doctor.running import examined
from tests.sidecars.config import HTTP_OPTIONS, typed

HTTP = "envoy.extensions.filters.http"
FAULT, LIMIT, BUFFER, RBAC = (
    f"envoy.filters.http.{name}" for name in ("fault", "local_ratelimit", "buffer", "rbac")
)
EVERYBODY = {"permissions": [{"any": True}], "principals": [{"any": True}]}

NONE = EnvoyHeaders(timeout=0)
ALL = {"numerator": 100}


def fault(**fields: Any) -> dict[str, Any]:
    return typed(f"{HTTP}.fault.v3.HTTPFault", **fields)


def limit(tokens: int) -> dict[str, Any]:
    bucket = {"max_tokens": tokens, "fill_interval": "3600s"}
    always = {"default_value": ALL, "runtime_key": "always"}
    fields = {
        "stat_prefix": "limit",
        "token_bucket": bucket,
        "filter_enabled": always,
        "filter_enforced": always,
    }
    return typed(f"{HTTP}.local_ratelimit.v3.LocalRateLimit", **fields)


def disabled() -> dict[str, Any]:
    return typed("envoy.config.route.v3.FilterConfig", disabled=True)


def per_filter(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"typed_per_filter_config": {name: config}}


NO_FILTERS = [
    {"name": FAULT, "typed_config": fault()},
    {"name": LIMIT, "typed_config": typed(f"{HTTP}.local_ratelimit.v3.LocalRateLimit", stat_prefix="limit")},
]
ABORTS = fault(abort={"grpc_status": 7, "percentage": ALL})
DELAYS = fault(delay={"fixed_delay": "0.2s", "percentage": ALL})
BUFFERS = [{"name": BUFFER, "typed_config": typed(f"{HTTP}.buffer.v3.Buffer", max_request_bytes=65536)}]


def some(numerator: int, **match: Any) -> dict[str, Any]:
    return {"prefix": "/", "runtime_fraction": {"default_value": {"numerator": numerator}}, **match}


def host(*routes: dict[str, Any]) -> dict[str, Any]:
    return {"routes": list(routes)}


CASES = [
    Case(name="plain", envoy=NONE, http_filters=NO_FILTERS),
    Case(name="abort", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(FAULT, ABORTS)),
    Case(name="delay", envoy=NONE, http_filters=NO_FILTERS, virtual_host=per_filter(FAULT, DELAYS)),
    Case(name="no-share", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(
        FAULT, fault(abort={"grpc_status": 7, "percentage": {"numerator": 0}}))),
    Case(name="disabled", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(FAULT, disabled()),
        virtual_host=per_filter(FAULT, ABORTS)),
    Case(name="everywhere", envoy=NONE, http_filters=[{"name": FAULT, "typed_config": ABORTS}]),
    Case(name="fault-for-others", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(FAULT, fault(
        abort={"grpc_status": 7, "percentage": ALL}, headers=[{"name": "x-test", "present_match": True}]))),
    Case(name="fault-elsewhere", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(FAULT, fault(
        abort={"grpc_status": 7, "percentage": ALL}, upstream_cluster="other"))),
    Case(name="limit-off", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(LIMIT, {
        name: value for name, value in limit(1).items() if name != "filter_enabled"})),
    Case(name="limited", envoy=NONE, http_filters=NO_FILTERS, route=per_filter(LIMIT, limit(1))),
    Case(name="refused", envoy=NONE, http_filters=[{"name": RBAC, "typed_config": typed(
        f"{HTTP}.rbac.v3.RBAC", rules={"action": "DENY", "policies": {"all": EVERYBODY}})}]),
    Case(name="refused-not", envoy=NONE, http_filters=[{"name": RBAC, "typed_config": typed(
        f"{HTTP}.rbac.v3.RBAC", shadow_rules={"action": "DENY", "policies": {"all": EVERYBODY}})}]),
    Case(name="header-decides", envoy=NONE, action={"cluster": None, "cluster_header": "x-cluster"}),
    Case(name="metadata-decide", envoy=NONE, action={
        "metadata_match": {"filter_metadata": {"envoy.lb": {"version": "2"}}}}),
    Case(name="path", envoy=NONE, action={"prefix_rewrite": "/other/"}),
    Case(name="path-same", envoy=NONE, action={"prefix_rewrite": "/"}),
    Case(name="path-regex", envoy=NONE, action={
        "regex_rewrite": {"pattern": {"regex": "/unary$"}, "substitution": "/other"}}),
    Case(name="path-regex-not", envoy=NONE, action={
        "regex_rewrite": {"pattern": {"regex": "/(a+)+b$"}, "substitution": "/other"}}),
    Case(name="path-regex-complex", envoy=NONE, action={
        "regex_rewrite": {"pattern": {"regex": "^/(.*)/(una?ry)$"}, "substitution": "/\\1/other"}}),
    Case(name="authority", envoy=NONE, action={"host_rewrite_literal": "other"}),
    Case(name="copied", envoy=NONE, action={"request_mirror_policies": [{"cluster": "plain"}]}),
    Case(name="dialogue", rpc="chat", http_filters=BUFFERS),
    Case(name="dialogue-not", rpc="chat", http_filters=BUFFERS, route=per_filter(
        BUFFER, typed(f"{HTTP}.buffer.v3.BufferPerRoute", disabled=True))),
    Case(name="dialogue-no-filter", rpc="chat"),
    Case(name="single", http_filters=BUFFERS, envoy=NONE),
    Case(name="shares", envoy=NONE, virtual_host=host(
        {"name": "tenth", "match": some(10), "route": {"cluster": "plain", "timeout": "3s"}},
        {"name": "half", "match": some(50), "route": {"cluster": "plain", "timeout": "0s"}},
        {"name": "rest", "match": {"prefix": "/"}, "route": {"cluster": "plain", "timeout": "5s"}}),
        obeyed=False),
    Case(name="weighted", envoy=NONE, action={"cluster": None, "weighted_clusters": {"clusters": [
        {"name": "plain", "weight": 90}, {"name": "abort", "weight": 10}]}}),
    Case(name="weighted-apart", envoy=NONE, action={"cluster": None, "weighted_clusters": {"clusters": [
        {"name": "plain", "weight": 3}, {"name": "lasting", "weight": 1}]}}),
    Case(name="lasting", envoy=NONE, cluster={"typed_extension_protocol_options": {
        HTTP_OPTIONS: {
            "common_http_protocol_options": {"max_stream_duration": "60s"}}}}),
    Case(name="by-caller", envoy=NONE, virtual_host=host(
        {"name": "shop", "match": {"prefix": "/", "headers": [
            {"name": "tri-consumer-appname", "string_match": {"exact": "shop"}}]},
         "route": {"cluster": "plain", "timeout": "1s"}},
        {"name": "others", "match": {"prefix": "/"}, "route": {"cluster": "plain", "timeout": "3s"}}),
        obeyed=False),
    Case(name="by-path", envoy=NONE, virtual_host=host(
        {"name": "other", "match": {"prefix": "/other.Test/"},
         "route": {"cluster": "plain", "timeout": "1s"}},
        {"name": "this", "match": {"path": "/by-path.Test/unary"},
         "route": {"cluster": "plain", "timeout": "2s"}},
        {"name": "rest", "match": {"prefix": "/"}, "route": {"cluster": "plain", "timeout": "3s"}}),
        obeyed=False),
    Case(name="by-header", envoy=NONE, virtual_host=host(
        {"name": "urgent", "match": {"prefix": "/", "headers": [
            {"name": "x-urgent", "string_match": {"exact": "1"}}]},
         "route": {"cluster": "plain", "timeout": "1s"}},
        {"name": "others", "match": {"prefix": "/"}, "route": {"cluster": "plain", "timeout": "3s"}}),
        obeyed=False),
]  # fmt: skip


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh(CASES) as mesh:
        yield mesh


def said(mesh: Mesh, name: str, id: str) -> str:
    """What a problem of a case is said to be."""
    (found,) = [each.finding for each in mesh.findings(name) if each.id == id]
    return found


OTHERS = {"DM308", "DM309", "DM311", "DM312"}  # on timeouts


def test_a_route_without_surprises(mesh: Mesh) -> None:
    assert mesh.ids("plain") - OTHERS == set()
    assert mesh.call("plain").code is grpc.StatusCode.OK


@pytest.mark.finds("DM330")
def test_faults(mesh: Mesh) -> None:
    assert "100 % of calls are aborted with grpc-status 7: filter" in said(mesh, "abort", "DM330")
    assert mesh.call("abort").code is grpc.StatusCode.PERMISSION_DENIED
    assert "100 % of calls are delayed by 200 ms" in said(mesh, "delay", "DM330")
    assert mesh.call("delay").seconds >= 0.19
    assert f"{FAULT} of the listener" in said(mesh, "everywhere", "DM330")
    assert mesh.call("everywhere").runs == 0


@pytest.mark.parametrize("name", ["plain", "no-share", "disabled", "fault-for-others", "fault-elsewhere"])
def test_no_faults(mesh: Mesh, name: str) -> None:
    assert "DM330" not in mesh.ids(name)
    assert mesh.call(name).code is grpc.StatusCode.OK


@pytest.mark.finds("DM331")
def test_a_limit_of_the_rate(mesh: Mesh) -> None:
    assert "limited by filter" in said(mesh, "limited", "DM331")
    assert mesh.call("limited").code is grpc.StatusCode.OK
    assert mesh.call("limited").code is grpc.StatusCode.UNAVAILABLE
    assert "DM331" not in mesh.ids("plain") | mesh.ids("limit-off")
    assert {mesh.call("limit-off").code for _ in range(3)} == {grpc.StatusCode.OK}


@pytest.mark.finds("DM348")
def test_a_filter_that_may_refuse(mesh: Mesh) -> None:
    assert f"calls pass filter {RBAC} of the listener" in said(mesh, "refused", "DM348")
    assert mesh.call("refused").code is grpc.StatusCode.PERMISSION_DENIED
    assert "DM348" not in mesh.ids("refused-not") | mesh.ids("plain")
    assert mesh.call("refused-not").code is grpc.StatusCode.OK


@pytest.mark.parametrize(("name", "why"), [("header-decides", "x-cluster"), ("metadata-decide", "metadata")])
def test_destinations_that_are_not_looked_at(mesh: Mesh, name: str, why: str) -> None:
    (found,) = [each for each in mesh.findings(name) if (each.check, each.status) == ("upstream", "skipped")]
    assert why in found.finding


@pytest.mark.finds("DM332")
def test_another_path(mesh: Mesh) -> None:
    assert "sends it as /other/path.Test/unary" in said(mesh, "path", "DM332")
    assert "sends it as /path-regex.Test/other" in said(mesh, "path-regex", "DM332")
    assert "sends it as another path" in said(mesh, "path-regex-complex", "DM332")
    for name in ("path-regex", "path-regex-complex"):
        assert mesh.call(name).code is grpc.StatusCode.UNIMPLEMENTED
    for name in ("path-same", "path-regex-not"):
        assert "DM332" not in mesh.ids(name)
        assert mesh.call(name).code is grpc.StatusCode.OK


@pytest.mark.finds("DM333")
def test_another_authority(mesh: Mesh) -> None:
    assert "with :authority other" in said(mesh, "authority", "DM333")
    assert "DM333" not in mesh.ids("path")


@pytest.mark.finds("DM334")
def test_copies(mesh: Mesh) -> None:
    assert "copies of calls to plain" in said(mesh, "copied", "DM334")
    assert mesh.call("copied").runs >= 1
    mesh.wait_for_runs(2)


@pytest.mark.finds("DM335")
def test_requests_that_are_buffered(mesh: Mesh) -> None:
    assert "keeps requests until the last one has been sent" in said(mesh, "dialogue", "DM335")
    assert mesh.call("dialogue", "hold-ok", timeout=0.3).runs == 0
    for name in ("dialogue-not", "dialogue-no-filter"):
        assert "DM335" not in mesh.ids(name)
        assert mesh.call(name, "hold-ok", timeout=5).code is grpc.StatusCode.OK
    assert "DM335" not in mesh.ids("single")
    assert mesh.call("single").code is grpc.StatusCode.OK


def test_shares_of_calls(mesh: Mesh) -> None:
    tenth, half, rest = mesh.sentences("shares")
    assert tenth == "10 % of calls: 3 s (route), no retries"
    assert half.startswith("45 % of calls: ended after 5 min")
    assert rest == "45 % of calls: 5 s (route), no retries"


def test_several_clusters(mesh: Mesh) -> None:
    assert mesh.sentence("weighted").endswith("no retries, 90 % to plain and 10 % to abort")
    one, other = mesh.sentences("weighted-apart")
    assert one.startswith("75 %, to plain: ")
    assert other.startswith("25 %, to lasting: ")
    assert "at most 60 s for each attempt" in other
    assert "at most" not in one


def test_a_route_for_calls_with_a_header(mesh: Mesh) -> None:
    case = mesh.cases["by-header"]
    assert mesh.sentence("by-header") == "3 s (route), no retries"
    (found,) = [each for each in mesh.examined([case], headers=[("x-urgent", "1")]) if each.check == "rpc"]
    assert found.finding == f"{case.subject}: 1 s (route), no retries"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("plain", "rpcs that ask for nothing: 15 s (Envoy's default), no retries"),
        (
            "by-header",
            "rpcs that ask for nothing: 3 s (route), no retries; 1 other route is for certain calls",
        ),
    ],
)
def test_a_target_of_which_no_rpc_is_known(mesh: Mesh, target: str, said: str) -> None:
    findings = examined(f"{target}:{PORT}", variables=mesh.variables(mesh.cases[target]))
    (found,) = [each for each in findings if each.check == "rpc"]
    assert found.finding == f"{target}:{PORT}: {said}"
    assert (found.status, found.id) == ("ok", None)


def test_a_route_for_calls_of_one_application(mesh: Mesh) -> None:
    case = mesh.cases["by-caller"]
    assert mesh.sentence("by-caller") == "3 s (route), no retries"
    (found,) = [each for each in mesh.examined([case], {"DUBBO_MESH_APP": "shop"}) if each.check == "rpc"]
    assert found.finding == f"{case.subject}: 1 s (route), no retries"


def test_a_policy_for_one_path_of_a_host_with_several_services(mesh: Mesh) -> None:
    assert mesh.sentence("by-path") == "2 s (route), no retries"


def test_headers_that_calls_have_beside_those_of_stubs(mesh: Mesh) -> None:
    """As of an interceptor: a call's own metadata replaces what the stub would send."""
    case = mesh.cases["plain"]
    own = [("x-envoy-upstream-rq-timeout-ms", "200"), ("x-envoy-retry-on", "reset")]
    (found,) = [each for each in mesh.examined([case], headers=own) if each.check == "rpc"]
    assert found.finding == f"{case.subject}: 200 ms (asked, counts), 1 retry on reset (asked, counts)"
    outcome = mesh.call("plain", "slow", metadata=own)
    assert (outcome.code, outcome.details) == (grpc.StatusCode.UNAVAILABLE, "upstream request timeout")
