"""Renders the model with the templates; each line is laid out as soon as it is complete."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Any, cast

from . import escaping, layout
from .template_runtime import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .model import Module

FILTERS: Mapping[str, Callable[..., str]] = {
    filter.__name__: filter
    for filter in (escaping.arguments, escaping.comment, escaping.docstring, escaping.literal)
}

_SUFFIX = ".j2"


class Renderer:
    """Renders modules with `templates/python/module.py.j2`."""

    def __init__(self) -> None:
        self._template = _roots()["module.py.j2"]

    def render(self, module: Module) -> str:
        """The module's text, formatted as by Black."""
        variables = {"module": module, **module.names._asdict()}
        try:
            return self._template(Context(variables, layout.fit, layout.line))
        except layout.UnsureError:
            return layout.by_black(self._template(Context(variables, layout.join, str)))


def read_templates() -> dict[str, str]:
    """The templates by file name: those in the wheel, or else in the surrounding source tree."""
    # os.path, since importing pathlib takes longer than all the rest of this module.
    package = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    directory = os.path.join(package, "templates", "python")  # noqa: PTH118
    if not os.path.isdir(directory):  # noqa: PTH112
        directory = os.path.join(package, os.pardir, "templates", "python")  # noqa: PTH118
    templates: dict[str, str] = {}
    for entry in os.scandir(directory):
        if entry.name.endswith(_SUFFIX):
            with open(entry.path, encoding="utf-8") as file:  # noqa: PTH123
                templates[entry.name] = file.read()
    return templates


def digest(sources: Mapping[str, str]) -> int:
    """A digest of the templates, to notice changes."""
    value = 0
    for name, source in sorted(sources.items()):
        value = zlib.crc32(f"{name}\0{source}\0".encode(), value)
    return value


def _roots() -> Mapping[str, Callable[[Context], str]]:
    """The compiled templates; recompiled if the templates have changed since."""
    from . import compiled_templates

    sources = read_templates()
    if digest(sources) == compiled_templates.DIGEST:
        return compiled_templates.ROOTS
    from .template_compiler import compile_templates

    namespace: dict[str, Any] = {}
    exec(compile_templates(sources), namespace)  # noqa: S102 - our own templates, compiled
    return cast("Mapping[str, Callable[[Context], str]]", namespace["ROOTS"])
