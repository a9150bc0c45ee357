"""Compiles the templates to Python: `python -m protoc_gen_dubbo_mesh.template_compiler` after a change.

That writes `compiled_templates.py`. Until then a run notices the change and compiles for itself, which
works as well and only takes longer.
"""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

from .render import FILTERS, digest, read_templates

_HEADER = """\
# Compiled from templates/ by `python -m protoc_gen_dubbo_mesh.template_compiler`. Do not edit.
# mypy: ignore-errors
# pyright: basic
from typing import Any

from protoc_gen_dubbo_mesh.sinks import code as escape
from protoc_gen_dubbo_mesh.template_runtime import (
    TemplateRuntimeError, Undefined, internalcode, missing
)

DIGEST = {digest}
environment: Any = None
"""


def compile_templates(sources: dict[str, str]) -> str:
    """The Python module that templates, given by their files' names, become."""
    environment = jinja2.Environment(
        autoescape=True,  # `escape` being our `sinks.code`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.clear()
    environment.filters.update(FILTERS)
    parts = [_HEADER.format(digest=digest(sources))]
    roots: list[str] = []
    for name, source in sorted(sources.items()):
        python = environment.compile(source, name, name, raw=True)
        start, end = python.index("def root("), python.index("\nblocks = ")
        root = "root_" + re.sub(r"\W", "_", name)
        parts.append(python[start:end].replace("def root(", f"def {root}(", 1))
        roots.append(f"    {name!r}: {root},\n")
    parts.append("ROOTS: dict[str, Any] = {\n" + "".join(roots) + "}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    target = Path(__file__).with_name("compiled_templates.py")
    target.write_text(compile_templates(read_templates()), encoding="utf-8")
