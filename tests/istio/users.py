"""A user's kustomization, which has Deployments and takes emitted components."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.istio import cluster


def kustomization(directory: Path, components: Path) -> None:
    """Writes one with the Deployments that components patch, as their users would have written them.

    Args:
        directory: Where to write.
        components: The directory `kubernetes` of what is emitted.
    """
    directory.mkdir()
    cluster.write(directory / "deployments.yaml", _deployments(components))
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["deployments.yaml"],
        "components": [os.path.relpath(components, directory)],
    }
    (directory / "kustomization.yaml").write_text(json.dumps(content))


def deployment(name: str, container: str, namespace: str) -> dict[str, Any]:
    """A Deployment that knows nothing of a mesh."""
    labels = {"run": name}
    containers = [{"name": container, "image": "registry.example/it:1"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def _deployments(components: Path) -> Iterator[Mapping[str, Any]]:
    for file in sorted(components.rglob("kustomization.yaml")):
        for patch in yaml.safe_load(file.read_text()).get("patches", ()):
            patched = yaml.safe_load((file.parent / patch["path"]).read_text())
            container = patched["spec"]["template"]["spec"]["containers"][0]["name"]
            target = patch["target"]
            yield deployment(target["name"], container, target.get("namespace", cluster.NAMESPACE))
