"""What is wrong with manifests, found in seconds and without Kubernetes or Istio.

These checks are strict, but know less than Istio and an API server, which `tests/istio` asks. Each module has
one kind: `documents` is for YAML itself, `custom_resources` for what has a CustomResourceDefinition (Istio,
Gateway API), `envoy_values` for what EnvoyFilters patch, `core` for Kubernetes' own kinds, `istio_metadata`
for Istio's labels and annotations, `kustomization` for what kustomize reads, and `bootstrap` for what Envoy
reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.manifests.checks import (
    bootstrap,
    core,
    custom_resources,
    documents,
    envoy_values,
    istio_metadata,
    kustomization,
    names,
)
from tests.manifests.checks.json_values import is_mapping, mapping


def problems(source: Path | str) -> list[str]:
    """What is wrong with a file, or with text of YAML: a line for each problem.

    Args:
        source: the file, or the text. A file is a patch if the kustomization beside it says so.
    """
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    where = f"{source.name}: " if isinstance(source, Path) else ""
    try:
        loaded = documents.load(text)
    except documents.YamlError as error:
        return [f"{where}{error}"]
    found = [*documents.ambiguous(text), *documents.unlike_json(loaded)]
    if not found:
        is_patch = isinstance(source, Path) and kustomization.is_patch(source)
        for document in loaded:
            found += [
                f"{_title(document)}: {each}" for each in _problems(document, source, is_patch=is_patch)
            ]
    return [f"{where}{each}" for each in found]


def _problems(document: Any, source: Path | str, *, is_patch: bool) -> Iterable[str]:
    if not is_mapping(document):
        return ["must be a mapping"]
    if bootstrap.is_bootstrap(document):
        return bootstrap.problems(document)
    group, _, version = str(document.get("apiVersion", "")).rpartition("/")
    kind = str(document.get("kind", ""))
    if not version or not kind:
        return ["apiVersion and kind must be set"]
    if group == kustomization.GROUP:
        return kustomization.problems(document, source.parent if isinstance(source, Path) else None)
    if custom_resources.has_definition(group):
        found = [*names.metadata_problems(document), *custom_resources.problems(document)]
    else:
        found = list(core.problems(document, is_patch=is_patch))
    if not found:
        found += istio_metadata.problems(mapping(document, "metadata"), kind, "metadata")
        if kind == "EnvoyFilter":
            found += envoy_values.problems(document)
        elif kind == "Deployment":
            template = mapping(mapping(document, "spec"), "template")
            found += istio_metadata.problems(mapping(template, "metadata"), "Pod", "spec.template.metadata")
    return found


def _title(document: Any) -> str:
    if not is_mapping(document) or bootstrap.is_bootstrap(document):
        return "bootstrap" if is_mapping(document) else "document"
    metadata: Any = document.get("metadata")
    name = metadata.get("name", "") if is_mapping(metadata) else ""
    return f"{document.get('kind', 'document')} {name}".rstrip()
