"""Modules are downloaded once, and are what their sums say."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.manifests.checks import go_modules
from tests.manifests.checks.go_modules import DownloadError, Module

MODULE = Module("example.com/m", "v1.0.0", "h1:t3GJETTUD6uzH2QoqbsubmgYt3F8Aa3wZA4KnZL0+FM=")


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(go_modules, "CACHE", tmp_path)
    return tmp_path


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Serves a module with a few files, and has the addresses of all downloads."""
    addresses: list[str] = []
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("go.mod", "crds/a.yaml", "crds/b.yaml", "crds/old/a.yaml"):
            archive.writestr(f"example.com/m@v1.0.0/{name}", name)

    def serve(url: str, **_: object) -> io.BytesIO:
        addresses.append(url)
        return io.BytesIO(content.getvalue())

    monkeypatch.setattr(urllib.request, "urlopen", serve)
    return addresses


def test_a_module_is_downloaded_once(cache: Path, downloads: list[str]) -> None:
    directory = MODULE.directory()
    assert directory.is_relative_to(cache)
    assert {str(file.relative_to(directory)): file.read_text() for file in directory.glob("*/*.yaml")} == {
        "crds/a.yaml": "crds/a.yaml",
        "crds/b.yaml": "crds/b.yaml",
    }
    assert (directory / "crds" / "old" / "a.yaml").is_file()
    assert MODULE.directory() == directory
    assert downloads == ["https://proxy.golang.org/example.com/m/@v/v1.0.0.zip"]


def test_a_module_with_another_sum_is_refused(cache: Path, downloads: list[str]) -> None:
    with pytest.raises(DownloadError, match=r"^example.com/m v1.0.0 must have the sum h1:other, not h1:t3GJ"):
        MODULE._replace(sum="h1:other").directory()
    assert downloads
    assert list(cache.iterdir()) == []


def test_without_a_network_the_message_says_what_is_needed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(DownloadError, match=r"zip cannot be downloaded, which .*: no route to host$"):
        MODULE.directory()
    assert list(cache.iterdir()) == []
