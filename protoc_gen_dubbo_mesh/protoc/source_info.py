"""The comments of a proto, and the line of each declaration."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from .descriptors_pb2 import Location, SourceCodeInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .descriptors_pb2 import FileDescriptorProto

# Numbers of the fields that make up a path in source_code_info, from descriptor.proto.
PACKAGE = 2  # FileDescriptorProto.package
MESSAGE = 4  # FileDescriptorProto.message_type
SERVICE = 6  # FileDescriptorProto.service
SYNTAX = 12  # FileDescriptorProto.syntax
EDITION = 14  # FileDescriptorProto.edition
METHOD = 2  # ServiceDescriptorProto.method
SERVICE_OPTIONS = 3  # ServiceDescriptorProto.options
METHOD_OPTIONS = 4  # MethodDescriptorProto.options
IDEMPOTENCY_LEVEL = 34  # MethodOptions.idempotency_level

Path = tuple[int, ...]


class Comments:
    """The comments of a file's head, services and rpcs, as the text of docstrings."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._locations = _locations(file)

    def of_file(self) -> str:
        """The comments above `syntax` (or `edition`) and `package`."""
        blocks: list[str] = []
        for path in _HEAD:
            location = self._locations.get(path)
            if location is not None:
                blocks += map(_head_text, location.leading_detached_comments)
                blocks.append(_head_text(location.leading_comments))
        return "\n\n".join(filter(None, blocks))

    def at(self, path: Path) -> str:
        """The comment above the service or rpc at this path, or else the one after it."""
        location = self._locations.get(path)
        if location is None:
            return ""
        return _text(location.leading_comments) or _text(location.trailing_comments)


def _packed(path: Sequence[int]) -> bytes:
    """A path as it is serialized in a location: as varints."""
    if max(path) < 0x80:
        return bytes(path)
    packed = bytearray()
    for number in path:
        while number >= 0x80:
            packed.append(number & 0x7F | 0x80)
            number >>= 7
        packed.append(number)
    return bytes(packed)


def _beginning(path: Path) -> bytes:
    """The first bytes of the serialized location of a path; compilers write the path first, as field 1."""
    packed = _packed(path)
    return b"\x0a%c%b" % (len(packed), packed)


_HEAD = ((SYNTAX,), (EDITION,), (PACKAGE,))
_HEAD_BEGINNINGS = {_beginning(path): path for path in _HEAD}


def _locations(file: FileDescriptorProto) -> dict[Path, Location]:
    """The locations of the file's head, services and rpcs.

    Those of messages make up most of a large request. They are skipped in blocks before and after the
    services; if that does not find all that are wanted, each location is examined.
    """
    declared = {
        _beginning(path): path
        for index, service in enumerate(file.service)
        for path in ((SERVICE, index), *((SERVICE, index, METHOD, rpc) for rpc in range(len(service.method))))
    }
    wanted: dict[bytes, Path] = {**declared, **_HEAD_BEGINNINGS}
    missing = {*declared.values(), (PACKAGE,)} if file.package else {*declared.values()}
    locations = SourceCodeInfo.FromString(file.source_code_info).location
    found: dict[Path, Location] = {}
    for location in _outside_messages(locations):
        if len(location) > 1 and (path := wanted.get(location[: 2 + location[1]])):
            found.setdefault(path, Location.FromString(location))
            missing.discard(path)
    if missing:
        paths = {_packed(path): path for path in wanted.values()}
        for parsed in map(Location.FromString, locations):
            if path := paths.get(parsed.path):
                found.setdefault(path, parsed)
    return found


def _outside_messages(locations: Sequence[bytes]) -> list[bytes]:
    """All locations except those of messages and what lies within blocks of such."""
    outside: list[bytes] = []
    index = 0
    while index < len(locations):
        end = _end_of_row(locations, index)
        if not _is_in_message(locations[index]):
            outside += locations[index:end]
        index = end
    return outside


def _is_in_message(location: bytes) -> bool:
    return location[2:3] == _MESSAGE_PATH


_MESSAGE_PATH = _packed((MESSAGE,))


def _end_of_row(locations: Sequence[bytes], start: int) -> int:
    """The end of the block at `start` of locations that are all in messages, or all not.

    Searched for in steps that double, which may step over shorter blocks.
    """
    kind = _is_in_message(locations[start])
    last, step = start, 1
    while last + step < len(locations) and _is_in_message(locations[last + step]) == kind:
        last += step
        step *= 2
    end = min(last + step, len(locations))
    while end - last > 1:
        middle = (last + end) // 2
        if _is_in_message(locations[middle]) == kind:
            last = middle
        else:
            end = middle
    return end


def _text(comment: bytes) -> str:
    return clean(comment.decode(errors="replace"))


