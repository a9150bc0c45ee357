"""Which file defines a message, even if it is visible through public imports only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .descriptors_pb2 import FileDescriptorProto


class MessageIndex:
    """The messages of all files of a request. Nested ones are found through the outermost message.

    Attributes:
        files: the names of all files.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._homes: dict[str, tuple[str, int]] = {}  # the file, and where the package ends in the name

    def add(self, file: FileDescriptorProto) -> None:
        """Adds the messages that a file defines."""
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
