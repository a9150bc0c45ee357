"""Environments with the wheels of both distributions, created once: one for builds, one for users."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from tests.hooks.generating import SETTINGS, Generating
from tests.hooks.samples import ORDERS, TYPES, output_of, write

ROOT = Path(__file__).parents[2]


def install(python: Path, *arguments: object) -> str:
    """Runs pip for another environment."""
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    return output_of(*pip, "install", "--quiet", *arguments)


def environment(where: Path, *arguments: object) -> Path:
    """The Python of a new environment with what pip installs for `arguments`."""
    venv.create(where, symlinks=True)  # a copied Python does not always find its libraries
    python = where / "bin" / "python"
    install(python, *arguments)
    return python


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheels")
    for project in (ROOT / "runtime", ROOT):
        output_of(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, project)
    return out


@pytest.fixture(scope="session")
def builder(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment for builds: with the plugin and build backends, without pip."""
    needed = ("protoc-gen-dubbo-mesh", "build", "hatchling", "setuptools", "editables")
    return environment(tmp_path_factory.mktemp("builder"), "--find-links", wheels, *needed)


@pytest.fixture(scope="session")
def user(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with what generated code needs, and nothing else."""
    return environment(tmp_path_factory.mktemp("user"), "--find-links", wheels, "dubbo-mesh")


@pytest.fixture
def generate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Generating:
    project = tmp_path / "a project"
    write(
        project,
        {
            "pyproject.toml": SETTINGS,
            "protos/shop/api/v1/orders.proto": ORDERS,
            "shared protos/acme/types.proto": TYPES,
        },
    )
    monkeypatch.chdir(project)
    return Generating(project, capsys)
