"""Protos and programs that the tests of this directory share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TYPES = """\
syntax = "proto3";
package acme;
message Item { string id = 1; }
"""

ORDERS = """\
syntax = "proto3";
package shop.api.v1;
import "acme/types.proto";
import "dubbo_mesh/v1/options.proto";
import "google/protobuf/timestamp.proto";
message Order {
  acme.Item item = 1;
  google.protobuf.Timestamp at = 2;
}
// Takes orders.
service Orders {
  option (dubbo_mesh.v1.service) = { app: "orders" port: 50051 };
  rpc place(Order) returns (acme.Item);
}
"""

MODULES = {
    "acme/types_pb2.py",
    "acme/types_pb2.pyi",
    "shop/api/v1/orders_mesh.py",
    "shop/api/v1/orders_pb2.py",
    "shop/api/v1/orders_pb2.pyi",
}

PLACES_AN_ORDER = """
import grpc
from concurrent.futures import ThreadPoolExecutor
from {package}acme.types_pb2 import Item
from {package}shop.api.v1.orders_mesh import OrdersServicer, OrdersStub, add_OrdersServicer_to_server
from {package}shop.api.v1.orders_pb2 import Order

class Orders(OrdersServicer):
    def place(self, request, context):
        return Item(id=request.item.id + "!")

server = grpc.server(ThreadPoolExecutor())
add_OrdersServicer_to_server(Orders(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with OrdersStub(target=f"127.0.0.1:{{port}}") as stub:
    print(stub.place(Order(item=Item(id="1")), timeout=10).id)
server.stop(None).wait()
"""


def write(root: Path, files: dict[str, str]) -> Path:
    """Writes files below `root`, by their paths there."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def below(root: Path) -> set[str]:
    """The paths of all files below `root`."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def run(*command: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program without the Python variables of our own environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        check=False,
    )


def output_of(*command: object, cwd: Path | None = None, **environment: str) -> str:
    """All output of a program that succeeds."""
    done = run(*command, cwd=cwd, **environment)
    output = done.stdout + done.stderr
    assert done.returncode == 0, f"status {done.returncode}: {output}"
    return output


def place_an_order(package: str, *, path: Path = Path("/"), python: object = sys.executable) -> None:
    """Imports the modules generated from the protos above, in the directory `path`, and makes a call."""
    done = run(python, "-c", PLACES_AN_ORDER.format(package=f"{package}." if package else ""), cwd=path)
    # gRPC may report on standard error that the connection ends.
    assert done.stdout == "1!\n", done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
