"""Names in the output: one table of symbols for each module and each class.

Names that users know from protoc's `_pb2_grpc` (`FooStub`, `FooServicer`, `add_FooServicer_to_server`, an
rpc's own name) come first and are never changed, unless Python cannot express them. All other names give
way, by trailing underscores, in the order of the proto: the same proto always gives the same names.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from .errors import GenerationError
from .sinks import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .comments import Path

_PROTO_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_DUNDER = re.compile(r"__.*[^_]__")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Attributes of the runtime's base classes that are no dunders; a test compares them.
_RUNTIME_ATTRIBUTES = frozenset({"_SyncStub__owned", "_Stub__owned", "_is_protocol"})
_TAKEN = _RUNTIME_ATTRIBUTES.union(keyword.kwlist)


class Symbols:
    """The names of one module or class, each with the declaration it comes from.

    Args:
        describe: says for an error what is declared at a path, and on which line.
    """

    def __init__(self, describe: Callable[[Path], str]) -> None:
        self._describe = describe
        self._owners: dict[str, Path] = {}

    def claim(self, name: str, owner: Path) -> Code:
        """Takes exactly this name.

        Raises:
            GenerationError: something else has it.
        """
        other = self._owners.setdefault(name, owner)
        if other != owner:
            one, two = self._describe(other), self._describe(owner)
            raise GenerationError(f"{one} and {two} would both be {name!r} in Python: rename one")
        return Code(name)

    def derive(self, name: str, owner: Path = ()) -> Code:
        """Takes this name, or the first free one that has underscores behind it."""
        while name in self._owners:
            name += "_"
        self._owners[name] = owner
        return Code(name)


def attributes(rpcs: Sequence[tuple[str, Path]], describe: Callable[[Path], str]) -> list[Code]:
    """The names in Python of the rpcs of one service, which are given by name and path.

    Raises:
        GenerationError: two have one name.
    """
    symbols = Symbols(describe)
    expressible = {name: symbols.claim(name, path) for name, path in rpcs if is_attribute(name)}
    # Only now those that must change, so that `class` gives way where there is a `class_` too.
    return [expressible.get(name) or symbols.derive(_attribute(name), path) for name, path in rpcs]


def is_attribute(name: str) -> bool:
    """Whether a class can have a method of this name that is reached by it from everywhere.

    Not if it is a keyword, a dunder (Python's own), or would be mangled (`__private`).
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


def is_proto_name(name: str) -> bool:
    """Whether a compiler of protos lets this name through: identifiers with dots between them."""
    # The first is most names, in a fraction of the time.
    return (name.isascii() and name.isidentifier()) or _PROTO_NAME.fullmatch(name) is not None
