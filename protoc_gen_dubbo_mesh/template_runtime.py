"""What compiled templates need to run: the little of jinja2's runtime that ours use.

jinja2 compiles templates to Python, which is kept in `compiled_templates.py`. Running that against this
module in place of `jinja2.runtime` saves importing jinja2, which would double the time of a small run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Context:
    """What a template is rendered with.

    Args:
        variables: by their names.
        fit, line: see `layout`, whose these are unless lines are to stay as they are in the templates.
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
        """The variable of this name. If there is none, that is an error here, sooner than StrictUndefined."""
        try:
            return self._variables[name]
        except KeyError:
            raise RuntimeError(f"the template's {name!r} is undefined") from None

    def within(self, variables: Mapping[str, Any]) -> Context:
        """That of a template included in one: the variables of the one around it, with those of its loops."""
        return Context({**self._variables, **variables}, self.fit, self.line)
