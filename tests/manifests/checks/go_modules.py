"""Files from Go modules, over HTTPS and without Go.

A module is downloaded once from Go's module proxy (go.dev/ref/mod#goproxy-protocol) and checked against its
sum in Go's checksum database, which is that of `go.sum`. It is kept in `.cache/`.
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

CACHE = Path(__file__).parents[3] / ".cache" / "go-mod"
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

    def directory(self) -> Path:
        """Where the module's files are; it is downloaded if it is not in the cache.

        Raises:
            DownloadError: the module cannot be downloaded, or is not what it must be.
        """
        kept = CACHE / f"{self.path}@{self.version}"
        if not kept.is_dir():
            _keep(self._files(), kept)
        return kept

    def _files(self) -> dict[str, bytes]:
        """The content of each file, by its path in the module."""
        with zipfile.ZipFile(io.BytesIO(self._download())) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        actual = content_sum(files)
        if actual != self.sum:
            raise DownloadError(f"{self.path} {self.version} must have the sum {self.sum}, not {actual}")
        root = f"{self.path}@{self.version}/"
        return {name.removeprefix(root): content for name, content in files.items()}

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
    for name, content in files.items():
        (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
        (unfinished / name).write_bytes(content)
    try:
        unfinished.rename(directory)
    except OSError:  # another process was faster
        if not directory.is_dir():
            raise
