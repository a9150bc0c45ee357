"""What a stub calls, and with which headers. The core that both kinds of stubs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .._addressing.environment import Environment
from .._contract.envoy_headers import EnvoyHeaders
from .._contract.errors import ConfigurationError
from .._contract.service import Method, Service
from .._contract.target import Target
from .headers import Headers
from .opened import how_opened
from .outgoing import AnnouncedCallable, AnnouncingPlan
from .plan import CallPlan, check_envoy

_OPENERS = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}
"""The methods of a channel by (client streaming, server streaming)."""


def defining_classes(stub: type[Any]) -> list[type[Any]]:
    """The classes from which a stub class has its services: more than one if it derives from several stubs.

    A class that names a service of its own replaces those of the classes that it derives from.
    """
    found: list[type[Any]] = []
    for each in stub.__mro__:
        if "__mesh__" in vars(each) and not any(issubclass(other, each) for other in found):
            found.append(each)
    return found


def services_of(stub: type[Any]) -> Sequence[Service]:
    """The services that a stub class calls.

    Raises:
        TypeError: two of them have rpcs of the same name.
    """
    services: list[Service] = [each.__mesh__ for each in defining_classes(stub)]
    owners: dict[str, Service] = {}
    for service in services:
        for method in service.methods.values():
            owner = owners.setdefault(method.attribute, service)
            if owner is not service:
                raise TypeError(
                    f"{stub.__name__}: {owner.name} and {service.name} both have an rpc "
                    f"{method.attribute!r}; use a stub for each"
                )
    return services


def target_of(stub: type[Any], services: Sequence[Service]) -> Target:
    """The mesh address of the services.

    Raises:
        ConfigurationError: it is not known, or they have different ones.
    """
    targets = {service.name: service.target() for service in services}
    if len(set(targets.values())) > 1:
        listed = ", ".join(f"{name} at {target}" for name, target in targets.items())
        raise ConfigurationError(
            f"{stub.__name__} calls services in different places ({listed}): pass target= or a channel, "
            f"or use a stub for each"
        )
    return next(iter(targets.values()))


def check_channel(channel: object, *, opening: bool) -> None:
    """Checks the `channel` argument of a stub.

    Args:
        channel: what was given.
        opening: whether arguments were given that say how to open one.

    Raises:
        TypeError: it is not a channel, or one does not go with the other arguments.
    """
    if isinstance(channel, str | Target):
        raise TypeError(f"channel must be a channel of grpc: pass an address as target={channel!r}")
    if not hasattr(channel, "unary_unary"):
        raise TypeError(f"channel must be a channel of grpc, not {type(channel).__name__}")
    if opening:
        raise TypeError(
            "target, credentials, options, connections, interceptors and single_threaded_streams say how to "
            "open a channel, but one was given"
        )


class Bound(NamedTuple):
    """One rpc of a stub.

    Attributes:
        method: the rpc.
        plan: what resolves its calls.
        inner: the channel's callable.
    """

    method: Method
    plan: CallPlan | AnnouncingPlan
    inner: Any

    @property
    def shape(self) -> tuple[bool, bool]:
        """(client streaming, server streaming)."""
        return self.method.client_streaming, self.method.server_streaming


def bind(
    services: Sequence[Service], channel: Any, envoy: EnvoyHeaders | None, environment: Environment
) -> Iterator[Bound]:
    """The rpcs of `services` on `channel`.

    Args:
        services: the services to be called.
        channel: a channel, sync or async.
        envoy: what the stub asks of Envoy, on top of what the methods' own options ask.
        environment: who calls, and which headers travel on.

    Raises:
        TypeError: `envoy` is not an `EnvoyHeaders`.
    """
    if envoy is not None:
        check_envoy(envoy)
    opened = how_opened(channel)
    more = {"_registered_method": True} if opened.knows_methods else {}
    for service in services:
        headers = Headers.of(service, environment, opened.way)
        for method in service.methods.values():
            plan = CallPlan(method, method.envoy if envoy is None else method.envoy | envoy, headers)
            open_callable = getattr(channel, _OPENERS[method.client_streaming, method.server_streaming])
            inner = open_callable(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
                **more,
            )
            if opened.intercepted:
                yield Bound(method, AnnouncingPlan(plan, method.path), AnnouncedCallable(inner))
            else:
                yield Bound(method, plan, inner)
