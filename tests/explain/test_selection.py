"""The services and rpcs that a name selects."""

from __future__ import annotations

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.explain.selection import select
from protoc_gen_dubbo_mesh.policy.model import NO_IDENTITY, NO_POLICY, RpcPolicy, ServicePolicy
from protoc_gen_dubbo_mesh.policy.provenance import Declaration
from protoc_gen_dubbo_mesh.protoc.descriptors_pb2 import FileDescriptorProto

DECLARATION = Declaration(FileDescriptorProto(), ())


def rpc(service: str, name: str, *aliases: str) -> RpcPolicy:
    path = f"/{service}/{name}"
    return RpcPolicy(name, path, False, False, False, aliases, NO_POLICY, {}, DECLARATION, ())


def service(name: str, *rpcs: RpcPolicy) -> ServicePolicy:
    return ServicePolicy(name, NO_IDENTITY, rpcs, DECLARATION, ())


SERVICES = (
    service("shop.v1.Orders", rpc("shop.v1.Orders", "Place", "place"), rpc("shop.v1.Orders", "Cancel")),
    service("shop.v2.Orders", rpc("shop.v2.Orders", "Place")),
    service("shop.v2.Orders.v3", rpc("shop.v2.Orders.v3", "Place")),
    service("Ping", rpc("Ping", "Ping")),
    service("other.Ping"),
)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("shop.v1.Orders", ["/shop.v1.Orders/Place", "/shop.v1.Orders/Cancel"]),
        ("v1.Orders", ["/shop.v1.Orders/Place", "/shop.v1.Orders/Cancel"]),
        ("/shop.v1.Orders", ["/shop.v1.Orders/Place", "/shop.v1.Orders/Cancel"]),
        ("v1.Orders/Cancel", ["/shop.v1.Orders/Cancel"]),
        ("/shop.v1.Orders/Cancel", ["/shop.v1.Orders/Cancel"]),
        ("shop.v1.Orders.Cancel", ["/shop.v1.Orders/Cancel"]),
        ("v1.Orders.Cancel", ["/shop.v1.Orders/Cancel"]),
        ("v1.Orders/place", ["/shop.v1.Orders/Place"]),
        ("v3", ["/shop.v2.Orders.v3/Place"]),
        ("Ping", ["/Ping/Ping"]),
        ("Ping.Ping", ["/Ping/Ping"]),
    ],
)
def test_what_is_meant(name: str, paths: list[str]) -> None:
    assert [rpc.path for service in select(SERVICES, name) for rpc in service.rpcs] == paths


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Orders", "service 'Orders' is ambiguous: shop.v1.Orders or shop.v2.Orders"),
        ("Orders/Place", "service 'Orders' is ambiguous: shop.v1.Orders or shop.v2.Orders"),
        ("Orders.Place", "service 'Orders' is ambiguous: shop.v1.Orders or shop.v2.Orders"),
        ("pings", "there is no service 'pings'; did you mean Ping?"),
        (
            "shop.v1.orders/Place",
            "there is no service 'shop.v1.orders'; did you mean shop.v1.Orders or shop.v2.Orders or "
            "shop.v2.Orders.v3?",
        ),
        ("zzz", "there is no service 'zzz'"),
        ("", "there is no service ''"),
        ("/", "there is no service ''"),
        ("\x1b[31m", "there is no service '\\x1b[31m'"),
        ("v1.Orders/Plaice", "service shop.v1.Orders has no rpc 'Plaice'; did you mean Place?"),
        ("v1.Orders/", "service shop.v1.Orders has no rpc ''"),
        ("v1.Orders/Place/x", "service shop.v1.Orders has no rpc 'Place/x'; did you mean Place?"),
    ],
)
def test_what_is_not_there_or_not_clear(name: str, message: str) -> None:
    with pytest.raises(GenerationError) as raised:
        select(SERVICES, name)
    assert str(raised.value) == message
