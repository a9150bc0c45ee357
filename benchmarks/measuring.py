"""Ratios between two ways of doing one thing, taken in turn, so that drift hits both alike."""

from __future__ import annotations

import math
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any


@dataclass(frozen=True)
class Budget:
    """What was allowed, and whether it was kept to."""

    text: str
    met: bool

    @property
    def verdict(self) -> str:
        return "yes" if self.met else "**no**"


@dataclass(frozen=True)
class Row:
    """One line of RESULTS.md.

    Attributes:
        what: measured against what.
        ratio: the median over the pairs; `low` and `high` are the quartiles.
        base, other: medians of the two themselves, with their unit.
        budget: what may be at most, and whether that was met; None where there is no budget.
    """

    what: str
    ratio: float
    low: float
    high: float
    base: str
    other: str
    budget: Budget | None = None

    @property
    def is_over(self) -> bool:
        return self.budget is not None and not self.budget.met

    def markdown(self) -> str:
        """The row, as RESULTS.md has it."""
        budget, met = ("", "") if self.budget is None else (self.budget.text, self.budget.verdict)
        spread = f"{self.low:.3f}, {self.high:.3f}"
        cells = (self.what, f"{self.ratio:.3f}", spread, self.base, self.other, budget, met)
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Failure:
    """In place of a row: what could not be measured, and why."""

    what: str
    why: str
    is_over = False

    def markdown(self) -> str:
        """As RESULTS.md has it."""
        why = self.why.replace("|", "\\|")
        return f"| {self.what} | failed: {why} |  |  |  |  |  |"


HEADER = (
    "| what | ratio | quartiles | base | ours | budget | met |\n| --- | --- | --- | --- | --- | --- | --- |"
)


def row(
    what: str,
    pairs: Sequence[tuple[float, float]],
    scale: float,
    unit: str,
    most: float | None = None,
    most_added: float | None = None,
    most_quartile: float = math.inf,
) -> Row:
    """A row from pairs (base, other); `scale` turns their figures into `unit` for the reader.

    Its budget is `most` times the base in the median, and `most_quartile` times in the upper quartile; or
    `most_added` of `unit` beside it.
    """
    ratios = [other / base for base, other in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    base = statistics.median(base for base, _ in pairs)
    other = statistics.median(other for _, other in pairs)
    budget = None
    if most is not None:
        budget = Budget(f"≤ {most:g}", middle <= most)
        if most_quartile < math.inf:
            text = f"≤ {most:g}, quartiles ≤ {most_quartile:g}"
            budget = Budget(text, middle <= most and high <= most_quartile)
    elif most_added is not None:
        added = statistics.median(other - base for base, other in pairs) * scale
        budget = Budget(f"{added:+.3g}, ≤ +{most_added:g} {unit}".rstrip(), added <= most_added)
    return Row(what, middle, low, high, shown(base * scale, unit), shown(other * scale, unit), budget)


def shown(figure: float, unit: str) -> str:
    return f"{figure:.4g} {unit}".rstrip()


Run = Callable[[], Coroutine[Any, Any, None] | None]


@dataclass(frozen=True)
class Comparison:
    """What to measure against what, for one row; a run that several have in common is the same object."""

    what: str
    base: Run
    other: Run
    most: float | None = None


async def compare(
    comparisons: Sequence[Comparison],
    rounds: int,
    scale: float,
    unit: str,
    clock: Callable[[], float] = process_time,
) -> list[Row]:
    """Runs all that is compared once in each round, in an order of its own, so that drift hits all alike.

    Args:
        comparisons: a row for each.
        rounds: how often, after one to warm up.
        scale: turns seconds into `unit` for the reader.
        unit: of the figures.
        clock: CPU seconds so far; this process's own if not given.
    """
    runs = list(dict.fromkeys(run for each in comparisons for run in (each.base, each.other)))
    seconds: dict[Run, list[float]] = {run: [] for run in runs}
    for _ in range(rounds + 1):
        for run in random.sample(runs, len(runs)):
            began = clock()
            waiting = run()
            if waiting is not None:
                await waiting
            seconds[run].append(clock() - began)
    return [
        row(
            each.what,
            list(zip(seconds[each.base], seconds[each.other], strict=True))[1:],
            scale,
            unit,
            each.most,
        )
        for each in comparisons
    ]


@dataclass(frozen=True)
class Usage:
    """What a process took: CPU seconds, and memory at its peak in MiB."""

    cpu: float
    peak: float


def usage(command: Sequence[str], stdin: str = os.devnull) -> Usage:
    """Runs a command to its end, as a shell without odd settings would, and says what it took.

    Args:
        command: with its arguments.
        stdin: the file that it reads.

    Raises:
        RuntimeError: it failed.
    """
    # With this set every start compiles all modules anew.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PATH"] = f"{Path(command[0]).parent}{os.pathsep}{environment.get('PATH', '')}"
    small = [sys.executable, "-I", "-S", str(Path(__file__).with_name("spent.py"))]
    done = subprocess.run([*small, stdin, *command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    cpu, peak = map(float, done.stdout.split())
    return Usage(cpu, peak)


def usage_pairs(
    base: Sequence[str], other: Sequence[str], rounds: int, stdin: str = os.devnull
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Pairs of CPU seconds, and pairs of peaks in MiB, of two commands run in turn."""
    if rounds > 1:  # one alone is of a command that takes minutes
        usage(base, stdin)  # to warm up: bytecode, file cache
        usage(other, stdin)
    cpu: list[tuple[float, float]] = []
    peak: list[tuple[float, float]] = []
    for number in range(rounds):
        taken: dict[int, Usage] = {}
        for which in (0, 1) if number % 2 else (1, 0):
            taken[which] = usage((base, other)[which], stdin)
        cpu.append((taken[0].cpu, taken[1].cpu))
        peak.append((taken[0].peak, taken[1].peak))
    return cpu, peak


def python(*arguments: str) -> list[str]:
    """A command line of this Python."""
    return [sys.executable, *arguments]
