"""What compiled templates need to run: the little of jinja2's runtime that ours use.

jinja2 compiles templates to Python, which is kept in `compiled_templates.py`. Running that against this
module in place of `jinja2.runtime` saves importing jinja2, which would double the time of a small run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

missing: Any = object()
TemplateRuntimeError = RuntimeError


class Undefined:
    """A name that a template uses and nobody defined: an error at once, stricter than StrictUndefined."""

    def __init__(self, hint: str | None = None, *, name: str = "") -> None:
        raise TemplateRuntimeError(hint or f"the template's {name!r} is undefined")


def internalcode(function: Any) -> Any:
    """Hides a function from jinja2's tracebacks; there are none here."""
    return function


class Context:
    """The variables of one rendering."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def resolve_or_missing(self, name: str) -> Any:
        """The variable of this name."""
        return self._variables.get(name, missing)

    def get_all(self) -> Mapping[str, Any]:
        """All variables, for templates that this one includes."""
        return self._variables


class Template:
    """A compiled template."""

    def __init__(self, root: Callable[..., Iterator[str]], environment: Environment) -> None:
        self._root = root
        self._environment = environment

    def root_render_func(self, context: Context) -> Iterator[str]:
        """The text; in one piece, or whoever includes this would hand on every piece of it."""
        yield "".join(self._root(context, environment=self._environment))

    @staticmethod
    def new_context(variables: Mapping[str, Any], shared: bool, local: Mapping[str, Any]) -> Context:
        """The variables of an included template: those of the one around it, its loops' too."""
        return Context({**variables, **local})


class Environment:
    """What templates share: filters and each other."""

    getattr = staticmethod(getattr)
    undefined = Undefined
    concat = "".join

    def __init__(
        self, roots: Mapping[str, Callable[..., Iterator[str]]], filters: Mapping[str, Callable[..., str]]
    ) -> None:
        self.filters = filters
        self._templates = {name: Template(root, self) for name, root in roots.items()}

    def get_template(self, name: str, parent: str | None = None) -> Template:
        """A template by its file's name."""
        return self._templates[name]

    def render(self, name: str, **variables: Any) -> str:
        """The text of a template."""
        return "".join(self._templates[name].root_render_func(Context(variables)))
