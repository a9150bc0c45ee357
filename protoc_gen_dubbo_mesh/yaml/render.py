"""Renders the YAML of an emitter with its templates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..templating.runtime import Context, load_templates

if TYPE_CHECKING:
    from ..templating.dialect import Dialect

# Scalars have no line breaks (see escaping.py), so blanks at the end of a line are never part of one.
_TRAILING_BLANKS = re.compile(" +$", re.MULTILINE)


class Renderer:
    """Renders files with the templates of a room.

    Args:
        room: the emitter's package, such as `istio`; its templates are in `templates/istio/`.

    Raises:
        FileNotFoundError: the room has no templates.
    """

    def __init__(self, room: str) -> None:
        self._templates = load_templates(room, _dialect)

    def render(self, template: str, **variables: Any) -> str:
        """The text of a file, without blanks at the end of lines, and with one newline at the end.

        Args:
            template: the file name of the template, such as `app.yaml.j2`.
            variables: what the template prints.

        Raises:
            RuntimeError: the template uses a variable that is not given.
            TypeError: a printed value is neither text nor a number nor a boolean.
        """
        text = self._templates[template](Context(variables))
        if " \n" in text:
            text = _TRAILING_BLANKS.sub("", text)
        return text.rstrip("\n ") + "\n"


def _dialect() -> Dialect:
    from .dialect import YAML

    return YAML
