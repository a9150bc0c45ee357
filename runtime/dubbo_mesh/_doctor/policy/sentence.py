"""One sentence on what would happen to an rpc."""

from __future__ import annotations

from ..envoy.router import Effect, Retries, Timeout
from .asked import Asked


def sentence(asked: Asked, effect: Effect) -> str:
    """The timeout and the retries of an rpc, and where they come from."""
    return f"{_timeout(effect.timeout)}, {_retries(effect.retries)}"


def _timeout(timeout: Timeout) -> str:
    origin = "asked, counts" if timeout.origin == "asked" else timeout.origin
    return f"{timeout.seconds:g} s ({origin})" if timeout.seconds else f"no timeout ({origin})"


def _retries(retries: Retries | None) -> str:
    if retries is None:
        return "no retries"
    origin = "asked, counts" if retries.asked_on else "route"
    return f"up to {retries.most} retries on {', '.join(retries.on)} ({origin})"
