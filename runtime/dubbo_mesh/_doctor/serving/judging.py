"""What the end of a trial call tells."""

from __future__ import annotations

from typing import NamedTuple

import grpc

from ..finding import Finding, problem
from ..wording import measured_time
from .asking import NO_TEXT
from .attempts import Attempt, Attempts
from .replies import meaning_of, measured, whose
from .trial import Trial


class Outcome(NamedTuple):
    """Calls of one rpc at one place.

    Attributes:
        where: they went, for messages.
        calls: how they ended.
    """

    where: str
    calls: Attempts


_HARMLESS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
)
"""What a handler may well answer to an empty request without credentials."""

_REFUSED = ("DM455",)


def judged(trial: Trial, outcome: Outcome, direct: Outcome | None) -> Finding:
    """What the calls of a stub come to.

    Args:
        trial: the rpc.
        outcome: of calls as a stub makes them.
        direct: of calls past the sidecar; None if there were none.
    """
    name, last = trial.name, outcome.calls.last
    if arrives(last):
        return Finding("call", "ok", f"{name}: {_answer(trial, outcome)}", subject=name)
    seen = f"{name}: {_status(last)} {outcome.where}, after {measured_time(last.seconds)}"
    beside = "" if direct is None else f"; {direct.where}: {_status(direct.calls.last)}"
    match whose(last):
        case "grpc" | "provider" if last.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            if trial.streaming:
                why = f"{seen}: no response. It may be that the stream has nothing to say{beside}"
                return Finding("call", "skipped", why, subject=name)
            if last.seconds < last.timeout * 0.9:
                seen = f"{seen}, sooner than the call's own deadline of {last.timeout:.3g} s (DM310, DM314)"
            return problem("DM453", f"{seen}{beside}", subject=name)
        case "grpc":
            return problem("DM452", f"{seen}{beside}", subject=name)
        case "provider":
            id = "DM450" if last.code is grpc.StatusCode.UNIMPLEMENTED else "DM457"
            return problem(id, f"{seen}, from the provider{beside}", subject=name)
        case envoy:
            return _of_envoy(last, envoy == "sidecar", seen, beside, name)


def _of_envoy(last: Attempt, by_sidecar: bool, seen: str, beside: str, name: str) -> Finding:
    id, who = "DM458", "another Envoy, such as the provider's sidecar"
    if by_sidecar:
        id, who = "DM451", "the first Envoy on the way"
    seen = f"{seen}, from {who}"
    meaning = meaning_of(last)
    if meaning is None:
        return problem(id, f"{seen}{beside}", subject=name)
    if meaning.ids == _REFUSED:
        return problem("DM455", f"{seen}: {meaning.meaning}{beside}", subject=name)
    ids = f" ({', '.join(meaning.ids)})" if meaning.ids else ""
    return problem(id, f"{seen}: {meaning.meaning}{ids}{beside}", subject=name)


def compared(trial: Trial, direct: Outcome) -> Finding:
    """What calls past the sidecar come to."""
    name = trial.name
    if arrives(direct.calls.last):
        return Finding("call", "ok", f"{name}: {_answer(trial, direct)}", subject=name)
    seen = f"{name}: {_status(direct.calls.last)} {direct.where}: there is nothing to compare with"
    return Finding("call", "skipped", seen, subject=name)


def arrives(attempt: Attempt) -> bool:
    """Whether a call has come to the handler, and this has answered as it may."""
    return attempt.got or (attempt.code in _HARMLESS and whose(attempt) == "provider")


def _answer(trial: Trial, outcome: Outcome) -> str:
    last = outcome.calls.last
    if last.first:
        status = "the first response"
    else:
        status = "OK" if last.got else f"the provider answers {_status(last)}"
    more = measured(last)
    return f"{status} {outcome.where}, in {outcome.calls.times()}{f'; {more}' if more else ''}"


def _status(attempt: Attempt) -> str:
    if attempt.got:
        return "OK"
    code = attempt.code.name
    return f"{code} “{attempt.details}”" if attempt.details else f"{code} {NO_TEXT}"
