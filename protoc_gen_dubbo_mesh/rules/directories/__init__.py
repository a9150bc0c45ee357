"""Finds out which application provides which service, from all that the user gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import GenerationError
from ..directory import Directory, Host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..worlds import World


def directory_of(world: World | None, protos: Sequence[str], apps: Mapping[str, str]) -> Directory:
    """The hosts of a world, of protos, and of `--app`, merged.

    Args:
        world: the instances of a service and requests to it.
        protos: directories of protos, and files of descriptors.
        apps: which application provides a service, by the service's full name.

    Raises:
        GenerationError: protos have an error, or two sources contradict each other.
    """
    hosts: list[Host] = []
    if protos:
        from .descriptors import hosts_of  # needs protoc, which most runs do without

        hosts = hosts_of(protos, apps)
    for service, app in apps.items():
        _provide(hosts, service, app, f"--app {service}={app}")
    if world is not None:
        _provide(hosts, world.service, world.application, "the world")
        for request in world.requests:
            if Directory(tuple(hosts)).provider_of(request.service) is None:
                _provide(hosts, request.service, world.application, "the world")
        place, host = _of(hosts, world.service)
        hosts[place] = host._replace(instances=world.instances)
    return Directory(tuple(hosts))


def check_names(directory: Directory) -> None:
    """Checks that applications can be Kubernetes Services; their names are those of files, too.

    Raises:
        GenerationError: one cannot.
    """
    from dubbo_mesh._contract.validation import check_label

    for host in directory.hosts:
        try:
            check_label("the name of an application", host.name)
        except ValueError as error:
            raise GenerationError(
                f"{error}: give that of the Kubernetes Service, in the world or with --app SERVICE=NAME"
            ) from error


def _provide(hosts: list[Host], service: str, app: str, source: str) -> None:
    """Notes that an application provides a service.

    Raises:
        GenerationError: another one does.
    """
    known = Directory(tuple(hosts)).provider_of(service)
    if known is not None:
        if known.name != app:
            raise GenerationError(
                f"{source} says that {app} provides {service}, and elsewhere {known.name} does: name the "
                "same application, which is the Kubernetes Service"
            )
        return
    for number, host in enumerate(hosts):
        if host.name == app:
            hosts[number] = host._replace(services={**host.services, service: None})
            return
    hosts.append(Host(app, None, {service: None}, (("app", app),)))


def _of(hosts: list[Host], service: str) -> tuple[int, Host]:
    return next((number, host) for number, host in enumerate(hosts) if service in host.services)
