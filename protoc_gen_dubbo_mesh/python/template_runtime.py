"""The part of jinja2's runtime that our compiled templates use.

The templates are compiled ahead of time (`template_compiler`). Running them with this module instead of
`jinja2.runtime` avoids importing jinja2, which would double the time of a small run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Context:
    """The variables and functions that a template is rendered with.

    Args:
        variables: the variables by name.
        fit, line: the functions of `layout`, or others that keep lines as they are in the templates.
    """

    def __init__(
        self,
        variables: Mapping[str, Any],
        fit: Callable[[str, str, tuple[str, ...], str], str],
        line: Callable[[str], str],
    ) -> None:
        self.fit = fit
        self.line = line
        self._variables = variables

    def resolve_or_missing(self, name: str) -> Any:
        """The variable of this name; an undefined one is an error at once, unlike with StrictUndefined."""
        try:
            return self._variables[name]
        except KeyError:
            raise RuntimeError(f"the template's {name!r} is undefined") from None

    def within(self, variables: Mapping[str, Any]) -> Context:
        """The context of an included template: the variables of the including one, and of its loops."""
        return Context({**self._variables, **variables}, self.fit, self.line)
