"""Rewrites the imports in the modules of protoc and further plugins by `imports=` and `import_prefix=`.

protoc's Python generator only writes absolute imports (protobuf#1491), which fail if its output is in a
package. So do gRPC's and mypy-protobuf. They write each import on a line of its own, in one of few forms.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..python.modules import module_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_IMPORT = re.compile(
    r"""^(?:
        from[ ](?P<origin>\S+)[ ]import[ ](?P<item>\S+)  # from a.b import c_pb2 as c; from a.b.c_pb2 import *
        | import[ ](?P<top>\w+)(?=[ ]as[ ])              # import c_pb2 as c
        | (?P<call>\w+[ ]=[ ]importlib\.import_module)\('(?P<path>[^']+)'\)  # where a part is a keyword
    )""",
    re.MULTILINE | re.VERBOSE,
)


def are_redirected(options: Mapping[str, str]) -> bool:
    """Whether these parameters of the plugin change how modules import each other."""
    return "import_prefix" in options or options.get("imports") == "relative"


def message_modules(protos: Iterable[str]) -> frozenset[str]:
    """The dotted paths of the modules that protoc writes for `protos`."""
    return frozenset(module_of(proto, "_pb2") for proto in protos)


def redirected(text: str, module: str, generated: frozenset[str], options: Mapping[str, str]) -> str:
    """The text of a module (or its .pyi) with rewritten imports of the `generated` modules.

    Args:
        text: the text that protoc or a plugin wrote.
        module: the module's dotted path.
        generated: the modules of this run. Imports of others are kept.
        options: the plugin's parameters.
    """
    relative = options.get("imports") == "relative"

    def lead(target: str) -> str:
        return _relative(module, target) if relative else f"{options['import_prefix']}.{target}"

    def redirect(found: re.Match[str]) -> str:
        origin, item = found["origin"], found["item"] or found["top"]
        if origin in generated:
            return f"from {lead(origin)} import {item}"
        target = found["path"] or (f"{origin}.{item}" if origin else item)
        if target not in generated:
            return found[0]
        if found["path"]:
            return f"{found['call']}({lead(target)!r}{', __package__' if relative else ''})"
        package = lead(target).removesuffix(item)
        # A trailing dot is part of a package that consists of dots; otherwise it is only a separator.
        return f"from {package.removesuffix('.') if package.strip('.') else package} import {item}"

    return _IMPORT.sub(redirect, text)


_OTHER_IMPORT = re.compile(r"^(?:import|from)[ ]+(?P<module>[\w.]+).*", re.MULTILINE)


def kept_import(text: str, generated: frozenset[str]) -> str | None:
    """An import of a `generated` module that `redirected` left as it was; None if there is none.

    Before version 5, mypy-protobuf wrote `import a.b_pb2` and used that name everywhere.
    """
    found = (match for match in _OTHER_IMPORT.finditer(text) if match["module"] in generated)
    return next((match[0] for match in found), None)


def _relative(module: str, target: str) -> str:
    """The path of `target` relative to the module `module`: `.b_pb2`, `..other.b_pb2`."""
    here, there = module.split(".")[:-1], target.split(".")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return "." * (len(here) - shared + 1) + ".".join(there[shared:])
