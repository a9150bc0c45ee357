"""What `init` prints: what it found, and what is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .code import Code
    from .protos import Proto
    from .roots import Layout

_OPTIONS = "dubbo_mesh/v1/options.proto"
_LISTED = 12  # packages or services of a root: more than that would hide the rest


def findings(layout: Layout, code: Code) -> Iterator[str]:
    """What was found, a line each."""
    for root, protos in layout.roots.items():
        yield f"root {root}: {len(protos)} {'proto' if len(protos) == 1 else 'protos'}"
        yield from _listed("package", {proto.package for proto in protos if proto.package})
        yield from _listed("service", {service for proto in protos for service in proto.services})
    for directory in layout.import_path:
        yield f"imports are also found below {directory}: nothing is generated from there"
    yield f"output directory {code.out}: {code.why}"
    if code.plugins:
        yield f"the existing output of {', '.join(code.plugins)} will be kept up to date"


def _listed(what: str, names: set[str]) -> Iterator[str]:
    if names:
        shown = sorted(names)[:_LISTED]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        yield f"  {what}{'s' if len(names) > 1 else ''} {', '.join(shown)}{more}"


def steps(layout: Layout, code: Code, *, command: str, where_app_is_set: str) -> Iterator[str]:
    """What is left to do, a line each.

    Args:
        layout: the protos.
        code: the Python code.
        command: what generates.
        where_app_is_set: where to set `app`.
    """
    protos = [proto for below in layout.roots.values() for proto in below]
    if any(proto.services and _OPTIONS not in proto.imports for proto in protos):
        yield (
            f"set app {where_app_is_set} to the application that provides the services, that is, the name of "
            "its Kubernetes Service; if there are several, set app in the protos or in a config file"
        )
    if not any(proto.services for proto in protos):
        yield "there are no services yet: only messages will be generated"
    yield f"run {command}"
    if "mypy" in code.plugins:
        yield "install mypy-protobuf wherever code is generated"
    if "grpc_python" in code.plugins:
        yield (
            "import from …_mesh instead of …_pb2_grpc, then remove grpc_python from plugins: "
            "see docs/migrating.md"
        )
    if not code.needs("dubbo-mesh"):
        yield 'add "dubbo-mesh" to the dependencies of the project: generated modules import it'


def builds(code: Code) -> Iterator[str]:
    """What is left to do to generate whenever the project is built."""
    if code.backend.startswith("hatchling") or code.backend.startswith("setuptools"):
        hook = (
            ""
            if code.backend.startswith("setuptools")
            else " and the table [tool.hatch.build.hooks.dubbo-mesh]"
        )
        if not code.builds_with("protoc-gen-dubbo-mesh"):
            yield (
                'to generate in builds, add "protoc-gen-dubbo-mesh" to requires of [build-system] in '
                f"pyproject.toml{hook}; or commit the generated files"
            )
    else:
        yield "commit the generated files, or generate before each build"


def options_for_buf(protos: list[Proto]) -> Iterator[str]:
    """What is left to do for buf, which finds imports only in its modules."""
    used = any(_OPTIONS in proto.imports for proto in protos)
    if used and not any(proto.path.as_posix().endswith(_OPTIONS) for proto in protos):
        yield f"make {_OPTIONS} known to buf: put a copy into a module, see docs/compatibility.md"
