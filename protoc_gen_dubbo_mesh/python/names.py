"""Names in the output: one symbol table per module and per class.

Names that users know from protoc's `_pb2_grpc` (`FooStub`, `FooServicer`, `add_FooServicer_to_server`, the
rpcs' own names) take precedence and never change, unless Python cannot express them. All other names avoid
collisions by trailing underscores, in the order of the proto, so that a proto always gives the same names.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from ..errors import GenerationError
from .escaping import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..protoc.source_info import Path

_DUNDER = re.compile(r"__.*[^_]__")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Attributes of the runtime's base classes, except dunders. A test checks that they are complete.
_RUNTIME_ATTRIBUTES = frozenset({"_SyncStub__owned", "_Stub__owned", "_is_protocol"})
_TAKEN = _RUNTIME_ATTRIBUTES.union(keyword.kwlist)


class Symbols:
    """The names of one module or class, each with the declaration that it comes from.

    Args:
        describe: names in an error what is declared at a path, and on which line.
    """

    def __init__(self, describe: Callable[[Path], str]) -> None:
        self._describe = describe
        self._owners: dict[str, Path] = {}

    def claim(self, name: str, owner: Path) -> Code:
        """Takes exactly this name.

        Raises:
            GenerationError: another declaration has taken it.
        """
        other = self._owners.setdefault(name, owner)
        if other != owner:
            one, two = self._describe(other), self._describe(owner)
            raise GenerationError(f"{one} and {two} would both be {name!r} in Python: rename one")
        return Code(name)

    def derive(self, name: str, owner: Path = ()) -> Code:
        """Takes this name, with as many trailing underscores as make it unique."""
        while name in self._owners:
            name += "_"
        self._owners[name] = owner
        return Code(name)


def attributes(rpcs: Sequence[tuple[str, Path]], describe: Callable[[Path], str]) -> list[Code]:
    """The Python names of the rpcs of one service, which are given by name and path.

    Raises:
        GenerationError: two have the same name.
    """
    symbols = Symbols(describe)
    expressible = {name: symbols.claim(name, path) for name, path in rpcs if is_attribute(name)}
    # Those that must change come last, so that `class` does not become `class_` if there is an rpc `class_`.
    return [expressible.get(name) or symbols.derive(_attribute(name), path) for name, path in rpcs]


def is_attribute(name: str) -> bool:
    """Whether a class can have a method of this name that is accessible by it from everywhere.

    Not if the name is a keyword, a dunder (reserved by Python) or mangled (`__private`).
    """
    return name not in _TAKEN and not (
        name.startswith("__") and (not name.endswith("__") or _DUNDER.fullmatch(name))
    )


def _attribute(name: str) -> str:
    while not is_attribute(name):
        name += "_"
    return name


def constant(service: str) -> str:
    """The name of a service's constant: `_GREETER_SERVICE` for `GreeterService`."""
    return "_" + (_WORD_START.sub("_", service.lstrip("_")).upper() or "SERVICE")
