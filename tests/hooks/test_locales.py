"""Paths with letters beyond ASCII, whatever the locale."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.hooks.generating import SETTINGS, Generating
from tests.hooks.samples import MODULES, ORDERS, run, write

SOURCES = os.pathsep.join(map(str, (Path(__file__).parents[2], Path(__file__).parents[2] / "runtime")))
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": SOURCES}
"""A build backend runs in the locale that it is given; the command restarts itself in UTF-8."""

UPDATES = """\
import os, sys
from pathlib import Path
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.project import progress, run, settings
assert sys.getfilesystemencoding() == "ascii"
try:
    read = settings.read(Path.cwd(), {"plugins": sys.argv[1:]})
    sys.exit(run.update(read, progress.Progress(sys.stderr)).summary)
except GenerationError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def in_german(generate: Generating) -> Generating:
    """The project in a directory `größe`, as are a root, the output, and a package of it."""
    project = generate.project.rename(generate.project.with_name("größe"))
    os.chdir(project)
    (project / "protos").rename(project / "prötos")
    settings = SETTINGS.replace('"protos"', '"prötos"').replace('"src"', '"größe"')
    write(project, {"pyproject.toml": settings, "prötos/länge/maß.proto": ORDERS.replace("shop.api", "mass")})
    generate.project, generate.src = project, project / "größe"
    return generate


GERMAN = MODULES | {"länge/maß_pb2.py", "länge/maß_pb2.pyi", "länge/maß_mesh.py"}


def update(project: Path, *plugins: str) -> str:
    """What a run in the project says, as a build backend starts it in an ASCII locale."""
    return run(sys.executable, "-c", UPDATES, *plugins, cwd=project, **ASCII).stderr


def files(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def test_an_ascii_locale_generates_the_same(in_german: Generating) -> None:
    project = in_german.project
    proto = project / "prötos" / "länge" / "maß.proto"
    assert update(project) == "8 written and 0 removed below gr\\xf6\\xdfe, from 3 .proto\n"
    assert files(in_german.src) == GERMAN
    # The stamp is the same in any locale.
    assert in_german() == 0
    assert in_german.err == "größe is up to date\n"
    assert in_german("--check") == 0
    proto.unlink()
    assert update(project, "grpc_python") == "2 written and 3 removed below gr\\xf6\\xdfe, from 2 .proto\n"


def test_errors_in_an_ascii_locale_are_lines(in_german: Generating) -> None:
    proto = in_german.project / "prötos" / "länge" / "maß.proto"
    proto.write_text(proto.read_text().replace("rpc", "rcp"))
    assert update(in_german.project) == 'pr\\xf6tos/l\\xe4nge/ma\\xdf.proto:13:3: Expected "rpc".\n'
    (in_german.project / "prötos").rename(in_german.project / "p")
    assert update(in_german.project).startswith("pr\\xf6tos is not a directory: ")


def test_configs_are_found_in_an_ascii_locale(in_german: Generating) -> None:
    project = in_german.project
    options = '[tool.dubbo-mesh.options]\nconfig = "maße.toml"\nservice_config = "maße.json"\n'
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{options}")
    config = '[services."*"]\napp = "in-german"\nnamespace = "a.b"\n'
    write(project, {"maße.toml": config, "maße.json": '{"methodConfig": []}'})
    assert update(project).startswith("ma\\xdfe.toml:3: namespace must be a DNS label")
    write(project, {"maße.toml": config.replace("a.b", "prod")})
    assert "8 written" in update(project)
    assert 'app="in-german"' in (in_german.src / "länge" / "maß_mesh.py").read_text(encoding="utf-8")
