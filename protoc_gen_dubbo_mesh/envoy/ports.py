"""Which ports everything on one machine has.

Each instance has a block of `block_size` ports. The blocks follow one another from `base_port` on: of the
consumer, if there is one, then of the applications, by name. In a block there are, in this order:

    0  the admin endpoint of its Envoy
    1  its Envoy, for the calls that it makes
    2  the probes of its server
    3  free
    4  its Envoy, for calls to its first port
    5  its own server, for its first port
    6  its Envoy, for calls to its second port
    …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..mesh.model import App, Mesh
    from .settings import EnvoySettings

_BEFORE_PORTS = 4
_HIGHEST = 65535


class Block(NamedTuple):
    """The ports of one instance.

    Attributes:
        first: the first of them.
    """

    first: int

    @property
    def admin(self) -> int:
        """The admin endpoint of its Envoy."""
        return self.first

    @property
    def outbound(self) -> int:
        """Its Envoy, for the calls that it makes."""
        return self.first + 1

    @property
    def probes(self) -> int:
        """The probes of its server."""
        return self.first + 2

    def inbound(self, index: int) -> int:
        """Its Envoy, for calls to one of its ports.

        Args:
            index: which of its ports, from 0.
        """
        return self.first + _BEFORE_PORTS + 2 * index

    def server(self, index: int) -> int:
        """Its own server, for one of its ports."""
        return self.inbound(index) + 1


class Blocks(NamedTuple):
    """The blocks of a run.

    Attributes:
        consumer: of a process that is none of the applications; None if there is none.
        instances: of the instances of each application, by its stem.
    """

    consumer: Block | None
    instances: dict[str, tuple[Block, ...]]


def blocks(mesh: Mesh, apps: tuple[App, ...], settings: EnvoySettings, *, with_consumer: bool) -> Blocks:
    """Assigns the blocks.

    Args:
        mesh: has the lines at which the settings are set.
        apps: the applications that have an Envoy.
        settings: the settings.
        with_consumer: whether there is a consumer.

    Raises:
        GenerationError: an application has more ports than a block, or there are too few ports.
    """
    for app in apps:
        needed = _BEFORE_PORTS + 2 * len(app.ports)
        if needed > settings.block_size:
            raise GenerationError(
                f"app {app.name} has {len(app.ports)} ports, so each instance needs {needed} ports on one "
                f"machine, and envoy.block_size is {settings.block_size} ({_set_at(mesh, 'block_size')}): "
                "increase it",
                app.where,
            )
    count = sum(app.settings.instances or 1 for app in apps) + with_consumer
    room = (_HIGHEST + 1 - settings.base_port) // settings.block_size
    if count > room:
        raise GenerationError(
            f"envoy.base_port {settings.base_port} ({_set_at(mesh, 'base_port')}) leaves ports for {room} "
            f"instances with {settings.block_size} each, and {count} are needed: choose a lower base_port, "
            "fewer instances or a smaller block_size",
            apps[0].where if apps else None,
        )
    free = _blocks(settings)
    consumer = next(free) if with_consumer else None
    return Blocks(
        consumer,
        {app.stem: tuple(next(free) for _ in range(app.settings.instances or 1)) for app in apps},
    )


def _blocks(settings: EnvoySettings) -> Iterator[Block]:
    first = settings.base_port
    while True:
        yield Block(first)
        first += settings.block_size


def _set_at(mesh: Mesh, key: str) -> str:
    if mesh.values is None or key not in mesh.tables.get("envoy", {}):
        return "default"
    return mesh.values.file.where(("envoy", key))
