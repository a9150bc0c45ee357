"""The templates of the emitters' rooms, as they are in the wheel or in the source tree."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIX = ".j2"


def rooms() -> list[str]:
    """The rooms that have templates."""
    return sorted(entry.name for entry in os.scandir(_directory()) if entry.is_dir())


def read_templates(room: str) -> dict[str, str]:
    """The templates of a room by file name.

    Raises:
        FileNotFoundError: the room has no templates.
    """
    templates: dict[str, str] = {}
    for entry in os.scandir(os.path.join(_directory(), room)):  # noqa: PTH118
        if entry.name.endswith(_SUFFIX):
            with open(entry.path, encoding="utf-8") as file:  # noqa: PTH123
                templates[entry.name] = file.read()
    return templates


def digest(templates: Mapping[str, str]) -> int:
    """A digest of templates, to notice changes."""
    value = 0
    for name, source in sorted(templates.items()):
        value = zlib.crc32(f"{name}\0{source}\0".encode(), value)
    return value


def _directory() -> str:
    # os.path, since importing pathlib takes longer than all the rest of this module.
    package = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    in_wheel = os.path.join(package, "templates")  # noqa: PTH118
    if os.path.isdir(in_wheel):  # noqa: PTH112
        return in_wheel
    return os.path.join(package, os.pardir, "templates")  # noqa: PTH118
