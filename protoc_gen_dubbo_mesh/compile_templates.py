"""Compiles the templates; run `python -m protoc_gen_dubbo_mesh.compile_templates` after a change.

That writes the `compiled_templates.py` of each room. Until it is run, the plugin notices the change and
compiles the templates itself, which only takes longer.
"""

from __future__ import annotations

from pathlib import Path

from .python.dialect import PYTHON
from .templating.compiler import compile_templates
from .templating.sources import read_templates, rooms
from .yaml.dialect import YAML


def compiled(room: str) -> str:
    """The source of a room's `compiled_templates.py`."""
    return compile_templates(room, read_templates(room), PYTHON if room == "python" else YAML)


def path(room: str) -> Path:
    """Where the compiled templates of a room are kept."""
    return Path(__file__).parent / room / "compiled_templates.py"


def main() -> None:
    """Compiles the templates of all rooms."""
    for room in rooms():
        path(room).write_text(compiled(room), encoding="utf-8")


if __name__ == "__main__":
    main()
