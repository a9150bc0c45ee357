"""Policies of services that are made by hand, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Iterable

from protoc_gen_dubbo_mesh.policy.envoy_headers import arguments, with_default_retry
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Identity, RpcPolicy, ServicePolicy
from protoc_gen_dubbo_mesh.policy.provenance import Declaration
from protoc_gen_dubbo_mesh.protoc.descriptors_pb2 import FileDescriptorProto
from protoc_gen_dubbo_mesh.protoc.source_info import SERVICE


def declared(file: str = "test.proto") -> Declaration:
    return Declaration(FileDescriptorProto(name=file), (SERVICE, 0))


def rpc(
    name: str,
    call: CallPolicy | None = None,
    *,
    service: str = "a.B",
    client_streaming: bool = False,
    server_streaming: bool = False,
    idempotent: bool = False,
    aliases: tuple[str, ...] = (),
) -> RpcPolicy:
    """The policy of an rpc, with the default conditions of retries."""
    effective = with_default_retry(call or CallPolicy(), idempotent)
    return RpcPolicy(
        *(name, f"/{service}/{name}", client_streaming, server_streaming, idempotent, aliases),
        *(effective, arguments(effective), declared(), ()),
    )


def service(name: str, rpcs: Iterable[RpcPolicy] = (), **identity: object) -> ServicePolicy:
    """The policy of a service; `identity` has the fields of an `Identity`."""
    given = Identity(**{"app": "demo", **identity})  # type: ignore[arg-type]  # as the test writes them
    own = tuple(each._replace(path=f"/{name}/{each.name}") for each in rpcs)
    return ServicePolicy(name, given, own, declared(), ())
