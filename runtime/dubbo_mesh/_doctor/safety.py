"""The one place that catches what a check did not expect, and bounds what it says.

The doctor reads what others wrote: the environment, a sidecar's configuration, answers of peers. Whatever is
in there, the user gets findings and no traceback, and the other checks still run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from .._contract.logs import logger
from .budget import OutOfTimeError
from .catalogue.problem import Check
from .finding import Finding, problem

_log = logger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LONGEST = 1500
"""Characters of a text. Values of peers may have any length."""

_PACKAGE = Path(__file__).parents[1]


def safely(
    what: Check, check: Callable[_P, Iterable[_T]], /, *args: _P.args, **kwargs: _P.kwargs
) -> Iterator[_T | Finding]:
    """Runs a check, and yields what it yields; an exception becomes a finding, and ends this check only.

    Args:
        what: the name of the check, for such a finding.
        check: the check, which is called with the other arguments.
        args: of the check.
        kwargs: of the check.
    """
    try:
        yield from check(*args, **kwargs)
    except OutOfTimeError:
        yield problem("DM002", f"no time was left to finish the check “{what}”")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is reported as a finding
        _log.debug("the check %s failed", what, exc_info=True)
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        yield problem("DM001", f"the check “{what}” failed: {text} ({_place(error)})")


def bounded(finding: Finding) -> Finding:
    """A finding whose texts have no more than some hundred words."""
    texts = (finding.finding, finding.remedy, finding.subject)
    if all(len(text) <= _LONGEST for text in texts):
        return finding
    said, remedy, subject = map(_shortened, texts)
    return replace(finding, finding=said, remedy=remedy, subject=subject)


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} … {text[-half:]} ({len(text)} characters)"


def _place(error: BaseException) -> str:
    """Where in this package an exception was raised, or went through last: `_doctor/policy/rpcs.py:40`."""
    places = traceback.extract_tb(error.__traceback__)
    own = [
        each for each in places if Path(each.filename).is_relative_to(_PACKAGE) and each.filename != __file__
    ]
    place = (own or places)[-1]
    name = Path(place.filename)
    return f"{name.relative_to(_PACKAGE) if own else name.name}:{place.lineno}"
