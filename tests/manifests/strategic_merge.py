"""Strategic-merge patches of Deployments, as `kubectl` and kustomize apply them.

Lists of these fields are merged by a key; other lists, and mappings with `$patch: replace`, are replaced.
Source: the `patchStrategy` and `patchMergeKey` of the fields in Kubernetes' API reference.
"""

from __future__ import annotations

from typing import Any

from tests.manifests.checks.json_values import is_mapping

_MERGE_KEYS = {"containers": "name", "env": "name", "ports": "containerPort"}


def merged(base: Any, patch: Any, field: str = "") -> Any:
    """`base` with the patch applied; neither is changed.

    Args:
        base: a value of the resource.
        patch: the same value of the patch.
        field: the name of the field that holds them.
    """
    if is_mapping(patch):
        return _merged_mapping(base, patch)
    key = _MERGE_KEYS.get(field)
    if key is None or base is None:
        return patch
    items = {item[key]: item for item in base}
    items |= {item[key]: merged(items.get(item[key]), item) for item in patch}
    return list(items.values())


def _merged_mapping(base: dict[str, Any] | None, patch: dict[str, Any]) -> dict[str, Any]:
    replaces = patch.get("$patch") == "replace"
    kept: dict[str, Any] = {} if replaces or base is None else base
    changed = {key: merged(kept.get(key), value, key) for key, value in patch.items() if key != "$patch"}
    return {**kept, **changed}
