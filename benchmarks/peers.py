"""Other plugins for Python, over one that only parses the request; with the requests of `generation`."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distributions

from benchmarks.generation import NOOP, ROOT, tasks
from benchmarks.measuring import Failure, Row, row, usage_pairs

PEERS = ROOT / ".cache" / "peers"
SLOW = ("betterproto2-compiler", "protoc-gen-connectrpc", "protoc-gen-grpc-py")
"""Those that take minutes for all of Google's services, and answer that request once only."""

# What each is called on PyPI, and its plugin.
PEER_PLUGINS = {
    "mypy-protobuf": "protoc-gen-mypy_grpc",
    "grpclib": "protoc-gen-grpclib_python",
    "betterproto2-compiler": "protoc-gen-python_betterproto2",
    "protoc-gen-connectrpc": "protoc-gen-connectrpc",
    "protoc-gen-grpc-py": "protoc-gen-grpc-py",
}


@cache
def peers() -> dict[str, list[str]]:
    """The command of each peer's plugin, by its name and version, in an environment of their own."""
    installed = PEERS / "installed"
    if not installed.exists():
        venv.create(PEERS, with_pip=True, clear=True)
        pip = [str(PEERS / "bin" / "pip"), "install", "--quiet"]
        subprocess.run([*pip, *PEER_PLUGINS, "ruff"], check=True)  # ruff is what betterproto2 formats with
        installed.touch()
    [packages] = PEERS.glob("lib/*/site-packages")
    commands: dict[str, list[str]] = {}
    for name, plugin in PEER_PLUGINS.items():
        [package] = distributions(name=name, path=[str(packages)])
        commands[f"{name} {package.version}"] = [str(PEERS / "bin" / plugin)]
    return commands


def measure() -> Iterator[Row | Failure]:
    for task in tasks():
        stored = task.stored()
        for name, command in peers().items():
            is_slow = name.startswith(SLOW) and task.what.startswith("all ")
            try:
                taken, peaks = usage_pairs(NOOP, command, 1 if is_slow else 7, stored)
            except RuntimeError as error:
                yield Failure(f"{task.what}: {name}", str(error).splitlines()[-1][-150:])
                continue
            yield row(f"{task.what}: {name}, CPU", taken, 1000, "ms")
            yield row(f"{task.what}: {name}, memory at its peak", peaks, 1, "MiB")


if __name__ == "__main__":
    for each in measure():
        print(each.markdown(), flush=True)
