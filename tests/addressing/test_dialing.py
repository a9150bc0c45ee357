"""An explicit egress listener, direct mode, explicit addresses; and what the environment must not change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from dubbo_mesh import ConfigurationError, Environment, Target
from tests import sidecars
from tests.addressing.conftest import Mesh
from tests.addressing.providers import FAIL, Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub

Call = Callable[..., str]


def sync_call(target: Target | str | None = None) -> str:
    with EchoStub(target=target) as stub:
        return stub.unary(StringValue(), timeout=5).value


def async_call(target: Target | str | None = None) -> str:
    async def call() -> str:
        async with EchoAsyncStub(target=target) as stub:
            return (await stub.unary(StringValue(), timeout=5)).value

    return asyncio.run(call())


both = pytest.mark.parametrize("call", [sync_call, async_call])


@both
def test_an_egress_listener_is_dialled_with_the_mesh_name_as_authority(egress: Mesh, call: Call) -> None:
    assert call() == "provider"
    assert call(Target("echo", port=50051)) == "provider"
    authorities = [entry["authority"] for entry in egress.sidecar.egress_log.wait_for(2)]
    assert authorities == ["echo.default.svc.cluster.local:50051"] * 2


@both
def test_direct_mode_dials_the_apps_address(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Provider("echo")) as echo, serving(Provider("other")) as other:
        monkeypatch.setenv("DUBBO_MESH_MODE", "direct")
        monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={echo.address},other={other.address}")
        # Not the sidecar's: the mode decides.
        monkeypatch.setenv("DUBBO_MESH_EGRESS", "127.0.0.1:1")
        assert call() == "echo"
        assert call(Target("other")) == "other"
        with pytest.raises(ConfigurationError, match="DUBBO_MESH_DIRECT has no address for app 'unknown'"):
            call(Target("unknown"))


@both
@pytest.mark.parametrize("mode", ["sidecar", "direct", "proxyless"])
def test_an_explicit_address_wins_over_every_mode(
    mode: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", mode)
    monkeypatch.setenv("DUBBO_MESH_EGRESS", "127.0.0.1:1")
    with serving(Provider("explicit")) as provider:
        for form in ("{}", "ipv4:{}", "http://{}", "HTTP://{}/", "tri://{}"):
            assert call(form.format(provider.address)) == "explicit"


def test_an_ipv6_address_keeps_its_brackets() -> None:
    with serving(Provider("explicit"), address="[::1]:0") as provider:
        assert sync_call(f"http://{provider.address}") == "explicit"
        assert sync_call(provider.address) == "explicit"


@pytest.mark.parametrize(
    ("target", "match"),
    [
        ("", "target is empty"),
        ("http://", "scheme://host:port"),
        ("http://127.0.0.1:1/test.Echo", "scheme://host:port"),
        ("tri://127.0.0.1:1?timeout=3000", "scheme://host:port"),
        ("http://me@127.0.0.1:1", "scheme://host:port"),
        ("http://127.0.0.1:70000", "[Pp]ort"),
    ],
)
@both
def test_what_is_no_address_is_refused_when_the_stub_is_made(call: Call, target: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call(target)


def test_a_url_without_a_port_has_its_schemes(monkeypatch: pytest.MonkeyPatch) -> None:
    from dubbo_mesh._addressing.dialing import dial

    environment = Environment()
    assert dial("http://example.test", environment).address == "example.test:80"
    assert dial("https://example.test", environment).address == "example.test:443"
    assert dial("tri://example.test", environment).address == "example.test:50051"


def test_a_service_without_app_needs_a_target() -> None:
    class Nameless(EchoStub):
        __mesh__ = dubbo_mesh.Service("test.Echo", *EchoStub.__mesh__.methods.values())

    with pytest.raises(ConfigurationError, match=r"test\.Echo"):
        Nameless()
    with serving(Provider("explicit")) as provider, Nameless(target=provider.address) as stub:
        assert stub.unary(StringValue(), timeout=5).value == "explicit"


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
@pytest.mark.parametrize("mode", ["sidecar", "direct"])
def test_no_mesh_address_is_sought_through_a_proxy(
    egress: Mesh, mode: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", mode)
    monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={egress.provider.address}")
    with localmesh.ReservedPort() as nobody:
        monkeypatch.setenv(variable, f"http://{nobody.address}")
        assert sync_call() == "provider"
        assert async_call() == "provider"
        # The twin: grpc's own channel, to the same address, goes through the proxy.
        with grpc.insecure_channel(egress.sidecar.egress) as channel, pytest.raises(grpc.RpcError) as raised:
            EchoStub(channel).unary(StringValue(), timeout=5)
        assert nobody.address in str(raised.value.details())


RETRYING = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.01s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


def test_retries_are_the_sidecars_unless_the_caller_brings_a_service_config(egress: Mesh) -> None:
    def attempts(stub: EchoStub) -> int:
        egress.provider.ran.clear()
        with stub, pytest.raises(grpc.RpcError, match="as asked"):
            stub.unary(FAIL, timeout=5)
        return egress.provider.ran.total()

    assert attempts(EchoStub()) == 1
    assert attempts(EchoStub(options=[("grpc.service_config", RETRYING)])) == 3


def test_a_sidecar_that_drains_loses_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draining, Envoy sends GOAWAY again and again; what it refuses unseen, grpc sends once more."""
    workers, calls = 8, 50
    with serving(Provider("provider")) as provider:
        service = sidecars.MeshService("echo", 50051, [provider.address], health_check=None)
        draining = sidecars.Egress([service], listener={"drain_type": "DEFAULT"})
        with sidecars.Sidecar("sidecar", egress=draining, directory=tmp_path / "sidecar") as sidecar:
            monkeypatch.setenv("DUBBO_MESH_EGRESS", sidecar.egress)
            sidecar.admin.fail_health_check()

            def work(stub: EchoStub, worker: int) -> None:
                for call in range(calls):
                    stub.unary(StringValue(value=f"{worker}-{call}"), timeout=20)

            with EchoStub() as stub, ThreadPoolExecutor(workers) as pool:
                for working in [pool.submit(work, stub, worker) for worker in range(workers)]:
                    working.result()
            assert sidecar.admin.stat("http.egress.downstream_cx_total") > 10
        assert len(provider.ran) == workers * calls
        assert set(provider.ran.values()) == {1}


def test_a_callers_channel_option_takes_the_place_of_ours(egress: Mesh) -> None:
    with EchoStub(options=[("grpc.default_authority", "echo.default.svc.cluster.local")]) as stub:
        stub.unary(StringValue(), timeout=5)
    (entry,) = egress.sidecar.egress_log.wait_for(1)
    assert entry["authority"] == "echo.default.svc.cluster.local"
