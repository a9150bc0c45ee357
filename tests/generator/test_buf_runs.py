"""buf may start the plugin several times, and each run would write an application's files."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.protoc import buf
from protoc_gen_dubbo_mesh.protoc.descriptors_pb2 import FileDescriptorProto
from protoc_gen_dubbo_mesh.protoc.message_index import MessageIndex
from protoc_gen_dubbo_mesh.protoc.request import Request
from tests.generator.test_process import BIN, execute, tree

PROTO = """\
syntax = "proto3";

package {0};

service S {{
  rpc Call(M) returns (M);
}}

message M {{}}
"""
MESSAGES = """\
syntax = "proto3";

package {0};

// No service Greeter {{ is here.
message Other {{}}
"""
TEMPLATE = """\
version: v2
inputs:
  - directory: protos
plugins:
  - protoc_builtin: python
    protoc_path: [python, -m, grpc_tools.protoc]
    out: out
    strategy: all
  - local: protoc-gen-dubbo-mesh
    out: out
    opt: [app=demo, "emit={emit}"]
"""
LINE = "buf.gen.yaml:9"
ALL = "    strategy: all\n"


def write(root: Path, **files: str) -> None:
    """Writes protos, by their packages."""
    for name, text in files.items():
        path = root / "protos" / name / f"{name}.proto"
        path.parent.mkdir(parents=True)
        path.write_text(text.format(name), encoding="utf-8")


def generate(
    root: Path,
    *arguments: str,
    addition: str = "",
    emit: str = "python+istio",
    template: str = ".",
    text: str = TEMPLATE,
) -> subprocess.CompletedProcess[bytes]:
    text = text.format(emit=emit) + addition
    path = root / template / "buf.gen.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return execute(
        [str(BIN / "buf"), "generate", *arguments],
        cwd=root,
        environment={"BUF_CACHE_DIR": str(root / ".buf")},
    )


def test_several_directories_are_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    write(tmp_path, one=PROTO, two=PROTO)
    done = generate(tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert f"{LINE}: emit asks for files that are about whole applications: set `strategy: all`" in said
    assert "'one'" in said
    assert "'two'" in said
    assert not (tmp_path / "out").exists()


def test_strategy_all_writes_the_files_once(tmp_path: Path) -> None:
    write(tmp_path, one=PROTO, two=PROTO)
    done = generate(tmp_path, addition=ALL)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "istio/demo.yaml" in tree(tmp_path / "out")
    assert "one/one_mesh.py" in tree(tmp_path / "out")


def test_python_alone_needs_no_strategy(tmp_path: Path) -> None:
    write(tmp_path, one=PROTO, two=PROTO)
    done = generate(tmp_path, emit="python")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("others", [{}, {"other": MESSAGES}], ids=["alone", "with messages elsewhere"])
def test_one_directory_with_services_needs_no_strategy(others: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, one=PROTO, **others)
    done = generate(tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "istio/demo.yaml" in tree(tmp_path / "out")


def test_a_template_elsewhere_is_a_warning(tmp_path: Path) -> None:
    """The plugin cannot know which one buf was given."""
    write(tmp_path, one=PROTO, two=PROTO)
    template = ("--template", "templates/buf.gen.yaml")
    done = generate(tmp_path, *template, template="templates")
    said = done.stderr.decode()
    assert "protoc-gen-dubbo-mesh: warning: emit asks for files that are about whole applications" in said
    assert "set `strategy: all` for this plugin" in said
    done = generate(tmp_path, *template, template="templates", addition=ALL)
    assert (done.returncode, done.stderr) == (0, b"")


def test_protos_that_are_not_here_are_a_warning(tmp_path: Path) -> None:
    write(tmp_path, one=PROTO)
    here = tmp_path / "here"
    here.mkdir()
    done = generate(here, "../protos")
    assert done.returncode == 0
    assert f"warning: {LINE}: emit asks for files" in done.stderr.decode()


def test_modules_of_a_workspace_are_generated_together(tmp_path: Path) -> None:
    write(tmp_path, one=PROTO.replace("\n", " "), two=PROTO.replace("\n", " "))
    (tmp_path / "buf.yaml").write_text("version: v2\nmodules:\n  - path: protos/one\n  - path: protos/two\n")
    template = TEMPLATE.replace("inputs:\n  - directory: protos\n", "")
    done = generate(tmp_path, text=template)
    assert done.returncode == 1
    assert (
        "set `strategy: all` for this plugin, since otherwise buf starts it once for" in done.stderr.decode()
    )
    done = generate(tmp_path, text=template + ALL)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "from one.proto, two.proto." in (tmp_path / "out/istio/demo.yaml").read_text()


def test_several_inputs_are_a_warning(tmp_path: Path) -> None:
    write(tmp_path, one=PROTO, two=PROTO)
    inputs = "  - directory: protos/one\n  - directory: protos/two\n"
    done = generate(tmp_path, text=TEMPLATE.replace("  - directory: protos\n", inputs) + ALL)
    assert done.returncode == 0
    assert "warning: buf.gen.yaml:2: emit asks for files that are about whole applications, and buf" in (
        done.stderr.decode()
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two directories with services."""
    write(tmp_path, one=PROTO, two=PROTO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(name: str = "one/one.proto") -> Request:
    file = FileDescriptorProto(name=name)
    return Request("", deque([file]), MessageIndex(), False, frozenset([name.rpartition("/")[0]]))


FORMS = {
    "block": "plugins:\n  - local: protoc-gen-dubbo-mesh\n    opt: emit=istio\n",
    "outdented": "plugins:\n- out: gen\n  local: protoc-gen-dubbo-mesh\n  opt:\n  - emit=python+istio\n",
    "a program": "plugins:\n  - local: [python, -m, protoc_gen_dubbo_mesh]\n    opt: emit=envoy\n",
    "flow": 'plugins: [{local: protoc-gen-dubbo-mesh, opt: ["app=x", emit=istio]}]\n',
    "JSON": '{\n"version": "v2",\n"plugins": [{"local": "protoc-gen-dubbo-mesh", "opt": "emit=envoy"}]\n}',
    "version 1": "version: v1\nplugins:\n  - plugin: dubbo-mesh\n    opt: emit=istio\n",
    "a comment": "plugins:\n  - local: protoc-gen-dubbo-mesh # strategy: all\n    opt: emit=istio\n",
    "another plugin": (
        "plugins:\n  - local: protoc-gen-dubbo-mesh\n    opt: emit=istio\n  - local: x\n    strategy: all\n"
    ),
    "several": (
        "plugins:\n"
        "  - local: protoc-gen-dubbo-mesh\n    opt: emit=istio\n    strategy: all\n"
        "  - local: protoc-gen-dubbo-mesh\n    opt: emit=envoy\n"
    ),
}
LINES = {"outdented": 3, "JSON": 3, "version 1": 3, "several": 5}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_templates(form: str, project: Path) -> None:
    (project / "buf.gen.yaml").write_text(FORMS[form], encoding="utf-8")
    with pytest.raises(GenerationError, match=rf"^buf\.gen\.yaml:{LINES.get(form, 2 - (form == 'flow'))}: "):
        buf.check_runs(asked())


WITH_STRATEGY = {
    "block": "plugins:\n  - local: protoc-gen-dubbo-mesh\n    strategy: all\n    opt: emit=istio\n",
    "quoted": "plugins:\n  - 'strategy': \"all\"\n    local: protoc-gen-dubbo-mesh\n    opt: emit=istio\n",
    "flow": "plugins: [{local: protoc-gen-dubbo-mesh, strategy: all, opt: emit=istio}]\n",
    "JSON": '{"plugins":[{"local":"protoc-gen-dubbo-mesh","opt":"emit=istio","strategy":"all"}]}',
    "beside one for Python": (
        "plugins:\n"
        "  - local: protoc-gen-dubbo-mesh\n    opt: app=x\n"
        "  - local: protoc-gen-dubbo-mesh\n    opt: emit=istio\n    strategy: all\n"
    ),
}


@pytest.mark.parametrize("form", WITH_STRATEGY)
def test_forms_of_templates_with_the_strategy(form: str, project: Path) -> None:
    (project / "buf.gen.yaml").write_text(WITH_STRATEGY[form], encoding="utf-8")
    assert buf.check_runs(asked()) == []


@pytest.mark.parametrize(
    "text",
    [
        "inputs:\n- directory: one\n- directory: two\nplugins:\n- local: x\n",
        "version: v2\ninputs: [{directory: one}, {git_repo: two}]\n",
        '{"plugins": [], "inputs": [{"directory": "one"}, {"directory": "two"}]}',
    ],
)
def test_forms_of_several_inputs(text: str, project: Path) -> None:
    (project / "buf.gen.yaml").write_text(text, encoding="utf-8")
    [warning] = buf.check_runs(asked())
    assert "buf generates several inputs one after the other" in warning


@pytest.mark.parametrize("text", ["", "version: v2\n", "plugins:\n", "plugins: 1\n", "{", "\0\x80"])
def test_templates_without_an_entry_are_a_warning(text: str, project: Path) -> None:
    (project / "buf.gen.yaml").write_text(text, encoding="latin-1")
    assert buf.check_runs(asked()) == [
        "emit asks for files that are about whole applications: set `strategy: all` for this plugin, "
        "or buf may start it several times"
    ]


def test_protos_beside_the_module_are_a_warning(project: Path) -> None:
    """Whether another module of the workspace has them is in buf.yaml."""
    os.renames("protos/two", "third_party/two")
    (project / "buf.gen.yaml").write_text(FORMS["block"], encoding="utf-8")
    [warning] = buf.check_runs(asked())
    assert warning.startswith("buf.gen.yaml:2: ")


@pytest.mark.parametrize("directory", [".hidden", "node_modules"])
def test_hidden_directories_and_installed_packages_do_not_count(directory: str, project: Path) -> None:
    os.renames("protos/two", f"protos/{directory}/two")
    (project / "buf.gen.yaml").write_text(FORMS["block"], encoding="utf-8")
    assert buf.check_runs(asked()) == []


def test_the_search_for_protos_has_an_end(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "protos" / "two" / "two.proto").unlink()
    monkeypatch.setattr(buf, "_MOST_FILES", 0)
    (project / "buf.gen.yaml").write_text(FORMS["block"], encoding="utf-8")
    assert len(buf.check_runs(asked())) == 1
