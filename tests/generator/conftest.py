"""The modules of all goldens, together with protoc's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.generator.compiling import protoc
from tests.generator.goldens import WITH_MODULES, Case


def output_directory(case: Case, root: Path) -> Path:
    """Where in `root` the output of a case goes, so that its imports work."""
    if "import_prefix=gen.api" in case.parameter:
        return root / "gen" / "api"
    if "imports=relative" in case.parameter:
        return root / "below" / "a_package"
    return root


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of modules: those of each golden, and those that protoc writes for its messages.

    Protos of goldens with modules have different names, so that one run of a tool can look at all of them.
    """
    root = tmp_path_factory.mktemp("site")
    taken: set[str] = set()
    for case in WITH_MODULES:
        assert not taken.intersection(case.protos), f"{case.name} has a proto of another case's name"
        taken.update(case.protos)
        target = output_directory(case, root)
        target.mkdir(parents=True, exist_ok=True)
        manifests = shutil.ignore_patterns("*.yaml", "*.env")
        shutil.copytree(case.directory / "expected", target, dirs_exist_ok=True, ignore=manifests)
        protoc(case.directory, f"--python_out={root}", f"--pyi_out={root}", *case.protos)
        if target != root:
            protoc(case.directory, f"--python_out={target}", f"--pyi_out={target}", *case.protos)
    return root
