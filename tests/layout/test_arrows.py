"""The layout's arrows: which package may import which, checked against the imports in the code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.layout.imports import Import, imports_of, modules

ROOT = Path(__file__).parents[2]
RUNTIME = "dubbo_mesh"
PLUGIN = "protoc_gen_dubbo_mesh"

MAY_IMPORT: dict[str, set[str]] = {
    "_contract": set(),
    "_addressing": {"_contract"},
    "_context": {"_contract", "_addressing"},
    "_calling": {"_contract", "_addressing", "_context"},
    "_health": {"_contract"},
    "_sidecar": {"_contract", "_addressing"},
    "_serving": {"_contract", "_addressing", "_context", "_calling", "_health", "_sidecar"},
    "_command": set(),
    "_doctor": {
        "_contract",
        "_addressing",
        "_context",
        "_calling",
        "_health",
        "_sidecar",
        "_serving",
        "_command",
    },
    "v1": set(),
}
"""The packages of the runtime, and which others each of them may import."""

DOCTOR = f"{RUNTIME}._doctor"

MAY_IMPORT_IN_THE_DOCTOR: dict[str, set[str]] = {
    "catalogue": set(),
    "envoy": set(),
    "proxyless": {"catalogue", "envoy"},
    "addressing": {"catalogue", "envoy", "proxyless"},
    "sidecar": {"catalogue", "envoy", "addressing"},
    "policy": {"catalogue", "envoy", "addressing", "sidecar"},
    "serving": {"catalogue", "envoy", "addressing", "sidecar"},
    "report": {"catalogue"},
}
"""The rooms of the doctor, and which others each of them may import."""

MAY_IMPORT_IN_ITS_ENVOY: dict[str, set[str]] = {
    "configuration": set(),
    "regex": set(),
    "entering": {"configuration"},
    "routing": {"configuration", "regex", "entering"},
    "forwarding": {"configuration", "regex", "entering", "routing"},
}
"""The rooms of `envoy`, in the order in which a call meets them, and which others each may import."""

BELOW_THE_ROOMS = {f"{DOCTOR}.{name}" for name in ("budget", "examination", "finding", "safety", "wording")}
"""What all rooms of the doctor may import but `envoy`, which knows nothing of findings, and `catalogue`."""

PUBLIC_FACES = {RUNTIME, f"{RUNTIME}.aio"}
"""The public modules: names only, loaded lazily from all packages. No package imports them."""

COMMAND = f"{RUNTIME}.__main__"
"""The command line. It may import everything, and nothing imports it."""

THIRD_PARTIES = {"google", "grpc", "typing_extensions"}
"""What the runtime depends on: protobuf, grpcio, and what grpcio itself depends on."""

OPTIONAL_IMPORTS = {
    # The extra `reflection` installs it; a server asks for it by `reflection=True`.
    (f"{RUNTIME}._serving.reflection", "grpc_reflection.v1alpha"),
}

TWINS_IN_SHARED_CODE = {
    # One function adds servicers of either kind. The base class tells which of them it was given.
    (f"{RUNTIME}._serving.registration", f"{RUNTIME}._serving.aio_servicer"),
    # One function registers the health service on servers of either kind, and loads the twin that it needs.
    (f"{RUNTIME}._health.registration", f"{RUNTIME}._health.aio_service"),
    (f"{RUNTIME}._health.registration", f"{RUNTIME}._health.service"),
    # The table of handlers is for servers of either kind, and loads the layer that it needs.
    (f"{RUNTIME}._serving.handlers", f"{RUNTIME}._serving.aio_outermost"),
    (f"{RUNTIME}._serving.handlers", f"{RUNTIME}._serving.outermost"),
    # Servers of either kind talk to their sidecar on a thread, which may block as no event loop may.
    (f"{RUNTIME}._sidecar.link", f"{RUNTIME}._sidecar.admin"),
    (f"{RUNTIME}._serving.process", f"{RUNTIME}._sidecar.admin"),
    (f"{RUNTIME}._serving.options", f"{RUNTIME}._sidecar.admin"),
}
"""Exceptions: code that both twins share, and the twin that it imports, each with its reason."""


def is_face(module: str) -> bool:
    return module in PUBLIC_FACES or module == COMMAND


def package_of(module: str) -> str:
    """The runtime's package that a module belongs to: `_calling` for `dubbo_mesh._calling.plan`."""
    return module.split(".")[1]


