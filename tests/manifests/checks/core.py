"""Kubernetes' own kinds, by their schemas and by what a real API server refuses beyond these."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from referencing import Registry, Resource

from tests.manifests.checks import names, pods, schemas
from tests.manifests.checks.json_values import is_mapping, is_sequence, mapping, sequence

VERSION = "v1.36.0"
"""The version of Kubernetes whose schemas count."""

_SCHEMAS = f"kubernetes-json-schema/{VERSION}-local-strict"


def problems(resource: dict[str, Any], *, is_patch: bool) -> Iterator[str]:
    """What an API server would refuse.

    Args:
        resource: the resource.
        is_patch: whether it is a strategic merge patch, which may leave out what is required.
    """
    validator = _validator(resource["apiVersion"], resource["kind"])
    if validator is None:
        yield f"Kubernetes has no kind {resource['kind']} in {resource['apiVersion']}"
        return
    if is_patch:
        resource = _without_directives(resource)
    errors = [error for error in validator.iter_errors(resource) if not _is_allowed(error, is_patch)]
    yield from schemas.messages(errors)
    if errors:
        return
    yield from names.metadata_problems(resource)
    match resource["kind"]:
        case "Service":
            yield from _service_problems(resource)
        case "Deployment":
            yield from pods.deployment_problems(resource, is_patch=is_patch)
        case "Namespace":
            if not names.is_label(resource["metadata"]["name"]):
                yield "metadata.name of a Namespace must be a DNS label"
        case "ConfigMap":
            for key in (*mapping(resource, "data"), *mapping(resource, "binaryData")):
                if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key):
                    yield f"data must have file names as keys, not {key!r}"
        case _:
            pass


def _service_problems(service: dict[str, Any]) -> Iterator[str]:
    name, spec = service["metadata"]["name"], mapping(service, "spec")
    if not names.is_service_name(name):
        yield f"metadata.name must be a DNS label that begins with a letter, not {name!r}"
    yield from names.label_problems(mapping(spec, "selector"), "spec.selector")
    ports = sequence(spec, "ports")
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield "spec.ports must not be empty"
    seen: list[Any] = []
    for number, port in enumerate(ports):
        path = f"spec.ports.{number}"
        yield from pods.number_problems(port, path, {"port": (1, 65535), "nodePort": (0, 65535)})
        yield from pods.port_reference_problems(port.get("targetPort", 1), f"{path}.targetPort")
        if "name" in port or len(ports) > 1:
            port_name = port.get("name", "")
            if not names.is_label(port_name):
                yield f"{path}.name must be a DNS label, not {port_name!r}"
        if "appProtocol" in port and not names.is_key(port["appProtocol"]):
            yield f"{path}.appProtocol must be a qualified name, not {port['appProtocol']!r}"
        yield from pods.choice_problems(port, path, {"protocol": ("TCP", "UDP", "SCTP")})
        for identity in (("name", port.get("name")), (port["port"], port.get("protocol", "TCP"))):
            if identity in seen and identity[1]:
                yield f"{path}: {' '.join(map(str, identity))} is there twice"
            seen.append(identity)
    types = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
    yield from pods.choice_problems(spec, "spec", {"type": types, "sessionAffinity": ("None", "ClientIP")})


def _without_directives(value: Any) -> Any:
    """A patch without its directives, such as `$patch: replace`; unknown ones stay."""
    if is_mapping(value):
        return {
            key: _without_directives(item)
            for key, item in value.items()
            if key != "$patch" or item not in {"replace", "delete", "merge"}
        }
    if is_sequence(value):
        return [_without_directives(item) for item in value]
    return value


def _is_allowed(error: jsonschema.ValidationError, is_patch: bool) -> bool:
    """Whether a patch may have this error: it may leave out what is required."""
    return is_patch and error.validator == "required"


def _load(name: str) -> Any:
    folder = importlib.resources.files("kubernetes_validate")
    return json.loads(folder.joinpath(_SCHEMAS, name).read_text(encoding="utf-8"))


@functools.cache
def _registry() -> Registry[Any]:
    definitions: Resource[Any] = Resource.from_contents(_load("_definitions.json"))
    empty: Registry[Any] = Registry()
    return definitions @ empty


@functools.cache
def _validator(api_version: str, kind: str) -> Validator | None:
    """The validator of a kind, if Kubernetes has it: of the file `deployment-apps-v1.json`, for example."""
    group, _, version = api_version.rpartition("/")
    parts = [kind.lower(), group.partition(".")[0], version]
    try:
        schema = _load("-".join(part for part in parts if part) + ".json")
    except FileNotFoundError:
        return None
    resource: Resource[Any] = Resource.from_contents(schema)
    return jsonschema.Draft202012Validator(schema, registry=resource @ _registry())
