"""Builds the report from the policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..policy.envoy_headers import arguments, why_slow_attempts_are_not_retried
from ..policy.model import CALL_FIELDS, Identity
from ..policy.provenance import DEFAULT, IdempotencyLevel, field_of
from ..protoc.descriptors_pb2 import MethodOptions
from . import mesh_defaults
from .model import ConfiguredValue, InMesh, Report, Rpc, Service
from .sending import sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..mesh.routing import Action
    from ..policy.model import RpcPolicy, ServicePolicy
    from ..policy.provenance import Origin
    from .model import Handling, Sent

    ActionOf = Callable[[RpcPolicy, str | None], Action]

DEFAULT_PORT = 80
DEFAULT_DOMAIN = "cluster.local"

_SHAPES = {
    (False, False): "unary",
    (True, False): "client-streaming",
    (False, True): "server-streaming",
    (True, True): "bidirectional-streaming",
}


class Places(NamedTuple):
    """Where values were set, as far as only the caller knows.

    Attributes:
        parameters: where each parameter of the plugin was set.
        show: replaces the name of a proto at the beginning of a `file:line` by its path.
    """

    parameters: Mapping[str, str]
    show: Callable[[str], str]


def report(
    services: Iterable[ServicePolicy], places: Places, warnings: Iterable[str], action_of: ActionOf | None
) -> Report:
    """The report on `services`.

    Args:
        services: the policies of the services.
        places: where values were set.
        warnings: those of the whole run.
        action_of: what the routes that are written do with an rpc of a subset; None if none are written.
    """
    return Report(tuple(_service(each, places, action_of) for each in services), tuple(warnings))


def _service(policy: ServicePolicy, places: Places, action_of: ActionOf | None) -> Service:
    identity = policy.identity
    return Service(
        name=policy.name,
        where=places.show(policy.declaration.where),
        address=_address(identity),
        identity={
            name: _configured(value, name, policy.origin(name), places)
            for name, value in identity._replace(port=identity.port or DEFAULT_PORT)._asdict().items()
        },
        rpcs=tuple(_rpc(identity, rpc, places, action_of) for rpc in policy.rpcs),
    )


def _address(identity: Identity) -> str | None:
    if identity.app is None:
        return None
    namespace = identity.namespace or "<namespace>"
    return f"http://{identity.app}.{namespace}.svc.{DEFAULT_DOMAIN}:{identity.port or DEFAULT_PORT}"


def _rpc(identity: Identity, policy: RpcPolicy, places: Places, action_of: ActionOf | None) -> Rpc:
    outgoing = sent(identity, policy)
    meshes = {route.key: _in_mesh(route, outgoing) for route in mesh_defaults.ROUTES}
    emitted = None
    if action_of is not None and identity.app is not None:
        emitted = _in_mesh(mesh_defaults.emitted(action_of(policy, None)), outgoing)
    service = policy.path.rpartition("/")[0]
    return Rpc(
        name=policy.name,
        where=places.show(policy.declaration.where),
        paths=(policy.path, *(f"{service}/{alias}" for alias in policy.aliases)),
        shape=_SHAPES[policy.client_streaming, policy.server_streaming],
        idempotent=policy.idempotent,
        idempotency_level=_idempotency_level(policy, places),
        policies={
            field: _configured(value, field, policy.origin(field), places)
            for field in CALL_FIELDS
            if (value := field_of(policy.call, field)) is not None
        },
        sent=outgoing,
        meshes=meshes,
        emitted=emitted,
        cautions=(
            *(() if policy.idempotent else _cautions(meshes, emitted)),
            *_shared_timeouts(policy, emitted),
        ),
    )


def _in_mesh(route: mesh_defaults.Route, outgoing: Sent) -> InMesh:
    return InMesh(
        mesh_defaults.by_default(route, outgoing.deadline), mesh_defaults.if_obeyed(route, outgoing)
    )


def _configured(value: Any, field: str, origin: Origin, places: Places) -> ConfiguredValue:
    if origin.source == "parameter":
        return ConfiguredValue(value, origin._replace(where=places.parameters.get(field, "")))
    return ConfiguredValue(value, origin._replace(where=places.show(origin.where)))


def _idempotency_level(policy: RpcPolicy, places: Places) -> ConfiguredValue:
    file, path = policy.declaration
    level = file.service[path[1]].method[path[3]].options.idempotency_level
    field = "idempotency_level"
    is_set = level != MethodOptions.IDEMPOTENCY_UNKNOWN
    origin = IdempotencyLevel(policy.declaration).origin(field) if is_set else DEFAULT
    return _configured(MethodOptions.IdempotencyLevel.Name(level), field, origin, places)


def _cautions(meshes: Mapping[str, InMesh], emitted: InMesh | None) -> tuple[str, ...]:
    """A warning about an rpc that is not marked idempotent: which meshes may run it again."""
    by_name = [(route.mesh, meshes[route.key]) for route in mesh_defaults.ROUTES]
    remedy = "the headers are obeyed" if emitted is None else "the emitted routes are applied"
    wanted = by_name if emitted is None else [("the emitted routes", emitted)]
    obeyed = _reruns([(name, mesh.if_obeyed) for name, mesh in wanted])
    if obeyed:
        return (f"not marked idempotent, but may be run again: {obeyed}",)
    default = _reruns([(name, mesh.by_default) for name, mesh in by_name])
    return (f"not marked idempotent, but may be run again unless {remedy}: {default}",)


def _shared_timeouts(policy: RpcPolicy, emitted: InMesh | None) -> tuple[str, ...]:
    """A warning about slow attempts that are retried: in Istio, the provider may end them before Envoy does.

    `setHeaders` in Envoy's router sends the timeout of the attempt as `grpc-timeout` by routes that obey it.
    """
    asked = arguments(policy.call)
    by_route = None if emitted is None else emitted.by_default.per_try_timeout
    if (
        ("per_try_timeout" not in policy.headers and by_route is None)
        or why_slow_attempts_are_not_retried(asked)
        or "deadline-exceeded" in asked.get("retry_grpc_on", ())
    ):
        return ()
    return (
        "Istio's routes send providers per_try_timeout as their deadline, and a provider may end a slow "
        "attempt before Envoy does: add DEADLINE_EXCEEDED to retry.grpc_on to have that retried too",
    )


def _reruns(handlings: Iterable[tuple[str, Handling]]) -> str:
    """Which meshes may run a handler again, how often, and on which conditions."""
    return "; ".join(
        f"by {name} {_times(handling.max_retries)} ({', '.join(conditions)})"
        for name, handling in handlings
        if (conditions := mesh_defaults.run_again(handling))
    )


def _times(number: int) -> str:
    return {1: "once", 2: "up to twice"}.get(number, f"up to {number} times")
