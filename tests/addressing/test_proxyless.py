"""Proxyless mode: grpc's own xDS client, and a real control plane."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from dubbo_mesh import ConfigurationError, Target
from tests.addressing.control_plane import ControlPlane
from tests.addressing.load import Kind, Load
from tests.addressing.providers import HOLD, Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.sidecars.config import typed


@pytest.fixture(autouse=True)
def proxyless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", "proxyless")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_endpoints_change_while_calls_go_on_and_none_fails(
    kind: Kind, control_plane: ControlPlane, target: Target
) -> None:
    with ExitStack() as stack:
        first, second, third = providers = [
            stack.enter_context(serving(Provider(name))) for name in ("first", "second", "third")
        ]
        control_plane.serve(target.authority, [first.address])
        with Load(target).running(kind) as load:
            load.wait_for("first")
            control_plane.move(target.authority, [first.address, second.address])
            load.wait_for("first", "second")
            control_plane.move(target.authority, [third.address])
            load.wait_for("third")
            control_plane.wait_accepted()
    assert not load.failures
    ran = sum((each.ran for each in providers), Counter[str]())
    assert len(ran) == len(load.outcomes)
    assert set(ran.values()) == {1}


def test_a_stream_outlives_its_endpoint_being_taken_out(control_plane: ControlPlane, target: Target) -> None:
    with serving(Provider("old")) as old, serving(Provider("new")) as new:
        control_plane.serve(target.authority, [old.address])
        with EchoStub(target=target) as stub:
            stream = stub.serverStream(HOLD, timeout=10)
            assert next(stream).value == "old"
            control_plane.move(target.authority, [new.address])
            localmesh.wait_until(
                lambda: stub.unary(StringValue(), timeout=5).value == "new",
                what="calls go to the new provider",
            )
            old.release.set()
            assert [each.value for each in stream] == ["old"]


def test_the_provider_is_not_sought_through_a_proxy(
    control_plane: ControlPlane, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    with localmesh.ReservedPort() as nobody, serving(Provider("provider"), address="127.0.0.2:0") as provider:
        control_plane.serve(target.authority, [provider.address])
        monkeypatch.setenv("http_proxy", f"http://{nobody.address}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")  # where the control plane is: grpc dials that by itself
        with EchoStub(target=target) as stub:
            assert stub.unary(StringValue(), timeout=5).value == "provider"
        # The twin: grpc's own channel to the same name goes through the proxy.
        with grpc.insecure_channel(f"xds:///{target.authority}") as channel:
            with pytest.raises(grpc.RpcError) as raised:
                EchoStub(channel).unary(StringValue(), timeout=5)
            assert nobody.address in (raised.value.details() or "")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_control_plane_decides_about_mutual_tls(
    kind: str, control_plane: ControlPlane, target: Target, tmp_path: Path
) -> None:
    authority = trustme.CA()
    workload = authority.issue_cert("provider.test", common_name="workload")
    files = {
        "certificate_file": tmp_path / "cert.pem",
        "private_key_file": tmp_path / "key.pem",
        "ca_certificate_file": tmp_path / "ca.pem",
    }
    workload.cert_chain_pems[0].write_to_path(files["certificate_file"])
    workload.private_key_pem.write_to_path(files["private_key_file"])
    authority.cert_pem.write_to_path(files["ca_certificate_file"])
    watcher = {"plugin_name": "file_watcher", "config": {name: str(file) for name, file in files.items()}}
    control_plane.bootstrap(tmp_path / "bootstrap.json", certificate_providers={"workload": watcher})
    from_watcher = {"instance_name": "workload"}
    validation = {"ca_certificate_provider_instance": from_watcher}
    tls = {
        "tls_certificate_provider_instance": from_watcher,
        "validation_context": validation,
    }
    context = typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context=tls)
    cluster: dict[str, Any] = {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}
    }
    mutual = grpc.ssl_server_credentials(
        [(workload.private_key_pem.bytes(), workload.cert_chain_pems[0].bytes())],
        authority.cert_pem.bytes(),
        require_client_auth=True,
    )

    async def call() -> str:
        async with EchoAsyncStub(target=target) as stub:
            return (await stub.unary(StringValue(), timeout=10, wait_for_ready=True)).value

    with serving(Provider("secured"), mutual) as provider:
        control_plane.serve(target.authority, [provider.address], cluster)
        if kind == "async":
            assert asyncio.run(call()) == "secured"
        else:
            with EchoStub(target=target) as stub:
                assert stub.unary(StringValue(), timeout=10, wait_for_ready=True).value == "secured"


def test_without_a_bootstrap_file_the_stub_is_refused(
    monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    with pytest.raises(ConfigurationError, match="GRPC_XDS_BOOTSTRAP"):
        EchoStub(target=target)
