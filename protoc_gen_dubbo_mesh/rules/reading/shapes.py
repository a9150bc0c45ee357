"""Takes trees apart. What has another shape than expected is a problem, and counts as missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Scalar, StringMatch, Unknown
from ..problems import Problem
from ..scalars import Kind, kind
from .tree import Mapping, Sequence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .tree import Node


def is_null(node: Node | None) -> bool:
    """Whether a value is missing or null."""
    return node is None or (isinstance(node, Scalar) and kind(node) is Kind.NULL)


def scalar(tree: Mapping, name: str, problems: list[Problem]) -> Scalar | None:
    """The scalar of a key; None if it is missing or null."""
    node = tree.get(name)
    if node is None or is_null(node):
        return None
    if isinstance(node, Scalar):
        return node
    problems.append(Problem(node.where, f"{name} must be a single value, not {described(node)}"))
    return None


def mapping(tree: Mapping, name: str, problems: list[Problem]) -> Mapping | None:
    """The mapping of a key; None if it is missing or null."""
    node = tree.get(name)
    if node is None or is_null(node):
        return None
    if isinstance(node, Mapping):
        return node
    problems.append(Problem(node.where, f"{name} must be a mapping, not {described(node)}"))
    return None


def items(tree: Mapping, name: str, problems: list[Problem]) -> tuple[Node, ...] | None:
    """The items of a key's list; None if it is missing or null."""
    node = tree.get(name)
    if node is None or is_null(node):
        return None
    if isinstance(node, Sequence):
        return node.items
    problems.append(Problem(node.where, f"{name} must be a list, not {described(node)}"))
    return None


def mappings(tree: Mapping, name: str, problems: list[Problem]) -> tuple[Mapping, ...] | None:
    """The mappings in the list of a key; None if it is missing or null."""
    found = items(tree, name, problems)
    return None if found is None else tuple(_of_mappings(found, name, problems))


def _of_mappings(found: tuple[Node, ...], name: str, problems: list[Problem]) -> Iterator[Mapping]:
    for item in found:
        if isinstance(item, Mapping):
            yield item
        else:
            problems.append(
                Problem(item.where, f"each item of {name} must be a mapping, not {described(item)}")
            )


def scalars(tree: Mapping, name: str, problems: list[Problem]) -> tuple[Scalar, ...] | None:
    """The scalars in the list of a key; None if it is missing or null."""
    found = items(tree, name, problems)
    if found is None:
        return None
    problems += [
        Problem(item.where, f"each item of {name} must be a single value, not {described(item)}")
        for item in found
        if not isinstance(item, Scalar)
    ]
    return tuple([item for item in found if isinstance(item, Scalar)])


def texts(tree: Mapping, name: str, problems: list[Problem]) -> tuple[tuple[str, str], ...]:
    """The entries of a key's mapping whose values are scalars."""
    found = mapping(tree, name, problems)
    if found is None:
        return ()
    problems += [
        Problem(value.where, f"each value of {name} must be a single one, not {described(value)}")
        for _, value in found.entries
        if not isinstance(value, Scalar)
    ]
    return tuple([(key.text, value.text) for key, value in found.entries if isinstance(value, Scalar)])


def string_match(node: Node, problems: list[Problem]) -> StringMatch:
    """`{exact: east}` and such."""
    if not isinstance(node, Mapping):
        if not is_null(node):
            message = f"expected {{exact: VALUE}} or such, not {described(node)}"
            problems.append(Problem(node.where, message))
        return StringMatch((), node.where)
    problems += [
        Problem(value.where, f"expected a single value, not {described(value)}")
        for _, value in node.entries
        if not isinstance(value, Scalar)
    ]
    fields = [(key.text, value) for key, value in node.entries if isinstance(value, Scalar)]
    return StringMatch(tuple(fields), node.where)


def unknown(tree: Mapping, known: Collection[str], path: str = "") -> tuple[Unknown, ...]:
    """The keys that nothing reads.

    Args:
        tree: the mapping.
        known: those that are read.
        path: what goes before their names.
    """
    return tuple([Unknown(path + key.text, key.where) for key, _ in tree.entries if key.text not in known])


def described(node: Node) -> str:
    """What a value is, for messages."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            found = kind(node)
            article = {Kind.NULL: "", Kind.TEXT: "", Kind.INTEGER: "an "}.get(found, "a ")
            return "nothing" if found is Kind.NULL else f"{article}{found}"
