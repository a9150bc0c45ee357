"""The plugin's parameters: those in `--dubbo-mesh_opt=` or in `opt` of buf.gen.yaml."""

from __future__ import annotations

from typing import NamedTuple

from .errors import GenerationError
from .policy import parameters as policy
from .policy.parameters import PolicyParameters, several
from .python import parameters as python
from .python.parameters import PythonParameters

EMITTERS = ("python", "kubernetes", "istio", "gateway", "envoy")

NAMES = frozenset({*policy.NAMES, *python.NAMES, "emit"})

HELP = f"""\
{policy.HELP}{python.HELP}\
  emit=KIND+KIND...       what to write: {", ".join(EMITTERS)}; default: python
"""


class Parameters(NamedTuple):
    """The parameters, checked.

    Attributes:
        policy: those that configure services and rpcs.
        python: those of generated Python.
        emit: what to write, one or more of `EMITTERS`.
    """

    policy: PolicyParameters = PolicyParameters()
    python: PythonParameters = PythonParameters()
    emit: tuple[str, ...] = ("python",)


def parse(parameter: str, installed: frozenset[str] = frozenset()) -> Parameters:
    """Reads the parameter string of a request.

    Args:
        parameter: the string.
        installed: see `PythonParameters`.

    Raises:
        GenerationError: a parameter is unknown, repeated or malformed.
    """
    given = _split(parameter)
    return Parameters(policy.parse(given), python.parse(given, installed), _emit(given.get("emit")))


def _split(parameter: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for item in parameter.split(",") if parameter else ():
        name, equals, value = item.partition("=")
        if name not in NAMES:
            raise GenerationError(f"unknown parameter {name!r}: must be one of {', '.join(sorted(NAMES))}")
        if not equals or not value:
            raise GenerationError(f"parameter {name} has no value: write {name}=...")
        if name in given:
            raise GenerationError(f"parameter {name} is given twice: {given[name]!r}, {value!r}")
        given[name] = value
    return given


def _emit(value: str | None) -> tuple[str, ...]:
    kinds = several("emit", value) if value else ("python",)
    for kind in kinds:
        if kind not in EMITTERS:
            raise GenerationError(f"parameter emit must be one of {', '.join(EMITTERS)}, not {kind!r}")
    return kinds
