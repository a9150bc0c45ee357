"""The plugin's parameters: those in `--dubbo-mesh_opt=` or in `opt` of buf.gen.yaml."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import GenerationError
from .policy import aliases
from .policy.model import Identity

APIS = ("both", "sync", "async")
IMPORTS = ("absolute", "relative")
EMITS = ("python", "kubernetes", "istio", "envoy")


class Options(NamedTuple):
    """The parameters, checked.

    Attributes:
        identity: where the provider of services is found, unless the proto or the config file sets it.
        aliases: the kinds of aliases of their rpcs, likewise; None means unset.
        installed: modules that protoc wrote for other projects, by their dotted paths. They are imported from
            where they are installed, whatever `imports` and `import_prefix` are. Not a parameter: set by
            whoever runs the plugin on a whole project.
    """

    identity: Identity = Identity()
    aliases: tuple[str, ...] | None = None
    config: str | None = None
    service_config: str | None = None
    api: str = "both"
    imports: str = "absolute"
    import_prefix: str = ""
    emit: tuple[str, ...] = ("python",)
    installed: frozenset[str] = frozenset()


HELP = """\
  app=NAME                the application that provides the services: its Kubernetes Service
  namespace=NAME          that Service's namespace; default: the caller's own
  port=NUMBER             that Service's port, 1-65535; default: 80
  version=TEXT            Dubbo's version of the services
  group=TEXT              Dubbo's group of the services
  aliases=lower-first     serve each rpc under its lower-first name too (sayHello for SayHello), as Dubbo
                          Java's consumers call it without a generated stub; default: no aliases.
                          Authorization policies by path must then name both paths
  config=FILE             TOML that sets all of this, timeouts and retries, per service or glob and
                          per method; wins over options in the proto
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
    "aliases",
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
        aliases=_aliases(given.get("aliases")),
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
        raise GenerationError(f"parameter port must be an integer from 1 to 65535, not {value!r}")
    return int(value)


def _one_of(name: str, value: str | None, choices: tuple[str, ...]) -> str:
    if value is None:
        return choices[0]
    if value not in choices:
        raise GenerationError(f"parameter {name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _package(value: str) -> str:
    from .python.modules import is_importable

    if value and not is_importable(value):
        raise GenerationError(
            f"parameter import_prefix must be a Python package that can be imported by name, not {value!r}"
        )
    return value


def _emit(value: str | None) -> tuple[str, ...]:
    kinds = _several("emit", value) if value else ("python",)
    for kind in kinds:
        if kind not in EMITS:
            raise GenerationError(f"parameter emit must be one of {', '.join(EMITS)}, not {kind!r}")
        if kind != "python":
            raise GenerationError(f"parameter emit={kind}: this version writes python only")
    return kinds


def _aliases(value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    try:
        return aliases.checked(_several("aliases", value), "parameter aliases")
    except ValueError as error:
        raise GenerationError(str(error)) from error


def _several(name: str, value: str) -> tuple[str, ...]:
    """The values of a parameter that takes several, with `+` between them."""
    values = tuple(value.split("+"))
    for one in values:
        if values.count(one) > 1:
            raise GenerationError(f"parameter {name} names {one} twice")
    return values
