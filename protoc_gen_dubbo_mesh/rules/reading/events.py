"""The events of a YAML parser, typed. Nothing else imports the parser, which has no types."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ..positions import Position
from ..problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class EventKind(StrEnum):
    """What happens in a file."""

    DOCUMENT = "DocumentStartEvent"
    DOCUMENT_END = "DocumentEndEvent"
    SEQUENCE = "SequenceStartEvent"
    SEQUENCE_END = "SequenceEndEvent"
    MAPPING = "MappingStartEvent"
    MAPPING_END = "MappingEndEvent"
    SCALAR = "ScalarEvent"
    ALIAS = "AliasEvent"
    OTHER = ""


class Event(NamedTuple):
    """An event.

    Attributes:
        kind: what happens.
        where: its place.
        anchor: the anchor of a node, or the one that an alias means.
        tag: the tag of a node, if it is written.
        text, plain: the text of a scalar, and whether it has neither quotes nor a tag.
    """

    kind: EventKind
    where: Position
    anchor: str | None
    tag: str | None
    text: str
    plain: bool


class SyntaxProblemError(Exception):
    """A file is not YAML."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


_KINDS = {str(kind): kind for kind in EventKind}


def events(text: str, file: str) -> Iterator[Event]:
    """The events of a file.

    Raises:
        SyntaxProblemError: it is not YAML from here on.
    """
    parser: Any = YAML(typ="safe", pure=True)
    try:
        for event in parser.parse(text):
            yield _event(event, file)
    except MarkedYAMLError as error:
        raise SyntaxProblemError(_problem(error, file)) from None
    except YAMLError as error:
        first = str(error).strip().partition("\n")[0]
        raise SyntaxProblemError(Problem(Position(file, 1), f"not YAML: {first}")) from None


def _event(event: Any, file: str) -> Event:
    implicit: Any = getattr(event, "implicit", None)
    tag = getattr(event, "tag", None)
    kind = _KINDS.get(type(event).__name__, EventKind.OTHER)
    return Event(
        kind,
        Position(file, event.start_mark.line + 1, event.start_mark.column + 1),
        getattr(event, "anchor", None),
        None if tag is None else str(tag),
        getattr(event, "value", ""),
        kind is EventKind.SCALAR and implicit[0] is True,
    )


def _problem(error: Any, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Position(file, 1) if mark is None else Position(file, mark.line + 1, mark.column + 1)
    if "\\t" in (error.problem or ""):
        return Problem(where, "a tab cannot indent YAML: use spaces")
    return Problem(where, f"not YAML: {error.problem or error.context}")
