"""Whether a text matches a regular expression as Envoy's RE2 would match it.

Not by Python's `re`: some expressions mean something else there, and others take exponential time, which a
hostile configuration could use. As in RE2, all ways to match are followed at once, character by character, so
that the time is bounded by the length of the text times the size of the expression.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..unknown import Unknown, Verdict
from .program import ALWAYS, ASSERT, CHARACTER, FORK, MATCHED, Program, UnsupportedError, compiled
from .syntax import parsed

_MOST_STEPS = 50_000  # some 0.05 s. Envoy by itself refuses expressions of more than 100 steps

_LITERAL = re.compile(r"(?:[A-Za-z0-9/_-]|\\[./_-])*")


def literal_beginning(pattern: str) -> str:
    """How all texts begin that match `pattern`, as far as that can be told without reading all of it."""
    if "|" in pattern:
        return ""
    match = _LITERAL.match(pattern)
    found = match[0] if match is not None else ""
    literal = found.replace("\\", "")
    return literal[:-1] if pattern[len(found) : len(found) + 1] in ("*", "?", "{") else literal


def regex_matches(pattern: str, value: str) -> Verdict:
    """Whether the whole of `value` matches `pattern`; unknown if that is beyond this module."""
    program = _program(pattern)
    if program is None:
        return Unknown(f"the doctor cannot tell what the regular expression {pattern[:200]} matches")
    if not value.isascii() or len(program.steps) * (len(value) + 1) > _MOST_STEPS:
        return Unknown(f"it is too much to match against the regular expression {pattern[:200]}")
    return _run(program, value)


@lru_cache(maxsize=4096)
def _program(pattern: str) -> Program | None:
    try:
        return compiled(parsed(pattern))
    except UnsupportedError:
        return None


def _run(program: Program, value: str) -> bool:
    threads = _reached(program, [program.start], value, 0)
    for position, character in enumerate(value):
        following = [
            step.to
            for number in threads
            if (step := program.steps[number]).kind == CHARACTER
            and (ord(character) in step.characters) != step.negated
        ]
        if not following:
            return False
        threads = _reached(program, following, value, position + 1)
    return any(program.steps[number].kind == MATCHED for number in threads)


def _reached(program: Program, numbers: list[int], value: str, position: int) -> set[int]:
    """The steps that can be reached from others without another character."""
    found: set[int] = set()
    waiting = list(numbers)
    while waiting:
        number = waiting.pop()
        if number in found:
            continue
        found.add(number)
        step = program.steps[number]
        if step.kind == FORK:
            waiting.extend((step.to, step.other))
        elif step.kind == ALWAYS or (step.kind == ASSERT and _holds(step.assertion, value, position)):
            waiting.append(step.to)
    return found


def _holds(assertion: str, value: str, position: int) -> bool:
    before, after = value[position - 1 : position] if position else "", value[position : position + 1]
    if assertion == "begin":
        return not before
    if assertion == "end":
        return not after
    if assertion == "begin line":
        return before in ("", "\n")
    if assertion == "end line":
        return after in ("", "\n")
    boundary = _is_word(before) != _is_word(after)
    return boundary if assertion == "boundary" else not boundary


def _is_word(character: str) -> bool:
    return character == "_" or (character.isascii() and character.isalnum())
