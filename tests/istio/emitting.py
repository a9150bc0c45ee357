"""What the plugin emits for greeter.proto."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tests.generator import compiling

HERE = Path(__file__).parent
PROTO = "greeter.proto"


class Emitted(NamedTuple):
    """One run of the plugin.

    Attributes:
        directory: Where everything is, protoc's module too.
        module: The generated module, imported.
    """

    directory: Path
    module: ModuleType

    @property
    def kubernetes(self) -> Path:
        """The directory of what a mesh is not needed for: Services."""
        return self.directory / "kubernetes"

    @property
    def manifests(self) -> list[Path]:
        """The directories of what is applied to a cluster."""
        return [
            path for name in ("kubernetes", "istio", "gateway") if (path := self.directory / name).is_dir()
        ]


def emit(directory: Path, port: int, *parameters: str, config: str = "") -> Emitted:
    """Runs the plugin for the app `greeter` on `port`, and imports the module.

    Args:
        directory: Where to write; each run needs its own.
        port: The port of the Service.
        parameters: More parameters, such as `policy=routes`.
        config: The config file, if it is not empty.
    """
    directory.mkdir(exist_ok=True)
    given = ["app=greeter", "namespace=default", f"port={port}", *parameters]
    if config:
        (directory / "mesh.toml").write_text(config)
        given.append(f"config={directory / 'mesh.toml'}")
    files = compiling.descriptors(HERE, [PROTO], directory)
    generated = compiling.generate(files, [PROTO], ",".join(given))
    assert not generated.error, generated.error
    for name, content in generated.files.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    compiling.protoc(HERE, f"--python_out={directory}", PROTO)
    if "greeter_pb2" not in sys.modules:
        sys.path.insert(0, str(directory))  # protoc's module can be loaded once in a process
    return Emitted(directory, _load(directory))


def _load(directory: Path) -> ModuleType:
    """The generated module; each run's has a name of its own."""
    specification = importlib.util.spec_from_file_location(
        f"greeter_mesh_{directory.name}", directory / "greeter_mesh.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
