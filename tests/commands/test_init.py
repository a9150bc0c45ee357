"""`protoc-gen-dubbo-mesh init`: what it finds in trees of several shapes, and that its settings generate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protoc_gen_dubbo_mesh.cli import answer
from protoc_gen_dubbo_mesh.project.init import buf, protos
from protoc_gen_dubbo_mesh.project.init.roots import TOP
from protoc_gen_dubbo_mesh.project.settings import read
from protoc_gen_dubbo_mesh.project.sources import proto_path
from tests.generator.compiling import GRPC_TOOLS_PROTOS
from tests.generator.goldens import GOLDEN
from tests.hooks.samples import below, output_of, write


def proto(package: str, *imports: str, service: str = "") -> str:
    lines = ['syntax = "proto3";', f"package {package};" if package else ""]
    lines += [f'import "{name}";' for name in imports]
    message = (service or "Nothing") + "Request"
    lines += [f"message {message} {{ string id = 1; }}"]
    if service:
        lines += [f"service {service} {{ rpc call({message}) returns ({message}); }}"]
    return "\n".join(lines)


class Project:
    """A project, and what the command printed last."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        status = answer(list(arguments))
        self.out, self.err = self._capsys.readouterr()
        return status

    def init(self, files: dict[str, str]) -> dict[str, Any]:
        """The settings that the command writes, if the project has these files; they must generate."""
        write(self.directory, files)
        assert self("init") == 0, self.err
        written = self.out
        settings = read(self.directory)
        assert self("generate") == 0, self.err
        self.out = written
        return {
            "roots": [self._shown(root) for root in settings.roots],
            "out": self._shown(settings.out),
            "import_path": [self._shown(path) for path in settings.import_path],
            "exclude": list(settings.exclude),
            "options": dict(settings.options),
            "plugins": [plugin.name for plugin in settings.plugins],
        }

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.directory).as_posix()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, capsys)


def settings(**given: Any) -> dict[str, Any]:
    default: dict[str, Any] = {"out": "src", "import_path": [], "exclude": [], "options": {}, "plugins": []}
    return default | given


FLAT = {"protos/greeter.proto": proto("demo", service="Greeter")}


def test_a_flat_directory(project: Project) -> None:
    assert project.init(FLAT) == settings(roots=["protos"])
    assert project.out == (
        "root protos: 1 proto\n"
        "  package demo\n"
        "  service demo.Greeter\n"
        "output directory src: there are no packages yet\n"
        "\n"
        "written to pyproject.toml:\n"
        "\n"
        "[tool.dubbo-mesh]\n"
        'roots = ["protos"]\n'
        'out = "src"\n'
        "\n"
        "[tool.dubbo-mesh.options]\n"
        "# The application that provides the services: the name of its Kubernetes Service.\n"
        '# app = "\\u2026"\n'
        "\n"
        "next:\n"
        "* set app below [tool.dubbo-mesh.options] to the application that provides the services, that is, "
        "the name of its Kubernetes Service; if there are several, set app in the protos or in a config "
        "file\n"
        "* run protoc-gen-dubbo-mesh generate\n"
        '* add "dubbo-mesh" to the dependencies of the project: generated modules import it\n'
        "* commit the generated files, or generate before each build\n"
    ).replace("\\u2026", "…")
    assert "src/greeter_mesh.py" in below(project.directory)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {
                "api/acme/shop/v1/orders.proto": proto("acme.shop.v1", service="Orders"),
                "api/acme/money/v1/money.proto": proto("acme.money.v1"),
            },
            settings(roots=["api"]),
            id="packages are directories",
        ),
        pytest.param(
            {
                "api/shop/v1/orders.proto": proto("com.acme.shop.v1", service="Orders"),
                "api/money/v1/money.proto": proto("com.acme.money.v1"),
            },
            settings(roots=["api"]),
            id="packages end like directories",
        ),
        pytest.param(
            {
                "orders/protos/shop/orders.proto": proto("x", "money/money.proto", service="Orders"),
                "orders/protos/shop/more.proto": proto("x", "shop/orders.proto"),
                "shared/money/money.proto": proto("money"),
                "pyproject.toml": "[tool.hatch.build.targets.wheel]\npackages = ['lib/shop']\n",
                "lib/shop/__init__.py": "",
            },
            settings(roots=["orders/protos", "shared"], out="lib"),
            id="two roots, by imports",
        ),
        pytest.param(
            {
                "services/shop/orders.proto": proto("shop", "services/money/money.proto", service="Orders"),
                "services/money/money.proto": proto("money"),
                "shop/__init__.py": "",
            },
            settings(roots=["."], out="."),
            id="imports from the top",
        ),
        pytest.param(
            {
                "src/shop/api/orders.proto": proto("shop.api", "shop/api/types.proto", service="Orders"),
                "src/shop/api/types.proto": proto("shop.api"),
                "src/shop/__init__.py": "",
            },
            settings(roots=["src"]),
            id="inside of the package",
        ),
        pytest.param(
            {
                "src/shop/protos/orders.proto": proto("", "types.proto", service="Orders"),
                "src/shop/protos/types.proto": proto("types"),
                "src/shop/gen/types_pb2.py": "# Generated by the protocol buffer compiler.  DO NOT EDIT!\n",
                "src/shop/__init__.py": "",
            },
            settings(roots=["src/shop/protos"], out="src/shop/gen", options={"imports": "relative"}),
            id="output inside of the package",
        ),
        pytest.param(
            {
                **FLAT,
                "protos/google/api/http.proto": proto("google.api"),
                "third_party/xyz/validate/validate.proto": proto("validate"),
                "third_party/xyz/unused.proto": "broken",
                "protos/rules.proto": proto("demo", "validate/validate.proto", "google/api/http.proto"),
                "node_modules/x/x.proto": "broken",
                ".hidden/x.proto": "broken",
                "venv/pyvenv.cfg": "",
                "venv/x.proto": "broken",
            },
            settings(roots=["protos"], import_path=["third_party/xyz"], exclude=["google/*"]),
            id="copies of others",
        ),
        pytest.param(
            {
                "greeter.proto": proto("", service="Greeter"),
                "node_modules/[x]/x.proto": "broken",
                "third_party/a/b.proto": proto("a"),
            },
            settings(roots=["."], exclude=["node_modules/*", "third_party/*"]),
            id="at the top",
        ),
        pytest.param(
            {"a b/größe/x-y.proto": proto("größe".replace("ö", "o").replace("ß", "ss"), service="S")},
            settings(roots=["a b/größe"]),
            id="odd names",
        ),
    ],
)
def test_roots_and_code_are_found(project: Project, files: dict[str, str], expected: dict[str, Any]) -> None:
    assert project.init(files) == expected


