"""Custom resources against their definitions, as an API server with `fieldValidation=Strict` checks them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.manifests.checks import cel_rules, schemas
from tests.manifests.checks.definitions import definition, kinds


def has_definition(group: str) -> bool:
    """Whether kinds of this API group are defined by Istio or the Gateway API."""
    return any(group == defined for defined, _ in kinds())


def problems(resource: dict[str, Any]) -> Iterator[str]:
    """What an API server would refuse: by the schema, and if that finds nothing, by the CEL rules."""
    group, _, version = resource["apiVersion"].rpartition("/")
    defined = definition(group, resource["kind"])
    if defined is None:
        yield f"{group} has no kind {resource['kind']}"
        return
    schema = defined.schemas.get(version)
    if schema is None:
        yield f"apiVersion must be one of {', '.join(sorted(defined.schemas))}, not {version}"
        return
    found = [*schemas.errors(schema, resource), *schemas.duplicates(schema, resource)]
    yield from found
    if not found:
        complete = copy.deepcopy(resource)
        schemas.add_defaults(schema, complete)
        yield from cel_rules.broken(schema, complete)
