"""What is wrong with the timeouts of an rpc."""

from __future__ import annotations

from collections.abc import Iterator

from ..._contract.envoy_headers import TIMEOUT_HEADER
from ..envoy.forwarding.timeouts import LEAST, Timeout, whole
from ..finding import Finding
from ..wording import duration
from .followed import Followed

_OWNERS = {
    "asked": "asked for",
    "deadline": "the deadline",
    "route": "the route's",
    "cluster": "the cluster's",
}


def check_timeouts(followed: Followed) -> Iterator[Finding]:
    """Reports what ends calls earlier than they ask for, or than anybody may have meant."""
    yield from _check_timeout(followed)
    yield from _check_idle(followed)
    yield from _check_durations(followed)
    yield from _check_attempts(followed)


def _check_timeout(followed: Followed) -> Iterator[Finding]:
    asked, timeout = followed.asked, followed.effect.timeout
    if timeout.origin == "asked":
        by_route = followed.effect.route_timeout
        if by_route.origin == "route" and by_route.seconds > 0 and _longer(timeout, by_route):
            wanted = f"{duration(asked.deadline or timeout.seconds)} asked for"
            if not timeout.seconds:
                wanted = "no timeout asked for"
            seen = f"{wanted} instead of the {duration(by_route.seconds)} of {followed.where}"
            yield followed.problem("DM311", seen)
        return
    if not timeout.seconds or timeout.origin == "deadline":
        return
    if asked.deadline is not None and asked.deadline <= timeout.seconds:
        return
    header = whole(asked.request.headers.get(TIMEOUT_HEADER))
    dropped = header is not None and not followed.internal
    seen = _cut(followed)
    if dropped:
        seen += f"; the header that asks for {'no timeout' if header == 0 else 'more'} is dropped"
    if asked.method.client_streaming and asked.method.server_streaming:
        yield followed.problem("DM307", seen)
    elif asked.method.server_streaming:
        yield followed.problem("DM306", seen)
    elif dropped:
        yield followed.problem("DM309", seen)
    elif asked.deadline is not None:
        yield followed.problem("DM310", seen)
    elif timeout.origin == "default":
        yield followed.problem("DM308", f"{seen}, and stubs set no deadline")


def _cut(followed: Followed) -> str:
    asked, timeout = followed.asked, followed.effect.timeout
    after = f"after {duration(timeout.seconds)}"
    if asked.method.client_streaming:
        after = f"{duration(timeout.seconds)} after their last request"
    seen = f"{followed.where} cuts calls {after}"
    if timeout.origin == "default":
        seen += " (Envoy's default)"
    if asked.deadline is not None:
        seen += f", before their deadline of {duration(asked.deadline)}"
    return seen


def _longer(timeout: Timeout, other: Timeout) -> bool:
    return not timeout.seconds or timeout.seconds > other.seconds


def _check_idle(followed: Followed) -> Iterator[Finding]:
    asked, idle, limit = followed.asked, followed.effect.idle, followed.limit
    if not followed.silence:
        return
    by = {"route": f"idle_timeout of {followed.where}", "default": "Envoy's default for stream_idle_timeout"}
    whose = by.get(idle.origin, f"stream_idle_timeout of listener {followed.entrance.listener.name}")
    if asked.streaming or (limit is None and followed.effect.timeout.origin == "asked"):
        seen = f"ended when nothing is sent for {duration(idle.seconds)}: {whose}"
        yield followed.problem("DM312", seen)
    elif limit is not None:
        seen = f"ended after {duration(idle.seconds)}, as nothing is sent until then: {whose}"
        yield followed.problem("DM313", f"{seen}; it may take {duration(limit)}")


