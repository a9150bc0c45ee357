"""The report that `explain` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..policy.model import Duration
    from ..policy.provenance import Origin


class ConfiguredValue(NamedTuple):
    """A configured or default value, and where it was set.

    Attributes:
        value: the value, as in `Identity` and `CallPolicy`.
        origin: its place, as people find it; for a parameter, that is the setting or `--option`.
    """

    value: Any
    origin: Origin


class Sent(NamedTuple):
    """What a stub sends with a call that is made without arguments.

    Attributes:
        deadline: the time until the gRPC deadline (`grpc-timeout`); None if there is none.
        headers: the metadata. The environment of the caller may add some.
    """

    deadline: Duration | None
    headers: tuple[tuple[str, str], ...]


class Handling(NamedTuple):
    """How a sidecar handles a call.

    Attributes:
        timeout: the time after which it ends the call; None if it never does.
        is_deadline: whether that timeout is the deadline, from `grpc-timeout`.
        per_try_timeout: the time after which it ends a single attempt.
        hedges: whether it lets a slow attempt continue and starts another one, whatever the conditions.
        max_retries: the number of further attempts.
        retry_on: their conditions, by Envoy's names; empty if there are no further attempts.
    """

    timeout: Duration | None
    is_deadline: bool
    per_try_timeout: Duration | None
    hedges: bool
    max_retries: int
    retry_on: tuple[str, ...]


class InMesh(NamedTuple):
    """How a kind of mesh handles a call.

    Attributes:
        by_default: without the headers.
        if_obeyed: by the same route, if the sidecar obeys the headers that the stub sends.
    """

    by_default: Handling
    if_obeyed: Handling


class Rpc(NamedTuple):
    """An rpc.

    Attributes:
        name: its name in the proto.
        where: `file:line` of its declaration.
        paths: its HTTP/2 path, and those of its aliases.
        shape: one of `unary`, `client-streaming`, `server-streaming`, `bidirectional-streaming`.
        idempotent: whether it may be run twice.
        idempotency_level: the option that decides this, by protobuf's name.
        policies: the values that are set, by the names in `CALL_FIELDS`.
        sent: what a stub sends.
        meshes: how each mesh in `mesh_defaults.ROUTES` handles it, by its key there.
        emitted: how the routes handle it that are written for it; None if the project writes none.
        cautions: warnings for its author, a sentence each.
    """

    name: str
    where: str
    paths: tuple[str, ...]
    shape: str
    idempotent: bool
    idempotency_level: ConfiguredValue
    policies: Mapping[str, ConfiguredValue]
    sent: Sent
    meshes: Mapping[str, InMesh]
    emitted: InMesh | None
    cautions: tuple[str, ...]


class Service(NamedTuple):
    """A service.

    Attributes:
        name: its full name.
        where: `file:line` of its declaration.
        address: what its stubs dial, with `<namespace>` for what only the caller knows; None without an app.
        identity: the fields of `Identity`, by name.
        rpcs: its rpcs.
    """

    name: str
    where: str
    address: str | None
    identity: Mapping[str, ConfiguredValue]
    rpcs: tuple[Rpc, ...]


class Report(NamedTuple):
    """The whole report.

    Attributes:
        services: the services.
        warnings: those of the whole run, as `generate` prints them.
    """

    services: tuple[Service, ...]
    warnings: tuple[str, ...]
