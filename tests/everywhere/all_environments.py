"""Both distributions in throw-away environments, from the oldest of what they depend on to the newest.

`make everywhere`. The oldest are the lower bounds of the two pyproject.toml: what they say is tested.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.everywhere.samples import ROOT, exercised, generate, run

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def lower_bounds(*projects: Path) -> list[str]:
    """What the projects depend on, at the oldest version that they admit; not each other."""
    found: dict[str, str] = {}
    for project in projects:
        with (project / "pyproject.toml").open("rb") as file:
            dependencies = tomllib.load(file)["project"]["dependencies"]
        for requirement in map(Requirement, dependencies):
            if requirement.name != "dubbo-mesh":
                (lower,) = (part.version for part in requirement.specifier if part.operator == ">=")
                assert found.setdefault(requirement.name, lower) == lower, "the two projects differ"
    return [f"{name}=={version}" for name, version in found.items()]


def pythons() -> Iterator[Path]:
    """The Pythons of this machine that are new enough: those on PATH, and pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in range(11, 20):
        name = f"python3.{minor}"
        for candidate in (shutil.which(name), *sorted(root.glob(f"versions/3.{minor}.*/bin/{name}"))):
            if candidate and subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
                yield Path(candidate)
                break


PYTHONS = list(pythons())
ENVIRONMENTS = [
    *((PYTHONS[0], age) for age in ("oldest", "protobuf<6", "protobuf<7")),
    *((python, "newest") for python in PYTHONS),
]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both distributions."""
    dist = tmp_path_factory.mktemp("dist")
    for project in (ROOT / "runtime", ROOT):
        run(PYTHONS[0], "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={dist}", project)
    return sorted(dist.glob("*.whl"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("python", "age"), ENVIRONMENTS, ids=[f"{p.name}-{age}" for p, age in ENVIRONMENTS])
def test_environment(python: Path, age: str, wheels: list[Path], tmp_path: Path) -> None:
    """Generates with the plugin and calls with the runtime that are installed."""
    run(python, "-m", "venv", tmp_path / "venv")
    inside = tmp_path / "venv" / "bin" / "python"
    wanted: list[str] = [] if age == "newest" else [age]
    if age == "oldest":
        wanted = lower_bounds(ROOT, ROOT / "runtime")
    run(inside, *PIP, *wanted, *wheels)
    installed = json.loads(run(inside, "-m", "pip", "list", "--format=json").stdout)
    versions = [f"{package['name']} {package['version']}" for package in installed]
    print(f"\n{python.name}, {age}:", ", ".join(versions))

    output = generate(
        tmp_path / "out",
        protoc=[inside, "-m", "grpc_tools.protoc"],
        plugin=inside.with_name("protoc-gen-dubbo-mesh"),
        kinds=["python", "dubbo-mesh"],
    )

    assert output == generate(tmp_path / "here")
    assert exercised(inside, tmp_path / "out") == 4 * 7
