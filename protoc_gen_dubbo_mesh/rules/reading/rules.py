"""The rules of several files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..model import Scalar
from ..positions import Position
from ..problems import Problem
from . import legacy_urls, mesh_rule, resources
from .tree import Documents, Mapping, Sequence, documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Rule
    from .tree import Node

_EXPECTED = (
    "not a Dubbo rule: expected a mapping with conditions, tags, configs, affinityAware, script or kind"
)


class Rules(NamedTuple):
    """The rules of some files.

    Attributes:
        rules: in the order of the files.
        problems: what is wrong in the files.
        files: their names.
        broken: files that cannot be parsed, whose rules Dubbo drops.
    """

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    files: tuple[str, ...]
    broken: tuple[str, ...]


def read(files: Iterable[str]) -> Rules:
    """Reads files of rules."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    names: list[str] = []
    broken: list[str] = []
    for file in files:
        names.append(file)
        text = text_of(file, problems)
        if text is None:
            continue
        found = documents(text, file)
        problems += found.problems
        if found.is_broken:
            broken.append(file)
            continue
        rules += _of_file(found, file, problems)
    return Rules(tuple(rules), tuple(problems), tuple(names), tuple(broken))


def text_of(file: str, problems: list[Problem]) -> str | None:
    """The text of a file; None if it cannot be read."""
    try:
        return Path(file).read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.append(Problem(Position(file, 1), f"cannot be read: {error.strerror}"))
    except ValueError as error:  # it is not UTF-8, or its name has a null character
        reason = (
            "not UTF-8: convert it" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error}"
        )
        problems.append(Problem(Position(file, 1), reason))
    return None


def _of_file(found: Documents, file: str, problems: list[Problem]) -> list[Rule]:
    rules: list[Rule] = []
    mesh: list[Mapping] = []
    place: int | None = None
    if not any(found.trees):
        problems.append(_refused(None, file))
    for tree, duplicate in zip(found.trees, found.duplicates, strict=True):
        if tree is None:
            continue
        before = len(rules)
        if isinstance(tree, Sequence):
            urls = legacy_urls.read(tree, problems)
            if urls is None:
                problems.append(_refused(tree, file))
            rules += urls or ()
        elif isinstance(tree, Mapping):
            for each in resources.rules_of(tree, problems):
                if isinstance(each, resources.Mesh):
                    place = len(rules) if place is None else place
                    mesh.append(each.tree)
                elif isinstance(each, Mapping | Sequence | Scalar):
                    problems.append(_refused(each, file))
                else:
                    rules.append(each)
        else:
            problems.append(_refused(tree, file))
        rules[before:] = [
            rule._replace(header=rule.header._replace(duplicate=duplicate)) for rule in rules[before:]
        ]
    if mesh:
        rules.insert(place or 0, mesh_rule.read(mesh, problems))
    return rules


def _refused(tree: Node | None, file: str) -> Problem:
    where = Position(file, 1) if tree is None else tree.where
    return Problem(where, f"{_EXPECTED}; found {resources.described(tree)}")
