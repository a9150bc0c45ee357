"""Credentials of channels and calls, as for providers outside the mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.addressing.providers import Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.grpc_features.conftest import Certificates

Call = Callable[..., str]


def sync_call(target: str, secured_by: grpc.ChannelCredentials | None = None, **arguments: Any) -> str:
    with EchoStub(target=target, credentials=secured_by) as stub:
        return stub.unary(StringValue(), timeout=5, **arguments).value


def async_call(target: str, secured_by: grpc.ChannelCredentials | None = None, **arguments: Any) -> str:
    async def call() -> str:
        async with EchoAsyncStub(target=target, credentials=secured_by) as stub:
            return (await stub.unary(StringValue(), timeout=5, **arguments)).value

    return asyncio.run(call())


both = pytest.mark.parametrize("call", [sync_call, async_call])


def named(provider: Provider) -> str:
    """Its address, by the name in its certificate."""
    return provider.address.replace("127.0.0.1", "localhost")


@both
def test_tls_to_a_provider_outside_the_mesh(call: Call, certificates: Certificates) -> None:
    with serving(Provider("tls"), certificates.server_credentials(mutual=False)) as provider:
        assert call(named(provider), certificates.client_credentials(mutual=False)) == "tls"


@both
def test_mutual_tls_to_a_provider_outside_the_mesh(call: Call, certificates: Certificates) -> None:
    with serving(Provider("mtls"), certificates.server_credentials(mutual=True)) as provider:
        assert call(named(provider), certificates.client_credentials(mutual=True)) == "mtls"
        with pytest.raises(grpc.RpcError) as raised:
            call(named(provider), certificates.client_credentials(mutual=False))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@both
def test_a_provider_of_another_name_is_not_believed(call: Call, certificates: Certificates) -> None:
    with serving(Provider("tls"), certificates.server_credentials(mutual=False)) as provider:
        with pytest.raises(grpc.RpcError) as raised:
            call(provider.address, certificates.client_credentials(mutual=False))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


# grpc reads its roots once in a process: a fresh one is needed for a test that sets them.
HTTPS = """
import sys
from google.protobuf.wrappers_pb2 import StringValue
from tests.calling.echo import EchoStub
with EchoStub(target=sys.argv[1]) as stub:
    print(stub.unary(StringValue(), timeout=5).value)
"""


def test_an_https_url_means_tls_with_the_roots_that_grpc_trusts(
    certificates: Certificates,
    tmp_path: Path,
    run_python: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(certificates.write_authority(tmp_path)))
    with serving(Provider("tls"), certificates.server_credentials(mutual=False)) as provider:
        assert run_python(HTTPS, f"https://{named(provider)}") == "tls\n"


@both
def test_call_credentials_travel_with_the_call(call: Call, certificates: Certificates) -> None:
    token = grpc.access_token_call_credentials("secret")
    with serving(Provider("tls"), certificates.server_credentials(mutual=False)) as provider:
        call(named(provider), certificates.client_credentials(mutual=False), credentials=token)
        assert provider.headers["authorization"] == "Bearer secret"
        # And with the channel, for all its calls.
        composite = grpc.composite_channel_credentials(certificates.client_credentials(mutual=False), token)
        provider.headers.clear()
        call(named(provider), composite)
        assert provider.headers["authorization"] == "Bearer secret"


@both
def test_call_credentials_are_not_sent_in_clear_text(call: Call) -> None:
    with serving(Provider("plain")) as provider:
        # Grpc says so in two ways: sync calls end as UNAUTHENTICATED.
        with pytest.raises((grpc.RpcError, grpc.aio.UsageError)):
            call(provider.address, credentials=grpc.access_token_call_credentials("secret"))
        assert not provider.ran
