"""The command itself, started by protoc, by buf and by people."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh import __version__, parameters
from protoc_gen_dubbo_mesh.project.sources import proto_path
from tests.generator.compiling import GRPC_TOOLS_PROTOS, request
from tests.generator.goldens import GOLDEN, Case

BIN = Path(sys.executable).parent
PLUGIN = str(BIN / "protoc-gen-dubbo-mesh")
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def execute(
    command: Sequence[str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    env = ENVIRONMENT | dict(environment or {})
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, env=env, check=False)


def protoc(case: Path, out: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    protos = sorted(path.relative_to(case).as_posix() for path in case.rglob("*.proto"))
    includes = [f"-I{case}", f"-I{proto_path()}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, f"--dubbo-mesh_out={out}"]
    return execute([*command, *(f"--dubbo-mesh_opt={option}" for option in options), *protos], cwd=case)


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "name", ["shapes", "proto_options", "imports_relative", "edition_2024", "odd_paths", "comments"]
)
def test_protoc_writes_the_golden(name: str, tmp_path: Path) -> None:
    case = Case(GOLDEN / name)
    options = [case.parameter] if case.parameter else []
    done = protoc(case.directory, tmp_path, *options)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")
    assert tree(tmp_path) == tree(case.directory / "expected")


def test_protoc_shows_the_error_and_writes_nothing(tmp_path: Path) -> None:
    done = protoc(GOLDEN / "error_option_port", tmp_path)
    expected = (GOLDEN / "error_option_port" / "error.txt").read_text(encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr.decode() == f"--dubbo-mesh_out: {expected}"
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", ["shadowed_package", "per_try_timeouts"])
def test_protoc_shows_warnings(name: str, tmp_path: Path) -> None:
    case = Case(GOLDEN / name)
    done = protoc(case.directory, tmp_path, *([case.parameter] if case.parameter else []))
    assert (done.returncode, done.stderr.decode()) == (0, shown_warnings(case))
    assert tree(tmp_path) == tree(case.directory / "expected")


def shown_warnings(case: Case) -> str:
    lines = (case.directory / "warnings.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(f"protoc-gen-dubbo-mesh: warning: {line}" for line in lines)


def test_buf_shows_warnings(tmp_path: Path) -> None:
    case = Case(GOLDEN / "per_try_timeouts")
    protos = tmp_path / "protos"
    shutil.copytree(case.directory, protos, ignore=shutil.ignore_patterns("expected"))
    shutil.copytree(proto_path() / "dubbo_mesh" / "v1", protos / "dubbo_mesh" / "v1")
    shutil.move(protos / "mesh.toml", tmp_path / "mesh.toml")
    done = run_buf(tmp_path, f"all\n    opt: {case.parameter}")
    # buf records a line for each field in braces, protoc one for the whole option.
    expected = shown_warnings(case).replace("proto:9:", "proto:11:").replace("proto:19:", "proto:20:")
    assert (done.returncode, done.stderr.decode()) == (0, expected)
    assert tree(tmp_path / "out") == tree(case.directory / "expected")


def test_paths_with_spaces_and_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    case = tmp_path / "with some space"
    shutil.copytree(GOLDEN / "config", case)
    out = tmp_path / "out put"
    out.mkdir()
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{case}", f"-I{proto_path()}"]
    command += [
        f"--dubbo-mesh_out={out}",
        f"--dubbo-mesh_opt=config={case / 'mesh.toml'},app=a",
        "config.proto",
    ]
    done = execute(command, environment={"HOME": str(home)})
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(tree(out)) == ["config_mesh.py"]
    assert list(home.iterdir()) == []


BUF_GEN = """\
version: v2
inputs:
  - directory: protos
plugins:
  - local: protoc-gen-dubbo-mesh
    out: out
    strategy: {strategy}
"""


def run_buf(root: Path, strategy: str) -> subprocess.CompletedProcess[bytes]:
    root.joinpath("buf.gen.yaml").write_text(BUF_GEN.format(strategy=strategy), encoding="utf-8")
    return execute(
        [str(BIN / "buf"), "generate"], cwd=root, environment={"BUF_CACHE_DIR": str(root / ".buf")}
    )


def buf(root: Path, strategy: str) -> dict[str, str]:
    done = run_buf(root, strategy)
    assert (done.returncode, done.stderr.decode(), done.stdout) == (0, "", b"")
    return tree(root / "out")


def test_buf_writes_the_goldens_with_both_strategies(tmp_path: Path) -> None:
    """By default buf starts the plugin once per directory. It has its own compiler."""
    protos = tmp_path / "protos"
    expected: dict[str, str] = {}
    for name in ("shapes", "cross_import", "proto_options", "comments", "same_last_name", "deprecated"):
        shutil.copytree(GOLDEN / name, protos, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected"))
        expected |= tree(GOLDEN / name / "expected")
    shutil.copytree(proto_path() / "dubbo_mesh" / "v1", protos / "dubbo_mesh" / "v1", dirs_exist_ok=True)
    assert buf(tmp_path, "directory") == expected
    shutil.rmtree(tmp_path / "out")
    assert buf(tmp_path, "all") == expected


@pytest.mark.parametrize("garbage", [b"garbage", b"", b"\x00" * 100], ids=["text", "nothing", "zeros"])
def test_garbage_is_one_line_on_standard_error(garbage: bytes) -> None:
    done = execute([PLUGIN], stdin=garbage)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"protoc-gen-dubbo-mesh: standard input ")
    assert done.stderr.count(b"\n") == 1


def test_every_start_gives_the_same_bytes() -> None:
    """As a command or a module, with any hash seed."""
    case = Case(GOLDEN / "shadows")
    asked = request(case.descriptors, case.protos)
    answers = {
        execute(command, stdin=asked, environment={"PYTHONHASHSEED": seed}).stdout
        for command in ([PLUGIN], [sys.executable, "-m", "protoc_gen_dubbo_mesh"])
        for seed in ("0", "1", "4711")
    }
    assert len(answers) == 1


def test_help_documents_each_parameter() -> None:
    done = execute([PLUGIN, "--help"])
    assert (done.returncode, done.stderr) == (0, b"")
    for parameter in parameters.NAMES:
        assert f"\n  {parameter}=" in done.stdout.decode()
    assert max(map(len, done.stdout.decode().splitlines())) <= 110


def test_version() -> None:
    assert execute([PLUGIN, "--version"]).stdout.decode() == f"protoc-gen-dubbo-mesh {__version__}\n"


def test_proto_path_holds_the_options() -> None:
    [path] = execute([PLUGIN, "--proto-path"]).stdout.decode().splitlines()
    assert Path(path, "dubbo_mesh/v1/options.proto").is_file()
    assert Path(GRPC_TOOLS_PROTOS, "google/protobuf/descriptor.proto").is_file()


def test_unknown_arguments_are_refused() -> None:
    done = execute([PLUGIN, "greeter.proto"])
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"unknown command 'greeter.proto'" in done.stderr


@pytest.mark.parametrize("module", ["black", "jinja2", "grpc", "dataclasses", "argparse", "tomllib", "json"])
def test_a_run_loads_nothing_it_does_not_need(module: str) -> None:
    """Starting takes most of the time of a run over one small file."""
    case = Case(GOLDEN / "shapes")
    program = (
        "import sys; from protoc_gen_dubbo_mesh.plugin import run; run(sys.stdin.buffer); "
        f"sys.exit({module!r} in sys.modules)"
    )
    assert (
        execute([sys.executable, "-c", program], stdin=request(case.descriptors, case.protos)).returncode == 0
    )
