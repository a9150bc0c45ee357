"""The events of a YAML parser, typed. Nothing else imports the parser, which has no types."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ..positions import Position
from ..problems import Problem
from ..scalars import has_long_number

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
    where = Position(file, 1)
    try:
        for event in parser.parse(text):
            where = _position(event.start_mark, file)
            yield _event(event, where)
    except SyntaxProblemError:
        raise
    except MarkedYAMLError as error:
        raise SyntaxProblemError(_problem(error, file)) from None
    except YAMLError as error:
        first = str(error).strip().partition("\n")[0]
        raise SyntaxProblemError(Problem(_unacceptable(error, text, file), f"not YAML: {first}")) from None
    except Exception:  # noqa: BLE001 - such as OverflowError for the escape \\UFFFFFFFF
        message = "not YAML: a value behind this place cannot be read: look for escapes such as \\UFFFFFFFF"
        raise SyntaxProblemError(Problem(where, message)) from None


def _position(mark: Any, file: str) -> Position:
    return Position(file, mark.line + 1, mark.column + 1)


def _unacceptable(error: Any, text: str, file: str) -> Position:
    """Where a character stands that YAML does not have."""
    index = getattr(error, "position", None)
    if not isinstance(index, int) or not 0 <= index <= len(text):
        return Position(file, 1)
    before = text[:index]
    return Position(file, before.count("\n") + 1, index - before.rfind("\n"))


def _readable(text: str, where: Position) -> str:
    """The text of a scalar; joins the halves of characters that are escaped as two, as JSON does.

    Raises:
        SyntaxProblemError: it has only one half of a character, or a number of 1,000 digits.
    """
    if has_long_number(text):
        raise SyntaxProblemError(Problem(where, "a number of more than 1,000 digits: shorten it"))
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise SyntaxProblemError(Problem(where, "an escape is half of a character: write both")) from None


def _event(event: Any, where: Position) -> Event:
    implicit: Any = getattr(event, "implicit", None)
    tag = getattr(event, "tag", None)
    kind = _KINDS.get(type(event).__name__, EventKind.OTHER)
    return Event(
        kind,
        where,
        getattr(event, "anchor", None),
        None if tag is None else str(tag),
        _readable(getattr(event, "value", ""), where),
        kind is EventKind.SCALAR and implicit[0] is True,
    )


def _problem(error: Any, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Position(file, 1) if mark is None else _position(mark, file)
    if "\\t" in (error.problem or ""):
        return Problem(where, "a tab cannot indent YAML: use spaces")
    return Problem(where, f"not YAML: {error.problem or error.context}")
