"""What protoc is answered: files, or an error."""

from __future__ import annotations

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorResponse

EDITION_PROTO2 = 998  # of google.protobuf.Edition, which protobuf 5.27 does not have all of
EDITION_2024 = 1001


class Response:
    """A response. Files are serialized as they come, so that their texts are not kept as well.

    Serialized messages that are put one behind the other are one message: each brings a file.
    """

    def __init__(self) -> None:
        self._files: list[bytes] = []

    def add(self, name: str, content: str) -> None:
        """Adds a file to write."""
        response = CodeGeneratorResponse()
        response.file.add(name=name, content=content)
        self._files.append(response.SerializeToString())

    def pieces(self) -> list[bytes]:
        """The files so far, as protoc reads them if they are put one behind the other."""
        return [_head(), *self._files]


def refusal(error: str) -> bytes:
    """An answer that has an error in place of files, as protoc reads it."""
    return _head(error)


def _head(error: str | None = None) -> bytes:
    return CodeGeneratorResponse(
        error=error,
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=EDITION_PROTO2,
        maximum_edition=EDITION_2024,
    ).SerializeToString()
