"""Tests of instances as labels of pods: the right side of conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..stages import Constant, Glob, Param, Place, Range, Reference
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...policy.model import Labels
    from ..stages import Test

_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_ONLY_EQUALITY = "a subset's labels are equal to one value each"


def labels(tests: Iterable[Test]) -> Labels:
    """The labels of pods for which all tests hold.

    Raises:
        InexpressibleError: labels cannot tell them; the message says why, and what to do instead.
    """
    found: dict[str, str] = {}
    for test in tests:
        key, value = _label(test)
        found[key] = value
    return tuple(sorted(found.items()))


def is_label(key: str, value: str) -> bool:
    """Whether a pod can have a label."""
    return bool(_KEY.fullmatch(key) and _VALUE.fullmatch(value))


def _label(test: Test) -> tuple[str, str]:
    match test.subject:
        case Place(part):
            raise InexpressibleError(
                f"{part} of instances: pods have no fixed addresses, and all have the Service's port: "
                "give these pods a label of their own, and name it"
            )
        case Param(key):
            pass
        case _:
            raise InexpressibleError(f"{test.subject}: it is no parameter of instances")
    if test.unequal:
        raise InexpressibleError(
            f"{key}!=: {_ONLY_EQUALITY}, and cannot be unequal: give the other pods a label of their own, "
            "and name it"
        )
    match tuple(dict.fromkeys(test.equal)):
        case (Glob(value, False),):
            pass
        case (Glob("", True, ""),):
            raise InexpressibleError(
                f"{key}=*: {_ONLY_EQUALITY}, and cannot ask whether there is one: give these pods a label of "
                "their own"
            )
        case (Glob() | Range(),):
            raise InexpressibleError(
                f"{key}: {_ONLY_EQUALITY}, not to patterns: give these pods a label of their own"
            )
        case (Reference(param),):
            raise InexpressibleError(
                f"{key}=${param}: {_ONLY_EQUALITY}, not to the caller's: write a line for each value of "
                f"{param}, or prefer pods near the caller with an affinity rule"
            )
        case (Constant(),):
            raise InexpressibleError(f"{key}: it has no value")
        case _:
            raise InexpressibleError(
                f"{key}: {_ONLY_EQUALITY}, and cannot be one of several: give these pods a label in common"
            )
    if not is_label(key, value):
        raise InexpressibleError(f"{key}={value} cannot be a label of a pod: give these pods another one")
    return key, value
