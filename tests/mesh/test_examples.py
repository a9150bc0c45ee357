"""The examples that the README shows: they run, and type checkers find nothing in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dubbo_mesh
import localmesh
from tests import sidecars

GREETER = Path(__file__).parents[2] / "examples" / "greeter"
EXAMPLES = ["client.py", "client_aio.py", "server.py", "server_aio.py"]

# Runs a server on an address of the test's, as the port in the proto may be taken.
SERVE_AT = """
import functools, runpy, sys
import dubbo_mesh.aio
for module in (dubbo_mesh, dubbo_mesh.aio):
    module.serve = functools.partial(module.serve, address=sys.argv[2])
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.fixture(params=["server.py", "server_aio.py"])
def egress(
    request: pytest.FixtureRequest, generated: Path, sidecar: Callable[..., sidecars.Sidecar], tmp_path: Path
) -> Iterator[str]:
    """The egress of a consumer whose Envoy reaches a server behind another one."""
    with localmesh.ReservedPort() as port:
        theirs = sidecar("greeter", ingress=port.address)
        ours = sidecar("consumer", egress=[sidecars.MeshService("greeter", 50052, [theirs.ingress])])
        environment = {
            "PYTHONPATH": str(generated),
            "DUBBO_MESH_ADMIN": theirs.admin_address,
            "DUBBO_MESH_PROBES": "off",
            "DUBBO_MESH_DRAIN": "0",
        }
        app = localmesh.ChildProcess(
            [sys.executable, "-c", SERVE_AT, str(GREETER / request.param), port.address],
            env=os.environ | environment,
            log=tmp_path / "server.log",
        )
        app.start()
        ours.wait_healthy("greeter", 1)
        yield ours.egress
        assert app.stop() == 0, app.log_tail()


@pytest.mark.parametrize("client", ["client.py", "client_aio.py"])
def test_clients_greet_through_the_mesh(egress: str, client: str, generated: Path) -> None:
    environment = {"PYTHONPATH": str(generated), "POD_NAMESPACE": "default", "DUBBO_MESH_EGRESS": egress}
    run = subprocess.run(
        [sys.executable, "-W", "error", str(GREETER / client), "Ada", "Grace"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.stdout == "Hello, Ada!\nHello, Grace!\n", run.stderr
    assert run.stderr == ""


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_short(example: str) -> None:
    assert len((GREETER / example).read_text().splitlines()) <= 20


def test_mypy_finds_nothing(generated: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", *EXAMPLES],
        cwd=GREETER,
        env=os.environ | {"MYPYPATH": str(generated)},
        capture_output=True,
        text=True,
    )
    assert checked.stdout == f"Success: no issues found in {len(EXAMPLES)} source files\n"


def test_pyright_finds_nothing(generated: Path, tmp_path: Path) -> None:
    # pyright takes no absolute path to include, and reports no error when it finds no file.
    for example in EXAMPLES:
        shutil.copy(GREETER / example, tmp_path)
    settings = {
        "include": EXAMPLES,
        "extraPaths": [str(generated), str(Path(dubbo_mesh.__file__).parents[1])],
        "typeCheckingMode": "strict",
        "reportMissingModuleSource": False,  # grpc's types come from a stub package
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--project", str(tmp_path), "--outputjson"],
        capture_output=True,
        text=True,
    )
    report = json.loads(checked.stdout)
    assert report["generalDiagnostics"] == []
    assert report["summary"]["filesAnalyzed"] == len(EXAMPLES)
