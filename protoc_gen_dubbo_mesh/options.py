"""The plugin's parameters: what stands in `--dubbo-mesh_opt=` or in buf.gen.yaml's `opt`."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import GenerationError
from .settings import Identity

APIS = ("both", "sync", "async")
IMPORTS = ("absolute", "relative")
EMITS = ("python", "kubernetes", "istio", "envoy")


class Options(NamedTuple):
    """The parameters, checked.

    Attributes:
        installed: modules that protoc wrote for others, by their dotted paths: they are where they are
            installed, whatever is said of imports. No parameter says so, but who runs the plugin on a
            whole project.
    """

    identity: Identity = Identity()
    config: str | None = None
    service_config: str | None = None
    api: str = "both"
    imports: str = "absolute"
    import_prefix: str = ""
    emit: tuple[str, ...] = ("python",)
    installed: frozenset[str] = frozenset()


HELP = """\
  app=NAME                the application that provides the services: its Kubernetes Service
  namespace=NAME          that Service's namespace; not said: the caller's own
  port=NUMBER             that Service's port, 1-65535; not said: 80
  version=TEXT            Dubbo's version of the services, matched exactly by providers
  group=TEXT              Dubbo's group of the services, matched exactly by providers
  config=FILE             TOML that says all of this, timeouts and retries, per service or glob
                          and per method; wins over options in the proto
  service_config=FILE     a gRPC service config (JSON): its timeout and retryPolicy become Envoy's
  api=both|sync|async     which stubs and servicers to write; default: both
  imports=absolute|relative
                          how generated modules import each other; default: absolute
  import_prefix=PACKAGE   the Python package that protoc's output is in, such as gen.api
  emit=python             what to write; default: python
"""

PARAMETERS = {
    "app",
    "namespace",
    "port",
    "version",
    "group",
    "config",
    "service_config",
    "api",
    "imports",
    "import_prefix",
    "emit",
}


def parse(parameter: str) -> Options:
    """Reads the parameter string of a request.

    Raises:
        GenerationError: a parameter is unknown, repeated or malformed.
    """
    if not parameter:
        return Options()
    given = _split(parameter)
    options = Options(
        identity=_identity(given),
        config=given.get("config"),
        service_config=given.get("service_config"),
        api=_one_of("api", given.get("api"), APIS),
        imports=_one_of("imports", given.get("imports"), IMPORTS),
        import_prefix=_package(given.get("import_prefix", "")),
        emit=_emit(given.get("emit")),
    )
    if options.import_prefix and options.imports == "relative":
        raise GenerationError(
            "parameters imports=relative and import_prefix exclude each other: "
            "relative imports need no prefix"
        )
    return options


def _split(parameter: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for item in parameter.split(","):
        name, equals, value = item.partition("=")
        if name not in PARAMETERS:
            known = ", ".join(sorted(PARAMETERS))
            raise GenerationError(f"unknown parameter {name!r}; known: {known}")
        if not equals or not value:
            raise GenerationError(f"parameter {name} has no value: write {name}=...")
        if name in given:
            raise GenerationError(f"parameter {name} is given twice: {given[name]!r}, {value!r}")
        given[name] = value
    return given


def _identity(given: dict[str, str]) -> Identity:
    identity = Identity(
        app=given.get("app"),
        namespace=given.get("namespace"),
        port=_port(given.get("port")),
        version=given.get("version"),
        group=given.get("group"),
    )
    try:
        return identity.checked("parameter ")
    except ValueError as error:
        raise GenerationError(str(error)) from error


def _port(value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", value):
        raise GenerationError(f"parameter port {value!r} is not a port: a whole number from 1 to 65535")
    return int(value)


def _one_of(name: str, value: str | None, choices: tuple[str, ...]) -> str:
    if value is None:
        return choices[0]
    if value not in choices:
        raise GenerationError(f"parameter {name}={value!r} is none of {', '.join(choices)}")
    return value


def _package(value: str) -> str:
    from .modules import is_importable

    if value and not is_importable(value):
        raise GenerationError(
            f"parameter import_prefix={value!r} is no Python package that an import can name"
        )
    return value


def _emit(value: str | None) -> tuple[str, ...]:
    kinds = tuple(value.split("+")) if value else ("python",)
    for kind in kinds:
        if kind not in EMITS:
            raise GenerationError(f"parameter emit={kind!r} is none of {', '.join(EMITS)}")
        if kinds.count(kind) > 1:
            raise GenerationError(f"parameter emit names {kind} twice")
        if kind != "python":
            raise GenerationError(f"parameter emit={kind}: this version writes python only")
    return kinds
