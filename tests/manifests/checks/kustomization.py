"""Kustomizations and components: their structure, and that the files they name are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.manifests.checks import documents, names
from tests.manifests.checks.json_values import mapping, sequence

GROUP = "kustomize.config.k8s.io"
FILE = "kustomization.yaml"
_VERSIONS = {"Component": "v1alpha1", "Kustomization": "v1beta1"}
# Source: kubectl.docs.kubernetes.io/references/kustomize/kustomization. Deprecated ones are not among them.
_FIELDS = {
    *(
        "apiVersion",
        "kind",
        "metadata",
        "resources",
        "components",
        "patches",
        "namespace",
        "labels",
        "images",
    ),
    *("configMapGenerator", "secretGenerator", "generatorOptions", "replacements", "commonAnnotations"),
    *("namePrefix", "nameSuffix", "replicas"),
}
_PATCH_FIELDS = {"path", "patch", "target", "options"}
_TARGET_FIELDS = {"group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"}


def is_patch(file: Path) -> bool:
    """Whether a kustomization beside a file uses it as a patch."""
    beside = file.with_name(FILE)
    if file.name == FILE or not beside.is_file():
        return False
    try:
        loaded = documents.load(beside.read_text(encoding="utf-8"))
    except documents.YamlError:
        return False
    return any(file.name == patch.get("path") for each in loaded for patch in sequence(each, "patches"))


def problems(kustomization: dict[str, Any], directory: Path | None) -> Iterator[str]:
    """What kustomize would refuse.

    Args:
        kustomization: the kustomization or component.
        directory: where it is; None if it is not in a file.
    """
    kind, version = kustomization["kind"], kustomization["apiVersion"].rpartition("/")[2]
    if _VERSIONS.get(kind) != version:
        yield f"apiVersion and kind must be one of {_VERSIONS}"
    for field in kustomization.keys() - _FIELDS:
        yield f"there is no field {field}, or it is deprecated"
    listed: set[str] = set()
    for field in ("resources", "components"):
        for entry in kustomization.get(field, []):
            if not isinstance(entry, str):
                yield f"{field} must have paths, not {entry!r}"
                continue
            if entry in listed:
                yield f"{field}: {entry} is there twice"
            listed.add(entry)
            yield from _missing(entry, directory, field)
    for number, patch in enumerate(sequence(kustomization, "patches")):
        yield from _patch_problems(patch, f"patches.{number}", directory)
        listed.add(patch.get("path", ""))
    for number, labels in enumerate(sequence(kustomization, "labels")):
        yield from names.label_problems(mapping(labels, "pairs"), f"labels.{number}.pairs")
    if directory is not None:
        others = {file.name for file in directory.glob("*.yaml")} - listed - {FILE}
        yield from (f"{name} is beside it, and not in it" for name in sorted(others))


def _patch_problems(patch: dict[str, Any], path: str, directory: Path | None) -> Iterator[str]:
    for field in patch.keys() - _PATCH_FIELDS:
        yield f"{path} has no field {field}"
    if ("path" in patch) == ("patch" in patch):
        yield f"{path} must have one of path and patch"
    for field in mapping(patch, "target").keys() - _TARGET_FIELDS:
        yield f"{path}.target has no field {field}"
    if "path" in patch:
        yield from _missing(patch["path"], directory, path)


def _missing(entry: str, directory: Path | None, field: str) -> Iterator[str]:
    if directory is not None and "://" not in entry and not (directory / entry).exists():
        yield f"{field}: there is no {entry}"
