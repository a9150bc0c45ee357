"""Files of environment variables, for shells and for Docker's `env_file`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_VALUE = re.compile(r"[A-Za-z0-9._:,/\[\]-]*")
"""What means itself in an assignment, unquoted: Docker would take quotes for a part of the value."""


def render(comment: Iterable[str], variables: Iterable[tuple[str, str]]) -> str:
    """The text of a file.

    Args:
        comment: its first lines, without `#`.
        variables: the variables, in order.

    Raises:
        ValueError: a value has a character that a shell might not take literally.
    """
    lines = [f"# {printable(line)}".rstrip() for line in comment]
    for name, value in variables:
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name} cannot be written for shells: {value!r}")
        lines.append(f"{name}={value}")
    return "\n".join(lines) + "\n"
