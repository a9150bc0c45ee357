"""The part of the pipeline that writes YAML: services → applications → files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mesh.grouping import Grouping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .mesh.model import Emitter
    from .parameters import Parameters
    from .policy.config import Config
    from .policy.model import ServicePolicy
    from .protoc.response import Response


def add_manifests(
    response: Response, given: Parameters, config: Config | None, services: Iterable[ServicePolicy]
) -> list[str]:
    """Adds the files of all emitters but that of Python to the response.

    Args:
        response: the response.
        given: the plugin's parameters.
        config: the config file, if there is one.
        services: the policies of all services of the run.

    Returns:
        What the files cannot express, a line each.

    Raises:
        GenerationError: something cannot be written as it is configured.
    """
    grouping = Grouping(config, given.policy.policy)
    mesh = grouping.group(services)
    warnings = grouping.warnings
    for emitter in (_emitter(kind, given.emit) for kind in given.emit if kind != "python"):
        for path, content, about in emitter.emit(mesh):
            response.add(path, content, about)
        warnings += emitter.warnings
    return warnings


def _emitter(kind: str, kinds: tuple[str, ...]) -> Emitter:
    if kind == "kubernetes":
        from .kubernetes.emitter import KubernetesEmitter

        return KubernetesEmitter()
    if kind == "istio":
        from .istio.emitter import IstioEmitter

        return IstioEmitter()
    if kind == "envoy":
        from .envoy.emitter import EnvoyEmitter

        return EnvoyEmitter()
    from .gateway.emitter import GatewayEmitter

    return GatewayEmitter(with_istio="istio" in kinds)
