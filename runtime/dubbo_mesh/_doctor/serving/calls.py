"""Calls rpcs on trial: through the sidecar as a stub would, and past it, to compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._addressing.dialing import Dial
from ..._addressing.environment import Environment
from ..._calling.channels import open_dialled
from ..._contract.validation import is_sendable, is_sendable_name
from ..budget import Budget
from ..finding import Finding, problem
from ..safety import safely
from .asking import open_channel
from .attempts import attempts
from .circumstances import Circumstances
from .judging import Outcome, compared, judged
from .places import Place, past_the_sidecar
from .trial import Trial, trials


def check_calls(circumstances: Circumstances) -> Iterator[Finding]:
    """Calls the rpcs that the command line names with `--call`."""
    examination = circumstances.examination
    if examination.calls and examination.offline:
        yield Finding("call", "skipped", "nothing is called: files stand for the sidecar (--config-dump)")
        return
    unsendable = [name for name, value in examination.headers if not _is_sendable(name, value)]
    if unsendable and examination.calls:
        yield problem("DM456", f"gRPC does not send the header {unsendable[0]} as it is given")
        return
    for trial in trials(examination.calls, circumstances.targets, anyway=examination.call_anyway):
        if isinstance(trial, Finding):
            yield trial
            continue
        yield from safely("call", _check_call, trial, circumstances)


def _check_call(trial: Trial, circumstances: Circumstances) -> Iterator[Finding]:
    environment, budget = circumstances.environment, circumstances.budget
    headers = circumstances.examination.headers
    dial = None if trial.dialled is None else trial.dialled.dial
    place = direct = None
    # A handler that may not run twice is only called as a stub would.
    if dial is None or (dial.way == "sidecar" and trial.repeatable):
        place = past_the_sidecar(trial, circumstances)
    if place is not None:
        # A call that takes all the time would leave none to call as a stub would.
        part = budget if dial is None else budget.part(budget.left() / 2)
        direct = _call_at(place, trial, environment, headers, part)
    if dial is None:
        if direct is None:
            why = f"{trial.name}: not called: the server cannot be reached"
            yield Finding("call", "skipped", why, subject=trial.name)
        else:
            yield judged(trial, direct, None)
        return
    outcome = _call(trial, dial, environment, headers, budget)
    yield judged(trial, outcome, direct)
    if direct is not None:
        yield compared(trial, direct)
    elif dial.way == "sidecar" and trial.repeatable:
        why = f"{trial.name}: not called past the sidecar: {_why_not(environment)}"
        yield Finding("call", "skipped", why, subject=trial.name)


def _is_sendable(name: str, value: str) -> bool:
    return is_sendable_name(name) and (name.endswith("-bin") or is_sendable(value))


def _call(
    trial: Trial, dial: Dial, environment: Environment, headers: Sequence[tuple[str, str]], budget: Budget
) -> Outcome:
    """Calls an rpc as a stub would."""
    where = "through the sidecar" if dial.way == "sidecar" else f"at {dial.address}"
    with open_dialled(dial) as channel:
        return Outcome(where, attempts(channel, trial, dial.way, environment, headers, budget))


def _call_at(
    place: Place,
    trial: Trial,
    environment: Environment,
    headers: Sequence[tuple[str, str]],
    budget: Budget,
) -> Outcome:
    """Calls an rpc past the sidecar."""
    with open_channel(place.endpoint) as channel:
        calls = attempts(channel, trial, "direct", environment, headers, budget)
    where = "at" if trial.dialled is None else "past the sidecar, at"
    return Outcome(f"{where} {place}", calls)


def _why_not(environment: Environment) -> str:
    if environment.egress is None:
        return "it intercepts the connections of this process"
    return "no address of a provider is known (from --server, or the hosts of the sidecar's cluster)"
