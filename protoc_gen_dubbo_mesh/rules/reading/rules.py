"""Which kind of rule a document is, and the rules of several files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..positions import Position
from ..problems import Problem
from . import condition_rule
from .tree import Mapping, documents

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
        text = _text(file, problems)
        if text is None:
            continue
        found = documents(text, file)
        problems += found.problems
        if found.is_broken:
            broken.append(file)
            continue
        for tree in found.trees:
            rule = _rule(tree, file, problems)
            if rule is not None:
                rules.append(rule)
    return Rules(tuple(rules), tuple(problems), tuple(names), tuple(broken))


def _text(file: str, problems: list[Problem]) -> str | None:
    try:
        return Path(file).read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.append(Problem(Position(file, 1), f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(Position(file, 1), "not UTF-8: convert it"))
    return None


def _rule(tree: Node | None, file: str, problems: list[Problem]) -> Rule | None:
    if isinstance(tree, Mapping) and tree.key("conditions"):
        return condition_rule.read(tree, problems)
    where = Position(file, 1) if tree is None else tree.where
    found = "nothing" if tree is None else "text"
    problems.append(Problem(where, f"{_EXPECTED}; found {found}"))
    return None
