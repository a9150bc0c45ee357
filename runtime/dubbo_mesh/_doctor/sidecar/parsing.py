"""Parses the sidecar's answers, which may be large."""

from __future__ import annotations

import gc
import json
from collections.abc import Generator
from contextlib import contextmanager

MOST_VALUES = 8_000_000
"""Values that JSON may have: a real configuration of 256 MiB has fewer, and they fit into memory."""


@contextmanager
def without_collection() -> Generator[None]:
    """Puts off garbage collection: while millions of objects are made, it takes longer than all else."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def parsed(content: bytearray) -> object:
    """Parses JSON, and empties `content` so that its text is not held twice.

    Raises:
        ValueError: it is not JSON, nested too deeply, or of more values than `MOST_VALUES`.
    """
    if sum(content.count(each) for each in (b",", b"[", b"{")) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    try:
        text = content.decode()
        content.clear()
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at position {error.pos})") from None
