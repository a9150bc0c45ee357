"""Where a project sets the plugin's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .settings import pyproject

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from .settings import Settings

_TABLES = (
    ("tool", "hatch", "build", "hooks", "dubbo-mesh", "options"),
    ("tool", "dubbo-mesh", "options"),
)
"""The tables of pyproject.toml that can set parameters, highest precedence first."""


def parameter_places(settings: Settings, given: Set[str]) -> Mapping[str, str]:
    """Where each parameter in the settings was set: `--option`, or the `file:line` in pyproject.toml.

    Args:
        settings: the settings, as read from the project.
        given: the parameters on the command line.
    """
    file = pyproject(settings.project)
    content = file.content()
    places: dict[str, str] = {}
    for name in settings.options:
        if name in given:
            places[name] = "--option"
            continue
        for table in _TABLES:
            if name in _at(content, table):
                places[name] = file.where((*table, name))
                break
    return places


def _at(content: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        content = content.get(key, {})
    return content