def test_what_git_ignores_does_not_count(project: Project) -> None:
    output_of("git", "init", "--quiet", ".", cwd=project.directory)
    ignored = {"out/copy/protos/greeter.proto": "broken", "protos/scratch.proto": "broken"}
    found = project.init({**FLAT, **ignored, ".gitignore": "/out/\nscratch.proto\n"})
    assert found == settings(roots=["protos"], exclude=["scratch.proto"])


def test_an_existing_file_is_extended(project: Project) -> None:
    before = "# mine\r\n[project]  # shop\r\nname = 'shop'\r\ndependencies = ['dubbo_mesh>=0.1']"
    file = project.directory / "pyproject.toml"
    file.write_bytes(before.encode())
    project.init(FLAT)
    after = file.read_bytes().decode()
    assert after.startswith(f"{before}\r\n\r\n[tool.dubbo-mesh]\r\nroots = ")
    assert after.count("\n") == after.count("\r\n")
    assert "dependencies of the project" not in project.out
    assert 'add "protoc-gen-dubbo-mesh" to requires of [build-system]' in project.out


def test_malformed_tables_are_for_others_to_complain_about(project: Project) -> None:
    tables = """\
        project = 1
        build-system = { requires = 1, build-backend = 1 }
        [tool]
        hatch = 1
        setuptools.packages = ["a"]
        poetry.packages = [1]
        """
    write(project.directory, {**FLAT, "pyproject.toml": tables})
    assert project("init", "--dry-run") == 0
    assert 'roots = ["protos"]\nout = "."\n' in project.out


def test_a_dry_run_writes_nothing(project: Project) -> None:
    write(project.directory, FLAT)
    assert project("init", "--dry-run") == 0
    assert "would be written to pyproject.toml:\n\n[tool.dubbo-mesh]\n" in project.out
    assert below(project.directory) == set(FLAT)


