"""What imports cost: the runtime over grpc, and generated modules over their `_pb2_grpc` twins."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import Row, python, row, usage_pairs

ROUNDS = 25
RPCS = 50


def wide_proto(rpcs: int) -> str:
    """A service with that many rpcs, of the four shapes in turn."""
    shapes = (
        "(M) returns (M)",
        "(M) returns (stream M)",
        "(stream M) returns (M)",
        "(stream M) returns (stream M)",
    )
    lines = [f"  // Does the thing number {n}.\n  rpc Do{n}{shapes[n % 4]};" for n in range(rpcs)]
    return 'syntax = "proto3";\npackage bench;\nmessage M {}\nservice Wide {\n' + "\n".join(lines) + "\n}\n"


def generate(directory: Path) -> None:
    """Writes wide_pb2.py, wide_pb2_grpc.py and wide_mesh.py."""
    (directory / "wide.proto").write_text(wide_proto(RPCS))
    plugin = Path(sys.executable).with_name("protoc-gen-dubbo-mesh")
    command = python(
        "-m",
        "grpc_tools.protoc",
        f"-I{directory}",
        f"--plugin=protoc-gen-dubbo-mesh={plugin}",
        *(f"--{kind}_out={directory}" for kind in ("python", "grpc_python", "dubbo-mesh")),
        "wide.proto",
    )
    subprocess.run(command, check=True)


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))

        def importing(statement: str) -> list[str]:
            return python("-c", f"import sys; sys.path.insert(0, {name!r}); {statement}")

        grpc, ours = importing("import grpc"), importing("import grpc, dubbo_mesh")
        yield from over(grpc, ours, "`import grpc, dubbo_mesh` over `import grpc`", most_added=10)
        # What generated code imports beside ours, and what it uses of ours.
        generated = "import grpc; from google.protobuf import wrappers_pb2"
        names = ("Stub", "Servicer", "Service", "EnvoyHeaders", "aio.Stub", "aio.Servicer")
        touched = ", ".join(f"dubbo_mesh.{name}" for name in names)
        all_used = f"{generated}; import dubbo_mesh, dubbo_mesh.aio; {touched}"
        what = "(all of it that generated code uses, over grpc and a `_pb2` module)"
        yield from over(importing(generated), importing(all_used), what)
        twins = f"a module of {RPCS} rpcs over its `_pb2_grpc`"
        yield from over(importing("import wide_pb2_grpc"), importing("import wide_mesh"), twins, most=1.3)


def over(base: list[str], other: list[str], what: str, **budget: float) -> Iterator[Row]:
    cpu, peak = usage_pairs(base, other, ROUNDS)
    yield row(f"{what}: CPU", cpu, 1000, "ms", **budget)
    yield row(f"{what}: memory at its peak", peak, 1, "MiB")


if __name__ == "__main__":
    for each in measure():
        print(each.markdown())
