"""The parameters of generated Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("api", "imports", "import_prefix")

APIS = ("both", "sync", "async")
IMPORTS = ("absolute", "relative")

HELP = """\
  api=both|sync|async     which stubs and servicers to write; default: both
  imports=absolute|relative
                          how generated modules import each other; default: absolute
  import_prefix=PACKAGE   the Python package that protoc's output is in, such as gen.api
"""


class PythonParameters(NamedTuple):
    """The parameters of generated Python, checked.

    Attributes:
        api: which stubs and servicers to write, one of `APIS`.
        imports: how generated modules import each other, one of `IMPORTS`.
        import_prefix: the package that protoc's output is in.
        installed: modules that protoc wrote for other projects, by their dotted paths. They are imported from
            where they are installed, whatever `imports` and `import_prefix` are. Not a parameter of users:
            set by the commands that run the plugin over a whole project.
    """

    api: str = "both"
    imports: str = "absolute"
    import_prefix: str = ""
    installed: frozenset[str] = frozenset()


def parse(given: Mapping[str, str], installed: frozenset[str] = frozenset()) -> PythonParameters:
    """Reads the parameters in `given` that are in `NAMES`.

    Args:
        given: all parameters.
        installed: see `PythonParameters`.

    Raises:
        GenerationError: one is malformed.
    """
    parameters = PythonParameters(
        api=_one_of("api", given.get("api"), APIS),
        imports=_one_of("imports", given.get("imports"), IMPORTS),
        import_prefix=_package(given.get("import_prefix", "")),
        installed=installed,
    )
    if parameters.import_prefix and parameters.imports == "relative":
        raise GenerationError(
            "parameters imports=relative and import_prefix exclude each other: "
            "relative imports need no prefix"
        )
    return parameters


def _one_of(name: str, value: str | None, choices: tuple[str, ...]) -> str:
    if value is None:
        return choices[0]
    if value not in choices:
        raise GenerationError(f"parameter {name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _package(value: str) -> str:
    if not value:
        return ""
    from .modules import is_importable

    if not is_importable(value):
        raise GenerationError(
            f"parameter import_prefix must be a Python package that can be imported by name, not {value!r}"
        )
    return value
