"""YAML as a tree that knows where everything stands.

Files come from anywhere, so nothing in one may take long: aliases are counted, as SnakeYAML does (50);
size, nesting, nodes and what `<<` adds are limited; and nothing is ever constructed from tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..model import Scalar
from ..positions import Position
from ..problems import Problem
from .events import EventKind, SyntaxProblemError, events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .events import Event

_MOST_ALIASES = 50
_DEEPEST = 50
_MOST_NODES = 100_000
_MOST_DOCUMENTS = 5_000
_MOST_MERGED = 10_000
LARGEST = 4 * 2**20
"""The size of the largest file, in bytes or characters. ZooKeeper has 1 MiB for each rule."""

_TAGS = frozenset(
    [
        f"tag:yaml.org,2002:{name}"
        for name in ("bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp", "value")
    ]
)


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
        duplicates: for each tree, a key that it has twice, if there is one.
        problems: what is wrong, such as a tab or a duplicate key.
        is_broken: whether it cannot be parsed from some point on, so that Dubbo drops all of it.
    """

    trees: tuple[Node | None, ...]
    duplicates: tuple[Scalar | None, ...]
    problems: tuple[Problem, ...]
    is_broken: bool


def documents(text: str, file: str) -> Documents:
    """Reads the documents of a file.

    Args:
        text: its text; CRLF, a byte order mark and any encoding's characters are fine.
        file: its name.
    """
    builder = _Builder()
    if len(text) > LARGEST:
        size = f"larger than {LARGEST >> 20} MiB: split the file; ZooKeeper has 1 MiB for each rule"
        return Documents((), (), (Problem(Position(file, 1), size),), is_broken=True)
    broken = True
    try:
        builder.build(events(text, file))
        broken = False
    except (_RefusedError, SyntaxProblemError) as refused:
        builder.problems.append(refused.problem)
    return Documents(tuple(builder.documents), tuple(builder.duplicates), tuple(builder.problems), broken)


def _is_foreign(tag: str | None) -> bool:
    """Whether a tag is none of YAML's own: Dubbo makes no objects of such."""
    return tag is not None and tag != "!" and tag not in _TAGS


class _RefusedError(Exception):
    def __init__(self, where: Position, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(where, message)


class _Open(NamedTuple):
    """A collection that has not ended."""

    children: list[Node]
    start: Event


class _Builder:
    """Builds the trees of a file from the parser's events, without recursion."""

    def __init__(self) -> None:
        self.documents: list[Node | None] = []
        self.duplicates: list[Scalar | None] = []
        self.problems: list[Problem] = []
        self._nodes = 0
        self._merged_entries = 0

    def build(self, found: Iterator[Event]) -> None:
        for event in found:
            if event.kind is EventKind.DOCUMENT:
                if len(self.documents) >= _MOST_DOCUMENTS:
                    message = f"more than {_MOST_DOCUMENTS:,} documents: split the file"
                    raise _RefusedError(event.where, message)
                self.duplicates.append(None)
                self.documents.append(self._document(found))

    def _document(self, found: Iterator[Event]) -> Node | None:
        anchors: dict[str, Node] = {}
        aliases = 0
        open_: list[_Open] = []
        root: Node | None = None
        for event in found:
            anchor = event.anchor
            finished: Node
            if _is_foreign(event.tag):
                raise _RefusedError(event.where, f"the tag {event.tag} is none of YAML's own: delete it")
            match event.kind:
                case EventKind.DOCUMENT_END:
                    break
                case EventKind.SEQUENCE | EventKind.MAPPING:
                    if len(open_) >= _DEEPEST:
                        message = f"nested more than {_DEEPEST} levels deep: no rule is"
                        raise _RefusedError(event.where, message)
                    open_.append(_Open([], event))
                    continue
                case EventKind.SEQUENCE_END:
                    children, start = open_.pop()
                    anchor, finished = start.anchor, Sequence(tuple(children), start.where)
                case EventKind.MAPPING_END:
                    children, start = open_.pop()
                    anchor, finished = start.anchor, self._mapping(children, start.where)
                case EventKind.SCALAR:
                    finished = Scalar(event.text, event.plain, event.where)
                case EventKind.ALIAS:
                    finished = self._alias(event, anchors)
                    anchor = None
                    aliases += not isinstance(finished, Scalar)
                    if aliases > _MOST_ALIASES:
                        message = f"more than {_MOST_ALIASES} aliases: write the values out"
                        raise _RefusedError(event.where, message)
                case _:
                    continue
            self._nodes += 1
            if self._nodes > _MOST_NODES:
                raise _RefusedError(event.where, f"more than {_MOST_NODES:,} values: split the file")
            if anchor:
                anchors[anchor] = finished
            if open_:
                open_[-1].children.append(finished)
            else:
                root = finished
        return root

    def _alias(self, event: Event, anchors: dict[str, Node]) -> Node:
        if event.anchor not in anchors:
            raise _RefusedError(event.where, f"the alias *{event.anchor} has no anchor before it")
        return anchors[event.anchor]

    def _mapping(self, children: list[Node], where: Position) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        seen: set[str] = set()
        merged: list[tuple[Scalar, Node]] = []
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise _RefusedError(key.where, "a key must be a word")
            if key.text == "<<" and key.plain:
                merged += self._merged(key, value)
                continue
            if key.text in seen:
                self.duplicates[-1] = self.duplicates[-1] or key
                self.problems.append(
                    Problem(
                        key.where, f"duplicate key {key.text}: Java takes the last, dubbo-go refuses the rule"
                    )
                )
            seen.add(key.text)
            entries.append((key, value))
        # Own keys win, and of merged ones the first; `Mapping.get` takes the last.
        kept = [entry for entry in reversed(merged) if entry[0].text not in seen]
        return Mapping((*kept, *entries), where)

    def _merged(self, key: Scalar, value: Node) -> list[tuple[Scalar, Node]]:
        """The entries that `<<` adds."""
        sources = value.items if isinstance(value, Sequence) else (value,)
        if not all(isinstance(source, Mapping) for source in sources):
            raise _RefusedError(key.where, "<< must have a mapping, or a list of them")
        found: list[tuple[Scalar, Node]] = []
        for source in sources:
            if isinstance(source, Mapping):
                self._merged_entries += len(source.entries)
                if self._merged_entries > _MOST_MERGED:
                    message = f"<< adds more than {_MOST_MERGED:,} entries: write the values out"
                    raise _RefusedError(key.where, message)
                found += source.entries
        return found
