"""The import statements of a module, and the names that they bind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import modules
from .escaping import Code, literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .names import Symbols
    from .parameters import PythonParameters


class Bound(NamedTuple):
    """A `_pb2` module as imported.

    Attributes:
        name: what it is bound to.
        typed: whether type checkers know it.
    """

    name: Code
    typed: bool


class Imports:
    """Collects what a module imports.

    Args:
        symbols: the module's names.
        shadowed: the names of rpcs. No import is bound to one of them, since annotations within the class
            would then refer to the rpc.
        package: the module's package, as a dotted path.
    """

    def __init__(
        self, symbols: Symbols, shadowed: Iterable[str], package: str, parameters: PythonParameters
    ) -> None:
        self._symbols = symbols
        self._package = package
        self._parameters = parameters
        self._shadowed = frozenset(shadowed)
        self._statements: list[tuple[int, str, str, str]] = []  # block, package, name, alias
        self._members: dict[str, Code] = {}
        self.loads: list[tuple[Code, Code]] = []

    def module(self, module: str) -> Code:
        """Adds `import module`; returns the expression that refers to it."""
        if module.partition(".")[0] in self._shadowed:
            alias = self._derive(module.replace(".", "_"))
            self._statements.append((_block(module), "", module, alias))
            return alias
        self._statements.append((_block(module), "", module, ""))
        return Code(module)

    def member(self, module: str, name: str) -> Code:
        """Adds `from module import name`; returns the name that it is bound to."""
        if name not in self._members:
            bound = self._members[name] = self._derive(name)
            self._statements.append((_block(module), module, name, "" if bound == name else bound))
        return self._members[name]

    def builtin(self, name: str) -> Code:
        """A builtin; imported only if an rpc has its name."""
        return self.member("builtins", name) if name in self._shadowed else Code(name)

    def load_function(self) -> Code:
        """`importlib.import_module`, for modules that no import statement can name."""
        return Code(f"{self.module('importlib')}.import_module")

    def generated(self, needed: Collection[str]) -> dict[str, Bound]:
        """Imports modules that protoc wrote, given by the dotted paths that protoc gives them."""
        lasts = [module.rpartition(".")[2] for module in needed]
        bound: dict[str, Bound] = {}
        for module in sorted(needed):
            package, last = self._locate(module)
            # Modules with the same name are distinguished by their packages, independent of the order.
            wanted = last if lasts.count(last) == 1 else module.replace(".", "_")
            if modules.is_importable(f"{package.lstrip('.')}.{last}".lstrip(".")):
                name = self._derive(wanted)
                alias = "" if name == last else name
                self._statements.append((_block(package), package, last, alias))
                bound[module] = Bound(name, typed=True)
            else:
                name = self._derive(_identifier(wanted))
                path = package + last if package.endswith(".") or not package else f"{package}.{last}"
                relative_to = ", __package__" if package.startswith(".") else ""
                self.loads.append((name, Code(f"{literal(path)}{relative_to}")))
                bound[module] = Bound(name, typed=False)
        return bound

    def blocks(self) -> tuple[tuple[Code, ...], ...]:
        """The statements, in blocks and in the order of isort."""
        blocks: dict[int, dict[tuple[bool, str, str], list[str]]] = {}
        for block, package, name, alias in self._statements:
            statements = blocks.setdefault(block, {})
            if alias:
                statements[(bool(package), package, f"{name} {alias}")] = [f"{name} as {alias}"]
            elif package:
                statements.setdefault((True, package, ""), []).append(name)
            else:
                statements[(False, "", name)] = [name]
        return tuple(
            tuple(
                Code(f"from {package} import {', '.join(sorted(names))}" if package else f"import {names[0]}")
                for (_, package, _), names in sorted(statements.items())
            )
            for _, statements in sorted(blocks.items())
        )

    def _locate(self, module: str) -> tuple[str, str]:
        """The package to import a generated module from, and the module's name in it."""
        package, _, last = module.rpartition(".")
        if modules.is_fixed(module) or module in self._parameters.installed:
            return package, last
        if self._parameters.imports == "relative":
            return _relative(package, self._package), last
        prefix = self._parameters.import_prefix
        return (f"{prefix}.{package}" if package else prefix) if prefix else package, last

    def _derive(self, name: str) -> Code:
        while name in self._shadowed:
            name += "_"
        return self._symbols.derive(name)


_STANDARD, _INSTALLED, _RELATIVE = range(3)


def _block(module: str) -> int:
    if module.startswith("."):
        return _RELATIVE
    return _STANDARD if module in {"builtins", "collections.abc", "importlib", "typing"} else _INSTALLED


def _relative(package: str, here: str) -> str:
    """`package` relative to the package `here`: `.`, `..other`."""
    theirs = package.split(".") if package else []
    ours = here.split(".") if here else []
    common = 0
    while common < min(len(ours), len(theirs)) and ours[common] == theirs[common]:
        common += 1
    return "." * (len(ours) - common + 1) + ".".join(theirs[common:])


def _identifier(name: str) -> str:
    """`name` as an ASCII identifier."""
    readable = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    return f"_{readable}" if readable[0].isdigit() else readable
