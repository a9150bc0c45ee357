"""The rules of several files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..model import Scalar
from ..positions import Position
from ..problems import Problem
from . import data_ids, legacy_urls, mesh_rule, resources
from .tree import LARGEST, Documents, Mapping, Sequence, documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Rule
    from .tree import Node

_EXPECTED = (
    "not a Dubbo rule: expected a mapping with conditions, tags, configs, affinityAware, script or kind"
)


_MOST_PROBLEMS = 100


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
        of_file: list[Problem] = []
        text = text_of(file, of_file)
        if text is not None:
            found = documents(text, file)
            of_file += found.problems
            if found.is_broken:
                broken.append(file)
            else:
                rules += _of_file(found, file, of_file)
        problems += _first(of_file)
    return Rules(tuple(rules), tuple(problems), tuple(names), tuple(broken))


def _first(problems: list[Problem]) -> list[Problem]:
    """The first problems of a file: nobody reads thousands."""
    if len(problems) <= _MOST_PROBLEMS:
        return problems
    more = f"{len(problems) - _MOST_PROBLEMS:,} more problems: correct these first"
    return [*problems[:_MOST_PROBLEMS], Problem(problems[_MOST_PROBLEMS].where, more)]


def text_of(file: str, problems: list[Problem]) -> str | None:
    """The text of a file; None if it cannot be read."""
    try:
        with Path(file).open("rb") as opened:  # perhaps a pipe, or endless
            data = opened.read(LARGEST + 1)
    except OSError as error:
        problems.append(Problem(Position(file, 1), f"cannot be read: {error.strerror}"))
        return None
    except ValueError as error:  # its name has a null character
        problems.append(Problem(Position(file, 1), f"cannot be read: {error}"))
        return None
    if len(data) > LARGEST:
        message = f"larger than {LARGEST >> 20} MiB: split the file; ZooKeeper has 1 MiB for each rule"
        problems.append(Problem(Position(file, 1), message))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        where = Position(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        encoding = "UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "another encoding"
        problems.append(Problem(where, f"not UTF-8 but {encoding}: convert the file to UTF-8"))
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
        elif (urls := legacy_urls.read(legacy_urls.lines(tree), problems)) is not None:
            rules += urls
        else:
            problems.append(_refused(tree, file))
        rules[before:] = [
            data_ids.with_key(rule._replace(header=rule.header._replace(duplicate=duplicate)), file)
            for rule in rules[before:]
        ]
    if mesh:
        rules.insert(place or 0, mesh_rule.read(mesh, problems))
    return rules


def _refused(tree: Node | None, file: str) -> Problem:
    where = Position(file, 1) if tree is None else tree.where
    return Problem(where, f"{_EXPECTED}; found {resources.described(tree)}")
