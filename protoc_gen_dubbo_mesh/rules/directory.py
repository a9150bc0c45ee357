"""Which application provides which service: the hosts that resources are written for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..istio.model import AppFile
    from ..policy.model import Labels
    from .worlds import Instance


class Host(NamedTuple):
    """An application, which is a Kubernetes Service and the host of a VirtualService.

    Attributes:
        name, namespace: of the Service; None as the namespace: that of whoever applies the files.
        services: the services that it provides, each with its methods by the names on the wire, aliases
            included; None: the methods are not known.
        selector: labels of its pods.
        emitted: what `emit=istio` writes for the same host, to be merged; None if there are no protos.
        instances: what is known of its pods; empty: nothing.
        ports: the port of each service, if it is known.
    """

    name: str
    namespace: str | None
    services: Mapping[str, tuple[str, ...] | None]
    selector: Labels
    emitted: AppFile | None = None
    instances: tuple[Instance, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()


class Directory(NamedTuple):
    """All hosts that are known.

    Attributes:
        hosts: the hosts.
        untagged: the label of pods that have no tag, to which requests without a tag go; None: there is none.
        accounts: the Kubernetes service accounts of applications, as `NAMESPACE/NAME`.
    """

    hosts: tuple[Host, ...]
    untagged: tuple[str, str] | None = None
    accounts: Mapping[str, str] = {}

    def provider_of(self, service: str) -> Host | None:
        """The host of a service; None if nobody says which."""
        return next((host for host in self.hosts if service in host.services), None)

    def named(self, application: str) -> Host | None:
        """The host of an application."""
        return next((host for host in self.hosts if host.name == application), None)
