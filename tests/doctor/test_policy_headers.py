"""Whether a sidecar obeys timeout and retry headers, and whether that matters, held against real calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import ModuleType

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests import sidecars
from tests.calling.echo import EchoStub
from tests.doctor.running import examined, ids
from tests.doctor.upstreams import PORT, service, serving
from tests.sidecars.config import cluster, http_listener

LOOPBACK_RANGES = [{"address_prefix": "127.0.0.0", "prefix_len": 8}]
HEADERS = {"DM301", "DM302", "DM303", "DM304", "DM340"}


class Mesh:
    """An Envoy with a listener for each way of trusting requests, before one server."""

    def __init__(self, server: str, stack: ExitStack) -> None:
        self._addresses: dict[tuple[bool, bool], str] = {}
        for remote in (True, False):
            for internal in (True, False):
                self._addresses[remote, internal] = stack.enter_context(ReservedPort()).address
        listeners = [
            http_listener(
                f"remote-{remote}-internal-{internal}",
                address,
                [service("echo").virtual_host()],
                connection_manager={
                    "use_remote_address": remote,
                    "internal_address_config": {"cidr_ranges": LOOPBACK_RANGES} if internal else None,
                },
            )
            for (remote, internal), address in self._addresses.items()
        ]
        clusters = [cluster("echo", [server])]
        self.envoy = stack.enter_context(sidecars.StaticEnvoy("trust", listeners, clusters))

    def variables(self, remote: bool, internal: bool, forwarded_for: str = "off") -> dict[str, str]:
        return {
            "DUBBO_MESH_EGRESS": self._addresses[remote, internal],
            "DUBBO_MESH_ADMIN": self.envoy.admin_address,
            "DUBBO_MESH_FORWARDED_FOR": forwarded_for,
        }


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack.enter_context(serving()), stack)


@pytest.mark.finds("DM301")
@pytest.mark.finds("DM303")
@pytest.mark.finds("DM304")
@pytest.mark.finds("DM340")
@pytest.mark.parametrize(
    ("remote", "internal", "forwarded_for", "id", "remedy"),
    [
        (True, False, "off", "DM301", "internal_address_config"),
        (True, True, "off", None, ""),
        (True, True, "127.0.0.1", "DM303", "set DUBBO_MESH_FORWARDED_FOR to off"),
        (False, False, "127.0.0.1", "DM301", "internal_address_config"),
        (False, True, "off", "DM304", "set DUBBO_MESH_FORWARDED_FOR to an address"),
        (False, True, "10.0.0.1", "DM340", "add this one"),
        (False, True, "127.0.0.1", None, ""),
    ],
)
def test_what_is_said_is_what_envoy_does(
    mesh: Mesh,
    monkeypatch: pytest.MonkeyPatch,
    remote: bool,
    internal: bool,
    forwarded_for: str,
    id: str | None,
    remedy: str,
) -> None:
    variables = mesh.variables(remote, internal, forwarded_for)
    (finding,) = headers(examined(variables=variables))
    assert finding.id == id
    assert remedy in finding.remedy
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert are_obeyed(mesh, f"{remote}-{internal}-{forwarded_for}") is (id is None)


def are_obeyed(mesh: Mesh, name: str) -> bool:
    """Whether a call is counted under a name that the stub asks for."""
    with EchoStub() as stub:
        stub.unary(StringValue(), timeout=10, envoy=dubbo_mesh.EnvoyHeaders(upstream_alt_stat_name=name))
    return any(name in stat for stat in mesh.envoy.admin.stats("cluster.echo."))


@pytest.mark.parametrize(
    ("asked", "others", "found"),
    [
        (dubbo_mesh.EnvoyHeaders(timeout=3, inherit_timeout=True), [], set[str]()),
        (dubbo_mesh.EnvoyHeaders(inherit_timeout=True, max_retries=1, retry_on="reset"), [], {"DM301"}),
        (dubbo_mesh.EnvoyHeaders(timeout=3), [], {"DM301"}),
        (dubbo_mesh.EnvoyHeaders(timeout=3, inherit_timeout=True), [f"echo:{PORT}"], {"DM301"}),
    ],
)
def test_it_matters_only_if_stubs_send_some(
    mesh: Mesh,
    monkeypatch: pytest.MonkeyPatch,
    asked: dubbo_mesh.EnvoyHeaders,
    others: Sequence[str],
    found: set[str],
) -> None:
    """With policy=routes they do not. Of a target that is no module, it is not known."""
    method = dubbo_mesh.Method("/test.Echo/unary", StringValue, StringValue, envoy=asked)
    module = ModuleType("doctor_headers_mesh")
    described = dubbo_mesh.Service("test.Echo", method, app="echo", port=PORT)
    vars(module)["EchoStub"] = type("EchoStub", (dubbo_mesh.Stub,), {"__mesh__": described})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    findings = examined(module.__name__, *others, variables=mesh.variables(remote=False, internal=False))
    assert ids(findings) & HEADERS == found
    mended = mesh.variables(remote=False, internal=True, forwarded_for="127.0.0.1")
    assert ids(examined(module.__name__, *others, variables=mended)) & HEADERS == set()


def headers(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.check == "headers"]
