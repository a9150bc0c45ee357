"""Code in the style of grpc's examples, with nothing changed but the module that it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "drop_in"
PLAIN, MESH = "greeter_pb2_grpc", "greeter_mesh"
OUTPUT = """\
Hello, Ada!
Hello, Ada and Grace and Barbara!
Hello, Ada, 1!
Hello, Ada, 2!
Hello, Ada, 3!
Hello, Ada!
Hello, Grace!
Hello, Barbara!
Hello, Grace! StatusCode.OK grace
Hello, Barbara!
StatusCode.INVALID_ARGUMENT nobody to greet
"""


def command(program: str, module: str, directory: Path) -> list[str]:
    """Runs a program with warnings as errors, importing stubs and servicers from `module`."""
    source = (PROGRAMS / program).read_text()
    assert source.count(f"from {PLAIN} import") == 1
    changed = directory / f"{module}_{program}"
    changed.write_text(source.replace(f"from {PLAIN} import", f"from {module} import"))
    return [sys.executable, "-W", "error", str(changed)]


@pytest.fixture(
    params=[f"{program} {module}" for program in ("server.py", "server_aio.py") for module in (PLAIN, MESH)]
)
def port(request: pytest.FixtureRequest, generated: Path, tmp_path: Path) -> Iterator[str]:
    """The port of a server."""
    program, module = request.param.split()
    environment = os.environ | {"PYTHONPATH": str(generated)}
    with subprocess.Popen(
        command(program, module, tmp_path), env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        assert server.poll() is None
        server.kill()


@pytest.mark.parametrize("module", [PLAIN, MESH])
@pytest.mark.parametrize("program", ["client.py", "client_aio.py"])
def test_the_import_is_the_whole_migration(
    port: str, program: str, module: str, generated: Path, tmp_path: Path
) -> None:
    client = subprocess.run(
        [*command(program, module, tmp_path), port],
        env=os.environ | {"PYTHONPATH": str(generated)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert client.stderr == ""
    assert client.stdout == OUTPUT
