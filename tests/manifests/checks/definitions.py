"""The CustomResourceDefinitions of Istio and of the Gateway API."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from tests.manifests.checks.go_modules import Module

ISTIO = Module("istio.io/api", "v1.31.4", "h1:AcnncYrlDj1PJkym7h88Gggkef4MAra8QpGaXRMsr+E=")
GATEWAY_API = Module("sigs.k8s.io/gateway-api", "v1.6.3", "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=")

Schema = Mapping[str, Any]


class Definition(NamedTuple):
    """A kind of custom resources.

    Attributes:
        schemas: the schema of each version that is served.
    """

    group: str
    kind: str
    schemas: Mapping[str, Schema]


@functools.cache
def definition(group: str, kind: str) -> Definition | None:
    """The definition of a kind, if there is one.

    Raises:
        DownloadError: the definitions cannot be downloaded.
    """
    text = _texts().get((group, kind))
    if text is None:
        return None
    spec = yaml.load(text, yaml.CSafeLoader)["spec"]
    return Definition(
        group,
        kind,
        {
            version["name"]: version["schema"]["openAPIV3Schema"]
            for version in spec["versions"]
            if version["served"]
        },
    )


def kinds() -> list[tuple[str, str]]:
    """The group and kind of each definition."""
    return sorted(_texts())


_GROUP = re.compile(r"^  group: (\S+)$", re.MULTILINE)
_KIND = re.compile(r"^    kind: (\w+)$", re.MULTILINE)


@functools.cache
def _texts() -> Mapping[tuple[str, str], str]:
    """The definitions as text, since parsing all of them takes a second."""
    files = [
        ISTIO.directory() / "kubernetes" / "customresourcedefinitions.gen.yaml",
        *sorted((GATEWAY_API.directory() / "config" / "crd" / "standard").glob("gateway.*.yaml")),
    ]
    found: dict[tuple[str, str], str] = {}
    for file in files:
        for text in file.read_text(encoding="utf-8").split("\n---\n"):
            group, kind = _GROUP.search(text), _KIND.search(text)
            if group and kind and "kind: CustomResourceDefinition\n" in text:
                found[group[1], kind[1]] = text
    return found
