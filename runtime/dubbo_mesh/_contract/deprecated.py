"""`warnings.deprecated` (PEP 702) for every supported Python.

Before Python 3.13 it comes from typing_extensions, which grpcio depends on from 1.75 on. Where that is not
installed, what is marked is deprecated for type checkers only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import deprecated
elif sys.version_info >= (3, 13):
    from warnings import deprecated
else:
    try:
        from typing_extensions import deprecated
    except ImportError:

        def deprecated(message: str, /, **_: Any) -> Any:
            """Marks what it decorates with `message`."""

            def mark(marked: Any) -> Any:
                marked.__deprecated__ = message
                return marked

            return mark


__all__ = ["deprecated"]
