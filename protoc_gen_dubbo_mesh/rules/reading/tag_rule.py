"""Tag rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import ParamMatch, StringMatch, Tag, TagRule
from ..problems import Problem
from ..scalars import Kind, java_text, kind
from . import shapes
from .header import header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import Scalar
    from .tree import Mapping

_KNOWN = {"name", "addresses", "match"}


def read(tree: Mapping, problems: list[Problem], metadata: Mapping | None = None) -> TagRule:
    """Reads a tag rule."""
    head = header(tree, {"tags"}, problems, metadata)
    found = shapes.mappings(tree, "tags", problems) or ()
    return TagRule(head, tuple(_tags(found, problems)))


def _tags(found: tuple[Mapping, ...], problems: list[Problem]) -> Iterator[Tag]:
    for number, item in enumerate(found):
        name = shapes.scalar(item, "name", problems)
        if name is None:
            problems.append(Problem(item.where, f"tags[{number}] has no name: Java drops the rule"))
            continue
        if kind(name) is not Kind.TEXT:
            message = (
                f"tags[{number}].name: {name.text} is the {_described(name)} in YAML 1.1, for which Java "
                "throws a ClassCastException and drops the rule: quote it"
            )
            problems.append(Problem(name.where, message))
        match = shapes.mappings(item, "match", problems)
        yield Tag(
            name,
            item.where,
            shapes.scalars(item, "addresses", problems),
            None if match is None else tuple([param_match(each, problems) for each in match]),
            shapes.unknown(item, _KNOWN),
        )


def param_match(item: Mapping, problems: list[Problem]) -> ParamMatch:
    """`{key: zone, value: {exact: east}}`."""
    key = shapes.scalar(item, "key", problems)
    value = item.get("value")
    if key is None:
        problems.append(Problem(item.where, "match has no key: name a parameter of instances"))
    return ParamMatch(
        key.text if key else "",
        StringMatch((), item.where) if value is None else shapes.string_match(value, problems),
        item.where,
    )


def _described(name: Scalar) -> str:
    match kind(name):
        case Kind.BOOLEAN:
            return f"boolean {java_text(name)}"
        case Kind.INTEGER:
            return "number"
        case found:
            return str(found)
