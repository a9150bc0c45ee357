"""Which headers go with a call, by the way in which its channel was dialled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .._addressing.dialing import Way
from .._addressing.environment import Environment
from .._context.attachments import Metadata
from .._contract.service import Service

_FORWARDED_FOR = "x-forwarded-for"
_CLIENT_TRACE_ID = "x-client-trace-id"
_METADATA = 2
"""The position of `metadata` among the arguments of all of grpc's callables that take it by position."""


class Headers(NamedTuple):
    """The headers that do not depend on the single call.

    Attributes:
        identity: who calls whom; only what is configured.
        carried: names of the headers that travel from a request to the calls made while serving it.
        envoy: whether Envoy's own headers are sent; a provider that is dialled directly has no use for them.
    """

    identity: Metadata
    carried: frozenset[str]
    envoy: bool = True

    @classmethod
    def of(cls, service: Service, environment: Environment, way: Way) -> Headers:
        """The headers of calls to `service` by a channel that was dialled in that way."""
        identity: list[tuple[str, str]] = []
        if environment.app is not None:
            identity.append(("tri-consumer-appname", environment.app))
        if service.version is not None:
            identity.append(("tri-service-version", service.version))
        if service.group is not None:
            identity.append(("tri-service-group", service.group))
        # It makes an Envoy take the request for an internal one: only our own sidecar may see it.
        if environment.forwarded_for is not None and way == "sidecar":
            identity.append((_FORWARDED_FOR, environment.forwarded_for))
        return cls(tuple(identity), environment.carried, envoy=way != "direct")


def for_backup(
    way: Way, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call that goes past the sidecar, without the headers meant for the sidecar.

    Args:
        way: how the backup was dialled.
        args: the positional arguments that a callable of grpc's was given.
        kwargs: its keyword arguments.
    """
    if len(args) > _METADATA:
        return (*args[:_METADATA], _without(way, args[_METADATA]), *args[_METADATA + 1 :]), kwargs
    return args, {**kwargs, "metadata": _without(way, kwargs.get("metadata"))}


def _without(way: Way, metadata: Iterable[tuple[str, Any]] | None) -> Metadata | None:
    if metadata is None:
        return None
    direct = way == "direct"
    return tuple(
        (key, value)
        for key, value in metadata
        if key != _FORWARDED_FOR and not (direct and (key.startswith("x-envoy-") or key == _CLIENT_TRACE_ID))
    )
