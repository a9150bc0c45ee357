"""Which file defines a message, whichever way the file that uses it came to see it (public imports)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor_pb2 import FileDescriptorProto


class MessageIndex:
    """The messages of all files of a request. Nested ones are found by what they are nested in."""

    def __init__(self, files: Mapping[str, FileDescriptorProto]) -> None:
        self._files: dict[str, str] = {}
        for name, file in files.items():
            prefix = f".{file.package}." if file.package else "."
            for message in file.message_type:
                self._files[prefix + message.name] = name

    def find(self, type_name: str) -> tuple[str, list[str]] | None:
        """The file that defines `.package.Outer.Inner`, and its path there: `["Outer", "Inner"]`."""
        outer = type_name
        while outer:
            file = self._files.get(outer)
            if file is not None:
                inner = type_name[len(outer) :]
                return file, [outer.rpartition(".")[2], *inner.split(".")[1:]]
            outer = outer.rpartition(".")[0]
        return None
