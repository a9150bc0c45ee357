"""Everything on one machine: which files there are, and where everything listens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .callees import CONSUMER
from .model import Address, Instance, Range, Site

if TYPE_CHECKING:
    from ..mesh.model import App
    from .ports import Block, Blocks
    from .settings import EnvoySettings

LOOPBACK = (Range("127.0.0.0", 8), Range("::1", 128))


def site(apps: tuple[App, ...], blocks: Blocks, settings: EnvoySettings) -> Site:
    """The instances on one machine.

    Args:
        apps: the applications.
        blocks: the ports of their instances, and of the consumer if there is one.
        settings: the settings.
    """
    host = "::1" if settings.ipv6 else "127.0.0.1"
    instances: list[Instance] = []
    if blocks.consumer is not None:
        instances.append(_instance(None, CONSUMER, blocks.consumer, host, settings))
    endpoints: dict[str, tuple[tuple[Address, ...], ...]] = {}
    for app in apps:
        of_app = blocks.instances[app.stem]
        instances += [
            _instance(app, f"{app.stem}-{number}", block, host, settings)
            for number, block in enumerate(of_app, 1)
        ]
        endpoints[app.stem] = tuple(
            tuple(Address(host, block.inbound(index)) for block in of_app) for index in range(len(app.ports))
        )
    return Site(tuple(instances), endpoints, is_dns=False, internal=LOOPBACK)


def _instance(app: App | None, name: str, block: Block, host: str, settings: EnvoySettings) -> Instance:
    at = partial(Address, host)
    ports = range(len(app.ports) if app else 0)
    servers = tuple(at(block.server(index)) for index in ports)
    environment: list[tuple[str, str]] = []
    if servers:
        environment.append(("DUBBO_MESH_LISTEN", ",".join(map(str, servers))))
        environment.append(("DUBBO_MESH_PROBES", str(at(block.probes))))
    path = f"laptop/{name}"
    return Instance(
        path=path,
        node=name,
        app=app,
        admin=at(block.admin),
        outbound=at(block.outbound),
        inbound=tuple(at(block.inbound(index)) for index in ports),
        servers=servers,
        beside="",
        environment=tuple(environment),
        about=_about(app, name, path, block, settings),
    )


def _about(app: App | None, name: str, path: str, block: Block, settings: EnvoySettings) -> str:
    what = f"instance {name} of app {app.name}" if app else "a process that calls any of the apps"
    lines = [
        f"The Envoy beside {what}, with everything on one machine. In the",
        "directory of the output, this starts it and sets the environment of the process:",
        "",
        f"    envoy --disable-hot-restart -c envoy/{path}.yaml",
        f"    set -a; . envoy/{path}.env; set +a",
        "",
        f"Each instance has a block of {settings.block_size} ports, from {settings.base_port} on ([envoy] in "
        "the config: base_port, block_size):",
        "",
        f"    {block.admin}  the Envoy's admin endpoint",
        f"    {block.outbound}  the Envoy, for the calls that it makes",
    ]
    if app and app.ports:
        lines.append(f"    {block.probes}  its probes")
        for index, port in enumerate(app.ports):
            lines.append(f"    {block.inbound(index)}  the Envoy, for calls to port {port.number}")
            lines.append(f"    {block.server(index)}  its server, for port {port.number}")
    return "\n".join(lines)
