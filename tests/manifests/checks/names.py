"""Rules for names, labels and annotations that an API server has and no schema shows.

Source: k8s.io/apimachinery/pkg/util/validation, and pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.manifests.checks.json_values import is_mapping

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_NAME_IN_KEY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_ANNOTATIONS_SIZE = 256 * 1024  # bytes
_METADATA = {"name", "namespace", "labels", "annotations", "generateName", "finalizers", "ownerReferences"}


def is_label(name: str) -> bool:
    """Whether it is a DNS label (RFC 1123), as names of containers and of ports of Services are."""
    return len(name) <= 63 and _LABEL.fullmatch(name) is not None


def is_service_name(name: str) -> bool:
    """Whether it is a DNS label that begins with a letter (RFC 1035), as names of Services are."""
    return is_label(name) and name[0].isalpha()


def is_subdomain(name: str) -> bool:
    """Whether it is a DNS name, as names of most resources are."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def is_port_name(name: str) -> bool:
    """Whether a container's port may have this name (IANA's rule)."""
    return len(name) <= 15 and _PORT_NAME.fullmatch(name) is not None


def is_key(key: str) -> bool:
    """Whether it is a qualified name, as keys of labels and annotations are: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and not is_subdomain(prefix):
        return False
    return len(name) <= 63 and _NAME_IN_KEY.fullmatch(name) is not None


def is_label_value(value: str) -> bool:
    """Whether a label may have this value."""
    return len(value) <= 63 and (not value or _NAME_IN_KEY.fullmatch(value) is not None)


def metadata_problems(resource: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a resource's metadata; schemas look at its types at most."""
    metadata: Any = resource.get("metadata")
    if not is_mapping(metadata):
        yield "metadata must be a mapping"
        return
    for key in metadata.keys() - _METADATA:
        yield f"metadata has no field {key}, or only an API server may set it"
    name: Any = metadata.get("name")
    if not isinstance(name, str):
        yield "metadata.name must be a string"
    elif not is_subdomain(name):
        yield f"metadata.name must be a DNS name, not {name!r}"
    namespace: Any = metadata.get("namespace", "default")
    if not isinstance(namespace, str) or not is_label(namespace):
        yield f"metadata.namespace must be a DNS label, not {namespace!r}"
    yield from label_problems(metadata.get("labels", {}), "metadata.labels")
    yield from annotation_problems(metadata.get("annotations", {}), "metadata.annotations")


def label_problems(labels: Any, path: str) -> Iterator[str]:
    """What is wrong with labels, or with a selector."""
    if not is_mapping(labels):
        yield f"{path} must be a mapping"
        return
    for key, value in labels.items():
        if not is_key(key):
            yield f"{path} must have qualified names as keys, not {key!r}"
        if not isinstance(value, str) or not is_label_value(value):
            yield f"{path}.{key} must be a label's value, not {value!r}"


def annotation_problems(annotations: Any, path: str) -> Iterator[str]:
    """What is wrong with annotations."""
    if not is_mapping(annotations):
        yield f"{path} must be a mapping"
        return
    for key, value in annotations.items():
        if not is_key(key.lower()):
            yield f"{path} must have qualified names as keys, not {key!r}"
        if not isinstance(value, str):
            yield f"{path}.{key} must be a string, not {value!r}"
    if sum(len(f"{key}{value}".encode()) for key, value in annotations.items()) > _ANNOTATIONS_SIZE:
        yield f"{path} must be smaller than 256 KiB"
