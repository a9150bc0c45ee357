"""What the templates print. All decisions have been made, in `build`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..yaml.noted import Noted


class Label(NamedTuple):
    """A label, of a resource or in a selector.

    Attributes:
        key: its key.
        value: its value.
        note: where it comes from.
    """

    key: str
    value: str
    note: str = ""


class ServicePort(NamedTuple):
    """A port of a Service.

    Attributes:
        name: its name.
        number: its number, which is that of the container's port too.
        note: where the number comes from.
    """

    name: str
    number: int
    note: str


class ServiceManifest(NamedTuple):
    """A Kubernetes Service.

    Attributes:
        name: its name.
        namespace: its namespace; None means that of whoever applies it.
        labels: its own labels.
        selector: those of its pods.
        ports: its ports.
    """

    name: Noted
    namespace: Noted | None
    labels: tuple[Label, ...]
    selector: tuple[Label, ...]
    ports: tuple[ServicePort, ...]


class ContainerPort(NamedTuple):
    """A port of a container.

    Attributes:
        number: its number.
        note: where it comes from.
    """

    number: int
    note: str


class Variable(NamedTuple):
    """An environment variable.

    Attributes:
        name: its name.
        value: its value; empty if the pod's own fields have it.
        field: the pod's field that has its value.
        note: where it comes from.
    """

    name: str
    value: str = ""
    field: str = ""
    note: str = ""


class Probe(NamedTuple):
    """A probe over HTTP.

    Attributes:
        name: its key in the container.
        path: the path that it asks for.
        port: the port.
        period: seconds between two probes.
        failures: how many may fail in a row; None leaves it to Kubernetes.
    """

    name: str
    path: str
    port: int
    period: int
    failures: int | None


class Sidecar(NamedTuple):
    """How Istio's sidecar is injected.

    Attributes:
        native: whether it is a native sidecar: `true` or `false`, as annotations have it.
        note: where that comes from.
        is_held_for: whether the containers have to wait for it, as a native one has them do by itself.
        drain: how long it goes on after it was told to end, as protobuf spells durations; empty if that is
            left to Istio.
        drain_note: what that consists of.
    """

    native: str
    note: str
    is_held_for: bool = False
    drain: str = ""
    drain_note: str = ""


class Termination(NamedTuple):
    """How long something may take to end.

    Attributes:
        seconds: how long.
        note: what it consists of.
    """

    seconds: int
    note: str


class Patch(NamedTuple):
    """A strategic-merge patch for a Deployment.

    Attributes:
        file: the name of its file.
        deployment: the Deployment's name.
        container: its container's name.
        labels: of its pods.
        sidecar: how Istio's sidecar is injected; None if there is none.
        termination: how long a pod may take to end; None leaves it as it is.
        ports: the container's.
        variables: its environment.
        probes: its probes.
    """

    file: str
    deployment: Noted
    container: Noted
    labels: tuple[Label, ...]
    sidecar: Sidecar | None
    termination: Termination | None
    ports: tuple[ContainerPort, ...]
    variables: tuple[Variable, ...]
    probes: tuple[Probe, ...]

    @property
    def image(self) -> str:
        """Where the Deployment has the container's image, as kustomize spells paths."""
        return f"spec.template.spec.containers.[name={self.container.value}].image"


class AppManifests(NamedTuple):
    """What is written for one application.

    Attributes:
        app: its name.
        sources: the files that it comes from.
        service: its Service; None if it only makes calls.
        patches: for its Deployments.
        namespace: that of the Deployments, where their names alone are ambiguous; else empty.
    """

    app: str
    sources: tuple[str, ...]
    service: ServiceManifest | None
    patches: tuple[Patch, ...]
    namespace: str
