"""What the proto says beside its declarations: comments, and on which line each declaration stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.descriptor_pb2 import FileDescriptorProto, SourceCodeInfo

# Numbers of the fields that make up a path in source_code_info, from descriptor.proto.
PACKAGE = 2  # FileDescriptorProto.package
MESSAGE = 4  # FileDescriptorProto.message_type
SERVICE = 6  # FileDescriptorProto.service
SYNTAX = 12  # FileDescriptorProto.syntax
EDITION = 14  # FileDescriptorProto.edition
METHOD = 2  # ServiceDescriptorProto.method

Path = tuple[int, ...]


class Comments:
    """The comments of a file's head, services and rpcs, as docstrings' text."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._locations = _locations(file)

    def of_file(self) -> str:
        """What stands above `syntax` (or `edition`) and `package`."""
        blocks: list[str] = []
        for path in ((SYNTAX,), (EDITION,), (PACKAGE,)):
            location = self._locations.get(path)
            if location is not None:
                blocks += [clean(block) for block in location.leading_detached_comments]
                blocks.append(clean(location.leading_comments))
        return "\n\n".join(filter(None, blocks))

    def at(self, path: Path) -> str:
        """What stands above the service or rpc at this path, or else beside it."""
        location = self._locations.get(path)
        if location is None:
            return ""
        return clean(location.leading_comments) or clean(location.trailing_comments)


def _locations(file: FileDescriptorProto) -> dict[Path, SourceCodeInfo.Location]:
    """The locations of the file's head, services and rpcs.

    Those of messages are most of a large request, and are skipped at once where they are in a row, before or
    after the services. Where services stand between messages, all locations are looked at.
    """
    wanted = len(file.service) + sum(len(service.method) for service in file.service)
    found = _search(file.source_code_info.location, skip=True)
    if sum(path[0] == SERVICE for path in found) < wanted:
        return _search(file.source_code_info.location, skip=False)
    return found


def _search(
    locations: Sequence[SourceCodeInfo.Location], *, skip: bool
) -> dict[Path, SourceCodeInfo.Location]:
    found: dict[Path, SourceCodeInfo.Location] = {}
    index, end = 0, len(locations)
    while index < end:
        location = locations[index]
        path = location.path
        length = len(path)
        top = path[0] if length else None
        if skip and top == MESSAGE:
            index = _end_of_messages(locations, index)
            continue
        if top == SERVICE:
            if length == 2 or (length == 4 and path[2] == METHOD):
                found.setdefault(tuple(path), location)
        elif length == 1 and top in _HEAD:
            found.setdefault((top,), location)
        index += 1
    return found


_HEAD = frozenset({PACKAGE, SYNTAX, EDITION})


def _end_of_messages(locations: Sequence[SourceCodeInfo.Location], start: int) -> int:
    """The index of the first location that is in no message, if all until there are; by doubling steps."""

    def is_inside(index: int) -> bool:
        path = locations[index].path
        return len(path) > 0 and path[0] == MESSAGE

    inside, step = start, 1
    while inside + step < len(locations) and is_inside(inside + step):
        inside += step
        step *= 2
    outside = min(inside + step, len(locations))
    while outside - inside > 1:
        middle = (inside + outside) // 2
        if is_inside(middle):
            inside = middle
        else:
            outside = middle
    return outside


def clean(comment: str) -> str:
    """A comment without its margin, the white space at the ends of lines and the blank lines around.

    That is what `inspect.cleandoc` gives back from the docstring, so the text survives exactly.
    """
    if not comment:
        return ""
    lines = [line.rstrip() for line in comment.expandtabs().split("\n")]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    if not lines:
        return ""
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line), default=0)
    return "\n".join([lines[0].lstrip(), *(line[margin:] for line in lines[1:])])


def where(file: FileDescriptorProto, *paths: Sequence[int]) -> str:
    """`file:line` of the first of `paths` that the compiler recorded; else the file's name alone."""
    for path in paths:
        for location in _at(file, path):
            return f"{file.name}:{location.span[0] + 1}"
    return file.name


def _at(file: FileDescriptorProto, path: Sequence[int]) -> Iterator[SourceCodeInfo.Location]:
    wanted = list(path)
    return (
        location
        for location in file.source_code_info.location
        if list(location.path) == wanted and location.span
    )