def is_async_twin(module: str) -> bool:
    return module.rpartition(".")[2].startswith("aio_")


def twins(names: Iterable[str]) -> set[str]:
    """The modules `aio_x`, and each `x` that stands beside one."""
    of_asyncio = {name for name in names if is_async_twin(name)}
    return of_asyncio | ({name.replace(".aio_", ".") for name in of_asyncio} & set(names))


def upward(found: Iterable[Import]) -> Iterator[Import]:
    """Imports within the runtime that the table does not allow."""
    for each in found:
        if is_face(each.importer) or each.imported.partition(".")[0] != RUNTIME:
            continue
        if is_face(each.imported):
            yield each
            continue
        importer, imported = package_of(each.importer), package_of(each.imported)
        if imported != importer and imported not in MAY_IMPORT[importer]:
            yield each


def upward_in_the_doctor(found: Iterable[Import]) -> Iterator[Import]:
    """Imports between rooms of the doctor that the table does not allow."""
    for each in found:
        importer, imported = (_room_of(name) for name in each[:2])
        if importer is None or not each.imported.startswith(f"{DOCTOR}.") or importer == imported:
            continue
        allowed = MAY_IMPORT_IN_THE_DOCTOR[importer]
        if imported not in allowed and not (allowed and each.imported in BELOW_THE_ROOMS):
            yield each


def upward_in_its_envoy(found: Iterable[Import]) -> Iterator[Import]:
    """Imports between the rooms of `envoy` that the table does not allow; what is in none is below all."""
    prefix = f"{DOCTOR}.envoy."
    for each in found:
        if not (each.importer.startswith(prefix) and each.imported.startswith(prefix)):
            continue
        importer, imported = (name.removeprefix(prefix).partition(".")[0] for name in each[:2])
        allowed = MAY_IMPORT_IN_ITS_ENVOY.get(importer, set())
        if imported in MAY_IMPORT_IN_ITS_ENVOY and imported != importer and imported not in allowed:
            yield each


def _room_of(module: str) -> str | None:
    """The room of the doctor that a module is in."""
    room = module.removeprefix(f"{DOCTOR}.").partition(".")[0]
    return room if module.startswith(f"{DOCTOR}.") and room in MAY_IMPORT_IN_THE_DOCTOR else None


def stray_async(found: Iterable[Import]) -> Iterator[Import]:
    """Imports of async twins by modules that are not: what is written for threads would load asyncio."""
    for each in found:
        if is_async_twin(each.imported) and not is_async_twin(each.importer) and not is_face(each.importer):
            yield each


def twins_in_shared_code(found: Iterable[Import], names: Iterable[str]) -> Iterator[Import]:
    """Imports of a twin, sync or async, by code that both twins share.

    The doctor is a sync program of its own: it shares nothing with anybody.
    """
    pairs = twins(names)
    for each in found:
        if each.importer in pairs or is_face(each.importer) or package_of(each.importer) == "_doctor":
            continue
        if each.imported in pairs:
            yield each


def foreign(found: Iterable[Import]) -> Iterator[Import]:
    """Imports of what is neither the runtime's, nor Python's, nor a dependency's."""
    known = {*sys.stdlib_module_names, *THIRD_PARTIES, RUNTIME}
    return (each for each in found if each.imported.partition(".")[0] not in known)


def beyond_the_contract(found: Iterable[Import]) -> Iterator[Import]:
    """The plugin's imports from the runtime that are neither public nor part of the contract between them."""
    for each in found:
        if each.imported.partition(".")[0] != RUNTIME or each.imported in PUBLIC_FACES:
            continue
        if package_of(each.imported) not in ("_contract", "v1"):
            yield each


