"""Dubbo itself as the judge: its routers, run on worlds by a program of each version's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, run
from typing import Any, NamedTuple, Self

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("DUBBO_MESH_PEERS", HERE.parents[2] / ".cache" / "peers")) / "dubbo"

RELEASES = {
    "java-3.3": "3.3.5",
    "java-3.2": "3.2.16",
    "java-3.1": "3.1.10",
    "java-2.7": "2.7.23",
    "go-3.3": "3.3.2",
}
"""The release of each dialect. Those of Java come from Maven Central, that of Go from its module proxy."""


class Answer(NamedTuple):
    """What Dubbo does with a request.

    Attributes:
        shares: which instances may be left, by name, each with how often that was so, of all runs.
        errors: what it logs, or why it panics.
        parameters: after configurators, of the consumer and of each instance; empty without configurators.
    """

    shares: dict[tuple[str, ...], float]
    errors: tuple[str, ...]
    parameters: tuple[dict[str, str], ...]


def missing(dialect: str) -> str | None:
    """The program that is missing to run a dialect; None if all are there."""
    needed = ("go",) if dialect.startswith("go") else ("java", "javac", "mvn")
    return next((program for program in needed if shutil.which(program) is None), None)


class Oracle:
    """A running program of one version of Dubbo."""

    def __init__(self, dialect: str) -> None:
        command = _go() if dialect.startswith("go") else _java(RELEASES[dialect])
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def answers(self, world: dict[str, Any]) -> list[Answer]:
        """What it does with each request of a world, which has `rules` as texts, and `runs`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(world) + "\n")
        self._process.stdin.flush()
        line = ""
        while not line.startswith("[{"):  # dubbo-go logs to standard output
            line = self._process.stdout.readline()
            assert line, "the program has ended"
        return [_answer(each) for each in json.loads(line)]


def _answer(found: dict[str, Any]) -> Answer:
    runs = sum(found["counts"].values())
    shares = {tuple(names.split()): count / runs for names, count in found["counts"].items()}
    return Answer(shares, tuple(found["errors"]), tuple(found["parameters"]))


def _java(release: str) -> list[str]:
    name = "Oracle27" if release.startswith("2.") else "Oracle3"
    libraries, classes = CACHE / f"{release}" / "lib", CACHE / f"{release}" / "classes"
    if not libraries.exists():
        fetch = (
            f"-Ddubbo.version={release}",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={libraries}.part",
        )
        run(["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "pom.xml"), *fetch], check=True)
        Path(f"{libraries}.part").rename(libraries)
    sources = HERE / "Worlds.java", HERE / f"{name}.java"
    program = classes / f"{name}.class"
    if not program.exists() or program.stat().st_mtime < max(each.stat().st_mtime for each in sources):
        run(
            ["javac", "-nowarn", "-cp", f"{libraries}/*", "-d", str(classes), *map(str, sources)],
            check=True,
            stderr=DEVNULL,
        )
    options = ["-XX:+UseSerialGC", "-Xmx512m", "-Ddubbo.application.logger=jdk"]
    return ["java", *options, "-cp", f"{classes}:{libraries}/*", name]


def _go() -> list[str]:
    program = CACHE / RELEASES["go-3.3"] / "oracle"
    run(["go", "build", "-o", str(program), "."], cwd=HERE / "go", check=True)
    return [str(program)]
