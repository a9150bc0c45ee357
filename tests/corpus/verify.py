"""Importing what was generated, many modules to a process, and each alone when that fails."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.corpus.generate import Compiled

PROBE = Path(__file__).with_name("probe.py")
KINDS = ("messages", "grpc", "mesh")
STAGES = ("compile", "import", "register", "done")
BATCH = 60

# All that the generated modules may import besides each other.
SITE_PACKAGES = (*("google.protobuf", "google._upb", "grpc", "typing_extensions", "dubbo_mesh"),)


@dataclass(frozen=True)
class Outcome:
    """How far a module came: the stage that it failed in, or `done`; and the cause."""

    stage: str
    cause: str

    def passed(self, stage: str) -> bool:
        return STAGES.index(self.stage) > STAGES.index(stage)


Outcomes = dict[str, dict[str, Outcome]]


def make_site(site: Path) -> Path:
    """A directory from which just `SITE_PACKAGES` can be imported."""
    for name in SITE_PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        link = site / name.replace(".", "/")
        if spec.submodule_search_locations:
            source = Path(next(iter(spec.submodule_search_locations)))
        else:
            assert spec.origin is not None
            source = Path(spec.origin)
            link = link.with_name(source.name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return site


def verify(compiled: Compiled, site: Path) -> Outcomes:
    """The outcome of each file with services, for each kind of module."""
    files = [file for file, services in compiled.services.items() if services]
    outcomes: Outcomes = {file: {} for file in files}
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def gather(tasks: Iterable[list[tuple[str, str]]]) -> None:
            for answers in pool.map(partial(_probe, compiled, site), tasks):
                for file, kind, outcome in answers:
                    outcomes[file][kind] = outcome

        together = [(file, kind) for file in files for kind in KINDS]
        size = BATCH * len(KINDS)
        gather([together[start : start + size] for start in range(0, len(together), size)])
        # What one process imports can be in the way of what it imports next: files that define the same
        # messages, say. That is no fault of either file.
        gather([[(file, kind)] for file in files for kind in KINDS if outcomes[file][kind].stage != "done"])
    return outcomes


def _probe(compiled: Compiled, site: Path, tasks: list[tuple[str, str]]) -> list[tuple[str, str, Outcome]]:
    kinds: dict[str, list[str]] = {}
    for file, kind in tasks:
        kinds.setdefault(file, []).append(kind)
    asked = [
        {"file": file, "kinds": wanted, "services": compiled.services[file]} for file, wanted in kinds.items()
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(PROBE), str(compiled.directory), str(site)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        return [(file, kind, Outcome("compile", last)) for file, kind in tasks]
    return [(file, kind, Outcome(stage, cause)) for file, kind, stage, cause in json.loads(done.stdout)]


def unformatted(directory: Path, cache: Path) -> list[str]:
    """The modules of ours that Black would lay out differently."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "black", "--check", f"--workers={os.cpu_count()}"),
            *("--include", r"_mesh\.py$", "--exclude", "", "."),
        ],
        cwd=directory,
        env={**os.environ, "BLACK_CACHE_DIR": str(cache / "black")},
        capture_output=True,
        text=True,
    )
    complaints = re.findall(r"(?m)^(?:would reformat|error: cannot format) (.+)$", done.stderr)
    if done.returncode != 0 and not complaints:
        raise RuntimeError(f"black: {done.stderr}")
    return complaints


def faults(outcomes: Outcomes, kind: str) -> Iterator[tuple[str, str]]:
    """The files whose modules of `kind` fail though protoc's messages or the other kind's do not, and why."""
    for file, kinds in outcomes.items():
        mine = kinds[kind]
        if mine.stage != "done" and any(outcome.stage == "done" for outcome in kinds.values()):
            yield file, f"{mine.stage}: {mine.cause}"


def shared_failures(outcomes: Outcomes) -> Iterator[tuple[str, str]]:
    """The files whose messages cannot be imported, and why: nothing that imports them can either."""
    for file, kinds in outcomes.items():
        if kinds["messages"].stage != "done":
            yield file, kinds["messages"].cause
