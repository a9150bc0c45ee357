"""Names in protos. A request need not come from a compiler, which would have checked them."""

from __future__ import annotations

import re

_PROTO_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def is_proto_name(name: str) -> bool:
    """Whether proto compilers accept this name: identifiers separated by dots."""
    # The first check accepts most names, in a fraction of the time.
    return (name.isascii() and name.isidentifier()) or _PROTO_NAME.fullmatch(name) is not None
