"""YAML as a tree that knows where everything stands.

Files come from anywhere, so nothing in one may take long: aliases are counted, as SnakeYAML does (50),
nesting and size are limited, and nothing is ever constructed from tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ..model import Scalar
from ..positions import Position
from ..problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ruamel.yaml.events import Event

_MOST_ALIASES = 50
_DEEPEST = 50
_LARGEST = 16 * 2**20  # characters


class Sequence(NamedTuple):
    """A sequence."""

    items: tuple[Node, ...]
    where: Position


class Mapping(NamedTuple):
    """A mapping: its entries in the order of the file, duplicates included."""

    entries: tuple[tuple[Scalar, Node], ...]
    where: Position

    def get(self, name: str) -> Node | None:
        """The last value of a key, as Java has it."""
        return next((value for key, value in reversed(self.entries) if key.text == name), None)

    def key(self, name: str) -> Scalar | None:
        """The last key of this name."""
        return next((key for key, _ in reversed(self.entries) if key.text == name), None)


Node = Scalar | Sequence | Mapping


class Documents(NamedTuple):
    """The documents of a file.

    Attributes:
        trees: those that could be read; a document may be empty (None).
        problems: what is wrong, such as a tab or a duplicate key.
        is_broken: whether it cannot be parsed from some point on, so that Dubbo drops all of it.
    """

    trees: tuple[Node | None, ...]
    problems: tuple[Problem, ...]
    is_broken: bool


def documents(text: str, file: str) -> Documents:
    """Reads the documents of a file.

    Args:
        text: its text; CRLF, a byte order mark and any encoding's characters are fine.
        file: its name.
    """
    builder = _Builder(file)
    if len(text) > _LARGEST:
        size = f"{len(text) >> 20} MiB is too large for rules: the limit is {_LARGEST >> 20} MiB"
        return Documents((), (Problem(Position(file, 1), size),), is_broken=True)
    parser = YAML(typ="safe", pure=True)
    broken = True
    try:
        builder.build(parser.parse(text))
        broken = False
    except _RefusedError as refused:
        builder.problems.append(refused.problem)
    except MarkedYAMLError as error:
        builder.problems.append(_syntax(error, file))
    except YAMLError as error:
        builder.problems.append(Problem(Position(file, 1), f"not YAML: {error}"))
    return Documents(tuple(builder.documents), tuple(builder.problems), broken)


def _syntax(error: MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Position(file, 1) if mark is None else Position(file, mark.line + 1, mark.column + 1)
    if "\\t" in (error.problem or ""):
        return Problem(where, "a tab cannot indent YAML: use spaces")
    return Problem(where, f"not YAML: {error.problem or error.context}")


class _RefusedError(Exception):
    def __init__(self, where: Position, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(where, message)


class _Builder:
    """Builds the trees of a file from the parser's events, without recursion."""

    def __init__(self, file: str) -> None:
        self.documents: list[Node | None] = []
        self.problems: list[Problem] = []
        self._file = file

    def build(self, events: Iterable[Event]) -> None:
        events = iter(events)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self.documents.append(self._document(events))

    def _document(self, events: Iterator[Event]) -> Node | None:
        anchors: dict[str, Node] = {}
        aliases = 0
        open_: list[tuple[list[Node], str | None, Position, bool]] = []
        root: Node | None = None
        for event in events:
            where = self._where(event)
            finished: Node | None = None
            match event:
                case DocumentEndEvent():
                    break
                case SequenceStartEvent() | MappingStartEvent():
                    if len(open_) >= _DEEPEST:
                        raise _RefusedError(where, f"nested more than {_DEEPEST} levels deep: no rule is")
                    open_.append(([], event.anchor, where, isinstance(event, MappingStartEvent)))
                    continue
                case SequenceEndEvent() | MappingEndEvent():
                    children, anchor, where, is_mapping = open_.pop()
                    finished = (
                        self._mapping(children, where) if is_mapping else Sequence(tuple(children), where)
                    )
                case ScalarEvent():
                    anchor = event.anchor
                    finished = Scalar(event.value, event.implicit[0], where)
                case AliasEvent():
                    anchor = None
                    aliases += 1
                    if aliases > _MOST_ALIASES:
                        raise _RefusedError(where, f"more than {_MOST_ALIASES} aliases: write the values out")
                    if event.anchor not in anchors:
                        raise _RefusedError(where, f"the alias *{event.anchor} has no anchor before it")
                    finished = anchors[event.anchor]
                case _:
                    continue
            if anchor:
                anchors[anchor] = finished
            if open_:
                open_[-1][0].append(finished)
            else:
                root = finished
        return root

    def _mapping(self, children: list[Node], where: Position) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        seen: set[str] = set()
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise _RefusedError(key.where, "a key must be a word")
            if key.text in seen:
                self.problems.append(
                    Problem(
                        key.where, f"duplicate key {key.text}: Java takes the last, dubbo-go refuses the rule"
                    )
                )
            seen.add(key.text)
            entries.append((key, value))
        return Mapping(tuple(entries), where)

    def _where(self, event: Event) -> Position:
        return Position(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
