"""The names of Python modules, by protoc's rules, since the modules that it writes are imported.

From protobuf's `compiler/python/helpers.cc`: the proto's path without `.proto` (or `.protodevel`), with
`-` as `_` and `/` as `.`, then a suffix. A dot in a path therefore becomes a directory:
`k8s.io/api.proto` is the module `k8s.io.api_pb2` in `k8s/io/api_pb2.py`.
"""

from __future__ import annotations

import keyword
import sys
from functools import lru_cache

from ..errors import GenerationError

# The package of protobuf's own files: always imported absolutely, without a prefix.
_PROTOBUF = "google.protobuf."
_OWN = "dubbo_mesh."


@lru_cache(2**14)
def module_of(proto: str, suffix: str) -> str:
    """The dotted path of the module that a plugin writes for the file `proto`.

    Raises:
        GenerationError: there cannot be such a module, since a part of its path is empty.
    """
    module = _stem(proto) + suffix
    if "" in module.split(".") or "\0" in module or "\\" in module:
        raise GenerationError(
            f"{proto!r} would become the Python module {module!r}, which cannot be imported, since a part of "
            "its path is empty or contains a character that file names cannot contain: rename the file"
        )
    return module


def _stem(proto: str) -> str:
    ending = ".protodevel" if proto.endswith(".protodevel") else ".proto"
    return proto.removesuffix(ending).replace("-", "_").replace("/", ".")


def path_of(module: str) -> str:
    """The path of a module's file in a response."""
    return module.replace(".", "/") + ".py"


def is_importable(module: str) -> bool:
    """Whether an import statement can name this module: each part is an identifier and not a keyword."""
    return all(map(is_identifier, module.split(".")))


def is_identifier(name: str) -> bool:
    """Whether Python reads `name` as exactly this identifier."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return False
    if name.isascii():
        return True
    import unicodedata

    # Python normalizes identifiers to this form: any other form would refer to another module.
    return unicodedata.normalize("NFKC", name) == name


def is_fixed(module: str) -> bool:
    """Whether the module belongs to a library, so that `imports` and `import_prefix` do not apply to it."""
    return module.startswith((_PROTOBUF, _OWN))


def hiding_package(proto: str) -> str | None:
    """The package of Python's, grpc's or ours that hides the modules generated from the file `proto`.

    Only relevant if generated modules are imported absolutely and without a prefix.
    """
    module = _stem(proto)
    top, dot, _ = module.partition(".")
    if dot and not is_fixed(module) and (top in {"grpc", "dubbo_mesh"} or top in sys.stdlib_module_names):
        return top
    return None
