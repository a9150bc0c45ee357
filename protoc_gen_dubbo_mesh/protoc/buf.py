"""buf's runs: whether it may start the plugin several times, although a file comes from all protos.

With `strategy: directory`, its default, buf starts a plugin for each directory of protos. A file that several
runs write is then kept as the first of them wrote it: buf only prints "duplicate generated file name", and
exits with status 0. Its requests do not say which strategy it uses, so this looks at its template and at the
protos in the working directory, in which buf starts plugins.

Python cannot parse YAML by itself. So an entry that is written in an unusual way may be overlooked in the
template, and there is a warning instead of an error.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .request import Request

_TEMPLATES = ("buf.gen.yaml", "buf.gen.yml", "buf.gen.json")
_MOST_FILES = 5_000
"""The number of files in the working directory after which the search for protos ends."""

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*")
_ITEM = re.compile(r"(?m)^(?P<indent>[ \t]*)-(?=\s)|\{")
_OURS = re.compile(r"dubbo[-_]mesh")
_ALL = re.compile(r"""(?:^|[\s{,"'])strategy["']?\s*:\s*["']?all\b""")
_MANIFESTS = re.compile(r"\bemit=[a-z+]*(?:kubernetes|istio|gateway|envoy)")
_SERVICE = re.compile(rb"(?m)(?:^|[;}/])\s*service\s+\w+\s*\{")
_WORKSPACES = (
    ("buf.yaml", re.compile(r"""["']?\bpath["']?\s*:\s*["']?([^"',}\s]+)""")),
    ("buf.work.yaml", re.compile(r"""(?m)^\s*-\s*["']?([^"'\s]+)""")),
)
"""The files that list the modules of a workspace, which buf generates together."""


class _Entry(NamedTuple):
    """Our plugin in a template.

    Attributes:
        where: `file:line`.
        is_once: whether its strategy is `all`.
    """

    where: str
    is_once: bool


class _Protos(NamedTuple):
    """Protos in the working directory.

    Attributes:
        are_known: whether those of the request are among them, and the search came to its end.
        in_module: another directory that has services, in the module or its workspace; None if there is none.
        elsewhere: one outside of both.
    """

    are_known: bool
    in_module: str | None = None
    elsewhere: str | None = None


def check_runs(request: Request) -> list[str]:
    """Checks that no other run of the plugin writes the same files.

    Args:
        request: a request from buf.

    Returns:
        A warning, if that cannot be known.

    Raises:
        GenerationError: other runs do.
    """
    if not request.generate:
        return []
    inputs = _inputs()
    if inputs:
        return [
            f"{inputs}: {_REASON}, and buf generates several inputs one after the other, so files of the "
            "last one replace others of the same name: make them one workspace, in buf.yaml"
        ]
    entry = _entry()
    if len(request.buf_directories) > 1 or (entry is not None and entry.is_once):
        return []
    [directory] = request.buf_directories
    protos = _protos(directory, request.generate[0].name.rpartition("/")[2])
    if protos.are_known and not (protos.in_module or protos.elsewhere):
        return []
    if protos.in_module and entry is not None:
        raise GenerationError(
            f"{_REASON}: set `strategy: all` for this plugin, since otherwise buf starts it once for "
            f"{directory or '.'!r} and once for {protos.in_module!r}, and keeps one of two files of a name",
            entry.where,
        )
    remedy = "set `strategy: all` for this plugin, or buf may start it several times"
    return [f"{_REASON}: {remedy}" if entry is None else f"{entry.where}: {_REASON}: {remedy}"]


_REASON = "emit asks for files that are about whole applications"


def _entry() -> _Entry | None:
    """The entry of our plugin with `emit`: the first one that lacks the strategy, if any does."""
    entries = [entry for name in _TEMPLATES for entry in _entries(name)]
    return next((entry for entry in entries if not entry.is_once), entries[0] if entries else None)


def _read(name: str) -> str:
    """A file of buf's in the working directory without comments; empty if there is none."""
    try:
        return _COMMENT.sub("", Path(name).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _key(name: str, text: str) -> int:
    """Where the value of a key of the top begins; the end if it has no such key."""
    found = re.search(rf"""(?m)(?:^|[{{,]\s*)["']?{name}["']?\s*:""", text)
    return len(text) if found is None else found.end()


def _inputs() -> str:
    """`file:line` of the inputs in the template, if there are several."""
    text = _read(_TEMPLATES[0])
    start = _key("inputs", text)
    value = text[start:]
    end = re.search(r"\]" if value.lstrip().startswith("[") else r"\n[^\s-]", value)
    items = _items(value[: end.start() if end else len(value)], 0)
    several = len([*items]) > 1
    return f"{_TEMPLATES[0]}:{_line(text, start)}" if several else ""


def _entries(name: str) -> Iterator[_Entry]:
    text = _read(name)
    for begin, end in _items(text, _key("plugins", text)):
        item = text[begin:end]
        ours = _OURS.search(item)
        if ours and _MANIFESTS.search(item):
            yield _Entry(f"{name}:{_line(text, begin + ours.start())}", bool(_ALL.search(item)))


def _items(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where the items of a list begin and end, in block style or in flow style."""
    first = _ITEM.search(text, start)
    if first is None:
        return iter(())
    indent = first["indent"]
    begins = [match.start() for match in _ITEM.finditer(text, first.start()) if match["indent"] == indent]
    return zip(begins, [*begins[1:], len(text)], strict=True)


def _protos(directory: str, name: str) -> _Protos:
    """Looks for protos below the working directory.

    Args:
        directory: that of the request, relative to the root of its module.
        name: the name of a proto there.
    """
    roots: list[str] = []
    others: list[str] = []
    files_seen = 0
    for at, directories, files in os.walk("."):
        directories[:] = sorted(
            each for each in directories if not each.startswith(".") and each != "node_modules"
        )
        files_seen += len(files)
        if files_seen > _MOST_FILES:
            return _Protos(are_known=False)
        path = at[2:].replace(os.sep, "/")
        if name in files and f"/{path}".endswith(f"/{directory}" if directory else ""):
            roots.append(path[: len(path) - len(directory)].rstrip("/"))
        elif any(_has_service(Path(at, file)) for file in sorted(files) if file.endswith(".proto")):
            others.append(path or ".")
    listed = [
        path for name, listing in _WORKSPACES for path in map(os.path.normpath, listing.findall(_read(name)))
    ]
    if not set(listed).isdisjoint(roots):
        roots += listed
    in_module = [other for other in others if any(_is_below(root, other) for root in roots)]
    elsewhere = [other for other in others if other not in in_module]
    return _Protos(bool(roots), next(iter(in_module), None), next(iter(elsewhere), None))


def _is_below(root: str, path: str) -> bool:
    return not root or f"{path}/".startswith(f"{root}/")


def _has_service(path: Path) -> bool:
    try:
        return _SERVICE.search(path.read_bytes()) is not None
    except OSError:
        return False
