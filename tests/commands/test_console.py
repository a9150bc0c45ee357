"""The command on any terminal: no traceback and no lost line, whatever can be shown there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.console import print_output
from protoc_gen_dubbo_mesh.project.sources import proto_path
from tests.hooks.samples import write

COMMAND = [sys.executable, "-m", "protoc_gen_dubbo_mesh"]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale in which Python encodes what it prints, and paths, in ASCII."""

PROTO = """\
syntax = "proto3";
package shop;
// Grüße, 漢字. \x1b[31mred\x1b[0m \u202etfel ot thgir
service Orders {
  rpc place(Order) returns (Order);
}
message Order { string id = 1; }
"""

TERMINALS = pytest.mark.parametrize(
    "terminal", [{"PYTHONIOENCODING": "cp1252"}, ASCII], ids=["cp1252", "ascii"]
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "größe/bestellung漢.proto": PROTO,
            "pyproject.toml": '[tool.dubbo-mesh]\nroots = ["größe"]\nout = "src"\noptions.app = "shop"\n',
        },
    )


def execute(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environment or {})}, capture_output=True, check=False
    )


@TERMINALS
def test_a_diff_is_shown_whatever_is_in_it(project: Path, terminal: dict[str, str]) -> None:
    done = execute("generate", "--check", cwd=project, environment=terminal)
    assert (done.returncode, done.stderr) == (1, b"3 files are stale: run protoc-gen-dubbo-mesh generate\n")
    encoding = terminal.get("PYTHONIOENCODING", "ascii")
    text = done.stdout.decode(encoding)
    name = "src/bestellung漢_mesh.py".encode(encoding, "backslashreplace").decode(encoding)
    greeting = "Grüße, 漢字.".encode(encoding, "backslashreplace").decode(encoding)
    assert f"+++ b/{name}\n" in text
    assert greeting in text
    assert text.count("\n+++ ") == 3


@TERMINALS
def test_names_that_are_not_ascii_are_generated_from(project: Path, terminal: dict[str, str]) -> None:
    done = execute("generate", cwd=project, environment=terminal)
    assert (done.returncode, done.stderr) == (0, b"3 written and 0 removed below src, from 1 .proto\n")
    assert (project / "src" / "bestellung漢_mesh.py").exists()
    again = execute("generate", cwd=project)
    assert again.stderr == b"src is up to date\n"


@TERMINALS
def test_errors_and_arguments_are_shown(project: Path, terminal: dict[str, str]) -> None:
    (project / "größe" / "bestellung漢.proto").write_text(PROTO.replace("rpc", "rcp"), encoding="utf-8")
    for arguments, status in (["generate"], 1), (["generate", "--root=漢"], 1), (["größe"], 2):
        done = execute(*arguments, cwd=project, environment=terminal)
        assert (done.returncode, done.stderr.count(b"\n")) == (status, 1)
        assert b"Traceback" not in done.stderr


def test_a_path_in_another_encoding_is_one_line(project: Path) -> None:
    latin = os.fsdecode(b"gr\xf6\xdfe")
    (project / "größe").rename(project / latin)
    done = execute("generate", f"--root={latin}", cwd=project)
    assert done.returncode == 1
    assert done.stderr.startswith(b"protoc cannot handle the path ")
    assert done.stderr.count(b"\n") == 1


@TERMINALS
def test_protocs_plugin_warns_on_any_terminal(project: Path, terminal: dict[str, str]) -> None:
    """The service config is at a path that is not ASCII, and names a method that does not exist."""
    write(project, {"größe/config.json": '{"methodConfig": [{"name": [{"service": "shop.Größe"}]}]}'})
    plugin = write(
        project,
        {"plugin": f"#!/bin/sh\nexec {sys.executable} -m protoc_gen_dubbo_mesh\n"},
    )
    (plugin / "plugin").chmod(0o700)
    done = subprocess.run(
        [
            *(sys.executable, "-X", "utf8", "-m", "grpc_tools.protoc", "-Igröße", f"-I{proto_path()}"),
            f"--plugin=protoc-gen-dubbo-mesh={project / 'plugin'}",
            "--dubbo-mesh_out=app=shop,service_config=größe/config.json:.",
            "bestellung漢.proto",
        ],
        cwd=project,
        env={**os.environ, **terminal},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(b"protoc-gen-dubbo-mesh: warning: ")
    assert b"Traceback" not in done.stderr
    assert (project / "bestellung漢_mesh.py").exists()


def test_what_steers_a_terminal_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """Generated code has it escaped, but the diff also shows the file that is there."""
    print_output(["-\tred: \x1b[31m, backwards: \u202e, bell: \x07\r\n", "+no newline\x9b\n\\ No"])
    assert capsys.readouterr().out == (
        "-\tred: \\x1b[31m, backwards: \\u202e, bell: \\x07\\r\n+no newline\\x9b\n\\ No"
    )


def test_a_diff_does_not_steer_the_terminal(project: Path) -> None:
    header = "# @generated by protoc-gen-dubbo-mesh from bestellung漢.proto. Do not edit.\n"
    write(project, {"src/bestellung漢_mesh.py": f"{header}# \x1b]0;title\x07\u202e\n"})
    done = execute("generate", "--check", cwd=project, environment={"PYTHONUTF8": "1"})
    assert "-# \\x1b]0;title\\x07\\u202e\n" in done.stdout.decode()
    assert all(char == "\n" or char.isprintable() for char in done.stdout.decode())


@pytest.mark.parametrize("arguments", [["generate", "--check"], ["--help"]])
def test_a_reader_that_leaves_ends_the_command_silently(project: Path, arguments: list[str]) -> None:
    """As `head` does; here it has left before anything is written, and nothing is buffered."""
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-u", *COMMAND[1:], *arguments],
            cwd=project,
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.stderr == b""
    # argparse itself ignores errors when it prints help.
    assert done.returncode == (0 if arguments == ["--help"] else 128 + signal.SIGPIPE)


def test_a_full_disk_is_one_line(project: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "completion", "bash"], cwd=project, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        b"cannot write to standard output: No space left on device\n",
    )


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(project: Path, closed: str) -> None:
    command = f"'{sys.executable}' -m protoc_gen_dubbo_mesh generate --check {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_a_closed_standard_input_is_no_request(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m protoc_gen_dubbo_mesh <&-"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
