"""Calls on trial, through real Envoys: how long they take, and whose answer they get."""

from __future__ import annotations

import json
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import wrappers_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from dubbo_mesh.__main__ import parser
from dubbo_mesh._doctor.catalogue import CATALOGUE
from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.serving.replies import MEANINGS
from tests import sidecars
from tests.addressing.control_plane import ControlPlane
from tests.doctor.running import examined, ids
from tests.sidecars import config

NAME = "trial.Trial"
LEVELS = {"get": 1, "put": 2, "add": 0, "watch": 1, "upload": 2, "chat": 2, "wait": 1, "late": 1, "hold": 1}
"""The idempotency_level of each rpc: 1 is NO_SIDE_EFFECTS, 2 is IDEMPOTENT."""


def descriptor() -> Any:
    """The file of the service."""
    file = FileDescriptorProto(name="trial.proto", package="trial", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    service = file.service.add(name="Trial")
    value = ".google.protobuf.StringValue"
    for name, level in {**LEVELS, "missing": 1}.items():
        method = service.method.add(name=name, input_type=value, output_type=value)
        method.options.MergeFrom(MethodOptions.FromString(bytes((0x90, 0x02, level))))
    pool = DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool.FindFileByName(file.name)


def service(app: str, *more: dubbo_mesh.Method) -> dubbo_mesh.Service:
    def method(name: str, **options: Any) -> dubbo_mesh.Method:
        return dubbo_mesh.Method(f"/{NAME}/{name}", StringValue, StringValue, **options)

    return dubbo_mesh.Service(
        NAME,
        method("get"),
        method("put"),
        method("add"),
        method("watch", server_streaming=True),
        method("upload", client_streaming=True),
        method("chat", client_streaming=True, server_streaming=True),
        method("wait"),
        method("hold"),
        method("late", envoy=dubbo_mesh.EnvoyHeaders(timeout=0.1)),
        *more,
        app=app,
        port=50051,
        descriptor=descriptor(),
    )


class Trial(dubbo_mesh.Servicer):
    __mesh__ = service("ok")

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.over = threading.Event()

    def get(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.runs.append("get")
        metadata = dict(context.invocation_metadata())
        if "code" in metadata:
            context.abort(getattr(grpc.StatusCode, str(metadata["code"])), str(metadata.get("text", "")))
        return request

    def put(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.runs.append("put")
        raise ValueError("of an empty request")

    def add(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.runs.append("add")
        return request

    def watch(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        self.runs.append("watch")
        yield request
        while context.is_active():
            self.over.wait(0.01)

    def upload(self, requests: Iterator[StringValue], context: grpc.ServicerContext) -> StringValue:
        self.runs.append(f"upload of {len(list(requests))}")
        return StringValue()

    def chat(self, requests: Iterator[StringValue], context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield from requests

    def wait(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.over.wait(0.3)
        return request

    late = wait

    def hold(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        while context.is_active():
            self.over.wait(0.01)
        return request


class Mesh:
    """A provider, and the sidecar of its consumer with a virtual host for each fault.

    Attributes:
        servicer: of the provider.
        server: of the provider, which listens at `address`.
        consumer: the sidecar.
    """

    def __init__(self, servicer: Trial, server: dubbo_mesh.Server, consumer: sidecars.Sidecar) -> None:
        self.servicer = servicer
        self.address = f"127.0.0.1:{server.ports[0]}"
        self.consumer = consumer
        self.variables = {
            "DUBBO_MESH_EGRESS": consumer.egress,
            "DUBBO_MESH_ADMIN": consumer.admin_address,
            "DUBBO_MESH_PROBES": "off",
        }

    @property
    def blind(self) -> dict[str, str]:
        """The variables without the admin endpoint: nothing is known of hosts to compare with."""
        return self.variables | {"DUBBO_MESH_ADMIN": "off"}

    def call(self, rpc: str, app: str = "ok", **options: Any) -> list[Finding]:
        """The findings about a call of an rpc."""
        given: dict[str, Any] = {"calls": [f"{NAME}/{rpc}"], "variables": self.variables, **options}
        return [each for each in examined(module_of(app), **given) if each.check == "call"]


def module_of(app: str) -> str:
    """The name of a module with the service, as the plugin would generate it for the app."""
    name = f"trial_{app}_mesh"
    if name not in sys.modules:
        module = types.ModuleType(name)

        class TrialStub(dubbo_mesh.Stub[Any]):
            missing = dubbo_mesh.Method(f"/{NAME}/missing", StringValue, StringValue)
            __mesh__ = service(app, missing)

        vars(module)["TrialStub"] = TrialStub
        sys.modules[name] = module
    return name


HTTP_1: dict[str, Any] = {"http2_protocol_options": None, "http_protocol_options": {}}
FILTERS = "envoy.extensions.filters.http"
ANYBODY = {"permissions": [{"any": True}], "principals": [{"any": True}]}
ALWAYS = {"default_value": {"numerator": 100}}


def own_filter(kind: str, message: str, **fields: Any) -> dict[str, Any]:
    """A route's own configuration of a filter."""
    return {
        "typed_per_filter_config": {
            f"envoy.filters.http.{kind}": config.typed(f"{FILTERS}.{kind}.v3.{message}", **fields)
        }
    }


def faults(provider: str, nobody: str, behind: str) -> Iterator[sidecars.MeshService]:
    """Virtual hosts, each of which lets calls down in its own way.

    Args:
        provider: The address of the provider.
        nobody: One where nobody listens.
        behind: That of the provider's own sidecar.
    """

    def fault(app: str, *endpoints: str, **options: Any) -> sidecars.MeshService:
        hosts = endpoints or (provider,)
        return sidecars.MeshService(app, 50051, hosts, health_check=None, **options)

    def answering(**answer: Any) -> dict[str, Any]:
        return {"route": {"route": None, **answer}}

    yield fault("ok", timeout=0)
    yield fault("behind", behind)
    yield sidecars.MeshService("empty", 50051, [], health_check=None)
    yield fault("refused", nobody)
    yield fault("slow", timeout=0.05)
    yield fault("lasting", route_action={"max_stream_duration": {"max_stream_duration": "0.05s"}})
    yield fault("silent", route_action={"idle_timeout": "0.05s"})
    yield fault(
        "ancient",
        cluster={"typed_extension_protocol_options": {config.HTTP_OPTIONS: {"explicit_http_config": HTTP_1}}},
    )
    yield fault("nowhere", route_action={"cluster": "missing"})
    yield fault("unrouted", route={"match": {"prefix": "/else"}})
    yield fault("answered", **answering(direct_response={"status": 503}))
    yield fault("redirected", **answering(redirect={"https_redirect": True}))
    yield fault("full", cluster={"circuit_breakers": {"thresholds": [{"max_requests": 0}]}})
    abort = {"grpc_status": 14, "percentage": {"numerator": 100}}
    yield fault("injected", route=own_filter("fault", "HTTPFault", abort=abort))
    rules = {"rules": {"action": "DENY", "policies": {"nobody": ANYBODY}}}
    yield fault("forbidden", route=own_filter("rbac", "RBACPerRoute", rbac=rules))
    bucket = {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"}
    limit = {"token_bucket": bucket, "filter_enabled": ALWAYS, "filter_enforced": ALWAYS}
    yield fault("limited", route=own_filter("local_ratelimit", "LocalRateLimit", stat_prefix="x", **limit))


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    servicer = Trial()
    given: dict[str, Any] = {"address": "127.0.0.1:0", "sidecar": "off", "probes": "off", "drain": 0}
    filters = [
        {"name": "envoy.filters.http.fault", "typed_config": config.typed(f"{FILTERS}.fault.v3.HTTPFault")},
        {"name": "envoy.filters.http.rbac", "typed_config": config.typed(f"{FILTERS}.rbac.v3.RBAC")},
        {
            "name": "envoy.filters.http.local_ratelimit",
            "typed_config": config.typed(
                f"{FILTERS}.local_ratelimit.v3.LocalRateLimit", stat_prefix="default"
            ),
        },
    ]
    with dubbo_mesh.Server(servicer, **given) as server, localmesh.ReservedPort() as nobody:
        address = f"127.0.0.1:{server.ports[0]}"
        ingress = sidecars.Ingress(address, http_filters=filters[1:2], connection_manager=DENYING)
        with sidecars.Sidecar("provider", ingress=ingress) as provider:
            services = list(faults(address, nobody.address, provider.ingress))
            egress = sidecars.Egress(
                services,
                http_filters=filters,
                connection_manager={"route_config": {"validate_clusters": False}},
            )
            with sidecars.Sidecar("consumer", egress=egress) as consumer:
                yield Mesh(servicer, server, consumer)
        servicer.over.set()


DENYING = {
    "route_config": {
        "virtual_hosts": [
            {
                "name": "app",
                "domains": ["*"],
                "routes": [
                    {
                        "match": {"prefix": "/"},
                        "route": {"cluster": "app", "timeout": "0s"},
                        **own_filter(
                            "rbac",
                            "RBACPerRoute",
                            rbac={"rules": {"action": "DENY", "policies": {"nobody": ANYBODY}}},
                        ),
                    }
                ],
            }
        ]
    }
}
"""The provider's sidecar lets nobody in."""


class TestAnIdempotentRpc:
    def test_is_called_through_the_sidecar_and_past_it(self, mesh: Mesh) -> None:
        mesh.servicer.runs.clear()
        through, past = mesh.call("get")
        assert (through.status, past.status) == ("ok", "ok")
        assert through.finding.startswith(f"{NAME}/get: OK through the sidecar, in ")
        assert "(median of 4; " in through.finding
        assert "the provider took" in through.finding
        assert past.finding.startswith(
            f"{NAME}/get: OK past the sidecar, at a host of its cluster, {mesh.address}, in "
        )
        assert mesh.servicer.runs == ["get"] * 10

    def test_is_called_at_the_server_that_is_named(self, mesh: Mesh) -> None:
        named = mesh.call("get", server=mesh.address)
        assert f"at the server itself, {mesh.address}" in named[1].finding
        others = mesh.call("get", server=mesh.address, variables=mesh.variables | {"DUBBO_MESH_APP": "shop"})
        assert "at a host of its cluster" in others[1].finding
        own = mesh.call("get", server=mesh.address, variables=mesh.variables | {"DUBBO_MESH_APP": "ok"})
        assert [each.status for each in own] == ["ok"]
        assert own[0].finding.startswith(f"{NAME}/get: OK at the server itself, {mesh.address}, in ")
        with localmesh.ReservedPort() as nobody:
            own = mesh.call("get", server=nobody.address, variables={"DUBBO_MESH_APP": "ok"})
        assert [each.status for each in own] == ["skipped"]

    def test_is_called_as_the_mode_says(self, mesh: Mesh) -> None:
        direct = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"ok={mesh.address}"}
        (finding,) = mesh.call("get", variables=direct)
        assert finding.finding.startswith(f"{NAME}/get: OK at {mesh.address}, in ")

    def test_is_called_where_grpc_itself_finds_the_provider(self, mesh: Mesh) -> None:
        with ControlPlane() as control_plane, localmesh.ReservedPort() as nobody:
            control_plane.serve("ok.default.svc.cluster.local:50051", [mesh.address])
            control_plane.serve("refused.default.svc.cluster.local:50051", [nobody.address])
            channel = {"server_uri": control_plane.address, "channel_creds": [{"type": "insecure"}]}
            bootstrap = {"xds_servers": [channel | {"server_features": ["xds_v3"]}], "node": {"id": "trial"}}
            proxyless = {"GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(bootstrap), "DUBBO_MESH_MODE": "proxyless"}
            (well,) = mesh.call("get", variables=proxyless)
            (refused,) = mesh.call("get", "refused", variables=proxyless)
        assert well.finding.startswith(f"{NAME}/get: OK at xds:///ok.default.svc.cluster.local:50051, in ")
        assert refused.id == "DM452"

    def test_has_the_headers_that_are_named(self, mesh: Mesh) -> None:
        mesh.call("get", headers=[("x-request-id", "trial-of-headers"), ("data-bin", "x")])
        log = mesh.consumer.egress_log
        assert log.wait_for(1, lambda entry: entry["request_id"] == "trial-of-headers")

    def test_whose_provider_is_nowhere_else(self, mesh: Mesh) -> None:
        """Past the sidecar there is nothing, but the sidecar's answer stands."""
        findings = mesh.call("get", "empty")
        assert [each.status for each in findings] == ["failed", "skipped"]

    @pytest.mark.parametrize(
        ("rpc", "seen"),
        [("watch", "the first response"), ("upload", "OK"), ("chat", "OK")],
    )
    def test_may_stream(self, mesh: Mesh, rpc: str, seen: str) -> None:
        mesh.servicer.runs.clear()
        findings = mesh.call(rpc)
        assert [each.status for each in findings] == ["ok", "ok"]
        assert all(each.finding.startswith(f"{NAME}/{rpc}: {seen} ") for each in findings)
        assert set(mesh.servicer.runs) <= {"watch", "upload of 0"}

    @pytest.mark.parametrize(
        "code", ["INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED", "PERMISSION_DENIED"]
    )
    def test_may_refuse_an_empty_request(self, mesh: Mesh, code: str) -> None:
        findings = mesh.call("get", headers=[("code", code), ("text", "no such thing")])
        assert [each.status for each in findings] == ["ok", "ok"]
        assert f"the provider answers {code} “no such thing” through the sidecar" in findings[0].finding


class TestAnRpcThatIsNotIdempotent:
    def test_is_not_called(self, mesh: Mesh) -> None:
        mesh.servicer.runs.clear()
        (finding,) = mesh.call("add")
        assert finding.status == "skipped"
        assert "--call-anyway" in finding.remedy
        assert mesh.servicer.runs == []

    def test_is_called_once_if_asked_for(self, mesh: Mesh) -> None:
        mesh.servicer.runs.clear()
        (finding,) = mesh.call("add", call_anyway=True, server=mesh.address)
        assert finding.status == "ok"
        assert "(one call, connecting included)" in finding.finding
        assert mesh.servicer.runs == ["add"]

    def test_is_one_of_which_nothing_is_known(self, mesh: Mesh) -> None:
        """As with modules for version 1 of the API whose file is not in protobuf's default pool."""
        module = types.ModuleType("trial_old_mesh")
        old = dubbo_mesh.Service(
            "trial.Old", dubbo_mesh.Method("/trial.Old/get", StringValue, StringValue), app="ok", port=50051
        )
        vars(module)["OldStub"] = type("OldStub", (dubbo_mesh.Stub,), {"__mesh__": old})
        sys.modules[module.__name__] = module
        findings = examined(module.__name__, variables=mesh.variables, calls=["trial.Old/get"])
        assert [each.status for each in findings if each.check == "call"] == ["skipped"]


@pytest.mark.finds("DM456")
@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("trial.Trail/get", "no target has the service trial.Trail: did you mean trial.Trial?"),
        ("trial.Trial/gets", "has no rpc gets: did you mean get?"),
        ("trial.Trial", "no target has the service"),
        ("trial.Trial/", "has no rpc "),
        ("get", "no target has the service"),
    ],
)
def test_what_is_no_rpc(mesh: Mesh, given: str, seen: str) -> None:
    (finding,) = mesh.call("get", calls=[given])
    assert finding.id == "DM456"
    assert seen in finding.finding


@pytest.mark.finds("DM456")
def test_calls_without_a_service_or_with_impossible_headers(mesh: Mesh) -> None:
    findings = examined("ok.default:50051", variables=mesh.variables, calls=["trial.Trial/get"])
    assert "DM456" in ids(findings)
    assert ids(mesh.call("get", headers=[("x y", "z")])) == {"DM456"}
    assert ids(mesh.call("get", headers=[("x", "ü")])) == {"DM456"}
    assert ids(mesh.call("get", calls=["/trial.Trial/get"])) == set()


@pytest.mark.finds("DM451")
@pytest.mark.parametrize(
    ("app", "rpc", "seen"),
    [
        ("empty", "get", "UNAVAILABLE “no healthy upstream”"),
        ("refused", "get", "it cannot connect to the provider (DM241, DM248)"),
        ("slow", "wait", "the timeout of its route is over (DM306"),
        ("silent", "wait", "nothing was sent for long (DM312)"),
        ("ancient", "get", "the provider does not speak its version of HTTP (DM211, DM249)"),
        (
            "nowhere",
            "get",
            "its route names no cluster that exists, or answers calls",
        ),
        ("unrouted", "get", "it has no route for the call (DM206, DM207)"),
        ("elsewhere", "get", "it has no route for the call (DM206, DM207)"),
        ("answered", "get", "(DM208, DM209)"),
        ("redirected", "get", "its route redirects calls (DM208)"),
        ("full", "get", "a circuit breaker is full (DM224)"),
        ("injected", "get", "faults are injected (DM330)"),
        ("limited", "get", "the rate of calls is limited (DM331)"),
    ],
)
def test_what_the_sidecar_answers_by_itself(mesh: Mesh, app: str, rpc: str, seen: str) -> None:
    through, *_ = mesh.call(rpc, app, variables=mesh.blind)
    assert through.id == "DM451", through
    assert seen in through.finding
    assert "from the first Envoy on the way" in through.finding


def test_it_is_compared_with_what_the_provider_answers(mesh: Mesh) -> None:
    through, past = mesh.call("get", "injected")
    assert through.id == "DM451"
    assert through.finding.endswith(f"; past the sidecar, at a host of its cluster, {mesh.address}: OK")
    assert past.status == "ok"


@pytest.mark.finds("DM455")
@pytest.mark.finds("DM458")
def test_policies(mesh: Mesh) -> None:
    assert ids(mesh.call("get", "forbidden")) == {"DM455"}
    (through, _) = mesh.call("get", "behind")
    assert through.id == "DM455"
    assert "another Envoy, such as the provider's sidecar" in through.finding
    with localmesh.ReservedPort() as nobody, sidecars.Sidecar("broken", ingress=nobody.address) as provider:
        broken = sidecars.MeshService("ok", 50051, [provider.ingress], health_check=None)
        with sidecars.Sidecar("consumer", egress=[broken]) as consumer:
            given = {"DUBBO_MESH_EGRESS": consumer.egress, "DUBBO_MESH_ADMIN": "off"}
            (through, _) = mesh.call("get", variables=given)
    assert through.id == "DM458"
    assert "it cannot connect to the provider" in through.finding


def test_nothing_is_called_where_files_stand_for_the_sidecar(mesh: Mesh, tmp_path: Path) -> None:
    mesh.servicer.runs.clear()
    dump = tmp_path / "dump.json"
    dump.write_text(mesh.consumer.admin.get("/config_dump"))
    (finding,) = mesh.call("get", config_dumps=[dump])
    assert finding.status == "skipped"
    assert mesh.servicer.runs == []


def test_what_may_not_be_repeated_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["doctor", "--call=trial.Trial/add", "--call-anyway", "--wait=10"])
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.finds("DM450")
def test_an_rpc_that_is_not_served(mesh: Mesh) -> None:
    through, past = mesh.call("missing")
    assert through.id == "DM450"
    assert "from the provider" in through.finding
    assert past.status == "skipped"
    direct = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"ok={mesh.address}"}
    assert ids(mesh.call("missing", variables=direct)) == {"DM450"}


@pytest.mark.finds("DM457")
def test_a_handler_that_fails(mesh: Mesh) -> None:
    mesh.servicer.runs.clear()
    through, past = mesh.call("put")
    assert through.id == "DM457"
    assert past.status == "skipped"
    assert mesh.servicer.runs == ["put"] * 2  # not again once it has failed


@pytest.mark.finds("DM453")
def test_no_answer(mesh: Mesh) -> None:
    """The stub's deadline holds, and the time for all checks."""
    through, past = mesh.call("late")
    assert through.id == "DM453"
    assert "DEADLINE_EXCEEDED" in through.finding
    assert past.status == "skipped"
    assert "sooner" not in through.finding


@pytest.mark.finds("DM453")
def test_one_call_leaves_time_for_the_other(mesh: Mesh) -> None:
    """The first one is past the sidecar, and gets no answer."""
    (through, past) = mesh.call("hold", timeout=1.5)
    assert through.id == "DM453"
    assert past.status == "skipped"


@pytest.mark.finds("DM453")
def test_a_deadline_that_is_made_shorter_on_the_way(mesh: Mesh) -> None:
    """Envoy tells the provider of its max_stream_duration: whoever is first answers."""
    (through, _) = mesh.call("wait", "lasting", variables=mesh.blind)
    if through.id == "DM453":
        assert "sooner than the call's own deadline of 5 s (DM310, DM314)" in through.finding
    else:
        assert through.id == "DM451"
        assert "its max_stream_duration is over (DM314)" in through.finding


@pytest.mark.finds("DM452")
def test_no_connection(mesh: Mesh) -> None:
    with localmesh.ReservedPort() as nobody:
        given = mesh.variables | {"DUBBO_MESH_EGRESS": nobody.address}
        findings = mesh.call("get", variables=given)
        assert ids(findings) == {"DM452"}
        direct = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"ok={nobody.address}"}
        assert ids(mesh.call("get", variables=direct)) == {"DM452"}


def test_a_provider_that_talks_like_an_envoy(mesh: Mesh) -> None:
    (through, *_) = mesh.call(
        "get", headers=[("code", "UNAVAILABLE"), ("text", "my request timeout is over")]
    )
    assert through.id == "DM457"


def test_texts_lead_to_findings() -> None:
    assert {id for meaning in MEANINGS for id in meaning.ids} <= CATALOGUE.keys()
