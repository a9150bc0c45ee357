"""Regular expressions as steps that can be followed one after the other."""

from __future__ import annotations

from typing import NamedTuple

CHARACTER, FORK, ALWAYS, ASSERT, MATCHED = range(5)
"""Kinds of steps: reads a character; goes on at two steps; at one; at one if something holds; is the end."""

_MOST_STEPS = 2_000


class UnsupportedError(Exception):
    """The expression has something that is not read here."""


class Step(NamedTuple):
    """A step.

    Attributes:
        kind: what it does.
        to: the step that follows.
        other: the other step that follows a `FORK`.
        characters: the codes of the characters that a `CHARACTER` reads.
        negated: whether it reads all others.
        assertion: what an `ASSERT` checks.
    """

    kind: int
    to: int = 0
    other: int = 0
    characters: frozenset[int] = frozenset()
    negated: bool = False
    assertion: str = ""


class Program(NamedTuple):
    """An expression that has been read.

    Attributes:
        steps: its steps, which name each other by their index.
        start: the first one.
    """

    steps: list[Step]
    start: int


class Node(NamedTuple):
    """A part of an expression.

    Attributes:
        kind: `leaf`, `sequence`, `either` or `repeat`.
        parts: its parts.
        step: of a `leaf`.
        least, most: of a `repeat`; None is without a limit.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    step: Step = Step(ALWAYS)
    least: int = 0
    most: int | None = None


def compiled(node: Node) -> Program:
    """Makes a program of an expression.

    Raises:
        UnsupportedError: it is too large.
    """
    steps = [Step(MATCHED)]
    return Program(steps, _Emitter(steps).emit(node, 0))


class _Emitter:
    """Adds steps from the last one to the first."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self._left = _MOST_STEPS

    def emit(self, node: Node, to: int) -> int:
        """Adds the steps of a part that go on at step `to`; returns the first of them."""
        self._left -= 1
        if self._left < 0:
            raise UnsupportedError
        if node.kind == "leaf":
            return self._add(node.step._replace(to=to))
        if node.kind == "sequence":
            for part in reversed(node.parts):
                to = self.emit(part, to)
            return to
        if node.kind == "repeat":
            return self._repeat(node, to)
        first = self.emit(node.parts[0], to)
        for part in node.parts[1:]:
            first = self._add(Step(FORK, first, self.emit(part, to)))
        return first

    def _repeat(self, node: Node, to: int) -> int:
        (part,) = node.parts
        if node.most is None:
            loop = self._add(Step(ALWAYS))  # replaced once it is known where it goes on
            self._steps[loop] = Step(FORK, self.emit(part, loop), to)
            to = loop
        else:
            end = to
            for _ in range(node.most - node.least):
                to = self._add(Step(FORK, self.emit(part, to), end))
        for _ in range(node.least):
            to = self.emit(part, to)
        return to

    def _add(self, step: Step) -> int:
        self._steps.append(step)
        return len(self._steps) - 1
