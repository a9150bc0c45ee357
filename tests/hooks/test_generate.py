"""`protoc-gen-dubbo-mesh generate`."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from protoc_gen_dubbo_mesh.cli import answer
from protoc_gen_dubbo_mesh.project import run, stamp
from protoc_gen_dubbo_mesh.project.walk import walk
from tests.hooks.generating import PROGRAM, SETTINGS, Generating
from tests.hooks.samples import MODULES, ORDERS, TYPES, below, output_of, place_an_order, write


def test_modules_from_several_roots_import_and_run(generate: Generating) -> None:
    assert generate() == 0
    assert generate.err == "5 written and 0 removed below src, from 2 .proto\n"
    assert below(generate.src) == MODULES
    place_an_order("", path=generate.src)


def test_the_output_is_protocs_own(generate: Generating, tmp_path: Path) -> None:
    assert generate() == 0
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    include = output_of(PROGRAM, "--proto-path").strip()
    outputs = [f"--{kind}_out={by_hand}" for kind in ("python", "pyi", "dubbo-mesh")]
    output_of(
        *(sys.executable, "-m", "grpc_tools.protoc", f"--plugin=protoc-gen-dubbo-mesh={PROGRAM}"),
        *("-Iprotos", "-Ishared protos", f"-I{include}", *outputs),
        *("shop/api/v1/orders.proto", "acme/types.proto"),
        cwd=generate.project,
    )
    assert {name: (generate.src / name).read_text() for name in MODULES} == {
        name: (by_hand / name).read_text() for name in below(by_hand)
    }


def test_nothing_runs_when_nothing_changed(generate: Generating, monkeypatch: pytest.MonkeyPatch) -> None:
    assert generate() == 0
    before = generate.times()
    monkeypatch.setattr(run, "_produced", None)
    assert generate() == 0
    assert generate.err == "src is up to date\n"
    assert generate.times() == before


def test_an_option_of_several_values_may_be_a_list(generate: Generating) -> None:
    generate.orders.write_text(ORDERS.replace("rpc place", "rpc Place"))
    with (generate.project / "pyproject.toml").open("a") as file:
        file.write('[tool.dubbo-mesh.options]\naliases = ["lower-first"]\nemit = ["python"]\n')
    assert generate() == 0
    module = generate.src / "shop" / "api" / "v1" / "orders_mesh.py"
    assert 'aliases=("place",)' in module.read_text()


def test_a_change_can_fail_as_before_a_commit(generate: Generating) -> None:
    assert generate("--fail-on-change") == 1
    assert generate("--fail-on-change") == 0


def test_only_what_changed_is_written(generate: Generating) -> None:
    assert generate() == 0
    before = generate.times()
    generate.orders.write_text(ORDERS.replace("Takes orders.", "Takes all orders."))
    assert generate() == 0
    after = generate.times()
    assert {name for name in after if after[name] != before[name]} == {"shop/api/v1/orders_mesh.py"}


@pytest.mark.parametrize("cause", ["import", "config", "option", "tool", "edited", "deleted", "damaged"])
def test_everything_that_determines_the_output_is_noticed(
    generate: Generating, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # acme/types.proto is only imported, from the import path.
    given = ["--root=protos", "--import-path=shared protos", "--option=config=mesh.toml"]
    config = write(generate.project, {"mesh.toml": 'services."shop.*".app = "one"\n'}) / "mesh.toml"
    generate.orders.write_text(ORDERS.replace('app: "orders" ', ""))
    assert generate(*given) == 0
    assert below(generate.src) == {name for name in MODULES if name.startswith("shop")}
    module = generate.src / "shop" / "api" / "v1" / "orders_mesh.py"
    first = module.read_text()
    assert 'app="one"' in first
    last_run = generate.stamp().stat().st_mtime_ns
    match cause:
        case "import":
            generate.types.write_text(TYPES.replace("string", "bytes"))
        case "config":
            config.write_text('services."shop.*".app = "two"\n')
        case "option":
            given.append("--option=api=sync")
        case "tool":
            monkeypatch.setattr(stamp, "__version__", "99")
        case "edited":
            module.write_text(first + "# mine\n")
        case "deleted":
            module.unlink()
        case _:
            generate.stamp().write_text("{}")
    assert generate(*given) == 0
    assert generate.stamp().stat().st_mtime_ns > last_run
    now = module.read_text()
    assert ('app="two"' in now) == (cause == "config")
    assert ("Async" in now) == (cause != "option")
    assert (now == first) == (cause not in {"config", "option"})


def test_output_of_a_deleted_proto_is_removed(generate: Generating) -> None:
    assert generate() == 0
    generate.orders.unlink()
    assert generate("--check") == 1
    assert "--- a/src/shop/api/v1/orders_mesh.py\n+++ /dev/null\n" in generate.out
    assert generate() == 0
    assert generate.err == "0 written and 3 removed below src, from 1 .proto\n"
    assert below(generate.src) == {name for name in MODULES if name.startswith("acme")}
    assert not (generate.src / "shop").exists()


def test_edited_output_of_a_deleted_proto_stays(generate: Generating) -> None:
    assert generate() == 0
    generate.orders.unlink()
    mine = generate.src / "shop" / "api" / "v1" / "orders_pb2.py"
    mine.write_text("mine = True\n")
    assert generate() == 0
    assert mine.read_text() == "mine = True\n"


def test_a_fresh_clone_reports_output_of_a_deleted_proto(generate: Generating) -> None:
    assert generate() == 0
    generate.stamp().unlink()
    generate.orders.unlink()
    assert generate("--check") == 1
    assert generate.out == ""
    assert generate.err.startswith(
        "src/shop/api/v1/orders_mesh.py: was generated from shop/api/v1/orders.proto, which is below no root"
    )
    assert generate() == 0
    assert "warning: src/shop/api/v1/orders_mesh.py" in generate.err
    assert generate("--check", "--exclude=shop/*") == 0


def test_check_writes_nothing_and_shows_a_diff(generate: Generating) -> None:
    before = below(generate.project)
    assert generate("--check") == 1
    assert below(generate.project) == before
    assert generate.out.count("--- /dev/null\n") == len(MODULES)
    assert generate.err == "5 files are stale: run protoc-gen-dubbo-mesh generate\n"

    assert generate() == 0
    assert generate("--check") == 0
    assert (generate.out, generate.err) == ("", "")

    generate.orders.write_text(ORDERS.replace("Takes orders.", "Takes all orders."))
    assert generate("--check") == 1
    assert generate.out.startswith(
        "--- a/src/shop/api/v1/orders_mesh.py\n+++ b/src/shop/api/v1/orders_mesh.py\n"
    )
    assert '+    """Takes all orders."""\n' in generate.out

    with (generate.src / "acme" / "types_pb2.pyi").open("a") as file:
        file.write("mine: int")
    assert generate("--check") == 1
    assert "\n-mine: int\n\\ No newline at end of file\n" in generate.out


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (ORDERS.replace("rpc", "rcp"), 'protos/shop/api/v1/orders.proto:13:3: Expected "rpc".\n'),
        (
            ORDERS.replace("acme/types", "acme/tips"),
            'protos/shop/api/v1/orders.proto:3:1: Import "acme/tips.proto" was not found or had errors.\n',
        ),
        (
            ORDERS.replace("port: 50051", "port: 500510"),
            "protos/shop/api/v1/orders.proto:12: ",
        ),
    ],
    ids=["syntax", "import", "plugin"],
)
def test_errors_say_where_and_change_nothing(generate: Generating, broken: str, complaint: str) -> None:
    assert generate() == 0
    before = {path: path.read_bytes() for path in generate.project.rglob("*") if path.is_file()}
    generate.orders.write_text(broken)
    before[generate.orders] = broken.encode()
    assert generate() == 1
    assert complaint in generate.err
    assert "Traceback" not in generate.err
    assert all(".proto:" in line for line in generate.err.splitlines())
    assert before == {path: path.read_bytes() for path in generate.project.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("", "roots is not set: write roots"),
        ("[tool.dubbo-mesh]\nroots = ['protos']\n", "out is not set: write out"),
        (
            "[tool.dubbo-mesh]\nroot = ['protos']\n",
            "pyproject.toml:2: [tool.dubbo-mesh] unknown key 'root': must be one of roots, out",
        ),
        (
            "[tool.dubbo-mesh]\nroots = 'protos'\n",
            "pyproject.toml:2: [tool.dubbo-mesh] roots must be a list of strings, not 'protos'",
        ),
        ("[tool.dubbo-mesh]\n\nout = 1\n", "pyproject.toml:3: [tool.dubbo-mesh] out must be a string, not 1"),
        (
            "[tool.dubbo-mesh.options]\nport = 1\napp = true\n",
            "pyproject.toml:3: [tool.dubbo-mesh] options: app must be a string, an integer, or a list or "
            "table of strings, not True",
        ),
        (
            "[tool.dubbo-mesh.options]\napp = 'a,b'\n",
            "pyproject.toml:2: [tool.dubbo-mesh] options: app must not contain a comma, which separates "
            "parameters: 'a,b'",
        ),
        (
            "[tool.dubbo-mesh]\noptions = 'app=a'\n",
            "options must be a table of the plugin's parameters, not 'app=a'",
        ),
        (
            "[tool]\ndubbo-mesh = 1\n",
            "pyproject.toml:2: tool.dubbo-mesh must be a table, but dubbo-mesh is 1",
        ),
        ("\ntool = 1\n", "pyproject.toml:2: tool.dubbo-mesh must be a table, but tool is 1"),
        ("[tool\n", "pyproject.toml:1: not TOML: "),
        ("\ufeff" + SETTINGS, "pyproject.toml:1: not TOML: the file begins with a byte order mark"),
        (f"x = {'[' * 5000}{']' * 5000}", "pyproject.toml: values are nested too deeply"),
        (SETTINGS.replace('protos"', 'prots"'), "prots is not a directory"),
        (
            SETTINGS + "exclude = ['*']\n",
            "there is no .proto file below protos, shared protos: correct roots or exclude",
        ),
        (SETTINGS + "[tool.dubbo-mesh.options]\naop = 'a'\n", "unknown parameter 'aop'"),
        (
            SETTINGS + "[tool.dubbo-mesh.options]\naliases = ['lower']\n",
            "aliases must be one or more of lower-first, not 'lower'",
        ),
        (SETTINGS + "[tool.dubbo-mesh.options]\naliases = [1]\n", "aliases must be a string, an integer"),
        (SETTINGS + "[tool.dubbo-mesh.options]\nlabels = {a = 1}\n", "labels must be a string, an integer"),
        (SETTINGS + "[tool.dubbo-mesh.options]\nlabels = {a = '-'}\n", "labels: a must be empty or at most"),
    ],
)
def test_settings_are_checked(generate: Generating, toml: str, complaint: str) -> None:
    (generate.project / "pyproject.toml").write_text(toml)
    assert generate() == 1
    assert complaint in generate.err
    assert generate.err.count("\n") == 1


@pytest.mark.parametrize(
    ("one", "other", "module"),
    [
        ("protos/acme/types.proto", "shared protos/acme/types.proto", "acme/types_pb2.py"),
        ("protos/a-b.proto", "protos/a_b.proto", "a_b_pb2.py"),
    ],
)
def test_protos_of_one_module_are_refused(generate: Generating, one: str, other: str, module: str) -> None:
    write(generate.project, {one: TYPES, other: TYPES})
    assert generate() == 1
    assert generate.err == f"{one} and {other} both become {module}: rename one\n"


@pytest.mark.parametrize("name", ["--python_out=x.proto", "new\nline.proto"])
def test_names_that_protoc_would_misread(generate: Generating, name: str) -> None:
    write(generate.project, {f"protos/{name}": TYPES})
    assert generate() == 1
    assert generate.err == f"protoc cannot handle the file name {name!r}: rename or exclude it\n"


def test_what_is_no_file_is_refused_unless_it_is_excluded(generate: Generating) -> None:
    """Reading a named pipe would wait for a writer."""
    protos = generate.project / "protos"
    os.mkfifo(protos / "pipe.proto")
    assert generate() == 1
    assert generate.err == "protos/pipe.proto must be a file or a link to one: rename or exclude it\n"
    (protos / "dead.proto").symlink_to("nowhere")
    (protos / "-.proto").touch()
    assert generate("--exclude=pipe.proto", "--exclude=dead.proto", "--exclude=-.proto") == 0


@pytest.mark.parametrize("unreadable", ["protos/shop", "protos/shop/api/v1/orders.proto"])
def test_what_cannot_be_read_is_an_error_and_not_gone(
    generate: Generating, monkeypatch: pytest.MonkeyPatch, unreadable: str
) -> None:
    """The user of the tests may be root, who can read everything."""
    assert generate() == 0
    refused = generate.project / unreadable
    monkeypatch.setattr(os, "scandir", refusing(os.scandir, refused))

    def access(path: Path, mode: int) -> bool:
        return path != refused

    monkeypatch.setattr(os, "access", access)
    assert generate() == 1
    assert "Permission denied" in generate.err
    assert unreadable in generate.err
    assert generate.err.count("\n") == 1
    assert below(generate.src) == MODULES


def test_a_directory_that_cannot_be_looked_into_is_no_virtual_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.proto": "", "locked/b.proto": ""})
    monkeypatch.setattr(os, "stat", refusing(os.stat, tmp_path / "locked" / "pyvenv.cfg"))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir, tmp_path / "locked"))
    assert [*walk(tmp_path)] == [(tmp_path, ["a.proto"])]


def refusing(function: Callable[..., Any], refused: Path) -> Callable[..., Any]:
    """`function`, but for a path that must not be read."""

    def refuse(path: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(path, int) and Path(path) == refused:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return function(path, *arguments, **named)

    return refuse


def test_a_root_that_is_named_twice_is_one(generate: Generating) -> None:
    assert generate("--root=protos", "--root=./shared protos/../protos", "--root=shared protos") == 0


@pytest.mark.parametrize("command", ["generate", "explain", "init"])
def test_a_project_that_does_not_exist_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([command, "--project=nowhere"]) == 1
    assert capsys.readouterr().err == "--project=nowhere is not a directory\n"


def test_an_error_without_a_file_is_one_line(generate: Generating, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a full disk."""
    monkeypatch.setattr(
        Path, "write_bytes", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    )
    assert generate() == 1
    assert generate.err == "No space left on device\n"


