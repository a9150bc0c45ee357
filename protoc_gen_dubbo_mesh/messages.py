"""Which file defines a message, whichever way the file that uses it came to see it (public imports)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .request_pb2 import FileDescriptorProto


class MessageIndex:
    """The messages of all files of a request. Nested ones are found by what they are nested in.

    Attributes:
        files: the names of the files.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._homes: dict[str, tuple[str, int]] = {}  # the file, and where in the name the package ends

    def add(self, file: FileDescriptorProto) -> None:
        """Takes in what a file defines."""
        self.files.add(file.name)
        prefix = f".{file.package}." if file.package else "."
        home = (file.name, len(prefix))
        for message in file.message_type:
            self._homes[prefix + message.name] = home

    def find(self, type_name: str) -> tuple[str, str] | None:
        """The file that defines `.package.Outer.Inner`, and its name there, `Outer.Inner`."""
        outer = type_name
        while outer:
            home = self._homes.get(outer)
            if home is not None:
                file, package_end = home
                return file, type_name[package_end:]
            outer = outer.rpartition(".")[0]
        return None