@pytest.mark.parametrize("table", ["tool.dubbo-mesh", "tool.hatch.build.hooks.dubbo-mesh"])
def test_existing_settings_are_not_changed(project: Project, table: str) -> None:
    write(project.directory, {**FLAT, "pyproject.toml": f"[{table}]\nroots = []\n"})
    assert project("init") == 0
    assert project.out == "pyproject.toml already has settings; nothing was changed\n"
    assert (project.directory / "pyproject.toml").read_text() == f"[{table}]\nroots = []\n"


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"src/a.py": ""}, "there is no .proto file below "),
        ({**FLAT, "pyproject.toml": "[tool"}, "pyproject.toml:1: not TOML: "),
        ({**FLAT, "pyproject.toml": "tool = { a = 1 }\n"}, "pyproject.toml: cannot be extended, since "),
        ({**FLAT, "pyproject.toml": "tool = 1\n"}, "pyproject.toml: cannot be extended, since "),
        ({**FLAT, "pyproject.toml/a": ""}, "pyproject.toml: cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(project: Project, files: dict[str, str], complaint: str) -> None:
    write(project.directory, files)
    assert project("init") == 1
    assert project.err.startswith(complaint)
    assert project.err.count("\n") == 1
    assert below(project.directory) == set(files)


def test_broken_protos_are_set_up_too(project: Project) -> None:
    write(
        project.directory, {"protos/a.proto": "package a; service S { rpc", "protos/b.proto": "/* \x1b[31m"}
    )
    assert project("init") == 0
    assert "  service a.S\n" in project.out


def test_present_generators_go_on(project: Project) -> None:
    """mypy-protobuf's types and grpc's modules, as a team has them today."""
    directory = write(project.directory, {**FLAT, "gen/__init__.py": ""})
    output_of(
        *(sys.executable, "-m", "grpc_tools.protoc", "-Iprotos", "--python_out=gen", "--mypy_out=gen"),
        *("--grpc_python_out=gen", "--mypy_grpc_out=gen", "greeter.proto"),
        cwd=directory,
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    )
    (directory / "gen" / "__init__.py").unlink()
    plugins = ["grpc_python", "mypy", "mypy_grpc"]
    assert project.init({}) == settings(roots=["protos"], out="gen", plugins=plugins)
    assert "import from …_mesh instead of …_pb2_grpc" in project.out


BUF_TREES: dict[str, dict[str, str]] = {
    "v2": {"buf.yaml": "version: v2\nmodules: # two\n  - path: 'a'\n    name: x.y/z/a\n  - path: b\n"},
    "v2 in one line": {"buf.yaml": 'version: v2\nmodules: [{path: a}, {"path": "b"}]\n'},
    "v1": {"buf.work.yaml": "version: v1\ndirectories:\n  - a # one\n  - b\n", "a/buf.yaml": "version: v1\n"},
}


def buf_generate(directory: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "BUF_CACHE_DIR": str(directory / ".buf")}
    subprocess.run(["buf", "generate"], cwd=directory, env=environment, check=True)


@pytest.mark.parametrize("files", BUF_TREES.values(), ids=BUF_TREES.keys())
def test_a_buf_workspace(project: Project, files: dict[str, str]) -> None:
    sources = {
        "a/shop/orders.proto": proto("shop", "money/money.proto", service="Orders"),
        "b/money/money.proto": proto("money"),
    }
    directory = write(project.directory, {**files, **sources})
    workspace = buf.find(directory, protos.find(directory))
    assert workspace == ((TOP,), (PurePosixPath("a"), PurePosixPath("b")))
    assert project("init") == 0
    assert project.out.startswith("root a: 1 proto\n  package shop\n  service shop.Orders\nroot b: 1 proto\n")
    assert not (directory / "pyproject.toml").exists()
    buf_generate(directory)
    assert {"src/shop/orders_mesh.py", "src/shop/orders_pb2.py", "src/money/money_pb2.pyi"} <= below(
        directory
    )
    assert project("init") == 0
    assert project.out.endswith("buf.gen.yaml already has the plugin; nothing was changed\n")


def test_a_buf_module_below_the_project(project: Project) -> None:
    orders = proto("shop", service="Orders")
    write(project.directory, {"proto/buf.yaml": "version: v1\n", "proto/shop/orders.proto": orders})
    assert project("init") == 0
    buf_generate(project.directory)
    assert "src/shop/orders_mesh.py" in below(project.directory)


@pytest.mark.parametrize(
    ("template", "added"),
    [
        (
            "version: v2\nplugins:\n  - remote: buf.build/protocolbuffers/python\n    out: gen\n",
            "  - local: protoc-gen-dubbo-mesh\n    out: gen",
        ),
        (
            "version: v1\nplugins:\n  - plugin: python\n    out: gen\n",
            "  - plugin: dubbo-mesh\n    out: gen",
        ),
    ],
)
def test_an_existing_buf_template_is_not_changed(project: Project, template: str, added: str) -> None:
    files = {"buf.yaml": "version: v2\n", "buf.gen.yaml": template, **FLAT}
    write(project.directory, files)
    assert project("init") == 0
    assert f"buf.gen.yaml exists and was not changed: add below its plugins:\n\n{added}" in project.out
    assert below(project.directory) == set(files)


def test_protos_are_read_as_protoc_does(tmp_path: Path) -> None:
    """Packages, imports and services, of goldens and of what comes with grpcio-tools."""
    cases = ("comments", "edition_2024", "odd_paths", "proto_options", "shapes")
    compared = 0
    for directory in (*(GOLDEN / case for case in cases), Path(GRPC_TOOLS_PROTOS)):
        names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.proto"))
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"-I{directory}", f"-I{proto_path()}"),
                *(f"--descriptor_set_out={tmp_path / 'set'}", *names),
            ],
            check=True,
        )
        for file in FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file:
            prefix = f"{file.package}." if file.package else ""
            assert protos.read(PurePosixPath(file.name), directory / file.name) == (
                PurePosixPath(file.name),
                file.package,
                (*file.dependency, *getattr(file, "option_dependency", ())),
                tuple(prefix + service.name for service in file.service),
            )
            compared += 1
    assert compared > 20
