"""What is wrong with the retries of an rpc."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..envoy.forwarding.retries import Retries, RetryLimit
from ..finding import Finding
from ..wording import listed, times
from .followed import Followed

_BY_ISTIO = {"connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"}
"""The conditions of the retries that Istio has by itself."""


def check_retries(followed: Followed, limits: Mapping[str, RetryLimit]) -> Iterator[Finding]:
    """Reports retries that do not happen, and some that nobody asked for.

    Args:
        followed: the calls.
        limits: what the circuit breakers of their clusters allow.
    """
    yield from _check_asked(followed)
    yield from _check_configured(followed)
    yield from _check_conditions(followed)
    got = followed.effect.retries
    if got is None or not got.happen:
        return
    for cluster, limit in limits.items():
        wanted = f"{times(got.most)} on {', '.join(got.on)}, but"
        if limit.forbids:
            yield followed.problem("DM305", f"{wanted} the circuit breaker of cluster {cluster} allows none")
        elif limit.most == 0:
            budget = f"{limit.percent:g} % of its calls, and may be none"
            seen = f"{wanted} the retry budget of cluster {cluster} is {budget}"
            yield followed.problem("DM324", seen)
    if followed.route.buffer_limit is not None:
        seen = f"requests of more than {followed.route.buffer_limit} bytes are not retried: {followed.where}"
        yield followed.problem("DM326", seen)


def _check_asked(followed: Followed) -> Iterator[Finding]:
    wanted, got = followed.obeyed.retries, followed.effect.retries
    if wanted is None or wanted.amounts_to(got):
        if got is not None and _unasked(followed, got):
            seen = f"{followed.where} retries it, {times(got.most)} on {', '.join(got.run_again)}"
            own = ", which is what Istio does by itself" if _of_istio(got) else ""
            yield followed.problem("DM325", f"{seen}{own}; nobody asks for that, and it is not idempotent")
        return
    happens = f"{times(got.most)} on {', '.join(got.on)}" if got is not None and got.happen else "no retries"
    if wanted.happen:
        on = ", ".join(wanted.asked_on or wanted.on)
        seen = f"asked for {times(wanted.most)} on {on}, but the headers are dropped"
        yield followed.problem("DM316", f"{seen}: {happens}")
    elif got is not None and got.happen:
        seen = f"asked for no retries, but the headers are dropped: {happens}, by {followed.where}"
        yield followed.problem("DM317", seen)


def _check_configured(followed: Followed) -> Iterator[Finding]:
    """With policy=routes, what the proto asks for has to be in the route."""
    asked, got = followed.asked, followed.effect.retries
    wanted = asked.configured
    if wanted is None or not asked.method.envoy.inherit_timeout or not wanted.on or wanted.attempts in (0, 1):
        return
    lost = wanted.on if got is None or not got.happen else [on for on in wanted.on if on not in got.on]
    if lost:
        seen = (
            f"its proto asks for retries on {listed(lost)}, its stub does not, and {followed.where} has none"
        )
        yield followed.problem("DM338", seen)


def _unasked(followed: Followed, got: Retries) -> bool:
    """Whether retries may run a handler again although nobody asks for that.

    With policy=routes, stubs leave retries to routes, which may be meant to have some: unless they are those
    that Istio has by itself.
    """
    asked = followed.asked
    if asked.idempotent is not False or not got.run_again or got.asked_on or got.origin == "asked":
        return False
    return not asked.method.envoy.inherit_timeout or _of_istio(got)


def _of_istio(got: Retries) -> bool:
    """Whether they are what Istio has where nothing says otherwise (pilot's `retry.DefaultPolicy`)."""
    return got.most == 2 and set(got.route_on) == _BY_ISTIO


def _check_conditions(followed: Followed) -> Iterator[Finding]:
    got = followed.effect.retries
    if got is None:
        return
    if got.unknown:
        seen = f"retried on {listed(got.unknown)}, which Envoy does not know there, and ignores"
        yield followed.problem("DM323", seen)
    if got.changed:
        yield followed.problem("DM329", f"{followed.where} changes {listed(got.changed)} of calls")
    if got.refused:
        seen = f"{followed.where} retries only calls with certain headers, which these do not have"
        yield followed.problem("DM328", seen)
    elif got.most and not got.on and not got.unknown and not got.changed:
        yield followed.problem("DM318", f"asked for {times(got.most)}, but on no condition: there are none")
    if got.of_http_statuses_only:
        whose = "asked for" if got.asked_on else f"by {followed.where}"
        seen = f"retried on {', '.join(got.on)} ({whose}), which no status that the handler returns meets"
        yield followed.problem("DM322", seen)
