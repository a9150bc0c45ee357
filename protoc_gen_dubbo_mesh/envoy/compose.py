"""Docker Compose: which files there are, and where everything listens.

Each application is a service of the compose file with the application's name. Its Envoy either shares its
network (`network_mode: "service:greeter"`), as a sidecar in a pod does, or is a service of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from .callees import CONSUMER
from .laptop import LOOPBACK
from .model import Address, Instance, Range, Site

if TYPE_CHECKING:
    from ..mesh.model import App, Port
    from .settings import EnvoySettings

_DOCKER = (Range("172.16.0.0", 12), Range("192.168.0.0", 16), Range("fd00::", 8))
"""Ranges that hold Docker's default address pools (docs.docker.com, "Networking", "Subnet allocation")."""

# Istio's ports, by which people know them. Each container has its own.
_ADMIN = 15000
_OUTBOUND = 15001
_INBOUND = 15006


def site(apps: tuple[App, ...], settings: EnvoySettings, *, with_consumer: bool) -> Site:
    """The containers, an Envoy for each application.

    Args:
        apps: the applications.
        settings: the settings.
        with_consumer: whether there is a consumer.

    Raises:
        GenerationError: an application has the name of another one's Envoy.
    """
    shares = settings.compose_network == "shared"
    stems: list[tuple[str, App | None]] = [(app.stem, app) for app in apps]
    if with_consumer:
        stems.insert(0, (CONSUMER, None))
    if not shares:
        _check_names(apps)
    return Site(
        tuple(_instance(stem, app, settings) for stem, app in stems),
        {
            app.stem: tuple(
                (Address(app.stem if shares else _beside(app.stem), _INBOUND + index),)
                for index in range(len(app.ports))
            )
            for app in apps
        },
        is_dns=True,
        internal=LOOPBACK if shares else (*LOOPBACK, *_DOCKER),
    )


def taken(app: App, settings: EnvoySettings) -> list[Port]:
    """The ports of an application on which its Envoy listens itself, in the network that they share."""
    if settings.compose_network != "shared":
        return []
    envoys = {_ADMIN, _OUTBOUND, *range(_INBOUND, _INBOUND + len(app.ports))}
    return [port for port in app.ports if port.number in envoys]


def _instance(stem: str, app: App | None, settings: EnvoySettings) -> Instance:
    shares = settings.compose_network == "shared"
    loopback = "::1" if settings.ipv6 else "127.0.0.1"
    everywhere = "::" if settings.ipv6 else "0.0.0.0"  # noqa: S104 - within a container
    for_app = loopback if shares else everywhere
    ports = app.ports if app else ()
    return Instance(
        path=f"compose/{stem}",
        node=stem,
        app=app,
        admin=Address(for_app, _ADMIN),
        outbound=Address(for_app, _OUTBOUND),
        inbound=tuple(Address(everywhere, _INBOUND + index) for index in range(len(ports))),
        servers=tuple(Address(loopback if shares else stem, port.number) for port in ports),
        beside="" if shares else _beside(stem),
        environment=(),
        about=_about(stem, shares=shares),
    )


def _beside(stem: str) -> str:
    """The name of the service of an application's Envoy, if it has a network of its own."""
    return f"{stem}-envoy"


def _check_names(apps: tuple[App, ...]) -> None:
    of_envoys = {_beside(app.stem): app for app in apps}
    for app in apps:
        other = of_envoys.get(app.stem)
        if other is not None:
            raise GenerationError(
                f"app {app.name} has the name of the Envoy of app {other.name} ({other.where}) in Docker "
                "Compose: rename it, or leave envoy.compose_network out of the config",
                app.where,
            )


def _about(stem: str, *, shares: bool) -> str:
    name = _beside(stem)
    lines = [
        f"The Envoy beside service {stem} in Docker Compose, with paths from the directory of the output:",
        "",
        "    services:",
        f"      {stem}:",
        f"        env_file: envoy/compose/{stem}.env",
        f"      {name}:",
        "        image: envoyproxy/envoy:v1.40-latest",
        f"        volumes: [./envoy/compose/{stem}.yaml:/etc/envoy/envoy.yaml:ro]",
    ]
    if shares:
        lines.append(f'        network_mode: "service:{stem}"')
    return "\n".join(lines)
