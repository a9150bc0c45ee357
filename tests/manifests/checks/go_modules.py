"""Files from Go modules, over HTTPS and without Go.

A module is downloaded once from Go's module proxy (go.dev/ref/mod#goproxy-protocol) and checked against its
sum in Go's checksum database, which is that of `go.sum`. What is needed of it is kept in `.cache/`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import urllib.request
import zipfile
from pathlib import Path
from typing import NamedTuple

CACHE = Path(__file__).parents[3] / ".cache" / "go-modules"
_PROXY = "https://proxy.golang.org"
_ATTEMPTS = 3
_TIMEOUT = 30  # seconds


class DownloadError(Exception):
    """A module cannot be downloaded, or is not what it must be."""


class Module(NamedTuple):
    """A release of a Go module.

    Attributes:
        path: such as `istio.io/api`; in lower case, as others are escaped in addresses.
        version: such as `v1.31.4`.
        sum: the hash of its content, as in `go.sum`.
    """

    path: str
    version: str
    sum: str

    def directory(self, inside: str) -> Path:
        """The files directly in the module's folder `inside`, downloaded if they are not in the cache.

        Raises:
            DownloadError: the module cannot be downloaded, or is not what it must be.
        """
        kept = CACHE / f"{self.path}@{self.version}" / inside
        if not kept.is_dir():
            _keep(self._files(inside), kept)
        return kept

    def _files(self, inside: str) -> dict[str, bytes]:
        root = f"{self.path}@{self.version}/"
        with zipfile.ZipFile(io.BytesIO(self._download())) as archive:
            actual = content_sum({name: archive.read(name) for name in archive.namelist()})
            if actual != self.sum:
                raise DownloadError(f"{self.path} {self.version} must have the sum {self.sum}, not {actual}")
            found = {Path(name): name for name in archive.namelist()}
            return {
                path.name: archive.read(name)
                for path, name in found.items()
                if str(path.parent) == f"{root}{inside}"
            }

    def _download(self) -> bytes:
        url = f"{_PROXY}/{self.path}/@v/{self.version}.zip"
        for attempt in range(_ATTEMPTS):
            try:
                with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
                    data: bytes = response.read()
                    return data
            except OSError as error:
                if attempt == _ATTEMPTS - 1:
                    raise DownloadError(
                        f"{url} cannot be downloaded, which is needed once, for the schemas in it: {error}"
                    ) from error
        raise AssertionError


def content_sum(files: dict[str, bytes]) -> str:
    """The hash of a module's content, "h1" as in `golang.org/x/mod/sumdb/dirhash`."""
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def _keep(files: dict[str, bytes], directory: Path) -> None:
    """Writes files to a directory, which exists with all of them or not at all: tests run in parallel."""
    unfinished = directory.with_name(f"{directory.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (unfinished / name).write_bytes(content)
    try:
        unfinished.rename(directory)
    except OSError:  # another process was faster
        if not directory.is_dir():
            raise
