"""The protos of this directory, and running what makes modules of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from protoc_gen_dubbo_mesh.project.sources import proto_path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROTOS = HERE / "protos"
PLUGIN = Path(sys.executable).with_name("protoc-gen-dubbo-mesh")

FILES = ("billing/invoices.proto", "shop/money.proto", "shop/v1/orders.proto", "shop/v1/stock.proto")
MODULES = ("billing.invoices_mesh", "shop.v1.orders_mesh", "shop.v1.stock_mesh")

GRPC_TOOLS = (sys.executable, "-m", "grpc_tools.protoc")


def run(
    *command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command that must succeed, in an environment where Python is as users have it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**clean, **(env or {})}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


def generate(
    out: Path,
    *,
    protoc: Sequence[object] = GRPC_TOOLS,
    files: Sequence[str] = FILES,
    protos: Path = PROTOS,
    plugin: Path = PLUGIN,
    parameter: str = "",
    kinds: Sequence[str] = ("dubbo-mesh",),
    env: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """The modules that protoc and our plugin write for `files`, by path; they say nothing while they do."""
    out.mkdir(parents=True, exist_ok=True)
    done = run(
        *protoc,
        f"--plugin=protoc-gen-dubbo-mesh={plugin}",
        f"-I{protos}",
        f"-I{proto_path()}",
        *(f"--{kind}_out={out}" for kind in kinds),
        f"--dubbo-mesh_opt={parameter}",
        *files,
        env=env,
    )
    assert done.stdout == done.stderr == ""
    return written(out)


def written(out: Path) -> dict[str, bytes]:
    """Our modules below `out`, by path."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*_mesh.py"))}


def exercised(python: object, out: Path, *modules: str) -> int:
    """How many calls went through what is below `out`: to each rpc, sync and async, answered and not."""
    return int(run(python, ROOT / "tests" / "generator" / "exercise.py", out, *(modules or MODULES)).stdout)
