"""Whether the installed plugin, with the installed Black, writes the goldens: `goldens_by_black.py REQUESTS`.

REQUESTS has a file for each case in golden/: what protoc asks the plugin. Each is answered twice, laid out by
our own rules and by Black alone. Both must give what the case expects, and Black must leave that alone.
Prints the number of modules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import black
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorResponse

from protoc_gen_dubbo_mesh.plugin import run
from protoc_gen_dubbo_mesh.python import layout

GOLDEN = Path(__file__).parents[2] / "golden"


def unsure(*_: object) -> NoReturn:
    """In place of our rules: leaves each module to Black."""
    raise layout.UnsureError


Rules = dict[str, Callable[..., str]]
OURS: Rules = {"fit": layout.fit, "line": layout.line}
NONE: Rules = {"fit": unsure, "line": unsure}


def answer(request: bytes, rules: Rules) -> dict[str, str]:
    """The modules that the plugin writes, laid out by `rules`."""
    for name, rule in rules.items():
        setattr(layout, name, rule)
    response = CodeGeneratorResponse.FromString(b"".join(run(BytesIO(request)).response))
    assert not response.error, response.error
    return {file.name: file.content for file in response.file if file.name.endswith(".py")}


def check(case: Path, request: bytes) -> int:
    """Checks one case; returns how many modules it has."""
    os.chdir(case)  # where the files are that its parameters name
    expected = {
        path.relative_to("expected").as_posix(): path.read_text(encoding="utf-8")
        for path in Path("expected").rglob("*.py")
    }
    assert answer(request, OURS) == expected, f"{case.name}, by our rules"
    assert answer(request, NONE) == expected, f"{case.name}, by Black"
    for name, text in expected.items():
        assert black.format_str(text, mode=black.Mode()) == text, f"{case.name}: {name}"
    return len(expected)


if __name__ == "__main__":
    requests = [(path.name, path.read_bytes()) for path in sorted(Path(sys.argv[1]).iterdir())]
    print(sum(check(GOLDEN / name, request) for name, request in requests))
