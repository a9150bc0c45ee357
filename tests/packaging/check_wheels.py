"""What users install: the wheels, built from the sdists, in environments that have nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROTO = """
syntax = "proto3";
package shop;
import "dubbo_mesh/v1/options.proto";
message Order { string id = 1; }
// Takes orders.
service Orders {
  option (dubbo_mesh.v1.service) = { app: "orders" port: 50051 };
  rpc place(Order) returns (Order);
}
"""

PLACES_AN_ORDER = """
import grpc
from concurrent.futures import ThreadPoolExecutor
from shop.orders_mesh import OrdersServicer, OrdersStub, add_OrdersServicer_to_server
from shop.orders_pb2 import Order

class Orders(OrdersServicer):
    def place(self, request, context):
        return Order(id=request.id + "!")

server = grpc.server(ThreadPoolExecutor())
add_OrdersServicer_to_server(Orders(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with OrdersStub(target=f"127.0.0.1:{port}") as stub:
    print(stub.place(Order(id="1"), timeout=10).id)
server.stop(None).wait()
"""

IMPORTS_EVERYTHING = """
import importlib, json, pkgutil, sys
import dubbo_mesh
for module in pkgutil.walk_packages(dubbo_mesh.__path__, "dubbo_mesh."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in dir(dubbo_mesh):
    getattr(dubbo_mesh, name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def run(*command: object, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environment, cwd=cwd
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions as `python -m build` makes them: an sdist of the checkout, a wheel of the sdist."""
    out = tmp_path_factory.mktemp("dist")
    for project in (ROOT / "runtime", ROOT):
        run(sys.executable, "-m", "build", "--outdir", out, project)
    return out


def environment_with(dist: Path, where: Path, distribution: str) -> Path:
    """The Python of a new environment that has `distribution` and what it depends on."""
    venv.create(where, with_pip=True)
    python = where / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--find-links", dist, distribution)
    return python


@pytest.mark.timeout(600)
def test_the_plugin_generates_and_runs_from_its_wheel(dist: Path, tmp_path: Path) -> None:
    python = environment_with(dist, tmp_path / "venv", "protoc-gen-dubbo-mesh")
    bin_ = python.parent
    protos, generated = tmp_path / "protos", tmp_path / "generated"
    (protos / "shop").mkdir(parents=True)
    generated.mkdir()
    (protos / "shop" / "orders.proto").write_text(PROTO)
    options = run(bin_ / "protoc-gen-dubbo-mesh", "--proto-path", cwd=tmp_path).strip()

    run(
        python,
        "-m",
        "grpc_tools.protoc",
        f"--plugin=protoc-gen-dubbo-mesh={bin_ / 'protoc-gen-dubbo-mesh'}",
        f"-I{protos}",
        f"-I{options}",
        f"--python_out={generated}",
        f"--dubbo-mesh_out={generated}",
        "shop/orders.proto",
        cwd=tmp_path,
    )

    assert run(python, "-c", PLACES_AN_ORDER, cwd=generated) == "1!\n"


@pytest.mark.timeout(600)
def test_the_runtime_is_thin(dist: Path, tmp_path: Path) -> None:
    python = environment_with(dist, tmp_path / "venv", "dubbo-mesh")

    installed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    names = {package["name"].replace("_", "-").lower() for package in installed}
    assert names - {"pip", "setuptools"} == {
        "dubbo-mesh",
        "grpcio",
        "protobuf",
        "typing-extensions",  # grpcio's own need
    }
    imported = set(json.loads(run(python, "-c", IMPORTS_EVERYTHING)))
    assert "dubbo_mesh" in imported
    assert not imported & {"jinja2", "black", "grpc_tools", "protoc_gen_dubbo_mesh"}
    command = python.with_name("dubbo-mesh")
    assert run(command, "--version").startswith("dubbo-mesh 0.")
    assert "complete " in run(command, "completion", "bash")


def test_the_sdists_hold_what_they_build_from(dist: Path) -> None:
    contents = {archive.name: run("tar", "tzf", archive) for archive in dist.glob("*.tar.gz")}
    plugin = next(names for name, names in contents.items() if name.startswith("protoc_gen"))
    runtime = next(names for name, names in contents.items() if name.startswith("dubbo_mesh"))
    assert "/LICENSE" in plugin
    assert "/dubbo_mesh/v1/options.proto" in runtime
    assert "/dubbo_mesh/py.typed" in runtime
    assert "/buf.yaml" in runtime
    assert "/LICENSE" in runtime


def test_the_templates_of_all_emitters_are_in_sdist_and_wheel(dist: Path) -> None:
    templates = {str(file.relative_to(ROOT)) for file in ROOT.glob("templates/*/*.j2")}
    assert templates
    [sdist] = dist.glob("protoc_gen_dubbo_mesh-*.tar.gz")
    packed = {name.partition("/")[2] for name in run("tar", "tzf", sdist).splitlines()}
    assert templates <= packed
    [wheel] = dist.glob("protoc_gen_dubbo_mesh-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {f"protoc_gen_dubbo_mesh/{name}" for name in templates} <= set(archive.namelist())
