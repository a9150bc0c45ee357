"""A server to call, and calls through a sidecar by the names of services."""

from __future__ import annotations

import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from tests import sidecars
from tests.calling.echo import EchoServicer
from tests.doctor.running import examined
from tests.sidecars.config import Json, merged, socket_address

PORT = 50051
NOBODY = "127.0.0.1:1"
"""An address where nothing listens: the port is privileged."""

LEAVING = "leaving"
"""What a server is asked for, to answer as one whose sidecar was told to be failing does."""

INTERNAL: Json = {
    "use_remote_address": True,
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
}
"""Of a connection manager: headers of calls from this machine count."""


class Answering(EchoServicer):
    """Sends back what it gets."""

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        if request.value == LEAVING:
            context.send_initial_metadata((("x-envoy-immediate-health-check-fail", "true"),))
        return request


@contextmanager
def serving() -> Generator[str]:
    """A server, as `ip:port`."""
    with dubbo_mesh.Server(
        Answering(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0, grace=0
    ) as server:
        yield f"127.0.0.1:{server.ports[0]}"


@contextmanager
def silent() -> Generator[str]:
    """An address where connections are accepted, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def call(egress: str, app: str, value: str = "", *, wait: bool = True) -> str:
    """Calls a service through a sidecar.

    Args:
        egress: the address of the sidecar's listener.
        app: the service.
        value: what it is asked.
        wait: whether to wait for a connection.

    Returns:
        `OK`, or the code and the details.
    """
    host = f"{app}.default.svc.cluster.local:{PORT}"
    options = (("grpc.default_authority", host), ("grpc.enable_http_proxy", 0))
    with grpc.insecure_channel(egress, options) as channel:
        rpc: Any = channel.unary_unary(
            "/test.Echo/unary",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        try:
            rpc(StringValue(value=value), timeout=5, wait_for_ready=wait)
        except grpc.RpcError as error:
            ended: Any = error
            return f"{ended.code().name}: {ended.details()}"
    return "OK"


def doctor(sidecar: sidecars.Sidecar, *apps: str, **options: Any) -> list[Finding]:
    """What the doctor finds for services that are called through a sidecar."""
    variables = {"DUBBO_MESH_EGRESS": sidecar.egress, "DUBBO_MESH_ADMIN": sidecar.admin_address}
    return examined(*(f"{app}:{PORT}" for app in apps), variables=variables, **options)


def bad(findings: list[Finding]) -> set[str | None]:
    """The ids of errors and warnings."""
    return {each.id for each in findings if each.status in ("failed", "warning")}


def service(app: str, *endpoints: str, **cluster: Any) -> sidecars.MeshService:
    """A service without health checks, with these fields of its cluster; None removes one."""
    return sidecars.MeshService(app, PORT, endpoints, timeout=0, health_check=None, cluster=cluster)


def hosts(*endpoints: str, **fields: Any) -> Json:
    """The `load_assignment` of a cluster, with fields of each `LbEndpoint`."""
    each = [{"endpoint": {"address": socket_address(endpoint)}, **fields} for endpoint in endpoints]
    return {"cluster_name": "any", "endpoints": [{"lb_endpoints": each}]}


def checks(**over: Any) -> list[Json]:
    """Health checks that are fast; None removes a field."""
    base = {
        "timeout": "1s",
        "interval": "0.1s",
        "no_traffic_interval": "0.1s",
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
    }
    return [merged(base, over)]


def with_rpc(app: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a generated module with the service `test.Echo` of an app."""
    rpc = dubbo_mesh.Method("/test.Echo/unary", StringValue, StringValue)
    name = f"{app.replace('-', '_')}_mesh"
    module: Any = ModuleType(name)
    declared = {"__mesh__": dubbo_mesh.Service("test.Echo", rpc, app=app, port=PORT)}
    module.EchoStub = type("EchoStub", (dubbo_mesh.Stub,), declared)
    monkeypatch.setitem(sys.modules, name, module)
    return name
