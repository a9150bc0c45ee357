"""The response to protoc: files, or an error."""

from __future__ import annotations

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorResponse

from ..errors import GenerationError

EDITION_PROTO2 = 998  # google.protobuf.Edition, which is incomplete in protobuf 5.27
EDITION_2024 = 1001


class Response:
    """A response. Files are serialized as they are added, so that their text need not be kept.

    Concatenated serialized messages are one message to protobuf: each holds one file.
    """

    def __init__(self) -> None:
        self._files: list[bytes] = []
        self._sources: dict[str, str] = {}

    def add(self, name: str, content: str, source: str) -> None:
        """Adds a file to write.

        Args:
            name: its path, relative to the output directory.
            content: its text.
            source: the proto that it comes from.

        Raises:
            GenerationError: a file of this path comes from another proto.
        """
        other = self._sources.setdefault(name, source)
        if other != source:
            raise GenerationError(f"{other!r} and {source!r} would both be written to {name!r}: rename one")
        response = CodeGeneratorResponse()
        response.file.add(name=name, content=content)
        self._files.append(response.SerializeToString())

    def pieces(self) -> list[bytes]:
        """The serialized response with the files so far, in pieces to be concatenated."""
        return [_head(), *self._files]


def refusal(error: str) -> bytes:
    """A serialized response with an error instead of files."""
    return _head(error)


def _head(error: str | None = None) -> bytes:
    return CodeGeneratorResponse(
        error=error,
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=EDITION_PROTO2,
        maximum_edition=EDITION_2024,
    ).SerializeToString()
