"""The rules in CustomResourceDefinitions (`x-kubernetes-validations`), which are written in CEL."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import cel

from tests.manifests.checks.json_values import is_mapping, mapping
from tests.manifests.checks.schemas import children


def broken(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """The rules that a value and its parts break. Rules about updates do not count.

    Args:
        schema: the schema with the rules.
        value: the value, with the defaults that the schema has.
        path: where the value is in its resource.
    """
    if value is None:
        return
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"]:
            yield from _broken(rule, value, path or "the resource")
    for part, inner, item in children(schema, value):
        yield from broken(inner, item, f"{path}.{part}".lstrip("."))


def rules(schema: Mapping[str, Any]) -> Iterator[str]:
    """All rules in a schema."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["rule"]
    for inner in (
        *mapping(schema, "properties").values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ):
        if is_mapping(inner):
            yield from rules(inner)


@functools.cache
def compiled(rule: str) -> cel.Program:
    """A rule as a program.

    Raises:
        ValueError: it cannot be compiled.
    """
    return cel.compile(rule)


def _broken(rule: Mapping[str, str], value: Any, path: str) -> Iterator[str]:
    try:
        holds = compiled(rule["rule"]).execute({"self": value})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        yield f"{path}: the rule {rule['rule']} cannot be evaluated: {error}"
        return
    if holds is not True:
        yield f"{path}: {rule.get('message', rule['rule'])}"
