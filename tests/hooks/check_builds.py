"""Builds that generate, with each build system that there is a hook for."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hooks.conftest import install
from tests.hooks.samples import MODULES, ORDERS, TYPES, below, output_of, place_an_order, run, write

PROJECT = """\
[build-system]
requires = ["{backend}", "protoc-gen-dubbo-mesh"]
build-backend = "{entry}"

[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["dubbo-mesh"]
"""

ENTRIES = {"hatchling": "hatchling.build", "setuptools": "setuptools.build_meta"}
TABLES = {"hatchling": "tool.hatch.build.hooks.dubbo-mesh", "setuptools": "tool.dubbo-mesh"}
OWN = {"shop/__init__.py", "shop/app.py"}
MARKERS = {"acme/py.typed", "shop/api/v1/py.typed"}

USES_TYPES = """\
import shop.app
from shop.api.v1.orders_mesh import OrdersAsyncServicer, OrdersStub
from shop.api.v1.orders_pb2 import Order
reveal_type(OrdersStub(target="orders:1").place(Order()).id)
"""

pytestmark = pytest.mark.timeout(300)


@dataclass
class Project:
    """A project with a package of its own, in a git repository that ignores generated files."""

    root: Path
    backend: str
    builder: Path

    @property
    def orders(self) -> Path:
        return self.root / "protos" / "shop" / "api" / "v1" / "orders.proto"

    def configure(self, more: str = "", out: str = "src", roots: str = '"protos"') -> None:
        table = f"[{TABLES[self.backend]}]\nroots = [{roots}]\nout = '{out}'\n"
        project = PROJECT.format(backend=self.backend, entry=ENTRIES[self.backend])
        (self.root / "pyproject.toml").write_text(f"{project}{more}{table}")

    def build(self, *arguments: str) -> str:
        """Builds the sdist and from that the wheel, by default; returns the output of the build."""
        shutil.rmtree(self.root / "dist", ignore_errors=True)
        return output_of(self.builder, "-m", "build", "--no-isolation", *arguments, self.root)

    def in_wheel(self) -> set[str]:
        """The files of the wheel without its metadata."""
        (wheel,) = self.wheel.parent.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return {name for name in archive.namelist() if ".dist-info/" not in name}

    def in_sdist(self) -> set[str]:
        (sdist,) = (self.root / "dist").glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}

    @property
    def wheel(self) -> Path:
        return next((self.root / "dist").glob("*.whl"))

    def generated(self, out: str = "src") -> dict[str, int]:
        """When each generated file was written."""
        directory = self.root / out
        return {
            name: (directory / name).stat().st_mtime_ns
            for name in below(directory)
            if name.endswith(("_pb2.py", "_pb2.pyi", "_mesh.py"))
        }


@pytest.fixture(params=list(ENTRIES))
def project(request: pytest.FixtureRequest, tmp_path: Path, builder: Path) -> Project:
    project = Project(tmp_path / "a repository" / "shop", request.param, builder)
    write(
        project.root,
        {
            "src/shop/__init__.py": "",
            "src/shop/app.py": "",
            "protos/shop/api/v1/orders.proto": ORDERS,
            "protos/acme/types.proto": TYPES,
            "../.gitignore": "*_pb2.py\n*_pb2.pyi\n*_mesh.py\ndist/\n",
        },
    )
    output_of("git", "init", "--quiet", project.root.parent)
    project.configure()
    return project


def test_sdist_and_wheel_contain_generated_files_that_git_ignores(
    project: Project, user: Path, tmp_path: Path
) -> None:
    output = project.build()
    assert "dubbo-mesh: 5 written and 0 removed below src, from 2 .proto" in output
    # The wheel is built from the sdist, which has everything generated.
    assert "dubbo-mesh: src is up to date" in output
    assert project.in_wheel() == MODULES | MARKERS | OWN
    assert {f"src/{name}" for name in MODULES | OWN} <= project.in_sdist()
    assert {"protos/acme/types.proto", "protos/shop/api/v1/orders.proto"} <= project.in_sdist()

    installed = tmp_path / "installed"
    install(user, "--no-deps", "--target", installed, project.wheel)
    place_an_order("", path=installed, python=user)

    # Generated packages are typed; the project's own code is as it was.
    write(tmp_path, {"elsewhere/use.py": USES_TYPES})
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", user, "use.py")
    done = run(*mypy, cwd=tmp_path / "elsewhere", PYTHONPATH=str(installed))
    assert 'use.py:4: note: Revealed type is "str"' in done.stdout
    assert 'use.py:1: error: Skipping analyzing "shop.app": module is installed, but missing' in done.stdout
    assert "Found 1 error" in done.stdout


@pytest.mark.parametrize("directory", ["src", "src/shop"])
def test_manifests_are_in_sdists_and_not_in_wheels(directory: str, project: Project) -> None:
    """Even if they are in a package that a build includes as a whole."""
    with (project.root / "pyproject.toml").open("a") as settings:
        settings.write(f'manifests-out = "{directory}"\n')
        settings.write(f'[{TABLES[project.backend]}.options]\nemit = ["python", "istio"]\n')
    write(project.root, {"src/shop/data.yaml": "of the package\n"})
    project.build()
    assert f"{directory}/istio/orders.yaml" in project.in_sdist()
    assert [name for name in project.in_wheel() if name.endswith(".yaml")] == (
        ["shop/data.yaml"] if "shop/data.yaml" in project.in_wheel() else []
    )
    assert project.in_wheel() - {"shop/data.yaml"} == MODULES | MARKERS | OWN


def test_a_second_build_generates_nothing(project: Project) -> None:
    project.build("--wheel")
    before = project.generated()
    assert set(before) == MODULES
    output = project.build("--wheel")
    assert "dubbo-mesh: src is up to date" in output
    assert project.generated() == before
    assert project.in_wheel() == MODULES | MARKERS | OWN
    assert not (project.root / ".dubbo_mesh_cache" / "typed").exists()


@pytest.mark.parametrize("mode", ["sdist", "editable"])
def test_an_error_in_a_proto_is_a_line(project: Project, mode: str) -> None:
    project.orders.write_text(ORDERS.replace("rpc", "rcp"))
    if mode == "editable":
        with pytest.raises(AssertionError) as failure:
            install(project.builder, "--no-build-isolation", "--no-deps", "--editable", project.root)
        output = str(failure.value)
    else:
        done = run(project.builder, "-m", "build", "--no-isolation", f"--{mode}", cwd=project.root)
        assert done.returncode != 0
        output = done.stdout + done.stderr
    assert 'protos/shop/api/v1/orders.proto:13:3: Expected "rpc".' in map(str.strip, output.splitlines())
    assert "Traceback" not in output
    assert not project.generated()


@pytest.mark.parametrize("out", ["src", "gen"])
def test_an_editable_install_uses_newly_generated_modules(project: Project, out: str) -> None:
    # Modules generated into a directory of their own must not share a package with the sources.
    (project.root / "src" / "shop").rename(project.root / "src" / "store")
    more = {"hatchling": '[tool.hatch.build.targets.wheel]\npackages = ["src/store"]\n', "setuptools": ""}
    project.configure(more[project.backend], out)
    install(project.builder, "--no-build-isolation", "--no-deps", "--editable", project.root)
    assert set(project.generated(out)) == MODULES
    place_an_order("", python=project.builder)
    output = output_of(
        project.builder,
        "-c",
        "import store.app, acme.types_pb2 as types; print(types.__file__)",
        cwd=Path("/"),
    )
    assert output == f"{project.root / out / 'acme' / 'types_pb2.py'}\n"
    project.build("--wheel")
    assert project.in_wheel() == MODULES | MARKERS | {"store/__init__.py", "store/app.py"}


def test_an_editable_install_warns_of_what_it_hides(project: Project) -> None:
    more = {
        "hatchling": "",
        "setuptools": '[tool.setuptools]\npackages = ["shop"]\npackage-dir = {"" = "src"}\n',
    }
    project.configure(more[project.backend], "gen")
    verbose = ("--no-build-isolation", "--no-deps", "--editable", project.root, "-vv")
    output = install(project.builder, *verbose)
    assert (
        "an editable install cannot import gen/shop/api/v1/orders_mesh.py: its package shop is in src"
        in output
    )


def test_protos_outside_of_the_project_need_not_be_in_the_sdist(project: Project) -> None:
    shutil.move(project.root / "protos" / "acme", project.root.parent / "shared protos" / "acme")
    project.configure(roots='"protos", "../shared protos"')
    output = project.build()
    assert "dubbo-mesh: src is used as it is in this sdist" in output
    assert project.in_wheel() == MODULES | MARKERS | OWN


@pytest.mark.parametrize("options", ['imports = "relative"', ""])
def test_output_inside_of_a_package(project: Project, user: Path, tmp_path: Path, options: str) -> None:
    project.configure(f"[tool.dubbo-mesh.options]\n{options}\n", "src/shop/gen")
    output = project.build("--wheel")
    assert project.in_wheel() == {f"shop/gen/{name}" for name in MODULES | MARKERS} | OWN
    wrong = "is installed as shop/gen/acme/types_pb2.py, but imported as acme/types_pb2.py: set import_prefix"
    assert (wrong in output) == (not options)
    if options:
        installed = tmp_path / "installed"
        install(user, "--no-deps", "--target", installed, project.wheel)
        place_an_order("shop.gen", path=installed, python=user)


def test_a_project_that_is_all_generated(project: Project, user: Path, tmp_path: Path) -> None:
    shutil.rmtree(project.root / "src")
    output = project.build()
    assert "5 written" in output
    assert project.in_wheel() == MODULES | MARKERS
    install(user, "--no-deps", "--target", tmp_path / "installed", project.wheel)
    place_an_order("", path=tmp_path / "installed", python=user)


def test_output_of_a_deleted_proto_is_not_built(project: Project) -> None:
    project.build()
    project.orders.unlink()
    project.build()
    assert project.in_wheel() == {name for name in MODULES | MARKERS if name.startswith("acme")} | OWN


@pytest.mark.parametrize("project", ["hatchling"], indirect=True)
def test_the_hatchling_hook_shares_the_settings_of_the_command(project: Project) -> None:
    project.configure('[tool.dubbo-mesh]\nroots = ["protos"]\nout = "elsewhere"\nexclude = ["shop/*"]\n')
    assert "dubbo-mesh: 2 written" in project.build("--wheel")
    assert project.in_wheel() == {name for name in MODULES | MARKERS if name.startswith("acme")} | OWN


@pytest.mark.parametrize("project", ["setuptools"], indirect=True)
def test_an_isolated_build_finds_the_hook_and_plugins(project: Project, wheels: Path) -> None:
    project.configure()
    settings = project.root / "pyproject.toml"
    requires = settings.read_text().replace('dubbo-mesh"]\n', 'dubbo-mesh", "mypy-protobuf"]\n', 1)
    settings.write_text(f'{requires}plugins = ["mypy"]\n')
    output = output_of(
        *(project.builder, "-m", "build", "--wheel", "--installer=pip", project.root),
        PIP_FIND_LINKS=str(wheels),
    )
    assert "dubbo-mesh: 5 written" in output
    assert project.in_wheel() == MODULES | MARKERS | OWN
    assert "@generated by mypy-protobuf" in (project.root / "src" / "acme" / "types_pb2.pyi").read_text()


def test_setuptools_builds_other_projects_as_before(builder: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "other", "setuptools", builder)
    write(project.root, {"src/other/__init__.py": ""})
    (project.root / "pyproject.toml").write_text(
        PROJECT.format(backend="setuptools", entry=ENTRIES["setuptools"])
    )
    assert "dubbo" not in project.build("--wheel").replace("dubbo-mesh.egg", "")
    assert project.in_wheel() == {"other/__init__.py"}
