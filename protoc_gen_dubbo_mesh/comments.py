"""What the proto says beside its declarations: comments, and on which line each declaration stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.descriptor_pb2 import FileDescriptorProto, SourceCodeInfo

# Numbers of the fields that make up a path in source_code_info, from descriptor.proto.
PACKAGE = 2  # FileDescriptorProto.package
SERVICE = 6  # FileDescriptorProto.service
SYNTAX = 12  # FileDescriptorProto.syntax
EDITION = 14  # FileDescriptorProto.edition
METHOD = 2  # ServiceDescriptorProto.method

Path = tuple[int, ...]


class Comments:
    """The comments of a file's head, services and rpcs, as docstrings' text.

    Only these are looked up: the other locations are most of a large request, and reading them all
    would take longer than everything else together.
    """

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

    def of_service(self, service: int) -> str:
        """What stands above the service with this index in its file."""
        return self._of((SERVICE, service))

    def of_rpc(self, service: int, rpc: int) -> str:
        """What stands above the rpc with this index in its service, or else beside it."""
        return self._of((SERVICE, service, METHOD, rpc))

    def _of(self, path: Path) -> str:
        location = self._locations.get(path)
        if location is None:
            return ""
        return clean(location.leading_comments) or clean(location.trailing_comments)


def _locations(file: FileDescriptorProto) -> dict[Path, SourceCodeInfo.Location]:
    locations: dict[Path, SourceCodeInfo.Location] = {}
    for location in file.source_code_info.location:
        path = location.path
        if path and path[0] in _LOOKED_UP:
            locations.setdefault(tuple(path), location)
    return locations


_LOOKED_UP = frozenset({PACKAGE, SERVICE, SYNTAX, EDITION})


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
