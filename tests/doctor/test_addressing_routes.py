"""What the doctor says of rpcs in proxyless mode, and what grpc's own client does with the same routes."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.proxyless.routes import manager_of, routes_of
from tests.addressing.control_plane import ROUTE, TYPES, ControlPlane
from tests.doctor.running import examined, ids

MODULE = """\
import dubbo_mesh
from google.protobuf.wrappers_pb2 import StringValue

class PetsStub(dubbo_mesh.SyncStub):
    __mesh__ = dubbo_mesh.Service(
        "demo.Pets",
        dubbo_mesh.Method("/demo.Pets/Feed", StringValue, StringValue),
        dubbo_mesh.Method("/demo.Pets/Walk", StringValue, StringValue),
        app="{app}",
        namespace="default",
        port=50051,
    )
"""

NUMBERS = itertools.count()


class Pets:
    """Fails all calls, and counts them."""

    def __init__(self) -> None:
        self.runs = 0

    def fail(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        self.runs += 1
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")


@pytest.fixture(scope="module")
def pets() -> Iterator[tuple[Pets, str]]:
    pets = Pets()

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        handler = grpc.unary_unary_rpc_method_handler(pets.fail, bytes, bytes)
        methods = {"Feed": handler, "Walk": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Pets", methods),))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield pets, address
        server.stop(None).wait()


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


class Mesh:
    """A service whose routes a control plane tells."""

    def __init__(self, control_plane: ControlPlane, directory: Path, provider: tuple[Pets, str]) -> None:
        self.pets, address = provider
        self.pets.runs = 0
        self._control_plane = control_plane
        number = next(NUMBERS)
        self._module = f"pets_{number}_mesh"
        self.app = f"pets-{number}"
        (directory / f"{self._module}.py").write_text(MODULE.format(app=self.app))
        self.authority = f"{self.app}.default.svc.cluster.local:50051"
        control_plane.serve(self.authority, [address])
        server = {"server_uri": control_plane.address, "channel_creds": [{"type": "insecure"}]}
        self.variables = {
            "DUBBO_MESH_MODE": "proxyless",
            "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps({"xds_servers": [server], "node": {"id": "test"}}),
        }

    def put(self, url: str, **content: Any) -> None:
        name = self.authority
        self._control_plane._put(url, name, {"name": name, **content})  # pyright: ignore[reportPrivateUsage]

    def route(self, *routes: dict[str, Any], **host: Any) -> None:
        """Replaces the routes; each leads to the provider unless it says something else."""
        whole = [
            {"match": {"prefix": ""}, **each, "route": {"cluster": self.authority, **each.get("route", {})}}
            for each in routes
        ]
        hosts = [{"name": "pets", "domains": [self.authority], "routes": whole, **host}]
        self.put(ROUTE, virtual_hosts=hosts)

    def said(self) -> dict[str, str]:
        """What the doctor says of each rpc."""
        return {
            each.subject.rpartition("/")[2]: each.finding.partition(": ")[2]
            for each in self.findings()
            if each.check == "rpc"
        }

    def findings(self) -> list[Finding]:
        return examined(self._module, variables=self.variables)

    def call(self, rpc: str, timeout: float = 20) -> tuple[str, int]:
        """The status of a call, and how often the handler ran."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in self.variables.items():
                patched.setenv(name, value)
            with (
                importlib.import_module(self._module).PetsStub() as stub,
                pytest.raises(grpc.RpcError) as raised,
            ):
                getattr(stub, rpc)(StringValue(), timeout=timeout)
        return raised.value.code().name, self.pets.runs


@pytest.fixture
def mesh(
    control_plane: ControlPlane, pets: tuple[Pets, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Mesh:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Mesh(control_plane, tmp_path, pets)


@pytest.mark.parametrize(
    ("conditions", "said", "runs"),
    [
        ("connect-failure,unavailable,5xx", "1 retry on unavailable (route)", 2),
        ("5xx,reset", "no retries", 1),
        ("reset, unavailable", "no retries", 1),  # grpc does not know it with a space, as Envoy does
    ],
)
@pytest.mark.parametrize("of", ["route", "virtual host"])
def test_conditions_of_retries(mesh: Mesh, conditions: str, said: str, runs: int, of: str) -> None:
    policy = {"retry_policy": {"retry_on": conditions}}
    if of == "route":
        mesh.route({"route": policy})
    else:
        mesh.route({}, **policy)
    assert mesh.said()["Feed"].endswith(said)
    assert mesh.call("Feed") == ("UNAVAILABLE", runs)


def test_each_rpc_has_its_own_route(mesh: Mesh) -> None:
    retries = {"retry_policy": {"retry_on": "unavailable", "num_retries": 1}}
    mesh.route({"match": {"path": "/demo.Pets/Walk"}, "route": retries}, {})
    said = mesh.said()
    assert said["Feed"].endswith("no retries")
    assert said["Walk"].endswith("1 retry on unavailable (route)")
    assert mesh.call("Feed")[1] == 1
    mesh.pets.runs = 0
    assert mesh.call("Walk")[1] == 2


@pytest.mark.finds("DM138")
def test_an_rpc_that_no_route_matches(mesh: Mesh) -> None:
    mesh.route({"match": {"prefix": "/demo.Pets/W"}})
    findings = mesh.findings()
    assert [each.subject for each in findings if each.id == "DM138"] == ["demo.Pets/Feed"]
    assert mesh.call("Feed") == ("UNAVAILABLE", 0)
    assert mesh.call("Walk")[1] == 1
    mesh.route({})
    assert "DM138" not in ids(mesh.findings())


def test_messages_are_read_as_their_own_modules_read_them() -> None:
    condition = {"name": "x", "string_match": {"prefix": "a", "ignore_case": True}}
    numbers = {"name": "n", "range_match": {"start": "-3", "end": "7"}, "invert_match": True}
    match = {
        "safe_regex": {"regex": "/a.*"},
        "case_sensitive": False,
        "headers": [condition, numbers, {"name": "p", "present_match": True}],
        "runtime_fraction": {"default_value": {"numerator": 5, "denominator": "TEN_THOUSAND"}},
    }
    action = {
        "weighted_clusters": {"clusters": [{"name": "one", "weight": 1}, {"name": "two", "weight": 300}]},
        "retry_policy": {"retry_on": "unavailable", "num_retries": 0},
        "max_stream_duration": {"max_stream_duration": "1.500000001s"},
    }
    routes = [
        {"name": "r", "match": match, "route": action},
        {"match": {"path": "/b"}, "route": {"cluster": "c"}},
    ]
    whole = {"name": "all", "virtual_hosts": [{"name": "h", "domains": ["a", "*"], "routes": routes}]}
    message: Any = json_format.ParseDict(whole, TYPES[ROUTE]())
    read = routes_of(message.SerializeToString())
    assert json_format.ParseDict(dict(read), TYPES[ROUTE]()) == message


@pytest.mark.parametrize("content", [b"\xff", b"\x9a\x01\x02\x0a\x7f"])
def test_what_is_malformed_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"integer|message"):
        manager_of(content)