def unexpected(violations: Iterable[Import], expected: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Violations that are not expected, and expected ones that no longer exist: remove their entries."""
    found = {(each.importer, each.imported): each for each in violations}
    expected = set(expected)
    new = [
        f"{importer}, line {each.line}, imports {imported}"
        for (importer, imported), each in found.items()
        if (importer, imported) not in expected
    ]
    gone = [f"{importer} no longer imports {imported}" for importer, imported in expected - set(found)]
    return [*new, *gone]


@pytest.fixture(scope="module")
def runtime() -> dict[str, Path]:
    return modules(ROOT / "runtime", RUNTIME)


@pytest.fixture(scope="module")
def found(runtime: dict[str, Path]) -> list[Import]:
    return imports_of(runtime)


class TestTheTable:
    def test_names_all_packages(self, runtime: dict[str, Path]) -> None:
        packages = {name for name, path in runtime.items() if path.name == "__init__.py"}
        rooms = {f"{DOCTOR}.{name}" for name in MAY_IMPORT_IN_THE_DOCTOR}
        rooms |= {f"{DOCTOR}.envoy.{name}" for name in MAY_IMPORT_IN_ITS_ENVOY}
        assert packages - PUBLIC_FACES == {f"{RUNTIME}.{name}" for name in MAY_IMPORT} | rooms
        beside_them = {name for name in runtime if name.count(".") < 2 and name not in packages}
        assert beside_them == {COMMAND}

    def test_has_what_contributors_are_told_of(self) -> None:
        told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        rooms = [*MAY_IMPORT, *MAY_IMPORT_IN_THE_DOCTOR]
        assert [name for name in rooms if f"`{name}/`" not in told] == []

    def test_has_no_cycle(self) -> None:
        for name, below in MAY_IMPORT.items():
            for other in below:
                assert MAY_IMPORT[other] < below, f"{name} may import {other}, but not all that {other} may"


class TestTheRuntime:
    def test_imports_downward_only(self, found: list[Import]) -> None:
        assert unexpected(upward(found)) == []

    def test_imports_downward_only_in_the_doctor(self, found: list[Import]) -> None:
        assert unexpected(upward_in_the_doctor(found)) == []
        assert unexpected(upward_in_its_envoy(found)) == []

    def test_keeps_async_twins_to_asyncio(self, found: list[Import]) -> None:
        expected = [pair for pair in TWINS_IN_SHARED_CODE if is_async_twin(pair[1])]
        assert unexpected(stray_async(found), expected) == []

    def test_decides_in_code_that_knows_neither_twin(
        self, found: list[Import], runtime: dict[str, Path]
    ) -> None:
        assert unexpected(twins_in_shared_code(found, runtime), TWINS_IN_SHARED_CODE) == []

    def test_logs_by_loggers_that_print_nothing_unless_asked_to(self, runtime: dict[str, Path]) -> None:
        """A module that logs imports `_contract.logs`, which sees to that for the whole package."""
        by_hand = [name for name, path in runtime.items() if "getLogger" in path.read_text(encoding="utf-8")]
        assert by_hand == [f"{RUNTIME}._contract.logs"]

    def test_depends_on_grpcio_and_protobuf_only(self, found: list[Import]) -> None:
        assert unexpected(foreign(found), OPTIONAL_IMPORTS) == []


def test_the_plugin_imports_public_names_and_the_contract_only() -> None:
    found = imports_of(modules(ROOT, PLUGIN))
    assert any(each.imported.startswith(f"{RUNTIME}._contract") for each in found)
    assert unexpected(beyond_the_contract(found)) == []


class TestWhatIsPlanted:
    """A check that finds nothing has to be one that would."""

    WAYS = (
        "from .._serving.workers import Workers",
        "from .._serving import workers",
        "from dubbo_mesh._serving.workers import Workers",
        "import dubbo_mesh._serving.workers as workers",
        "def late():\n    from .._serving.workers import Workers",
        "if TYPE_CHECKING:\n    from .._serving.workers import Workers",
        "importlib.import_module('dubbo_mesh._serving.workers')",
        "import_module('.._serving.workers', __package__)",
    )

    @staticmethod
    def plant(root: Path, importer: str, source: str) -> list[Import]:
        """The imports of a small runtime in which `importer` has this source."""
        for name in (importer, "_serving/workers", "_serving/aio_server", "_serving/server", "_serving/core"):
            path = root / RUNTIME / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            (path.parent / "__init__.py").touch()
        (root / RUNTIME / "__init__.py").touch()
        (root / RUNTIME / f"{importer}.py").write_text(source)
        return imports_of(modules(root, RUNTIME))

    @pytest.mark.parametrize("source", WAYS)
    def test_upward(self, tmp_path: Path, source: str) -> None:
        (planted,) = upward(self.plant(tmp_path, "_health/service", source))
        assert planted[:2] == ("dubbo_mesh._health.service", "dubbo_mesh._serving.workers")

    @pytest.mark.parametrize("source", WAYS)
    def test_downward_is_allowed(self, tmp_path: Path, source: str) -> None:
        assert list(upward(self.plant(tmp_path, "_doctor/server", source))) == []

    @pytest.mark.parametrize(
        ("importer", "source", "allowed"),
        [
            ("envoy/trust", "from ..policy import rpcs", False),
            ("envoy/trust", "from ..finding import problem", False),
            ("sidecar/passage", "from ..policy import rpcs", False),
            ("sidecar/passage", "from .. import command", False),
            ("policy/rpcs", "from ..sidecar import passage", True),
            ("policy/rpcs", "from ..finding import problem", True),
        ],
    )
    def test_a_room_of_the_doctor(self, tmp_path: Path, importer: str, source: str, allowed: bool) -> None:
        for name in (importer, "policy/rpcs", "sidecar/passage", "finding", "command"):
            path = tmp_path / RUNTIME / "_doctor" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            (path.parent / "__init__.py").touch()
        (tmp_path / RUNTIME / "__init__.py").touch()
        (tmp_path / RUNTIME / "_doctor" / f"{importer}.py").write_text(source)
        planted = upward_in_the_doctor(imports_of(modules(tmp_path, RUNTIME)))
        assert (list(planted) == []) is allowed

    @pytest.mark.parametrize(
        ("importer", "source", "allowed"),
        [
            ("entering/trust", "from ..forwarding import router", False),
            ("entering/trust", "from .. import values", True),
            ("forwarding/router", "from ..entering.trust import Trust", True),
            ("values", "from .entering import trust", False),
        ],
    )
    def test_a_room_of_its_envoy(self, tmp_path: Path, importer: str, source: str, allowed: bool) -> None:
        for name in ("values", "entering/trust", "forwarding/router"):
            path = tmp_path / RUNTIME / "_doctor" / "envoy" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            (path.parent / "__init__.py").touch()
        (tmp_path / RUNTIME / "_doctor" / "envoy" / f"{importer}.py").write_text(source)
        (tmp_path / RUNTIME / "_doctor" / "__init__.py").touch()
        (tmp_path / RUNTIME / "__init__.py").touch()
        planted = upward_in_its_envoy(imports_of(modules(tmp_path, RUNTIME)))
        assert (list(planted) == []) is allowed

    @pytest.mark.parametrize(
        "source", ["import dubbo_mesh", "from .. import Target", "from ..aio import Stub"]
    )
    def test_the_public_face(self, tmp_path: Path, source: str) -> None:
        assert len(list(upward(self.plant(tmp_path, "_serving/core", source)))) == 1

    def test_an_async_twin(self, tmp_path: Path) -> None:
        planted = self.plant(tmp_path, "_serving/workers", "def late():\n    from . import aio_server")
        assert len(list(stray_async(planted))) == 1

    @pytest.mark.parametrize("twin", ["server", "aio_server"])
    def test_a_twin_in_shared_code(self, tmp_path: Path, twin: str) -> None:
        planted = self.plant(tmp_path, "_serving/core", f"from .{twin} import Server")
        assert len(list(twins_in_shared_code(planted, modules(tmp_path, RUNTIME)))) == 1

    def test_a_dependency(self, tmp_path: Path) -> None:
        planted = self.plant(tmp_path, "_serving/core", "def late():\n    import yaml, json, google.protobuf")
        assert [each.imported for each in foreign(planted)] == ["yaml"]

    def test_a_private_name_in_the_plugin(self, tmp_path: Path) -> None:
        path = tmp_path / PLUGIN / "build.py"
        path.parent.mkdir()
        path.write_text("import dubbo_mesh.v1\nfrom dubbo_mesh._calling import plan")
        planted = imports_of(modules(tmp_path, PLUGIN))
        assert [each.imported for each in beyond_the_contract(planted)] == ["dubbo_mesh._calling"]

    def test_what_is_expected_and_gone(self, tmp_path: Path) -> None:
        pair = ("dubbo_mesh._serving.core", "dubbo_mesh._serving.server")
        planted = self.plant(tmp_path, "_serving/core", "from .server import Server")
        names = modules(tmp_path, RUNTIME)
        assert unexpected(twins_in_shared_code(planted, names), [pair]) == []
        mended = self.plant(tmp_path, "_serving/core", "")
        assert unexpected(twins_in_shared_code(mended, names), [pair]) == [
            "dubbo_mesh._serving.core no longer imports dubbo_mesh._serving.server"
        ]