def _check_durations(followed: Followed) -> Iterator[Finding]:
    asked, effect = followed.asked, followed.effect
    places = {
        "listener": f"listener {followed.entrance.listener.name}",
        "route": followed.where,
        "cluster": "the cluster",
    }
    if effect.duration.origin == "deadline" and effect.duration.seconds <= LEAST:
        offset = duration(followed.route.grpc_timeout_header_offset)
        seen = f"{followed.where} takes {offset} off the deadline of {duration(asked.deadline or 0.0)}"
        yield followed.problem("DM327", seen)
    for limit, attempt in ((effect.duration, False), (effect.attempt_duration, True)):
        if not limit.seconds or limit.origin in ("deadline", "asked"):
            continue
        if attempt and effect.retries is not None and effect.retries.of_slow_attempts:
            continue  # which is followed by another one
        others = [each for each in (asked.deadline, effect.timeout.seconds) if each]
        if (asked.streaming or asked.deadline is not None) and all(limit.seconds < each for each in others):
            seen = f"ended after {duration(limit.seconds)}: max_stream_duration of {places[limit.origin]}"
            if asked.deadline is not None:
                seen += f", before its deadline of {duration(asked.deadline)}"
            yield followed.problem("DM314", seen)
    limit = effect.request_timeout
    if limit.seconds and asked.method.client_streaming:
        listener = followed.entrance.listener.name
        seen = (
            f"requests must be sent within {duration(limit.seconds)}: request_timeout of listener {listener}"
        )
        if asked.deadline is None or limit.seconds < asked.deadline:
            yield followed.problem("DM315", seen)


def _check_attempts(followed: Followed) -> Iterator[Finding]:
    deadline, effect = followed.asked.deadline, followed.effect
    per_try, ignored = effect.per_try_timeout, effect.ignored_per_try_timeout
    if ignored.seconds:
        whole_call = f"the timeout of {duration(effect.timeout.seconds)} ({_whose(effect.timeout)})"
        yield followed.problem("DM319", f"{_per_try(ignored)} is ignored: it is not below {whole_call}")
    yield from _check_silent_attempts(followed)
    if not per_try.seconds:
        return
    if deadline is not None and deadline <= per_try.seconds:
        seen = f"{_per_try(per_try)} is not below the deadline of {duration(deadline)}"
        yield followed.problem("DM321", seen)
    elif effect.retries is not None and effect.retries.of_slow_attempts:
        if _told(followed) and not effect.hedges and "deadline-exceeded" not in effect.retries.on:
            seen = (
                f"providers are told of {_per_try(per_try)}, as grpc-timeout, and may end attempts themselves"
            )
            yield followed.problem("DM339", f"{seen}: not retried on deadline-exceeded")
    elif not effect.hedges:
        why = "nothing is retried"
        if effect.retries is not None and effect.retries.happen:
            why = f"slow attempts are not retried on {', '.join(effect.retries.on)}"
        yield followed.problem("DM320", f"{_per_try(per_try)} ends the call: {why}")


def _check_silent_attempts(followed: Followed) -> Iterator[Finding]:
    """A per-try idle timeout, which goes on after the first response, when nothing is retried any more."""
    idle, got = followed.effect.per_try_idle_timeout, followed.effect.retries
    if not idle.seconds or (followed.limit is not None and followed.limit <= idle.seconds):
        return
    retried = got is not None and got.of_slow_attempts
    if followed.asked.method.server_streaming or not retried:
        why = "after the first response, nothing is retried" if retried else "that is not retried"
        seen = (
            f"the per-try idle timeout of {duration(idle.seconds)} ({_whose(idle)}) ends silent calls: {why}"
        )
        yield followed.problem("DM320", seen)


def _told(followed: Followed) -> bool:
    """Whether attempts have their timeout in `grpc-timeout` (`FilterUtility::setTimeoutHeaders`)."""
    return followed.route.max_grpc_timeout is not None and not followed.route.has_max_stream_duration


def _per_try(timeout: Timeout) -> str:
    return f"the per-try timeout of {duration(timeout.seconds)} ({_whose(timeout)})"


def _whose(timeout: Timeout) -> str:
    return _OWNERS.get(timeout.origin, "Envoy's default")
