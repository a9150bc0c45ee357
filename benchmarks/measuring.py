"""Ratios between two ways of doing one thing, taken in interleaved pairs, so that drift hits both alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time


@dataclass(frozen=True)
class Row:
    """One line of RESULTS.md.

    Attributes:
        what: measured against what.
        ratio: the median over the pairs; `low` and `high` are the quartiles.
        base, other: medians of the two themselves, with their unit.
        budget: what the ratio may be at most; None where there is no budget.
    """

    what: str
    ratio: float
    low: float
    high: float
    base: str
    other: str
    budget: float | None = None

    def markdown(self) -> str:
        """The row, as RESULTS.md has it."""
        budget = "" if self.budget is None else f"≤ {self.budget:g}"
        met = "" if self.budget is None else ("yes" if self.ratio <= self.budget else "**no**")
        spread = f"{self.low:.3f}, {self.high:.3f}"
        cells = (self.what, f"{self.ratio:.3f}", spread, self.base, self.other, budget, met)
        return f"| {' | '.join(cells)} |"


HEADER = (
    "| what | ratio | quartiles | base | ours | budget | met |\n| --- | --- | --- | --- | --- | --- | --- |"
)


def row(
    what: str, pairs: Sequence[tuple[float, float]], scale: float, unit: str, budget: float | None = None
) -> Row:
    """A row from pairs (base, other); `scale` turns their figures into `unit` for the reader."""
    ratios = [other / base for base, other in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    base = statistics.median(base for base, _ in pairs)
    other = statistics.median(other for _, other in pairs)
    return Row(what, middle, low, high, f"{base * scale:.4g} {unit}", f"{other * scale:.4g} {unit}", budget)


def cpu_pairs(
    base: Callable[[], object], other: Callable[[], object], rounds: int
) -> list[tuple[float, float]]:
    """CPU seconds of this process for each, in turn, the first of a pair alternating."""
    base()  # to warm up
    other()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        seconds: dict[int, float] = {}
        for which in (0, 1) if number % 2 else (1, 0):
            began = process_time()
            (base, other)[which]()
            seconds[which] = process_time() - began
        pairs.append((seconds[0], seconds[1]))
    return pairs


async def cpu_pairs_async(
    base: Callable[[], Awaitable[object]], other: Callable[[], Awaitable[object]], rounds: int
) -> list[tuple[float, float]]:
    """As `cpu_pairs`, for coroutines."""
    await base()
    await other()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        seconds: dict[int, float] = {}
        for which in (0, 1) if number % 2 else (1, 0):
            began = process_time()
            await (base, other)[which]()
            seconds[which] = process_time() - began
        pairs.append((seconds[0], seconds[1]))
    return pairs


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
