"""Projects that generate with buf: their modules, and `buf.gen.yaml`."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from .roots import TOP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .code import Code
    from .protos import Proto

TEMPLATE = "buf.gen.yaml"

_CONFIGURATIONS = ("buf.yaml", "buf.work.yaml")
_PATH = re.compile(r"""["']?\bpath["']?\s*:\s*["']?([^"',}\n]+)""")
_DIRECTORIES = re.compile(
    r"""^["']?(?:directories|\s+roots)["']?\s*:((?:\s*-[^\n]*\n?)+|\s*\[[^\]]*\])""", re.M
)
_ITEM = re.compile(r"""(?:^|[-,\[])\s*["']?([^"',\[\]\s-][^"',\[\]\n]*)""")
_COMMENT = re.compile(r"(?:^|\s)#[^\n]*")


class Workspace(NamedTuple):
    """What is configured for buf.

    Attributes:
        top: the directories with a buf.yaml or buf.work.yaml, outermost ones only.
        modules: the directories of the modules.
    """

    top: tuple[PurePosixPath, ...]
    modules: tuple[PurePosixPath, ...]


def find(project: Path, protos: Sequence[Proto]) -> Workspace | None:
    """The workspace of the protos; None unless it is at the top, or has all protos."""
    parents = {parent for proto in protos for parent in proto.path.parents}
    configured = sorted(
        parent for parent in parents if any((project / parent / name).is_file() for name in _CONFIGURATIONS)
    )
    top = tuple(one for one in configured if not set(one.parents) & set(configured))
    modules = dict.fromkeys(module for one in configured for module in _modules(project, one))
    if TOP in top or all(set(proto.path.parents) & set(top) for proto in protos):
        return Workspace(top, tuple(modules))
    return None


def _modules(project: Path, at: PurePosixPath) -> Iterator[PurePosixPath]:
    """The modules that the files in a directory configure.

    YAML that is written in an unusual way is misunderstood. Modules are only shown, so that does no harm.
    """
    named: list[str] = []
    for name in _CONFIGURATIONS:
        try:
            text = (project / at / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        text = _COMMENT.sub("", text)
        named += _PATH.findall(text) if "modules" in text else []
        for listed in _DIRECTORIES.findall(text):
            named += _ITEM.findall(listed)
    directories = [at / name.strip() for name in named]
    directories = [directory for directory in directories if (project / directory).is_dir()]
    yield from directories or [at]


def existing_template(project: Path, workspace: Workspace) -> PurePosixPath | None:
    """The project's template for `buf generate`."""
    for directory in (TOP, *workspace.top):
        if (project / directory / TEMPLATE).is_file():
            return directory / TEMPLATE
    return None


def template(workspace: Workspace, code: Code) -> str:
    """A new template."""
    out = _quoted(code.out)
    protoc = "    protoc_path: [python, -m, grpc_tools.protoc]\n"
    types = "  - local: protoc-gen-mypy\n" if "mypy" in code.plugins else f"  - protoc_builtin: pyi\n{protoc}"
    lines = (
        f"version: v2\nplugins:\n  - protoc_builtin: python\n{protoc}    out: {out}\n{types}    out: {out}\n"
    )
    lines += _plugin(out)
    if workspace.top != (TOP,):
        lines += "inputs:\n" + "".join(f"  - directory: {_quoted(top)}\n" for top in workspace.top)
    return lines


def addition(text: str, code: Code) -> str:
    """What an existing template needs, in its version."""
    python = re.search(r"python.*?\bout:\s*([^\n#]+)", text, re.DOTALL)
    out = python[1].strip() if python else _quoted(code.out)
    return (
        _plugin(out)
        if re.search(r"version:\s*[\"']?v2", text)
        else f"  - plugin: dubbo-mesh\n    out: {out}\n"
    )


def _plugin(out: str) -> str:
    return f"  - local: protoc-gen-dubbo-mesh\n    out: {out}\n    # opt: app=NAME\n"


def _quoted(path: PurePosixPath) -> str:
    text = path.as_posix()
    return (
        text
        if re.fullmatch(r"[A-Za-z0-9_./]+[A-Za-z0-9_./-]*", text)
        else json.dumps(text, ensure_ascii=False)
    )
