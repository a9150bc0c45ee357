"""What an API server refuses of Deployments and their pods, beyond their schemas.

Source: pkg/apis/core/validation and pkg/apis/apps/validation of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.manifests.checks import names
from tests.manifests.checks.json_values import mapping, sequence

_HANDLERS = {"exec", "grpc", "httpGet", "tcpSocket"}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_FIELDS = re.compile(
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['[^']+'\]"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)

_ENVIRONMENT_NAME = re.compile(r"[ -<>-~]+")
_MOST = 2**31 - 1


def deployment_problems(deployment: dict[str, Any], *, is_patch: bool) -> Iterator[str]:
    """What is wrong with a Deployment, or with a patch of one."""
    spec = mapping(deployment, "spec")
    yield from number_problems(spec, "spec", {"replicas": (0, _MOST), "minReadySeconds": (0, _MOST)})
    template = mapping(spec, "template")
    metadata = mapping(template, "metadata")
    labels = mapping(metadata, "labels")
    yield from names.label_problems(labels, "spec.template.metadata.labels")
    yield from names.annotation_problems(
        mapping(metadata, "annotations"), "spec.template.metadata.annotations"
    )
    selector = mapping(spec, "selector").get("matchLabels", {})
    if not is_patch and (not selector or not selector.items() <= labels.items()):
        yield "spec.selector must select the pods of spec.template"
    rolling = mapping(mapping(spec, "strategy"), "rollingUpdate")
    if {str(rolling.get(name, 1)).rstrip("%") for name in ("maxSurge", "maxUnavailable")} == {"0"}:
        yield "spec.strategy.rollingUpdate must let pods be replaced: maxSurge and maxUnavailable are both 0"
    yield from _pod_problems(mapping(template, "spec"), is_patch=is_patch)


def _pod_problems(pod: dict[str, Any], *, is_patch: bool) -> Iterator[str]:
    path = "spec.template.spec"
    yield from number_problems(pod, path, {"terminationGracePeriodSeconds": (0, 2**63 - 1)})
    if pod.get("restartPolicy", "Always") != "Always":
        yield f"{path}.restartPolicy must be Always in a Deployment"
    containers: list[Any] = sequence(pod, "containers")
    if not containers and not is_patch:
        yield f"{path}.containers must not be empty"
    volumes = {volume.get("name") for volume in sequence(pod, "volumes")}
    seen: set[Any] = set()
    for kind, several in (("containers", containers), ("initContainers", sequence(pod, "initContainers"))):
        for number, container in enumerate(several):
            inner = f"{path}.{kind}.{number}"
            name = container.get("name", "")
            if not names.is_label(name):
                yield f"{inner}.name must be a DNS label, not {name!r}"
            if name in seen:
                yield f"{inner}.name: {name} is there twice"
            seen.add(name)
            if not is_patch and not container.get("image"):
                yield f"{inner}.image must be set"
            if kind == "initContainers" and container.get("restartPolicy") != "Always":
                for probe in (*_PROBES, "lifecycle"):
                    if probe in container:
                        yield f"{inner}.{probe} must not be set: the container is no sidecar"
            yield from _container_problems(container, inner)
            if not is_patch:
                for mount in sequence(container, "volumeMounts"):
                    if mount.get("name") not in volumes:
                        yield f"{inner}.volumeMounts: there is no volume {mount.get('name')!r}"


def _container_problems(container: dict[str, Any], path: str) -> Iterator[str]:
    seen: set[Any] = set()
    for number, port in enumerate(sequence(container, "ports")):
        inner = f"{path}.ports.{number}"
        yield from number_problems(port, inner, {"containerPort": (1, 65535), "hostPort": (0, 65535)})
        yield from choice_problems(port, inner, {"protocol": ("TCP", "UDP", "SCTP")})
        if "name" in port:
            if not names.is_port_name(port["name"]):
                yield f"{inner}.name must have at most 15 lower-case letters, digits and hyphens"
            if port["name"] in seen:
                yield f"{inner}.name: {port['name']} is there twice"
            seen.add(port["name"])
    for number, variable in enumerate(sequence(container, "env")):
        yield from _variable_problems(variable, f"{path}.env.{number}")
    mounted = [mount.get("mountPath") for mount in sequence(container, "volumeMounts")]
    if len(set(mounted)) < len(mounted):
        yield f"{path}.volumeMounts must have different paths"
    for probe in _PROBES:
        if container.get(probe) is not None:
            yield from _probe_problems(container[probe], f"{path}.{probe}", probe)


def _variable_problems(variable: dict[str, Any], path: str) -> Iterator[str]:
    name = variable.get("name", "")
    if not _ENVIRONMENT_NAME.fullmatch(name):
        yield f"{path}.name must be the name of an environment variable, not {name!r}"
    source = variable.get("valueFrom")
    if source is None:
        return
    if variable.get("value"):
        yield f"{path} must have one of value and valueFrom, not both"
    if len(source) != 1:
        yield f"{path}.valueFrom must have one source, not {len(source)}"
    field = mapping(source, "fieldRef").get("fieldPath")
    if field is not None and not _FIELDS.fullmatch(field):
        yield f"{path}.valueFrom.fieldRef.fieldPath must be a field of the pod, not {field!r}"


def _probe_problems(probe: dict[str, Any], path: str, kind: str) -> Iterator[str]:
    handlers = sorted(_HANDLERS & probe.keys())
    if len(handlers) != 1:
        yield f"{path} must have one handler, not {' and '.join(handlers) or 'none'}"
    at_least = {"initialDelaySeconds": 0, "timeoutSeconds": 1, "periodSeconds": 1, "failureThreshold": 1}
    limits = {field: (least, _MOST) for field, least in at_least.items()}
    limits["successThreshold"] = (1, _MOST if kind == "readinessProbe" else 1)
    limits["terminationGracePeriodSeconds"] = (1, 2**63 - 1)
    yield from number_problems(probe, path, limits)
    if kind == "readinessProbe" and "terminationGracePeriodSeconds" in probe:
        yield f"{path}.terminationGracePeriodSeconds must not be set for readiness probes"
    if "grpc" in probe:
        yield from number_problems(probe["grpc"], f"{path}.grpc", {"port": (1, 65535)})
    for handler in ("httpGet", "tcpSocket"):
        if handler in probe:
            yield from port_reference_problems(probe[handler].get("port"), f"{path}.{handler}.port")
    if "httpGet" in probe:
        yield from choice_problems(probe["httpGet"], f"{path}.httpGet", {"scheme": ("HTTP", "HTTPS")})


def number_problems(
    fields: dict[str, Any], path: str, limits: Mapping[str, tuple[int, int]]
) -> Iterator[str]:
    """Numbers that are out of their range."""
    for name, (least, most) in limits.items():
        value = fields.get(name)
        if value is not None and not least <= value <= most:
            yield f"{path}.{name} must be from {least} to {most}, not {value}"


def choice_problems(
    fields: dict[str, Any], path: str, choices: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Fields with other values than those that there are."""
    for name, allowed in choices.items():
        value = fields.get(name)
        if value is not None and value not in allowed:
            yield f"{path}.{name} must be one of {', '.join(allowed)}, not {value!r}"


def port_reference_problems(port: Any, path: str) -> Iterator[str]:
    """What is wrong with a port that is a number or the name of a container's port."""
    if isinstance(port, str):
        if not names.is_port_name(port):
            yield f"{path} must be a number or a port's name, not {port!r}"
    elif port is not None:
        yield from number_problems({"number": port}, path, {"number": (1, 65535)})
