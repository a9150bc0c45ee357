"""Type checkers on generated modules, and on code that uses them.

A line of `rejected/` that ends in `# E` is reported by mypy and by pyright, one that ends in `# E: pyright`
by that one only; no other line of `rejected/` is, and none of `accepted/` or of what was generated.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.project.sources import proto_path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHECKERS = ("mypy", "pyright")

# (file, line) and the messages about it.
Reports = dict[tuple[str, int], str]


def expected(project: Path, checker: str) -> set[tuple[str, int]]:
    """The lines that `checker` must report, according to the comments in `project`."""
    lines: set[tuple[str, int]] = set()
    for path in project.rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            marked = re.search(r"# E(?:: (\w+))?(?=$|  #)", line)
            if marked and marked[1] in (None, checker):
                lines.add((path.relative_to(project).as_posix(), number))
    return lines


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """User code and the modules that it uses, generated with all combinations of options."""
    root = tmp_path_factory.mktemp("types")
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", f"-I{proto_path()}"]
    plugin = f"--plugin=protoc-gen-dubbo-mesh={Path(sys.executable).with_name('protoc-gen-dubbo-mesh')}"
    for target, parameter in (
        (root, "api=both"),
        (root / "only_sync", "api=sync,imports=relative"),
        (root / "only_async", "api=async,import_prefix=only_async"),
    ):
        target.mkdir(exist_ok=True)
        out = [f"--{kind}_out={target}" for kind in ("python", "pyi", "dubbo-mesh")]
        subprocess.run(
            [*protoc, plugin, *out, f"--dubbo-mesh_opt={parameter}", "library/catalogue.proto"], check=True
        )
    for kind in ("accepted", "rejected"):
        shutil.copytree(HERE / kind, root / kind)
    return root


def mypy(project: Path) -> Reports:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--output=json"),
            *("--config-file=", f"--cache-dir={project / '.mypy_cache'}"),
            *("--explicit-package-bases", r"--exclude=_pb2\.pyi?$", "."),
        ],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {
        (report["file"].removeprefix("./"), report["line"]): f"{report['message']} [{report['code']}]"
        for report in found
        if report["severity"] == "error"
    }


def pyright(project: Path) -> Reports:
    (project / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                "extraPaths": [str(ROOT / "runtime")],
                "reportMissingModuleSource": False,  # grpc's types come from a stub package
                "ignore": ["**/*_pb2.py", "**/*_pb2.pyi"],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(project)],
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {
        (
            Path(report["file"]).relative_to(project).as_posix(),
            report["range"]["start"]["line"] + 1,
        ): f"{report['message']} [{report.get('rule')}]"
        for report in json.loads(done.stdout)["generalDiagnostics"]
        if report["severity"] in ("error", "warning")
    }


@pytest.mark.parametrize("check", [mypy, pyright], ids=CHECKERS)
def test_just_the_mistakes_are_reported(project: Path, check: Callable[[Path], Reports]) -> None:
    reports = check(project)
    marked = expected(project, check.__name__)

    unexpected = {place: said for place, said in reports.items() if place not in marked}
    assert not unexpected, "\n".join(f"{file}:{line}: {said}" for (file, line), said in unexpected.items())
    assert not marked - reports.keys(), "not reported"
    assert len(marked) > 50  # the comments are still found
