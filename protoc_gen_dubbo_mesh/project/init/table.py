"""Writes `[tool.dubbo-mesh]` to pyproject.toml."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import GenerationError
from ..settings import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .code import Code
    from .roots import Layout


def table(layout: Layout, code: Code) -> str:
    """The settings of a project."""
    lines = [
        "[tool.dubbo-mesh]",
        f"roots = {_array(map(str, layout.roots))}",
        f"out = {_text(str(code.out))}",
    ]
    if layout.exclude:
        lines.append(f"exclude = {_array(layout.exclude)}")
    if layout.import_path:
        lines.append(f"import-path = {_array(map(str, layout.import_path))}")
    if code.plugins:
        lines.append(f"plugins = {_array(code.plugins)}")
    lines += [
        "",
        "[tool.dubbo-mesh.options]",
        "# The application that provides the services: the name of its Kubernetes Service.",
        '# app = "…"',
    ]
    if code.in_package:
        lines.append('imports = "relative"  # out is inside a package')
    return "".join(f"{line}\n" for line in lines)


def append(file: Path, text: str) -> None:
    """Appends to a file, which is created if it is missing, with the line endings that the file has.

    Raises:
        GenerationError: the file cannot be written, or the result would not be TOML.
    """
    try:
        before = file.read_bytes() if file.exists() else b""
        newline = b"\r\n" if b"\r\n" in before else b"\n"
        gap = b"" if not before else newline if before.endswith(b"\n") else newline * 2
        added = gap + text.encode().replace(b"\n", newline)
        try:
            tomllib.loads((before + added).decode())
        except tomllib.TOMLDecodeError as error:  # such as an inline table `tool = {…}`
            raise GenerationError(
                f"cannot be extended, since {error}: add what --dry-run shows", shown(file)
            ) from error
        with file.open("ab") as opened:
            opened.write(added)
    except OSError as error:
        raise GenerationError(f"cannot be written: {error.strerror}", shown(file)) from error


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    # The escapes of JSON are TOML's too, except for DEL, which must be escaped there.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
