"""Reads files that stand for the answers of the admin endpoint."""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..budget import Budget
from ..envoy.configuration.snapshot import Snapshot
from ..finding import Finding, problem
from .asking import LARGEST
from .condition import check_condition
from .parsing import parsed, without_collection

_ANSWERS = ("config_dump", "clusters", "server_info", "stats")
"""How names of files in a directory begin that are read. `istioctl bug-report` names them by their paths."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_STANDARD_INPUT = Path("-")


class _NotReadError(Exception):
    """A file, or what is in it, is wrong; `id` is the problem's."""

    def __init__(self, id: str, why: str) -> None:
        super().__init__(why)
        self.id = id


def check_files(files: Sequence[Path], budget: Budget) -> Iterator[Finding | Snapshot]:
    """Reports which files cannot be read; yields the configuration that the others have together.

    Args:
        files: files, directories with files such as istioctl bug-report leaves for each pod, or `-`.
        budget: the time that is left: a file may be a pipe, whose other end is slow.
    """
    snapshot = Snapshot()
    read: list[str] = []
    failed = False
    for given in files:
        for path in _files_of(given):
            try:
                _add(snapshot, budget.run(partial(_content, path)))
                read.append(str(path))
            except _NotReadError as error:
                failed = True
                yield problem(error.id, f"{path}: {error}")
            except TimeoutError as error:
                failed = True
                yield problem("DM239", f"{path}: {error}")
    if not read:
        if not failed:
            yield problem("DM240", f"{', '.join(map(str, files))}: no file in there is an answer of Envoy's")
        yield Finding("headers", "skipped", "the sidecar's configuration cannot be read")
        return
    stand = "stands" if len(read) == 1 else "stand"
    seen = (
        f"{', '.join(read)} {stand} for the sidecar, which is not asked; variables are those of this process"
    )
    yield Finding("admin", "skipped", seen)
    yield from check_condition(snapshot, "the sidecar")
    yield snapshot


def _files_of(given: Path) -> Sequence[Path]:
    """The file, or those of a directory that are answers of the admin endpoint."""
    try:
        if given.is_dir():
            files = sorted(each for each in given.iterdir() if each.is_file())
            return [each for each in files if each.name.startswith(_ANSWERS)]
    except (OSError, ValueError):
        pass  # reported when it is read
    return [given]


def _content(path: Path) -> bytearray:
    try:
        if path == _STANDARD_INPUT:
            return _at_most(sys.stdin.buffer)
        with path.open("rb") as file:
            if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
                raise _NotReadError("DM239", "it is a directory")
            return _at_most(file)
    except OSError as error:
        raise _NotReadError("DM239", error.strerror or str(error)) from error
    except ValueError as error:  # a null byte in its name
        raise _NotReadError("DM239", str(error)) from error


def _at_most(file: BinaryIO) -> bytearray:
    content = bytearray()
    while piece := file.read(1 << 20):
        content += piece
        if len(content) > LARGEST:
            raise _NotReadError("DM240", f"it has more than {LARGEST:,} bytes")
    return content


def _add(snapshot: Snapshot, content: bytearray) -> None:
    for start, name in _COMPRESSED.items():
        if content.startswith(start):
            raise _NotReadError("DM240", f"it is compressed ({name}): unpack it first")
    try:
        if content.startswith(_MARKS):  # as PowerShell writes it
            content[:] = content.decode("utf-16").encode()
        if content.startswith(codecs.BOM_UTF8):
            del content[: len(codecs.BOM_UTF8)]
        first = content[:100].lstrip()[:1]
        if not first:
            raise ValueError("it is empty")
        if bytes(first) in (b"{", b"["):
            with without_collection():
                snapshot.add(parsed(content))
        else:
            snapshot.add_lines(content.decode())
    except UnicodeDecodeError:
        raise _NotReadError("DM240", "it is not text") from None
    except ValueError as error:
        raise _NotReadError("DM240", str(error)) from error
