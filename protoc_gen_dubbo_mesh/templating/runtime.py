"""The part of jinja2's runtime that our compiled templates use.

Running them with this module instead of `jinja2.runtime` avoids importing jinja2, which would double the time
of a small run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from . import sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .dialect import Dialect


class Context:
    """The variables that a template is rendered with.

    Args:
        variables: the variables by name.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def resolve_or_missing(self, name: str) -> Any:
        """The variable of this name; an undefined one is an error at once, unlike with StrictUndefined."""
        try:
            return self._variables[name]
        except KeyError:
            raise RuntimeError(f"the template's {name!r} is undefined") from None

    def within(self, variables: Mapping[str, Any]) -> Context:
        """The context of an included template: the variables of the including one, and of its loops."""
        return Context({**self._variables, **variables})


def load_templates(room: str, dialect: Callable[[], Dialect]) -> Mapping[str, Callable[[Any], str]]:
    """The compiled templates of a room by file name; recompiled if one has changed since.

    Args:
        room: the package whose templates they are.
        dialect: imports the dialect in which to recompile them.
    """
    package = __name__.partition(".")[0]
    templates = sources.read_templates(room)
    try:
        compiled: Any = import_module(f"{package}.{room}.compiled_templates")
    except ModuleNotFoundError:  # they have never been compiled
        compiled = None
    if compiled is not None and sources.digest(templates) == compiled.DIGEST:
        return cast("Mapping[str, Callable[[Any], str]]", compiled.ROOTS)
    from .compiler import compile_templates

    namespace: dict[str, Any] = {}
    exec(compile_templates(room, templates, dialect()), namespace)  # noqa: S102 - our own templates
    return cast("Mapping[str, Callable[[Any], str]]", namespace["ROOTS"])
