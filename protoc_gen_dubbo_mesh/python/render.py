"""Renders the model with the templates; each line is laid out as soon as it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..templating.runtime import Context, load_templates
from . import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..templating.dialect import Dialect
    from .model import Module


class LayoutContext(Context):
    """The variables that a template is rendered with, and what lays its lines out.

    Args:
        variables: the variables by name.
        fit, line: the functions of `layout`, or others that keep lines as they are in the templates.
    """

    def __init__(
        self,
        variables: Mapping[str, Any],
        fit: Callable[[str, str, tuple[str, ...], str], str] = layout.fit,
        line: Callable[[str], str] = layout.line,
    ) -> None:
        super().__init__(variables)
        self.fit = fit
        self.line = line

    def within(self, variables: Mapping[str, Any]) -> LayoutContext:
        """The context of an included template."""
        return LayoutContext({**self._variables, **variables}, self.fit, self.line)


class Renderer:
    """Renders modules with `templates/python/module.py.j2`."""

    def __init__(self) -> None:
        self._template = load_templates("python", _dialect)["module.py.j2"]

    def render(self, module: Module) -> str:
        """The module's text, formatted as by Black."""
        variables = {"module": module, **module.names._asdict()}
        try:
            return self._template(LayoutContext(variables))
        except layout.UnsureError:
            return layout.by_black(self._template(LayoutContext(variables, layout.join, str)))


def _dialect() -> Dialect:
    from .dialect import PYTHON

    return PYTHON