_head_text = lru_cache(2**8)(_text)  # many files have the same licence at their head


def clean(comment: str) -> str:
    """A comment without indentation, trailing white space and surrounding blank lines.

    `inspect.cleandoc` returns exactly this text from the docstring.
    """
    text = comment.expandtabs().strip()
    if "\n" not in text:
        return text
    first, *rest = [line.rstrip() for line in text.split("\n")]
    margin = min([len(line) - len(line.lstrip()) for line in rest if line])
    return "\n".join([first, *[line[margin:] for line in rest]])


def described(file: FileDescriptorProto, path: Path) -> str:
    """Names the service or rpc at `path`, with its line, for messages."""
    service = file.service[path[1]]
    name = f"{file.package}.{service.name}" if file.package else service.name
    at = where(file, path)
    if len(path) == 2:
        return f"service {name} ({at})"
    return f"rpc {name}.{service.method[path[3]].name} ({at})"


def where(file: FileDescriptorProto, *paths: Path) -> str:
    """`file:line` of the first of `paths` that the compiler recorded; if there is none, the file's name."""
    for path in map(_packed, paths):
        line = _lines(file, path).at.get(path)
        if line is not None:
            return f"{file.name}:{line}"
    return file.name


def where_set(file: FileDescriptorProto, option: Path, fields: Path, declaration: Path) -> str:
    """`file:line` of the first statement that sets a field of an option, or a part of the field.

    If the compiler recorded none, it is that of the message around the field, or of the declaration.

    Args:
        file: the file.
        option: the path of the option.
        fields: the numbers of nested fields, below 128 each.
        declaration: the path of what has the option.
    """
    around = _packed_option(option)
    path = around + bytes(fields)
    lines = _lines(file, path)
    line = lines.within.get(path)
    while line is None and len(path) > len(around):
        path = path[:-1]
        line = lines.at.get(path)
    if line is None:
        line = lines.at.get(_packed_option(declaration))
    return file.name if line is None else f"{file.name}:{line}"


_packed_option = lru_cache(2**6)(_packed)  # several fields of an option are asked for


class _Lines:
    """The lines of declarations, by their packed paths.

    Attributes:
        at: the line of each location.
        within: the line of the first location that is at a path in an option or below it.
    """

    def __init__(self, file: FileDescriptorProto, kind: bytes) -> None:
        self._file = file  # while it is kept, no other file has its id
        self.at: dict[bytes, int] = {}
        self.within: dict[bytes, int] = {}
        for location in SourceCodeInfo.FromString(file.source_code_info).location:
            if location[:1] == _PATH_FIRST and (
                location[2:3] != kind or _is_within_declaration(location[2 : 2 + location[1]])
            ):
                continue
            parsed = Location.FromString(location)
            path = parsed.path
            if not parsed.span or path[:1] != kind:
                continue
            line = parsed.span[0] + 1
            self.at.setdefault(path, line)
            for end in range(_beginning_of_option(path), len(path) + 1):
                if path[end - 1] < 0x80:  # the end of a varint
                    self.within.setdefault(path[:end], line)


def _is_within_declaration(path: bytes) -> bool:
    """Whether a path leads to the name of a service or rpc, or to a type of an rpc: nobody asks for these."""
    if not path.isascii() or path[:1] != _SERVICE:  # some index is large, or it leads elsewhere
        return False
    return (len(path) == 3 and path[2:] != _SERVICE_OPTIONS) or (
        len(path) == 5 and path[2:3] == _METHOD and path[4:] != _METHOD_OPTIONS
    )


def _beginning_of_option(path: bytes) -> int:
    """A length that the path to the options in `path` has at least; more than all of it if it has none."""
    if not path.isascii():  # some index is large: look at all of it
        return 1
    if path[2:3] == _SERVICE_OPTIONS:
        return 3
    return 5 if path[2:3] == _METHOD and path[4:5] == _METHOD_OPTIONS else len(path) + 1


_SERVICE, _SERVICE_OPTIONS = bytes([SERVICE]), bytes([SERVICE_OPTIONS])
_METHOD, _METHOD_OPTIONS = bytes([METHOD]), bytes([METHOD_OPTIONS])


_PATH_FIRST = b"\x0a"
_FILES_KEPT = 2**8
_kept: dict[tuple[int, bytes], _Lines] = {}


def _lines(file: FileDescriptorProto, path: bytes) -> _Lines:
    """The lines of what a file has of the kind that the path leads to: services, messages and so on."""
    kind = path[:1]
    key = id(file), kind
    lines = _kept.get(key)
    if lines is None:
        if len(_kept) >= _FILES_KEPT:
            _kept.clear()
        lines = _kept[key] = _Lines(file, kind)
    return lines
