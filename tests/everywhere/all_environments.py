"""Both distributions in throw-away environments, from the oldest of what they depend on to the newest.

`make everywhere`. The oldest are the lower bounds of the two pyproject.toml: what they say is tested.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.everywhere.pythons import pythons
from tests.everywhere.samples import HERE, ROOT, exercised, generate, run
from tests.generator.compiling import request
from tests.generator.goldens import WITH_MODULES

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def lower_bounds(*projects: Path) -> list[str]:
    """What users of the projects install with them, at the oldest version admitted; not each other."""
    found: dict[str, str] = {}
    for project in projects:
        with (project / "pyproject.toml").open("rb") as file:
            table = tomllib.load(file)["project"]
        extra = table["optional-dependencies"].get("reflection", [])
        for requirement in map(Requirement, table["dependencies"] + extra):
            if requirement.name != "dubbo-mesh":
                (lower,) = (part.version for part in requirement.specifier if part.operator == ">=")
                assert found.setdefault(requirement.name, lower) == lower, "the two projects differ"
    return [f"{name}=={version}" for name, version in found.items()]


PYTHONS = pythons()
FIRST = next(iter(PYTHONS))

# What is asked of pip beside our distributions. Black formats by the style of its year.
AGES = {
    "oldest": tuple(lower_bounds(ROOT, ROOT / "runtime")),
    "protobuf 5": ("protobuf<6", "black<25"),
    "protobuf 6": ("protobuf<7", "black<26"),
    "newest": (),
}
ENVIRONMENTS = [(FIRST, age) for age in AGES if age != "newest"] + [(name, "newest") for name in PYTHONS]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The Python of a name; each is made once."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = PYTHONS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return of


@pytest.fixture(scope="module")
def wheels(python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both distributions, built with the oldest build backend that they admit."""
    dist = tmp_path_factory.mktemp("dist")
    for project in (ROOT / "runtime", ROOT):
        with (project / "pyproject.toml").open("rb") as file:
            (backend,) = tomllib.load(file)["build-system"]["requires"]
        constraints = dist / "constraints.txt"
        constraints.write_text(backend.replace(">=", "=="))
        run(
            *(python(FIRST), "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={dist}", project),
            env={"PIP_CONSTRAINT": str(constraints)},
        )
    return sorted(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What protoc asks the plugin for each golden: a directory with a file for each."""
    directory = tmp_path_factory.mktemp("requests")
    for case in WITH_MODULES:
        (directory / case.name).write_bytes(request(case.descriptors, case.protos, case.parameter))
    return directory


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "age"), ENVIRONMENTS, ids=[f"{name}-{age}" for name, age in ENVIRONMENTS])
def test_environment(
    name: str,
    age: str,
    python: Callable[[str], Path],
    wheels: list[Path],
    requests: Path,
    tmp_path: Path,
) -> None:
    """Generates with the plugin and calls with the runtime that are installed."""
    run(python(name), "-m", "venv", tmp_path / "venv")
    inside = tmp_path / "venv" / "bin" / "python"
    runtime, plugin = wheels
    run(inside, *PIP, *AGES[age], f"{runtime}[reflection]", plugin)
    installed = json.loads(run(inside, "-m", "pip", "list", "--format=json").stdout)
    versions = [f"{package['name']} {package['version']}" for package in installed]
    print(f"\n{name}, {age}:", ", ".join(versions))

    output = generate(
        tmp_path / "out",
        protoc=[inside, "-m", "grpc_tools.protoc"],
        plugin=inside.with_name("protoc-gen-dubbo-mesh"),
        kinds=["python", "dubbo-mesh"],
    )

    assert output == generate(tmp_path / "here")
    assert exercised(inside, tmp_path / "out") == 4 * 7
    run(inside, "-W", "error", HERE / "serve.py", tmp_path / "out")
    checked = run(inside, "-W", "error", HERE / "goldens_by_black.py", requests).stdout
    assert int(checked) == sum(name.endswith(".py") for case in WITH_MODULES for name in case.expected())
