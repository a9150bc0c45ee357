"""Parses the sidecar's answers, which may be large."""

from __future__ import annotations

import gc
import json


def parsed(content: bytearray) -> object:
    """Parses JSON, and empties `content` so that its text is not held twice.

    Without garbage collection: for millions of new objects that takes longer than all else.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    enabled = gc.isenabled()
    gc.disable()
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
    finally:
        if enabled:
            gc.enable()
