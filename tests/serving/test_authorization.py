"""An rpc answers to one name: who denies its path has denied the rpc."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests import sidecars
from tests.serving.conftest import Kind, Running
from tests.sidecars.config import typed

Grpc = cast("Any", grpc)  # for handlers of bytes, whose types nothing tells
Serve = Callable[..., Running]

PATH = "/test.Vault/Open"
ALIAS = "/test.Vault/open"
OTHER_SPELLINGS = [
    ALIAS,
    "/test.Vault/OPEN",
    "/test.vault/Open",
    "/test.Vault/Open/",
    "//test.Vault/Open",
    "/test.Vault//Open",
    "/test.Vault/./Open",
    "/test.Vault/%4fpen",
    "/test.Vault/Open?x=y",
    "/test.Vault/Open#x",
    "/test.Vault/Open ",
    "/Vault/Open",
    "/Open",
]


def vault(opened: list[str], *aliases: str) -> dubbo_mesh.Servicer:
    method = dubbo_mesh.Method(PATH, StringValue, StringValue, aliases=aliases)

    class Vault(dubbo_mesh.Servicer):
        __mesh__ = dubbo_mesh.Service("test.Vault", method, app="vault")

        def Open(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            opened.append("opened")
            return request

    return Vault()


def denying(kind: Kind, *paths: str) -> Any:
    """An interceptor that authorizes by the path."""

    def deny(_request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "denied")

    async def deny_async(_request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "denied")

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            if handler_call_details.method in paths:
                return Grpc.unary_unary_rpc_method_handler(deny)
            return continuation(handler_call_details)

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            if handler_call_details.method in paths:
                return Grpc.unary_unary_rpc_method_handler(deny_async)
            return await continuation(handler_call_details)

    return Sync() if kind == "sync" else Async()


def status(address: str, path: str) -> grpc.StatusCode:
    with grpc.insecure_channel(address) as channel:
        untyped: Any = channel
        _, call = untyped.unary_unary(path).with_call(b"", timeout=5)
        code: grpc.StatusCode = call.code()
        return code


def refusal(address: str, path: str) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as raised:
        status(address, path)
    return raised.value.code()


@contextmanager
def behind_envoy(running: Running, directory: Path, *denied: str) -> Generator[str]:
    """An Envoy that denies paths by its RBAC filter, as Istio's AuthorizationPolicy makes it."""
    permissions = [{"url_path": {"path": {"exact": path}}} for path in denied]
    policy = {"permissions": permissions, "principals": [{"any": True}]}
    rbac = {
        "name": "envoy.filters.http.rbac",
        "typed_config": typed(
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            rules={"action": "DENY", "policies": {"denied": policy}},
        ),
    }
    ingress = sidecars.Ingress(f"127.0.0.1:{running.port}", http_filters=[rbac])
    with sidecars.Sidecar("provider", ingress=ingress, directory=directory) as sidecar:
        yield sidecar.ingress


class TestDenyingThePath:
    def test_in_an_interceptor_lets_nothing_through_under_another_name(
        self, serve: Serve, kind: Kind
    ) -> None:
        opened: list[str] = []
        running = serve(vault(opened), interceptors=[denying(kind, PATH)])
        address = f"127.0.0.1:{running.port}"
        assert refusal(address, PATH) is grpc.StatusCode.PERMISSION_DENIED
        for path in OTHER_SPELLINGS:
            refusal(address, path)
        assert opened == []

    def test_in_envoy_lets_nothing_through_under_another_name(self, serve: Serve, tmp_path: Path) -> None:
        opened: list[str] = []
        running = serve(vault(opened))
        assert status(f"127.0.0.1:{running.port}", PATH) is grpc.StatusCode.OK
        opened.clear()
        with behind_envoy(running, tmp_path, PATH) as address:
            assert refusal(address, PATH) is grpc.StatusCode.PERMISSION_DENIED
            for path in OTHER_SPELLINGS:
                refusal(address, path)
        assert opened == []


class TestAnAlias:
    """Is a second path: who asks for one has to deny it too."""

    def test_passes_where_only_the_rpcs_own_path_is_denied(self, serve: Serve, tmp_path: Path) -> None:
        opened: list[str] = []
        running = serve(vault(opened, "open"))
        with behind_envoy(running, tmp_path, PATH) as address:
            assert refusal(address, PATH) is grpc.StatusCode.PERMISSION_DENIED
            assert status(address, ALIAS) is grpc.StatusCode.OK
        assert opened == ["opened"]

    def test_is_stopped_where_both_are_denied(self, serve: Serve, kind: Kind, tmp_path: Path) -> None:
        opened: list[str] = []
        running = serve(vault(opened, "open"), interceptors=[denying(kind, PATH, ALIAS)])
        for path in (PATH, ALIAS):
            assert refusal(f"127.0.0.1:{running.port}", path) is grpc.StatusCode.PERMISSION_DENIED
        with behind_envoy(serve(vault(opened, "open")), tmp_path, PATH, ALIAS) as address:
            for path in (PATH, ALIAS, *OTHER_SPELLINGS):
                refusal(address, path)
        assert opened == []
