"""Generated modules can be imported, serve, call, and pass the tools that users run on them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generator.conftest import output_directory
from tests.generator.goldens import WITH_MODULES, Case

EXERCISE = Path(__file__).with_name("exercise.py")

# `types` is a module of Python's, which hides modules below types/; the generator warns of that.
HIDDEN = {"shadowed_package"}
# Python cannot name these modules or messages, and protoc writes no valid .pyi for them.
UNTYPED = {"odd_paths", "keyword_messages"}

RUFF_IGNORES = {
    "A",  # rpcs and services may be called like builtins
    "ANN401",  # Any stands where no annotation can name a message
    "ARG002",  # the methods of servicers are there to be overridden
    "COM812",  # Black decides on commas
    "CPY001",  # the proto's copyright is in the docstring
    "D",  # what the proto's comments say, and where there are none, is the proto's
    "E501",  # Black breaks neither comments nor strings
    "I001",  # ruff takes the modules beside this for first-party ones
    "INP001",  # no __init__.py is written unasked
    "N",  # names are the proto's
    "PLC2403",  # file names too
    "TC",  # annotations can be evaluated at run time
    "TID252",  # relative imports, when asked for
}


def modules(case: Case, root: Path) -> list[str]:
    """The dotted paths of the modules of a case, from `root`."""
    target = output_directory(case, root)
    paths = [target / name.removeprefix("expected/") for name in case.expected() if name.endswith(".py")]
    return [path.relative_to(root).with_suffix("").as_posix().replace("/", ".") for path in sorted(paths)]


@pytest.mark.parametrize(
    "case", [case for case in WITH_MODULES if case.name not in HIDDEN], ids=lambda case: case.name
)
def test_imports_serves_and_calls(case: Case, site: Path) -> None:
    """In a fresh process, with warnings as errors."""
    command = [sys.executable, str(EXERCISE), str(site), *modules(case, site)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    rpcs = sum(len(service.method) for service in case.services())
    kinds = 1 if case.parameter in {"api=sync", "api=async"} else 2
    assert int(done.stdout) == rpcs * kinds * 2


def typed_files(site: Path) -> list[str]:
    return [
        module.replace(".", "/") + ".py"
        for case in WITH_MODULES
        if case.name not in HIDDEN | UNTYPED
        for module in modules(case, site)
    ]


MYPY = """\
[mypy]
strict = true
enable_error_code = deprecated
explicit_package_bases = true
namespace_packages = true
# Not all of protoc's own .pyi files pass strict checks.
follow_imports = silent
follow_imports_for_stubs = true
"""


def test_mypy_strict(site: Path) -> None:
    site.joinpath("mypy.ini").write_text(MYPY, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file=mypy.ini", *typed_files(site)]
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_strict(site: Path) -> None:
    settings = {
        "include": typed_files(site),
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "reportMissingModuleSource": False,  # grpc's types are a stub package
    }
    site.joinpath("pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(site)]
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors, 0 warnings" in done.stdout


def golden_files() -> list[str]:
    return [str(path) for case in WITH_MODULES for path in case.directory.glob("expected/**/*.py")]


def test_ruff() -> None:
    rules = ["--isolated", "--no-cache", "--target-version=py311", "--select=ALL"]
    command = [sys.executable, "-m", "ruff", "check", *rules, f"--ignore={','.join(sorted(RUFF_IGNORES))}"]
    done = subprocess.run([*command, *golden_files()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_black() -> None:
    command = [sys.executable, "-m", "black", "--check", "--diff", *golden_files()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


DEPRECATED = """
import sys, warnings
sys.path.insert(0, sys.argv[1])
import grpc
from deprecated_mesh import OldStub, PartlyServicer, PartlyStub

def warned(use):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    return [str(one.message) for one in caught]

with grpc.insecure_channel("127.0.0.1:1") as channel:
    assert warned(lambda: OldStub(channel)) == ["service golden.deprecated.Old is deprecated"]
    stub = PartlyStub(channel)
    assert warned(lambda: stub.good) == []
    assert warned(lambda: stub.unary) == ["rpc golden.deprecated.Partly.unary is deprecated"]
    assert PartlyServicer.unary.__deprecated__ == "rpc golden.deprecated.Partly.unary is deprecated"
"""


def test_callers_of_deprecated_services_and_rpcs_are_warned(site: Path) -> None:
    command = [sys.executable, "-c", DEPRECATED, str(site)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_deprecation_marks_need_nothing_installed() -> None:
    """grpcio brings typing_extensions from 1.75 on only."""
    program = (
        "import sys; sys.modules['typing_extensions'] = None\n"
        "from dubbo_mesh._contract.deprecated import deprecated\n"
        "assert deprecated('gone')(type('C', (), {})).__deprecated__ == 'gone'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