def test_odd_names_and_directories(generate: Generating, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = "protos = a, b #1 @x é"
    (generate.project / "protos").rename(generate.project / odd)
    write(generate.project, {f"{odd}/@at/k8s.io/a-b.proto": 'syntax = "proto3"; message AB {}'})
    assert generate(f"--root={odd}", "--root=shared protos", "--out=src = c, d") == 0
    assert below(generate.project / "src = c, d") == MODULES | {
        "@at/k8s/io/a_b_pb2.py",
        "@at/k8s/io/a_b_pb2.pyi",
    }
    monkeypatch.chdir("/")
    (generate.project / odd).rename(generate.project / "a:b")
    assert generate(f"--project={generate.project}", f"--root={generate.project}/a:b") == 1
    assert "it splits paths at ':'" in generate.err


def test_a_root_inside_of_a_root_has_its_own_names(generate: Generating) -> None:
    (generate.project / "shared protos").rename(generate.project / "protos" / "shared")
    assert generate("--root=protos", "--root=protos/shared") == 0
    assert below(generate.src) == MODULES


def test_flags_win_and_are_relative_to_the_working_directory(
    generate: Generating, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (generate.project / "pyproject.toml").open("a") as file:
        file.write('[tool.dubbo-mesh.options]\napp = "one"\nservice_config = "config.json"\n')
    (generate.project / "config.json").write_text("{}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    orders = ORDERS.replace('app: "orders" ', "")
    generate.orders.write_text(orders)
    assert generate(f"--project={generate.project}", "--out=here", "--option=app=two") == 0
    assert not generate.src.exists()
    assert 'app="two"' in (elsewhere / "here" / "shop" / "api" / "v1" / "orders_mesh.py").read_text()


@pytest.mark.parametrize("arguments", [["--option=app"], ["--option=app=a", "--option=app=b"], ["extra"]])
def test_wrong_arguments_exit_with_2(generate: Generating, arguments: list[str]) -> None:
    assert generate(*arguments) == 2
    assert "error: " in generate.err


@pytest.mark.parametrize(
    "options",
    [["--option=imports=relative"], ["--option=import_prefix=src.below.gen"]],
    ids=["relative", "prefix"],
)
def test_messages_import_each_other_below_a_package(generate: Generating, options: list[str]) -> None:
    write(
        generate.project,
        {
            "protos/top.proto": 'syntax = "proto3"; message Top { string id = 1; }',
            "protos/class/in.proto": 'syntax = "proto3"; package k; message In { string id = 1; }',
            "protos/acme/all.proto": (
                'syntax = "proto3"; package acme; import public "acme/types.proto"; import "top.proto";'
                'import "class/in.proto"; import "google/protobuf/empty.proto";'
                "message All { Top top = 1; k.In in = 2; Item item = 3; google.protobuf.Empty empty = 4; }"
            ),
        },
    )
    assert generate("--out=src/below/gen", *options) == 0
    place_an_order("src.below.gen", path=generate.project)
    output = output_of(
        *(sys.executable, "-W", "error", "-c"),
        "from src.below.gen.acme.all_pb2 import All, Item; import src.below.gen.acme.types_pb2 as types;"
        "assert Item is types.Item; print(All(top={'id': '1'}), end='')",
        cwd=generate.project,
    )
    assert output == 'top {\n  id: "1"\n}\n'
    types = (generate.src / "below" / "gen" / "acme" / "all_pb2.pyi").read_text()
    assert ("from .types_pb2 import Item as Item" in types) == ("relative" in options[0])


@pytest.mark.parametrize("option", ["--option=imports=relative", "--option=import_prefix=src.gen"])
def test_installed_messages_stay_where_they_are(generate: Generating, option: str) -> None:
    proto = ORDERS.replace("acme.Item)", "google.api.HttpBody)").replace("acme/types", "google/api/httpbody")
    generate.orders.write_text(proto.replace("acme.Item item", "google.api.HttpBody item"))
    assert generate("--root=protos", "--out=src/gen", option) == 0
    output_of(sys.executable, "-c", "import src.gen.shop.api.v1.orders_mesh", cwd=generate.project)


def test_mypy_follows_relative_imports_of_messages(generate: Generating) -> None:
    assert generate("--out=src/gen", "--option=imports=relative") == 0
    write(
        generate.src,
        {"use.py": "from gen.shop.api.v1.orders_pb2 import Order\nreveal_type(Order().item.id)\n"},
    )
    output = output_of(sys.executable, "-m", "mypy", "use.py", cwd=generate.src)
    assert 'Revealed type is "str"' in output


def test_protos_of_installed_distributions_are_found(generate: Generating) -> None:
    generate.types.write_text(
        TYPES.replace("message", 'import "google/api/http.proto"; message', 1).replace(
            "string id = 1;", "string id = 1; google.api.HttpRule rule = 2;"
        )
    )
    assert generate() == 0
    assert below(generate.src) == MODULES


def test_a_home_and_cache_that_cannot_be_written_do_not_matter(generate: Generating) -> None:
    (generate.project / stamp.DIRECTORY).write_text("in the way")
    output = output_of(PROGRAM, "generate", cwd=generate.project, HOME="/dev/null/home")
    assert "warning: the next run will generate everything again: cannot write" in output
    assert below(generate.src) == MODULES


def test_what_cannot_be_written_is_one_line(generate: Generating) -> None:
    generate.src.write_text("in the way")
    assert generate() == 1
    assert generate.err.startswith("Not a directory: src/")
    assert generate.err.count("\n") == 1


def test_protocs_warnings_are_passed_on(generate: Generating) -> None:
    generate.orders.write_text(ORDERS.replace("google.protobuf.Timestamp", "string"))
    assert generate() == 0
    warning = (
        "protos/shop/api/v1/orders.proto:5:1: warning: Import google/protobuf/timestamp.proto is unused.\n"
    )
    assert generate.err.startswith(warning)


def test_a_warning_in_protocs_log_has_no_time(generate: Generating) -> None:
    (generate.project / "protos" / "old.proto").touch()
    assert generate() == 0
    assert generate.err.startswith(
        "No edition or syntax specified for the proto file: old.proto. Please use "
    )


def test_protoc_starts_the_plugin_without_loading_any_of_this() -> None:
    output = output_of(
        *(sys.executable, "-c"),
        "import sys, protoc_gen_dubbo_mesh.__main__, protoc_gen_dubbo_mesh.plugin;"
        "print([name for name in sys.modules if name.startswith('protoc_gen_dubbo_mesh.project')])",
    )
    assert output == "[]\n"


def test_help_documents_every_flag() -> None:
    output = subprocess.run(
        [PROGRAM, "generate", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for flag in (
        "--root",
        "--out",
        "--import-path",
        "--exclude",
        "--option",
        "--plugin",
        "--pyi",
        "--overwrite",
        "--project",
        "--check",
        "--fail-on-change",
    ):
        assert flag in output


def test_the_commands_before_a_commit_are_known() -> None:
    hooks = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text()
    entries = re.findall(r"^  entry: protoc-gen-dubbo-mesh generate (.+)$", hooks, re.MULTILINE)
    assert entries == ["--fail-on-change", "--check"]
