"""One sentence on what happens to an rpc: its timeout and retries, and where they come from."""

from __future__ import annotations

from dataclasses import replace

from ..envoy.forwarding.retries import Retries
from ..envoy.forwarding.router import Effect
from ..envoy.forwarding.timeouts import LEAST, Timeout
from ..wording import duration, listed, percent, times
from .asked import Asked
from .followed import Followed, silence_of

SLACK = 0.15
"""Seconds. Stubs ask the sidecar for a little more than the deadline, so that their own timer is first."""

_ORIGINS = {
    "asked": "asked, counts",
    "route": "route",
    "listener": "listener",
    "cluster": "cluster",
    "default": "Envoy's default",
    "deadline": "the deadline",
}


def sentence(followed: Followed, forbidden: str = "") -> str:
    """The sentence.

    Args:
        followed: the calls.
        forbidden: the cluster whose circuit breaker allows no retries; empty if all do.
    """
    if followed.unknown:
        obeyed = replace(followed, effect=followed.obeyed)
        if_obeyed = _limits_and_retries(obeyed, forbidden, dropped=False)
        if_not = _limits_and_retries(followed, forbidden, dropped=True)
        return f"if its headers count: {if_obeyed}; if not: {if_not}"
    parts = [_limits_and_retries(followed, forbidden, dropped=not followed.internal)]
    if followed.route.priority != "DEFAULT":
        parts.append("with high priority")
    if len(followed.clusters) > 1:
        shares = [f"{percent(share)} to {name}" for name, share in followed.clusters]
        parts.append(listed(shares))
    return ", ".join(parts)


def _limits_and_retries(followed: Followed, forbidden: str, *, dropped: bool) -> str:
    asked, effect = followed.asked, followed.effect
    parts = [time_limit(asked, effect)]
    if asked.streaming and followed.silence:
        parts.append(f"ended when silent for {duration(effect.idle.seconds)}")
    if effect.per_try_timeout.seconds:
        origin = _ORIGINS[effect.per_try_timeout.origin]
        seconds = duration(effect.per_try_timeout.seconds)
        if not effect.hedges:
            parts.append(f"{seconds} for each attempt ({origin})")
        elif effect.retries is not None and effect.retries.happen:
            parts.append(f"another attempt beside it after {seconds} ({origin})")
    if effect.per_try_idle_timeout.seconds:
        seconds = duration(effect.per_try_idle_timeout.seconds)
        parts.append(
            f"each attempt ended when silent for {seconds} ({_ORIGINS[effect.per_try_idle_timeout.origin]})"
        )
    if effect.attempt_duration.seconds:
        origin = _ORIGINS[effect.attempt_duration.origin]
        limit = duration(effect.attempt_duration.seconds)
        parts.append(f"at most {limit} for each attempt (max_stream_duration: {origin})")
    wanted, buffer_limit = followed.obeyed.retries, followed.route.buffer_limit
    parts.append(retries_said(wanted, effect.retries, forbidden, buffer_limit, dropped=dropped))
    return ", ".join(parts)


def time_limit(asked: Asked, effect: Effect) -> str:
    """When calls end at the latest, and who ends them."""
    deadline, timeout, longest = asked.deadline, effect.timeout, effect.duration
    first = min((each for each in (deadline, timeout.seconds) if each), default=None)
    silent = 0.0 if asked.streaming else silence_of(asked, effect)  # nothing is sent while the handler runs
    if silent:
        field = "idle_timeout" if effect.idle.origin == "route" else "stream_idle_timeout"
        return f"ended after {duration(silent)} without an answer ({field}: {_ORIGINS[effect.idle.origin]})"
    if longest.seconds and (first is None or longest.seconds < first):
        if longest.seconds <= LEAST:
            return "ended at once (the route takes all of the deadline off)"
        if longest.origin == "deadline":
            return f"ended after {duration(longest.seconds)} (the deadline, less what the route takes off)"
        return f"ended after {duration(longest.seconds)} (max_stream_duration: {_ORIGINS[longest.origin]})"
    if deadline is not None and (not timeout.seconds or deadline <= timeout.seconds):
        return f"{duration(deadline)} ({_deadline(deadline, effect)})"
    if not timeout.seconds:
        return f"no timeout ({_ORIGINS[timeout.origin]})"
    if timeout.origin == "asked":
        return f"{duration(timeout.seconds)} (asked, counts)"
    if timeout.origin == "deadline":
        return f"{duration(timeout.seconds)} (the deadline, less what the route takes off)"
    return _by_route(asked, timeout)


def deadline_said(asked: Asked) -> str:
    """When calls end at the latest, where nothing but their deadline is known to end them."""
    return "no timeout" if asked.deadline is None else f"{duration(asked.deadline)} (its deadline)"


def _deadline(deadline: float, effect: Effect) -> str:
    """Who else keeps a deadline."""
    timeout = effect.timeout
    if timeout.origin == "asked" and deadline <= timeout.seconds <= deadline + SLACK:
        return "asked, counts"
    if "deadline" in (timeout.origin, effect.duration.origin):
        return "the deadline, which the route obeys"
    longer = duration(timeout.seconds) if timeout.seconds else "no timeout"
    return f"the deadline; {longer} {'asked' if timeout.origin == 'asked' else 'in the route'}"


def _by_route(asked: Asked, timeout: Timeout) -> str:
    default = " (Envoy's default)" if timeout.origin == "default" else ""
    after = duration(timeout.seconds)
    before = "" if asked.deadline is None else f", before its deadline of {duration(asked.deadline)}"
    if asked.method.client_streaming:
        return f"cut {after} after the last request by the route{default}{before}"
    if asked.method.server_streaming or before:
        return f"cut after {after} by the route{default}{before}"
    return f"{after} ({_ORIGINS[timeout.origin]})"


def retries_said(
    wanted: Retries | None,
    got: Retries | None,
    forbidden: str = "",
    buffer_limit: int | None = None,
    *,
    dropped: bool = False,
) -> str:
    """The retries of an rpc, and who asks for them.

    Args:
        wanted: what they would be if all headers were obeyed.
        got: what they are.
        forbidden: the cluster whose circuit breaker allows none; empty if all do.
        buffer_limit: the bytes of a request that can be retried; None without a limit.
        dropped: whether headers are dropped.
    """
    lost = ""
    if dropped and wanted is not None and wanted.happen and not wanted.amounts_to(got):
        lost = f"asked for {_asked(wanted)}, but the headers are dropped"
    if got is None:
        return f"no retries ({lost})" if lost else "no retries"
    if forbidden and got.happen:
        return f"no retries ({_asked(got)}, but the circuit breaker of cluster {forbidden} allows none)"
    if not got.happen:
        why = lost or ("asked" if got.origin == "asked" else "route")
        if got.most and not got.on:
            by = "asked for" if got.origin == "asked" else "by the route"
            why = f"{got.most} {by}, but on no condition"
            if got.refused:
                why = "the route retries only calls with certain headers"
        return f"no retries ({why})"
    asked = got.origin == "asked" or bool(got.asked_on)
    by_route = bool(got.route_on)
    origin = "asked, counts" if not by_route else "asked, and route" if asked else got.owner
    notes = [origin, lost]
    if buffer_limit is not None:
        notes.append(f"of requests up to {buffer_limit} bytes")
    if got.of_http_statuses_only:
        notes.append("of broken connections, not of statuses that handlers return")
    return f"{times(got.most)} on {', '.join(got.on)} ({'; '.join(filter(None, notes))})"


def _asked(retries: Retries) -> str:
    return f"{retries.most} on {', '.join(retries.asked_on or retries.on)}"
