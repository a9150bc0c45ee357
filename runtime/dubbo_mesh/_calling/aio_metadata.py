"""The metadata of a call, as `grpc.aio` takes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc.aio

from .._context.attachments import Metadata


class LazyMetadata(grpc.aio.Metadata):
    """grpc's metadata, made of `pairs` only when somebody uses it as a mapping.

    Interceptors do, and may change it. Otherwise grpc only iterates over the pairs: making a mapping of them
    for each call, as grpc does with a tuple, would cost more than all else that a stub does.
    """

    _pairs: Metadata | None = None  # None once it is a mapping

    def __init__(self, pairs: Metadata) -> None:
        self._pairs = pairs

    def __getattr__(self, name: str) -> Any:
        if self._pairs is None:
            raise AttributeError(name)
        pairs, self._pairs = self._pairs, None
        super().__init__(*pairs)
        return getattr(self, name)

    def __len__(self) -> int:
        return super().__len__() if self._pairs is None else len(self._pairs)

    def __iter__(self) -> Iterator[Any]:
        return super().__iter__() if self._pairs is None else iter(self._pairs)

    def __add__(self, other: Any) -> grpc.aio.Metadata:
        both: grpc.aio.Metadata = grpc.aio.Metadata(*self) + other
        return both
