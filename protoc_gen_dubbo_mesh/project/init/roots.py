"""Infers a project's roots: the directories to which imports of its protos are relative."""

from __future__ import annotations

import glob
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from ..walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .protos import Proto

TOP = PurePosixPath(".")
_OF_OTHERS = {"third_party", "third-party", "thirdparty", "vendor", "vendored", "external"}
"""Directories with copies of other projects' protos."""
_INSTALLED = (
    "google/protobuf/",
    "google/api/",
    "google/rpc/",
    "google/type/",
    "google/longrunning/",
    "grpc/",
    "dubbo_mesh/",
)
"""The names of protos whose modules are installed with protobuf, googleapis-common-protos, grpcio or us."""
_USUAL = {"proto", "protos", "protobuf", "idl"}
"""Names of directories that are usually roots."""


class Layout(NamedTuple):
    """Where a project's protos are.

    Attributes:
        roots: the protos of each root to generate from.
        import_path: further directories to which imports are relative.
        exclude: globs of protos below the roots from which nothing is to be generated.
    """

    roots: dict[PurePosixPath, list[Proto]]
    import_path: tuple[PurePosixPath, ...] = ()
    exclude: tuple[str, ...] = ()


def infer(project: Path, protos: Sequence[Proto]) -> Layout:
    """Infers the layout of these protos, of which there is at least one.

    The root of a proto is the first of these directories that exists: the one from which an import of the
    proto resolves; one that contains it and is the root of others by their imports; its directory without
    the part that repeats its package; one that contains it and is the root of others; one with a name that
    is usual for roots; the proto's own directory.
    """
    foreign = [proto for proto in protos if _is_of_others(proto)]
    own = [proto for proto in protos if proto not in foreign]
    if not own:
        own, foreign = foreign, []
    imported = _imported(protos)
    ours = {proto.path for proto in own}
    strong = {root for path, root in imported.items() if path in ours}
    found: dict[PurePosixPath, PurePosixPath] = {}
    for proto in own:
        root = imported.get(proto.path) or _containing(proto, strong) or _without_package(proto)
        if root is not None:
            found[proto.path] = root
    for proto in own:
        if proto.path not in found:
            root = _containing(proto, found.values()) or _by_name(proto) or proto.path.parent
            found[proto.path] = root
    roots: dict[PurePosixPath, list[Proto]] = {root: [] for root in sorted(set(found.values()))}
    copies: list[PurePosixPath] = []
    for proto in own:
        root = found[proto.path]
        if _name(proto, root).startswith(_INSTALLED):
            copies.append(proto.path)
        else:
            roots[root].append(proto)
    roots = {root: below for root, below in roots.items() if below} or {
        root: [proto for proto in own if found[proto.path] == root] for root in roots
    }
    import_path = {imported[proto.path] for proto in foreign if proto.path in imported}
    import_path |= {found[path] for path in copies}
    return Layout(roots, tuple(sorted(import_path - set(roots))), tuple(_excluded(project, roots)))


def configured(protos: Sequence[Proto], directories: Iterable[PurePosixPath]) -> Layout:
    """The layout if the roots are known; protos outside of them do not count."""
    roots: dict[PurePosixPath, list[Proto]] = {root: [] for root in sorted(directories)}
    for proto in protos:
        root = _containing(proto, roots)
        if root is not None:
            roots[root].append(proto)
    return Layout({root: below for root, below in roots.items() if below})


def _is_of_others(proto: Proto) -> bool:
    return not _OF_OTHERS.isdisjoint(proto.path.parent.parts)


def _name(proto: Proto, root: PurePosixPath) -> str:
    return proto.path.relative_to(root).as_posix()


def _imported(protos: Sequence[Proto]) -> dict[PurePosixPath, PurePosixPath]:
    """The root of each proto that another one imports."""
    by_name: dict[str, list[PurePosixPath]] = {}
    for proto in protos:
        by_name.setdefault(proto.path.name, []).append(proto.path)
    possible: list[tuple[Proto, list[tuple[PurePosixPath, PurePosixPath]]]] = []
    votes: Counter[PurePosixPath] = Counter()
    for proto in protos:
        for name in proto.imports:
            parts = PurePosixPath(name).parts
            resolved = [
                (path, PurePosixPath(*path.parts[: len(path.parts) - len(parts)]))
                for path in by_name.get(PurePosixPath(name).name, [])
                if path.parts[-len(parts) :] == parts and path != proto.path
            ]
            if resolved:
                possible.append((proto, resolved))
                votes.update(root for _, root in resolved)
    chosen: dict[PurePosixPath, Counter[PurePosixPath]] = {}
    for proto, resolved in possible:
        # Of several files with the name, the one whose root most imports agree on, then the nearest one.
        path, root = max(resolved, key=lambda each: (votes[each[1]], _shared(proto.path, each[0])))
        chosen.setdefault(path, Counter())[root] += 1
    return {path: roots.most_common(1)[0][0] for path, roots in chosen.items()}


def _shared(one: PurePosixPath, other: PurePosixPath) -> int:
    """The number of directories that two paths begin with alike."""
    shared = 0
    for mine, its in zip(one.parent.parts, other.parent.parts, strict=False):
        if mine != its:
            break
        shared += 1
    return shared


def _containing(proto: Proto, roots: Iterable[PurePosixPath]) -> PurePosixPath | None:
    """The innermost root that contains a proto."""
    known = set(roots)
    return next((parent for parent in proto.path.parents if parent in known), None)


def _without_package(proto: Proto) -> PurePosixPath | None:
    """The root, if the package repeats the directories below it, or the last parts of the package do."""
    package, directory = proto.package.split("."), proto.path.parent.parts
    for length in range(len(package), 0, -1):
        if proto.package and directory[-length:] == tuple(package[-length:]):
            return PurePosixPath(*directory[:-length])
    return None


def _by_name(proto: Proto) -> PurePosixPath | None:
    return next((parent for parent in proto.path.parents if parent.name in _USUAL), None)


def _excluded(project: Path, roots: dict[PurePosixPath, list[Proto]]) -> Iterator[str]:
    """Globs of what a run would find below the roots in addition to the protos."""
    seen: set[str] = set()
    directories = {project / root for root in roots}
    for root, protos in roots.items():
        wanted = {_name(proto, root) for proto in protos}
        above = {parent.as_posix() for name in wanted for parent in PurePosixPath(name).parents}
        for here, names in walk(project / root, skip=directories.__contains__):
            for file in names:
                name = (here / file).relative_to(project / root).as_posix()
                if not name.endswith(".proto") or name in wanted:
                    continue
                outermost = [parent.as_posix() for parent in reversed(PurePosixPath(name).parents)]
                unneeded = next((parent for parent in outermost if parent not in above), None)
                pattern = glob.escape(name) if unneeded is None else f"{glob.escape(unneeded)}/*"
                if pattern not in seen:
                    seen.add(pattern)
                    yield pattern
